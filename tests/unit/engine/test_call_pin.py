"""A caller that is asked for a PIN: the whole way from its INVITE to the bridge, or to the tone before the end."""

from __future__ import annotations

import gc

import pytest

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.announcer import Announcer
from maskline.engine.call_end import TONE_SECONDS
from maskline.engine.call_states import CallState
from maskline.masking.decision import Refuse, WrongPin
from maskline.masking.facts import Cause, HungUpBy, LegName, Outcome, PinChecked, PromptNotPlayed
from maskline.masking.prompt import BEEP, BUSY, CONGESTION, RINGBACK, Prompt
from maskline.sdp.parse import parse
from tests.support.call_machine import (
    A_SDP,
    B_SDP,
    BRIEFING,
    CALLEE,
    CALLER,
    CLIP,
    LOCAL_A,
    LOCAL_B,
    NUMBER,
    Driven,
    asking,
    forward,
    received,
    sdp,
    session,
    with_prompts,
)  # fmt: skip

A, B = LegName.A, LegName.B
PIN, DIGITS, CALL = i.TimerName.PIN, i.TimerName.DIGITS, i.TimerName.CALL
WRONG = i.PinRefused(WrongPin())
LOST = (Outcome.REJECTED, Cause.MEDIA_UNAVAILABLE, HungUpBy.PLATFORM)


def asked(body: bytes = A_SDP, **rules: object) -> Driven:
    call = Driven()
    call.feed(received(body), i.PinAsked(asking(**rules)), i.MediaOpened(LOCAL_A), i.Acked(A))
    return call


def press(digits: str, by_info: bool = False) -> list[i.Digit]:
    return [i.Digit(A, digit, by_info) for digit in digits]


def checking(**rules: object) -> Driven:
    call = asked(**rules)
    call.feed(*press("4711#"))
    return call


def finish(call: Driven) -> tuple[Outcome, Cause, HungUpBy]:
    call.feed(i.MediaClosed({}), i.ByeDone(A), i.ByeDone(B), i.Failed(487))
    assert call.forgotten and call.running() == set() and call.every(e.Collect)[-1:] in ([], [e.Collect(A, False)])
    return call.record.outcome, call.record.cause, call.record.hung_up_by


def checks(call: Driven) -> list[tuple[str, bool, int, bool]]:
    return [
        (fact.session_id, fact.accepted, fact.failures, fact.given)
        for fact in call.facts
        if isinstance(fact, PinChecked)
    ]


@pytest.mark.row("6.1/unknown caller, PIN auth on", "6.1/registered party, forced PIN", "6.3/PIN on")
def test_a_caller_is_answered_asked_and_reaches_whom_its_pin_names() -> None:
    call = Driven()
    call.feed(received(), i.PinAsked(asking()), i.MediaOpened(LOCAL_A))
    assert call.only(e.OpenMedia).legs == (A,)
    assert parse(call.only(e.Answer).body).port == LOCAL_A.port and call.none(e.Play)
    made = call.feed(i.Acked(A))
    assert made[0] == e.Collect(A, True) and call.played().prompt.option == "pin_prompt_play"
    call.feed(call.begun, *press("4711#"))
    check = call.only(e.CheckPin)
    assert (check.pin, check.caller) == ("4711", CALLER) and "4711" not in repr(call.all)
    assert "7" not in repr(press("7", True)) + repr(e.SendDigit(B, "7"))
    made = call.feed(i.Forwarded(forward()))
    assert e.Collect(A, False) in made and made[-1] == e.OpenMedia(None, call.call.media.offered, (B,))
    call.feed(i.MediaOpened(b=LOCAL_B), i.Progressed(180, "f"))
    assert call.played() == e.Play(A, RINGBACK, 2, repeat=0)
    call.feed(i.Answered(B_SDP), i.AnswerMediaReady(), i.HungUp(B))
    assert len(call.every(e.Answer)) == 1
    assert finish(call) == (Outcome.COMPLETED, Cause.NORMAL, HungUpBy.CALLEE)
    names = [fact.name for fact in call.facts]
    assert names == [
        "CallReceived", "LegAnswered", "PromptPlayed", "PinChecked", "CallRouted", "LegDialed", "LegRinging",
        "LegAnswered", "LegEnded", "LegEnded", "CallEnded",
    ]  # fmt: skip
    record = call.record
    assert (record.session_id, len(record.legs), record.legs[1].destination) == ("session-1", 2, CALLEE)
    assert checks(call) == [("session-1", True, 0, True)]
    assert [effect.seconds for effect in call.every(e.StartTimer) if effect.timer is CALL] == [120, 3600]


def test_the_callers_own_prompts_come_after_the_pin_and_the_callees_before_the_bridge() -> None:
    call = checking()
    call.feed(i.Forwarded(with_prompts(caller=(CLIP,), callee=(BRIEFING,))))
    assert call.played().prompt == CLIP
    call.feed(call.heard, i.MediaOpened(b=LOCAL_B), i.Progressed(180, "f"), i.Answered(B_SDP), i.AnswerMediaReady())
    assert call.played().prompt == BRIEFING
    assert call.feed(call.heard)[-2:] == [e.StopPlaying(A), e.BridgeMedia()]
    assert call.feed(i.Bridged())[0] == e.StartTimer(3600)


def test_the_callers_address_may_come_with_its_ack() -> None:
    call = Driven()
    call.feed(received(b""), i.PinAsked(asking()), i.MediaOpened(LOCAL_A), i.Acked(A, A_SDP), i.LateMediaReady(True))
    assert call.call.state is CallState.ASKING


@pytest.mark.parametrize("by_info", [False, True])
def test_keys_pressed_either_way_count_and_those_of_nobody_do_not(by_info: bool) -> None:
    call = asked()
    call.feed(i.Digit(B, "9"), *press("4711#", by_info))
    assert call.only(e.CheckPin).pin == "4711"


def test_the_right_pin_after_two_wrong_ones() -> None:
    call = checking(retries=2)
    for tries in (1, 2):
        call.feed(WRONG)
        assert call.played().prompt.option == "incorrect_pin_play"
        call.feed(call.heard)
        assert call.all[-1] == e.StartTimer(5.0, PIN)
        call.feed(i.TimerFired(PIN))
        assert call.played().prompt.option == "pin_prompt_play"
        call.feed(call.heard, *press("471123"))
        assert len(call.every(e.CheckPin)) == tries + 1
    call.feed(i.Forwarded(forward()))
    assert checks(call) == [("", False, 1, True), ("", False, 2, True), ("session-1", True, 2, True)]


@pytest.mark.row("2/pin_retry", "2/incorrect_pin_play", "2/pin_retry_wait")
def test_a_caller_without_the_right_pin_hears_so_and_is_hung_up() -> None:
    call = checking(retries=1)
    call.feed(WRONG, call.heard, i.TimerFired(PIN), *press("1#"), WRONG)
    assert call.none(e.Bye)
    assert e.Bye(A) in call.feed(call.heard)
    assert finish(call) == (Outcome.REJECTED, Cause.WRONG_PIN, HungUpBy.PLATFORM)
    (leg,) = call.record.legs
    assert (leg.sip_status, leg.cause) == (200, Cause.WRONG_PIN)


def test_a_caller_that_enters_nothing_was_never_right_or_wrong() -> None:
    call = asked(retries=1, wrong=None)
    for _ in range(2):
        call.feed(call.heard)
        assert call.all[-1] == e.StartTimer(20.0, DIGITS)
        call.feed(i.TimerFired(DIGITS))
        call.feed(call.heard)
        call.feed(call.heard)
        call.feed(i.TimerFired(PIN))
    assert finish(call) == (Outcome.REJECTED, Cause.PIN_REQUIRED, HungUpBy.PLATFORM)
    assert checks(call) == [("", False, 1, False), ("", False, 2, False)]


@pytest.mark.row("2/incorrect_pin_play")
def test_a_locked_caller_hears_that_it_was_wrong_and_is_hung_up_whatever_tries_are_left() -> None:
    call = checking(retries=5)
    call.feed(i.PinRefused(WrongPin(locked=True)))
    assert call.played().prompt.option == "incorrect_pin_play" and call.none(e.Bye)
    assert e.Bye(A) in call.feed(call.heard)
    assert finish(call)[1] is Cause.WRONG_PIN


def test_a_locked_caller_hears_two_beeps_where_no_prompt_says_it() -> None:
    call = checking(retries=5, wrong=None)
    call.feed(i.PinRefused(WrongPin(locked=True)))
    assert call.none(e.Bye) and call.played().prompt == BEEP
    call.feed(call.heard)
    assert e.Bye(A) in call.feed(call.heard)
    assert finish(call)[1] is Cause.WRONG_PIN


ENDED = Prompt("session_ended", text="This number is no longer in use.")


@pytest.mark.parametrize("heard", [True, False])
def test_a_pin_of_a_session_that_is_over_is_told_so_and_hung_up(heard: bool) -> None:
    call = checking()
    call.feed(i.Refused(Refuse(Cause.SESSION_EXPIRED, NUMBER, session(), ENDED)))
    assert call.played() == e.Play(A, ENDED, 2) and call.call.state is CallState.REFUSING and call.none(e.Bye)
    assert e.Bye(A) in call.feed(call.heard if heard else call.unheard)
    assert finish(call) == (Outcome.REJECTED, Cause.SESSION_EXPIRED, HungUpBy.PLATFORM)
    assert call.record.legs[0].sip_status == 200 and call.only(e.Answer)


def test_a_caller_that_leaves_while_it_is_told_why_has_cancelled() -> None:
    call = checking()
    call.feed(i.Refused(Refuse(Cause.SESSION_EXPIRED, NUMBER, session(), ENDED)), call.begun, i.HungUp(A))
    assert finish(call) == (Outcome.CANCELED, Cause.CANCELED, HungUpBy.CALLER)


def test_a_session_that_has_a_call_already_sounds_busy() -> None:
    call = checking()
    call.feed(i.Refused(Refuse(Cause.SESSION_BUSY, NUMBER, session())))
    assert call.played() == e.Play(A, BUSY, 2, repeat=0) and call.call.state is CallState.PARTING
    assert call.all[-1] == e.StartTimer(TONE_SECONDS, PIN)
    made = call.feed(i.TimerFired(PIN))
    assert e.StopPlaying(A) in made and e.Bye(A) in made
    assert finish(call) == (Outcome.REJECTED, Cause.SESSION_BUSY, HungUpBy.PLATFORM)
    assert call.record.session_id == "session-1" and checks(call)[-1][1]


def test_a_pin_of_a_session_that_nobody_names_belongs_to_nobody() -> None:
    call = checking()
    call.feed(i.Refused(Refuse(Cause.NO_ROUTE, NUMBER)))
    assert call.played().prompt == CONGESTION
    assert checks(call) == [("", True, 0, True)]


def test_a_fallback_by_pin_has_no_session() -> None:
    call = checking()
    decision = forward()
    call.feed(i.Forwarded(type(decision)(None, None, CALLEE, NUMBER, decision.trunk, NUMBER.number, decision.options)))
    assert checks(call) == [("", True, 0, True)]


def test_a_store_that_goes_away_during_the_check_sounds_congested() -> None:
    call = checking()
    call.feed(i.RouteFailed(Cause.STORE_UNAVAILABLE))
    assert call.played().prompt == CONGESTION
    call.feed(i.TimerFired(PIN))
    assert finish(call) == (Outcome.REJECTED, Cause.STORE_UNAVAILABLE, HungUpBy.PLATFORM)


def announcers() -> int:
    return sum(isinstance(thing, Announcer) for thing in gc.get_objects())


def test_a_call_leaves_no_cycle_behind() -> None:
    """A thousand calls a second must not wait for the collector."""
    gc.collect()
    gc.disable()
    before = announcers()
    call = checking()
    call.feed(i.Forwarded(with_prompts(caller=(CLIP,), callee=(BRIEFING,))), call.heard, i.MediaOpened(b=LOCAL_B))
    call.feed(i.Progressed(180, "f"), i.Failed(486), i.TimerFired(PIN))
    finish(call)
    assert announcers() == before + 2
    del call
    left = announcers() - before
    gc.enable()
    assert left == 0


# -- races --------------------------------------------------------------------------------------------------------


def station(name: str) -> Driven:
    """A caller in each moment of being asked."""
    if name == "accepting":
        call = Driven()
        call.feed(received(), i.PinAsked(asking()), i.MediaOpened(LOCAL_A))
        return call
    call = asked()
    if name == "collecting":
        call.feed(*press("47"))
    elif name != "prompting":
        call.feed(*press("4711#"))
    if name in ("correcting", "waiting"):
        call.feed(WRONG)
    if name == "waiting":
        call.feed(call.heard)
    return call


MOMENTS = ("accepting", "prompting", "collecting", "checking", "correcting", "waiting")


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(
    ("inp", "expected"),
    [
        (i.HungUp(A), (Outcome.CANCELED, Cause.CANCELED, HungUpBy.CALLER)),
        (i.Stopped(Cause.MEDIA_UNAVAILABLE), LOST),
        (i.MediaFailed(), LOST),
        (i.AckMissing(A), (Outcome.REJECTED, Cause.ACK_TIMEOUT, HungUpBy.PLATFORM)),
    ],
)
def test_a_caller_can_be_lost_at_every_moment(
    moment: str, inp: i.Input, expected: tuple[Outcome, Cause, HungUpBy]
) -> None:
    call = station(moment)
    call.feed(inp)
    assert finish(call) == expected
    # What was asked of the router comes too late.
    assert call.feed(i.Forwarded(forward()), WRONG, *press("1")) == []


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_caller_can_be_put_on_hold_and_move_at_every_moment(moment: str) -> None:
    call = station(moment)
    (attach,) = call.feed(i.Offered(A, "k1", sdp(direction="sendonly")))
    assert isinstance(attach, e.AttachMedia)
    held, _ = call.feed(attach.then)
    assert isinstance(held, e.RespondRequest) and b"a=recvonly" in held.body
    (attach,) = call.feed(i.Offered(A, "k2", sdp(port=4010)))
    assert isinstance(attach, e.AttachMedia) and not attach.bridge
    assert call.feed(attach.then)[0].status == 200  # type: ignore[attr-defined]
    assert call.feed(i.Offered(A, "k3", b"", update=True)) == [e.RespondRequest(A, "k3", 200)]


def test_a_held_caller_is_not_held_for_the_callee() -> None:
    call = asked()
    call.feed(i.Offered(A, "k1", sdp(direction="sendonly")), *press("4711#"), i.Forwarded(forward()))
    call.feed(i.MediaOpened(b=LOCAL_B))
    assert parse(call.only(e.SendInvite).body).direction == "sendrecv"


@pytest.mark.parametrize("moment", ["checking", "correcting", "waiting"])
def test_keys_pressed_while_nobody_is_asked_lead_to_nothing_at_once(moment: str) -> None:
    call = station(moment)
    assert call.feed(*press("123#")) == []


def test_keys_pressed_before_the_next_question_are_the_next_try() -> None:
    call = station("correcting")
    call.feed(*press("12"), call.heard, *press("3#"))
    assert len(call.every(e.CheckPin)) == 1
    call.feed(i.TimerFired(PIN))
    assert [check.pin for check in call.every(e.CheckPin)] == ["4711", "123"]


def test_the_end_of_the_session_is_told_by_the_router() -> None:
    assert station("prompting").feed(i.SessionEnded()) == []


# -- no question can be asked -------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", [True, False])
def test_without_relay_nobody_can_be_asked(prompt: bool) -> None:
    call = Driven(relay=False)
    call.feed(received(), i.PinAsked(asking() if prompt else asking(prompt=None)))
    assert e.Reject(404) in call.all and call.forgotten
    assert call.record.cause is Cause.PIN_REQUIRED
    assert len([fact for fact in call.facts if isinstance(fact, PromptNotPlayed)]) == int(prompt)


def test_without_media_nobody_can_be_asked() -> None:
    call = Driven()
    call.feed(received(), i.PinAsked(asking()), i.MediaFailed())
    assert e.Reject(503) in call.all and finish(call) == LOST


@pytest.mark.parametrize("relay", [True, False])
def test_a_loop_is_broken_before_anybody_is_asked(relay: bool) -> None:
    call = Driven(relay)
    call.feed(received(looped=True), i.PinAsked(asking()))
    assert e.Reject(482) in call.all and call.record.cause is Cause.LOOP


def test_an_offer_that_cannot_be_understood_is_refused_before_anybody_is_asked() -> None:
    call = Driven()
    call.feed(received(b"nonsense"), i.PinAsked(asking()))
    assert e.Reject(400) in call.all


def test_a_caller_that_left_before_it_could_be_asked_gave_up() -> None:
    call = Driven()
    call.feed(received(), i.Cancelled(), i.PinAsked(asking()))
    assert call.forgotten and call.record.cause is Cause.CANCELED
