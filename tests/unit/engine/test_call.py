"""The call machine, one story per test. Races between the network and us live in tests/sim."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.call_states import CallState
from maskline.masking.call_record import Quality
from maskline.masking.decision import Forward, MatchedBy, Refuse
from maskline.masking.e164 import Number
from maskline.masking.facts import (
    CallEnded,
    CallReceived,
    CallRouted,
    Cause,
    HungUpBy,
    LegChanged,
    LegEnded,
    LegName,
    Outcome,
    PromptNotPlayed,
)
from maskline.masking.prompt import Prompt
from maskline.masking.session import SessionOptions
from maskline.masking.trunk import TrunkMedia
from maskline.sdp.parse import parse
from tests.support.call_machine import (
    A_SDP,
    B_SDP,
    CALLEE,
    CALLER,
    LOCAL_A,
    LOCAL_B,
    NUMBER,
    TRUNK_A,
    TRUNK_B,
    VIRTUAL,
    Driven,
    forward,
    received,
    sdp,
    session,
)  # fmt: skip

A, B = LegName.A, LegName.B
RESULT = dict[LegName, Quality]


def names(call: Driven) -> list[str]:
    return [fact.name for fact in call.facts]


def result(call: Driven) -> tuple[Outcome, Cause, HungUpBy]:
    record = call.record
    assert [fact.sequence for fact in call.facts] == list(range(1, len(call.facts) + 1))
    assert names(call).count("CallEnded") == 1 and names(call)[-1] == "CallEnded"
    assert all((leg.outcome, leg.cause) == (record.outcome, record.cause) for leg in record.legs)
    return record.outcome, record.cause, record.hung_up_by


def close(call: Driven, quality: RESULT | None = None) -> Driven:
    call.only(e.CloseMedia)
    call.feed(i.MediaClosed(quality or {}))
    return call


# -- the way through ------------------------------------------------------------------------------------------


def test_a_call_goes_through_and_ends_by_the_caller() -> None:
    call = Driven().talking(forward(ring_timeout=30, call_time_limit=600))
    assert call.all[0] == e.Route(CALLER, VIRTUAL, TRUNK_A, "leg-a")
    opened = call.only(e.OpenMedia)
    assert opened.far is not None and opened.far.address == "198.51.100.7"
    invite = call.only(e.SendInvite)
    assert (invite.callee, invite.virtual_number, invite.trunk, invite.max_forwards) == (CALLEE, VIRTUAL, TRUNK_B, 69)
    assert parse(invite.body).port == LOCAL_B.port
    assert parse(call.only(e.Answer).body).port == LOCAL_A.port
    assert [effect.seconds for effect in call.all if isinstance(effect, e.StartTimer)] == [30, 600]
    attach = call.only(e.AttachMedia)
    assert (attach.leg, attach.far.address, attach.bridge) == (B, "198.51.100.99", True)

    quality = {A: Quality(4.3, 0.0, 1.0, 500, 0)}
    assert call.feed(i.HungUp(A))[:2] == [e.StopTimer(), e.Bye(B)]
    close(call, quality)
    assert result(call) == (Outcome.COMPLETED, Cause.NORMAL, HungUpBy.CALLER)
    assert names(call) == [
        "CallReceived", "CallRouted", "LegDialed", "LegRinging", "LegAnswered", "LegAnswered", "LegEnded", "LegEnded",
        "CallEnded",
    ]  # fmt: skip
    a, b = call.record.legs
    assert (a.quality, b.quality, a.sip_status, b.sip_status) == (quality[A], None, 200, 200)
    assert not call.forgotten
    call.feed(i.ByeDone(B))
    assert call.forgotten and call.call.state is CallState.ENDED


def test_the_callee_is_acknowledged_before_its_media_is_attached() -> None:
    call = Driven().ringing()
    kinds = [type(effect) for effect in call.feed(i.Answered(B_SDP))]
    assert kinds == [e.Ack, e.Emit, e.AttachMedia]


def test_a_call_ends_by_the_callee() -> None:
    call = Driven().talking()
    call.feed(i.HungUp(B))
    call.only(e.Bye)
    close(call).feed(i.ByeDone(A))
    assert result(call) == (Outcome.COMPLETED, Cause.NORMAL, HungUpBy.CALLEE) and call.forgotten
    assert [fact.leg for fact in call.facts if fact.name == "LegEnded"] == ["b", "a"]


def test_both_hang_up_at_once_and_the_first_one_counts() -> None:
    call = Driven().talking()
    call.feed(i.HungUp(A), i.HungUp(B))
    close(call)
    assert not call.forgotten, "our BYE is still to be answered"
    call.feed(i.ByeDone(B))
    assert result(call) == (Outcome.COMPLETED, Cause.NORMAL, HungUpBy.CALLER) and call.forgotten


def test_without_relay_nobody_is_called_in_the_clear_through_a_trunk_that_demands_keys() -> None:
    call = Driven(relay=False)
    call.feed(received(), i.Forwarded(forward(replace(TRUNK_B, media=TrunkMedia.SRTP))))
    assert e.Reject(503) in call.all and call.none(e.SendInvite)
    assert result(call) == (Outcome.REJECTED, Cause.MEDIA_UNAVAILABLE, HungUpBy.PLATFORM)


def test_the_ports_of_a_callee_are_opened_with_keys_where_its_trunk_demands_them() -> None:
    call = Driven()
    made = call.feed(received(), i.Forwarded(forward(replace(TRUNK_B, media=TrunkMedia.SRTP))))
    assert [effect.encrypted for effect in made if isinstance(effect, e.OpenMedia)] == [(LegName.B,)]


def test_without_relay_there_is_no_media_effect_and_the_record_comes_at_once() -> None:
    call = Driven(relay=False).talking()
    call.feed(i.HungUp(A), i.ByeDone(B))
    assert call.none(e.OpenMedia) and call.none(e.AttachMedia) and call.none(e.CloseMedia)
    assert result(call)[1] is Cause.NORMAL and call.forgotten


@pytest.mark.row("2/call_time_limit")
def test_the_call_time_limit_hangs_both_up() -> None:
    call = Driven().talking()
    made = call.feed(i.TimerFired())
    assert e.Bye(A) in made and e.Bye(B) in made
    close(call).feed(i.ByeDone(A), i.ByeDone(B))
    assert result(call) == (Outcome.COMPLETED, Cause.CALL_TIME_LIMIT, HungUpBy.PLATFORM) and call.forgotten


def test_a_lost_ack_of_the_caller_hangs_both_up() -> None:
    call = Driven().ringing()
    call.feed(i.Answered(B_SDP), i.AnswerMediaReady())
    made = call.feed(i.AckMissing(A))
    assert e.Bye(A) in made and e.Bye(B) in made
    close(call)
    assert result(call) == (Outcome.FAILED, Cause.ACK_TIMEOUT, HungUpBy.PLATFORM)


# -- ringing and early media ----------------------------------------------------------------------------------


def test_183_with_sdp_is_passed_when_its_media_is_ready() -> None:
    call = Driven().dialled()
    made = call.feed(i.Progressed(183, "fork-1", B_SDP))
    assert [type(effect) for effect in made] == [e.Emit, e.AttachMedia]
    (progress,) = call.feed(i.EarlyMediaReady())
    assert isinstance(progress, e.Progress) and progress.status == 183 and parse(progress.body).port == LOCAL_A.port
    assert call.feed(i.Progressed(183, "fork-1", B_SDP)) == [progress]
    assert call.feed(i.Progressed(180, "fork-1")) == [e.Progress(180)]


def test_a_repeated_183_waits_for_the_media_of_the_first() -> None:
    call = Driven().dialled()
    call.feed(i.Progressed(183, "fork-1", B_SDP))
    assert call.feed(i.Progressed(183, "fork-1", B_SDP)) == []


def test_early_media_that_moves_is_followed() -> None:
    """An announcement and then ringing, from two places of one carrier: 18x of one fork with two SDPs."""
    call = Driven().dialled()
    call.feed(i.Progressed(183, "fork-1", B_SDP), i.EarlyMediaReady())
    made = call.feed(i.Progressed(183, "fork-1", sdp("198.51.100.55", 7000, "0")))
    (attach,) = [effect for effect in made if isinstance(effect, e.AttachMedia)]
    assert (attach.far.address, attach.far.port) == ("198.51.100.55", 7000)
    (progress,) = call.feed(i.EarlyMediaReady())
    assert isinstance(progress, e.Progress) and parse(progress.body).port == LOCAL_A.port
    assert call.feed(i.Progressed(183, "fork-1", sdp("198.51.100.56", 7000, "18"))) == [e.Progress(183)], "of no use"
    call.feed(i.Answered(b""), i.AnswerMediaReady())
    assert call.call.media.leg(B).far.address == "198.51.100.55"  # type: ignore[union-attr]


def test_the_first_fork_with_sdp_is_heard_until_the_answer() -> None:
    call = Driven().dialled()
    call.feed(i.Progressed(183, "fork-1", B_SDP), i.EarlyMediaReady())
    assert call.feed(i.Progressed(183, "fork-2", sdp("198.51.100.55", 7000))) == [e.Progress(183)]
    call.feed(i.Answered(sdp("198.51.100.55", 7000, "0")))
    assert call.all[-1].far.address == "198.51.100.55"  # type: ignore[attr-defined]


def test_word_of_media_that_nobody_asked_for_is_ignored() -> None:
    call = Driven().ringing()
    assert call.feed(i.EarlyMediaReady()) == []


def test_an_early_body_we_cannot_use_still_rings() -> None:
    call = Driven().dialled()
    assert e.Progress(183) in call.feed(i.Progressed(183, "fork-1", sdp(codecs="18")))
    assert call.none(e.AttachMedia)


def test_early_media_without_relay_is_passed_at_once() -> None:
    call = Driven(relay=False).dialled()
    made = call.feed(i.Progressed(183, "fork-1", B_SDP))
    assert parse(made[-1].body).address == "198.51.100.99"  # type: ignore[attr-defined]


def test_early_media_that_gets_ready_after_the_answer_is_not_sent_as_183() -> None:
    call = Driven().dialled()
    call.feed(i.Progressed(183, "fork-1", B_SDP), i.Answered(B_SDP))
    assert call.feed(i.EarlyMediaReady()) == []
    assert type(call.feed(i.AnswerMediaReady())[0]) is e.Answer


# -- nobody answers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failed", "status", "expected"),
    [
        (i.Failed(486), 486, (Outcome.BUSY, Cause.BUSY, HungUpBy.CALLEE)),
        (i.Failed(603), 603, (Outcome.BUSY, Cause.DECLINED, HungUpBy.CALLEE)),
        (i.Failed(480), 480, (Outcome.NO_ANSWER, Cause.NO_ANSWER, HungUpBy.CALLEE)),
        (i.Failed(302), 480, (Outcome.FAILED, Cause.REDIRECTED, HungUpBy.CARRIER)),
        (i.Failed(500, q850=17), 486, (Outcome.BUSY, Cause.BUSY, HungUpBy.CALLEE)),
        (i.Failed(503), 500, (Outcome.FAILED, Cause.CONGESTION, HungUpBy.CARRIER)),
        (i.Failed(503, network=True), 500, (Outcome.FAILED, Cause.NETWORK_ERROR, HungUpBy.CARRIER)),
    ],
)
def test_a_failure_of_the_callee_ends_the_caller_at_the_same_moment(
    failed: i.Failed, status: int, expected: tuple[Outcome, Cause, HungUpBy]
) -> None:
    call = Driven().ringing()
    assert e.Reject(status) in call.feed(failed)
    close(call)
    assert result(call) == expected and call.forgotten
    a, b = call.record.legs
    assert (a.sip_status, b.sip_status, a.ended_at) == (status, failed.status, b.ended_at)


def test_480_before_ringing_means_unreachable() -> None:
    call = Driven().dialled()
    call.feed(i.Failed(480))
    assert result(close(call)) == (Outcome.FAILED, Cause.OUT_OF_SERVICE, HungUpBy.CARRIER)


@pytest.mark.row("2/ring_timeout")
@pytest.mark.parametrize("rings", [True, False])
def test_the_ring_timeout_cancels_the_callee(rings: bool) -> None:
    call = Driven().ringing() if rings else Driven().dialled()
    made = call.feed(i.TimerFired())
    assert e.Cancel(B) in made and e.Reject(480) in made
    close(call)
    assert result(call) == (Outcome.NO_ANSWER, Cause.RING_TIMEOUT, HungUpBy.PLATFORM) and not call.forgotten
    call.feed(i.Failed(487))
    assert call.forgotten
    assert call.record.legs[1].sip_status == 487


def test_the_caller_gives_up_while_it_rings() -> None:
    call = Driven().ringing()
    assert e.Cancel(B) in call.feed(i.Cancelled())
    close(call).feed(i.Failed(487))
    assert call.none(e.Reject)
    assert result(call) == (Outcome.CANCELED, Cause.CANCELED, HungUpBy.CALLER) and call.forgotten


def test_a_200_that_crosses_the_cancel_is_taken_and_hung_up() -> None:
    call = Driven().ringing()
    call.feed(i.Cancelled())
    assert call.feed(i.Answered(B_SDP)) == [e.Ack(B), e.Bye(B)]
    close(call).feed(i.ByeDone(B))
    assert result(call)[1] is Cause.CANCELED and call.forgotten


def test_the_caller_gives_up_between_answer_and_media() -> None:
    call = Driven().ringing()
    call.feed(i.Answered(B_SDP))
    assert e.Bye(B) in call.feed(i.Cancelled())
    close(call)
    assert call.feed(i.AnswerMediaReady()) == []
    assert result(call) == (Outcome.CANCELED, Cause.CANCELED, HungUpBy.CALLER)
    assert call.record.legs[1].sip_status == 200


def test_the_callee_hangs_up_between_answer_and_media() -> None:
    call = Driven().ringing()
    call.feed(i.Answered(B_SDP), i.HungUp(B))
    assert e.Reject(480) in call.all
    assert result(close(call)) == (Outcome.NO_ANSWER, Cause.NO_ANSWER, HungUpBy.CALLEE) and call.forgotten
    a, b = call.record.legs
    assert (a.answered_at, a.sip_status) == (None, 480) and b.answered_at is not None


@pytest.mark.parametrize("before", ["opening", "dialling", "ringing", "answering"])
def test_a_bye_of_the_caller_before_the_answer_is_a_cancel(before: str) -> None:
    call = Driven()
    if before == "opening":
        call.feed(received(), i.Forwarded(forward()))
    elif before == "dialling":
        call.dialled()
    elif before == "ringing":
        call.ringing()
    else:
        call.ringing().feed(i.Answered(B_SDP))
    call.feed(i.HungUp(A))
    assert result(close(call))[:2] == (Outcome.CANCELED, Cause.CANCELED)
    assert call.none(e.Reject)


def test_a_bye_of_the_callee_before_its_answer_is_a_failure() -> None:
    call = Driven().ringing()
    call.feed(i.HungUp(B))
    assert result(close(call)) == (Outcome.FAILED, Cause.CARRIER_ERROR, HungUpBy.CARRIER) and call.forgotten


def test_an_answer_without_a_common_codec_hangs_the_callee_up_and_refuses_the_caller() -> None:
    call = Driven().ringing()
    made = call.feed(i.Answered(sdp(codecs="18")))
    assert e.Ack(B) in made and e.Bye(B) in made and e.Reject(488) in made
    assert result(close(call)) == (Outcome.FAILED, Cause.NOT_ACCEPTABLE, HungUpBy.PLATFORM)


# -- refused before dialling ----------------------------------------------------------------------------------


@pytest.mark.row("6.1/unknown caller, neither", "6.1/session in a call", "6.1/no active session")
@pytest.mark.parametrize(
    ("cause", "status"),
    [
        (Cause.UNKNOWN_CALLER, 404),
        (Cause.WITHHELD_CALLER, 433),
        (Cause.SESSION_EXPIRED, 404),
        (Cause.SESSION_BUSY, 486),
        (Cause.PIN_REQUIRED, 404),
        (Cause.WRONG_PIN, 404),
        (Cause.NO_OTHER_PARTY, 480),
        (Cause.NO_ROUTE, 404),
        (Cause.LOOP, 404),
    ],
)
def test_a_refused_call_leaves_a_record_with_one_leg(cause: Cause, status: int) -> None:
    call = Driven()
    call.feed(received(), i.Refused(Refuse(cause, NUMBER)))
    assert e.Reject(status) in call.all and call.forgotten and call.none(e.CloseMedia)
    assert result(call) == (Outcome.REJECTED, cause, HungUpBy.PLATFORM)
    assert len(call.record.legs) == 1 and call.record.legs[0].sip_status == status


@pytest.mark.row(
    "6.1/registered party, forced PIN",
    "6.1/unknown caller, PIN auth on",
    "6.1/unknown caller, PIN off, play set",
    "6.3/PIN on",
)
def test_a_prompt_that_was_not_played_is_a_fact_and_the_call_stays_nobodys() -> None:
    call = Driven(relay=False)
    prompt = Prompt("pin_prompt_play", url="https://h.example/pin.mp3")
    call.feed(received(), i.Refused(Refuse(Cause.PIN_REQUIRED, NUMBER, None, prompt, session())))
    assert [fact.name for fact in call.facts] == ["CallReceived", "PromptNotPlayed", "LegEnded", "CallEnded"]
    missed = call.facts[1]
    assert isinstance(missed, PromptNotPlayed)
    assert (missed.leg, missed.prompt, missed.reason) == ("a", "pin_prompt_play", "media_unavailable")
    assert call.record.session_id is None


def test_a_fallback_call_belongs_to_no_session_and_shows_the_dialled_number() -> None:
    desk = Forward(None, None, CALLEE, NUMBER, TRUNK_B, VIRTUAL, SessionOptions(), MatchedBy.FALLBACK)
    call = Driven().talking(desk)
    call.feed(i.HungUp(A), i.ByeDone(B), i.MediaClosed({}))
    routed = call.facts[1]
    assert isinstance(routed, CallRouted)
    assert (routed.session_id, routed.caller, routed.matched_by) == ("", "", "fallback")
    assert (call.record.session_id, call.record.caller) == (None, None)
    assert (call.record.legs[1].source, call.record.legs[1].destination) == (VIRTUAL, CALLEE)


def test_the_callee_sees_the_number_that_it_knows() -> None:
    own = Number("6531590777")
    call = Driven().talking(replace(forward(), shown=own))
    call.feed(i.HungUp(A), i.ByeDone(B), i.MediaClosed({}))
    assert call.only(e.SendInvite).virtual_number == own
    assert (call.record.legs[0].destination, call.record.legs[1].source) == (VIRTUAL, own)


def test_a_number_that_is_not_ours_leaves_facts_with_its_masked_form_and_no_record() -> None:
    call = Driven()
    call.feed(received(), i.Refused(Refuse(Cause.UNKNOWN_NUMBER, None)))
    assert e.Reject(404) in call.all and call.forgotten and call.none(e.Finish)
    first, leg, last = call.facts
    assert isinstance(first, CallReceived) and first.virtual_number == VIRTUAL.masked != VIRTUAL.e164
    assert isinstance(leg, LegEnded) and (leg.leg, leg.sip_status) == ("a", 404)
    assert isinstance(last, CallEnded) and last.outcome is Outcome.REJECTED and last.cause is Cause.UNKNOWN_NUMBER


def test_a_store_that_is_away_refuses_with_503() -> None:
    call = Driven()
    call.feed(received(), i.RouteFailed(Cause.STORE_UNAVAILABLE))
    assert e.Reject(503) in call.all and call.forgotten and call.facts == []


@pytest.mark.parametrize(
    ("inp", "status"),
    [(received(looped=True), 482), (received(max_forwards=1), 483), (received(max_forwards=0), 483)],
)
def test_a_loop_is_broken_before_anybody_is_dialled(inp: i.Received, status: int) -> None:
    call = Driven()
    call.feed(inp, i.Forwarded(forward()))
    assert e.Reject(status) in call.all and call.none(e.OpenMedia)
    assert result(call)[1] is Cause.LOOP


def test_a_loop_is_named_even_when_the_router_refuses() -> None:
    call = Driven()
    call.feed(received(looped=True), i.Refused(Refuse(Cause.UNKNOWN_CALLER, NUMBER)))
    assert e.Reject(482) in call.all


def test_an_offer_without_known_audio_is_refused_before_anybody_is_dialled() -> None:
    call = Driven()
    call.feed(received(sdp(codecs="101")), i.Forwarded(forward()))
    assert e.Reject(488) in call.all and call.none(e.SendInvite)
    assert result(call) == (Outcome.REJECTED, Cause.NOT_ACCEPTABLE, HungUpBy.PLATFORM)


@pytest.mark.parametrize("gone", [i.Cancelled(), i.HungUp(A)])
@pytest.mark.parametrize("decision", [i.Forwarded(forward()), i.Refused(Refuse(Cause.UNKNOWN_CALLER, NUMBER))])
def test_a_caller_that_leaves_while_the_router_thinks_is_recorded_as_canceled(gone: i.Input, decision: i.Input) -> None:
    call = Driven()
    call.feed(received())
    assert call.feed(gone) == [e.StopAsking()] and not call.forgotten
    call.feed(decision)
    assert result(call) == (Outcome.CANCELED, Cause.CANCELED, HungUpBy.CALLER) and call.forgotten
    assert call.none(e.Reject) and call.none(e.SendInvite)


def test_a_caller_that_leaves_while_the_store_is_away_leaves_nothing() -> None:
    call = Driven()
    call.feed(received(), i.Cancelled(), i.RouteFailed(Cause.STORE_UNAVAILABLE))
    assert call.forgotten and call.facts == []


# -- media ----------------------------------------------------------------------------------------------------


def test_no_media_driver_means_503_and_a_record() -> None:
    call = Driven()
    call.feed(received(), i.Forwarded(forward()), i.MediaFailed())
    assert e.Reject(503) in call.all and call.none(e.SendInvite)
    assert result(close(call)) == (Outcome.REJECTED, Cause.MEDIA_UNAVAILABLE, HungUpBy.PLATFORM) and call.forgotten


@pytest.mark.parametrize("answered", [False, True])
def test_media_that_fails_on_the_way_ends_the_call(answered: bool) -> None:
    call = Driven().dialled()
    if answered:
        call.feed(i.Answered(B_SDP), i.MediaFailed(i.AnswerMediaReady()))
    else:
        call.feed(i.Progressed(183, "fork-1", B_SDP), i.MediaFailed(i.EarlyMediaReady()))
    assert e.Reject(503) in call.all
    assert result(close(call)) == (Outcome.FAILED, Cause.MEDIA_UNAVAILABLE, HungUpBy.PLATFORM)


@pytest.mark.parametrize("cause", [Cause.MEDIA_TIMEOUT, Cause.MEDIA_UNAVAILABLE])
def test_silence_or_a_lost_relay_ends_an_answered_call(cause: Cause) -> None:
    call = Driven().talking()
    made = call.feed(i.Stopped(cause))
    assert e.Bye(A) in made and e.Bye(B) in made
    assert result(close(call)) == (Outcome.COMPLETED, cause, HungUpBy.PLATFORM)


@pytest.mark.parametrize("state", ["dialled", "ringing", "answering"])
def test_a_relay_lost_before_the_answer_refuses_the_caller(state: str) -> None:
    call = Driven().dialled()
    if state != "dialled":
        call.feed(i.Progressed(180, "fork-1"))
    if state == "answering":
        call.feed(i.Answered(B_SDP))
    assert e.Reject(503) in call.feed(i.Stopped(Cause.MEDIA_UNAVAILABLE))
    assert result(close(call))[:2] == (Outcome.FAILED, Cause.MEDIA_UNAVAILABLE)


@pytest.mark.parametrize("state", ["ports", "dialled", "ringing", "answering"])
def test_a_call_that_is_ended_by_request_before_its_answer_is_cancelled_and_its_caller_declined(state: str) -> None:
    call = Driven()
    if state == "ports":
        call.feed(received(), i.Forwarded(forward()))
    else:
        call.dialled()
    if state in ("ringing", "answering"):
        call.feed(i.Progressed(180, "fork-1"))
    if state == "answering":
        call.feed(i.Answered(B_SDP))
    made = call.feed(i.Stopped(Cause.ENDED_BY_REQUEST))
    assert e.Reject(603) in made
    assert (e.Cancel(B) in made, e.Bye(B) in made) == (state in ("dialled", "ringing"), state == "answering")
    assert call.feed(i.Stopped(Cause.ENDED_BY_REQUEST)) == []
    assert result(close(call)) == (Outcome.CANCELED, Cause.ENDED_BY_REQUEST, HungUpBy.PLATFORM)


def test_a_call_that_is_ended_by_request_while_its_parties_talk_was_completed() -> None:
    call = Driven().talking()
    made = call.feed(i.Stopped(Cause.ENDED_BY_REQUEST))
    assert e.Bye(A) in made and e.Bye(B) in made
    assert call.feed(i.Stopped(Cause.ENDED_BY_REQUEST)) == []
    assert result(close(call)) == (Outcome.COMPLETED, Cause.ENDED_BY_REQUEST, HungUpBy.PLATFORM)


def test_a_shutdown_ends_a_call_that_waits_for_its_ports() -> None:
    call = Driven()
    call.feed(received(), i.Forwarded(forward()), i.Stopped(Cause.SHUTDOWN))
    assert e.Reject(503) in call.all
    assert result(close(call)) == (Outcome.REJECTED, Cause.SHUTDOWN, HungUpBy.PLATFORM)


def test_the_caller_leaves_while_ports_are_opened_and_they_are_freed() -> None:
    call = Driven()
    call.feed(received(), i.Forwarded(forward()), i.Cancelled(), i.MediaOpened(LOCAL_A, LOCAL_B))
    assert call.none(e.SendInvite)
    assert result(close(call)) == (Outcome.CANCELED, Cause.CANCELED, HungUpBy.CALLER) and call.forgotten


# -- changes inside a leg -------------------------------------------------------------------------------------


def changes(call: Driven) -> list[str]:
    return [fact.leg for fact in call.facts if isinstance(fact, LegChanged)]


def test_a_new_address_is_attached_before_it_is_confirmed() -> None:
    call = Driven().talking()
    (attach,) = call.feed(i.Offered(B, "key-1", sdp("198.51.100.98", 6002, "0")))
    assert isinstance(attach, e.AttachMedia) and attach.far.port == 6002
    assert changes(call) == []
    response, _ = call.feed(attach.then)
    assert isinstance(response, e.RespondRequest) and (response.leg, response.key, response.status) == (B, "key-1", 200)
    assert changes(call) == [B]


def test_a_change_the_driver_cannot_make_is_refused_and_the_call_goes_on() -> None:
    call = Driven().talking()
    (attach,) = call.feed(i.Offered(B, "key-1", sdp("198.51.100.98", 6002, "0")))
    assert call.feed(i.MediaFailed(attach.then)) == [e.RespondRequest(B, "key-1", 500)]  # type: ignore[attr-defined]
    assert call.feed(i.MediaFailed(i.EarlyMediaReady())) == []
    assert call.call.state is CallState.TALKING


def test_a_change_without_common_codec_is_refused() -> None:
    call = Driven().talking()
    made = call.feed(i.Offered(A, "key-1", sdp(codecs="102")))
    assert made == [e.RespondRequest(A, "key-1", 488)]


def test_a_refresh_by_update_needs_no_body() -> None:
    call = Driven().talking()
    assert call.feed(i.Offered(A, "key-1", b"", update=True)) == [e.RespondRequest(A, "key-1", 200)]
    (response,) = call.feed(i.Offered(A, "key-2", A_SDP))
    assert isinstance(response, e.RespondRequest) and changes(call) == []


def test_a_reinvite_without_offer_gets_ours_and_the_ack_brings_the_answer() -> None:
    call = Driven().talking()
    (response,) = call.feed(i.Offered(B, "key-1", b""))
    assert isinstance(response, e.RespondRequest) and parse(response.body).port == LOCAL_B.port
    _, attach = call.feed(i.Acked(B, sdp("198.51.100.98", 6002, "0")))
    assert isinstance(attach, e.AttachMedia) and attach.then == i.LateMediaReady(first=False)
    assert changes(call) == [B]
    assert call.feed(i.MediaFailed(attach.then)) == []


def test_a_reinvite_without_answer_leaves_the_old_media() -> None:
    call = Driven().talking()
    call.feed(i.Offered(B, "key-1", b""))
    assert call.feed(i.Acked(B, b"")) == []
    assert call.feed(i.Acked(B, b"")) == []


def test_an_answer_from_the_same_address_needs_no_attachment() -> None:
    call = Driven().talking()
    call.feed(i.Offered(A, "key-1", b""))
    assert call.feed(i.Acked(A, A_SDP)) == []


@pytest.mark.parametrize("dialled", [False, True])
def test_a_change_before_anything_is_settled_is_refused(dialled: bool) -> None:
    call = Driven()
    call.feed(received())
    offer = i.Offered(A, "key-1", A_SDP, update=True)
    assert call.feed(offer) == [e.RespondRequest(A, "key-1", 488)]
    call.feed(i.Forwarded(forward()))
    assert call.feed(offer) == [e.RespondRequest(A, "key-1", 488)]
    if dialled:
        call.feed(i.MediaOpened(LOCAL_A, LOCAL_B))
        assert call.feed(offer) == [e.RespondRequest(A, "key-1", 488)]


def test_a_refresh_needs_nothing_settled() -> None:
    call = Driven().ringing()
    assert call.feed(i.Offered(B, "key-1", b"", update=True)) == [e.RespondRequest(B, "key-1", 200)]
    call.feed(i.Answered(B_SDP))
    assert call.feed(i.Offered(B, "key-2", b"", update=True)) == [e.RespondRequest(B, "key-2", 200)]


def test_changes_that_come_or_get_ready_after_the_end_get_487() -> None:
    call = Driven().talking()
    (attach,) = call.feed(i.Offered(A, "key-1", sdp("198.51.100.98", 6002, "0")))
    call.feed(i.HungUp(B))
    assert call.feed(attach.then) == [e.RespondRequest(A, "key-1", 487)]  # type: ignore[attr-defined]
    assert call.feed(i.MediaFailed(attach.then)) == [e.RespondRequest(A, "key-1", 500)]  # type: ignore[attr-defined]
    assert call.feed(i.MediaFailed(i.LateMediaReady(first=True))) == []
    assert call.feed(i.Offered(A, "key-2", A_SDP)) == [e.RespondRequest(A, "key-2", 487)]


# -- late offer -----------------------------------------------------------------------------------------------


def late() -> Driven:
    call = Driven().dialled(body=b"")
    call.feed(i.Progressed(183, "fork-1", B_SDP), i.Answered(B_SDP), i.AnswerMediaReady())
    return call


def test_a_late_offer_is_answered_in_the_ack() -> None:
    call = late()
    assert call.only(e.OpenMedia).far is None
    assert e.Progress(183) in call.all
    assert [effect.bridge for effect in call.all if isinstance(effect, e.AttachMedia)] == [False]
    (attach,) = call.feed(i.Acked(A, A_SDP))
    assert isinstance(attach, e.AttachMedia) and (attach.leg, attach.bridge) == (A, True)
    assert call.feed(attach.then) == []
    call.feed(i.HungUp(B))
    assert result(close(call))[0] is Outcome.COMPLETED


def test_a_late_offer_without_answer_hangs_both_up() -> None:
    call = late()
    made = call.feed(i.Acked(A, b""))
    assert e.Bye(A) in made and e.Bye(B) in made
    assert result(close(call)) == (Outcome.FAILED, Cause.NOT_ACCEPTABLE, HungUpBy.PLATFORM)


def test_a_late_answer_the_driver_cannot_attach_ends_the_call() -> None:
    call = late()
    (attach,) = call.feed(i.Acked(A, A_SDP))
    made = call.feed(i.MediaFailed(attach.then))  # type: ignore[attr-defined]
    assert e.Bye(A) in made and e.Bye(B) in made


# -- robustness -----------------------------------------------------------------------------------------------


def test_a_second_reason_to_end_changes_nothing() -> None:
    call = Driven().talking()
    call.feed(i.HungUp(A))
    assert call.feed(i.TimerFired(), i.Stopped(Cause.MEDIA_TIMEOUT), i.Cancelled()) == []
    call.feed(i.AckMissing(B))
    assert result(close(call))[1] is Cause.NORMAL


def test_a_late_refusal_of_the_change_loop_cannot_end_a_call_twice() -> None:
    call = late()
    (attach,) = call.feed(i.Acked(A, A_SDP))
    call.feed(i.HungUp(A))
    call.feed(i.MediaFailed(attach.then))  # type: ignore[attr-defined]
    close(call)
    assert names(call).count("CallEnded") == 1
