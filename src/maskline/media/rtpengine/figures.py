"""Quality figures out of rtpengine's `query` and `delete` replies.

What it is: the reading of one reply shape (mr10.5). What it is not: a request. Who uses it: `driver.py`.

rtpengine reports loss and jitter only as the parties' RTCP tells them: the entry under an SSRC speaks of what that
SSRC's owner received. So what leg A's far side sent is rated by leg B's reports, and what leg A's says it heard from
us is in its own; without any, the packet counts remain, the loss is taken as none, and the figures say that it is not
known. The daemon does count loss itself, but tells it to the parties only, in the reports that it makes
(`generate-RTCP`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from maskline.masking.call_record import Quality
from maskline.masking.facts import LegName
from maskline.media.quality import mos

_OTHER = {LegName.A: LegName.B, LegName.B: LegName.A}


def read_figures(reply: dict[str, Any]) -> dict[LegName, Quality]:
    figures = ((leg, _quality(reply, leg)) for leg in LegName)
    return {leg: quality for leg, quality in figures if quality is not None}


def packets_accepted(reply: dict[str, Any]) -> int:
    """RTP and RTCP packets of both far sides; grows as long as anybody is there, on hold or not."""
    return sum(_less_errors(stream) for leg in LegName for stream in _streams(reply, leg))


def _streams(reply: dict[str, Any], leg: LegName) -> list[dict[str, Any]]:
    """RTP and RTCP stream of a leg's tag, in this order; empty when the reply has none."""
    medias = reply.get("tags", {}).get(leg.value, {}).get("medias") or [{}]
    streams: list[dict[str, Any]] = medias[0].get("streams") or []
    return streams


def learned(reply: dict[str, Any], leg: LegName, component: int) -> tuple[str, int] | None:
    """Where RTP (component 0) or RTCP (1) of a leg's far side comes from, once the daemon is sure of it."""
    for stream in _streams(reply, leg)[component : component + 1]:
        endpoint = stream.get("endpoint", {})
        if "confirmed" in stream.get("flags", ()) and endpoint.get("port"):
            return str(endpoint["address"]), int(endpoint["port"])
    return None


def has_keys(reply: dict[str, Any], leg: LegName) -> bool:
    """Whether DTLS with a leg's far side has come as far as its certificate, which arrives with its last message."""
    return any("DTLS fingerprint verified" in stream.get("flags", ()) for stream in _streams(reply, leg)[:1])


def _accepted(reply: dict[str, Any], leg: LegName) -> int:
    """RTP packets of the far side; the daemon counts a stranger's among `packets` too, and as `errors`."""
    return next(map(_less_errors, _streams(reply, leg)), 0)


def _less_errors(stream: dict[str, Any]) -> int:
    counts: dict[str, int] = stream.get("stats", {})
    return max(0, counts.get("packets", 0) - counts.get("errors", 0))


def _heard(reply: dict[str, Any], listener: LegName) -> dict[str, Any]:
    """What this leg's reports say; its SSRC is known from its RTCP alone when it never spoke."""
    entries: dict[str, dict[str, Any]] = reply.get("SSRC") or {}
    for stream in _streams(reply, listener):
        if str(stream.get("SSRC")) in entries:
            return entries[str(stream["SSRC"])]
    return {}


def _quality(reply: dict[str, Any], leg: LegName) -> Quality | None:
    received = _accepted(reply, leg)
    if not received:
        return None
    # Our own E-model over rtpengine's figures, so that records of both drivers can be compared.
    heard = _Heard.of(_heard(reply, _OTHER[leg]), received)
    told = _Heard.of(_heard(reply, leg), _accepted(reply, _OTHER[leg]))
    return Quality(
        mos=heard.mos,
        packet_loss=heard.loss,
        jitter_ms=heard.jitter_ms,
        packets_received=received,
        packets_lost=heard.lost,
        packets_relayed=received,
        far_mos=told.mos if told.known else None,
        far_packet_loss=told.loss if told.known else None,
        far_jitter_ms=told.jitter_ms if told.known else None,
        round_trip_ms=told.round_trip_ms if told.known else None,
        loss_known=heard.known,
    )


@dataclass(frozen=True, slots=True)
class _Heard:
    """What one listener says of `sent` packets that the daemon relayed to it."""

    known: bool
    lost: int
    loss: float
    jitter_ms: float
    mos: float
    round_trip_ms: float
    """Between the daemon and the listener, if it tells that apart from the way to the other party."""

    @classmethod
    def of(cls, entry: dict[str, Any], sent: int) -> _Heard:
        average = entry.get("average MOS", {})
        lost = max(0, entry.get("cumulative loss", 0))
        loss = lost / (sent + lost) if sent + lost else 0.0
        jitter_ms = float(average.get("jitter", 0))
        score = round(mos(loss, jitter_ms, average.get("round-trip time", 0) / 2000.0), 2)
        round_trip = average.get("round-trip time leg", average.get("round-trip time", 0)) / 1000.0
        return cls(bool(average), lost, loss, jitter_ms, score, round_trip)
