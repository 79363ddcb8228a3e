"""A call that does what the customer's application says: each step, each end, and what is asked again."""

from __future__ import annotations

import gc
from dataclasses import replace

import pytest

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.announcer import LONGEST_PROMPT
from maskline.engine.call_flow_steps import MOST_ROUNDS, FlowSteps
from maskline.engine.call_states import CallState
from maskline.engine.capture import CapturePrompt
from maskline.masking.call_flow import Hangup, PlayFile
from maskline.masking.decision import Dial, Refuse, Step
from maskline.masking.e164 import Number
from maskline.masking.facts import (
    CallActionFailed,
    CallRouted,
    Cause,
    DigitsCaptured,
    FlowGiven,
    HungUpBy,
    LegEnded,
    LegName,
    Outcome,
    PromptNotPlayed,
)
from maskline.masking.prompt import RINGBACK, Prompt
from maskline.media.port import Spool
from tests.support.call_machine import (
    A_SDP,
    B_SDP,
    CALLEE,
    CALLER,
    DIAL,
    LOCAL_A,
    LOCAL_B,
    NUMBER,
    PLAY_FILE,
    SAY,
    TRUNK_A,
    VIRTUAL,
    WELCOME,
    Driven,
    capture,
    flow,
    received,
    sdp,
    start_flow,
)  # fmt: skip

A, B = LegName.A, LegName.B
CALLER_LEFT, CALLEE_LEFT, PLATFORM = HungUpBy.CALLER, HungUpBy.CALLEE, HungUpBy.PLATFORM
DONE, ERROR = Outcome.COMPLETED, Outcome.ERROR
ENDED = (DONE, Cause.FLOW_ENDED, PLATFORM)
Result = tuple[Outcome, Cause, HungUpBy]


def given(*steps: Step, body: bytes = A_SDP, relay: bool = True, **options: object) -> Driven:
    """The application has been asked about a caller, and says this."""
    call = Driven(relay=relay)
    call.feed(received(body), i.FlowGiven(flow(*steps, **options)))  # type: ignore[arg-type]
    return call


def heard(*steps: Step, **options: object) -> Driven:
    """The caller is answered and can hear us."""
    call = given(*steps, **options)
    call.feed(i.MediaOpened(LOCAL_A), i.Acked(A))
    return call


def talking(*steps: Step, **options: object) -> Driven:
    call = given(DIAL, *steps, **options)
    call.feed(i.MediaOpened(LOCAL_A, LOCAL_B), i.Progressed(180, "f"), i.Answered(B_SDP), i.AnswerMediaReady())
    call.feed(i.Acked(A))
    return call


def requested(*steps: Step, **changes: object) -> Driven:
    """The API asked for a call, and the first leg has answered."""
    call = Driven(inbound=False)
    call.feed(i.FlowRequested(start_flow(*steps, **changes)))
    call.feed(i.MediaOpened(LOCAL_A), i.Progressed(180, "f", leg=A), i.Answered(B_SDP, A), i.AnswerMediaReady())
    return call


def finish(call: Driven) -> Result:
    call.feed(i.MediaClosed({}), i.ByeDone(A), i.ByeDone(B), i.Failed(487), i.Failed(487, leg=A))
    assert call.forgotten and call.running() == set() and call.every(e.Collect)[-1:] in ([], [e.Collect(A, False)])
    record = call.record
    return record.outcome, record.cause, record.hung_up_by


def last_action(call: Driven) -> str:
    assert call.record.flow is not None
    return call.record.flow.last_action


def facts(call: Driven, kind: type) -> list[object]:
    return [fact for fact in call.facts if isinstance(fact, kind)]


# -- dialling -----------------------------------------------------------------------------------------------------


def test_who_is_to_be_connected_is_answered_when_the_callee_answers() -> None:
    call = talking()
    assert call.none(e.Play) and len(call.every(e.Answer)) == 1
    invite = call.only(e.SendInvite)
    assert (invite.callee, invite.virtual_number) == (CALLEE, VIRTUAL)
    call.feed(i.HungUp(B))
    assert finish(call) == (DONE, Cause.NORMAL, CALLEE_LEFT)
    assert [fact.name for fact in call.facts] == [
        "CallReceived", "FlowGiven", "CallRouted", "LegDialed", "LegRinging", "LegAnswered", "LegAnswered",
        "LegEnded", "LegEnded", "CallEnded",
    ]  # fmt: skip
    (routed,) = facts(call, CallRouted)
    assert isinstance(routed, CallRouted) and routed.matched_by == "call_action"
    assert last_action(call) == "MAKE_CALL" and call.record.session_id is None


def test_each_leg_has_the_label_of_its_own_number() -> None:
    other = Dial(CALLEE, Number("6531590777"), "pool-b", DIAL.trunk)
    call = given(other)
    call.feed(i.MediaOpened(LOCAL_A, LOCAL_B), i.Failed(486))
    finish(call)
    assert [leg.reference_id for leg in call.record.legs] == ["campaign-7", "pool-b"]
    same = given(replace(DIAL, shown_reference_id=""))
    same.feed(i.MediaOpened(LOCAL_A, LOCAL_B), i.Failed(486))
    finish(same)
    assert [leg.reference_id for leg in same.record.legs] == ["campaign-7", "campaign-7"]


@pytest.mark.row("8x8:6/B-fails")
def test_a_callee_that_fails_ends_the_call_at_the_same_instant() -> None:
    call = given(DIAL)
    made = call.feed(i.MediaOpened(LOCAL_A, LOCAL_B), i.Failed(486))
    assert e.Reject(486) in made and call.none(e.Play)
    assert finish(call) == (Outcome.BUSY, Cause.BUSY, CALLEE_LEFT)
    ends = {leg.leg: leg.ended_at for leg in call.record.legs}
    assert ends[A] == ends[B]


@pytest.mark.row("8x8:6/B-fails")
def test_an_answered_caller_is_dropped_with_the_callee_without_a_tone() -> None:
    call = heard(SAY, DIAL)
    call.feed(call.heard, i.MediaOpened(b=LOCAL_B), i.Progressed(180, "f"))
    assert call.played().prompt == RINGBACK
    made = call.feed(i.Failed(486))
    assert e.Bye(A) in made and e.StopPlaying(A) in made
    assert finish(call) == (Outcome.BUSY, Cause.BUSY, CALLEE_LEFT)


def test_early_media_of_the_callee_reaches_nobody_who_was_answered_by_us() -> None:
    call = heard(SAY, DIAL)
    call.feed(call.heard, i.MediaOpened(b=LOCAL_B), i.Progressed(183, "f", B_SDP))
    assert call.none(e.AttachMedia) and call.played().prompt == RINGBACK
    plain = given(DIAL)
    plain.feed(i.MediaOpened(LOCAL_A, LOCAL_B), i.Progressed(183, "f", B_SDP))
    assert plain.only(e.AttachMedia).bridge


@pytest.mark.parametrize(
    ("refused", "status"), [(Cause.NO_ROUTE, 404), (Cause.CALLER_ID_NOT_ALLOWED, 480), (Cause.LOOP, 482)]
)
@pytest.mark.row("8x8:4/makeCall.source", "8x8:4/makeCall.destination", "8x8:6.1/error-none")
def test_a_dial_that_is_not_allowed_ends_the_call_with_one_leg(refused: Cause, status: int) -> None:
    call = given(replace(DIAL, refused=refused, trunk=None))
    assert call.only(e.Reject).status == status
    assert finish(call) == (ERROR, refused, PLATFORM)
    assert [leg.outcome for leg in call.record.legs] == [ERROR] and last_action(call) == "MAKE_CALL"


def test_a_dial_without_a_way_has_none() -> None:
    assert finish(given(replace(DIAL, trunk=None))) == (ERROR, Cause.NO_ROUTE, PLATFORM)


@pytest.mark.row("8x8:4/makeCall.callRecording", "8x8:9/start")
def test_what_is_recorded_keeps_to_g711_and_is_told_to_both_sides() -> None:
    call = given(replace(DIAL, record=True, prompts=(WELCOME,)), body=sdp(codecs="9 0 101"))
    call.feed(i.MediaOpened(LOCAL_A, LOCAL_B))
    assert call.played() == e.Play(A, WELCOME, 1)
    call.feed(call.heard, i.Answered(B_SDP), i.AnswerMediaReady())
    assert call.played().prompt == WELCOME and call.played().leg is B
    call.feed(call.heard, i.Bridged())
    assert call.only(e.StartRecording)


def test_without_relay_people_can_be_connected_and_nothing_be_said() -> None:
    call = given(DIAL, relay=False)
    call.feed(i.Answered(B_SDP), i.HungUp(A))
    assert finish(call) == (DONE, Cause.NORMAL, CALLER_LEFT)
    mute = given(SAY, relay=False)
    assert finish(mute) == (ERROR, Cause.MEDIA_UNAVAILABLE, PLATFORM)
    (missed,) = facts(mute, PromptNotPlayed)
    assert isinstance(missed, PromptNotPlayed) and (missed.prompt, missed.reason) == ("say", "media_unavailable")


# -- speaking -----------------------------------------------------------------------------------------------------


@pytest.mark.row("8x8:4/hangup", "8x8:4/chained")
def test_a_caller_that_is_spoken_to_is_answered_first() -> None:
    call = given(SAY, Hangup())
    assert call.only(e.OpenMedia).legs == (A,)
    call.feed(i.MediaOpened(LOCAL_A))
    assert call.only(e.Answer) and call.none(e.Play)
    call.feed(i.Acked(A))
    assert call.played() == e.Play(A, SAY.prompt, 1) and call.call.state is CallState.SAYING
    made = call.feed(call.begun, call.heard)
    assert e.Bye(A) in made
    assert finish(call) == ENDED
    assert last_action(call) == "HANGUP" and [leg.outcome for leg in call.record.legs] == [DONE]
    (told,) = facts(call, FlowGiven)
    assert isinstance(told, FlowGiven) and told.actions == "PLAY_TTS,HANGUP"


@pytest.mark.row("8x8:4/playFile.repetition", "8x8:4/say.repetition")
def test_a_prompt_is_played_as_often_as_the_step_says() -> None:
    call = heard(PLAY_FILE)
    assert call.played().repeat == 2
    assert e.StartTimer(2 * LONGEST_PROMPT, i.TimerName.PIN) in call.all
    call.feed(i.TimerFired(i.TimerName.PIN))
    assert finish(call) == ENDED
    assert last_action(call) == "PLAY_FILE"


@pytest.mark.row("8x8:4/chained")
def test_prompts_come_one_after_the_other() -> None:
    call = heard(SAY, PLAY_FILE)
    call.feed(i.PlayDone(A, 77), i.PlayFailed(A, 77, "timeout"), call.heard)
    assert call.played().prompt == PLAY_FILE.prompt
    call.feed(call.heard)
    assert finish(call) == ENDED


@pytest.mark.parametrize(
    ("step", "reason", "cause"),
    [
        (SAY, "timeout", Cause.SPEECH_FAILED),
        (PLAY_FILE, "too_large", Cause.FILE_FAILED),
        (SAY, "media_unavailable", Cause.MEDIA_UNAVAILABLE),
        (PLAY_FILE, "internal_error", Cause.INTERNAL_ERROR),
    ],
)
@pytest.mark.row("8x8:4/playFile.fileUrl", "8x8:6.2/-2005", "8x8:6.2/-2006")
def test_what_cannot_be_played_ends_the_call(step: Step, reason: str, cause: Cause) -> None:
    call = heard(step, DIAL)
    call.feed(lambda: call.unheard(reason))
    assert finish(call) == (ERROR, cause, PLATFORM)
    names = [fact.name for fact in call.facts]
    assert names.index("PromptNotPlayed") < names.index("LegEnded") and len(call.record.legs) == 1


def test_no_ports_for_a_caller_that_is_to_be_spoken_to() -> None:
    call = given(SAY)
    call.feed(i.MediaFailed())
    assert finish(call) == (ERROR, Cause.MEDIA_UNAVAILABLE, PLATFORM)


def test_a_late_offer_is_answered_by_the_ack_before_anything_is_said() -> None:
    call = given(SAY, body=b"")
    call.feed(i.MediaOpened(LOCAL_A), i.Acked(A, A_SDP))
    assert call.none(e.Play)
    call.feed(i.LateMediaReady(True))
    assert call.played().prompt == SAY.prompt


# -- ends ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("steps", "action"), [((Hangup(),), "HANGUP"), ((), "")])
@pytest.mark.row("8x8:3.1/empty-callflow", "8x8:4/hangup")
def test_a_flow_that_does_nothing_refuses_the_caller_and_is_complete(steps: tuple[Step, ...], action: str) -> None:
    call = given(*steps)
    assert call.only(e.Reject).status == 603 and call.none(e.OpenMedia)
    assert finish(call) == ENDED
    assert last_action(call) == action


@pytest.mark.row("8x8:6.1/completed-none", "8x8:4/hangup")
def test_a_caller_that_leaves_during_a_prompt_was_served() -> None:
    call = heard(SAY, DIAL)
    call.feed(i.HungUp(A))
    assert finish(call) == (DONE, Cause.NORMAL, CALLER_LEFT)
    assert [leg.outcome for leg in call.record.legs] == [DONE]


@pytest.mark.row("8x8:6.1/canceled-canceled")
def test_a_caller_that_leaves_while_somebody_is_dialled_gives_up() -> None:
    call = heard(SAY, DIAL)
    call.feed(call.heard, i.MediaOpened(b=LOCAL_B), i.HungUp(A))
    assert finish(call) == (Outcome.CANCELED, Cause.CANCELED, CALLER_LEFT)
    assert [leg.outcome for leg in call.record.legs] == [Outcome.CANCELED] * 2


def test_a_caller_that_cancels_before_anything_gives_up() -> None:
    call = given(SAY)
    call.feed(i.Cancelled())
    assert finish(call) == (Outcome.CANCELED, Cause.CANCELED, CALLER_LEFT)


def test_a_flow_for_a_caller_that_has_gone_is_told_and_not_begun() -> None:
    call = Driven()
    call.feed(received(), i.Cancelled(), i.FlowGiven(flow(SAY)))
    assert finish(call) == (Outcome.CANCELED, Cause.CANCELED, CALLER_LEFT)
    assert [fact.name for fact in call.facts][:2] == ["CallReceived", "FlowGiven"] and last_action(call) == ""


def test_a_caller_that_gives_up_while_the_application_thinks_began_no_flow() -> None:
    call = Driven()
    call.feed(received(), i.Cancelled(), i.Refused(Refuse(Cause.CANCELED, NUMBER)))
    assert finish(call) == (Outcome.CANCELED, Cause.CANCELED, CALLER_LEFT)
    assert [fact.name for fact in call.facts] == ["CallReceived", "LegEnded", "CallEnded"]


@pytest.mark.parametrize("end", [i.HungUp(A), i.AckMissing(A), i.Stopped(Cause.SHUTDOWN)])
def test_a_question_about_a_caller_that_has_gone_is_withdrawn_once(end: i.Input) -> None:
    call = entered()
    call.feed(end)
    assert len(call.every(e.AskNext)) == len(call.every(e.StopAsking)) == 1
    assert call.all.index(call.only(e.StopAsking)) < call.all.index(call.only(e.CloseMedia))
    call.feed(i.HungUp(A))
    assert len(call.every(e.StopAsking)) == 1


@pytest.mark.parametrize(
    "answer",
    [
        i.FlowGiven(flow(SAY)),
        i.Refused(Refuse(Cause.CALL_ACTION_FAILED, NUMBER, detail="$")),
        i.RouteFailed(Cause.STORE_UNAVAILABLE),
    ],
)
def test_a_question_that_was_answered_is_not_withdrawn(answer: i.Input) -> None:
    call = entered()
    call.feed(answer, i.HungUp(A))
    assert call.none(e.StopAsking)


def test_an_invite_that_nobody_can_go_on_with_begins_no_step() -> None:
    call = given(SAY, body=sdp(port=0))
    assert call.only(e.Reject).status == 488
    assert finish(call) == (ERROR, Cause.NOT_ACCEPTABLE, PLATFORM)


@pytest.mark.row("8x8:3.1/webhook-fails")
def test_an_application_that_could_not_be_asked_is_told_of() -> None:
    call = Driven()
    call.feed(received(), i.Refused(Refuse(Cause.CALL_FLOW_INVALID, NUMBER, detail="no callflow at $")))
    assert finish(call) == (ERROR, Cause.CALL_FLOW_INVALID, PLATFORM)
    (told,) = facts(call, CallActionFailed)
    assert isinstance(told, CallActionFailed) and told.reason == "no callflow at $"
    assert call.record.flow is not None and call.record.flow.last_action == ""


def test_a_shut_down_during_a_prompt_is_a_fault_of_ours() -> None:
    call = heard(SAY)
    call.feed(i.Stopped(Cause.SHUTDOWN))
    assert finish(call) == (ERROR, Cause.SHUTDOWN, PLATFORM)


# -- asking for digits, and asking again --------------------------------------------------------------------------


def entered(*steps: Step, digits: str = "42#", **options: object) -> Driven:
    call = heard(capture(), *steps, **options)
    call.feed(*[i.Digit(A, digit) for digit in digits])
    return call


@pytest.mark.row("8x8:4/sayAndCapture.completeOnHash", "8x8:3/clientActionId")
def test_digits_are_told_to_the_application_and_to_nobody_else() -> None:
    call = entered(DIAL, action_id="menu")
    done = call.only(e.AskNext).done
    assert (done.digits, done.client_action_id, done.bridged, done.inbound) == ("42", "menu", False, True)
    assert (done.call_id, done.leg_id, done.party, done.number) == ("call-1", "leg-a", CALLER, VIRTUAL)
    assert done.duration == 4.0
    (captured,) = facts(call, DigitsCaptured)
    assert isinstance(captured, DigitsCaptured) and (captured.digits, captured.count) == ("42", 2)
    assert "42" not in repr(call.all) and call.call.state is CallState.ASKING_NEXT
    assert not call.running(), "the application's own time-out ends the wait"


@pytest.mark.row("8x8:4/chained")
def test_what_stands_behind_a_question_is_not_done_unless_nobody_is_there_to_ask() -> None:
    call = entered(DIAL)
    call.feed(i.FlowGiven(flow(SAY)))
    assert call.played().prompt == SAY.prompt and call.none(e.SendInvite)
    alone = entered(DIAL, asks=False)
    assert alone.none(e.AskNext) and alone.every(e.OpenMedia)[-1].legs == (B,)


def test_an_answer_may_connect_the_caller() -> None:
    call = entered()
    call.feed(i.FlowGiven(flow(DIAL)), i.MediaOpened(b=LOCAL_B), i.Answered(B_SDP), i.AnswerMediaReady(), i.HungUp(A))
    assert finish(call) == (DONE, Cause.NORMAL, CALLER_LEFT)
    assert [fact.name for fact in call.facts].count("FlowGiven") == 2


def test_keys_of_nobody_else_count() -> None:
    call = heard(capture(max_digits=1))
    call.feed(i.Digit(B, "4"))
    assert call.none(e.AskNext)


@pytest.mark.row("8x8:4/sayAndCapture.noOfTries")
def test_a_question_that_nobody_answers_is_told_empty() -> None:
    call = heard(capture(tries=1))
    call.feed(call.heard, i.TimerFired(i.TimerName.DIGITS))
    assert call.only(e.AskNext).done.digits == ""


def test_a_question_that_is_never_over_is_cut() -> None:
    call = heard(capture())
    call.feed(i.TimerFired(i.TimerName.PIN))
    assert i.TimerName.DIGITS in call.running()


def test_a_question_that_cannot_be_played_ends_the_call() -> None:
    call = heard(capture())
    call.feed(call.unheard)
    assert finish(call) == (ERROR, Cause.SPEECH_FAILED, PLATFORM)


def test_a_caller_that_leaves_during_the_question_was_served() -> None:
    call = heard(capture())
    call.feed(i.Digit(A, "4"), i.HungUp(A))
    assert finish(call) == (DONE, Cause.NORMAL, CALLER_LEFT)
    assert not facts(call, DigitsCaptured)


@pytest.mark.parametrize("prompt", [None, WELCOME])
def test_an_application_that_fails_to_say_what_follows_ends_the_call(prompt: Prompt | None) -> None:
    call = entered()
    call.feed(i.Refused(Refuse(Cause.CALL_ACTION_FAILED, NUMBER, prompt=prompt, detail="It answered 500.")))
    if prompt is not None:
        assert call.played().prompt == prompt
        call.feed(call.heard)
    assert finish(call) == (ERROR, Cause.CALL_ACTION_FAILED, PLATFORM)
    assert len(facts(call, CallActionFailed)) == 1 and last_action(call) == "SAY_AND_CAPTURE"


def test_a_caller_that_leaves_while_it_hears_why_was_not_served() -> None:
    call = entered()
    call.feed(
        i.Refused(Refuse(Cause.CALL_ACTION_FAILED, NUMBER, prompt=WELCOME, detail="It answered 500.")), i.HungUp(A)
    )
    assert finish(call) == (ERROR, Cause.CALL_ACTION_FAILED, CALLER_LEFT)


@pytest.mark.parametrize("gone", [False, True])
def test_a_call_whose_application_thinks_ends_with_the_engine(gone: bool) -> None:
    call = Driven()
    call.feed(received(), *[i.Cancelled()] * gone, i.Stopped(Cause.SHUTDOWN), i.FlowGiven(flow(SAY)))
    assert call.forgotten and call.facts == [] and call.none(e.Finish)
    assert [effect.status for effect in call.every(e.Reject)] == ([] if gone else [503])


def test_a_store_that_is_away_ends_the_call() -> None:
    call = entered()
    call.feed(i.RouteFailed(Cause.STORE_UNAVAILABLE))
    assert finish(call) == (ERROR, Cause.STORE_UNAVAILABLE, PLATFORM)
    gone = entered()
    gone.feed(i.Refused(Refuse(Cause.UNKNOWN_NUMBER, None)))
    assert finish(gone) == (ERROR, Cause.UNKNOWN_NUMBER, PLATFORM) and not facts(gone, CallActionFailed)


def test_an_application_is_asked_so_often_and_no_more() -> None:
    call = entered()
    for _ in range(MOST_ROUNDS - 1):
        call.feed(i.FlowGiven(flow(capture(max_digits=1))), i.Digit(A, "1"))
    assert len(call.every(e.AskNext)) == MOST_ROUNDS and not call.call.record.closed
    call.feed(i.FlowGiven(flow(capture(max_digits=1))), i.Digit(A, "1"))
    assert len(call.every(e.AskNext)) == MOST_ROUNDS
    assert finish(call) == ENDED


# -- after the bridge ---------------------------------------------------------------------------------------------


def test_a_caller_that_stays_hears_the_rest_of_the_flow() -> None:
    call = talking(SAY)
    made = call.feed(i.HungUp(B))
    assert made[-4:-2] == [e.StopTimer(), e.UnbridgeMedia()] and call.played().prompt == SAY.prompt
    ended = facts(call, LegEnded)
    assert [(fact.leg, fact.outcome, fact.hung_up_by) for fact in ended] == [("b", DONE, CALLEE_LEFT)]  # type: ignore[attr-defined]
    call.feed(call.heard)
    assert finish(call) == ENDED
    a, b = call.record.legs
    assert a.ended_at > b.ended_at and last_action(call) == "PLAY_TTS"


@pytest.mark.row("8x8:3/after-bridge")
def test_an_application_that_names_its_actions_is_asked_when_the_bridge_is_over() -> None:
    call = talking(SAY, action_id="connect")
    call.feed(i.HungUp(B), call.heard)
    done = call.only(e.AskNext).done
    assert (done.digits, done.bridged, done.client_action_id) == (None, True, "connect")
    call.feed(i.FlowGiven(flow(SAY, action_id="more")), call.heard)
    assert len(call.every(e.AskNext)) == 1, "that bridge has been told of"
    assert finish(call) == ENDED


@pytest.mark.row("8x8:3/after-hangup")
def test_a_flow_that_hangs_up_is_the_end_also_where_its_actions_are_named() -> None:
    said = heard(SAY, Hangup(), action_id="bye")
    said.feed(said.heard)
    bridged = talking(Hangup(), action_id="connect")
    bridged.feed(i.HungUp(B))
    for call in (given(Hangup(), action_id="no"), said, bridged):
        assert finish(call) == ENDED
        assert call.none(e.AskNext) and last_action(call) == "HANGUP"


def test_digits_asked_for_after_the_bridge_are_told_in_its_place() -> None:
    call = talking(capture(max_digits=1), action_id="rate")
    call.feed(i.HungUp(B), i.Digit(A, "5"))
    assert (call.only(e.AskNext).done.digits, call.only(e.AskNext).done.bridged) == ("5", True)


@pytest.mark.parametrize(
    "answer",
    [
        i.Refused(Refuse(Cause.CALL_FLOW_INVALID, NUMBER, prompt=WELCOME, detail="$")),
        i.RouteFailed(Cause.STORE_UNAVAILABLE),
        i.FlowGiven(flow(DIAL)),
        i.FlowGiven(flow()),
    ],
)
def test_nothing_fails_any_more_once_the_two_have_talked(answer: i.Input) -> None:
    call = talking(action_id="connect")
    call.feed(i.HungUp(B), answer)
    assert len(call.every(e.SendInvite)) == 1
    assert finish(call) == ENDED
    assert [leg.outcome for leg in call.record.legs] == [DONE, DONE]


def test_a_prompt_that_fails_after_the_bridge_just_ends_the_call() -> None:
    call = talking(SAY)
    call.feed(i.HungUp(B), call.unheard)
    assert finish(call) == ENDED and facts(call, PromptNotPlayed)


@pytest.mark.row("8x8:4/hangup")
def test_a_caller_that_hangs_up_ends_the_call_whatever_was_to_follow() -> None:
    call = talking(SAY, action_id="connect")
    assert e.Bye(B) in call.feed(i.HungUp(A))
    assert finish(call) == (DONE, Cause.NORMAL, CALLER_LEFT)
    after = talking(SAY)
    after.feed(i.HungUp(B), i.HungUp(A))
    assert finish(after) == (DONE, Cause.NORMAL, CALLER_LEFT)


def test_without_relay_the_application_is_asked_and_there_is_nothing_to_take_apart() -> None:
    call = given(DIAL, relay=False, action_id="connect")
    call.feed(i.Answered(B_SDP), i.HungUp(B))
    assert call.only(e.AskNext).done.bridged and call.none(e.UnbridgeMedia)
    call.feed(i.FlowGiven(flow(SAY)))
    assert finish(call) == ENDED


def test_a_change_of_the_caller_who_stayed_bridges_nobody() -> None:
    call = talking(SAY)
    call.feed(i.HungUp(B), i.Offered(A, "key", sdp(port=4010)))
    assert not call.every(e.AttachMedia)[-1].bridge


def test_the_recording_ends_with_the_bridge() -> None:
    call = given(replace(DIAL, record=True), SAY)
    call.feed(i.MediaOpened(LOCAL_A, LOCAL_B), i.Answered(B_SDP), i.AnswerMediaReady())
    call.feed(i.RecordingOn("recording-1", Spool("/s", "maskline", ())), i.HungUp(B))
    names = [fact.name for fact in call.facts]
    assert call.only(e.StopRecording) and names[-2:] == ["LegEnded", "RecordingStopped"]
    call.feed(call.heard)
    assert finish(call) == ENDED and call.only(e.StopRecording)


def test_a_recording_that_begins_late_is_told_of_all_the_same() -> None:
    call = given(replace(DIAL, record=True), SAY)
    call.feed(i.MediaOpened(LOCAL_A, LOCAL_B), i.Answered(B_SDP), i.AnswerMediaReady(), i.HungUp(B))
    call.feed(i.RecordingOn("recording-1", Spool("/s", "maskline", ())), call.heard)
    finish(call)
    names = [fact.name for fact in call.facts]
    assert names.count("RecordingStarted") == names.count("RecordingStopped") == 1


def test_a_caller_whose_address_is_not_known_yet_hears_no_rest() -> None:
    call = given(DIAL, SAY, body=b"")
    call.feed(i.MediaOpened(LOCAL_A, LOCAL_B), i.Answered(B_SDP), i.AnswerMediaReady(), i.HungUp(B))
    assert finish(call) == (DONE, Cause.NORMAL, CALLEE_LEFT) and call.none(e.Play)


def test_a_call_leaves_no_cycle_behind() -> None:
    """A thousand calls a second must not wait for the collector."""

    def left() -> int:
        return sum(isinstance(thing, FlowSteps | CapturePrompt) for thing in gc.get_objects())

    gc.collect()
    gc.disable()
    before = left()
    call = heard(capture(), action_id="menu")
    call.feed(*[i.Digit(A, digit) for digit in "42"])
    assert left() == before + 2
    call.feed(i.Digit(A, "#"), i.FlowGiven(flow(SAY)), i.HungUp(A))
    finish(call)
    del call
    after = left()
    gc.enable()
    assert after == before


# -- started by the API -------------------------------------------------------------------------------------------


@pytest.mark.row("8x8:4/rule-after-answer", "8x8:6/clientRequestId")
def test_the_api_calls_somebody_and_speaks() -> None:
    call = requested(SAY, client_request_id="r-1")
    invite = call.only(e.SendInvite)
    assert (invite.leg, invite.callee, invite.virtual_number, invite.trunk) == (A, CALLER, VIRTUAL, TRUNK_A)
    assert call.played().prompt == SAY.prompt
    call.feed(call.heard)
    assert finish(call) == ENDED
    record = call.record
    assert record.flow is not None
    assert (record.flow.requested, record.flow.client_request_id, record.flow.last_action) == (True, "r-1", "PLAY_TTS")
    leg = record.legs[0]
    assert (leg.inbound, leg.source, leg.destination, leg.reference_id) == (False, VIRTUAL, CALLER, "campaign-7")
    assert [fact.name for fact in call.facts][:3] == ["CallRequested", "FlowGiven", "LegDialed"]


@pytest.mark.row("8x8:4/rule-second-bridges")
def test_the_api_connects_two() -> None:
    call = requested(DIAL)
    call.feed(i.MediaOpened(b=LOCAL_B), i.Progressed(180, "f"))
    assert call.played().prompt == RINGBACK
    call.feed(i.Answered(B_SDP), i.AnswerMediaReady(), i.HungUp(B))
    assert finish(call) == (DONE, Cause.NORMAL, CALLEE_LEFT)
    assert [leg.inbound for leg in call.record.legs] == [False, False]


def test_the_api_asks_for_digits() -> None:
    call = requested(capture(max_digits=1), action_id="x", client_request_id="r-1")
    call.feed(i.Digit(A, "7"))
    done = call.only(e.AskNext).done
    assert (done.inbound, done.party, done.digits, done.client_request_id) == (False, CALLER, "7", "r-1")


@pytest.mark.parametrize(
    ("start", "cause"),
    [
        (start_flow(SAY, expired=True), Cause.FLOW_EXPIRED),
        (start_flow(SAY, unwanted=True), Cause.ENDED_BY_REQUEST),
        (start_flow(SAY, expired=True, unwanted=True), Cause.ENDED_BY_REQUEST),
        (replace(start_flow(), flow=flow(replace(DIAL, refused=Cause.CALLER_ID_NOT_ALLOWED, trunk=None))),
         Cause.CALLER_ID_NOT_ALLOWED),
    ],
)  # fmt: skip
@pytest.mark.row("8x8:4/validUntil", "8x8:6.2/-2007")
def test_a_call_that_is_not_to_be_made_leaves_a_record_of_its_first_leg(start: object, cause: Cause) -> None:
    call = Driven(inbound=False)
    call.feed(i.FlowRequested(start))  # type: ignore[arg-type]
    outcome = Outcome.CANCELED if cause is Cause.ENDED_BY_REQUEST else ERROR
    assert call.none(e.SendInvite) and finish(call) == (outcome, cause, PLATFORM)
    (leg,) = call.record.legs
    assert leg.initiated_at == leg.ended_at and leg.answered_at is None


@pytest.mark.row("8x8:6.1/first-leg-fails")
def test_a_first_leg_that_fails_ends_the_call_as_it_failed() -> None:
    call = Driven(inbound=False)
    call.feed(i.FlowRequested(start_flow(SAY)), i.MediaOpened(LOCAL_A), i.Failed(486, leg=A))
    assert finish(call) == (Outcome.BUSY, Cause.BUSY, CALLER_LEFT)
    lost = Driven(inbound=False)
    lost.feed(i.FlowRequested(start_flow(SAY)), i.MediaOpened(LOCAL_A), i.Failed(503, leg=A))
    assert finish(lost)[0] is Outcome.FAILED


def test_who_answers_and_then_cannot_be_connected_was_reached_in_vain() -> None:
    call = requested(replace(DIAL, refused=Cause.NO_ROUTE, trunk=None))
    assert finish(call) == (ERROR, Cause.NO_ROUTE, PLATFORM)


def test_nobody_is_called_without_media() -> None:
    call = Driven(relay=False, inbound=False)
    call.feed(i.FlowRequested(start_flow(PlayFile(WELCOME))))
    assert finish(call) == (Outcome.ERROR, Cause.MEDIA_UNAVAILABLE, PLATFORM)


def test_a_third_number_is_never_dialled() -> None:
    call = requested(DIAL, DIAL)
    call.feed(i.MediaOpened(b=LOCAL_B), i.Answered(B_SDP), i.AnswerMediaReady(), i.HungUp(B))
    assert finish(call) == ENDED and len(call.every(e.SendInvite)) == 2
    (told,) = facts(call, CallActionFailed)
    assert "$.callflow[2].action: makeCall is not allowed" in told.reason
