"""What becomes of strangers beyond silence: counted, told in lines that stay few, and shut out when they flood us.

What it is: the lines an operator and fail2ban read, those of calls refused for a number or password included, and who
the kernel is asked to drop. What it is not: the rule when
a stranger is banned (`guard.py`), or who is one (`trunk_book.py`). Who uses it: `runner.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from maskline.engine.core import EngineCore
from maskline.engine.guard import Guard
from maskline.net.udp_filter import MOST
from maskline.sip.flow import Flow

log = structlog.get_logger()


class Strangers:
    __slots__ = ("_core", "_drop", "_guard", "_unknown_seen", "_unsaid")

    def __init__(
        self, core: EngineCore, guard: Guard, unsaid: Callable[[str, int], int], drop: Callable[[list[str]], bool]
    ) -> None:
        """`drop` asks the kernel to drop what comes from these hosts, and tells whether it does; `unsaid` as of
        `RareLines`."""
        self._core = core
        self._guard = guard
        self._unsaid = unsaid
        self._drop = drop
        self._unknown_seen = 0

    def came(self, host: str, now: float) -> None:
        """One knocked that is not counted yet."""
        self._core.counters.strangers += 1
        self._guard.stranger(host, now)
        self.tell(host)

    def tell(self, host: str) -> None:
        """Write what is to be said since one of `host` was counted."""
        if count := self._unsaid("strangers", self._core.counters.strangers):
            log.warning("stranger_dropped", host=host, datagrams=count)
        told = self._guard.told
        while told:
            log.warning("source_banned", host=told.pop(), seconds=self._guard.ban_seconds)

    def tell_refused(self) -> None:
        """Calls of trunks that came to nothing since the last look, after every input."""
        core = self._core
        if core.counters.unknown_numbers != self._unknown_seen:
            self._unknown_seen, last = core.counters.unknown_numbers, core.last_unknown
            if count := self._unsaid("unknown numbers", self._unknown_seen):
                log.warning("unknown_number", number=last.number, trunk=last.trunk, calls=count)
        if core.counters.wrong_passwords and (count := self._unsaid("passwords", core.counters.wrong_passwords)):
            log.warning("trunk_not_proved", host=core.trunks.last_wrong, requests=count)

    def shut_out(self, now: float) -> None:
        """About once a second. An address that has become a trunk's meanwhile is heard again."""
        knows = self._core.trunks.knows
        loud = [host for host in self._guard.loud(now) if not knows(Flow("udp", host, 0))]
        if not self._drop(loud[-MOST:]) and self._unsaid("filter", 1):
            log.warning("flood_not_filtered", sources=len(loud))
