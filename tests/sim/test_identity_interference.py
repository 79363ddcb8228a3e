"""Non-interference: who somebody is changes no byte that the other side gets, nor when it gets it.

Every story is played with the same seed by different people. A search for digits is blind to what is encoded; here it
does not matter how something would cross. Identity is number, names, addresses, ids of the phone's own, its software,
its SDP's origin; codecs, statuses and the times at which somebody does something are the call itself, and the same.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from maskline.masking.e164 import Number
from maskline.masking.facts import Cause
from maskline.sip.events import Flow
from tests.support.hiding_places import HARMLESS, hide
from tests.support.sim_identity import ANNA, BEN, IdentityWorld, Person
from tests.support.sim_scenario import B_SDP, RIGHT_PIN, Scenario

DIAL = Scenario(kind="flow", flow=("dial",), alice_bye=None, bob_bye=10.0)
MENU = replace(DIAL, flow=("ask",), pins=("12#",), replies=(("say", "dial"),))

STORIES: dict[str, Scenario] = {
    "answered": Scenario(),
    "hung up by the callee": Scenario(bob_bye=4.0, alice_bye=None),
    "late offer": Scenario(late_offer=True),
    "early media": Scenario(rings=((1.0, 183, B_SDP), (2.0, 180, b""))),
    **{f"refused with {status}": Scenario(verdict=status) for status in (302, 404, 480, 486, 488, 500, 503, 603, 606)},
    "out of service": Scenario(verdict=480, rings=()),
    "no answer": Scenario(verdict=None),
    "the callee vanishes": Scenario(bob_dies=6.0),
    "nobody there": Scenario(bob_dies=0.0),
    "cancelled": Scenario(cancel_after=2.0),
    "cancelled at once": Scenario(cancel_after=0.5, route_delay=1.0),
    "cancel meets 200": Scenario(cancel_after=3.045),
    "no ACK": Scenario(alice_acks=False),
    "the caller moves": Scenario(alice_hold=2.0),
    "the caller asks for an offer": Scenario(alice_asks=2.0),
    "the callee moves": Scenario(bob_moves=2.0),
    "both move": Scenario(alice_hold=2.0, bob_moves=2.0),
    "keys by INFO": Scenario(keys_at=2.0),
    "forked": Scenario(fork=True, fork_after=3.0),
    "recorded with prompts": Scenario(record=True, caller_prompts=2, callee_prompts=2),
    "answered for prompts": Scenario(caller_prompts=1, answer_for_prompts=True),
    "PIN": Scenario(pins=("1", RIGHT_PIN)),
    "PIN by INFO": Scenario(pins=(RIGHT_PIN,), by_info=True),
    "wrong PINs": Scenario(pins=("1", "2", "3")),
    "no such session": Scenario(refused=Cause.UNKNOWN_CALLER),
    "told why not": Scenario(refused=Cause.UNKNOWN_CALLER, refused_aloud=True),
    "not ours": Scenario(ours=False),
    "too many hops": Scenario(max_forwards=1),
    "split": Scenario(kind="split"),
    "the store is away": Scenario(store_away=True),
    "media lost": Scenario(media_event=6.0),
    "no media": Scenario(media_fails_at=0),
    "the session ends": Scenario(session_ends=2.0),
    "click": Scenario(click=True),
    "click, busy": Scenario(click=True, verdict=486),
    "click, first busy": Scenario(click=True, alice_verdict=486),
    "flow": DIAL,
    "flow, spoken": replace(DIAL, flow=("say", "dial")),
    "flow, spoken after a late offer": replace(DIAL, flow=("say", "dial"), late_offer=True),
    "flow, spoken, busy": replace(DIAL, flow=("say", "dial"), verdict=486),
    "flow, spoken, left": replace(DIAL, flow=("say", "dial"), verdict=None, alice_bye=6.0),
    "flow, recorded": replace(DIAL, flow=("say", "dial"), record=True, callee_prompts=1),
    "flow, menu": MENU,
    "flow, goes on": replace(DIAL, flow=("dial", "say"), bob_bye=4.0),
    "flow, the callee moves": replace(DIAL, bob_moves=2.0, alice_hold=3.0),
    "flow by the API": replace(DIAL, click=True),
    "flow by the API, menu": replace(MENU, click=True),
    "flow by the API, busy": replace(DIAL, click=True, verdict=486),
}  # fmt: skip


def other(person: Person, number: str, host: str, media: str, word: str) -> Person:
    return replace(
        person, number=Number(number), flow=Flow("udp", host, person.flow.port), media=media, seed=person.seed + 40,
        name=f"Wonder{word}"[-6:] if len(word) < 6 else f"Wonder {word}", ids=word, words=f"some{word}",
        software=f"ph{word}/7",
    )  # fmt: skip


ALIKE = (
    other(ANNA, "6591119876", "192.0.2.77", "198.51.100.8", "body"),
    other(BEN, "6583335432", "192.0.2.78", "198.51.100.97", "body"),
)
"""Other people whose every word is as long as before."""
LONGER = (
    other(ANNA, "4915112345678901", "198.18.255.177", "203.0.113.201", "-of-a-large-family.example"),
    other(BEN, "1242", "10.1.1.1", "203.0.113.202", "-who-lives-far-away.example"),
)
NEUTRAL = [
    name for name in HARMLESS if name not in ("modes of a codec", "Max-Forwards", "body") and "Reason" not in name
]
"""Places that say nothing but who somebody is."""
TALKATIVE = tuple(replace(one, rewrite=hide(NEUTRAL, one.number, "plus")) for one in ALIKE)
"""Other people whose messages are full of it."""


@cache
def sent(story: str, side: str, anna: Person = ANNA, ben: Person = BEN) -> list[tuple[float, Flow, bytes]]:
    world = IdentityWorld(7, STORIES[story], anna=anna, ben=ben).run()
    assert world.core.faults() == []
    world.check_nothing_left()
    return world.timed[side]


@pytest.mark.parametrize("story", STORIES)
def test_the_callee_gets_the_same_bytes_whoever_calls(story: str) -> None:
    first = sent(story, "b", ANNA)
    for anna in (ALIKE[0], LONGER[0], TALKATIVE[0]):
        assert sent(story, "b", anna) == first


@pytest.mark.parametrize("story", STORIES)
def test_the_caller_gets_the_same_bytes_whoever_is_called(story: str) -> None:
    first = sent(story, "a", ANNA, BEN)
    for ben in (ALIKE[1], LONGER[1], TALKATIVE[1]):
        assert sent(story, "a", ANNA, ben) == first


def test_the_stories_differ_in_what_a_side_gets_itself() -> None:
    """The comparison is not blind: to its own side a party's words do go back."""
    assert sent("answered", "a", ANNA) != sent("answered", "a", ALIKE[0])
    assert sent("answered", "b", ANNA, BEN) != sent("answered", "b", ANNA, ALIKE[1])
    assert all(sent(story, "a") for story in STORIES)
