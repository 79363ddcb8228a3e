"""Figures out of rtpengine's replies, in the shape mr10.5 sends them."""

from __future__ import annotations

from typing import Any

import pytest

from maskline.masking.facts import LegName
from maskline.media.rtpengine.figures import packets_accepted, read_figures

A, B = LegName.A, LegName.B


def tag(packets: int, errors: int = 0, ssrc: int | None = None, rtcp_ssrc: int | None = None) -> dict[str, Any]:
    streams: list[dict[str, Any]] = [{"stats": {"packets": packets, "errors": errors}}, {"stats": {"packets": 1}}]
    for stream, number in zip(streams, (ssrc, rtcp_ssrc), strict=True):
        if number is not None:
            stream["SSRC"] = number
    return {"medias": [{"streams": streams}]}


HEARD = {
    "cumulative loss": 5,
    "average MOS": {"MOS": 40, "round-trip time": 40_000, "jitter": 19, "packet loss": 4, "samples": 1},
}


def test_what_a_sent_is_rated_by_the_reports_of_b() -> None:
    reply = {"tags": {"a": tag(95, ssrc=1), "b": tag(50, ssrc=2), "v": tag(0)}, "SSRC": {"2": HEARD}}
    figures = read_figures(reply)
    assert (figures[A].packets_received, figures[A].packets_lost, figures[A].packets_relayed) == (95, 5, 95)
    assert figures[A].packet_loss == pytest.approx(0.05)
    assert figures[A].jitter_ms == 19.0
    assert 3.7 <= figures[A].mos <= 4.0
    assert (figures[B].packets_lost, figures[B].packet_loss) == (0, 0.0)
    assert figures[B].mos == pytest.approx(4.40, abs=0.02)
    assert figures[A].far_mos is None, "A sent no report"
    assert (figures[B].far_packet_loss, figures[B].far_jitter_ms, figures[B].round_trip_ms) == (0.05, 19.0, 40.0)
    assert figures[B].far_mos == figures[A].mos, "what B heard is what A said"


def test_loss_that_nobody_told_of_is_said_to_be_unknown() -> None:
    timed = HEARD | {"average MOS": HEARD["average MOS"] | {"round-trip time leg": 25_000}}
    reply = {"tags": {"a": tag(95, ssrc=1), "b": tag(50, ssrc=2)}, "SSRC": {"2": timed}}
    figures = read_figures(reply)
    assert (figures[A].loss_known, figures[B].loss_known) == (True, False)
    assert figures[B].round_trip_ms == 25.0


def test_a_listener_that_never_spoke_is_known_by_its_rtcp() -> None:
    reply = {"tags": {"a": tag(95, ssrc=1), "b": tag(0, rtcp_ssrc=2)}, "SSRC": {"2": HEARD}}
    assert read_figures(reply)[A].packets_lost == 5
    assert set(read_figures(reply)) == {A}


def test_reports_on_nothing_are_a_loss_of_nothing() -> None:
    silent = {"cumulative loss": 0, "average MOS": {"MOS": 44, "round-trip time": 0, "jitter": 0}}
    reply = {"tags": {"a": tag(0), "b": tag(3, ssrc=2)}, "SSRC": {"2": silent}}
    assert read_figures(reply)[B].far_packet_loss == 0.0


def test_packets_of_strangers_are_not_received() -> None:
    reply = {"tags": {"a": tag(102, errors=7), "b": tag(3)}, "SSRC": {}}
    assert read_figures(reply)[A].packets_received == 95
    assert packets_accepted(reply) == 98 + 2


def test_a_negative_loss_is_none() -> None:
    reply = {"tags": {"a": tag(95), "b": tag(1, ssrc=2)}, "SSRC": {"2": {"cumulative loss": -3}}}
    assert read_figures(reply)[A].packets_lost == 0


@pytest.mark.parametrize("reply", [{}, {"tags": {}}, {"tags": {"a": {"medias": []}}}, {"tags": {"a": {}}}])
def test_an_unknown_call_has_no_figures(reply: dict[str, Any]) -> None:
    assert read_figures(reply) == {}
    assert packets_accepted(reply) == 0
