from dataclasses import replace

import pytest

from maskline.engine.call_codecs import OUR_OFFER
from maskline.engine.call_media import CallMedia, LegMedia
from maskline.engine.call_media_change import offer_again, propose_offer
from maskline.masking.facts import LegName
from maskline.masking.trunk import Way
from maskline.media.port import LocalMedia
from maskline.sdp.errors import SdpError
from maskline.sdp.parse import parse
from maskline.sdp.secure import Crypto, Secure
from maskline.sip.flow import Flow
from tests.support.call_machine import A_SDP, B_SDP, LOCAL_A, LOCAL_B, TRUNK_B, sdp

A, B = LegName.A, LegName.B


def offered(body: bytes = A_SDP, relay: bool = True) -> CallMedia:
    media = CallMedia(relay, 11, 22)
    media.take_offer(body)
    if relay:
        media.leg(A).local, media.leg(B).local = LOCAL_A, LOCAL_B
    return media


def answered(body: bytes = A_SDP, answer: bytes = B_SDP) -> CallMedia:
    media = offered(body)
    media.offer_to_callee()
    media.take_callee(answer)
    media.sdp_for_caller()
    return media


def take_change(media: CallMedia, name: LegName, body: bytes) -> tuple[bytes, bool]:
    return media.take_change(name, media.leg(name).read_offer(body))


def origin(body: bytes) -> str:
    return body.split(b"\r\n")[1].decode()


def test_the_callee_is_offered_our_own_address_and_only_known_codecs() -> None:
    media = offered(sdp(codecs="0 77 8 101", extra="a=rtpmap:77 spell-65911/8000\r\na=tool:phone\r\n"))
    body = media.offer_to_callee()
    description = parse(body)
    assert (description.address, description.port) == ("203.0.113.1", 20_002)
    assert [codec.payload_type for codec in description.codecs] == [0, 8, 101]
    assert origin(body) == "o=- 22 1 IN IP4 203.0.113.1"
    assert b"198.51.100.7" not in body and b"secret" not in body and b"alice" not in body


def preferring(names: tuple[str, ...], body: bytes = A_SDP) -> CallMedia:
    media = offered(body)
    media.leg(B).dial_by(replace(TRUNK_B, codecs=names), ())
    return media


def named(body: bytes) -> list[str]:
    return [codec.name for codec in parse(body).codecs]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("PCMA",), ["PCMA", "telephone-event"]),
        (("G722", "PCMA", "PCMU"), ["G722", "PCMA", "PCMU", "telephone-event"]),
        (("G729",), ["PCMU", "PCMA", "G722", "telephone-event"]),
        ((), ["PCMU", "PCMA", "G722", "telephone-event"]),
    ],
)
def test_a_trunk_is_offered_its_codecs_best_first(names: tuple[str, ...], said: list[str]) -> None:
    media = preferring(names, sdp(codecs="0 8 9 101"))
    assert named(media.offer_to_callee()) == said


def test_a_codec_that_the_trunk_was_not_offered_is_no_answer() -> None:
    media = preferring(("PCMA",))
    media.offer_to_callee()
    with pytest.raises(SdpError):
        media.take_callee(sdp("198.51.100.99", 6000, "0"))
    media.take_callee(sdp("198.51.100.99", 6000, "8"))
    assert named(media.sdp_for_caller()) == ["PCMA"]


def test_the_next_trunk_is_offered_codecs_of_its_own() -> None:
    media = preferring(("PCMA",))
    media.offer_to_callee()
    media.leg(B).dial_by(replace(TRUNK_B, codecs=("PCMU",)), ())
    assert named(media.offer_to_callee()) == ["PCMU", "telephone-event"]


def test_who_is_called_first_is_offered_its_trunks_codecs() -> None:
    media = CallMedia(True, 11, 22)
    media.leg(A).local = LOCAL_A
    media.leg(A).dial_by(replace(TRUNK_B, codecs=("PCMA",)), ())
    assert named(media.offer_to_first()) == ["PCMA", "telephone-event"]
    with pytest.raises(SdpError):
        media.take_first(sdp("198.51.100.99", 6000, "0"))
    media.take_first(sdp("198.51.100.99", 6000, "8"))


def test_a_leg_is_of_the_family_its_offer_or_its_first_place_names() -> None:
    media = offered(sdp("2001:db8::7").replace(b"IP4", b"IP6"))
    media.leg(B).dial_by(TRUNK_B, ())
    assert media.over_ipv6(A, B) == (A,)
    media.leg(B).dial_by(TRUNK_B, (Way(TRUNK_B, Flow("udp", "2001:db8::8", 5060)),))
    assert media.over_ipv6(A, B) == (A, B)
    assert offered(sdp()).over_ipv6(A, B) == ()


def test_a_change_offers_a_trunk_its_codecs_too() -> None:
    media = preferring(("G722", "PCMA"), sdp(codecs="0 8 101"))
    media.offer_to_callee()
    media.take_callee(sdp("198.51.100.99", 6000, "8 101"))
    media.sdp_for_caller()
    said = media.leg(A).read_offer(sdp(codecs="9 18 0 101"))
    assert named(propose_offer(media, A, said).body) == ["G722", "PCMA", "telephone-event"]


def test_the_caller_gets_what_the_callee_took() -> None:
    media = offered()
    media.offer_to_callee()
    media.take_callee(sdp("198.51.100.99", 6000, "8 101", "sendonly"))
    description = parse(media.sdp_for_caller())
    assert [codec.name for codec in description.codecs] == ["PCMA", "telephone-event"]
    assert (description.address, description.port, description.direction) == ("203.0.113.1", 20_000, "sendonly")


def test_streams_the_caller_offered_beside_audio_are_refused_to_it_alone() -> None:
    media = offered(sdp(extra="m=video 5000 RTP/AVP 96\r\n"))
    assert b"m=video" not in media.offer_to_callee()
    media.take_callee(B_SDP)
    assert b"m=video 0 RTP/AVP 96" in media.sdp_for_caller()


@pytest.mark.parametrize(("body", "status"), [(b"nonsense", 400), (sdp(codecs="101"), 488), (sdp(port=0), 488)])
def test_an_offer_we_cannot_take_part_in_names_its_status(body: bytes, status: int) -> None:
    with pytest.raises(SdpError) as caught:
        CallMedia(True, 1, 2).take_offer(body)
    assert caught.value.status == status


def test_an_answer_without_any_offered_codec_is_refused_and_forgotten() -> None:
    media = offered(sdp(codecs="0"))
    media.offer_to_callee()
    with pytest.raises(SdpError):
        media.take_callee(sdp(codecs="9"))
    assert media.leg(B).far is None


def test_a_caller_of_one_law_and_a_callee_of_the_other_each_keep_their_own() -> None:
    media = offered(sdp(codecs="9 0 101"))
    names = [codec.name for codec in parse(media.offer_to_callee()).codecs]
    assert names == ["G722", "PCMU", "PCMA", "telephone-event"]
    media.take_callee(sdp(codecs="8 101"))
    assert [codec.name for codec in parse(media.sdp_for_caller()).codecs] == ["PCMU", "telephone-event"]


G722_ONLY = sdp(codecs="9 101")


def transcoded(body: bytes, answer: bytes) -> CallMedia:
    media = CallMedia(True, 11, 22, transcodes=True)
    media.take_offer(body)
    media.leg(A).local, media.leg(B).local = LOCAL_A, LOCAL_B
    media.offer_to_callee()
    media.take_callee(answer)
    return media


def test_a_driver_that_transcodes_lets_the_callee_take_what_the_caller_has_not() -> None:
    media = transcoded(G722_ONLY, sdp(codecs="8 101"))
    assert [codec.name for codec in parse(media.offer_to_callee()).codecs] == [
        "G722",
        "PCMU",
        "PCMA",
        "telephone-event",
    ]
    assert [codec.name for codec in parse(media.sdp_for_caller()).codecs] == ["G722", "telephone-event"]


def test_the_caller_is_answered_with_its_first_codec_when_all_is_transcoded() -> None:
    body = sdp(codecs="77 9 0 101", extra="a=rtpmap:77 spell-65911/8000\r\n")
    media = transcoded(body, sdp(codecs="8"))
    assert [codec.name for codec in parse(media.sdp_for_caller()).codecs] == ["G722", "telephone-event"]
    far = media.caller_far()
    assert far is not None
    assert [codec.payload_type for codec in far.codecs] == [9, 0, 101]


def test_wideband_stays_wideband_when_both_have_it() -> None:
    media = transcoded(sdp(codecs="9 0 101"), sdp(codecs="9 101"))
    assert [codec.name for codec in parse(media.sdp_for_caller()).codecs] == ["G722", "telephone-event"]


@pytest.mark.parametrize("transcodes", [False, True])
def test_a_recorded_call_keeps_to_g711(transcodes: bool) -> None:
    media = CallMedia(True, 11, 22, transcodes=transcodes)
    media.take_offer(sdp(codecs="9 8 13 101"))
    media.leg(A).local, media.leg(B).local = LOCAL_A, LOCAL_B
    media.keep_to_g711()
    names = [codec.name for codec in parse(media.offer_to_callee()).codecs]
    assert "G722" not in names
    assert {"PCMA", "CN", "telephone-event"} <= set(names)
    media.take_callee(sdp("198.51.100.99", 6000, "8 101"))
    assert parse(media.sdp_for_caller()).codecs[0].name == "PCMA"


def test_a_recorded_call_of_a_caller_without_g711_goes_on_as_it_is() -> None:
    media = offered(sdp(codecs="9 101"))
    media.keep_to_g711()
    assert [codec.name for codec in parse(media.offer_to_callee()).codecs] == ["G722", "telephone-event"]


def test_a_caller_that_is_greeted_in_another_codec_has_a_callee_with_g711_where_that_can_be_transcoded() -> None:
    for transcodes, names in (
        (True, ["G722", "PCMU", "PCMA", "telephone-event"]),
        (False, ["G722", "telephone-event"]),
    ):
        media = CallMedia(True, 11, 22, transcodes=transcodes)
        media.take_offer(G722_ONLY)
        media.leg(A).local, media.leg(B).local = LOCAL_A, LOCAL_B
        media.prepare_greeting()
        assert [codec.name for codec in parse(media.greeting()).codecs] == ["G722", "telephone-event"]
        assert [codec.name for codec in parse(media.offer_to_callee()).codecs] == names


KEY = "inline:" + "A" * 40
ENCRYPTED = A_SDP.replace(b"RTP/AVP", b"RTP/SAVP") + f"a=crypto:1 AEAD_AES_256_GCM {KEY}\r\n".encode()
OURS = Secure("RTP/SAVP", (Crypto(1, "AEAD_AES_256_GCM", "inline:" + "B" * 40),))


def encrypted() -> CallMedia:
    media = CallMedia(True, 11, 22, encrypts=True)
    media.take_offer(ENCRYPTED)
    media.leg(A).local, media.leg(B).local = replace(LOCAL_A, secure=OURS), LOCAL_B
    return media


def test_an_encrypted_caller_is_answered_with_our_key_and_the_callee_sees_neither() -> None:
    media = encrypted()
    far = media.caller_far()
    assert far is not None and far.secure is not None and far.secure.cryptos[0].key == KEY
    offer = media.offer_to_callee()
    assert b"RTP/AVP" in offer and b"crypto" not in offer
    media.take_callee(B_SDP)
    assert parse(media.sdp_for_caller()).secure == OURS


def test_a_driver_that_does_not_encrypt_refuses_an_encrypted_caller() -> None:
    with pytest.raises(SdpError) as caught:
        offered(ENCRYPTED)
    assert caught.value.status == 488


@pytest.mark.parametrize("change", [A_SDP, ENCRYPTED])
def test_a_leg_stays_as_encrypted_as_it_began(change: bytes) -> None:
    media = encrypted() if change is A_SDP else offered()
    media.offer_to_callee()
    with pytest.raises(SdpError):
        media.take_callee(ENCRYPTED)
    media.take_callee(B_SDP)
    media.sdp_for_caller()
    with pytest.raises(SdpError):
        take_change(media, A, change)


SUITE = "AES_CM_128_HMAC_SHA1_80"
MADE = Secure("RTP/SAVP", (Crypto(7, SUITE, "inline:" + "C" * 40),))


def keyed(body: bytes, tag: int = 7, suite: str = SUITE, protocol: bytes = b"RTP/SAVP") -> bytes:
    return body.replace(b"RTP/AVP", protocol) + f"a=crypto:{tag} {suite} {KEY}\r\n".encode()


def demanding() -> CallMedia:
    """The callee's trunk demands keys."""
    media = offered()
    media.leg(B).demands_keys = True
    media.leg(B).local = replace(LOCAL_B, secure=MADE)
    return media


def test_a_callee_of_which_keys_are_demanded_is_offered_ours_and_the_caller_sees_neither() -> None:
    media = demanding()
    assert media.with_keys(B) == (B,) and media.with_keys(A) == ()
    assert parse(media.offer_to_callee()).secure == MADE
    media.take_callee(keyed(B_SDP))
    assert media.leg(B).far_media().secure == Secure("RTP/SAVP", (Crypto(7, SUITE, KEY),))
    assert b"crypto" not in media.sdp_for_caller() and b"RTP/AVP" in media.sdp_for_caller()


@pytest.mark.parametrize("answer", [
    B_SDP, keyed(B_SDP, tag=1), keyed(B_SDP, suite="AES_CM_128_HMAC_SHA1_32"), keyed(B_SDP, protocol=b"RTP/SAVPF"),
])  # fmt: skip
def test_where_keys_are_demanded_no_other_answer_will_do(answer: bytes) -> None:
    media = demanding()
    media.offer_to_callee()
    with pytest.raises(SdpError) as caught:
        media.take_callee(answer)
    assert caught.value.status == 488


def test_a_new_offer_of_an_encrypted_callee_is_answered_with_its_tag_and_our_key() -> None:
    media = demanding()
    media.offer_to_callee()
    media.take_callee(keyed(B_SDP))
    media.sdp_for_caller()
    again = keyed(keyed(B_SDP, tag=1, suite="AEAD_AES_256_GCM"), tag=2).replace(b" 6000 ", b" 6002 ")
    answer, _ = take_change(media, B, again)
    assert parse(answer).secure == Secure("RTP/SAVP", (Crypto(2, SUITE, MADE.cryptos[0].key),))
    assert media.leg(B).far_media().secure == Secure("RTP/SAVP", (Crypto(7, SUITE, KEY),))
    offer_again(media, B, bridged=False)
    assert media.take_answer(B, keyed(B_SDP, tag=2)) in (True, False)
    with pytest.raises(SdpError):
        take_change(media, B, B_SDP)


def test_a_200_without_sdp_stands_for_the_early_answer() -> None:
    media = answered()
    media.take_callee(b"")
    far = media.leg(B).far_media()
    assert (far.address, far.port, far.nat) == ("198.51.100.99", 6000, False)


def test_a_200_without_any_sdp_is_no_answer() -> None:
    media = offered()
    media.offer_to_callee()
    with pytest.raises(SdpError):
        media.take_callee(b"")


def test_without_relay_each_side_is_given_the_others_address() -> None:
    media = offered(relay=False)
    assert parse(media.offer_to_callee()).address == "198.51.100.7"
    media.take_callee(B_SDP)
    assert (parse(media.sdp_for_caller()).address, parse(media.sdp_for_caller()).port) == ("198.51.100.99", 6000)


def test_without_relay_a_late_offer_has_no_address() -> None:
    with pytest.raises(SdpError):
        CallMedia(False, 1, 2).take_offer(b"")


def test_a_late_offer_asks_the_callee_first_and_the_caller_in_the_200() -> None:
    media = offered(b"")
    assert media.late and media.caller_far() is None
    assert [codec.name for codec in parse(media.offer_to_callee()).codecs] == [codec.name for codec in OUR_OFFER]
    media.take_callee(B_SDP)
    assert [codec.name for codec in parse(media.sdp_for_caller()).codecs] == ["PCMU", "telephone-event"]
    assert media.leg(A).awaits_answer
    assert media.take_answer(A, sdp(codecs="0"))
    assert media.leg(A).far_media().port == 4000 and not media.leg(A).awaits_answer


def test_a_late_answer_must_share_a_codec() -> None:
    media = offered(b"")
    media.offer_to_callee()
    media.take_callee(B_SDP)
    media.sdp_for_caller()
    with pytest.raises(SdpError):
        media.take_answer(A, sdp(codecs="8"))


def test_the_same_sdp_keeps_its_version_and_a_changed_one_moves_it() -> None:
    media = answered()
    assert origin(media.sdp_for_caller()).startswith("o=- 11 1 ")
    body, moved = take_change(media, A, sdp(direction="sendonly"))
    assert origin(body).startswith("o=- 11 2 ") and b"a=recvonly" in body
    # The driver has to know that silence is to be expected.
    assert moved and media.leg(A).far_media().direction == "sendonly"


def test_a_new_address_is_to_be_attached() -> None:
    media = answered()
    body, moved = take_change(media, B, sdp("198.51.100.98", 6002, "0"))
    assert moved and media.leg(B).far_media().address == "198.51.100.98"
    assert parse(body).address == "203.0.113.1"


def test_hold_by_the_unspecified_address_is_told_to_the_driver() -> None:
    media = answered()
    body, moved = take_change(media, A, sdp("0.0.0.0"))
    assert moved and media.leg(A).far_media().address == "0.0.0.0"
    assert b"a=recvonly" in body


@pytest.mark.parametrize("codecs", ["8", "101"])
def test_a_change_to_codecs_that_were_not_agreed_is_refused(codecs: str) -> None:
    media = answered()
    with pytest.raises(SdpError) as caught:
        take_change(media, A, sdp(codecs=codecs))
    assert caught.value.status == 488


def test_each_side_keeps_its_own_payload_types() -> None:
    media = offered()
    media.offer_to_callee()
    media.take_callee(sdp("198.51.100.99", 6000, "0 96", extra="a=rtpmap:96 telephone-event/8000\r\n"))
    assert [codec.payload_type for codec in parse(media.sdp_for_caller()).codecs] == [0, 101]
    assert [codec.payload_type for codec in media.leg(B).far_media().codecs] == [0, 96]


def test_a_new_payload_type_is_to_be_attached() -> None:
    media = answered()
    moved_event = sdp("198.51.100.99", 6000, "0 96", extra="a=rtpmap:96 telephone-event/8000\r\n")
    body, moved = take_change(media, B, moved_event)
    assert moved and [codec.payload_type for codec in parse(body).codecs] == [0, 101]


def test_without_relay_a_new_address_is_nobodys_to_attach() -> None:
    media = offered(relay=False)
    media.offer_to_callee()
    media.take_callee(B_SDP)
    media.sdp_for_caller()
    assert take_change(media, A, sdp(port=4002))[1] is False


def test_a_codec_left_out_for_a_while_may_come_back() -> None:
    media = answered()
    assert b"telephone-event" not in take_change(media, A, sdp(codecs="0"))[0]
    assert b"telephone-event" in take_change(media, A, sdp(codecs="0 101"))[0]


def test_a_request_without_offer_gets_ours_in_the_full_direction() -> None:
    media = answered()
    take_change(media, A, sdp(direction="sendonly"))
    again = offer_again(media, A, bridged=False)
    assert b"a=sendrecv" in again and media.leg(A).awaits_answer


def test_an_unusual_packet_time_is_not_passed() -> None:
    leg = LegMedia(1)
    leg.local = LocalMedia("203.0.113.1", 20_000, 20_001)
    assert b"ptime" not in leg.write(OUR_OFFER, "sendrecv", 37)
    assert b"a=ptime:30" in leg.write(OUR_OFFER, "sendrecv", 30)
