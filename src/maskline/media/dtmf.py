"""Digits in RTP: telephone events (RFC 4733), read and written.

What it is: the state of one party's events, fed with every event packet in whatever order and number the network
delivers them, and the payloads of a digit we press. A digit is told once, when it ends: at its first end packet, or
when the next one begins, or, all its end packets being lost, some moments after its last update. What it is not: a
reader of RTP headers or of tones in the audio (`media/inband.py`). Who uses it: the embedded relay, the lab's phones.
"""

from __future__ import annotations

import struct
from collections import deque

DIGITS = "0123456789*#ABCD"
"""By event code (RFC 4733 §3.2, table 3)."""
LOST_END = 0.15
"""Seconds without an update after which a digit has ended: three updates of the slowest senders, which send every 50
ms."""
LONGEST_MS = 8000
"""That a pressed digit may last: its duration is a 16-bit count of ticks."""

_PAYLOAD = struct.Struct(">BBH")
_END = 0x80
_SEGMENT = 0xFFFF
"""Ticks after which a long event goes on under a new timestamp (RFC 4733 §2.5.2.3)."""
_RESTARTED = 5 * 8000
"""A step back further than this is a new clock, not a late packet."""
_REMEMBERED = 8
"""Digits ended of late, whose late packets are known again."""
_TICKS_PER_MS = 8
_VOLUME = 10
"""-10 dBm0, as usual."""
_END_PACKETS = 3


class EventReader:
    """One party's telephone events. Nothing it is fed makes it raise."""

    __slots__ = ("_code", "_ended", "_seen_at", "_ssrc", "_timestamp")

    def __init__(self) -> None:
        self._ssrc = -1
        self._code = -1
        """Of the event now going on; -1: none."""
        self._timestamp = 0
        """Of the event now going on, or of the last segment of it."""
        self._ended: deque[int] = deque(maxlen=_REMEMBERED)
        """Timestamps of events that are over."""
        self._seen_at = 0.0

    def take(self, ssrc: int, timestamp: int, payload: bytes, now: float) -> str:
        """One event packet; returns the digits that ended with it: none, one, or two."""
        if len(payload) < 4:
            return ""
        code, flags, _ = _PAYLOAD.unpack_from(payload)
        if code >= len(DIGITS):
            return ""  # flash, tones, fax: not pressed keys
        ended = ""
        if ssrc != self._ssrc:
            ended = self._finish()
            self._ssrc = ssrc
            self._ended.clear()
        if self._is_over(timestamp):
            return ended
        if self._code < 0 or timestamp != self._timestamp:
            if code == self._code and (timestamp - self._timestamp) & 0xFFFFFFFF in (_SEGMENT, _SEGMENT + 1):
                self._ended.append(self._timestamp)  # the same key, held for more than eight seconds
            else:
                ended += self._finish()
                self._code = code
            self._timestamp = timestamp
        self._seen_at = now
        return ended + self._finish() if flags & _END else ended

    def expire(self, now: float) -> str:
        """The digit whose end packets were all lost, once that is certain enough."""
        return self._finish() if self._code >= 0 and now - self._seen_at >= LOST_END else ""

    def _is_over(self, timestamp: int) -> bool:
        """A repeated end packet, or a late packet of an event before."""
        if timestamp in self._ended:
            return True
        latest = self._timestamp if self._code >= 0 else self._ended[-1] if self._ended else timestamp
        return 0 < (latest - timestamp) & 0xFFFFFFFF <= _RESTARTED

    def _finish(self) -> str:
        if self._code < 0:
            return ""
        digit = DIGITS[self._code]
        self._code = -1
        self._ended.append(self._timestamp)
        return digit


def press(digit: str, duration_ms: int) -> list[bytes]:
    """The payloads of a digit, one every 20 ms, all under the timestamp of the first, which alone carries the marker;
    the last three are the end packet. Raises `ValueError` for what is no key."""
    code = DIGITS.find(digit.upper()) if len(digit) == 1 else -1
    if code < 0:
        raise ValueError("not a key")
    ticks = min(max(duration_ms, 40), LONGEST_MS) * _TICKS_PER_MS
    updates = [_PAYLOAD.pack(code, _VOLUME, done) for done in range(160, ticks, 160)]
    return updates + [_PAYLOAD.pack(code, _END | _VOLUME, ticks)] * _END_PACKETS
