"""Limits that engines hold together, on a SQL database: places and what each engine told.

What it is: these methods of the protocol and their units of work. That writers take turns (`postgres_writer.py`) is
what makes places exact. What it is not: rules. Who builds on it: `sql_store.py`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from maskline.masking.meter import Line
from maskline.masking.usage_shared import Running, Share, Wish
from maskline.storage.rows import Row
from maskline.storage.sql import SqlConnection, by_its_clock, run, run_all
from maskline.storage.sql_webhooks import SqlWebhooks
from maskline.storage.usage_store import OVER_FOR, ShareElsewhere


class SqlUsages(SqlWebhooks):
    """See `maskline.storage.usage_store.UsageStore`."""

    async def take_places(self, engine_id: str, wishes: Sequence[Wish], *, now: float, until: float) -> list[int]:
        return await self._write_small(_take_places, engine_id, tuple(wishes), now, until)

    async def tell_usage(self, engine_id: str, shares: Sequence[Share], *, now: float, until: float) -> None:
        rows = [
            (one.account_id, one.number, engine_id, one.places, one.begun, _running_to_text(one.running))
            for one in shares
        ]
        await self._write_small(_tell_usage, rows, now, until)

    async def usage_elsewhere(self, engine_id: str, now: float) -> list[ShareElsewhere]:
        return [_from_row(row) for row in await self._list(lambda c: _elsewhere(c, engine_id, now))]

    async def ended_calls(self, cursor: int | None, limit: int) -> tuple[int, list[tuple[str, str]]]:
        # First the position: what is at or before it is there to be read.
        last = int((await self._rows("read_counter", "facts"))[0][0])
        if cursor is None or cursor >= last:
            return last, []
        found = await self._rows("ended_calls", cursor, limit)
        if len(found) == limit:
            last = int(found[-1][0])
        return last, [(account_id, call_id) for position, account_id, call_id in found if position <= last]


# -- units of work ---------------------------------------------------------------------------------------------------
def _take_places(
    connection: SqlConnection, engine_id: str, wishes: Sequence[Wish], now: float, until: float
) -> list[int]:
    given = []
    now, until = by_its_clock(connection, now, until)
    for wish in wishes:
        (taken,) = run(connection, "places_elsewhere", wish.account_id, wish.number, engine_id, now).fetchone()
        places = min(wish.most, max(0, wish.limit - int(taken) - wish.held))
        if places:
            run(connection, "take_places", wish.account_id, wish.number, engine_id, wish.held + places, until)
        given.append(places)
    return given


def _tell_usage(connection: SqlConnection, rows: Sequence[Row], now: float, until: float) -> None:
    now, until = by_its_clock(connection, now, until)
    run_all(connection, "tell_usage", [(*row, until) for row in rows])
    run(connection, "forget_usage", now - OVER_FOR)


def _elsewhere(connection: SqlConnection, engine_id: str, now: float) -> list[Row]:
    return run(connection, "usage_elsewhere", engine_id, connection.wall(now)).fetchall()


def _running_to_text(running: Running | None) -> str:
    return "" if running is None else json.dumps(running, separators=(",", ":"))


def _from_row(row: Row) -> ShareElsewhere:
    engine_id, account_id, number, places, begun, text = row
    running = None
    if text:
        day, seconds, money, prefixes = json.loads(text)
        lines = tuple([(prefix, Line(*line)) for prefix, line in prefixes])
        running = Running(day, Line(*seconds), Line(*money), lines)
    return ShareElsewhere(engine_id, Share(account_id, number, places, begun, running))
