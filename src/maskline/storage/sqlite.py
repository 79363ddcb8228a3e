"""The store on a SQLite file: the embedded default.

What it is: the protocol's methods on sessions, calls and the outbox: each a point read, a longer read beside the
loop, or a unit of work for the group writer. What it is not: SQL (`queries.sql`) or what a transaction does
(`sqlite_sessions.py`, `sqlite_units.py`, `sqlite_outbox.py`). Who builds it: `open_store`.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from maskline.errors import NotFound
from maskline.masking.call_record import CallParties, CallRecord
from maskline.masking.claims import ANYONE, Key, party_key, pin_key
from maskline.masking.e164 import Number
from maskline.masking.facts import CallNotStarted, Fact
from maskline.masking.pin import Counted, PinLimits, PinTry
from maskline.masking.session import NewSession, RequestedCall, Session, SessionChange
from maskline.storage import (
    rows,
    sqlite_forget,
    sqlite_outbox,
    sqlite_pins,
    sqlite_requests,
    sqlite_sessions,
    sqlite_units,
)
from maskline.storage.crypto import Sealer
from maskline.storage.session_list import SessionList, session_list
from maskline.storage.sqlite_connection import numbered, run
from maskline.storage.sqlite_flows import SqliteFlows
from maskline.storage.store import OUTSIDE_CALLS, Delivery, Once, OutboxRow, RecordedCall, SessionFilter

_PREPARED_AT_ONCE = 16
"""Calls whose rows are sealed in one turn of the loop, since calls wait for its end."""


class SqliteStore(SqliteFlows):
    """See `maskline.storage.store.Store`."""

    # -- sessions -----------------------------------------------------------------------------------------------------
    async def create_session(self, new: NewSession, *, once: Once | None = None) -> Session:
        self._check_owner(new.account_id, new.subaccount_id)
        # The number for a single party may be the last of many (measured: 37 ms for 50,000 that are all held).
        write = self._write if new.first_party is None or new.second_party is None else self._write_small
        return await write(sqlite_sessions.create_session, self._sealer, new, once)

    async def session(self, account_id: str, session_id: str) -> Session:
        found = self._rows("session", account_id, session_id)
        if not found:
            raise NotFound("There is no such session in this account.")
        interactions = tuple(map(rows.interaction_from_row, self._rows("interactions", session_id)))
        return rows.session_from_row(found[0], self._sealer, interactions)

    async def sessions(
        self, account_id: str, wanted: SessionFilter, *, limit: int, offset: int, wall: float
    ) -> tuple[list[Session], int]:
        wanted_list = session_list(account_id, wanted, wall, self._sealer, limit=limit, offset=offset)
        return await self._list(lambda connection: _list_sessions(connection, self._sealer, wanted_list))

    async def update_session(
        self, account_id: str, session_id: str, change: SessionChange, *,
        outbox: Sequence[OutboxRow] = (), once: Once | None = None,
    ) -> Session:  # fmt: skip
        prepared = [rows.outbox_to_row(row, self._sealer) for row in outbox]
        return await self._write_small(
            sqlite_sessions.update_session, self._sealer, account_id, session_id, change, prepared, once
        )

    async def end_session(
        self, account_id: str, session_id: str, *, now: float, by_request: bool, outbox: Sequence[OutboxRow]
    ) -> Session:
        prepared = [rows.outbox_to_row(row, self._sealer) for row in outbox]
        return await self._write_small(
            sqlite_sessions.end_session, self._sealer, account_id, session_id, now=now, by_request=by_request,
            outbox=prepared,
        )  # fmt: skip

    async def replace_numbers(
        self, account_id: str, session_id: str, *, now: float, outbox: Callable[[Session], Sequence[OutboxRow]]
    ) -> Session:
        return await self._write(
            sqlite_sessions.replace_numbers, self._sealer, account_id, session_id, now,
            lambda session: [rows.outbox_to_row(row, self._sealer) for row in outbox(session)],
        )  # fmt: skip

    async def sessions_on(self, number: Number, *, now: float, limit: int) -> list[Session]:
        found = await self._list(lambda c: run(c, "sessions_on", number.e164, now, max(limit, 0)).fetchall())
        return [rows.session_from_row(row, self._sealer) for row in found]

    async def sessions_due(self, wall: float, limit: int) -> list[Session]:
        found = self._rows("sessions_due", wall, limit)
        return [
            rows.session_from_row(
                row, self._sealer, tuple(map(rows.interaction_from_row, self._rows("interactions", row[0])))
            )
            for row in found
        ]

    async def session_for_call(self, caller: Number, virtual_number: Number) -> Session | None:
        return self._session_of(party_key(caller), virtual_number)

    async def session_for_pin(self, pin: str, virtual_number: Number) -> Session | None:
        return self._session_of(pin_key(pin), virtual_number)

    async def open_session(self, virtual_number: Number) -> Session | None:
        return self._session_of(ANYONE, virtual_number)

    def _session_of(self, key: Key, virtual_number: Number) -> Session | None:
        found = self._rows("session_for_call", self._sealer.key_hash(key), virtual_number.e164)
        return rows.session_from_row(found[0], self._sealer) if found else None

    async def pin_session(self, virtual_number: Number, now: float) -> Session | None:
        found = self._rows("session_with_pin", virtual_number.e164, now)
        return rows.session_from_row(found[0], self._sealer) if found else None

    async def longest_pin(self, virtual_number: Number) -> int:
        found = self._rows("longest_pin", virtual_number.e164)
        return int(found[0][0]) if found else 0

    async def count_pin(self, one: PinTry, limits: PinLimits, now: float) -> Counted:
        return await self._write_small(sqlite_pins.count_try, self._sealer, one, limits, now)

    async def accept_pin(self, one: PinTry, limits: PinLimits, now: float) -> None:
        await self._write_small(sqlite_pins.accept_try, self._sealer, one, limits, now)

    async def last_outside_party(self, session: Session) -> Number | None:
        missing = session.missing
        if missing is None:
            return None
        found = self._rows("calls_of_session", session.account_id, OUTSIDE_CALLS, session.id)
        parties = (rows.call_from_row(row, self._sealer).party(missing) for row in found)
        return next((party for party in parties if party is not None), None)

    async def forget(self, before: float, now: float, limit: int) -> int:
        return await self._write(sqlite_forget.forget, self._sealer, before, now, limit)

    async def reset_calls_in_progress(self) -> int:
        return await self._write(lambda connection: int(run(connection, "reset_calls_in_progress").rowcount))

    # -- calls --------------------------------------------------------------------------------------------------------
    async def lease_requested_calls(self, owner: str, *, now: float, until: float, limit: int) -> list[RequestedCall]:
        if not self._rows("has_requested_calls", now):
            return []
        return await self._write_small(sqlite_requests.lease, owner, now, until, limit)

    async def drop_requested_call(
        self, owner: str, session_id: str, fact: CallNotStarted, outbox: Sequence[OutboxRow]
    ) -> bool:
        prepared = [rows.outbox_to_row(row, self._sealer) for row in outbox]
        return await self._write_small(sqlite_requests.drop, owner, session_id, rows.fact_to_row(fact), prepared)

    async def commit_calls(self, calls: Sequence[RecordedCall]) -> None:
        if calls:
            prepared = []
            for position, call in enumerate(calls, 1):
                prepared.append(sqlite_units.call_rows(call, self._sealer))
                if position % _PREPARED_AT_ONCE == 0:
                    await asyncio.sleep(0)
            await self._write(sqlite_units.commit_calls, prepared)

    async def call(self, account_id: str, call_id: str) -> CallRecord:
        found = self._rows("call", account_id, call_id)
        if not found:
            raise NotFound("There is no such call in this account.")
        return rows.call_from_row(found[0], self._sealer)

    async def calls(self, account_id: str, *, session_id: str | None = None, limit: int = 20) -> list[CallRecord]:
        if session_id is None:
            found = await self._list(lambda c: run(c, "calls", account_id, limit).fetchall())
        else:
            found = await self._list(lambda c: run(c, "calls_of_session", account_id, limit, session_id).fetchall())
        return [rows.call_from_row(row, self._sealer) for row in found]

    async def facts(self, subject: str) -> list[Fact]:
        return [rows.fact_from_row(row) for row in self._rows("facts", subject)]

    async def facts_since(self, cursor: int, limit: int) -> list[tuple[int, Fact]]:
        found = await self._list(lambda connection: run(connection, "facts_since", cursor, limit).fetchall())
        return [(row[0], rows.fact_from_row(row)) for row in found]

    async def replay_since(self, cursor: int, limit: int) -> list[tuple[int, Fact, CallParties | None]]:
        found = await self._list(lambda connection: run(connection, "replay_since", cursor, limit).fetchall())
        return [(row[0], rows.fact_from_row(row), rows.parties_from_row(row[6:], self._sealer)) for row in found]

    # -- outbox -------------------------------------------------------------------------------------------------------
    async def lease_outbox(self, owner: str, *, now: float, until: float, limit: int) -> list[OutboxRow]:
        due = await self.next_outbox_due()
        if due is None or due > now:
            # Nothing to do is the common answer, and it costs no transaction.
            return []
        leased = await self._write(sqlite_outbox.lease, owner, now, until, limit)
        opened = [rows.outbox_from_row(row, self._sealer) for row in leased]
        return sorted(opened, key=lambda row: (row.created_at, row.sequence, row.id))

    async def finish_outbox(self, owner: str, deliveries: Sequence[Delivery], *, now: float) -> list[bool]:
        return await self._write(sqlite_outbox.finish, owner, tuple(deliveries), now)

    async def outbox(self, account_id: str | None, *, state: str | None = None, limit: int = 50) -> list[OutboxRow]:
        values = [value for value in (account_id, max(limit, 0), state) if value is not None]
        query = f"outbox_of_{'all' if account_id is None else 'account'}{'' if state is None else '_in_state'}"
        found = await self._list(lambda connection: run(connection, query, *values).fetchall())
        return [rows.outbox_from_row(row, self._sealer) for row in found]

    async def outbox_state(self, row_id: str) -> str | None:
        found = self._rows("outbox_state", row_id)
        return found[0][0] if found else None

    async def replay_outbox(self, row_id: str, now: float) -> None:
        await self._write(sqlite_outbox.replay, row_id, now)

    async def next_outbox_due(self) -> float | None:
        due: float | None = self._rows("next_outbox_due")[0][0]
        return due

    async def counts(self) -> dict[str, Any]:
        def read(connection: sqlite3.Connection) -> tuple[Any, list[Any]]:
            return run(connection, "count_rows").fetchone(), run(connection, "count_outbox").fetchall()

        counted, outbox = await self._list(read)
        tables = ("accounts", "numbers", "trunks", "endpoints", "sessions", "claims", "calls", "facts", "recordings")
        return {**dict(zip(tables, counted, strict=True)), "outbox": dict(outbox)}


def _list_sessions(connection: sqlite3.Connection, sealer: Sealer, wanted: SessionList) -> tuple[list[Session], int]:
    # One read transaction: the total belongs to the same state as the page.
    connection.execute("BEGIN")
    try:
        (total,) = connection.execute(numbered(wanted.total), wanted.values).fetchone()
        found = [
            rows.session_from_row(row, sealer, sqlite_sessions.read_interactions(connection, row[0]))
            for row in connection.execute(numbered(wanted.page), wanted.values).fetchall()
        ]
    finally:
        connection.execute("COMMIT")
    return found, int(total)
