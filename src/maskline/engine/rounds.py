"""What one round of the event loop does of all that waits: calls in progress first, new ones last, and not for long.

What it is: the order in which unread messages get their turn, and the time after which the loop looks at its other
sources again. An application's answer, a timer or a connection waits for the end of a round at most, so a round is
bounded in time, not in messages; what is started is finished before anything new is begun, since a call that waits
half-way is sent again by its phones and costs twice. What it is not: a queue of new calls and its rule
(`admission.py`), sockets or the loop (`runner.py`, its only user).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from maskline.engine.admission import Admission
from maskline.sip.flow import Flow

ROUND = 0.001
"""Seconds of messages of calls in progress. What else the loop does in a round is bounded alike, so that an answer
waits some milliseconds at most; longer rounds save nothing (the loop's own share of a round is 0.02 ms)."""
FIRST = 0.0005
"""Seconds of new calls where nothing else waits: one or two. Reading one cannot be interrupted."""
PATIENCE = 0.1
"""Seconds after which a new call gets a turn though others wait; half of what it may wait (`admission.TARGET`)."""
TAKEN_AT_ONCE = 8
"""Messages taken before anything is sent: a far side that wakes up for each message of ours costs us its waking. Eight
take 1 ms."""
MAX_MESSAGES = 20_000
"""Messages of calls in progress held unread, some 15 MB."""
MAX_BYTES = 32 * 1024 * 1024
"""And their bytes: a datagram may have 64 kB, and so many of those would be 1.3 GB."""


class Rounds:
    """`take` reads one message, `flush` performs and sends what that asked for."""

    __slots__ = ("_admission", "_bytes", "_clock", "_flush", "_take", "messages")

    def __init__(
        self, admission: Admission, take: Callable[[bytes, Flow], object], flush: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self._admission = admission
        self._take = take
        self._flush = flush
        self._clock = clock
        self.messages: deque[tuple[bytes, Flow]] = deque()
        """Of calls in progress, unread."""
        self._bytes = 0

    @property
    def full(self) -> bool:
        return len(self.messages) >= MAX_MESSAGES or self._bytes >= MAX_BYTES

    def put(self, data: bytes, flow: Flow) -> None:
        self.messages.append((data, flow))
        self._bytes += len(data)

    def serve(self, behind: bool) -> float | None:
        """One round. `behind`: more of calls in progress may wait in the socket. Returns in how many seconds to go on;
        None: nothing is left."""
        self.take_messages(self._clock() + ROUND)
        waiting = self._admission.waiting
        if not waiting:
            return 0.0 if self.messages else None
        more: float | None = 0.0
        if not (self.messages or behind):
            more = self._admission.serve(self._clock, self._take, FIRST)
            self._flush()
        elif self._clock() - waiting[0][2] > PATIENCE:
            more = self._admission.serve(self._clock, self._take, FIRST, most=1)
            self._flush()
        return 0.0 if self.messages else more

    def take_messages(self, until: float = float("inf")) -> None:
        """Read what is there of calls in progress, until that moment; and some, however late it is."""
        messages, take = self.messages, self._take
        while messages:
            for _ in range(min(len(messages), TAKEN_AT_ONCE)):
                data, flow = messages.popleft()
                self._bytes -= len(data)
                take(data, flow)
            self._flush()
            if self._clock() >= until:
                return
