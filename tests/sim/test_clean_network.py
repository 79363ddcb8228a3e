"""Every story once over a perfect network, with the outcome it must have."""

import pytest

from maskline.masking.facts import CallEnded, Cause, HungUpBy, Outcome
from maskline.sip import events as sip
from tests.support.engine_world import clean
from tests.support.sim_scenario import B_MOVED, B_SDP, KINDS, RING_TIMEOUT, TIME_LIMIT, Scenario

CALLER, CALLEE, PLATFORM, CARRIER = HungUpBy.CALLER, HungUpBy.CALLEE, HungUpBy.PLATFORM, HungUpBy.CARRIER
DONE = Outcome.COMPLETED

STORIES: dict[str, tuple[Scenario, Outcome, Cause, HungUpBy]] = {
    "caller hangs up": (Scenario(), DONE, Cause.NORMAL, CALLER),
    "callee hangs up": (Scenario(bob_bye=4.0), DONE, Cause.NORMAL, CALLEE),
    "both hang up": (Scenario(alice_bye=4.0, bob_bye=4.07), DONE, Cause.NORMAL, CALLER),
    "without relay": (Scenario(relay=False), DONE, Cause.NORMAL, CALLER),
    "time limit": (Scenario(alice_bye=None), DONE, Cause.CALL_TIME_LIMIT, PLATFORM),
    "early media that moves": (
        Scenario(rings=((0.5, 183, B_SDP), (1.0, 183, B_MOVED))),
        DONE,
        Cause.NORMAL,
        CALLER,
    ),
    "early media": (Scenario(rings=((0.5, 183, B_SDP), (1.0, 180, b""))), DONE, Cause.NORMAL, CALLER),
    "late offer": (Scenario(late_offer=True), DONE, Cause.NORMAL, CALLER),
    "hold": (Scenario(alice_hold=2.0), DONE, Cause.NORMAL, CALLER),
    "caller asks for an offer": (Scenario(alice_asks=2.0), DONE, Cause.NORMAL, CALLER),
    "callee moves": (Scenario(bob_moves=2.0), DONE, Cause.NORMAL, CALLER),
    "two phones answer": (Scenario(fork=True, fork_after=3.0), DONE, Cause.NORMAL, CALLER),
    "busy": (Scenario(verdict=486), Outcome.BUSY, Cause.BUSY, CALLEE),
    "busy at once": (Scenario(verdict=486, rings=(), verdict_after=0.0), Outcome.BUSY, Cause.BUSY, CALLEE),
    "declined": (Scenario(verdict=603), Outcome.BUSY, Cause.DECLINED, CALLEE),
    "unreachable": (Scenario(verdict=480, rings=()), Outcome.FAILED, Cause.OUT_OF_SERVICE, CARRIER),
    "not taken": (Scenario(verdict=480), Outcome.NO_ANSWER, Cause.NO_ANSWER, CALLEE),
    "redirected": (Scenario(verdict=302), Outcome.FAILED, Cause.REDIRECTED, CARRIER),
    "reached elsewhere": (Scenario(rings=(), verdict=503, elsewhere=200), DONE, Cause.NORMAL, CALLER),
    "busy elsewhere": (Scenario(rings=(), verdict=503, elsewhere=486), Outcome.BUSY, Cause.BUSY, CALLEE),
    "reached nowhere": (Scenario(rings=(), verdict=503, elsewhere=503), Outcome.FAILED, Cause.CONGESTION, CARRIER),
    "gives up between": (
        Scenario(rings=(), verdict=503, verdict_after=1.5, elsewhere=200, cancel_after=2.0),
        Outcome.CANCELED,
        Cause.CANCELED,
        CALLER,
    ),
    "carrier error": (Scenario(verdict=500), Outcome.FAILED, Cause.CARRIER_ERROR, CARRIER),
    "nobody there": (Scenario(bob_dies=0.0, cancel_after=None), Outcome.NO_ANSWER, Cause.RING_TIMEOUT, PLATFORM),
    "ring timeout": (Scenario(verdict=None), Outcome.NO_ANSWER, Cause.RING_TIMEOUT, PLATFORM),
    "caller gives up": (Scenario(cancel_after=2.0), Outcome.CANCELED, Cause.CANCELED, CALLER),
    "gives up at once": (Scenario(cancel_after=0.5, route_delay=1.0), Outcome.CANCELED, Cause.CANCELED, CALLER),
    "its INVITE expires": (Scenario(expires=2), Outcome.CANCELED, Cause.CANCELED, CALLER),
    "expires at once": (Scenario(expires=0, route_delay=1.0), Outcome.CANCELED, Cause.CANCELED, CALLER),
    "expires after the answer": (Scenario(expires=4), DONE, Cause.NORMAL, CALLER),
    "we wait less long": (Scenario(expires=300, verdict=None), Outcome.NO_ANSWER, Cause.RING_TIMEOUT, PLATFORM),
    "cancel meets 200": (Scenario(cancel_after=3.045), Outcome.CANCELED, Cause.CANCELED, CALLER),
    "no ACK": (Scenario(alice_acks=False), Outcome.FAILED, Cause.ACK_TIMEOUT, PLATFORM),
    "callee vanishes": (Scenario(bob_dies=6.0), DONE, Cause.NORMAL, CALLER),
    "media dies": (Scenario(media_event=6.0), DONE, Cause.MEDIA_UNAVAILABLE, PLATFORM),
    "no media at first": (Scenario(media_fails_at=0), Outcome.REJECTED, Cause.MEDIA_UNAVAILABLE, PLATFORM),
    "no media at answer": (Scenario(media_fails_at=1), Outcome.FAILED, Cause.MEDIA_UNAVAILABLE, PLATFORM),
    "no media at the end": (Scenario(media_fails_at=2), DONE, Cause.NORMAL, CALLER),
    "unknown caller": (Scenario(refused=Cause.UNKNOWN_CALLER), Outcome.REJECTED, Cause.UNKNOWN_CALLER, PLATFORM),
    "too many hops": (Scenario(max_forwards=1), Outcome.REJECTED, Cause.LOOP, PLATFORM),
}


@pytest.mark.parametrize("story", STORIES)
def test_each_story_has_its_outcome(story: str) -> None:
    scenario, *expected = STORIES[story]
    record = clean(scenario).record
    assert [record.outcome, record.cause, record.hung_up_by] == expected


@pytest.mark.row("6.1/two flows")
@pytest.mark.parametrize("kind", KINDS)
def test_a_call_goes_through_however_its_way_is_found(kind: str) -> None:
    record = clean(Scenario(kind=kind)).record
    assert (record.outcome, record.cause, len(record.legs)) == (DONE, Cause.NORMAL, 2)
    assert clean(Scenario(kind=kind, verdict=486)).record.cause is Cause.BUSY


def test_a_fallback_call_has_the_limits_of_the_installation() -> None:
    ringing = clean(Scenario(kind="fallback", verdict=None)).record.legs[1]
    assert ringing.ended_at - ringing.initiated_at == pytest.approx(RING_TIMEOUT, abs=0.01)
    talking = clean(Scenario(kind="fallback", alice_bye=None)).record.legs[0]
    assert talking.duration == pytest.approx(TIME_LIMIT, abs=0.01)


def test_a_call_to_a_number_that_is_not_ours_is_refused_with_a_fact_and_no_record() -> None:
    world = clean(Scenario(ours=False))
    ended = world.facts[-1]
    assert isinstance(ended, CallEnded)
    assert (ended.outcome, ended.cause) == (Outcome.REJECTED, Cause.UNKNOWN_NUMBER)
    (failed,) = [event for event in world.alice.heard if isinstance(event, sip.InviteFailed)]
    assert failed.status == 404


def test_a_call_that_nobody_could_route_leaves_nothing() -> None:
    world = clean(Scenario(store_away=True))
    assert world.commits == []
    (failed,) = [event for event in world.alice.heard if isinstance(event, sip.InviteFailed)]
    assert failed.status == 503


def test_timers_are_those_of_the_session() -> None:
    ringing = clean(Scenario(verdict=None)).record.legs[1]
    assert ringing.ended_at - ringing.initiated_at == pytest.approx(RING_TIMEOUT, abs=0.01)
    talking = clean(Scenario(alice_bye=None)).record.legs[0]
    assert talking.duration == pytest.approx(TIME_LIMIT, abs=0.01)


def test_the_callers_reason_phrase_is_ours() -> None:
    world = clean(Scenario(verdict=486))
    (failed,) = [event for event in world.alice.heard if isinstance(event, sip.InviteFailed)]
    assert failed.response is not None and (failed.status, failed.response.reason) == (486, "Busy Here")


def test_the_callee_sees_the_virtual_number_and_one_hop_less() -> None:
    world = clean(Scenario())
    invite = world.to_bob[0].decode()
    assert "P-Asserted-Identity: <sip:+6531590001@203.0.113.1>\r\n" in invite
    assert "From: <sip:+6531590001@203.0.113.1>;tag=" in invite
    assert invite.startswith("INVITE sip:+6583334444@192.0.2.20:5060 SIP/2.0\r\n")
    assert "Max-Forwards: 69\r\n" in invite and "Maskline-Loop: our-own-mark\r\n" in invite


@pytest.mark.parametrize("scenario", [Scenario(alice_hold=2.0), Scenario(alice_asks=2.0), Scenario(bob_moves=2.0)])
def test_a_new_address_of_one_side_is_attached_and_the_other_side_hears_nothing(scenario: Scenario) -> None:
    world = clean(scenario)
    plain = clean(Scenario())
    assert world.media_steps == plain.media_steps + 1
    quiet, before = (world.to_alice, plain.to_alice) if scenario.bob_moves is not None else (world.to_bob, plain.to_bob)
    assert len(quiet) == len(before)
