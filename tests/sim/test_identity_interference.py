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
from maskline.masking.trunk import USUAL_PRESENTATION, Presentation
from maskline.sip.events import Flow
from tests.support.hiding_places import HARMLESS, hide
from tests.support.sim_identity import ANNA, BEN, PRESENTATIONS, IdentityWorld, Person
from tests.support.sim_scenario import B_MOVED, B_SDP, RIGHT_PIN, Scenario

DIAL = Scenario(kind="flow", flow=("dial",), alice_bye=None, bob_bye=10.0)
MENU = replace(DIAL, flow=("ask",), pins=("12#",), replies=(("say", "dial"),))

STORIES: dict[str, Scenario] = {
    "answered": Scenario(),
    "hung up by the callee": Scenario(bob_bye=4.0, alice_bye=None),
    "late offer": Scenario(late_offer=True),
    "early media": Scenario(rings=((1.0, 183, B_SDP), (2.0, 180, b""))),
    **{f"refused with {status}": Scenario(verdict=status) for status in (302, 404, 480, 486, 488, 500, 503, 603, 606)},
    "early media that moves": Scenario(rings=((1.0, 183, B_SDP), (2.0, 183, B_MOVED))),
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
    "reached elsewhere": Scenario(rings=(), verdict=503, elsewhere=200),
    "held and resumed": Scenario(presses=((1.0, "alice", "sendonly"), (2.0, "alice", "sendrecv"))),
    "held by the callee": Scenario(
        presses=((1.0, "bob", "+inactive"), (2.0, "alice", "0.0.0.0"), (3.0, "bob", "asked"))
    ),
    "other codecs": Scenario(presses=((1.0, "alice", "9"), (2.0, "bob", "8"), (3.0, "bob", "-9"))),
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
    "reliable": Scenario(reliable=True),
    "reliable early media": Scenario(reliable=True, rings=((1.0, 183, B_SDP), (1.5, 180, b""))),
    "reliable, busy": Scenario(reliable=True, verdict=486),
    "reliable, cancelled": Scenario(reliable=True, cancel_after=2.0),
    "proved": Scenario(digest=True),
    "proved, and moves": Scenario(digest=True, alice_hold=2.0, bob_moves=3.0, keys_at=4.0),
    "proved, busy": Scenario(digest=True, verdict=486),
    "renewed": Scenario(session=90, alice_bye=None, bob_bye=58.0),
    "renewed by nobody": Scenario(session=90, bob_dies=6.0, alice_bye=None),
    "the longest that may be": Scenario(alice_bye=None, bob_bye=None),
    "any caller": Scenario(kind="open"),
    "calls back": Scenario(kind="callback"),
    "fallback": Scenario(kind="fallback"),
    "fallback, busy": Scenario(kind="fallback", verdict=486),
    "forked, reliably": Scenario(fork=True, fork_after=3.0, reliable=True),
    "all at once": Scenario(
        reliable=True, digest=True, session=90, record=True, alice_bye=None, bob_bye=20.0, keys_at=6.0,
        presses=((1.0, "alice", "sendonly"), (2.0, "bob", "+inactive"), (3.0, "alice", "9"), (4.0, "bob", "asked")),
    ),
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
    *(name for name in HARMLESS if name not in ("modes of a codec", "Max-Forwards", "body") and "Reason" not in name),
    "optional parts",
]
"""Places that say nothing but who somebody is."""
TALKATIVE = tuple(replace(one, rewrite=hide(NEUTRAL, one.number, "plus")) for one in ALIKE)
"""Other people whose messages are full of it."""
AT_WORK = ("Auth", "RSeq", "RAck", "Session-Expires", "Min-SE")
"""Headers that stories with proofs, PRACK or session timers are about."""
DISCREET = tuple(
    replace(one, rewrite=hide([name for name in NEUTRAL if not any(w in name for w in AT_WORK)], one.number, "plus"))
    for one in ALIKE
)
"""The same without those."""


OVER_TCP = tuple(replace(one, flow=one.flow._replace(transport="tcp")) for one in ALIKE)
"""The same over a connection: nothing of theirs is repeated, and what the other side gets is repeated as before."""


def others(story: str, side: int) -> tuple[Person, ...]:
    told = STORIES[story]
    talkative = DISCREET if told.digest or told.reliable or told.session else TALKATIVE
    # The second phone of a fork speaks UDP, whatever the first does.
    over_tcp = () if told.fork and side else (OVER_TCP[side],)
    return ALIKE[side], LONGER[side], talkative[side], *over_tcp


@cache
def sent(
    story: str, side: str, anna: Person = ANNA, ben: Person = BEN, presentation: Presentation = USUAL_PRESENTATION
) -> list[tuple[float, Flow, bytes]]:
    world = IdentityWorld(7, STORIES[story], anna=anna, ben=ben, presentation=presentation).run()
    assert world.core.faults() == []
    world.check_nothing_left()
    return world.timed[side]


@pytest.mark.parametrize("story", STORIES)
def test_the_callee_gets_the_same_bytes_whoever_calls(story: str) -> None:
    first = sent(story, "b", ANNA)
    for anna in others(story, 0):
        assert sent(story, "b", anna) == first


@pytest.mark.parametrize("story", STORIES)
def test_the_caller_gets_the_same_bytes_whoever_is_called(story: str) -> None:
    first = sent(story, "a", ANNA, BEN)
    for ben in others(story, 1):
        assert sent(story, "a", ANNA, ben) == first


@pytest.mark.parametrize("name", PRESENTATIONS)
@pytest.mark.parametrize("story", ["answered", "refused with 486", "late offer", "click", "flow"])
def test_both_get_the_same_bytes_however_trunks_want_numbers(story: str, name: str) -> None:
    how = PRESENTATIONS[name]
    to_callee, to_caller = sent(story, "b", ANNA, BEN, how), sent(story, "a", ANNA, BEN, how)
    assert to_callee != sent(story, "b")
    for anna, ben in zip((*ALIKE[:1], LONGER[0], TALKATIVE[0]), (*ALIKE[1:], LONGER[1], TALKATIVE[1]), strict=True):
        assert sent(story, "b", anna, BEN, how) == to_callee
        assert sent(story, "a", ANNA, ben, how) == to_caller


def test_the_stories_differ_in_what_a_side_gets_itself() -> None:
    """The comparison is not blind: to its own side a party's words do go back."""
    assert sent("answered", "a", ANNA) != sent("answered", "a", ALIKE[0])
    assert sent("answered", "b", ANNA, BEN) != sent("answered", "b", ANNA, ALIKE[1])
    assert all(sent(story, "a") for story in STORIES)
