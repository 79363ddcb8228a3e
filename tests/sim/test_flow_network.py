"""Calls that do what a customer's application says, over a perfect network: the status matrix of 8x8-wavecell.md §6.1,
and what is heard and asked on the way. That the application is asked only when it is due, and the order of the media's
steps, is watched over by `tests/support/sim_flow.py` and `sim_media.py`."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskline.masking.facts import CallActionFailed, Cause, HungUpBy, Outcome
from tests.support.engine_world import World, clean
from tests.support.sim_scenario import B_SDP, RING_TIMEOUT, Scenario

CALLER, CALLEE, PLATFORM, CARRIER = HungUpBy.CALLER, HungUpBy.CALLEE, HungUpBy.PLATFORM, HungUpBy.CARRIER
DONE, CANCELED, ERROR = Outcome.COMPLETED, Outcome.CANCELED, Outcome.ERROR
NORMAL, LEFT = (DONE, Cause.NORMAL, CALLEE), (DONE, Cause.NORMAL, CALLER)
OVER = (DONE, Cause.FLOW_ENDED, PLATFORM)
GIVEN_UP = (CANCELED, Cause.CANCELED, CALLER)
SILENT = ((1.0, 183, B_SDP),)

DIAL = Scenario(kind="flow", flow=("dial",), alice_bye=None, bob_bye=10.0)
SPOKEN = replace(DIAL, flow=("say", "dial"))
PROMPT = replace(DIAL, flow=("say", "hangup"))
MENU = replace(DIAL, flow=("ask",), pins=("12#",), replies=(("dial",),))
AFTER = replace(DIAL, flow=("dial", "say"), bob_bye=4.0)
RATED = replace(DIAL, bob_bye=4.0, action_id="rate", replies=(("ask",), ("say", "hangup")), pins=("12#",))
BY_API = replace(DIAL, click=True)
API_PROMPT = replace(BY_API, flow=("say",))

STORIES: dict[str, tuple[Scenario, tuple[Outcome, Cause, HungUpBy]]] = {
    # both completed
    "connected": (DIAL, NORMAL),
    "connected, the caller leaves": (replace(DIAL, alice_bye=5.0), LEFT),
    "connected after a late offer": (replace(DIAL, late_offer=True), NORMAL),
    "connected after words": (SPOKEN, NORMAL),
    "connected after words and a late offer": (replace(SPOKEN, late_offer=True), NORMAL),
    "connected and recorded": (replace(SPOKEN, record=True, callee_prompts=1), NORMAL),
    "connected with early media": (replace(DIAL, rings=SILENT), NORMAL),
    "connected after words with early media": (replace(SPOKEN, rings=SILENT), NORMAL),
    "connected without relay": (replace(DIAL, relay=False), NORMAL),
    "connected by a menu": (MENU, NORMAL),
    "connected by the API": (BY_API, NORMAL),
    "on for the rest": (AFTER, OVER),
    "rated": (RATED, OVER),
    "gone before the rest": (replace(AFTER, alice_bye=5.0), LEFT),
    "asked in vain after the bridge": (replace(RATED, replies=(Cause.CALL_FLOW_INVALID,)), OVER),
    "another one after the bridge": (replace(RATED, replies=(("dial",),)), OVER),
    "nobody to ask after the bridge": (replace(RATED, action_id=""), NORMAL),
    # the callee fails
    "no answer": (replace(DIAL, verdict=None), (Outcome.NO_ANSWER, Cause.RING_TIMEOUT, PLATFORM)),
    "busy": (replace(DIAL, verdict=486), (Outcome.BUSY, Cause.BUSY, CALLEE)),
    "busy after words": (replace(SPOKEN, verdict=486), (Outcome.BUSY, Cause.BUSY, CALLEE)),
    "declined after words": (replace(SPOKEN, verdict=603), (Outcome.BUSY, Cause.DECLINED, CALLEE)),
    "switched off": (replace(DIAL, verdict=480, rings=()), (Outcome.FAILED, Cause.OUT_OF_SERVICE, CARRIER)),
    "no such number": (replace(SPOKEN, verdict=404), (Outcome.FAILED, Cause.UNALLOCATED, CARRIER)),
    # the caller gives up
    "left while it rings": (replace(DIAL, verdict=None, cancel_after=2.0), GIVEN_UP),
    "left while it rings after words": (replace(SPOKEN, verdict=None, alice_bye=6.0), GIVEN_UP),
    "left while the application thinks": (replace(PROMPT, route_delay=3.0, cancel_after=1.0), GIVEN_UP),
    # prompts only
    "words": (PROMPT, OVER),
    "a file": (replace(PROMPT, flow=("play",)), OVER),
    "nothing": (replace(PROMPT, flow=()), OVER),
    "hung up": (replace(PROMPT, flow=("hangup",)), OVER),
    "left during the words": (replace(PROMPT, alice_bye=1.0), LEFT),
    "left during the question": (replace(MENU, alice_bye=1.0), LEFT),
    "left while the application thinks again": (replace(MENU, route_delay=3.0, alice_bye=4.5), LEFT),
    "a question and nothing more": (replace(MENU, replies=()), OVER),
    "a question that nobody answers": (replace(MENU, pins=(), replies=()), OVER),
    "a question with nobody to tell": (replace(MENU, asks_again=False), OVER),
    # the application or a step fails
    "refused": (replace(DIAL, flow=("refused",)), (ERROR, Cause.NO_ROUTE, PLATFORM)),
    "refused after words": (replace(DIAL, flow=("say", "refused")), (ERROR, Cause.NO_ROUTE, PLATFORM)),
    "words that fail": (replace(PROMPT, prompt_fails="say"), (ERROR, Cause.SPEECH_FAILED, PLATFORM)),
    "a file that fails": (
        replace(PROMPT, flow=("play",), prompt_fails="play_file"), (ERROR, Cause.FILE_FAILED, PLATFORM)
    ),
    "a question that fails": (replace(MENU, prompt_fails="say_and_capture"), (ERROR, Cause.SPEECH_FAILED, PLATFORM)),
    "words without relay": (replace(PROMPT, relay=False), (ERROR, Cause.MEDIA_UNAVAILABLE, PLATFORM)),
    "words without ports": (replace(PROMPT, media_fails_at=0), (ERROR, Cause.MEDIA_UNAVAILABLE, PLATFORM)),
    "an answer that is no flow": (
        replace(MENU, replies=(Cause.CALL_FLOW_INVALID,)), (ERROR, Cause.CALL_FLOW_INVALID, PLATFORM)
    ),
    "an answer that is no flow, told": (
        replace(MENU, replies=(Cause.CALL_ACTION_FAILED,), refused_aloud=True),
        (ERROR, Cause.CALL_ACTION_FAILED, PLATFORM),
    ),
    "the store away": (replace(MENU, replies=(Cause.STORE_UNAVAILABLE,)), (ERROR, Cause.STORE_UNAVAILABLE, PLATFORM)),
    "no ACK for words": (replace(PROMPT, alice_acks=False), (ERROR, Cause.ACK_TIMEOUT, PLATFORM)),
    # begun by the API
    "words by the API": (API_PROMPT, OVER),
    "the first leg is busy": (replace(API_PROMPT, alice_verdict=486), (Outcome.BUSY, Cause.BUSY, CALLER)),
    "the first leg does not answer": (
        replace(API_PROMPT, alice_verdict=None), (Outcome.NO_ANSWER, Cause.RING_TIMEOUT, PLATFORM)
    ),
    "the second leg is busy": (replace(BY_API, verdict=486), (Outcome.BUSY, Cause.BUSY, CALLEE)),
    "too late": (replace(API_PROMPT, expired=True), (ERROR, Cause.FLOW_EXPIRED, PLATFORM)),
    "not its number": (
        replace(API_PROMPT, refused=Cause.CALLER_ID_NOT_ALLOWED), (ERROR, Cause.CALLER_ID_NOT_ALLOWED, PLATFORM)
    ),
    "a menu by the API": (replace(BY_API, flow=("ask",), pins=("12#",), replies=(("dial",),)), NORMAL),
}  # fmt: skip


@pytest.mark.parametrize("name", STORIES)
def test_each_story_has_its_outcome(name: str) -> None:
    scenario, expected = STORIES[name]
    record = clean(scenario).record
    assert (record.outcome, record.cause, record.hung_up_by) == expected


def story(name: str) -> World:
    return clean(STORIES[name][0])


def legs(name: str) -> list[tuple[Outcome, bool]]:
    return [(leg.outcome, leg.answered_at is not None) for leg in story(name).record.legs]


def test_both_legs_say_how_it_went_and_one_alone_when_nobody_was_dialled() -> None:
    assert legs("connected") == [(DONE, True), (DONE, True)]
    assert legs("busy") == [(Outcome.BUSY, False), (Outcome.BUSY, False)]
    assert legs("busy after words") == [(Outcome.BUSY, True), (Outcome.BUSY, False)]
    assert legs("left while it rings after words") == [(CANCELED, True), (CANCELED, False)]
    assert legs("left while the application thinks") == [(CANCELED, False)]
    assert legs("words") == [(DONE, True)]
    assert legs("nothing") == [(DONE, False)]
    assert legs("refused") == [(ERROR, False)]
    assert legs("too late") == [(ERROR, False)]


@pytest.mark.row("8x8:6.1/canceled-none")
def test_a_caller_that_leaves_while_the_application_thinks_has_its_call_end_there_and_then() -> None:
    for name, seconds in (("left while the application thinks", 1.0), ("left while the application thinks again", 7.5)):
        world = story(name)
        thinking = world.scenario.route_delay
        record = world.record
        assert record.ended_at == record.legs[0].ended_at
        assert seconds <= record.ended_at - record.started_at < seconds + 0.5 < seconds + thinking
        assert not [fact for fact in world.facts if isinstance(fact, CallActionFailed)]


def test_a_caller_is_dropped_at_the_instant_at_which_its_callee_is_lost() -> None:
    for name in ("busy", "busy after words", "no answer"):
        a, b = story(name).record.legs
        assert a.ended_at == b.ended_at, name


def test_what_is_heard_is_in_order() -> None:
    assert story("connected after words").desk.options == ["say", "ringback"]
    assert story("connected after words with early media").desk.options == ["say", "ringback"]
    assert story("connected and recorded").desk.options == ["say", "consent", "ringback", "consent"]
    assert story("connected by a menu").desk.options == ["say_and_capture", "thanks", "ringback"]
    assert story("a question that nobody answers").desk.options == ["say_and_capture", "sorry"] * 2
    assert story("rated").desk.options == ["say_and_capture", "thanks", "say"]
    assert story("connected by the API").desk.options == ["ringback"]
    assert story("connected").desk.options == []


def test_what_is_asked_is_what_has_been_done() -> None:
    def asked(name: str) -> list[tuple[str | None, bool]]:
        return [(done.digits, done.bridged) for done in story(name).application.asked]

    assert asked("rated") == [(None, True), ("12", True)]
    assert asked("connected by a menu") == [("12", False)]
    assert asked("a question that nobody answers") == [("", False)]
    assert asked("nobody to ask after the bridge") == asked("words") == []


@pytest.mark.parametrize(
    ("name", "action"),
    [("connected", "MAKE_CALL"), ("refused after words", "MAKE_CALL"), ("words", "HANGUP"), ("nothing", ""),
     ("left during the words", "PLAY_TTS"), ("rated", "HANGUP"), ("too late", ""), ("on for the rest", "PLAY_TTS"),
     ("a question and nothing more", "SAY_AND_CAPTURE"), ("a file", "PLAY_FILE"), ("not its number", "MAKE_CALL")],
)  # fmt: skip
def test_the_record_names_the_last_action_that_was_begun(name: str, action: str) -> None:
    flow = story(name).record.flow
    assert flow is not None and flow.last_action == action


def test_each_leg_has_the_label_of_its_number() -> None:
    assert [leg.reference_id for leg in story("connected").record.legs] == ["campaign-7", "pool-b"]


def test_each_leg_of_the_api_has_its_own_ring_timeout() -> None:
    first = story("the first leg does not answer").record.legs[0]
    assert first.ended_at - first.initiated_at == pytest.approx(RING_TIMEOUT, abs=0.01)
