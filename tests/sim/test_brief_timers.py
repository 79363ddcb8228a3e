"""Changes of one side that the other refuses for our session timer, which is none of its own (RFC 4028 §7.4)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from maskline.masking.facts import Cause
from maskline.sip import events as sip
from maskline.sip.session_timer import LONGEST, read_wish
from tests.support.call_machine import sdp
from tests.support.engine_world import World
from tests.support.sim_phones import Phone
from tests.support.sim_scenario import A_MEDIA, B_MEDIA, Scenario

WISHES = ("sendonly", "+sendonly", "inactive", "8")


@dataclass
class StrictWorld(World):
    """`strict` learnt after the answer, as from a proxy that joined the way, to let no session pass that is renewed
    more often than every `least` seconds."""

    strict: str = "bob"
    least: int = 4000
    refused: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        phone: Phone = getattr(self, self.strict)
        take = phone.take

        def demand(event: sip.RequestReceived, now: float) -> None:
            wish = read_wish(event.request)
            if wish is None or wish.seconds >= self.least:
                take(event, now)
            else:
                self.refused += 1
                phone.agent.respond(event.key, 422, now, headers=(("Min-SE", str(self.least)),))

        phone.take = demand  # type: ignore[method-assign]


def play(wish: str, holder: str, *, least: int = 4000, bad: float = 0.0, seed: int = 1) -> StrictWorld:
    other = "alice" if holder == "bob" else "bob"
    presses = ((2.0, holder, wish), (5.0, holder, "sendrecv"))
    # Alice's session timer is what she asked for, the one with Bob is ours.
    scenario = Scenario(
        session=600, presses=presses, alice_bye=20.0, bob_bye=40.0,
        offer=sdp(A_MEDIA, 4000, "9 8 101"), answer=sdp(B_MEDIA, 6000, "9 8 101"),
    )  # fmt: skip
    world = StrictWorld(seed, scenario, loss=bad, duplication=bad, jitter=bad, strict=other, least=least)
    world.run()
    return world


def asked(world: StrictWorld) -> list[bytes]:
    """Our re-INVITEs to who is strict, without copies."""
    sent = world.to_bob if world.strict == "bob" else world.to_alice
    invites = list(dict.fromkeys(data for data in sent if data.startswith(b"INVITE ")))
    return invites[world.strict == "bob" :]


@pytest.mark.parametrize("holder", ["alice", "bob"])
@pytest.mark.parametrize("wish", WISHES)
def test_what_one_side_changes_gets_through_and_it_hears_of_no_timer_but_its_own(wish: str, holder: str) -> None:
    world = play(wish, holder)
    world.check()
    assert (world.refused, world.compared, world.record.cause) == (1, 1, Cause.NORMAL)
    holding = getattr(world, holder)
    assert [event.status for event in holding.heard if isinstance(event, sip.RequestFinished)].count(200) >= 1
    assert not any(event.status >= 300 for event in holding.heard if isinstance(event, sip.RequestFinished))
    heard = b"".join(world.to_alice if holder == "alice" else world.to_bob)
    assert b"4000;refresher" not in heard and b" 422 " not in heard
    first, again = asked(world)[:2]
    assert first.partition(b"\r\n\r\n")[2] == again.partition(b"\r\n\r\n")[2]
    assert b"Session-Expires: 4000;" in again and b"Session-Expires: 4000;" not in first


def test_a_timer_beyond_our_limit_refuses_the_change_and_leaves_the_call() -> None:
    world = play("sendonly", "alice", least=LONGEST + 1)
    world.check()
    (hold, resume) = [event for event in world.alice.heard if isinstance(event, sip.RequestFinished)]
    assert (hold.status, resume.status, world.refused) == (488, 200, 1)
    assert (len(asked(world)), world.compared, world.record.cause) == (1, 1, Cause.NORMAL)


@pytest.mark.parametrize("seed", range(40))
def test_over_a_bad_network_the_call_ends_once_and_leaves_nothing(seed: int) -> None:
    play(WISHES[seed % 4], ("alice", "bob")[seed // 4 % 2], bad=0.2, seed=seed).check()
