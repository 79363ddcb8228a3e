"""A far side that describes itself anew when we renew its session (RFC 4028) is heard where it says then."""

from __future__ import annotations

import pytest

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.call_media_change import is_as_before
from maskline.engine.call_states import CallState
from maskline.masking.facts import LegChanged, LegName
from maskline.sdp.parse import parse
from maskline.sdp.secure import Crypto, Secure
from tests.support.call_machine import LOCAL_A, LOCAL_B, Driven, sdp
from tests.unit.engine.test_call_change import agreed, asked, direction, held, names

A, B = LegName.A, LegName.B
HOST_B = "198.51.100.99"
MOVED_A, MOVED_B = sdp(port=4010, codecs="0 101"), sdp(HOST_B, 6020, "0 101")
HOLDS_B = sdp(HOST_B, 6000, "0 101", "sendonly")


def changes(call: Driven) -> list[str]:
    return [fact.leg for fact in call.facts if isinstance(fact, LegChanged)]


def offers(made: list[e.Effect]) -> list[e.SendOffer]:
    return [each for each in made if isinstance(each, e.SendOffer)]


@pytest.mark.parametrize("relay", [True, False])
@pytest.mark.parametrize(("leg", "body"), [(A, sdp(codecs="0 101")), (B, sdp(HOST_B, 6000, "0 101"))])
def test_the_same_again_is_nothing(relay: bool, leg: LegName, body: bytes) -> None:
    # An answer has fewer codecs than the offer of the INVITE had.
    call = Driven(relay=relay).talking()
    far = call.call.media.leg(leg).far
    assert call.feed(i.Renewed(leg, body)) == []
    assert call.call.media.leg(leg).far is far


@pytest.mark.parametrize(("leg", "body", "port"), [(A, MOVED_A, 4010), (B, MOVED_B, 6020)])
def test_with_a_relay_the_driver_alone_is_told_of_another_address(leg: LegName, body: bytes, port: int) -> None:
    call = Driven().talking()
    fact, attach = call.feed(i.Renewed(leg, body))
    assert isinstance(fact, e.Emit) and changes(call) == [leg.value]
    assert isinstance(attach, e.AttachMedia) and (attach.leg, attach.far.port, attach.bridge) == (leg, port, True)
    assert attach.then == i.LateMediaReady(first=False) and call.feed(attach.then) == []
    assert call.feed(i.Renewed(leg, body)) == []


@pytest.mark.parametrize(("leg", "body"), [(A, MOVED_A), (B, MOVED_B)])
def test_without_relay_the_other_side_is_told_where_to_send(leg: LegName, body: bytes) -> None:
    call = Driven(relay=False).talking()
    (offer,) = offers(call.feed(i.Renewed(leg, body)))
    other = B if leg is A else A
    said, moved = parse(offer.body), parse(body)
    assert (offer.leg, said.address, said.port) == (other, moved.address, moved.port)
    far = call.call.media.leg(other).far
    assert far is not None
    call.feed(i.OfferAnswered(other, 200, sdp(far.address, far.port, "0 101")))
    assert call.call.change is None and changes(call) == [leg.value]
    assert call.feed(i.Renewed(leg, body)) == []


def test_a_hold_in_it_is_told_to_the_other_side() -> None:
    call = Driven().talking()
    (offer,) = offers(call.feed(i.Renewed(B, HOLDS_B)))
    assert (offer.leg, direction(offer.body)) == (A, "sendonly")
    assert parse(offer.body).port == LOCAL_A.port


def test_who_was_put_on_hold_wants_nothing_by_saying_so_again() -> None:
    call = held()
    assert call.feed(i.Renewed(B, sdp(HOST_B, 6000, "0 101", "recvonly"))) == []
    made = call.feed(i.Renewed(B, sdp(HOST_B, 6020, "0 101", "recvonly")))
    assert offers(made) == [] and call.call.media.leg(B).wish == "sendrecv"


@pytest.mark.parametrize(("relay", "told"), [(True, []), (False, ["PCMA", "telephone-event"])])
def test_another_codec_of_those_that_we_repeat_is_taken(relay: bool, told: list[str]) -> None:
    # B was offered both laws of G.711 and took one; a relay makes one of the other.
    call = Driven(relay=relay).talking()
    made = call.feed(i.Renewed(B, sdp(HOST_B, 6000, "8 101")))
    assert [codec.name for codec in call.call.media.leg(B).agreed] == ["PCMA", "telephone-event"]
    assert [names(offer.body) for offer in offers(made)] == ([told] if told else [])


@pytest.mark.parametrize("body", [b"x", sdp(port=0), sdp(codecs="18")])
def test_an_answer_that_cannot_be_used_leaves_the_media_as_they_were(body: bytes) -> None:
    call = Driven().talking()
    far = call.call.media.leg(A).far
    assert call.feed(i.Renewed(A, body)) == []
    assert call.call.media.leg(A).far is far


@pytest.mark.parametrize("status", [200, 488])
def test_during_a_change_the_other_side_is_told_behind_it(status: int) -> None:
    call = Driven(relay=False).talking()
    asked(call)
    # The renewal of B was under way when A's hold came; our offer waits for its end.
    for port in (6020, 6030):
        made = call.feed(i.Renewed(B, sdp(HOST_B, port, "0 101")))
        assert offers(made) == []
    made = call.feed(i.OfferAnswered(B, status, sdp(HOST_B, 6030, "0 101", "recvonly")))
    (offer,) = offers(made)
    assert (offer.leg, parse(offer.body).port) == (A, 6030)
    assert direction(offer.body) == "sendrecv"
    assert call.call.media.leg(B).wish == "sendrecv"


def test_with_a_relay_a_change_under_way_goes_on_beside_it() -> None:
    call = Driven().talking()
    asked(call)
    (_, attach) = call.feed(i.Renewed(B, MOVED_B))
    assert isinstance(attach, e.AttachMedia) and attach.far.port == 6020
    call.feed(attach.then)
    assert agreed(call, body=sdp(HOST_B, 6020, "0 101", "recvonly")).status == 200
    assert call.call.media.leg(B).local == LOCAL_B


def test_media_that_cannot_be_attached_leave_the_call() -> None:
    call = Driven().talking()
    (_, attach) = call.feed(i.Renewed(A, MOVED_A))
    assert isinstance(attach, e.AttachMedia)
    call.feed(i.MediaFailed(attach.then))
    assert call.call.state is CallState.TALKING


def test_before_the_bridge_it_is_attached_too() -> None:
    call = Driven()
    call.dialled().feed(i.Answered(sdp(HOST_B, 6000, "0 101")))
    (_, attach) = call.feed(i.Renewed(B, MOVED_B))
    assert isinstance(attach, e.AttachMedia) and attach.leg is B


def test_keys_are_the_same_if_none_of_them_is_new() -> None:
    one, two, new = (Crypto(tag, "AES_CM_128_HMAC_SHA1_80", f"inline:{tag}") for tag in (1, 2, 3))
    leg = Driven().talking().call.media.leg(A)
    assert leg.far is not None
    offer = leg.far._replace(secure=Secure("RTP/SAVP", (one, two)))
    plain, leg.far = leg.far, offer
    assert is_as_before(leg, offer._replace(secure=Secure("RTP/SAVP", (two,))))
    assert not is_as_before(leg, offer._replace(secure=Secure("RTP/SAVP", (new,))))
    assert not is_as_before(leg, offer._replace(secure=Secure("RTP/SAVP", (two,), ("sha-256", "AB"))))
    assert not is_as_before(leg, plain)
