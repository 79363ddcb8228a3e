"""Lanes, so that a dead receiver delays nobody else and its retries not even its own first tries.

What it is: the bookkeeping of who may be tried now. A receiver has two lanes, one for first tries and one with few
slots for retries; each has a short queue behind its slots, and says for what comes on top when it may be asked for
again. No IO, no clock. What it is not: order within a call; the store hands out one row of a (subject, url) at a time.
Who uses it: `deliver.py`.

A receiver is one account's scheme, host and port of a URL: another account's trouble at a host that many share is not
ours. A receiver that is slow has fewer slots until it is faster, so that hundreds may hang before all tries are theirs.
Rows beyond the queue are given back to the store, each a little later than the one before, at the pace the lane was
seen to have: thousands of rows for a dead receiver are then looked at about once a minute, and do not stand before
other receivers' rows meanwhile. What is beyond that minute comes back at 200 a second at most, or at the lane's own
pace: to look at a row costs two writes, and a million of them a minute would leave no time for others.

An account may have any number of receivers, since sessions bring URLs of their own. Those of which it is not known that
they are quick share a part of all tries, so that no account's receivers take all of them by hanging.
"""

from __future__ import annotations

from collections import deque
from urllib.parse import urlsplit

from maskline.storage.store import OutboxRow

SLOW = 2.0
"""Seconds that a try takes on average from which on a receiver is slow."""
_FIRST_GUESS = 0.02  # seconds a try takes, until one was seen; a higher one parks a burst for long (measured)
_LONGEST_PARK = 60.0
_BACK_EVERY = 0.005  # seconds between two rows that come back later than that
_NEVER_LATER = 1800.0
_SHORTEST_PARK = 0.1
_KNOWN_AFTER = 16  # tries whose pace is trusted for a longer queue
_AHEAD = 2.0  # seconds of tries that may queue then
_LONGEST_QUEUE = 1024
_MOST_REMEMBERED = 4096
_MEASURED, _FORGOTTEN = 0.1, 1.0  # seconds for which ends of tries are counted, at least and less than


def lane_of(url: str) -> str:
    """`https://host:port`, lower case, without user info: also what a log line may show of a URL."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "invalid"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}".lower()


def lane_key(row: OutboxRow) -> str:
    """Which lane a leased row belongs to."""
    return f"{row.account_id} {lane_of(row.url)}{RETRIES if row.attempts else ''}"


RETRIES = " again"
"""End of the keys of lanes for retries."""


class _Lane:
    __slots__ = ("horizon", "marked", "on_trial", "pace", "queue", "seconds", "seen", "slots", "tail", "tries")

    def __init__(self, slots: int, seconds: float) -> None:
        self.slots = slots
        self.tries = 0
        self.queue: deque[OutboxRow] = deque()
        self.seconds = seconds
        """How long a try takes, as a moving average."""
        self.seen = 0
        """Tries that ended."""
        self.horizon = 0.0
        """Wall seconds until which rows were given back so far, up to a minute from now."""
        self.tail = 0.0
        """The same beyond that."""
        self.on_trial = 0
        """Tries that count for the account's part."""
        self.marked = 0.0, 0
        """Wall seconds, and `seen` at that time."""
        self.pace = 0.0
        """Seconds from one end of a try to the next, lately and while there was more than enough; 0: not known."""

    def pace_at(self, now: float) -> float:
        """Of a lane that is full. Where our own CPU is the bound, tries end more seldom than their length says."""
        since, seen = self.marked
        if now - since >= _MEASURED:
            ended = self.seen - seen
            self.pace = (now - since) / ended if ended and now - since < _FORGOTTEN else 0.0
            self.marked = now, self.seen
        return max(self.pace, self.seconds / self.slots)


class _Trial:
    """Of one account."""

    __slots__ = ("tail", "tries")

    def __init__(self) -> None:
        self.tries = 0
        self.tail = 0.0


class Lanes:
    """`slots`: tries at a time of a receiver's first tries; `few`: of its retries, and of either while it is slow.
    `queue`: rows held behind them; small until the receiver is known to be fast, since their leases run. `trial`: tries
    at a time of all receivers of an account that are not known to be quick."""

    __slots__ = ("_few", "_lanes", "_paces", "_queue", "_slots", "_trial", "_trials", "queued", "tries")

    def __init__(self, slots: int = 8, queue: int = 32, few: int = 2, trial: int = 256) -> None:
        self._lanes: dict[str, _Lane] = {}
        self._paces: dict[str, tuple[float, int]] = {}
        """`seconds` and `seen` of lanes that are idle now: they go on from there."""
        self._slots = slots
        self._queue = queue
        self._few = min(few, slots)
        self._trial = trial
        self._trials: dict[str, _Trial] = {}
        """By account with such tries."""
        self.tries = 0
        """Tries going on, in all lanes."""
        self.queued = 0
        """Rows held behind them, in all lanes."""

    def place(self, key: str, row: OutboxRow, now: float) -> float | None:
        """Take a leased row in. None: taken; try it when `starts` says so. A time: give it back until then."""
        lane = self._lanes.get(key) or self._open(key)
        if not lane.tries and not lane.queue and (trial := self._used_up(key, lane)) is not None:
            self._close(key, lane)
            trial.tail = _next(trial.tail, now + _SHORTEST_PARK, _BACK_EVERY, now)
            return trial.tail
        if len(lane.queue) + lane.tries < lane.slots + self._room(lane):
            lane.queue.append(row)
            self.queued += 1
            return None
        pace = lane.pace_at(now)
        # Not before what waits already has gone: else a backlog is leased and given back again and again.
        soonest = now + lane.seconds + len(lane.queue) * pace
        minute = now + _LONGEST_PARK
        lane.horizon = max(lane.horizon, soonest) + pace
        if lane.horizon > minute:
            lane.horizon = minute
            lane.tail = _next(lane.tail, minute, min(pace, _BACK_EVERY), now)
            return lane.tail
        return max(lane.horizon, now + _SHORTEST_PARK)

    def starts(self, key: str) -> OutboxRow | None:
        """The next row of the lane to try now, if it has one and a slot is free; its slot is taken."""
        lane = self._lanes.get(key)
        if lane is None or not lane.queue or lane.tries >= lane.slots:
            return None
        # A lane that has rows and no try would never go on, so one it has in any case.
        if lane.tries and self._used_up(key, lane) is not None:
            return None
        if not _is_quick(lane):
            lane.on_trial += 1
            self._trials.setdefault(_account(key), _Trial()).tries += 1
        lane.tries += 1
        self.tries += 1
        self.queued -= 1
        return lane.queue.popleft()

    def ends(self, key: str, seconds: float) -> None:
        """A try that took so long is over; its slot is free."""
        lane = self._lanes[key]
        lane.tries -= 1
        self.tries -= 1
        if lane.on_trial:
            lane.on_trial -= 1
            self._end_trial(_account(key))
        lane.seen += 1
        lane.seconds += (seconds - lane.seconds) / 4
        lane.slots = self._slots_of(key, lane.seconds)
        if not lane.tries and not lane.queue:
            self._close(key, lane)

    def drain(self) -> list[OutboxRow]:
        """Take back every row that waits for a slot."""
        waiting = [row for lane in self._lanes.values() for row in lane.queue]
        for lane in self._lanes.values():
            lane.queue.clear()
        self._lanes = {key: lane for key, lane in self._lanes.items() if lane.tries}
        self.queued = 0
        return waiting

    def _open(self, key: str) -> _Lane:
        seconds, seen = self._paces.pop(key, (_FIRST_GUESS, 0))
        lane = self._lanes[key] = _Lane(self._slots_of(key, seconds), seconds)
        lane.seen = seen
        return lane

    def _close(self, key: str, lane: _Lane) -> None:
        del self._lanes[key]
        if not lane.seen:
            return
        if len(self._paces) >= _MOST_REMEMBERED:
            del self._paces[next(iter(self._paces))]
        self._paces[key] = lane.seconds, lane.seen

    def _used_up(self, key: str, lane: _Lane) -> _Trial | None:
        """The account's part, where it leaves the lane no further try."""
        if _is_quick(lane):
            return None
        trial = self._trials.get(_account(key))
        return trial if trial is not None and trial.tries >= self._trial else None

    def _end_trial(self, account: str) -> None:
        trial = self._trials[account]
        trial.tries -= 1
        if not trial.tries:
            del self._trials[account]

    def _slots_of(self, key: str, seconds: float) -> int:
        return self._few if seconds >= SLOW or key.endswith(RETRIES) else self._slots

    def _room(self, lane: _Lane) -> int:
        """Rows that may queue. A receiver that is known to be fast may have more: it is through with them before any
        lease is over, and its throughput is not bound by how often the outbox is looked at."""
        if lane.seen < _KNOWN_AFTER:
            return self._queue
        return max(self._queue, min(int(lane.slots * _AHEAD / max(lane.seconds, 0.001)), _LONGEST_QUEUE))


def _is_quick(lane: _Lane) -> bool:
    """Known to be so."""
    return bool(lane.seen) and lane.seconds < SLOW


def _account(key: str) -> str:
    return key.partition(" ")[0]


def _next(last: float, first: float, step: float, now: float) -> float:
    """When the next row comes back of those that come back one after the other."""
    return min(max(last, first) + step, now + _NEVER_LATER)
