"""New calls wait here until everything of calls in progress is done, and are refused when they would wait too long.

What it is: a queue of unread INVITEs and the rule that opens and closes it. A server that takes what it cannot finish
loses calls it has begun; peers lost 5 to 41 % past their limit (design: peers.md). So a new call is read only while
nothing else waits, and its own delay is the signal: when the oldest has waited longer than `TARGET` for `PATIENCE` and
is no nearer to it than before, or longer than `LATEST` for `INTERVAL`, those older than `TARGET` are answered 503
without being parsed (CoDel's idea, with refusal for a drop). A stall refuses nobody as long as its backlog gets less;
when the load falls the queue is empty, and with it the rule is off. What it is not: sockets or time (`runner.py`), or a
limit by source (`guard.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from maskline.engine.counters import EngineCounters
from maskline.sip.flow import Flow

TARGET = 0.2
"""Seconds that a new call may wait: well below T1, after which it is sent again and the load feeds itself."""
LATEST = 0.4
"""Seconds after which there is no time left for a backlog to get less by itself: at T1, 0.5 s, they are sent again."""
INTERVAL = 0.2
"""Seconds of new calls that waited longer than `LATEST` until such are refused."""
PATIENCE = 1.0
"""The same of those that waited less. A core that is nine tenths full needs four seconds for the backlog of a stall of
0.4 s: with 0.2 s here, 190 of 60,000 calls were refused by a core that could have served them all."""
MAX_WAITING = 4_000
"""INVITEs held unread; beyond it they are dropped, and SIP sends them again."""
MAX_BYTES = 8 * 1024 * 1024
"""The same of their bytes, 2 kB each: a datagram may have 64 kB."""
MAX_UNWRITTEN = 3_000
"""Commits waiting for the disk above which no new call is taken, about a second of a full core's work. The writer is a
thread that gets its turn only when the loop has none: measured at twice the limit, it fell behind by 1,500 a second."""
UNWRITTEN_WHEN_REFUSING = MAX_UNWRITTEN // 2
"""The same while calls are refused: what is left of the room takes the usual load that comes after a peak, when the
disk has the peak still to write and a busy core writes little more than what is new."""
PAUSE = 0.005
"""Seconds to leave to the writer then."""
REFUSALS = 4_000.0
"""503 a second; beyond it is a flood, in which silence is the better answer."""
RETRY_AFTER = 2
"""Seconds, as told in the 503. Longer would take us out of a carrier's rotation for a peak that is over by then."""

Waiting = tuple[bytes, Flow, float]


class Admission:
    """The queue. `full` says that there is no room for another call whatever the delay; `unwritten` is the length of
    the recorder's queue; `refuse` answers 503 and tells whether it did, which it does not for a call we know."""

    __slots__ = (
        "_at_first", "_bytes", "_counters", "_full", "_refuse", "_tokens", "_tokens_at", "_unwritten", "above",
        "refusing", "waiting",
    )  # fmt: skip

    def __init__(
        self,
        refuse: Callable[[bytes, Flow, float], bool],
        full: Callable[[], bool],
        unwritten: Callable[[], int],
        counters: EngineCounters,
    ) -> None:
        self._refuse = refuse
        self._full = full
        self._unwritten = unwritten
        self._counters = counters
        self.waiting: deque[Waiting] = deque()
        self._bytes = 0
        self.refusing = False
        """New calls have been waiting for too long: they are refused, and so are those the API asks for."""
        self.above: float | None = None
        """Since when the oldest waited too long."""
        self._at_first = 0.0
        """How long it had waited then."""
        self._tokens, self._tokens_at = REFUSALS, 0.0

    def put(self, data: bytes, flow: Flow, since: float) -> None:
        """An INVITE that reached us at `since`; or a CANCEL, which is always read, but after the INVITE it is for."""
        if len(self.waiting) >= MAX_WAITING or self._bytes >= MAX_BYTES:
            self._counters.flooded += 1
            return
        self.waiting.append((data, flow, since))
        self._bytes += len(data)

    def serve(
        self, clock: Callable[[], float], take: Callable[[bytes, Flow], object], seconds: float, most: int = MAX_WAITING
    ) -> float | None:
        """Take or refuse what waits, oldest first, for so many seconds and until `most` were taken; in how many to go
        on, None: all done."""
        waiting = self.waiting
        if not waiting:
            return None
        now = clock()
        end = now + seconds
        while waiting:
            data, flow, since = waiting[0]
            late = now - since > TARGET
            if late:
                self._judge(now, now - since)
            else:
                self.above = None
            refuse = (late and self.refusing) or self._full()
            if not refuse and self._unwritten() > (UNWRITTEN_WHEN_REFUSING if self.refusing else MAX_UNWRITTEN):
                return PAUSE
            waiting.popleft()
            self._bytes -= len(data)
            if not refuse or data.startswith(b"CANCEL ") or not self._turn_away(data, flow, now):
                take(data, flow)
                most -= 1
            now = clock()
            if (now >= end or not most) and waiting:
                return 0.0
        self.refusing, self.above = False, None
        return None

    def _judge(self, now: float, waited: float) -> None:
        """The oldest is late."""
        if self.above is None:
            self.above, self._at_first = now, waited
        elif waited > LATEST:
            self.refusing = self.refusing or now - self.above > INTERVAL
        elif now - self.above > PATIENCE:
            if waited >= self._at_first:
                self.refusing = True
            self.above, self._at_first = now, waited

    def _turn_away(self, data: bytes, flow: Flow, now: float) -> bool:
        """False: it belongs to a call we know and has to be read."""
        self._tokens = min(REFUSALS, self._tokens + (now - self._tokens_at) * REFUSALS)
        self._tokens_at = now
        if self._tokens < 1.0:
            self._counters.flooded += 1
            return True
        if not self._refuse(data, flow, now):
            return False
        self._tokens -= 1.0
        self._counters.overloaded += 1
        return True
