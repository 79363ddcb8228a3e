"""What a caller hears before anybody else is dialled, and what it hears while the callee listens."""

from __future__ import annotations

import pytest

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.announcer import LONGEST_PROMPT
from maskline.engine.call import CallPolicy
from maskline.engine.call_states import CallState
from maskline.masking.decision import Refuse
from maskline.masking.facts import Cause, HungUpBy, LegName, Outcome, PromptNotPlayed, PromptPlayed
from maskline.masking.prompt import RINGBACK, Prompt
from maskline.sdp.parse import parse
from tests.support.call_machine import (
    A_SDP,
    B_SDP,
    BRIEFING,
    CLIP,
    LOCAL_A,
    LOCAL_B,
    NUMBER,
    WELCOME,
    Driven,
    received,
    sdp,
    session,
    with_prompts,
)  # fmt: skip

A, B = LegName.A, LegName.B
PIN = i.TimerName.PIN


def announcing(body: bytes = A_SDP, policy: CallPolicy | None = None, callee: tuple[Prompt, ...] = ()) -> Driven:
    call = Driven(policy=policy)
    decision = with_prompts(caller=(CLIP, WELCOME), callee=callee)
    call.feed(received(body), i.Forwarded(decision), i.MediaOpened(LOCAL_A, LOCAL_B))
    return call


def end(call: Driven) -> tuple[Outcome, Cause, HungUpBy]:
    call.feed(i.MediaClosed({}), i.ByeDone(A), i.ByeDone(B), i.Failed(487))
    assert call.forgotten and call.running() == set()
    record = call.record
    return record.outcome, record.cause, record.hung_up_by


# -- the caller's prompts -----------------------------------------------------------------------------------------


@pytest.mark.row("2/first_party_play_url")
def test_prompts_are_early_media_and_the_callee_is_dialled_after_the_last() -> None:
    call = announcing()
    progress, play, guard = call.all[-3:]
    assert isinstance(progress, e.Progress) and progress.status == 183
    said = parse(progress.body)
    assert (said.port, [codec.name for codec in said.codecs]) == (LOCAL_A.port, ["PCMU", "telephone-event"])
    assert play == e.Play(A, CLIP, 1) and guard == e.StartTimer(LONGEST_PROMPT, PIN)
    call.feed(call.heard)
    assert call.played() == e.Play(A, WELCOME, 2) and call.none(e.SendInvite)
    call.feed(call.heard)
    assert call.call.state is CallState.DIALING and call.running() == {i.TimerName.CALL}
    offer = parse(call.only(e.SendInvite).body)
    assert [codec.name for codec in offer.codecs] == ["PCMU", "PCMA", "telephone-event"]
    assert [fact for fact in call.facts if isinstance(fact, PromptPlayed)] == [
        PromptPlayed("call-1", 3, call.facts[2].at, "a", "first_party_play_url", True),
        PromptPlayed("call-1", 4, call.facts[3].at, "a", "consent", True),
    ]


def test_after_its_prompts_the_caller_hears_ringback_until_the_answer_repeats_our_sdp() -> None:
    call = announcing()
    call.feed(call.heard, call.heard, i.Progressed(180, "fork-1"), i.Progressed(180, "fork-1"))
    assert call.played() == e.Play(A, RINGBACK, 3, repeat=0)
    early = call.only(e.Progress).body
    made = call.feed(i.Answered(sdp("198.51.100.99", 6000, "8 101")))
    assert [type(effect) for effect in made] == [e.Ack, e.Emit, e.StopPlaying, e.AttachMedia]
    assert made[-1].bridge  # type: ignore[attr-defined]
    call.feed(i.AnswerMediaReady(), i.Acked(A), i.HungUp(A))
    assert call.only(e.Answer).body == early
    assert end(call) == (Outcome.COMPLETED, Cause.NORMAL, HungUpBy.CALLER)


def test_early_media_of_the_callee_replaces_the_ringback() -> None:
    call = announcing()
    call.feed(call.heard, call.heard, i.Progressed(180, "fork-1"))
    made = call.feed(i.Progressed(183, "fork-1", B_SDP))
    assert [type(effect) for effect in made] == [e.StopPlaying, e.AttachMedia]
    assert call.feed(i.EarlyMediaReady(), i.Progressed(180, "fork-1")) == []


def test_a_caller_without_offer_is_answered_before_it_hears_anything() -> None:
    call = announcing(b"")
    answer = call.only(e.Answer)
    assert [codec.name for codec in parse(answer.body).codecs] == ["PCMU", "PCMA", "telephone-event"]
    assert call.none(e.Play) and call.call.state is CallState.ACCEPTING
    (attach,) = call.feed(i.Acked(A, A_SDP))
    assert isinstance(attach, e.AttachMedia) and (attach.leg, attach.bridge) == (A, False)
    call.feed(attach.then)
    assert call.played().prompt == CLIP
    call.feed(call.heard, call.heard, i.Answered(B_SDP))
    assert call.every(e.AttachMedia)[-1].bridge
    call.feed(i.AnswerMediaReady(), i.HungUp(B))
    assert call.only(e.Answer) is answer
    assert end(call) == (Outcome.COMPLETED, Cause.NORMAL, HungUpBy.CALLEE)


def test_a_late_offer_that_is_not_answered_ends_the_call() -> None:
    call = announcing(b"")
    assert e.Bye(A) in call.feed(i.Acked(A, b""))
    assert end(call)[:2] == (Outcome.REJECTED, Cause.NOT_ACCEPTABLE)


def test_where_no_early_media_gets_through_callers_are_answered_first() -> None:
    call = announcing(policy=CallPolicy(answer_for_prompts=True))
    assert call.none(e.Progress) and call.none(e.Play)
    call.feed(i.Acked(A))
    assert call.played() == e.Play(A, CLIP, 1)


def test_a_caller_that_was_answered_for_prompts_and_sends_no_ack_is_hung_up() -> None:
    call = announcing(policy=CallPolicy(answer_for_prompts=True))
    assert e.Bye(A) in call.feed(i.AckMissing(A))
    assert end(call) == (Outcome.REJECTED, Cause.ACK_TIMEOUT, HungUpBy.PLATFORM)


def test_a_prompt_that_cannot_be_had_is_a_fact_and_the_call_goes_on() -> None:
    call = announcing()
    call.feed(call.unheard, call.unheard)
    missed = [(fact.prompt, fact.reason) for fact in call.facts if isinstance(fact, PromptNotPlayed)]
    assert missed == [("first_party_play_url", "timeout"), ("consent", "timeout")]
    assert call.only(e.SendInvite)


def test_a_prompt_of_which_nothing_is_heard_any_more_is_cut() -> None:
    call = announcing()
    made = call.feed(call.begun, i.TimerFired(PIN))
    assert made[0] == e.StopPlaying(A) and call.played().prompt == WELCOME
    call.feed(call.begun, i.TimerFired(PIN))
    assert call.only(e.SendInvite)
    assert [fact.completed for fact in call.facts if isinstance(fact, PromptPlayed)] == [False, False]


def test_what_was_stopped_does_not_count_when_it_is_done_after_all() -> None:
    call = announcing()
    first = call.heard()
    call.feed(first)
    assert call.feed(first) == [] and call.call.state is CallState.ANNOUNCING


@pytest.mark.parametrize(
    ("inp", "expected"),
    [
        (i.Cancelled(), (Outcome.CANCELED, Cause.CANCELED, HungUpBy.CALLER)),
        (i.HungUp(A), (Outcome.CANCELED, Cause.CANCELED, HungUpBy.CALLER)),
        (i.Stopped(Cause.MEDIA_UNAVAILABLE), (Outcome.REJECTED, Cause.MEDIA_UNAVAILABLE, HungUpBy.PLATFORM)),
        (i.MediaFailed(), (Outcome.REJECTED, Cause.MEDIA_UNAVAILABLE, HungUpBy.PLATFORM)),
    ],
)
def test_a_caller_that_is_lost_during_its_prompt_silences_it(
    inp: i.Input, expected: tuple[Outcome, Cause, HungUpBy]
) -> None:
    call = announcing()
    made = call.feed(inp)
    assert e.StopPlaying(A) in made and made[-1] == e.CloseMedia()
    assert end(call) == expected and call.none(e.SendInvite)


def test_the_end_of_the_session_does_not_stop_a_caller_that_dialled_in_time() -> None:
    call = announcing()
    assert call.feed(i.SessionEnded()) == []


def test_a_caller_moves_during_a_prompt() -> None:
    call = announcing()
    (attach,) = call.feed(i.Offered(A, "key", sdp("198.51.100.7", 4010), update=True))
    assert isinstance(attach, e.AttachMedia) and (attach.far.port, attach.bridge) == (4010, False)
    (response, _) = call.feed(attach.then)
    assert isinstance(response, e.RespondRequest) and response.status == 200


def test_a_caller_without_g711_hears_what_the_driver_can_make_of_it() -> None:
    call = announcing(sdp(codecs="9 101", extra="a=rtpmap:9 G722/8000\r\n"))
    assert [codec.name for codec in parse(call.only(e.Progress).body).codecs] == ["G722", "telephone-event"]
    call.feed(call.unheard, call.unheard)
    assert [codec.name for codec in parse(call.only(e.SendInvite).body).codecs] == ["G722", "telephone-event"]


def test_without_relay_prompts_are_told_of_and_nothing_is_played() -> None:
    call = Driven(relay=False)
    call.feed(received(), i.Forwarded(with_prompts(caller=(CLIP,), callee=(BRIEFING,))), i.Answered(B_SDP))
    missed = [(fact.leg, fact.prompt, fact.reason) for fact in call.facts if isinstance(fact, PromptNotPlayed)]
    assert missed == [
        ("a", "first_party_play_url", "media_unavailable"), ("b", "second_party_play_url", "media_unavailable"),
    ]  # fmt: skip
    assert call.none(e.Play) and call.call.state is CallState.TALKING


# -- the callee's prompts -----------------------------------------------------------------------------------------


def informing(body: bytes = A_SDP, rings: bool = True) -> Driven:
    call = Driven().dialled(with_prompts(callee=(BRIEFING,)), body)
    if rings:
        call.feed(i.Progressed(180, "fork-1"))
    call.feed(i.Answered(B_SDP))
    return call


@pytest.mark.row("2/second_party_play_url")
def test_the_callee_hears_its_prompt_before_the_two_are_connected() -> None:
    call = informing()
    attach = call.only(e.AttachMedia)
    assert not attach.bridge and call.running() == set()
    call.feed(attach.then)
    assert call.played() == e.Play(B, BRIEFING, 1) and call.none(e.Answer)
    made = call.feed(call.heard)
    assert made[-1] == e.BridgeMedia() and call.call.state is CallState.BRIDGING
    call.feed(i.Bridged())
    assert call.only(e.Answer) and call.running() == {i.TimerName.CALL}
    call.feed(i.HungUp(A))
    assert end(call) == (Outcome.COMPLETED, Cause.NORMAL, HungUpBy.CALLER)


def test_early_media_of_a_callee_with_prompts_is_kept_back_and_the_caller_rings() -> None:
    call = Driven().dialled(with_prompts(callee=(BRIEFING,)))
    assert e.Progress(180) in call.feed(i.Progressed(183, "fork-1", B_SDP))
    assert call.none(e.AttachMedia)


def test_a_caller_that_was_never_rung_rings_while_the_callee_listens() -> None:
    call = informing(rings=False)
    assert call.feed(i.AnswerMediaReady())[0] == e.Progress(180)


def test_the_ringback_goes_on_while_the_callee_listens() -> None:
    call = announcing(callee=(BRIEFING,))
    call.feed(call.heard, call.heard, i.Answered(B_SDP), i.AnswerMediaReady())
    tone, briefing = call.every(e.Play)[-2:]
    assert (tone.prompt, tone.repeat, briefing.prompt) == (RINGBACK, 0, BRIEFING)
    assert call.feed(i.PlayFailed(A, tone.play_id, "media_unavailable"))[0].fact.name == "PromptNotPlayed"  # type: ignore[attr-defined]
    call.feed(i.TimerFired(PIN))
    assert call.all[-1] == e.BridgeMedia()
    call.feed(i.MediaFailed(i.Bridged()))
    assert end(call) == (Outcome.FAILED, Cause.MEDIA_UNAVAILABLE, HungUpBy.PLATFORM)


def test_the_ringback_is_stopped_before_the_bridge() -> None:
    call = announcing(callee=(BRIEFING,))
    call.feed(call.heard, call.heard, i.Progressed(180, "f"), i.Answered(B_SDP), i.AnswerMediaReady())
    assert call.feed(call.heard)[-2:] == [e.StopPlaying(A), e.BridgeMedia()]


def test_ringback_that_cannot_be_played_leaves_the_caller_in_silence() -> None:
    call = announcing()
    call.feed(call.heard, call.heard, i.Progressed(180, "fork-1"))
    call.feed(call.unheard)
    call.feed(i.Answered(B_SDP))
    assert call.none(e.StopPlaying)


def test_after_a_late_offer_the_caller_is_answered_when_the_callee_has_listened() -> None:
    call = informing(b"")
    call.feed(i.AnswerMediaReady(), call.heard)
    assert call.none(e.BridgeMedia) and call.only(e.Answer) and call.call.state is CallState.TALKING
    (attach,) = call.feed(i.Acked(A, A_SDP))
    assert isinstance(attach, e.AttachMedia) and attach.bridge


@pytest.mark.parametrize(
    ("gone", "expected"),
    [
        (i.Cancelled(), (Outcome.CANCELED, Cause.CANCELED, HungUpBy.CALLER)),
        (i.HungUp(B), (Outcome.NO_ANSWER, Cause.NO_ANSWER, HungUpBy.CALLEE)),
        (i.AckMissing(B), (Outcome.FAILED, Cause.ACK_TIMEOUT, HungUpBy.PLATFORM)),
    ],
)
def test_somebody_leaves_while_the_callee_listens(gone: i.Input, expected: tuple[Outcome, Cause, HungUpBy]) -> None:
    call = informing()
    call.feed(i.AnswerMediaReady(), call.begun)
    assert e.StopPlaying(B) in call.feed(gone)
    assert end(call) == expected
    assert [fact.completed for fact in call.facts if isinstance(fact, PromptPlayed)] == [False]


def test_a_callee_may_move_while_it_listens() -> None:
    call = informing()
    call.feed(i.AnswerMediaReady())
    (attach,) = call.feed(i.Offered(B, "key", sdp("198.51.100.98", 6002, "0")))
    assert isinstance(attach, e.AttachMedia) and not attach.bridge
    call.feed(call.heard)
    response, _ = call.feed(attach.then)
    assert isinstance(response, e.RespondRequest) and response.status == 200


def test_a_callee_hears_all_its_prompts() -> None:
    call = Driven().dialled(with_prompts(callee=(BRIEFING, WELCOME)))
    call.feed(i.Answered(B_SDP), i.AnswerMediaReady(), i.TimerFired(PIN))
    assert call.played() == e.Play(B, WELCOME, 2) and call.none(e.BridgeMedia)
    assert call.feed(call.heard)[-1] == e.BridgeMedia()


def test_a_change_that_fails_while_the_callee_listens_does_not_end_the_call() -> None:
    call = informing()
    call.feed(i.AnswerMediaReady(), i.Offered(B, "key", sdp("198.51.100.98", 6002, "0")))
    assert call.feed(i.MediaFailed(call.every(e.AttachMedia)[-1].then)) == [e.RespondRequest(B, "key", 500)]
    call.feed(i.Offered(B, "key-2", b""), i.Acked(B, B_SDP))
    assert call.feed(i.MediaFailed(i.LateMediaReady(first=False))) == []
    assert call.call.state is CallState.INFORMING


# -- refused with a prompt ----------------------------------------------------------------------------------------

WHY = Prompt("unknown_caller_play", url="https://h.example/unknown.mp3")
UNKNOWN = Refuse(Cause.UNKNOWN_CALLER, NUMBER, None, WHY, session())


def refusing(body: bytes = A_SDP, relay: bool = True) -> Driven:
    call = Driven(relay)
    call.feed(received(body), i.Refused(UNKNOWN))
    return call


@pytest.mark.row("6.1/unknown caller, PIN off, play set")
def test_a_refused_caller_hears_why_as_early_media_and_then_the_status() -> None:
    call = refusing()
    assert call.only(e.OpenMedia).legs == (A,)
    call.feed(i.MediaOpened(LOCAL_A))
    assert call.only(e.Progress).status == 183 and call.played() == e.Play(A, WHY, 1)
    assert call.none(e.Reject)
    assert e.Reject(404) in call.feed(call.heard)
    assert end(call) == (Outcome.REJECTED, Cause.UNKNOWN_CALLER, HungUpBy.PLATFORM)
    assert len(call.record.legs) == 1 and call.record.legs[0].sip_status == 404
    assert call.record.session_id is None


@pytest.mark.parametrize("over", [i.PlayFailed(A, 1, "timeout"), i.TimerFired(PIN)])
def test_a_refusal_does_not_wait_for_ever(over: i.Input) -> None:
    call = refusing()
    call.feed(i.MediaOpened(LOCAL_A))
    assert call.feed(i.PlayDone(A, 99)) == []
    assert e.Reject(404) in call.feed(over)


def test_a_refused_caller_that_leaves_meanwhile_gave_up() -> None:
    call = refusing()
    call.feed(i.MediaOpened(LOCAL_A), i.Cancelled())
    assert end(call) == (Outcome.CANCELED, Cause.CANCELED, HungUpBy.CALLER)


@pytest.mark.parametrize("call", [refusing(b""), refusing(relay=False), refusing(b"nonsense")])
def test_a_caller_that_cannot_hear_is_refused_at_once(call: Driven) -> None:
    assert e.Reject(404) in call.all and call.forgotten and call.none(e.OpenMedia)
    (missed,) = [fact for fact in call.facts if isinstance(fact, PromptNotPlayed)]
    assert (missed.leg, missed.prompt, missed.reason) == ("a", "unknown_caller_play", "media_unavailable")


def test_a_refusal_whose_media_cannot_be_had_keeps_its_cause() -> None:
    call = refusing()
    call.feed(i.MediaFailed())
    assert end(call) == (Outcome.REJECTED, Cause.UNKNOWN_CALLER, HungUpBy.PLATFORM)


def test_a_caller_that_left_before_it_was_refused_is_not_told() -> None:
    call = Driven()
    call.feed(received(), i.Cancelled(), i.Refused(UNKNOWN))
    (missed,) = [fact for fact in call.facts if isinstance(fact, PromptNotPlayed)]
    assert missed.reason == "left" and call.forgotten


def test_a_looped_call_hears_nothing() -> None:
    call = Driven()
    call.feed(received(looped=True), i.Refused(UNKNOWN))
    assert e.Reject(482) in call.all and call.none(e.OpenMedia)
