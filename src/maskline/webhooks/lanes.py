"""One lane per receiver, so that a dead receiver delays nobody else.

What it is: the bookkeeping of who may be tried now: at most `slots` tries to one receiver at a time, a short
queue behind them, and for what comes on top the moment at which it may be asked for again. No IO, no clock.
What it is not: order within a call; the store hands out one row of a (subject, url) at a time. Who uses it:
`deliver.py`.

A receiver is scheme, host and port of a URL. Rows beyond the queue are given back to the store, each a little
later than the one before, at the pace the lane was seen to have: thousands of rows for a dead receiver are then
looked at about once a minute, and do not stand before other receivers' rows meanwhile.
"""

from __future__ import annotations

from collections import deque
from urllib.parse import urlsplit

from maskline.storage.store import OutboxRow

_FIRST_GUESS = 0.2  # seconds a try takes, until one was seen
_LONGEST_PARK = 60.0
_SHORTEST_PARK = 0.1


def lane_of(url: str) -> str:
    """`https://host:port`, lower case, without user info: also what a log line may show of a URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "invalid"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()


class _Lane:
    __slots__ = ("horizon", "queue", "seconds", "tries")

    def __init__(self) -> None:
        self.tries = 0
        self.queue: deque[OutboxRow] = deque()
        self.seconds = _FIRST_GUESS
        """How long a try takes, as a moving average."""
        self.horizon = 0.0
        """Wall seconds until which rows were given back so far."""


class Lanes:
    """`slots`: tries at a time per receiver. `queue`: rows held behind them; small, since their leases run."""

    __slots__ = ("_lanes", "_queue", "_slots", "queued", "tries")

    def __init__(self, slots: int = 8, queue: int = 32) -> None:
        self._lanes: dict[str, _Lane] = {}
        self._slots = slots
        self._queue = queue
        self.tries = 0
        """Tries going on, in all lanes."""
        self.queued = 0
        """Rows held behind them, in all lanes."""

    def place(self, name: str, row: OutboxRow, now: float) -> float | None:
        """Take a leased row in. None: taken; try it when `starts` says so. A time: give it back until then."""
        lane = self._lanes.get(name) or self._lanes.setdefault(name, _Lane())
        if len(lane.queue) + lane.tries < self._slots + self._queue:
            lane.queue.append(row)
            self.queued += 1
            return None
        pace = lane.seconds / self._slots
        lane.horizon = min(max(lane.horizon, now + lane.seconds) + pace, now + _LONGEST_PARK)
        return max(lane.horizon, now + _SHORTEST_PARK)

    def starts(self, name: str) -> OutboxRow | None:
        """The next row of the lane to try now, if it has one and a slot is free; its slot is taken."""
        lane = self._lanes.get(name)
        if lane is None or not lane.queue or lane.tries >= self._slots:
            return None
        lane.tries += 1
        self.tries += 1
        self.queued -= 1
        return lane.queue.popleft()

    def ends(self, name: str, seconds: float) -> None:
        """A try that took so long is over; its slot is free."""
        lane = self._lanes[name]
        lane.tries -= 1
        self.tries -= 1
        lane.seconds += (seconds - lane.seconds) / 4
        if not lane.tries and not lane.queue:
            del self._lanes[name]

    def drain(self) -> list[OutboxRow]:
        """Take back every row that waits for a slot."""
        waiting = [row for lane in self._lanes.values() for row in lane.queue]
        for lane in self._lanes.values():
            lane.queue.clear()
        self._lanes = {name: lane for name, lane in self._lanes.items() if lane.tries}
        self.queued = 0
        return waiting
