"""How much of one address is read, and who has knocked too often.

What it is: a token bucket for each trunk's address, so that one carrier's fault does not take the others' turn; and a
count of strangers. Strangers get silence whatever they send; one that goes on is banned for a while, which closes
connections before they are read and writes one line, in a form that never changes, for the firewall (contrib/fail2ban).
Memory is bounded: with more strangers than `MAX_STRANGERS` those who began first are forgotten, since sources of
datagrams can be forged, and so are addresses of trunks, which may have whole networks. What it is not: a rule who is a
stranger (`trunk_book.py`). Its user: `intake.py`.
"""

from __future__ import annotations

from collections import OrderedDict

STRANGER_LIMIT = 20
"""Datagrams or connections of a stranger within `STRANGER_WINDOW` that get it banned. A misconfigured phone sends some
ten for one call; a scan of numbers sends one for each."""
STRANGER_WINDOW = 60.0
MAX_STRANGERS = 10_000
MAX_LINES = 10
"""Bans that are told in `LINES_WINDOW`: with forged sources there could be one with each twentieth datagram."""
LINES_WINDOW = 1.0
LOUD = 500
"""Datagrams of a banned source between two looks, a second apart, from which on the kernel is asked to drop them. Below
that they cost less than a filter: its drops cannot be told from those of a full buffer."""
CHECKS = 10.0
"""OPTIONS a second that are read of a trunk's address, twice as many at once, while it sends too much that comes to
nothing: whose health checks are not answered takes us for down and sends us no calls. Their answers keep nothing."""


class Guard:
    """Buckets, counts, bans. Times are of one monotonic clock."""

    __slots__ = (
        "_banned", "_buckets", "_checks", "_knocks", "_lines", "_lines_since", "_loud", "_strangers", "_vain",
        "_vain_calls", "ban_seconds", "banned", "rate", "told", "vain_rate",
    )  # fmt: skip

    def __init__(self, rate: float = 0.0, ban_seconds: float = 300.0, vain_rate: float = 0.0) -> None:
        """`rate`: datagrams a second read from one trunk's address, twice as many at once; 0: all. `ban_seconds`: 0
        bans nobody. `vain_rate`: as `rate`, but of datagrams that came to nothing."""
        self.rate = rate
        self.vain_rate = vain_rate
        self._vain: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """As `_buckets`, of addresses that have sent such."""
        self._vain_calls: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """The same of new calls alone, so that garbage costs nobody a call."""
        self.ban_seconds = ban_seconds
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Tokens and when they were counted, by address of a trunk."""
        self._checks: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """The same of OPTIONS."""
        # The first of a plain dict is found by walking over those deleted before it: 8.6 us for each new one, now 1.0.
        self._strangers: OrderedDict[str, tuple[int, float]] = OrderedDict()
        """Datagrams, and since when they are counted."""
        self._banned: OrderedDict[str, float] = OrderedDict()
        """Until when."""
        self._knocks: dict[str, int] = {}
        """Datagrams of banned sources since the last look."""
        self._loud: dict[str, float] = {}
        """Until when they are shut out."""
        self.banned = 0
        """Bans since the start."""
        self.told: list[str] = []
        """Addresses banned since somebody looked, those left out that are too many for a line each."""
        self._lines, self._lines_since = 0, float("-inf")

    def spend(self, host: str, now: float) -> bool:
        """Whether another datagram of this trunk's address may be read."""
        return _spend(self._buckets, host, self.rate, now)

    def spend_check(self, host: str, now: float) -> bool:
        """Whether OPTIONS of this trunk's address are read beside what comes to nothing."""
        return _spend(self._checks, host, CHECKS, now)

    def is_in_vain(self, host: str, now: float, new: bool) -> bool:
        """Whether so much of this trunk's address came to nothing that no more of it is read at this moment. `new`: of
        new calls, which are counted apart."""
        held = (self._vain_calls if new else self._vain).get(host)
        return held is not None and held[0] + (now - held[1]) * self.vain_rate < 1.0

    def charge(self, host: str, now: float, new: bool, cost: float = 1.0) -> None:
        """What came from there came to nothing; with a negative `cost`, it did come to something after all. What was
        let in before it was charged is a debt, of two seconds at most."""
        vain, most = self._vain_calls if new else self._vain, 2.0 * self.vain_rate
        held = vain.get(host)
        if held is None:
            _make_room(vain)
            held = most, now
        tokens = min(most, min(most, held[0] + (now - held[1]) * self.vain_rate) - cost)
        vain[host] = (max(-most, tokens), now)

    def is_banned(self, host: str, now: float) -> bool:
        until = self._banned.get(host)
        if until is None:
            return False
        if now < until:
            return True
        del self._banned[host]
        return False

    def stranger(self, host: str, now: float) -> None:
        """A datagram or connection of an address of no trunk."""
        if self.ban_seconds <= 0.0:
            return
        if self.is_banned(host, now):
            self._knocks[host] = self._knocks.get(host, 0) + 1
            return
        count, since = self._strangers.get(host, (0, now))
        if now - since >= STRANGER_WINDOW:
            count, since = 0, now
        if count + 1 < STRANGER_LIMIT:
            if host not in self._strangers and len(self._strangers) >= MAX_STRANGERS:
                self._strangers.popitem(last=False)
            self._strangers[host] = (count + 1, since)
            return
        self._strangers.pop(host, None)
        self._ban(host, now)

    def loud(self, now: float) -> list[str]:
        """Look, about once a second: who is to be shut out, for as long as the ban lasts; the newest last."""
        for host, knocks in self._knocks.items():
            if knocks > LOUD and host in self._banned:
                self._loud[host] = self._banned[host]
        self._knocks.clear()
        self._loud = {host: until for host, until in self._loud.items() if now < until}
        return list(self._loud)

    def sizes(self) -> dict[str, int]:
        return {
            "strangers": len(self._strangers), "banned": len(self._banned),
            "buckets": len(self._buckets) + len(self._checks),
            "knocks": len(self._knocks), "loud": len(self._loud),
            "vain": len(self._vain) + len(self._vain_calls),
        }  # fmt: skip

    def _ban(self, host: str, now: float) -> None:
        if len(self._banned) >= MAX_STRANGERS:
            self._banned.popitem(last=False)
        self._banned[host] = now + self.ban_seconds
        self.banned += 1
        if now - self._lines_since >= LINES_WINDOW:
            self._lines, self._lines_since = 0, now
        if self._lines < MAX_LINES:
            self._lines += 1
            self.told.append(host)


def _make_room(buckets: OrderedDict[str, tuple[float, float]]) -> None:
    """For one more address. Whoever is forgotten begins with a full bucket."""
    if len(buckets) >= MAX_STRANGERS:
        buckets.popitem(last=False)


def _spend(buckets: OrderedDict[str, tuple[float, float]], host: str, rate: float, now: float) -> bool:
    """Take one of this address's tokens, of which a second's worth twice over is there at most; False: it has none."""
    held = buckets.get(host)
    if held is None:
        _make_room(buckets)
        held = 2.0 * rate, now
    tokens = min(2.0 * rate, held[0] + (now - held[1]) * rate) - 1.0
    if tokens < 0.0:
        buckets[host] = (tokens + 1.0, now)
        return False
    buckets[host] = (tokens, now)
    return True
