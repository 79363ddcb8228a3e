"""storage.postgres_pool: connections shared, waited for, and made anew when they are lost."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import asyncpg
import pytest

from maskline.engine.route_work import _Resumed
from maskline.errors import StoreUnavailable
from maskline.storage import postgres_pool
from maskline.storage.postgres_pool import PostgresPool


class FakeWire:
    closed = False

    async def close(self) -> None:
        self.closed = True


async def pool_of(size: int) -> tuple[PostgresPool, list[FakeWire]]:
    made = [FakeWire()]

    async def connect() -> FakeWire:
        made.append(FakeWire())
        return made[-1]

    pool = PostgresPool(connect, size)  # type: ignore[arg-type]
    pool.start(made[0])  # type: ignore[arg-type]
    return pool, made


async def test_who_gives_up_waiting_lets_the_next_one_in() -> None:
    pool, _ = await pool_of(1)
    held, told = asyncio.Event(), []

    async def hold(wire: object) -> None:
        await held.wait()

    async def tell(wire: object) -> None:
        told.append(wire)

    first = asyncio.create_task(pool.use(hold))
    await asyncio.sleep(0)
    waiting = [asyncio.create_task(pool.use(tell)) for _ in range(2)]
    await asyncio.sleep(0)
    held.set()
    # The first one gives back and lets the second one in, which is cancelled before it has noticed.
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.wait([first, *waiting])
    assert waiting[0].cancelled()
    assert len(told) == 1


async def test_a_read_is_tried_on_a_new_connection_once() -> None:
    pool, made = await pool_of(4)

    async def lose(wire: FakeWire) -> None:
        wire.closed = True
        raise asyncpg.ConnectionDoesNotExistError

    with pytest.raises(StoreUnavailable, match="ConnectionDoesNotExistError"):
        await pool.use(lose)  # type: ignore[arg-type]
    assert len(made) == 2


async def test_what_the_server_cannot_do_is_unavailable_and_what_was_asked_wrongly_is_a_fault() -> None:
    pool, _ = await pool_of(1)

    async def full(wire: object) -> None:
        raise asyncpg.DiskFullError

    async def wrong(wire: object) -> None:
        raise asyncpg.UndefinedTableError

    with pytest.raises(StoreUnavailable, match="DiskFullError"):
        await pool.use(full)
    with pytest.raises(asyncpg.UndefinedTableError):
        await pool.use(wrong)


async def test_a_connection_that_comes_back_to_a_closed_pool_is_closed() -> None:
    pool, made = await pool_of(1)

    async def close_meanwhile(wire: object) -> None:
        await pool.stop()

    await pool.use(close_meanwhile)
    assert made[0].closed


async def stepped(question: Coroutine[Any, Any, Any]) -> Any:
    """As the engine asks: the first step is no task's."""
    loop = asyncio.get_running_loop()
    first: asyncio.Future[list[Any]] = loop.create_future()

    def step() -> None:
        try:
            first.set_result([question.send(None)])
        except Exception as error:  # noqa: BLE001 - the test's
            first.set_exception(error)

    loop.call_soon(step)
    (waits_for,) = await first
    return await _Resumed(question, waits_for)  # type: ignore[arg-type]


async def test_who_is_no_task_gets_a_connection_that_has_to_be_made() -> None:
    async def connect() -> FakeWire:
        async with asyncio.timeout(5):  # as asyncpg does
            await asyncio.sleep(0)
        return FakeWire()

    pool, (first,) = await pool_of(2)
    pool._connect = connect  # type: ignore[assignment]
    first.closed = True

    async def read(wire: FakeWire) -> bool:
        return wire.closed

    assert await stepped(pool.use(read)) is False  # type: ignore[arg-type]


async def test_who_is_no_task_waits_for_a_connection_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_pool, "WAIT_SECONDS", 0.0)
    pool, _ = await pool_of(1)
    held = asyncio.Event()

    async def hold(wire: object) -> None:
        await held.wait()

    holding = asyncio.create_task(pool.use(hold))
    await asyncio.sleep(0)
    with pytest.raises(StoreUnavailable, match="All 1 connections"):
        await stepped(pool.use(hold))
    held.set()
    await holding
