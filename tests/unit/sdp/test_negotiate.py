"""Which codecs cross, and how."""

from __future__ import annotations

import pytest

from maskline.sdp import negotiate
from maskline.sdp.session import Codec

PCMU, PCMA = Codec(0, "PCMU"), Codec(8, "PCMA")
EVENTS = Codec(101, "telephone-event", fmtp="0-16,66,70")


def test_allowed_codecs_keep_order_and_payload_types() -> None:
    offered = (Codec(97, "SPEEX"), PCMA, PCMU, EVENTS)
    assert negotiate.filter_codecs(offered) == (PCMA, PCMU, Codec(101, "telephone-event", fmtp="0-15"))
    assert negotiate.filter_codecs(offered, ("PCMU",)) == (PCMU,)


@pytest.mark.parametrize(
    "codec",
    [
        Codec(97, "15550100"),
        Codec(97, "PCMU", 155501),
        Codec(97, "PCMU", 8000, 15),
        Codec(65, "PCMU"),
        Codec(8, "PCMU"),
    ],
)
def test_a_number_cannot_ride_on_an_encoding(codec: Codec) -> None:
    assert negotiate.filter_codecs((codec,)) == ()


def test_static_payload_types_keep_the_encoding_they_were_given() -> None:
    every = tuple([Codec(kind, name) for kind, name in negotiate.STATIC.items()])
    assert negotiate.filter_codecs(every) == every
    assert negotiate.filter_codecs((PCMU, *[Codec(kind, "ILBC") for kind in (15, 55, 1, 0, 10)])) == (PCMU,)
    assert negotiate.filter_codecs((Codec(96, "ILBC"), Codec(127, "PCMU"))) == (Codec(96, "ILBC"), Codec(127, "PCMU"))


def test_events_and_comfort_noise_alone_are_no_audio() -> None:
    assert negotiate.filter_codecs((EVENTS, Codec(13, "CN"))) == ()
    assert not negotiate.has_audio((EVENTS, Codec(13, "CN")))
    assert negotiate.filter_codecs((PCMU, Codec(13, "CN"))) == (PCMU, Codec(13, "CN"))


@pytest.mark.parametrize(
    ("name", "fmtp", "crossing"),
    [
        ("ILBC", "mode=30; x=15550100", "mode=30"),
        ("ILBC", "mode=15550100", ""),
        ("G729", "AnnexB=NO", "annexb=no"),
        ("OPUS", "useinbandfec=1;maxplaybackrate=48000;cbr=7", "useinbandfec=1;maxplaybackrate=48000"),
        ("AMR", "mode-set=0,2,4,7; octet-align=1; max-red=0", "mode-set=0,2,4,7;octet-align=1;max-red=0"),
        ("AMR", "mode-set=1,5,5,5,0,1,0,0", "mode-set=0,1,5"),
        ("AMR", "max-red=15;max-red=55;max-red=01;max-red=00", "max-red=15"),
        ("PCMU", "number=15550100", ""),
    ],
)
def test_format_parameters_cross_only_from_the_allow_list(name: str, fmtp: str, crossing: str) -> None:
    (codec,) = negotiate.filter_codecs((Codec(97, name, fmtp=fmtp),))
    assert codec.fmtp == crossing


def test_the_answer_to_a_uses_as_payload_types_in_bs_order() -> None:
    offered = (PCMU, Codec(98, "ILBC", fmtp="mode=30"), EVENTS)
    answered = (Codec(110, "ILBC", fmtp="mode=20;x=1"), Codec(0, "PCMU"), Codec(96, "telephone-event"), PCMA)
    assert negotiate.answer_codecs(offered, answered) == (
        Codec(98, "ILBC", fmtp="mode=20"), PCMU, Codec(101, "telephone-event", fmtp="0-15"),
    )  # fmt: skip


def test_each_offered_codec_is_answered_once() -> None:
    assert negotiate.answer_codecs((PCMU,), (PCMU, Codec(96, "PCMU"))) == (PCMU,)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("sendonly", "recvonly"), ("recvonly", "sendonly"), ("sendrecv", "sendrecv"), ("inactive", "inactive")],
)
def test_directions_are_mirrored(theirs: str, ours: str) -> None:
    assert negotiate.mirror_direction(theirs) == ours
