"""Quality of received RTP: sequence and jitter counting, and the E-model that turns them into a MOS.

What it is: arithmetic. `ReceiverCounts` is fed once per packet by the relay, so a packet in order takes its short
path; `mos` is G.107 for G.711 with packet loss concealment. What it is not: a reader of packets; `rtp.py` and the
relay take the fields out. Who uses it: the embedded relay per packet, the rtpengine driver for `mos` alone.
"""

from __future__ import annotations

from maskline.masking.call_record import Quality

MAX_DROPOUT = 3000
"""A jump ahead this far is another stream, not loss (RFC 3550 appendix A.1)."""
MAX_MISORDER = 100
"""A step back this far is another stream, not reordering (RFC 3550 appendix A.1)."""
_REMEMBERED_GAPS = 1024
"""Missing numbers kept so that a late packet is told from a duplicate; older ones are lost for good."""

_R0 = 93.2
"""G.107 default: no impairment but the codec's own."""
_BPL = 23.0
"""Robustness of G.711 with PLC against random loss of packets of 20 ms. G.113 appendix I has 25.1 for 10 ms, which is
kinder than rtpengine from 20 % loss on (docs/decisions/0026)."""
_DELAY_KNEE_MS = 177.3
"""From here on delay disturbs the talk itself (G.107 in the usual linear form)."""


def mos(loss: float, jitter_ms: float = 0.0, delay_ms: float = 0.0) -> float:
    """Mean opinion score, 1.0 to 4.41, of G.711 with PLC.

    `loss` is a fraction, 0.0 to 1.0; `delay_ms` is one way. A receiver hides jitter behind a buffer of about twice
    its size plus one 10 ms step, which is delay to the listener.
    """
    percent = 100.0 * min(max(loss, 0.0), 1.0)
    delay = delay_ms + 2.0 * jitter_ms + 10.0
    delay_impairment = 0.024 * delay + 0.11 * max(0.0, delay - _DELAY_KNEE_MS)
    rating = min(max(_R0 - delay_impairment - 95.0 * percent / (percent + _BPL), 0.0), 100.0)
    score = 1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7e-6
    return max(1.0, score)  # the cubic dips just under 1 for ratings below 6.5


class ReceiverCounts:
    """What one leg's far side sent us, over all its streams: a new SSRC or a restarted sequence goes on counting."""

    __slots__ = (
        "_bad_next",
        "_base",
        "_deviation_sum",
        "_deviations",
        "_missing",
        "_transit",
        "clock_rate",
        "duplicates",
        "extended_max",
        "jitter_ticks",
        "last_timestamp",
        "lost",
        "received",
        "ssrc",
    )

    def __init__(self, clock_rate: int = 8000) -> None:
        self.clock_rate = clock_rate
        self.ssrc = -1
        """Of the stream now received; -1 before the first packet."""
        self.received = 0
        """Different packets; duplicates are not in it."""
        self.lost = 0
        self.duplicates = 0
        self.extended_max = 0
        """Highest sequence number with the count of wraps above its 16 bits (RFC 3550 §6.4.1)."""
        self.jitter_ticks = 0.0
        """The running estimate of RFC 3550 §6.4.1, in timestamp units."""
        self._base = 0
        self._bad_next = -1
        self._missing: set[int] = set()
        self._transit = 0.0
        self.last_timestamp = -1
        """Of the last packet in time; -1 before a stream's first."""
        self._deviation_sum = 0.0
        self._deviations = 0

    def count(self, ssrc: int, sequence: int, timestamp: int, arrival: float) -> bool:
        """Count one packet that arrived at `arrival` (monotonic seconds).

        False: not counted and not to be relayed, because it is a duplicate, or so far from the sequence that only a
        second packet beside it proves a restarted sender (RFC 3550 appendix A.1).
        """
        if ssrc != self.ssrc:
            self._begin(ssrc, sequence)
        else:
            ahead = (sequence - self.extended_max) & 0xFFFF
            if ahead == 1:
                self.extended_max += 1
                self._bad_next = -1
            elif not self._place(sequence, ahead):
                return False
        self.received += 1
        # Packets of one telephone event repeat its first timestamp (RFC 4733 §2.5.1.2): they say nothing of jitter.
        if timestamp != self.last_timestamp:
            transit = arrival * self.clock_rate - timestamp
            deviation = abs(transit - self._transit)
            self._transit = transit
            # More than a second is a new time base (first packet, wrap, restart), not jitter.
            if deviation < self.clock_rate:
                self.jitter_ticks += (deviation - self.jitter_ticks) / 16.0
                self._deviation_sum += deviation
                self._deviations += 1
            self.last_timestamp = timestamp
        return True

    def _begin(self, ssrc: int, sequence: int) -> None:
        self.ssrc = ssrc
        self._restart(sequence)
        self.last_timestamp = -1
        self.jitter_ticks = 0.0

    def _restart(self, sequence: int) -> None:
        self._base = self.extended_max = sequence
        self._bad_next = -1
        self._missing.clear()

    def _place(self, sequence: int, ahead: int) -> bool:
        """A packet out of order; True when it counts as received."""
        if 1 < ahead < MAX_DROPOUT:
            first = self.extended_max + 1
            self.extended_max += ahead
            self.lost += ahead - 1
            self._missing.update(range(first, self.extended_max))
            self._forget_old_gaps()
            return True
        if sequence == self._bad_next:  # two in a row from the new place: the sender restarted
            self._restart(sequence)
            return True
        behind = 0x10000 - ahead if ahead else 0
        if behind <= MAX_MISORDER:
            return self._fill(self.extended_max - behind)
        self._bad_next = (sequence + 1) & 0xFFFF
        return False

    def _fill(self, extended: int) -> bool:
        if extended in self._missing:
            self._missing.discard(extended)
            self.lost -= 1
            return True
        if extended < self._base:  # overtaken by the first we saw; what lies between is expected from now on
            self.lost += self._base - extended - 1
            self._missing.update(range(extended + 1, self._base))
            self._base = extended
            return True
        self.duplicates += 1
        return False

    def _forget_old_gaps(self) -> None:
        if len(self._missing) > _REMEMBERED_GAPS:
            oldest = self.extended_max - MAX_MISORDER
            self._missing = {gap for gap in self._missing if gap >= oldest}

    @property
    def expected(self) -> int:
        return self.received + self.lost

    @property
    def loss(self) -> float:
        """Fraction of expected packets that never came."""
        return self.lost / self.expected if self.received else 0.0

    @property
    def jitter_ms(self) -> float:
        """Mean deviation over all streams: what `jitter_ticks` smooths, without the noise of its last moments."""
        if not self._deviations:
            return 0.0
        return 1000.0 * self._deviation_sum / self._deviations / self.clock_rate

    def quality(self, *, relayed: int = 0, far: FarReports | None = None) -> Quality | None:
        """The figures for the call record; None when not one packet came."""
        if not self.received:
            return None
        one_way_ms = far.round_trip_ms / 2.0 if far is not None else 0.0
        reported = far is not None and far.blocks > 0
        return Quality(
            mos=round(mos(self.loss, self.jitter_ms, one_way_ms), 2),
            packet_loss=self.loss,
            jitter_ms=round(self.jitter_ms, 3),
            packets_received=self.received,
            packets_lost=self.lost,
            packets_relayed=relayed,
            far_mos=round(mos(far.loss, far.jitter_ms, one_way_ms), 2) if far is not None and reported else None,
            far_packet_loss=far.loss if far is not None and reported else None,
            far_jitter_ms=round(far.jitter_ms, 3) if far is not None and reported else None,
            round_trip_ms=round(far.round_trip_ms, 3) if far is not None and far.round_trip_ms else None,
        )


class FarReports:
    """What the far side's report blocks say of our stream to it (RFC 3550 §6.4.1), summed over the call."""

    __slots__ = ("_highest", "_jitter_sum", "_lost", "_reported", "blocks", "clock_rate", "round_trip_ms")

    _FIRST = 250
    """Packets that the first block is taken to speak of, since it does not say where it began: 5 s of 20 ms."""

    def __init__(self, clock_rate: int = 8000) -> None:
        self.clock_rate = clock_rate
        self.blocks = 0
        self.round_trip_ms = 0.0
        """As last measured; 0 when it never was."""
        self._highest = 0
        self._lost = 0.0
        self._reported = 0
        self._jitter_sum = 0.0

    def count(self, fraction_lost: float, highest: int, jitter_ticks: int) -> None:
        """One block. The fraction is of the packets since the block before, so a far side that starts its cumulative
        count anew (a codec change in the call) does not falsify the sum."""
        ahead = (highest - self._highest) & 0xFFFFFFFF
        packets = ahead if self.blocks and ahead < MAX_DROPOUT else self._FIRST
        self._highest = highest
        self._lost += fraction_lost * packets
        self._reported += packets
        self._jitter_sum += jitter_ticks
        self.blocks += 1

    @property
    def loss(self) -> float:
        """Fraction of what we sent that never came, 0.0 to 1.0."""
        return self._lost / self._reported if self._reported else 0.0

    @property
    def jitter_ms(self) -> float:
        """Mean of the blocks."""
        return 1000.0 * self._jitter_sum / self.blocks / self.clock_rate if self.blocks else 0.0
