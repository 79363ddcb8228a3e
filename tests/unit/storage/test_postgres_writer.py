"""storage.postgres_writer: what becomes of units when connections are lost. With a real server: tests/contract."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from maskline.errors import StoreUnavailable
from maskline.storage.postgres_writer import PostgresWriter


class Wire:
    """Runs scripts as it is told: each is answered, or raises what stands in `failures`."""

    def __init__(self, *failures: BaseException | None, lost: bool = False) -> None:
        self.failures = list(failures)
        self.lost = lost
        self.closed = False
        self.dropped = False
        self.scripts: list[str] = []

    async def execute(self, script: str) -> str:
        self.scripts.append(script)
        failure = self.failures.pop(0) if self.failures else None
        if failure is not None:
            self.closed = self.lost
            raise failure
        return "COMMIT" if script.endswith("COMMIT") else "SELECT 1"

    def drop(self) -> None:
        self.closed = self.dropped = True

    async def close(self) -> None:
        self.closed = True


def writer(*wires: Wire) -> PostgresWriter:
    left = list(wires)

    async def connect() -> Any:
        return left.pop(0)

    made = PostgresWriter(connect, lambda topics: None)
    made.start()
    return made


LOST = asyncpg.ConnectionDoesNotExistError("gone")


async def test_a_connection_that_was_lost_since_its_last_use_is_made_anew() -> None:
    first, second = Wire(None, None, LOST, lost=True), Wire()
    made = writer(first, second)
    assert await made.submit(lambda connection: 1) == 1
    assert await made.submit(lambda connection: 2) == 2
    assert first.dropped and len(second.scripts) == 2
    await made.stop()
    assert second.closed and not second.dropped


async def test_a_server_that_refuses_on_a_connection_that_stands_is_told_to_who_submitted() -> None:
    made = writer(Wire(None, None, asyncpg.TooManyConnectionsError("no")), Wire())
    await made.submit(lambda connection: None)
    with pytest.raises(StoreUnavailable):
        await made.submit(lambda connection: None)
    assert await made.submit(lambda connection: 3) == 3, "the next one has a connection of its own"
    await made.stop()


async def test_a_new_connection_that_begins_nothing_is_no_connection() -> None:
    refused = Wire(LOST)
    made = writer(refused, Wire())
    with pytest.raises(StoreUnavailable):
        await made.submit(lambda connection: None)
    assert refused.dropped
    assert await made.submit(lambda connection: 4) == 4
    await made.stop()


async def test_what_no_unit_is_to_blame_for_ends_the_transaction() -> None:
    wire = Wire()
    made = writer(wire, Wire())

    def fails(connection: Any) -> None:
        raise asyncpg.AdminShutdownError("the server ends")

    with pytest.raises(StoreUnavailable):
        await made.submit(fails)
    assert wire.dropped and made.commits == 0
    await made.stop()


async def test_who_stops_waits_for_what_was_submitted() -> None:
    class Slow(Wire):
        async def execute(self, script: str) -> str:
            await asyncio.sleep(0)
            return await super().execute(script)

    made = writer(Slow())
    submitted = asyncio.create_task(made.submit(lambda connection: 5))
    await asyncio.sleep(0)
    await made.stop()
    assert await submitted == 5
    with pytest.raises(StoreUnavailable):
        await made.submit(lambda connection: 6)
