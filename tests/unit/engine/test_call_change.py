"""Hold, resume and other codecs: what one side asks for and the other has to agree to."""

from __future__ import annotations

import pytest

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.call_change import CHANGE, ChangeSignal, ChangeState
from maskline.engine.call_states import CallState
from maskline.masking.facts import Cause, HungUpBy, LegChanged, LegName
from maskline.sdp.parse import parse
from tests.support.call_machine import (
    A_SDP,
    B_SDP,
    DIAL,
    LOCAL_A,
    LOCAL_B,
    SAY,
    Driven,
    flow,
    forward,
    received,
    sdp,
)

A, B = LegName.A, LegName.B
A_HOLDS, B_HELD, B_HOLDS = sdp(direction="sendonly"), sdp("198.51.100.99", 6000, "0 101", "recvonly"), sdp(
    "198.51.100.99", 6000, "0 101", "sendonly"
)  # fmt: skip
G722 = sdp(codecs="9 0 101")


def direction(body: bytes) -> str:
    return parse(body).direction


def names(body: bytes) -> list[str]:
    return [codec.name for codec in parse(body).codecs]


def asked(call: Driven, leg: LegName = A, body: bytes = A_HOLDS, key: str = "k1") -> e.SendOffer:
    """The offer to the other side that follows one of this side."""
    return next(made for made in call.feed(i.Offered(leg, key, body)) if isinstance(made, e.SendOffer))


def settled(call: Driven, made: list[e.Effect]) -> list[e.Effect]:
    """What follows when all that was to be attached is."""
    attached = [effect for effect in made if isinstance(effect, e.AttachMedia)]
    return call.feed(*[effect.then for effect in attached])


def agreed(call: Driven, leg: LegName = B, body: bytes = B_HELD) -> e.RespondRequest:
    made = call.feed(i.OfferAnswered(leg, 200, body))
    (response,) = [r for r in (*made, *settled(call, made)) if isinstance(r, e.RespondRequest)]
    return response


def held() -> Driven:
    call = Driven().talking()
    asked(call)
    agreed(call)
    return call


# -- hold and resume ----------------------------------------------------------------------------------------------


def test_a_hold_is_sent_on_and_answered_when_the_other_side_has() -> None:
    call = Driven().talking()
    (offer,) = call.feed(i.Offered(A, "k1", A_HOLDS, update=True))
    assert isinstance(offer, e.SendOffer) and offer.leg is B
    said = parse(offer.body)
    assert (said.direction, said.port, said.address) == ("sendonly", LOCAL_B.port, LOCAL_B.address)
    attach_b, attach_a = made = call.feed(i.OfferAnswered(B, 200, B_HELD))
    assert [(each.leg, each.far.direction) for each in made if isinstance(each, e.AttachMedia)] == [
        (B, "recvonly"), (A, "sendonly"),
    ]  # fmt: skip
    response, fact = settled(call, [attach_b, attach_a])
    assert isinstance(response, e.RespondRequest) and (response.leg, response.key, response.status) == (A, "k1", 200)
    assert direction(response.body) == "recvonly"
    assert isinstance(fact, e.Emit) and isinstance(fact.fact, LegChanged) and fact.fact.leg == "a"
    assert call.call.change is None


def test_a_held_call_is_resumed_by_who_held_it() -> None:
    call = held()
    offer = asked(call, body=A_SDP, key="k2")
    assert (offer.leg, direction(offer.body)) == (B, "sendrecv")
    assert direction(agreed(call, body=B_SDP).body) == "sendrecv"
    assert call.call.media.leg(A).far_media().direction == "sendrecv"


def test_the_callee_holds_too() -> None:
    call = Driven().talking()
    offer = asked(call, B, B_HOLDS)
    assert (offer.leg, direction(offer.body)) == (A, "sendonly")
    assert direction(agreed(call, A, sdp(direction="recvonly")).body) == "recvonly"


def test_who_is_held_and_holds_too_stays_held_when_the_other_comes_back() -> None:
    call = held()
    offer = asked(call, B, B_HOLDS, "k2")
    assert direction(offer.body) == "sendonly"
    assert direction(agreed(call, A, sdp(direction="inactive")).body) == "inactive"
    asked(call, A, A_SDP, "k3")
    assert direction(agreed(call, B, B_HOLDS).body) == "sendonly"


def test_an_answer_never_goes_beyond_the_offer() -> None:
    call = Driven().talking()
    asked(call)
    assert direction(agreed(call, B, B_SDP).body) == "recvonly"


def test_hold_by_the_unspecified_address_is_told_as_a_hold() -> None:
    call = Driven().talking()
    offer = asked(call, body=sdp("0.0.0.0"))
    assert direction(offer.body) == "sendonly" and b"0.0.0.0" not in offer.body


def test_refreshes_and_new_addresses_of_a_held_call_stay_on_their_leg() -> None:
    call = held()
    (response,) = call.feed(i.Offered(A, "k2", A_HOLDS))
    assert isinstance(response, e.RespondRequest) and direction(response.body) == "recvonly"
    (attach,) = call.feed(i.Offered(B, "k3", sdp("198.51.100.99", 6010, "0 101")))
    assert isinstance(attach, e.AttachMedia)
    (response, _) = call.feed(attach.then)
    # The one is still held by the other.
    assert isinstance(response, e.RespondRequest) and direction(response.body) == "sendonly"


def test_a_change_that_needs_nothing_attached_is_answered_at_once() -> None:
    call = Driven(relay=False).talking()
    asked(call)
    response, fact = call.feed(i.OfferAnswered(B, 200, B_HELD))
    assert isinstance(response, e.RespondRequest) and response.status == 200 and isinstance(fact, e.Emit)
    call = Driven(relay=False).talking()
    asked(call, body=sdp(codecs="0 101", port=4010))
    assert call.feed(i.OfferAnswered(B, 500)) == [e.RespondRequest(A, "k1", 500)]


def test_without_relay_a_new_address_is_told_to_the_other_side() -> None:
    call = Driven(relay=False).talking()
    offer = asked(call, body=sdp(port=4010))
    assert parse(offer.body).port == 4010
    assert parse(agreed(call, body=sdp("198.51.100.99", 6020, "0 101")).body).port == 6020
    call.feed(i.Offered(B, "k2", b""))
    (_, offer) = call.feed(i.Acked(B, sdp("198.51.100.99", 6030, "0 101")))
    assert isinstance(offer, e.SendOffer) and parse(offer.body).port == 6030
    assert call.feed(i.OfferAnswered(A, 488)) == []


def test_without_relay_another_codec_is_asked_for_and_a_shorter_list_is_not() -> None:
    call = Driven(relay=False).talking()
    (response, fact) = call.feed(i.Offered(A, "k1", sdp(codecs="0 101")))
    assert isinstance(response, e.RespondRequest) and isinstance(fact, e.Emit)
    (offer,) = call.feed(i.Offered(A, "k2", G722))
    assert isinstance(offer, e.SendOffer) and names(offer.body) == ["G722", "PCMU", "telephone-event"]


def test_without_relay_an_answer_with_nothing_new_is_no_change() -> None:
    call = Driven(relay=False).talking()
    asked(call)
    call.feed(i.OfferAnswered(B, 200, B_HELD))
    before = len([fact for fact in call.facts if isinstance(fact, LegChanged)])
    call.call.media.leg(A).wish = "sendrecv"
    asked(call, key="k2")
    assert len(call.feed(i.OfferAnswered(B, 200, B_HELD))) == 1
    assert len([fact for fact in call.facts if isinstance(fact, LegChanged)]) == before


# -- another codec ------------------------------------------------------------------------------------------------


def test_another_codec_is_offered_to_the_other_side_before_it_is_taken() -> None:
    call = Driven().talking()
    opened, offer = call.feed(i.Offered(A, "k1", G722))
    assert isinstance(opened, e.OpenMedia) and opened.legs == (B,) and opened.far is None
    assert [codec.name for codec in opened.codecs] == ["G722", "PCMU", "PCMA", "telephone-event"]
    assert isinstance(offer, e.SendOffer) and names(offer.body)[0] == "G722"
    made = call.feed(i.OfferAnswered(B, 200, sdp("198.51.100.99", 6000, "9 101")))
    assert [type(effect) for effect in made] == [e.OpenMedia, e.AttachMedia, e.AttachMedia]
    assert isinstance(made[0], e.OpenMedia) and made[0].legs == (A,)
    response = settled(call, made)[0]
    assert isinstance(response, e.RespondRequest) and names(response.body) == ["G722", "telephone-event"]
    # From now on that is what the leg has.
    call.feed(i.Offered(A, "k2", b""))
    assert names(call.every(e.RespondRequest)[-1].body) == ["G722", "telephone-event"]


def test_the_other_side_keeps_its_own_numbers_for_codecs() -> None:
    call = Driven()
    extra = "a=rtpmap:96 telephone-event/8000\r\n"
    call.dialled().feed(i.Answered(B_SDP), i.AnswerMediaReady(), i.Acked(A))
    offer = asked(call, body=sdp(codecs="9 0 96", extra=extra))
    assert [(c.payload_type, c.name) for c in parse(offer.body).codecs][-1] == (101, "telephone-event")
    taken = agreed(call, B, sdp("198.51.100.99", 6000, "9 101"))
    assert [(c.payload_type, c.name) for c in parse(taken.body).codecs] == [(9, "G722"), (96, "telephone-event")]


def test_a_number_that_means_another_codec_to_the_other_side_is_not_used() -> None:
    call = Driven().talking()
    opus = "a=rtpmap:101 opus/48000/2\r\n"
    offer = asked(call, body=sdp(codecs="101", extra=opus).replace(b"a=rtpmap:101 telephone-event/8000\r\n", b""))
    assert names(offer.body) == ["PCMU", "telephone-event"]


def test_a_side_that_has_but_the_other_law_is_translated_to() -> None:
    call = Driven()
    call.dialled(body=sdp(codecs="0 101")).feed(i.Answered(B_SDP), i.AnswerMediaReady(), i.Acked(A))
    offer = asked(call, body=sdp(codecs="8 101"))
    assert names(offer.body) == ["PCMA", "PCMU", "telephone-event"]
    assert names(agreed(call, body=B_SDP).body) == ["PCMA", "telephone-event"]


def test_a_list_in_another_order_or_shorter_is_no_other_codec() -> None:
    call = Driven().talking()
    for number, codecs in enumerate(("8 0 101", "0 101", "0 8 101")):
        (response,) = [
            effect for effect in call.feed(i.Offered(A, number, sdp(codecs=codecs)))
            if not isinstance(effect, e.Emit)
        ]  # fmt: skip
        assert isinstance(response, e.RespondRequest | e.AttachMedia)
        if isinstance(response, e.AttachMedia):
            call.feed(response.then)
    assert call.none(e.SendOffer)


@pytest.mark.parametrize(("leg", "favourite"), [(A, B), (B, A)])
def test_a_list_without_what_the_other_side_speaks_is_another_codec(leg: LegName, favourite: LegName) -> None:
    """A gateway that goes back to G.711 for a fax, for one."""
    call = wide()
    call.feed(i.Acked(A))
    (*_, offer) = call.feed(i.Offered(leg, "k1", sdp(codecs="8 101")))
    assert isinstance(offer, e.SendOffer) and offer.leg is favourite
    assert names(offer.body) == ["PCMA", "PCMU", "telephone-event"]


def wide(body: bytes = sdp(codecs="9 0 8 101")) -> Driven:
    """The callee speaks G722 and could speak PCMA."""
    call = Driven()
    call.dialled(body=body)
    call.feed(i.Answered(sdp("198.51.100.99", 6000, "9 8 101")), i.AnswerMediaReady())
    return call


@pytest.mark.parametrize(("codecs", "told"), [("8 101", ["PCMA", "PCMU", "telephone-event"]), ("9 101", None)])
def test_an_answer_in_an_ack_without_what_the_other_side_speaks_is_told_to_it(codecs: str, told: list[str]) -> None:
    late, asks = wide(b""), wide()
    asks.feed(i.Acked(A), i.Offered(A, "k1", b""))
    for call in (late, asks):
        offers = [each for each in call.feed(i.Acked(A, sdp(codecs=codecs))) if isinstance(each, e.SendOffer)]
        assert [(each.leg, names(each.body)) for each in offers] == ([(B, told)] if told else [])
        if told:
            made = call.feed(i.OfferAnswered(B, 200, sdp("198.51.100.99", 6000, "8 101")))
            attached = [each for each in made if isinstance(each, e.AttachMedia)]
            assert [(each.leg, each.far.codecs[0].name) for each in attached] == [(B, "PCMA")]


def test_nobody_is_offered_again_what_the_other_side_has_dropped() -> None:
    call = wide()
    call.feed(i.Acked(A))
    offer = asked(call, body=sdp(codecs="8 101"))
    assert names(offer.body) == ["PCMA", "PCMU", "telephone-event"]
    settled(call, call.feed(i.OfferAnswered(B, 200, sdp("198.51.100.99", 6000, "8 101"))))
    # The caller took up G722 again, of which the callee has not heard.
    call.call.media.leg(A).agreed = parse(sdp(codecs="9 8 101")).codecs
    (response,) = call.feed(i.Offered(A, "k2", b""))
    assert isinstance(response, e.RespondRequest) and names(response.body) == ["PCMA", "telephone-event"]
    call.feed(i.Acked(A, sdp(codecs="8 101")))
    assert names(asked(call, B, sdp("198.51.100.99", 6000, "8 101", "sendonly"), "k3").body) == [
        "PCMA",
        "telephone-event",
    ]


def test_what_only_the_driver_can_translate_is_offered_again() -> None:
    call = Driven()
    call.dialled(body=sdp(codecs="0 101")).feed(i.Answered(sdp("198.51.100.99", 6000, "8 101")), i.AnswerMediaReady())
    (response,) = call.feed(i.Acked(A), i.Offered(A, "k1", b""))
    assert isinstance(response, e.RespondRequest) and names(response.body) == ["PCMU", "telephone-event"]


@pytest.mark.parametrize("relay", [True, False])
def test_the_other_law_of_g711_is_for_the_relay_to_make(relay: bool) -> None:
    call = Driven(relay).dialled()
    call.feed(i.Answered(sdp("198.51.100.99", 6000, "0 8 101")), *([i.AnswerMediaReady()] if relay else []), i.Acked(A))
    call.feed(i.Offered(A, "k1", sdp(codecs="8 101")))
    assert call.none(e.SendOffer) == relay


def test_what_was_translated_before_is_no_loss() -> None:
    call = Driven()
    call.dialled(body=sdp(codecs="0 101")).feed(i.Answered(sdp("198.51.100.99", 6000, "8 101")), i.AnswerMediaReady())
    call.feed(i.Acked(A), i.Offered(A, "k1", sdp(codecs="0 101", port=4010)))
    assert call.none(e.SendOffer)


def test_a_recorded_call_keeps_to_what_recordings_are_made_of() -> None:
    call = Driven().talking(forward(record=True))
    assert call.feed(i.Offered(A, "k1", sdp(codecs="9")))[-1] == e.RespondRequest(A, "k1", 488)


@pytest.mark.parametrize("answer", [b"", sdp(codecs="18"), sdp(port=0)])
def test_an_answer_that_cannot_be_used_refuses_the_change(answer: bytes) -> None:
    call = Driven().talking()
    asked(call)
    assert call.feed(i.OfferAnswered(B, 200, answer)) == [e.RespondRequest(A, "k1", 488)]
    assert call.call.change is None


# -- refused ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "here"), [(488, 488), (606, 488), (415, 488), (405, 488), (491, 491), (500, 500), (503, 500)]
)
def test_what_the_other_side_refuses_is_refused_here(status: int, here: int) -> None:
    call = Driven().talking()
    asked(call)
    assert call.feed(i.OfferAnswered(B, status)) == [e.RespondRequest(A, "k1", here)]
    assert call.call.state is CallState.TALKING
    # The next one is a new try.
    asked(call, key="k2")


@pytest.mark.parametrize(
    ("status", "cause", "by"),
    [(481, Cause.NORMAL, HungUpBy.CALLEE), (408, Cause.REQUEST_TIMEOUT, HungUpBy.CARRIER)],
)
def test_a_side_that_knows_nothing_of_the_call_or_is_silent_ends_it(status: int, cause: Cause, by: HungUpBy) -> None:
    call = Driven().talking()
    asked(call)
    call.feed(i.OfferAnswered(B, status), i.MediaClosed({}), i.ByeDone(A), i.ByeDone(B))
    assert (call.record.cause, call.record.hung_up_by) == (cause, by)
    assert call.forgotten


def test_one_change_at_a_time() -> None:
    call = Driven().talking()
    asked(call)
    assert call.feed(i.Offered(B, "k2", B_HOLDS)) == [e.RespondRequest(B, "k2", 491)]
    assert call.feed(i.Offered(B, "k3", b"")) == [e.RespondRequest(B, "k3", 491)]
    assert call.feed(i.Offered(B, "k4", b"", update=True)) == [e.RespondRequest(B, "k4", 200)]
    made = call.feed(i.OfferAnswered(B, 200, B_HELD))
    assert call.feed(i.Offered(B, "k5", B_HOLDS)) == [e.RespondRequest(B, "k5", 491)]
    settled(call, made)
    asked(call, B, B_HOLDS, "k6")


def test_an_answer_nobody_asked_for_changes_nothing() -> None:
    call = Driven().talking()
    assert call.feed(i.OfferAnswered(B, 200, B_HELD)) == []
    asked(call)
    assert call.feed(i.OfferAnswered(A, 481)) == []
    assert call.feed(i.OfferWithdrawn(A, "other")) == []


@pytest.mark.parametrize("failed", [(0,), (1,), (0, 1)])
def test_media_that_cannot_be_attached_refuses_the_change(failed: tuple[int, ...]) -> None:
    """On either leg."""
    call = Driven().talking()
    asked(call)
    made = call.feed(i.OfferAnswered(B, 200, B_HELD))
    steps = [effect.then for effect in made if isinstance(effect, e.AttachMedia)]
    made = []
    for place, step in enumerate(steps):
        made += call.feed(i.MediaFailed(step) if place in failed else step)
    refused, attach, offer = made
    assert refused == e.RespondRequest(A, "k1", 500)
    assert isinstance(attach, e.AttachMedia) and (attach.leg, attach.far.direction) == (A, "sendrecv")
    # The other side took it already.
    assert isinstance(offer, e.SendOffer) and (offer.leg, direction(offer.body)) == (B, "sendrecv")
    call.feed(i.OfferAnswered(B, 200, B_SDP))
    assert call.call.change is None


def test_half_a_change_that_cannot_be_attached_after_the_end_is_nobodys() -> None:
    call = Driven().talking()
    asked(call)
    attach, _ = call.feed(i.OfferAnswered(B, 200, B_HELD))
    call.feed(i.HungUp(A))
    assert call.feed(i.MediaFailed(attach.then)) == []  # type: ignore[attr-defined]


def test_a_call_that_ends_meanwhile_waits_for_no_answer() -> None:
    call = Driven().talking()
    asked(call)
    call.feed(i.HungUp(A))
    assert call.feed(i.OfferAnswered(B, 200, B_HELD)) == []


def test_media_of_a_change_that_was_taken_back_already_may_fail() -> None:
    call = Driven().talking()
    asked(call)
    *_, attach = call.feed(i.OfferAnswered(B, 200, B_HELD))
    call.feed(i.OfferWithdrawn(A, "k1"))
    told = call.call.change
    call.feed(i.MediaFailed(attach.then))  # type: ignore[attr-defined]
    assert call.call.change is told is not None and call.call.media.leg(A).wish == "sendrecv"


def moved(call: Driven) -> i.Input:
    (attach,) = call.feed(i.Offered(A, "k1", sdp(port=4010)))
    assert isinstance(attach, e.AttachMedia) and attach.far.port == 4010
    return attach.then


def test_a_new_address_that_cannot_be_attached_may_be_tried_again() -> None:
    call = Driven().talking()
    assert call.feed(i.MediaFailed(moved(call))) == [e.RespondRequest(A, "k1", 500)]
    assert call.feed(moved(call))[0].status == 200  # type: ignore[attr-defined]


def test_a_new_address_that_cannot_be_attached_leaves_the_offer_that_waits_for_it() -> None:
    call = Driven().talking()
    ready = moved(call)
    asked(call, B, B_HOLDS, "k2")
    assert call.feed(i.MediaFailed(ready)) == [e.RespondRequest(A, "k1", 500)]
    made = call.feed(i.OfferAnswered(A, 200, sdp(direction="recvonly")))
    assert settled(call, made)[0].status == 200  # type: ignore[attr-defined]
    assert call.call.media.leg(A).wish == "sendrecv", "it only agreed to a hold"


# -- told afterwards ----------------------------------------------------------------------------------------------


def test_a_hold_in_the_answer_of_an_ack_is_told_to_the_other_side() -> None:
    call = Driven().talking()
    (response,) = call.feed(i.Offered(A, "k1", b""))
    assert isinstance(response, e.RespondRequest) and direction(response.body) == "sendrecv"
    *_, offer = call.feed(i.Acked(A, A_HOLDS))
    assert isinstance(offer, e.SendOffer) and (offer.leg, direction(offer.body)) == (B, "sendonly")
    (attach,) = call.feed(i.OfferAnswered(B, 200, B_HELD))
    assert isinstance(attach, e.AttachMedia) and attach.leg is B
    assert call.feed(attach.then) == [] and call.call.change is None


def test_who_asks_for_an_offer_while_held_gets_what_the_other_wants() -> None:
    call = held()
    (response,) = call.feed(i.Offered(B, "k2", b""))
    assert isinstance(response, e.RespondRequest) and direction(response.body) == "sendonly"
    assert [type(effect) for effect in call.feed(i.Acked(B, B_HELD))] == []


@pytest.mark.parametrize("status", [200, 500, 481])
def test_what_is_told_may_be_refused_or_answered_badly(status: int) -> None:
    call = Driven().talking()
    call.feed(i.Offered(A, "k1", b""), i.Acked(A, A_HOLDS))
    call.feed(i.OfferAnswered(B, status))
    assert call.call.change is None
    assert (call.call.state is CallState.ENDING) is (status == 481)


def test_a_hold_in_an_ack_waits_behind_a_change_that_is_under_way() -> None:
    call = Driven().talking()
    call.feed(i.Offered(A, "k1", b""))
    asked(call, B, B_HOLDS, "k2")
    made = call.feed(i.Acked(A, A_HOLDS))
    assert not any(isinstance(effect, e.SendOffer) for effect in made)


@pytest.mark.parametrize(("body", "codecs"), [(A_HOLDS, "0 101"), (G722, "9 101")])
def test_a_change_that_is_cancelled_after_the_other_side_took_it_is_undone(body: bytes, codecs: str) -> None:
    call = Driven().talking()
    asked(call, body=body)
    assert call.feed(i.OfferWithdrawn(A, "k1")) == []
    mirrored = "recvonly" if body is A_HOLDS else "sendrecv"
    made = call.feed(i.OfferAnswered(B, 200, sdp("198.51.100.99", 6000, codecs, mirrored)))
    offer = made[-1]
    assert isinstance(offer, e.SendOffer) and (offer.leg, direction(offer.body)) == (B, "sendrecv")
    assert names(offer.body)[0] == "PCMU"
    call.feed(i.OfferAnswered(B, 200, B_SDP))
    assert call.call.change is None and call.none(e.RespondRequest)
    assert call.call.media.leg(A).far_media().direction == "sendrecv"


@pytest.mark.parametrize(("body", "codecs"), [(A_HOLDS, "0 101"), (G722, "9 101")])
@pytest.mark.parametrize("left", [False, True])
def test_a_change_that_is_cancelled_while_it_settles_is_undone_on_both_sides(
    body: bytes, codecs: str, left: bool
) -> None:
    call = in_flow()
    before = call.call.media.leg(A).far_media()
    asked(call, body=body)
    mirrored = "recvonly" if body is A_HOLDS else "sendrecv"
    made = call.feed(i.OfferAnswered(B, 200, sdp("198.51.100.99", 6000, codecs, mirrored)))
    if left:
        alone(call)
    undone = call.feed(i.OfferWithdrawn(A, "k1"))
    assert [effect.far for effect in undone if isinstance(effect, e.AttachMedia)] == [before]
    assert any(isinstance(effect, e.SendOffer) and effect.leg is B for effect in undone) is not left
    # What comes of the attachment says nothing to anybody any more: the agent has answered that request.
    settled(call, made)
    assert (call.call.change is None) is left


@pytest.mark.parametrize("status", [488, 481])
def test_a_change_that_is_cancelled_and_refused_leaves_nothing(status: int) -> None:
    call = Driven().talking()
    asked(call)
    call.feed(i.OfferWithdrawn(A, "k1"), i.OfferAnswered(B, status))
    assert call.call.change is None and call.none(e.RespondRequest)


# -- a call flow goes on alone ------------------------------------------------------------------------------------


def in_flow() -> Driven:
    call = Driven()
    call.feed(received(), i.FlowGiven(flow(DIAL, SAY)), i.MediaOpened(LOCAL_A, LOCAL_B))
    call.feed(i.Answered(B_SDP), i.AnswerMediaReady(), i.Acked(A))
    assert call.call.state is CallState.TALKING
    return call


def alone(call: Driven) -> list[e.Effect]:
    made = call.feed(i.HungUp(B))
    assert call.call.state is CallState.SAYING
    return made


def test_who_was_on_hold_is_heard_again_when_the_other_has_left() -> None:
    call = in_flow()
    asked(call, B, B_HOLDS)
    agreed(call, A, sdp(direction="recvonly"))
    (offer,) = [effect for effect in alone(call) if isinstance(effect, e.SendOffer)]
    assert (offer.leg, direction(offer.body)) == (A, "sendrecv")
    made = call.feed(i.OfferAnswered(A, 200, A_SDP))
    assert any(isinstance(effect, e.AttachMedia) and effect.leg is A for effect in made)
    assert call.call.change is None


def test_who_will_not_be_told_is_not_asked_again() -> None:
    call = in_flow()
    asked(call, B, B_HOLDS)
    agreed(call, A, sdp(direction="recvonly"))
    alone(call)
    assert call.feed(i.OfferAnswered(A, 488)) == []


def test_who_was_not_on_hold_hears_nothing_of_it() -> None:
    call = in_flow()
    assert not any(isinstance(effect, e.SendOffer) for effect in alone(call))


def test_who_asked_whom_has_left_is_answered_here() -> None:
    call = in_flow()
    asked(call)
    made = alone(call)
    (response,) = [r for r in (*made, *settled(call, made)) if isinstance(r, e.RespondRequest)]
    assert (response.status, direction(response.body)) == (200, "recvonly")


def test_who_asked_for_a_codec_that_only_the_other_could_give_is_refused() -> None:
    call = in_flow()
    asked(call, body=sdp(codecs="9"))
    assert e.RespondRequest(A, "k1", 488) in alone(call)


@pytest.mark.parametrize("withdrawn", [False, True])
def test_who_is_asked_by_one_that_has_left_is_told_when_it_has_answered(withdrawn: bool) -> None:
    call = in_flow()
    asked(call, B, B_HOLDS)
    if withdrawn:
        call.feed(i.OfferWithdrawn(B, "k1"))
    assert not any(isinstance(effect, e.SendOffer) for effect in alone(call))
    made = call.feed(i.OfferAnswered(A, 200, sdp(direction="recvonly")))
    assert isinstance(made[-1], e.SendOffer) and direction(made[-1].body) == "sendrecv"


@pytest.mark.parametrize("withdrawn", [False, True])
def test_who_waits_for_nothing_more_is_left_alone(withdrawn: bool) -> None:
    call = in_flow()
    if withdrawn:
        asked(call)
        call.feed(i.OfferWithdrawn(A, "k1"))
    else:
        call.feed(i.Offered(A, "k1", b""), i.Acked(A, A_HOLDS))
    assert not any(isinstance(effect, e.SendOffer | e.RespondRequest) for effect in alone(call))
    assert call.call.change is None


def test_a_hold_of_one_that_is_alone_is_told_to_nobody() -> None:
    call = in_flow()
    alone(call)
    made = call.feed(i.Offered(A, "k1", b""), i.Acked(A, A_HOLDS))
    assert not any(isinstance(effect, e.SendOffer) for effect in made)


@pytest.mark.parametrize("asking", [A, B])
def test_what_settles_while_the_other_leaves_is_settled(asking: LegName) -> None:
    call = in_flow()
    other, body = (B, B_HELD) if asking is A else (A, sdp(direction="recvonly"))
    asked(call, asking, A_HOLDS if asking is A else B_HOLDS)
    made = call.feed(i.OfferAnswered(other, 200, body))
    alone(call)
    after = settled(call, made)
    assert any(isinstance(effect, e.SendOffer) for effect in after) is (asking is B)


def test_half_a_change_that_cannot_be_attached_while_the_other_leaves_is_refused() -> None:
    call = in_flow()
    asked(call)
    attach, _ = call.feed(i.OfferAnswered(B, 200, B_HELD))
    alone(call)
    made = call.feed(i.MediaFailed(attach.then))  # type: ignore[attr-defined]
    assert made[0] == e.RespondRequest(A, "k1", 500)
    assert not any(isinstance(effect, e.SendOffer) for effect in made) and call.call.change is None


# -- the table ----------------------------------------------------------------------------------------------------


def test_every_change_comes_to_an_end() -> None:
    assert {state for state, _ in CHANGE} == set(ChangeState) - {ChangeState.OVER}
    for state in (ChangeState.ASKED, ChangeState.WITHDRAWN, ChangeState.TOLD):
        answers = {ChangeSignal.AGREED, ChangeSignal.REFUSED, ChangeSignal.GONE}
        assert answers <= {signal for at, signal in CHANGE if at is state}
