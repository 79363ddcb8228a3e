"""An engine that dies during a call, and the one that comes after it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskline.masking.facts import CallRecovered, Cause, HungUpBy, Outcome
from tests.support.sim_restart import RestartedWorld
from tests.support.sim_scenario import B_SDP, RIGHT_PIN, TIME_LIMIT, Scenario

DONE = Outcome.COMPLETED

TALKS: dict[str, Scenario] = {
    "caller hangs up": Scenario(),
    "callee hangs up": Scenario(bob_bye=8.0, alice_bye=None),
    "time limit": Scenario(alice_bye=None),
    "late offer": Scenario(late_offer=True),
    "early media": Scenario(rings=((0.5, 183, B_SDP), (1.0, 180, b""))),
    "without relay": Scenario(relay=False),
    "hold": Scenario(presses=((2.0, "alice", "hold"), (6.0, "alice", "resume"))),
    "callee moves": Scenario(bob_moves=6.0),
    "caller asks for an offer": Scenario(alice_asks=6.0),
    "recorded": Scenario(record=True),
    "prompts": Scenario(caller_prompts=1, callee_prompts=1, alice_bye=8.0),
    "click to call": Scenario(click=True),
    "by PIN": Scenario(pins=(RIGHT_PIN,), alice_bye=20.0),
    "fallback": Scenario(kind="fallback"),
    "session timers": Scenario(session=90, alice_bye=55.0),
}


def restarted(scenario: Scenario, dies_at: float, outage: float = 0.0, seed: int = 1) -> RestartedWorld:
    world = RestartedWorld(seed, scenario, dies_at=dies_at, outage=outage, compares=False)
    world.run()
    world.check_nothing_left()
    assert [str(fault) for fault in world.core.faults()] == []
    return world


@pytest.mark.parametrize("name", TALKS)
@pytest.mark.parametrize("later", [0.5, 1.5, 3.3])
def test_a_call_goes_on_as_if_nothing_had_happened(name: str, later: float) -> None:
    scenario = TALKS[name]
    plain = restarted(scenario, dies_at=900.0 - 1.0)
    answered = max(leg.answered_at or 0.0 for leg in plain.record.legs) - plain.clock.wall(0.0)
    world = restarted(scenario, dies_at=answered + later)
    assert sum(isinstance(fact, CallRecovered) and fact.goes_on for fact in world.facts) == 1
    assert not plain.record.recovered
    assert world.record == replace(plain.record, recovered=True)
    assert world.said(world.sent_before) == plain.said(world.sent_before)
    assert [fact.sequence for fact in world.facts] == [*range(1, len(world.facts) + 1)]


@pytest.mark.parametrize("outage", [0.0, 5.0])
def test_sessions_are_renewed_after_a_restart_by_whoever_did_before(outage: float) -> None:
    world = restarted(TALKS["session timers"], dies_at=10.0, outage=outage)
    assert (world.record.cause, world.record.recovered) == (Cause.NORMAL, True)
    renewals = []
    for sent, begin in zip((world.to_alice, world.to_bob), world.sent_before, strict=True):
        assert not any(b" UPDATE\r\n" in one for one in sent[:begin])
        renewals.append([one.split()[0] for one in sent[begin:] if b" UPDATE\r\n" in one])
    assert renewals == [[b"SIP/2.0"], [b"UPDATE"]], "hers is answered, and ours is sent to him"


def test_who_hangs_up_while_no_engine_is_there_is_heard_by_the_next_one() -> None:
    for scenario, by in ((Scenario(), HungUpBy.CALLER), (Scenario(bob_bye=8.0, alice_bye=None), HungUpBy.CALLEE)):
        world = restarted(scenario, dies_at=10.0, outage=5.0)
        assert (world.record.outcome, world.record.cause, world.record.hung_up_by) == (DONE, Cause.NORMAL, by)
        assert sum(data.startswith(b"BYE ") for data in world.to_alice + world.to_bob) == 1


def test_the_time_of_a_call_runs_while_no_engine_is_there() -> None:
    for dies_at, lasts in ((10.0, TIME_LIMIT), (60.0, 62.0)):
        world = restarted(Scenario(alice_bye=None), dies_at=dies_at, outage=5.0)
        assert world.record.cause is Cause.CALL_TIME_LIMIT
        assert world.record.legs[0].duration == pytest.approx(lasts, abs=0.2)


def test_our_requests_go_beyond_all_that_were_sent_before() -> None:
    world = restarted(Scenario(alice_bye=None), dies_at=10.0, outage=5.0)
    (bye,) = [data for data in world.to_bob if data.startswith(b"BYE ")]
    assert int(bye.partition(b"\r\nCSeq: ")[2].split()[0]) > 100


def test_a_call_that_was_ending_ends_as_it_was_about_to() -> None:
    plain = restarted(Scenario(), dies_at=899.0)
    world = restarted(Scenario(), dies_at=plain.record.ended_at - plain.clock.wall(0.0) + 0.001)
    assert world.record == replace(plain.record, recovered=True)
    assert [type(fact).__name__ for fact in world.facts][-2:] == ["CallRecovered", "CallEnded"], world.facts


RINGING: dict[str, Scenario] = {
    "plain": Scenario(),
    "with proof of who we are": Scenario(digest=True),
    "reliable": Scenario(reliable=True),
    "at another place": Scenario(kind="fallback"),
    "without relay": Scenario(relay=False),
}


@pytest.mark.parametrize("name", RINGING)
@pytest.mark.parametrize("outage", [0.0, 1.0, 4.0])
def test_who_is_called_rings_no_more_after_a_restart_and_who_answered_meanwhile_is_hung_up_on(
    name: str, outage: float
) -> None:
    """After 4 s the answer, which nobody has heard, is being repeated."""
    scenario = replace(RINGING[name], cancel_after=20.0)
    plain = restarted(scenario, dies_at=899.0)
    rang = plain.record.legs[1].ringing_at
    assert rang is not None
    world = restarted(scenario, dies_at=rang - plain.clock.wall(0.0) + 0.4, outage=outage)
    assert world.record.cause is Cause.ENGINE_RESTARTED
    told = [data.split()[0] for data in world.to_bob[world.sent_before[1] :]]
    if outage < 3.0:
        assert told == [b"CANCEL", b"ACK"]
    else:
        assert told[:3] == [b"CANCEL", b"ACK", b"BYE"]
    assert world.bob.agent.sizes()["usages"] == 0


def test_a_first_party_that_we_call_rings_no_more_either() -> None:
    world = restarted(Scenario(click=True, alice_after=3.0), dies_at=1.5, outage=0.5)
    assert world.record.cause is Cause.ENGINE_RESTARTED
    assert [data.split()[0] for data in world.to_alice] == [b"INVITE", b"CANCEL", b"ACK"]
    assert world.to_bob == []


def test_what_is_kept_for_that_is_written_with_what_is_written_anyway() -> None:
    """Once when the call is sent on, and once more only where the other side asked us who we are."""
    for scenario, many in ((Scenario(alice_bye=None), 1), (Scenario(alice_bye=None, digest=True), 2)):
        world = restarted(scenario, dies_at=899.0)
        before = [commit.kept for commit in world.commits if commit.kept is not None and commit.kept.talk is None]
        assert len([kept for kept in before if kept.ringing]) == many
        assert len({kept.ringing for kept in before if kept.ringing}) == many


@pytest.mark.parametrize("dies_at", [0.05, 0.5, 2.0])
def test_a_call_that_was_not_connected_gets_its_one_record_at_once(dies_at: float) -> None:
    scenario = Scenario(cancel_after=9.0, bob_dies=2.5)
    world = restarted(scenario, dies_at=dies_at, outage=3.0)
    record = world.record
    assert record.recovered
    assert (record.outcome, record.cause, record.hung_up_by) == (
        Outcome.ERROR, Cause.ENGINE_RESTARTED, HungUpBy.PLATFORM,
    )  # fmt: skip
    assert record.ended_at - record.started_at == pytest.approx(dies_at + 3.0, abs=0.1)
    recovered = [fact for fact in world.facts if isinstance(fact, CallRecovered)]
    assert [fact.goes_on for fact in recovered] == [False]
    assert [fact.sequence for fact in world.facts] == [*range(1, len(world.facts) + 1)]
