"""Figures of a call that two workers relayed, the first until it was killed.

What it is: the sum of what both counted. What it is not: exact; the first one's last report is up to some seconds older
than its end. Who uses it: `wanted.py`, for the driver's `stats` and `close`.
"""

from __future__ import annotations

from maskline.masking.call_record import Quality
from maskline.media.quality import mos


def joined(first: Quality | None, second: Quality | None) -> Quality | None:
    """Counts are added, jitter and what the far sides reported weighted by packets, the MOS made anew."""
    if first is None or second is None:
        return first or second
    received = first.packets_received + second.packets_received
    lost = first.packets_lost + second.packets_lost
    share = first.packets_received / received
    loss = lost / (received + lost)
    jitter = _mean(first.jitter_ms, second.jitter_ms, share) or 0.0
    round_trip = second.round_trip_ms if second.round_trip_ms is not None else first.round_trip_ms
    return Quality(
        mos=round(mos(loss, jitter, (round_trip or 0.0) / 2.0), 2),
        packet_loss=loss,
        jitter_ms=round(jitter, 3),
        packets_received=received,
        packets_lost=lost,
        packets_relayed=first.packets_relayed + second.packets_relayed,
        far_mos=_mean(first.far_mos, second.far_mos, share, digits=2),
        far_packet_loss=_mean(first.far_packet_loss, second.far_packet_loss, share, digits=6),
        far_jitter_ms=_mean(first.far_jitter_ms, second.far_jitter_ms, share),
        round_trip_ms=round_trip,
    )


def _mean(first: float | None, second: float | None, share: float, *, digits: int = 3) -> float | None:
    if first is None or second is None:
        return first if second is None else second
    return round(share * first + (1.0 - share) * second, digits)
