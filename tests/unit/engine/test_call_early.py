"""Offer and answer before the answer to the INVITE: UPDATE and PRACK with an offer, and ours in the first 18x."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.call_states import CallState
from maskline.masking.facts import Cause, LegChanged, LegName
from maskline.sdp.parse import parse
from tests.support.call_machine import (
    A_SDP,
    B_SDP,
    BRIEFING,
    LOCAL_A,
    LOCAL_B,
    Driven,
    forward,
    received,
    sdp,
    with_prompts,
)

A, B = LegName.A, LegName.B
A_MOVED, B_MOVED = sdp(port=4010), sdp("198.51.100.99", 6010, "0 101")
A_HOLDS, B_HOLDS = sdp(direction="sendonly"), sdp("198.51.100.99", 6000, "0 101", "sendonly")


def heard_early(**options: object) -> Driven:
    """The caller hears the callee's early media."""
    call = Driven().dialled(forward(**options))
    call.feed(i.Progressed(183, "fork-1", B_SDP), i.EarlyMediaReady())
    return call


def update(leg: LegName, body: bytes, fork: str = "fork-1") -> i.Offered:
    return i.Offered(leg, "k1", body, True, fork)


def respond(made: list[e.Effect]) -> e.RespondRequest:
    (response,) = [effect for effect in made if isinstance(effect, e.RespondRequest)]
    return response


# -- the agent lets them through when the INVITE's offer has its answer ---------------------------------------------


@pytest.mark.parametrize(("leg", "body", "port"), [(A, A_MOVED, 4010), (B, B_MOVED, 6010)])
def test_who_moves_before_the_answer_is_attached_anew(leg: LegName, body: bytes, port: int) -> None:
    call = heard_early()
    (attach,) = call.feed(update(leg, body))
    assert isinstance(attach, e.AttachMedia) and (attach.leg, attach.far.port) == (leg, port)
    made = call.feed(attach.then)
    assert respond(made).status == 200
    assert parse(respond(made).body).port == (LOCAL_A if leg is A else LOCAL_B).port
    assert [fact.leg for fact in call.facts if isinstance(fact, LegChanged)] == [leg.value]
    assert call.call.state is CallState.RINGING


def test_an_offer_that_says_nothing_new_is_answered_at_once() -> None:
    assert respond(heard_early().feed(update(A, A_SDP))).status == 200


def test_what_the_driver_cannot_do_is_refused_and_the_call_rings_on() -> None:
    call = heard_early()
    (attach,) = call.feed(update(B, B_MOVED))
    assert call.feed(i.MediaFailed(attach.then)) == [e.RespondRequest(B, "k1", 500)]  # type: ignore[attr-defined]
    assert call.call.state is CallState.RINGING


@pytest.mark.parametrize("call", [Driven(relay=False).dialled(), Driven().dialled()])
def test_a_caller_without_our_sdp_or_without_relay_is_refused(call: Driven) -> None:
    if not call.call.media.relay:
        call.feed(i.Progressed(183, "fork-1", B_SDP))
    assert call.feed(update(A, A_MOVED)) == [e.RespondRequest(A, "k1", 488)]


def test_an_offer_without_a_common_codec_is_refused() -> None:
    assert heard_early().feed(update(B, sdp(codecs="18"))) == [e.RespondRequest(B, "k1", 488)]


def test_a_fork_that_nobody_hears_is_answered_and_comes_with_its_200() -> None:
    call = heard_early()
    made = call.feed(update(B, sdp("198.51.100.55", 7000, "0"), "fork-2"))
    assert respond(made).status == 200 and call.call.media.leg(B).far_media().port == 6000
    assert e.AttachMedia not in map(type, made)


@pytest.mark.parametrize(("offered", "said"), [("sendrecv", "sendonly"), ("sendonly", "inactive")])
def test_a_callee_hears_of_a_caller_that_holds_already(offered: str, said: str) -> None:
    call = Driven().dialled(body=A_HOLDS)
    call.feed(i.Progressed(183, "fork-1", B_SDP), i.EarlyMediaReady())
    body = sdp("198.51.100.99", 6000, "0", offered)
    made = call.feed(update(B, body))
    made += call.feed(made[0].then) if isinstance(made[0], e.AttachMedia) else []
    assert parse(respond(made).body).direction == said


def test_a_hold_before_the_answer_is_told_after_it() -> None:
    call = heard_early()
    (attach,) = call.feed(update(A, A_HOLDS))
    call.feed(attach.then)  # type: ignore[attr-defined]
    call.feed(i.Answered(B_SDP))
    *_, offer = call.feed(i.AnswerMediaReady())
    assert isinstance(offer, e.SendOffer) and offer.leg is B and parse(offer.body).direction == "sendonly"


def changed(call: Driven, leg: LegName, body: bytes) -> None:
    (attach,) = call.feed(update(leg, body))
    call.feed(attach.then)  # type: ignore[attr-defined]


def told(made: list[e.Effect]) -> list[tuple[LegName, str]]:
    return [(each.leg, parse(each.body).direction) for each in made if isinstance(each, e.SendOffer)]


def test_a_caller_that_has_our_sdp_is_told_after_the_answer_of_a_hold_before_it() -> None:
    call = heard_early()
    changed(call, B, B_HOLDS)
    call.feed(i.Answered(B_HOLDS, offered=True))
    assert told(call.feed(i.AnswerMediaReady())) == [(A, "sendonly")]
    call.feed(i.OfferAnswered(A, 200, sdp(direction="recvonly")))
    # What it agreed to is no wish of its own, and its callee's return is told once more.
    assert told(call.feed(i.Offered(B, "k2", B_SDP))) == [(A, "sendrecv")]


def test_a_change_that_is_being_attached_when_its_callee_answers_stands() -> None:
    call = heard_early()
    (attach,) = call.feed(update(B, sdp("198.51.100.99", 6010, "0 101", "sendonly")))
    call.feed(i.Answered(B_SDP), attach.then)  # type: ignore[attr-defined]
    assert told(call.feed(i.AnswerMediaReady())) == [(A, "sendonly")]
    assert call.call.media.leg(B).far_media().port == 6010


def test_a_hold_that_the_callee_took_back_before_its_answer_is_not_told() -> None:
    call = heard_early()
    changed(call, B, B_HOLDS)
    changed(call, B, B_SDP)
    call.feed(i.Answered(B_SDP, offered=True))
    assert told(call.feed(i.AnswerMediaReady())) == []


def test_a_caller_without_our_sdp_gets_the_hold_in_its_answer() -> None:
    call = Driven().dialled()
    call.feed(i.Answered(B_HOLDS, offered=True))
    assert told(call.feed(i.AnswerMediaReady())) == []
    assert parse(call.only(e.Answer).body).direction == "sendonly"


def test_what_a_fork_that_nobody_heard_holds_is_told_when_it_is_the_one_that_answers() -> None:
    call = heard_early()
    respond(call.feed(update(B, B_HOLDS, "fork-2")))
    assert call.call.media.leg(B).wish == "sendrecv"
    call.feed(i.Answered(B_HOLDS, offered=True))
    assert told(call.feed(i.AnswerMediaReady())) == [(A, "sendonly")]


def test_what_a_fork_held_that_does_not_answer_is_told_to_nobody() -> None:
    call = heard_early()
    changed(call, B, B_HOLDS)
    call.feed(i.Answered(sdp("198.51.100.55", 7000, "0")))
    assert told(call.feed(i.AnswerMediaReady())) == []


def test_when_both_hold_before_the_answer_each_is_told_after_it_one_after_the_other() -> None:
    call = heard_early()
    changed(call, A, A_HOLDS)
    changed(call, B, B_HOLDS)
    call.feed(i.Answered(B_HOLDS, offered=True))
    assert told(call.feed(i.AnswerMediaReady())) == [(B, "sendonly")]
    inactive = sdp("198.51.100.99", 6000, "0 101", "inactive")
    assert told(call.feed(i.OfferAnswered(B, 200, inactive))) == [(A, "sendonly")]
    assert told(call.feed(i.OfferAnswered(A, 488, b""))) == []
    assert call.call.change is None


def test_who_knows_nothing_of_the_call_any_more_leaves_nothing_to_be_told() -> None:
    call = heard_early()
    changed(call, A, A_HOLDS)
    changed(call, B, B_HOLDS)
    call.feed(i.Answered(B_HOLDS, offered=True), i.AnswerMediaReady())
    assert told(call.feed(i.OfferAnswered(B, 481, b""))) == []


def test_a_greeted_caller_is_told_of_a_callee_that_answers_on_hold() -> None:
    call = wanting_ours()
    call.feed(i.Progressed(180, "fork-1"), i.Acked(A, A_SDP), i.LateMediaReady(first=True))
    call.feed(i.Answered(B_HOLDS))
    assert told(call.feed(i.AnswerMediaReady())) == [(A, "sendonly")]


def test_what_a_callee_answers_to_a_hold_is_none_of_its_wishes() -> None:
    call = Driven().dialled(body=A_HOLDS)
    call.feed(i.Progressed(183, "fork-1", sdp("198.51.100.99", 6000, "0", "recvonly")), i.EarlyMediaReady())
    call.feed(i.Answered(b""))
    assert told(call.feed(i.AnswerMediaReady())) == []
    assert call.call.media.leg(B).wish == "sendrecv"


def test_a_hold_before_the_answer_that_was_refused_is_not_told() -> None:
    call = heard_early()
    (attach,) = call.feed(update(A, A_HOLDS))
    call.feed(i.MediaFailed(attach.then))  # type: ignore[attr-defined]
    call.feed(i.Answered(B_SDP), i.AnswerMediaReady())
    assert call.none(e.SendOffer)


def test_a_hold_taken_back_before_the_answer_is_not_told() -> None:
    call = heard_early()
    for body in (A_HOLDS, A_SDP):
        (attach,) = call.feed(update(A, body))
        call.feed(attach.then)  # type: ignore[attr-defined]
    call.feed(i.Answered(B_SDP), i.AnswerMediaReady())
    assert call.none(e.SendOffer)


def test_a_caller_that_answers_its_hold_before_the_answer_with_another_is_no_news() -> None:
    call = heard_early()
    call.feed(update(A, A_SDP))
    call.feed(i.Answered(B_SDP), i.AnswerMediaReady())
    assert call.none(e.SendOffer)


# -- a caller without offer that acknowledges 18x (RFC 3262 §5) ------------------------------------------------------


def wanting_ours(**options: object) -> Driven:
    call = Driven()
    prompts = (BRIEFING,) if options.pop("briefed", False) else ()
    decision = with_prompts(callee=prompts, **options)  # type: ignore[arg-type]
    call.feed(replace(received(b""), reliable=True), i.Forwarded(decision), i.MediaOpened(LOCAL_A, LOCAL_B))
    return call


def attached(made: list[e.Effect]) -> list[tuple[LegName, bool]]:
    return [(effect.leg, effect.bridge) for effect in made if isinstance(effect, e.AttachMedia)]


def test_the_first_18x_has_our_offer_and_the_prack_the_answer() -> None:
    call = wanting_ours(record=True)
    call.feed(i.Progressed(180, "fork-1"))
    progress = call.only(e.Progress)
    assert progress.status == 180 and parse(progress.body).port == LOCAL_A.port
    assert attached(call.feed(i.Acked(A, A_SDP))) == [(A, False)]
    assert call.feed(i.LateMediaReady(first=True), i.Progressed(180, "fork-1"))[1:] == []
    assert call.none(e.Play), "its telephone makes a tone of its own"
    assert attached(call.feed(i.Answered(B_SDP))) == [(B, True)]
    made = call.feed(i.AnswerMediaReady())
    assert [type(effect) for effect in made if not isinstance(effect, e.Emit)] == [
        e.Answer, e.StartTimer, e.StartRecording,
    ]  # fmt: skip
    assert call.only(e.Answer).body == progress.body


def test_a_prack_that_comes_after_the_callees_answer_joins_the_two() -> None:
    call = wanting_ours(record=True)
    call.feed(i.Progressed(180, "fork-1"))
    assert attached(call.feed(i.Answered(B_SDP))) == [(B, False)]
    assert attached(call.feed(i.Acked(A, A_SDP))) == [(A, True)]
    call.feed(i.AnswerMediaReady(), i.LateMediaReady(first=True))
    assert len(call.every(e.StartRecording)) == 1


def test_a_prack_that_comes_when_all_is_answered_joins_the_two() -> None:
    call = wanting_ours(record=True)
    call.feed(i.Progressed(180, "fork-1"), i.Answered(B_SDP), i.AnswerMediaReady())
    assert call.none(e.StartRecording)
    assert attached(call.feed(i.Acked(A, A_SDP))) == [(A, True)]
    call.feed(i.LateMediaReady(first=True))
    assert len(call.every(e.StartRecording)) == 1


def test_early_media_reaches_it_once_it_has_answered() -> None:
    call = wanting_ours()
    assert attached(call.feed(i.Progressed(183, "fork-1", B_SDP))) == [(B, False)]
    (progress,) = call.feed(i.EarlyMediaReady())
    assert isinstance(progress, e.Progress) and progress.status == 183 and progress.body
    assert attached(call.feed(i.Acked(A, A_SDP))) == [(A, True)]
    call.feed(i.LateMediaReady(first=True))
    assert attached(call.feed(i.Answered(B_SDP), i.AnswerMediaReady())) == [(B, True)]


@pytest.mark.parametrize("acknowledged", ["before", "while", "after"])
def test_a_callee_with_prompts_is_joined_after_them(acknowledged: str) -> None:
    call = wanting_ours(briefed=True)
    if acknowledged == "before":
        call.feed(i.Progressed(183, "fork-1"))
        assert call.only(e.Progress).status == 180
        call.feed(i.Acked(A, A_SDP), i.LateMediaReady(first=True))
    assert attached(call.feed(i.Answered(B_SDP))) == [(B, False)]
    call.feed(i.AnswerMediaReady())
    assert call.only(e.Progress).body
    assert call.played().leg is B
    if acknowledged == "while":
        assert attached(call.feed(i.Acked(A, A_SDP))) == [(A, False)]
    made = call.feed(call.heard)
    if acknowledged == "after":
        assert call.call.state is CallState.TALKING and e.BridgeMedia() not in made
        assert attached(call.feed(i.Acked(A, A_SDP))) == [(A, True)]
    else:
        assert made[-1] == e.BridgeMedia()


def test_an_answer_in_the_prack_that_nobody_can_use_ends_the_call() -> None:
    call = wanting_ours()
    call.feed(i.Progressed(180, "fork-1"))
    assert e.Reject(488) in call.feed(i.Acked(A, sdp(codecs="18")))
    call.feed(i.Failed(487), i.MediaClosed({}))
    assert call.record.cause is Cause.NOT_ACCEPTABLE


def test_it_may_be_answered_without_any_18x() -> None:
    call = wanting_ours()
    call.feed(i.Answered(B_SDP), i.AnswerMediaReady())
    assert parse(call.only(e.Answer).body).port == LOCAL_A.port
    assert attached(call.feed(i.Acked(A, A_SDP))) == [(A, True)]


def test_a_driver_that_fails_then_ends_the_call() -> None:
    call = wanting_ours()
    call.feed(i.Progressed(180, "fork-1"))
    (attach,) = call.feed(i.Acked(A, A_SDP))
    call.feed(i.MediaFailed(attach.then))  # type: ignore[attr-defined]
    assert call.only(e.Reject).status == 503


# -- a callee that answers otherwise than its 18x ---------------------------------------------------------------------

WIDE = sdp(codecs="9 0 8 101")


def b_sdp(codecs: str, direction: str = "sendrecv") -> bytes:
    return sdp("198.51.100.99", 6000, codecs, direction)


def favourites(made: list[e.Effect]) -> list[tuple[LegName, int]]:
    return [(each.leg, parse(each.body).codecs[0].payload_type) for each in made if isinstance(each, e.SendOffer)]


def hearing(early: str, offer: bytes = WIDE) -> Driven:
    call = Driven().dialled(body=offer)
    call.feed(i.Progressed(183, "fork-1", b_sdp(early)), i.EarlyMediaReady())
    return call


def test_what_a_caller_was_answered_first_and_its_callee_does_not_take_is_changed_by_an_offer() -> None:
    call = hearing("9 101")
    call.feed(i.Answered(b_sdp("8 101")))
    made = call.feed(i.AnswerMediaReady())
    assert favourites(made) == [(A, 8)]
    opened = [effect for effect in made if isinstance(effect, e.OpenMedia)]
    assert [(one.legs, one.codecs[0].name) for one in opened] == [((A,), "PCMA")]
    agreed = call.feed(i.OfferAnswered(A, 200, sdp(codecs="8 101")))
    (attach,) = [effect for effect in agreed if isinstance(effect, e.AttachMedia)]
    assert attach.leg is A and [codec.name for codec in attach.far.codecs] == ["PCMA", "telephone-event"]
    assert call.call.change is None and call.call.media.promised == ()
    # Once is enough.
    call.feed(i.LateMediaReady(first=False))
    assert favourites(call.feed(i.Offered(A, "k", sdp(codecs="8 101", direction="sendonly")))) == [(B, 8)]


def test_a_caller_that_refuses_it_talks_on_as_it_was() -> None:
    call = hearing("9 101")
    call.feed(i.Answered(b_sdp("8 101")), i.AnswerMediaReady())
    assert call.feed(i.OfferAnswered(A, 488)) == []
    assert call.call.state is CallState.TALKING


def test_early_media_that_moved_does_not_count_but_what_was_said_first() -> None:
    call = hearing("9 101")
    call.feed(i.Progressed(183, "fork-1", b_sdp("8 101")), i.EarlyMediaReady(), i.Answered(b_sdp("8 101")))
    assert favourites(call.feed(i.AnswerMediaReady())) == [(A, 8)]
    back = hearing("9 101")
    back.feed(i.Progressed(183, "fork-1", b_sdp("8 101")), i.EarlyMediaReady(), i.Answered(b_sdp("9 101")))
    assert favourites(back.feed(i.AnswerMediaReady())) == []


def test_a_caller_that_dropped_the_codec_itself_before_the_answer_knows() -> None:
    call = hearing("9 8 101")
    made = call.feed(update(A, sdp(codecs="8 101")))
    call.feed(*[one.then for one in made if isinstance(one, e.AttachMedia)])
    call.feed(i.Answered(b_sdp("8 101")))
    assert favourites(call.feed(i.AnswerMediaReady())) == []


def test_a_hold_and_another_codec_are_told_in_one_offer() -> None:
    call = hearing("9 101")
    call.feed(i.Answered(b_sdp("8 101", "sendonly")))
    (offer,) = [one for one in call.feed(i.AnswerMediaReady()) if isinstance(one, e.SendOffer)]
    said = parse(offer.body)
    assert (offer.leg, said.direction, said.codecs[0].payload_type) == (A, "sendonly", 8)


def test_a_caller_that_has_none_of_what_the_callee_takes_is_told_nothing_since_the_driver_translates() -> None:
    call = hearing("0 101", offer=sdp(codecs="0 101"))
    call.feed(i.Answered(b_sdp("8 101")))
    assert favourites(call.feed(i.AnswerMediaReady())) == []
