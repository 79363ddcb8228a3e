"""What people hear, over a perfect network: prompts, PINs, calls that we start, recordings. The fake driver holds the
engine to its order (`tests/support/sim_media.py`); here stands what must come of each story."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskline.masking.decision import StartCall
from maskline.masking.facts import Cause, HungUpBy, Outcome, PinChecked, PromptNotPlayed, PromptPlayed
from tests.support.engine_world import CALLEE, CALLER, World, clean
from tests.support.sim_scenario import B_SDP, RING_TIMEOUT, TIME_LIMIT, TRUNKS, Scenario

CALLER_HUNG_UP, CALLEE_HUNG_UP = HungUpBy.CALLER, HungUpBy.CALLEE
PLATFORM, CARRIER = HungUpBy.PLATFORM, HungUpBy.CARRIER
DONE, CANCELED = Outcome.COMPLETED, Outcome.CANCELED
NORMAL = (DONE, Cause.NORMAL, CALLEE_HUNG_UP)
GIVEN_UP = (CANCELED, Cause.CANCELED, CALLER_HUNG_UP)

EARLY = ((0.5, 183, B_SDP), (1.0, 180, b""))
PROMPTS = Scenario(caller_prompts=2, callee_prompts=1, alice_bye=None, bob_bye=10.0)
PIN = Scenario(pins=("4711",), alice_bye=None, bob_bye=10.0)
CLICK = Scenario(click=True, alice_bye=None, bob_bye=10.0)

STORIES: dict[str, tuple[Scenario, tuple[Outcome, Cause, HungUpBy]]] = {
    "prompts on both sides": (PROMPTS, NORMAL),
    "answered for prompts": (replace(PROMPTS, answer_for_prompts=True), NORMAL),
    "prompts after a late offer": (replace(PROMPTS, late_offer=True), NORMAL),
    "a late offer and a briefing": (replace(PROMPTS, late_offer=True, caller_prompts=0), NORMAL),
    "prompts that fail": (replace(PROMPTS, prompt_fails="consent"), NORMAL),
    "prompts, then early media": (replace(PROMPTS, callee_prompts=0, rings=EARLY), NORMAL),
    "a briefing in place of early media": (replace(PROMPTS, caller_prompts=0, rings=EARLY), NORMAL),
    "prompts without relay": (replace(PROMPTS, relay=False), NORMAL),
    "prompts, then busy": (replace(PROMPTS, verdict=486), (Outcome.BUSY, Cause.BUSY, CALLEE_HUNG_UP)),
    "given up during a prompt": (replace(PROMPTS, cancel_after=1.0), GIVEN_UP),
    "given up during the briefing": (replace(PROMPTS, cancel_after=8.5), GIVEN_UP),
    "the callee leaves its briefing": (
        replace(PROMPTS, bob_bye=1.0), (Outcome.NO_ANSWER, Cause.NO_ANSWER, CALLEE_HUNG_UP)
    ),
    "media lost during a prompt": (
        replace(PROMPTS, media_event=1.0),
        (Outcome.REJECTED, Cause.MEDIA_UNAVAILABLE, PLATFORM),
    ),
    "refused aloud": (
        Scenario(refused=Cause.UNKNOWN_CALLER, refused_aloud=True),
        (Outcome.REJECTED, Cause.UNKNOWN_CALLER, PLATFORM),
    ),
    "refused aloud, given up": (Scenario(refused=Cause.UNKNOWN_CALLER, refused_aloud=True, cancel_after=1.0), GIVEN_UP),
    "refused without media": (
        Scenario(refused=Cause.UNKNOWN_CALLER, refused_aloud=True, media_fails_at=0),
        (Outcome.REJECTED, Cause.UNKNOWN_CALLER, PLATFORM),
    ),
    "the right PIN": (PIN, NORMAL),
    "the right PIN after the question": (replace(PIN, pin_after=3.0), NORMAL),
    "the right PIN by INFO": (replace(PIN, by_info=True), NORMAL),
    "the right PIN after a beep": (replace(PIN, prompt_fails="pin_prompt_play", pin_after=1.0), NORMAL),
    "a PIN after a late offer": (replace(PIN, late_offer=True), NORMAL),
    "a PIN and prompts": (replace(PIN, caller_prompts=1, callee_prompts=1), NORMAL),
    "twice wrong, then right": (replace(PIN, pins=("1", "47", "4711")), NORMAL),
    "wrong for ever": (replace(PIN, pins=("1", "2", "3")), (Outcome.REJECTED, Cause.WRONG_PIN, PLATFORM)),
    "locked": (replace(PIN, pins=("1",), locked=True), (Outcome.REJECTED, Cause.WRONG_PIN, PLATFORM)),
    "no PIN": (replace(PIN, pins=()), (Outcome.REJECTED, Cause.PIN_REQUIRED, PLATFORM)),
    "store away for PINs": (
        replace(PIN, store_away_for_pins=True), (Outcome.REJECTED, Cause.STORE_UNAVAILABLE, PLATFORM),
    ),
    "a PIN and nobody there": (replace(PIN, verdict=480, rings=()), (Outcome.FAILED, Cause.OUT_OF_SERVICE, CARRIER)),
    "a PIN and busy": (replace(PIN, verdict=486), (Outcome.BUSY, Cause.BUSY, CALLEE_HUNG_UP)),
    "a PIN and no answer": (replace(PIN, verdict=None), (Outcome.NO_ANSWER, Cause.RING_TIMEOUT, PLATFORM)),
    "a PIN without relay": (replace(PIN, relay=False), (Outcome.REJECTED, Cause.PIN_REQUIRED, PLATFORM)),
    "hung up when asked": (replace(PIN, pins=(), alice_bye=1.0), GIVEN_UP),
    "hung up during the check": (replace(PIN, alice_bye=2.0, route_delay=3.0), GIVEN_UP),
    "held when asked": (replace(PIN, alice_hold=0.7), NORMAL),
    "asks for an offer when asked": (replace(PIN, alice_asks=0.7), NORMAL),
    "no ACK when asked": (replace(PIN, alice_acks=False), (Outcome.REJECTED, Cause.ACK_TIMEOUT, PLATFORM)),
    "both called": (CLICK, NORMAL),
    "both called with prompts": (replace(CLICK, caller_prompts=1, callee_prompts=2), NORMAL),
    "first party busy": (replace(CLICK, alice_verdict=486), (Outcome.BUSY, Cause.BUSY, CALLER_HUNG_UP)),
    "first party does not answer": (
        replace(CLICK, alice_verdict=None),
        (Outcome.NO_ANSWER, Cause.RING_TIMEOUT, PLATFORM),
    ),
    "first party leaves early": (replace(CLICK, alice_bye=1.0), GIVEN_UP),
    "second party busy": (replace(CLICK, verdict=486), (Outcome.BUSY, Cause.BUSY, CALLEE_HUNG_UP)),
    "second party does not answer": (replace(CLICK, verdict=None), (Outcome.NO_ANSWER, Cause.RING_TIMEOUT, PLATFORM)),
    "withdrawn while the first rings": (
        replace(CLICK, session_ends=0.8), (Outcome.FAILED, Cause.SESSION_EXPIRED, PLATFORM)
    ),
    "withdrawn while the second rings": (
        replace(CLICK, session_ends=3.0), (Outcome.FAILED, Cause.SESSION_EXPIRED, PLATFORM)
    ),
    "withdrawn while they talk": (replace(CLICK, session_ends=8.0), NORMAL),
    "no media for a call of ours": (replace(CLICK, relay=False), (Outcome.REJECTED, Cause.MEDIA_UNAVAILABLE, PLATFORM)),
    "recorded": (replace(CLICK, record=True), NORMAL),
    "recorded after a late offer": (Scenario(late_offer=True, record=True, alice_bye=None, bob_bye=5.0), NORMAL),
    "recorded without relay": (Scenario(relay=False, record=True, alice_bye=None, bob_bye=5.0), NORMAL),
    "not recorded": (Scenario(record=True, media_fails_at=2, alice_bye=None, bob_bye=5.0), NORMAL),
}  # fmt: skip


@pytest.mark.parametrize("story", STORIES)
def test_each_story_has_its_outcome(story: str) -> None:
    scenario, expected = STORIES[story]
    record = clean(scenario).record
    assert (record.outcome, record.cause, record.hung_up_by) == expected


def story(name: str) -> World:
    return clean(STORIES[name][0])


def prompts(world: World) -> list[tuple[str, str, bool]]:
    return [(fact.leg, fact.prompt, fact.completed) for fact in world.facts if isinstance(fact, PromptPlayed)]


def test_what_is_heard_is_in_order() -> None:
    assert story("prompts on both sides").desk.options == [
        "first_party_play_url", "consent", "ringback", "second_party_play_url",
    ]  # fmt: skip
    assert story("a PIN and busy").desk.options == ["pin_prompt_play", "ringback", "busy"]
    assert story("second party does not answer").desk.options == ["ringback", "busy"]
    assert story("the right PIN after a beep").desk.options[:2] == ["pin_prompt_play", "beep"]


def test_a_prompt_that_is_interrupted_was_not_heard_to_its_end() -> None:
    assert prompts(story("the right PIN")) == [("a", "pin_prompt_play", False)]
    assert prompts(story("the right PIN after the question")) == [("a", "pin_prompt_play", True)]
    assert prompts(story("given up during the briefing"))[-1] == ("b", "second_party_play_url", False)


def test_a_prompt_that_cannot_be_had_is_told() -> None:
    world = story("prompts that fail")
    assert [fact.prompt for fact in world.facts if isinstance(fact, PromptNotPlayed)] == ["consent"]


def test_each_try_is_told() -> None:
    checked = [fact for fact in story("twice wrong, then right").facts if isinstance(fact, PinChecked)]
    assert [(fact.accepted, fact.failures) for fact in checked] == [(False, 1), (False, 2), (True, 2)]
    assert [fact.given for fact in story("no PIN").facts if isinstance(fact, PinChecked)] == [False] * 3


@pytest.mark.row("2/call_time_limit")
def test_the_time_limit_counts_from_the_bridge() -> None:
    a, b = clean(replace(CLICK, caller_prompts=1, callee_prompts=1, bob_bye=None)).record.legs
    assert a.duration > b.duration > TIME_LIMIT + 2


@pytest.mark.row("2/ring_timeout")
def test_each_leg_has_its_own_ring_timeout() -> None:
    a, b = story("second party does not answer").record.legs
    assert b.ended_at - b.initiated_at == pytest.approx(RING_TIMEOUT, abs=0.01)
    assert a.ended_at - b.ended_at == pytest.approx(3.0, abs=0.01)
    first = story("first party does not answer").record.legs[0]
    assert first.ended_at - first.initiated_at == pytest.approx(RING_TIMEOUT, abs=0.01)


def test_a_key_by_info_crosses_as_a_digit() -> None:
    assert clean(Scenario(keys_at=3.0)).desk.digits == ["7"]


def test_the_first_party_sees_the_virtual_number() -> None:
    invite = story("both called").to_alice[0].decode()
    assert invite.startswith(f"INVITE sip:{CALLER.e164}@192.0.2.10:5060 SIP/2.0\r\n")
    assert "From: <sip:+6531590001@203.0.113.1>;tag=" in invite and CALLEE.digits not in invite
    assert "Max-Forwards: 70\r\n" in invite


def test_a_session_is_free_again_after_a_caller_left_during_the_check() -> None:
    world = story("hung up during the check")
    assert world.pins_checked == ["4711"]
    assert world.core.start_call(StartCall(world.way(), CALLER, TRUNKS[0]), world.clock.now()) is None
