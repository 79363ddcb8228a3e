"""One channel of a recording: where in time each packet's samples belong.

What it is: the placement of one leg's packets on the wall clock, over all its RTP streams. What it is not: decoding or
files (`convert.py`). Times are seconds since the recording began, positions are samples.

A packet belongs where its timestamp says, counted from an anchor: arrival alone would turn jitter into gaps. The anchor
is the least delayed packet of the next two seconds, and is led slowly after what is more than `SLACK` off it: a
sender's clock that runs fast or slow is followed a sample at a time, and nobody hears it. When a stream is off by more
than `TOLERANCE` for good (hold without timestamps, a sender's restart, a jump), it is anchored anew; a burst after a
stall of the network, which catches up within that time, is not. What never came stays silent.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]

RATE = 8000
"""Samples per second of every track."""
LOOK_AHEAD = 2.0
"""Seconds a packet waits for the ones after it."""
TOLERANCE = 0.2 * RATE
"""How far a stream may be off its anchor before it is anchored anew (media.md §6)."""
SLACK = 0.03 * RATE
"""How far a stream may be off its anchor without being led after it. The least delay of two seconds wavers by some
milliseconds on a busy machine; following that costs a sample now and then, and a recording that slips by single samples
is 0.7 like what was sent and not 0.99 (measured against baresip over 30 s)."""
SLEW = 0.05
"""Samples the anchor moves with each packet at most: a clock that is wrong by 300 in a million is followed."""
_STREAMS = 8
"""Streams of one leg that are kept apart; a sender that changes its SSRC all the time is no reason to keep more."""
_HALF, _MASK = 1 << 31, (1 << 32) - 1


class _Packet(NamedTuple):
    number: int
    at: float
    timestamp: int
    """Without the wraps of its 32 bits."""
    offset: float
    """Position of its arrival less its timestamp: the stream's zero, plus this packet's delay."""
    samples: Samples


class _Stream:
    """The packets of one SSRC that wait for their place."""

    __slots__ = ("_anchor", "_last", "_lows", "_pushed", "_timestamp", "waiting")

    def __init__(self, timestamp: int) -> None:
        self._last = timestamp
        self._timestamp = timestamp
        self._anchor: float | None = None
        self._pushed = 0
        self.waiting: deque[_Packet] = deque()
        self._lows: deque[_Packet] = deque()
        """Of those that wait: ever higher offsets, the lowest first."""

    def push(self, at: float, timestamp: int, samples: Samples) -> None:
        self._timestamp += ((timestamp - self._last + _HALF) & _MASK) - _HALF
        self._last = timestamp
        packet = _Packet(self._pushed, at, self._timestamp, at * RATE - self._timestamp, samples)
        self._pushed += 1
        self.waiting.append(packet)
        while self._lows and self._lows[-1].offset >= packet.offset:
            self._lows.pop()
        self._lows.append(packet)

    def pop(self) -> tuple[int, Samples]:
        """The position of the packet that waits longest."""
        packet, low = self.waiting[0], self._lows[0].offset
        anchor = self._anchor
        if anchor is None or low > anchor + TOLERANCE or packet.offset < anchor - TOLERANCE:
            anchor = self._least_delayed()
        elif low > anchor - TOLERANCE:  # else the low is of what comes after a jump
            excess = low - min(max(low, anchor - SLACK), anchor + SLACK)
            anchor += min(max(excess, -SLEW), SLEW)
        self._anchor = anchor
        self.waiting.popleft()
        if self._lows[0].number == packet.number:
            self._lows.popleft()
        return round(packet.timestamp + anchor), packet.samples

    def _least_delayed(self) -> float:
        """Of those that wait, up to the next jump."""
        low = self.waiting[0].offset
        for packet in self.waiting:
            if packet.offset < low - TOLERANCE:
                break
            low = min(low, packet.offset)
        return low


class Track:
    """Feed packets in order of arrival, `advance` the time, and take samples from the front."""

    __slots__ = ("_buffer", "_end", "_origin", "_streams")

    def __init__(self) -> None:
        self._streams: dict[int, _Stream] = {}
        self._buffer = np.zeros(16 * RATE, np.int16)
        self._origin = 0
        """Position of the buffer's first sample; everything before it was taken."""
        self._end = 0
        """Behind the last packet that was placed."""

    def feed(self, at: float, ssrc: int, timestamp: int, samples: Samples) -> None:
        """One packet's samples, as it arrived `at` seconds."""
        stream = self._streams.get(ssrc)
        if stream is None:
            if len(self._streams) >= _STREAMS:
                self._drain(self._streams.pop(next(iter(self._streams))))
            stream = self._streams[ssrc] = _Stream(timestamp)
        stream.push(at, timestamp, samples)

    def advance(self, now: float) -> None:
        """Place what has waited long enough at `now`."""
        for stream in self._streams.values():
            while stream.waiting and stream.waiting[0].at < now - LOOK_AHEAD:
                self._put(*stream.pop())

    def finish(self) -> None:
        """Place all that waits: nothing more will come."""
        for stream in self._streams.values():
            self._drain(stream)

    def _drain(self, stream: _Stream) -> None:
        while stream.waiting:
            self._put(*stream.pop())

    def _put(self, position: int, samples: Samples) -> None:
        start = position - self._origin
        if start < 0:  # before the recording, or so late that its place was taken
            samples, start = samples[-start:], 0
        stop = start + len(samples)
        if stop > len(self._buffer):
            grown = np.zeros(max(stop, 2 * len(self._buffer)), np.int16)
            grown[: len(self._buffer)] = self._buffer
            self._buffer = grown
        if position == self._end + 1 and 0 < start < stop:
            self._buffer[start - 1] = self._buffer[start - 2] if start > 1 else samples[0]
        self._buffer[start:stop] = samples
        self._end = position + len(samples)

    def take(self, count: int) -> Samples:
        """The next `count` samples, silent where nothing was placed."""
        taken = np.zeros(count, np.int16)
        ready = min(count, len(self._buffer))
        taken[:ready] = self._buffer[:ready]
        rest = len(self._buffer) - ready
        self._buffer[:rest] = self._buffer[ready:]
        self._buffer[rest:] = 0
        self._origin += count
        return taken
