"""A call that we start ourselves."""

from __future__ import annotations

import pytest

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.call_states import CallState
from maskline.masking.facts import CallRequested, Cause, HungUpBy, LegDialed, LegName, LegRinging, Outcome
from maskline.masking.prompt import BUSY, CONGESTION, RINGBACK
from maskline.masking.session import Role
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
    TRUNK_A,
    TRUNK_B,
    VIRTUAL,
    Driven,
    requested,
    sdp,
)  # fmt: skip

A, B = LegName.A, LegName.B
PIN = i.TimerName.PIN
Result = tuple[Outcome, Cause, HungUpBy]


def calling(**options: object) -> Driven:
    call = Driven(inbound=False)
    call.feed(i.Requested(requested(**options)), i.MediaOpened(LOCAL_A))
    return call


def met(**options: object) -> Driven:
    call = calling(**options)
    call.feed(i.Progressed(180, "a-1", leg=A), i.Answered(A_SDP, leg=A), i.AnswerMediaReady())
    return call


def ringing(**options: object) -> Driven:
    call = met(**options)
    call.feed(i.MediaOpened(b=LOCAL_B), i.Progressed(180, "b-1"))
    return call


def finish(call: Driven) -> Result:
    call.feed(i.MediaClosed({}), i.ByeDone(A), i.ByeDone(B), i.Failed(487, leg=A), i.Failed(487))
    assert call.forgotten and call.running() == set()
    assert [fact.sequence for fact in call.facts] == list(range(1, len(call.facts) + 1))
    return call.record.outcome, call.record.cause, call.record.hung_up_by


@pytest.mark.row("2/initiate_call_to_first_party", "6.1/two flows")
def test_the_first_party_is_called_then_the_second_and_the_two_talk() -> None:
    call = Driven(inbound=False)
    call.feed(i.Requested(requested(caller=(CLIP,), callee=(BRIEFING,), ring_timeout=30, call_time_limit=600)))
    assert call.only(e.OpenMedia).legs == (A,) and call.only(e.OpenMedia).far is None
    call.feed(i.MediaOpened(LOCAL_A))
    first = call.only(e.SendInvite)
    assert (first.leg, first.callee, first.virtual_number, first.trunk) == (A, CALLER, VIRTUAL, TRUNK_A)
    assert first.max_forwards == 70
    assert [codec.name for codec in parse(first.body).codecs] == ["PCMU", "PCMA", "telephone-event"]
    assert call.feed(i.Progressed(183, "a-1", B_SDP, A))[0].fact.early_media  # type: ignore[attr-defined]
    made = call.feed(i.Answered(sdp(codecs="8 101"), leg=A))
    assert [type(effect) for effect in made] == [e.Ack, e.Emit, e.StopTimer, e.AttachMedia]
    assert made[0] == e.Ack(A) and not made[-1].bridge  # type: ignore[attr-defined]
    call.feed(i.AnswerMediaReady())
    assert call.played() == e.Play(A, CLIP, 1)
    assert call.feed(call.heard)[-1] == e.OpenMedia(None, call.call.media.offered, (B,))
    call.feed(i.MediaOpened(b=LOCAL_B))
    second = call.every(e.SendInvite)[1]
    assert (second.leg, second.callee, second.virtual_number, second.trunk) == (B, CALLEE, VIRTUAL, TRUNK_B)
    assert [codec.name for codec in parse(second.body).codecs] == ["PCMA", "PCMU", "telephone-event"]
    call.feed(i.Progressed(180, "b-1"))
    assert call.played() == e.Play(A, RINGBACK, 2, repeat=0)
    call.feed(i.Answered(B_SDP), i.AnswerMediaReady())
    assert call.played() == e.Play(B, BRIEFING, 3)
    assert call.feed(call.heard)[-2:] == [e.StopPlaying(A), e.BridgeMedia()]
    call.feed(i.Bridged(), i.HungUp(A))
    assert call.none(e.Answer) and call.none(e.Progress) and call.none(e.Reject)
    assert finish(call) == (Outcome.COMPLETED, Cause.NORMAL, HungUpBy.CALLER)
    assert [effect.seconds for effect in call.every(e.StartTimer) if effect.timer is i.TimerName.CALL] == [30, 30, 600]


def test_the_record_names_both_parties_on_outbound_legs() -> None:
    call = ringing()
    call.feed(i.Answered(B_SDP), i.AnswerMediaReady(), i.HungUp(B))
    finish(call)
    record = call.record
    a, b = record.legs
    assert (a.inbound, a.source, a.destination) == (False, VIRTUAL, CALLER)
    assert (b.inbound, b.source, b.destination) == (False, VIRTUAL, CALLEE)
    assert (record.party(Role.FIRST), record.party(Role.SECOND)) == (CALLER, CALLEE)
    assert (a.ringing_at, a.answered_at) != (b.ringing_at, b.answered_at)
    assert isinstance(call.facts[0], CallRequested) and call.facts[0].virtual_number == VIRTUAL.e164
    assert [fact.leg for fact in call.facts if isinstance(fact, LegDialed | LegRinging)] == ["a", "a", "b", "b"]


@pytest.mark.parametrize(
    ("inp", "expected", "status"),
    [
        (i.Failed(486, leg=A), (Outcome.BUSY, Cause.BUSY, HungUpBy.CALLER), 486),
        (i.Failed(603, leg=A), (Outcome.BUSY, Cause.DECLINED, HungUpBy.CALLER), 603),
        (i.Failed(480, leg=A), (Outcome.NO_ANSWER, Cause.NO_ANSWER, HungUpBy.CALLER), 480),
        (i.Failed(500, leg=A), (Outcome.FAILED, Cause.CARRIER_ERROR, HungUpBy.CARRIER), 500),
        (i.TimerFired(), (Outcome.NO_ANSWER, Cause.RING_TIMEOUT, HungUpBy.PLATFORM), 487),
        (i.SessionEnded(), (Outcome.FAILED, Cause.SESSION_EXPIRED, HungUpBy.PLATFORM), 487),
        (i.Stopped(Cause.SHUTDOWN), (Outcome.FAILED, Cause.SHUTDOWN, HungUpBy.PLATFORM), 487),
        (i.HungUp(A), (Outcome.FAILED, Cause.CARRIER_ERROR, HungUpBy.CARRIER), 200),
    ],
)
def test_a_first_party_that_is_not_reached_ends_the_call_with_one_leg(
    inp: i.Input, expected: Result, status: int
) -> None:
    call = calling()
    call.feed(i.Progressed(180, "a-1", leg=A), inp)
    assert (e.Cancel(A) in call.all) is (status == 487)
    assert finish(call) == expected
    (leg,) = call.record.legs
    assert (leg.sip_status, leg.answered_at) == (status, None)
    assert len(call.every(e.SendInvite)) == 1 and call.none(e.Reject)


def test_a_first_party_that_answers_while_its_call_is_withdrawn_is_hung_up() -> None:
    call = calling()
    call.feed(i.SessionEnded())
    assert call.feed(i.Answered(A_SDP, leg=A)) == [e.Ack(A), e.Bye(A)]
    assert finish(call)[1] is Cause.SESSION_EXPIRED


def test_a_first_party_whose_answer_cannot_be_used_is_hung_up() -> None:
    call = calling()
    made = call.feed(i.Answered(sdp(codecs="18"), leg=A))
    assert e.Ack(A) in made and e.Bye(A) in made
    assert finish(call) == (Outcome.FAILED, Cause.NOT_ACCEPTABLE, HungUpBy.PLATFORM)


def test_an_early_update_of_the_first_party_is_answered_and_its_media_comes_with_the_200() -> None:
    call = calling()
    (response,) = call.feed(i.Offered(A, "k", A_SDP, update=True, fork="1"))
    assert isinstance(response, e.RespondRequest) and response.status == 200 and b" 20000 RTP" in response.body
    assert call.call.media.leg(A).far is None


@pytest.mark.parametrize(
    ("inp", "tone", "expected"),
    [
        (i.Failed(486), BUSY, (Outcome.BUSY, Cause.BUSY, HungUpBy.CALLEE)),
        (i.Failed(404), CONGESTION, (Outcome.FAILED, Cause.UNALLOCATED, HungUpBy.CARRIER)),
        (i.TimerFired(), BUSY, (Outcome.NO_ANSWER, Cause.RING_TIMEOUT, HungUpBy.PLATFORM)),
        (i.Answered(sdp(codecs="18")), CONGESTION, (Outcome.FAILED, Cause.NOT_ACCEPTABLE, HungUpBy.PLATFORM)),
        (i.HungUp(B), CONGESTION, (Outcome.FAILED, Cause.CARRIER_ERROR, HungUpBy.CARRIER)),
    ],
)
def test_a_second_party_that_is_not_reached_is_a_tone_for_the_first(
    inp: i.Input, tone: object, expected: Result
) -> None:
    call = ringing()
    made = call.feed(inp)
    assert e.StopPlaying(A) in made and call.played().prompt == tone and call.played().repeat == 0
    assert call.call.state is CallState.PARTING and call.running() == {PIN}
    assert [fact.leg for fact in call.facts if fact.name == "LegEnded"] == ["b"]
    assert e.Bye(A) in call.feed(i.TimerFired(PIN))
    assert finish(call) == expected
    a, b = call.record.legs
    assert (a.sip_status, a.cause, b.cause) == (200, b.cause, expected[1]) and a.ended_at == b.ended_at + 1
    assert [fact.leg for fact in call.facts if fact.name == "LegEnded"] == ["b", "a"]


@pytest.mark.parametrize(
    "inp",
    [i.HungUp(A), i.AckMissing(A), i.Stopped(Cause.MEDIA_UNAVAILABLE), i.MediaFailed(), i.PlayFailed(A, 2, "x")],
)
def test_whatever_cuts_the_tone_short_does_not_change_the_cause(inp: i.Input) -> None:
    call = ringing()
    call.feed(i.Failed(486), inp)
    assert finish(call) == (Outcome.BUSY, Cause.BUSY, HungUpBy.CALLEE)


def test_a_first_party_may_move_while_it_hears_the_tone() -> None:
    call = ringing()
    call.feed(i.Failed(486))
    (attach,) = call.feed(i.Offered(A, "k", sdp(port=4010)))
    assert call.feed(i.MediaFailed(attach.then)) == [e.RespondRequest(A, "k", 500)]  # type: ignore[attr-defined]
    (attach,) = call.feed(i.Offered(A, "k2", sdp(port=4010)))
    assert call.feed(attach.then)[:1] == [e.RespondRequest(A, "k2", 200, attach.then.body)]  # type: ignore[attr-defined]
    call.feed(i.Offered(A, "k3", b""))
    assert call.feed(i.Acked(A, sdp(port=4010))) == []
    assert call.call.state is CallState.PARTING


@pytest.mark.parametrize("moment", ["meeting", "announcing", "opening", "ringing", "informing"])
@pytest.mark.parametrize(
    ("inp", "expected"),
    [
        (i.HungUp(A), (Outcome.CANCELED, Cause.CANCELED, HungUpBy.CALLER)),
        (i.SessionEnded(), (Outcome.FAILED, Cause.SESSION_EXPIRED, HungUpBy.PLATFORM)),
    ],
)
def test_a_call_that_is_given_up_or_withdrawn_before_the_bridge(moment: str, inp: i.Input, expected: Result) -> None:
    call = calling(caller=(CLIP,), callee=(BRIEFING,))
    steps: dict[str, list[object]] = {
        "meeting": [i.Answered(A_SDP, leg=A)], "announcing": [i.AnswerMediaReady()], "opening": [call.heard],
        "ringing": [i.MediaOpened(b=LOCAL_B), i.Progressed(180, "b-1")],
        "informing": [i.Answered(B_SDP), i.AnswerMediaReady()],
    }  # fmt: skip
    for name, inputs in steps.items():
        call.feed(*inputs)  # type: ignore[arg-type]
        if name == moment:
            break
    call.feed(inp)
    assert finish(call) == expected
    assert call.feed(i.MediaOpened(b=LOCAL_B), i.AnswerMediaReady(), i.Bridged()) == []


def test_the_end_of_the_session_does_not_end_a_conversation() -> None:
    call = ringing()
    call.feed(i.Answered(B_SDP), i.AnswerMediaReady())
    assert call.feed(i.SessionEnded()) == [] and call.call.state is CallState.TALKING


@pytest.mark.parametrize("relay", [True, False])
def test_without_media_nobody_is_called(relay: bool) -> None:
    call = Driven(relay, inbound=False)
    call.feed(i.Requested(requested()), i.MediaFailed())
    assert finish(call) == (Outcome.REJECTED, Cause.MEDIA_UNAVAILABLE, HungUpBy.PLATFORM)
    assert call.none(e.SendInvite) and call.record.legs[0].sip_status == 0


def test_a_second_party_without_ports_leaves_the_first_hung_up() -> None:
    call = met()
    call.feed(i.MediaFailed())
    assert e.Bye(A) in call.all
    assert finish(call)[1] is Cause.MEDIA_UNAVAILABLE
