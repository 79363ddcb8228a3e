"""A party's number, hidden wherever a message has room for it, never reaches the other party.

The whole engine between two phones; each side says its number in chosen places of all its messages, and the bytes that
the other side gets are searched for it in every spelling. What such a search cannot see is found by
`test_identity_interference.py`.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskline.masking.facts import Outcome
from maskline.masking.trunk import USUAL_PRESENTATION, Presentation
from tests.support.hiding_places import HARMLESS, PLACES, TEXTS, URIS, hide, traces
from tests.support.sim_identity import ANNA, BEN, PRESENTATIONS, IdentityWorld, Person
from tests.support.sim_scenario import B_SDP, RIGHT_PIN, Scenario

DIAL = Scenario(kind="flow", flow=("dial",), alice_bye=None, bob_bye=10.0)
MENU = replace(DIAL, flow=("ask",), pins=("12#",), replies=(("say", "dial"),))

STORIES: dict[str, Scenario] = {
    "changed": Scenario(presses=((1.0, "alice", "sendonly"), (2.0, "bob", "9"), (3.0, "alice", "asked"))),
    "answered": Scenario(alice_hold=2.0, bob_moves=3.0, keys_at=4.0),
    "late offer": Scenario(late_offer=True, alice_asks=2.0),
    "early media": Scenario(rings=((1.0, 183, B_SDP), (2.0, 180, b""))),
    "redirected": Scenario(verdict=302),
    "busy": Scenario(verdict=486),
    "cancelled": Scenario(cancel_after=2.0),
    "PIN": Scenario(pins=(RIGHT_PIN,), by_info=True),
    "with prompts": Scenario(record=True, caller_prompts=2, callee_prompts=2),
    "forked": Scenario(fork=True, fork_after=3.0),
    "click": Scenario(click=True, bob_moves=2.0),
    "flow": replace(DIAL, alice_hold=2.0, bob_moves=3.0),
    "flow, spoken": replace(DIAL, flow=("say", "dial")),
    "flow, menu": MENU,
    "flow, goes on": replace(DIAL, flow=("dial", "say"), bob_bye=4.0),
    "flow by the API": replace(DIAL, click=True),
    "flow by the API, busy": replace(MENU, click=True, verdict=486),
}
METHODS = ("INVITE", "UPDATE", "INFO", "MESSAGE", "REFER", "NOTIFY", "SUBSCRIBE", "OPTIONS", "PRACK", "PUBLISH")


@dataclass
class HidingWorld(IdentityWorld):
    """Both sides may also send requests of any kind while they talk."""

    asks: tuple[tuple[str, str], ...] = ()
    """(side, method): one each half second from the fourth on."""

    def run(self, until: float = 900.0) -> HidingWorld:
        for place, (side, method) in enumerate(self.asks):
            self.schedule(4.0 + 0.5 * place, lambda now, side=side, method=method: self.request(side, method, now))  # type: ignore[misc]
        super().run(until)
        return self

    def request(self, side: str, method: str, now: float) -> None:
        phone = self.alice if side == "a" else self.bob
        if phone.usage is not None and phone.usage.dialog is not None and not phone.usage.is_over:
            phone.agent.request(phone.usage, method, now)
            self.pump(now)


def play(
    story: str, places: tuple[str, ...], spelling: str, asks: tuple[tuple[str, str], ...] = (),
    presentation: Presentation = USUAL_PRESENTATION,
) -> HidingWorld:  # fmt: skip
    def telling(person: Person) -> Person:
        return replace(
            person, ids=person.number.digits if spelling == "digits" else f"+{person.number.digits}",
            name=person.number.e164, words=TEXTS["separated"](person.number.digits).replace("(", "").replace(")", ""),
            software=TEXTS[spelling](person.number.digits), rewrite=hide(places, person.number, spelling),
        )  # fmt: skip

    scenario, anna, ben = STORIES[story], telling(ANNA), telling(BEN)
    world = HidingWorld(5, scenario, anna=anna, ben=ben, asks=asks, presentation=presentation)
    world.run()
    assert [str(fault) for fault in world.core.faults()] == []
    world.check_nothing_left()
    assert traces(world.to_bob, world.anna.number) == []
    assert traces(world.to_alice, world.ben.number) == []
    # Signed claims (RFC 8224) are for whoever they were made for.
    assert not [data for data in (*world.to_bob, *world.to_alice) if re.search(rb"\r\nIdentity", data, re.I)]
    return world


EVERYTHING = tuple((side, method) for method in METHODS[2:] for side in "ab")


ROUNDS = [*zip(STORIES, itertools.cycle(TEXTS), strict=False), *[("answered", spelling) for spelling in TEXTS]]


@pytest.mark.parametrize(("story", "spelling"), dict.fromkeys(ROUNDS))
def test_a_number_in_all_places_at_once_does_not_cross(story: str, spelling: str) -> None:
    world = play(story, HARMLESS, spelling, EVERYTHING)
    if story in ("answered", "flow", "flow, goes on", "click", "flow by the API"):
        assert world.record.outcome is Outcome.COMPLETED
        assert traces(world.from_alice, world.anna.number) and traces(world.from_bob, world.ben.number)


@pytest.mark.parametrize("presentation", PRESENTATIONS)
@pytest.mark.parametrize("story", ["answered", "busy", "click", "flow by the API"])
def test_a_number_does_not_cross_however_trunks_want_numbers(story: str, presentation: str) -> None:
    world = play(story, HARMLESS, "plus", EVERYTHING, PRESENTATIONS[presentation])
    assert traces(world.from_alice, world.anna.number) and traces(world.from_bob, world.ben.number)


@pytest.mark.parametrize("place", [place for place in PLACES if place not in HARMLESS])
def test_a_number_that_spoils_its_message_does_not_cross_either(place: str) -> None:
    for story in ("answered", "flow by the API"):
        for spelling in ("plus", "dotted"):
            play(story, (place,), spelling)


@pytest.mark.parametrize("story", ["answered", "late offer", "early media", "click"])
def test_a_number_in_parts_beside_the_session_description_does_not_cross(story: str) -> None:
    world = play(story, ("parts beside the body",), "plus")
    assert world.record.outcome is Outcome.COMPLETED
    told = [data for data in (*world.from_alice, *world.from_bob) if b"multipart/mixed" in data]
    assert any(world.anna.number.digits.encode() in data.partition(b"\r\n\r\n")[2] for data in told)
    assert any(world.ben.number.digits.encode() in data.partition(b"\r\n\r\n")[2] for data in told)


@pytest.mark.parametrize("story", ["answered", "late offer"])
def test_a_number_in_parts_without_a_session_description_does_not_cross(story: str) -> None:
    world = play(story, ("optional parts",), "plus")
    assert world.record.outcome is Outcome.COMPLETED
    invite, *_ = [data for data in world.from_alice if data.startswith(b"INVITE ")]
    assert (b"multipart/mixed" in invite) == (story == "late offer")
    assert traces(world.from_alice, world.anna.number) and traces(world.from_bob, world.ben.number)


@settings(max_examples=80, deadline=None, derandomize=True, database=None)
@given(
    st.sampled_from(list(STORIES)), st.sampled_from(list(TEXTS)), st.lists(st.sampled_from(PLACES), max_size=12),
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(METHODS)), max_size=6),
)  # fmt: skip
def test_a_number_in_any_places_does_not_cross(
    story: str, spelling: str, places: list[str], asks: list[tuple[str, str]]
) -> None:
    play(story, tuple(places), spelling, tuple(asks))


@pytest.mark.parametrize("name", TEXTS)
def test_the_search_finds_every_spelling(name: str) -> None:
    """The search is not blind."""
    digits = ANNA.number.digits
    for said in (TEXTS[name](digits), URIS[name](digits)):
        assert traces([f"X: {said}\r\n".encode()], ANNA.number), said
    assert traces([b"Call-ID: 6591110000\r\nX: 2222"], ANNA.number) == []
