"""Keep the addresses of trunks whose host is a name, ahead of the calls.

What it is: a look once a second at which names are due, and a task for each that asks; the table keeps what was found.
What it is not: DNS (`net/resolve.py`). Who uses it: `app.py`, as what is done whenever trunks are read again.

A name whose servers cannot be asked keeps the addresses it had: a carrier is worth more than a name server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from maskline.clock import Clock
from maskline.masking.trunk import Trunk
from maskline.net.resolve import RETRY_SECONDS, Located, ResolveError, Resolver, reachable
from maskline.settings import Settings
from maskline.workflows.trunk_table import TrunkTable

_log = structlog.get_logger("maskline.trunks")

_Question = tuple[str, str, int, str]


class Locator(Protocol):
    async def locate(self, host: str, port: int, transport: str) -> Located: ...


class LocateTrunks:
    def __init__(self, table: TrunkTable, resolver: Locator, clock: Clock, watch: Callable[[], None]) -> None:
        """`watch` sends the health checks that are due."""
        self._table = table
        self._resolver = resolver
        self._clock = clock
        self._watch = watch
        self._due: dict[_Question, float] = {}
        """When each trunk's name is asked for again."""
        self._failing: set[_Question] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def tick(self) -> bool:
        """Once a second: read the trunks again, ask for names that are due, let the engine check who lives. Tells
        whether trunks changed; raises `StoreUnavailable`, and nothing waits for DNS."""
        try:
            return await self._table.refresh()
        finally:
            self._ask_due()
            self._watch()

    async def settle(self) -> None:
        """Until all that is asked for is answered, for tests and the start of a server."""
        self._ask_due()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _ask_due(self) -> None:
        now = self._clock.now()
        named = {_question(trunk): trunk for trunk in self._table.all if trunk.named}
        self._due = {question: self._due.get(question, now) for question in named}
        self._failing &= named.keys()
        for question, trunk in named.items():
            if self._due[question] <= now:
                self._due[question] = float("inf")
                task = asyncio.get_running_loop().create_task(self._ask(question, trunk))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _ask(self, question: _Question, trunk: Trunk) -> None:
        seconds = RETRY_SECONDS
        try:
            found = await self._resolver.locate(trunk.host, trunk.port, trunk.transport)
        except ResolveError as error:
            self._note_failure(question, trunk, str(error))
        else:
            seconds = found.seconds
            self._note_failure(question, trunk, found.failed)
            # Removed or changed meanwhile: then its place is nobody's.
            if question in self._due:
                if not found.places:
                    _log.warning("trunk_not_found", trunk=trunk.name)
                self._table.located(trunk, found.places)
        finally:
            if question in self._due:
                self._due[question] = self._clock.now() + seconds

    def _note_failure(self, question: _Question, trunk: Trunk, reason: str) -> None:
        """One line for as long as it goes on; an empty reason ends it."""
        if not reason:
            self._failing.discard(question)
        elif question not in self._failing:
            self._failing.add(question)
            _log.warning("trunk_not_looked_up", trunk=trunk.name, reason=reason)


def build_locating(table: TrunkTable, settings: Settings, clock: Clock, watch: Callable[[], None]) -> LocateTrunks:
    """With a resolver as the settings want it."""
    resolver = Resolver(clock, servers=settings.name_servers, kinds=reachable(settings.sip_hosts))
    return LocateTrunks(table, resolver, clock, watch)


def _question(trunk: Trunk) -> _Question:
    return (trunk.id, trunk.host, trunk.port, trunk.transport)
