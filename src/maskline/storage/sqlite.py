"""The store on a SQLite file: the embedded default.

What it is: each method of the protocol as a point read in the event loop's thread, a longer read in a thread of
its own, or a unit of work for the group writer. What it is not: SQL (`queries.sql`) or what a transaction does
(`sqlite_units.py`, `sqlite_outbox.py`). Who builds it: `open_store`.

Point reads cost a few microseconds and never suspend: WAL readers do not wait for a writer. Lists can be long,
so they run beside the loop and cannot delay a call. Other processes (the CLI) may write the same file: locks
are waited for, and `configuration_version` tells that something changed.
"""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from maskline.errors import NotFound, StoreUnavailable
from maskline.masking.call_record import CallRecord
from maskline.masking.decision import VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.facts import Fact
from maskline.masking.session import NewSession, Session, SessionOptions
from maskline.masking.trunk import Trunk
from maskline.storage import rows, session_list, sqlite_outbox, sqlite_units
from maskline.storage.crypto import Sealer
from maskline.storage.sqlite_connection import SQL, connect, numbered, prepare, run
from maskline.storage.sqlite_writer import GroupWriter, unavailable
from maskline.storage.store import Account, Delivery, Endpoint, OutboxRow, RecordedCall, SessionFilter

T = TypeVar("T")

PATIENCE = 30.0
"""Seconds a write waits for another process's transaction before it fails; the CLI's last milliseconds."""
_PARENT = 2
"""Where a row of the query `account` has its parent."""


class SqliteStore:
    """See `maskline.storage.store.Store`. `path` None: a file of its own in a temporary directory."""

    def __init__(self, path: Path | None, sealer: Sealer, *, patience: float = PATIENCE) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="maskline-") if path is None else None
        self.path = path or Path(self._temporary.name if self._temporary else "") / "maskline.db"
        self._sealer = sealer
        self._patience = patience
        self._writer = GroupWriter(lambda: connect(self.path, patience))
        self._read: sqlite3.Connection | None = None
        self._lists: sqlite3.Connection | None = None
        self._list_thread: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        """Raises `ConfigurationError` (another version, another key) and `StoreUnavailable`."""
        await asyncio.to_thread(prepare, self.path, self._patience, self._sealer)
        self._read = connect(self.path, self._patience)
        self._lists = connect(self.path, self._patience)
        self._list_thread = ThreadPoolExecutor(1, "maskline-reader")
        self._writer.start()

    async def close(self) -> None:
        """Waits for what is being written."""
        await self._writer.stop()
        if self._list_thread is not None:
            await asyncio.to_thread(self._list_thread.shutdown)
        for connection in (self._read, self._lists):
            if connection is not None:
                connection.close()
        self._read = self._lists = None
        if self._temporary is not None:
            self._temporary.cleanup()

    # -- how reads and writes run ---------------------------------------------------------------------------------
    def _rows(self, query: str, *values: Any) -> list[Any]:
        """A point read, here and now."""
        if self._read is None:
            raise StoreUnavailable("The database is closed.")
        try:
            return self._read.execute(SQL[query], values).fetchall()
        except sqlite3.Error as error:
            raise unavailable(error) from None

    async def _list(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """A longer read, beside the loop."""
        if self._lists is None:
            raise StoreUnavailable("The database is closed.")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._list_thread, read, self._lists)
        except sqlite3.Error as error:
            raise unavailable(error) from None

    async def _write(self, unit: Callable[..., T], *values: Any, **named: Any) -> T:
        return await self._writer.submit(lambda connection: unit(connection, *values, **named))

    async def _write_small(self, unit: Callable[..., T], *values: Any, **named: Any) -> T:
        """A unit of a few statements on a few rows."""
        return await self._writer.submit(lambda connection: unit(connection, *values, **named), small=True)

    # -- accounts and their things ----------------------------------------------------------------------------------
    async def add_account(self, account: Account) -> None:
        if account.parent_id is not None:
            await self.account(account.parent_id)
        row = rows.account_to_row(account, self._sealer)
        await self._write(sqlite_units.configure, "add_account", *row, conflict="This account exists already.")

    async def account(self, account_id: str) -> Account:
        return rows.account_from_row(self._account_row(account_id), self._sealer)

    def _account_row(self, account_id: str) -> rows.Row:
        """Still sealed: to open the token costs as much as to find the row."""
        found = self._rows("account", account_id)
        if not found:
            raise NotFound("There is no such account.")
        row: rows.Row = found[0]
        return row

    async def accounts(self, parent_id: str | None = None) -> list[Account]:
        found = self._rows("main_accounts") if parent_id is None else self._rows("subaccounts", parent_id)
        return [rows.account_from_row(row, self._sealer) for row in found]

    async def _check_owner(self, account_id: str, subaccount_id: str | None) -> None:
        # Accounts are never deleted: what is seen here still holds in the transaction that follows.
        self._account_row(account_id)
        if subaccount_id is not None and self._account_row(subaccount_id)[_PARENT] != account_id:
            raise NotFound("There is no such subaccount in this account.")

    async def add_number(self, number: VirtualNumber, now: float) -> None:
        await self._check_owner(number.account_id, number.subaccount_id)
        await self._write(_add_number, number, now)

    async def numbers(self, account_id: str) -> list[VirtualNumber]:
        found = await self._list(lambda connection: run(connection, "numbers", account_id).fetchall())
        return [rows.number_from_row(row) for row in found]

    async def number(self, number: Number) -> VirtualNumber | None:
        found = self._rows("number", number.e164)
        return rows.number_from_row(found[0]) if found else None

    async def add_trunk(self, trunk: Trunk, password: str, now: float) -> None:
        await self._write(_add_trunk, rows.trunk_to_row(trunk, password, now, self._sealer))

    async def trunks(self) -> list[Trunk]:
        return [rows.trunk_from_row(row) for row in self._rows("trunks")]

    async def remove_trunk(self, name: str) -> None:
        await self._write(sqlite_units.remove, "remove_trunk", name, missing="There is no trunk of this name.")

    async def set_endpoint(self, endpoint: Endpoint) -> None:
        await self.account(endpoint.account_id)
        row = rows.endpoint_to_row(endpoint, self._sealer)
        await self._write(sqlite_units.configure, "set_endpoint", *row, conflict="")

    async def endpoints(self, account_id: str) -> list[Endpoint]:
        return [rows.endpoint_from_row(row, self._sealer) for row in self._rows("endpoints", account_id)]

    async def remove_endpoint(self, account_id: str, kind: str) -> None:
        missing = "There is no webhook endpoint of this kind."
        await self._write(sqlite_units.remove, "remove_endpoint", account_id, kind, missing=missing)

    async def configuration_version(self) -> int:
        return int(self._rows("read_counter", "configuration")[0][0])

    # -- sessions -----------------------------------------------------------------------------------------------------
    async def create_session(self, new: NewSession, facts_sequence: int = 1) -> Session:
        await self._check_owner(new.account_id, new.subaccount_id)
        return await self._write_small(sqlite_units.create_session, self._sealer, new, facts_sequence)

    async def session(self, account_id: str, session_id: str) -> Session:
        found = self._rows("session", account_id, session_id)
        if not found:
            raise NotFound("There is no such session in this account.")
        interactions = tuple(map(rows.interaction_from_row, self._rows("interactions", session_id)))
        return rows.session_from_row(found[0], self._sealer, interactions)

    async def sessions(
        self, account_id: str, wanted: SessionFilter, *, limit: int, offset: int, wall: float
    ) -> tuple[list[Session], int]:
        where, values = session_list.conditions(account_id, wanted, wall, self._sealer)
        page = f"{SQL['list_sessions']}{where}{session_list.ORDER} LIMIT {int(limit)} OFFSET {int(offset)}"
        return await self._list(
            lambda connection: _list_sessions(
                connection, self._sealer, numbered(page), numbered(SQL["count_sessions"] + where), values
            )
        )

    async def update_session(
        self, account_id: str, session_id: str, options: SessionOptions, *,
        expires_at: float, now: float, changed: tuple[str, ...],
    ) -> Session:  # fmt: skip
        change = sqlite_units.SessionChange(options, expires_at, now, changed)
        return await self._write_small(sqlite_units.update_session, self._sealer, account_id, session_id, change)

    async def end_session(
        self, account_id: str, session_id: str, *, now: float, by_request: bool, outbox: Sequence[OutboxRow]
    ) -> Session:
        prepared = [rows.outbox_to_row(row, self._sealer) for row in outbox]
        return await self._write_small(
            sqlite_units.end_session, self._sealer, account_id, session_id, now=now, by_request=by_request,
            outbox=prepared,
        )  # fmt: skip

    async def sessions_due(self, wall: float, limit: int) -> list[Session]:
        found = self._rows("sessions_due", wall, limit)
        return [
            rows.session_from_row(
                row, self._sealer, tuple(map(rows.interaction_from_row, self._rows("interactions", row[0])))
            )
            for row in found
        ]

    async def session_for_call(self, caller: Number, virtual_number: Number) -> Session | None:
        found = self._rows("session_for_call", self._sealer.number_hash(caller), virtual_number.e164)
        return rows.session_from_row(found[0], self._sealer) if found else None

    async def reset_calls_in_progress(self) -> int:
        return await self._write(lambda connection: int(run(connection, "reset_calls_in_progress").rowcount))

    # -- calls --------------------------------------------------------------------------------------------------------
    async def commit_calls(self, calls: Sequence[RecordedCall]) -> None:
        if calls:
            prepared = [sqlite_units.call_rows(call, self._sealer) for call in calls]
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

    async def replay_outbox(self, row_id: str, now: float) -> None:
        await self._write(sqlite_outbox.replay, row_id, now)

    async def next_outbox_due(self) -> float | None:
        due: float | None = self._rows("next_outbox_due")[0][0]
        return due

    async def counts(self) -> dict[str, Any]:
        def read(connection: sqlite3.Connection) -> tuple[Any, list[Any]]:
            return run(connection, "count_rows").fetchone(), run(connection, "count_outbox").fetchall()

        counted, outbox = await self._list(read)
        tables = ("accounts", "numbers", "trunks", "endpoints", "sessions", "claims", "calls", "facts")
        return {**dict(zip(tables, counted, strict=True)), "outbox": dict(outbox)}


def _add_number(connection: sqlite3.Connection, number: VirtualNumber, now: float) -> None:
    row = rows.number_to_row(number, sqlite_units.advance(connection, "positions"), now)
    sqlite_units.configure(connection, "add_number", *row, conflict="This number exists already.")


def _add_trunk(connection: sqlite3.Connection, row: list[Any]) -> None:
    position = sqlite_units.advance(connection, "positions")
    values = (*row[:-1], position, row[-1])
    sqlite_units.configure(connection, "add_trunk", *values, conflict="A trunk of this name exists already.")


def _list_sessions(
    connection: sqlite3.Connection, sealer: Sealer, page: str, count: str, values: list[Any]
) -> tuple[list[Session], int]:
    # One read transaction: the total belongs to the same state as the page.
    connection.execute("BEGIN")
    try:
        (total,) = connection.execute(count, values).fetchone()
        found = [
            rows.session_from_row(row, sealer, sqlite_units.read_interactions(connection, row[0]))
            for row in connection.execute(page, values).fetchall()
        ]
    finally:
        connection.execute("COMMIT")
    return found, int(total)
