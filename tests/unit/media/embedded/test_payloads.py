"""Payload types from leg to leg."""

from __future__ import annotations

from maskline.media.embedded.payloads import KEPT, REFUSED, routes_between
from maskline.media.g711 import A_TO_MU, MU_TO_A
from maskline.sdp.session import Codec

PCMU, PCMA = Codec(0, "PCMU"), Codec(8, "PCMA")


def test_the_same_codec_keeps_or_changes_its_payload_type_with_its_marker() -> None:
    routes, recodings = routes_between((PCMU, Codec(101, "telephone-event")), (PCMU, Codec(96, "telephone-event")))
    assert (routes[0], routes[0x80]) == (0, 0x80)
    assert (routes[101], routes[101 | 0x80]) == (96, 96 | 0x80)
    assert not recodings.keys() & {0, 0x80, 101}


def test_legs_of_different_laws_are_recoded() -> None:
    routes, recodings = routes_between((PCMU,), (PCMA,))
    assert (routes[0], routes[8]) == (8, 8)
    assert recodings == {0: MU_TO_A, 0x80: MU_TO_A}
    routes, recodings = routes_between((PCMA,), (PCMU,))
    assert recodings == {8: A_TO_MU, 0x88: A_TO_MU}


def test_the_same_law_is_preferred_over_recoding() -> None:
    routes, recodings = routes_between((PCMA, PCMU), (PCMU, PCMA))
    assert (routes[0], routes[8]) == (0, 8)
    assert recodings == {}


def test_what_was_agreed_and_the_other_side_does_not_understand_is_kept_and_the_rest_refused() -> None:
    routes, _ = routes_between((PCMU, Codec(101, "telephone-event"), Codec(9, "G722")), (PCMU,))
    assert routes[101] == routes[101 | 0x80] == routes[9] == KEPT
    assert routes[13] == routes[34] == REFUSED
    routes, _ = routes_between((PCMU,), (Codec(9, "G722"),))
    assert (routes[0], routes[8]) == (KEPT, REFUSED)


def test_comfort_noise_crosses_under_the_number_each_side_gave_it() -> None:
    noise = Codec(13, "CN")
    routes, recodings = routes_between((PCMU, noise), (PCMA, noise))
    assert (routes[13], routes[13 | 0x80]) == (13, 13 | 0x80)
    assert 13 not in recodings
    assert routes_between((PCMU, noise), (PCMU, Codec(118, "CN")))[0][13] == 118
    assert routes_between((PCMU, noise), (PCMU,))[0][13] == KEPT


def test_wideband_both_have_passes_as_it_is() -> None:
    routes, recodings = routes_between((Codec(9, "G722"), PCMU), (Codec(9, "G722"), PCMA))
    assert (routes[9], routes[0]) == (9, 8)
    assert 9 not in recodings


def test_blocked_digits_are_kept() -> None:
    events = Codec(101, "telephone-event")
    routes, _ = routes_between((PCMU, events), (PCMU, events), digits=False)
    assert (routes[0], routes[101], routes[101 | 0x80]) == (0, KEPT, KEPT)


def test_wideband_of_the_same_name_is_not_recoded() -> None:
    routes, _ = routes_between((Codec(96, "PCMU", 16_000),), (PCMA, Codec(97, "PCMA", 16_000)))
    assert routes[96] == KEPT


def test_a_dynamic_payload_type_may_replace_a_static_one() -> None:
    routes, recodings = routes_between((Codec(0, "G722"),), (Codec(9, "G722"), PCMA))
    assert routes[0] == 9
    assert 0 not in recodings
