"""The store on a SQL database, whichever it is.

What it is: the protocol's methods on sessions, calls and the outbox: each a point read, a longer read beside the
loop, or a unit of work for the group writer. What it is not: SQL (`queries.sql`) or what a transaction does
(`sql_sessions.py`, `sql_units.py`, `sql_outbox.py`). Who builds on it: `sqlite.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from maskline.errors import NotFound
from maskline.masking.call_record import CallParties, CallRecord
from maskline.masking.claims import ANYONE, Key, pin_key
from maskline.masking.e164 import Number
from maskline.masking.facts import CallEnded, CallNotStarted, Fact
from maskline.masking.match import NO_ENTRIES, Entries
from maskline.masking.pin import Counted, PinLimits, PinTry
from maskline.masking.session import NewSession, RequestedCall, Session, SessionChange
from maskline.storage import (
    rows,
    rows_facts,
    rows_kept,
    rows_outbox,
    sql_forget,
    sql_outbox,
    sql_owners,
    sql_pins,
    sql_requests,
    sql_sessions,
    sql_units,
)
from maskline.storage.crypto import SealBroken, Sealer
from maskline.storage.filters import SessionFilter
from maskline.storage.kept import LiveCall, Owner, Tenure
from maskline.storage.live_store import Renewal
from maskline.storage.session_list import SessionList, session_list
from maskline.storage.sql import SqlConnection, run
from maskline.storage.sql_usages import SqlUsages
from maskline.storage.store import NO_CALL, OUTSIDE_CALLS, Delivery, Once, OutboxRow, RecordedCall, SessionOutbox

_CALL = 8
"""Where a row of the query `replay_since` has the columns of the call."""
_PREPARED_AT_ONCE, _PREPARED_IN = 8, 16
"""Calls whose rows are sealed in one turn of the loop, since calls wait for its end; and turns that most groups have,
since the next group waits for the last of them: with 64 turns, of 2 ms each on a full core, the writer fell behind."""
_OPENED_AT_ONCE = 32
"""Webhooks that are opened in one turn, for the same reason."""


class SqlStore(SqlUsages):
    """See `maskline.storage.store.Store`."""

    is_shared = False

    # -- sessions -----------------------------------------------------------------------------------------------------
    async def create_session(
        self, new: NewSession, *, once: Once | None = None, outbox: SessionOutbox | None = None
    ) -> Session:
        await self._check_owner(new.account_id, new.subaccount_id)
        # The number for a single party may be the last of many (measured: 37 ms for 50,000 that are all held).
        write = self._write if new.first_party is None or new.second_party is None else self._write_small
        return await write(sql_sessions.create_session, self._sealer, new, once, outbox and self._prepared(outbox))

    async def session(self, account_id: str, session_id: str) -> Session:
        found = await self._rows("session", account_id, session_id)
        if not found:
            raise NotFound("There is no such session in this account.")
        interactions = tuple(map(rows.interaction_from_row, await self._rows("interactions", session_id)))
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
        prepared = [rows_outbox.outbox_to_row(row, self._sealer) for row in outbox]
        return await self._write_small(
            sql_sessions.update_session, self._sealer, account_id, session_id, change, prepared, once
        )

    async def end_session(
        self, account_id: str, session_id: str, *, now: float, by_request: bool, outbox: Sequence[OutboxRow]
    ) -> Session:
        prepared = [rows_outbox.outbox_to_row(row, self._sealer) for row in outbox]
        return await self._write_small(
            sql_sessions.end_session, self._sealer, account_id, session_id, now=now, by_request=by_request,
            outbox=prepared,
        )  # fmt: skip

    async def replace_numbers(self, account_id: str, session_id: str, *, now: float, outbox: SessionOutbox) -> Session:
        return await self._write(
            sql_sessions.replace_numbers, self._sealer, account_id, session_id, now, self._prepared(outbox)
        )  # fmt: skip

    def _prepared(self, outbox: SessionOutbox) -> Callable[[Session], list[rows.Row]]:
        """What units of work call: webhooks that name the session as it comes to be."""
        return lambda session: [rows_outbox.outbox_to_row(row, self._sealer) for row in outbox(session)]

    async def sessions_on(self, number: Number, *, now: float, limit: int) -> list[Session]:
        found = await self._list(lambda c: run(c, "sessions_on", number.e164, now, max(limit, 0)).fetchall())
        return [rows.session_from_row(row, self._sealer) for row in found]

    async def sessions_due(self, wall: float, limit: int) -> list[Session]:
        due, damaged = [], []
        for row in await self._rows("sessions_due", wall, limit):
            interactions = tuple(map(rows.interaction_from_row, await self._rows("interactions", row[0])))
            try:
                due.append(rows.session_from_row(row, self._sealer, interactions))
            except SealBroken:  # it must not keep all others from ending
                damaged.append(row)
        if damaged:
            await self._write(sql_sessions.end_damaged, damaged, wall)
        return due

    async def session_for_call(self, caller: Number, virtual_number: Number) -> Session | None:
        # As `_session_of(party_key(caller), …)` would, in fewer steps: each call asks this.
        found = await self._rows("session_for_call", self._sealer.number_hash(caller), virtual_number.e164)
        return rows.session_from_row(found[0], self._sealer) if found else None

    async def session_for_pin(self, pin: str, virtual_number: Number) -> Session | None:
        return await self._session_of(pin_key(pin), virtual_number)

    async def open_session(self, virtual_number: Number) -> Session | None:
        return await self._session_of(ANYONE, virtual_number)

    async def _session_of(self, key: Key, virtual_number: Number) -> Session | None:
        found = await self._rows("session_for_call", self._sealer.key_hash(key), virtual_number.e164)
        return rows.session_from_row(found[0], self._sealer) if found else None

    async def pin_session(self, virtual_number: Number, now: float) -> Session | None:
        found = await self._rows("session_with_pin", virtual_number.e164, now)
        return rows.session_from_row(found[0], self._sealer) if found else None

    async def entries(self, virtual_number: Number) -> Entries:
        found = await self._rows("number_entries", virtual_number.e164)
        return Entries(*found[0]) if found else NO_ENTRIES

    async def count_pin(self, one: PinTry, limits: PinLimits, now: float) -> Counted:
        return await self._write_small(sql_pins.count_try, self._sealer, one, limits, now)

    async def accept_pin(self, one: PinTry, limits: PinLimits, now: float) -> None:
        await self._write_small(sql_pins.accept_try, self._sealer, one, limits, now)

    async def last_outside_party(self, session: Session) -> Number | None:
        missing = session.missing
        if missing is None:
            return None
        found = await self._rows("calls_of_session", session.account_id, OUTSIDE_CALLS, session.id)
        parties = (rows.call_from_row(row, self._sealer).party(missing) for row in found)
        return next((party for party in parties if party is not None), None)

    async def forget(self, before: float, now: float, limit: int) -> int:
        return await self._write(sql_forget.forget, self._sealer, before, now, limit)

    async def reset_calls_in_progress(self) -> int:
        return await self._write(lambda connection: int(run(connection, "reset_calls_in_progress").rowcount))

    # -- calls --------------------------------------------------------------------------------------------------------
    async def lease_requested_calls(self, owner: str, *, now: float, until: float, limit: int) -> list[RequestedCall]:
        if not await self._rows("has_requested_calls", now):
            return []
        return await self._write_small(sql_requests.lease, owner, now, until, limit)

    async def drop_requested_call(
        self, owner: str, session_id: str, fact: CallNotStarted, outbox: Sequence[OutboxRow]
    ) -> bool:
        prepared = [rows_outbox.outbox_to_row(row, self._sealer) for row in outbox]
        return await self._write_small(
            sql_requests.drop, owner, session_id, rows_facts.facts_to_rows([fact])[0], prepared
        )

    async def commit_calls(self, calls: Sequence[RecordedCall]) -> list[str]:
        if not calls:
            return []
        prepared = []
        at_once = max(_PREPARED_AT_ONCE, len(calls) // _PREPARED_IN)
        for position, call in enumerate(calls, 1):
            prepared.append(sql_units.call_rows(call, self._sealer))
            if position % at_once == 0:
                await asyncio.sleep(0)
        try:
            return await self._write(sql_units.commit_calls, prepared)
        except sql_owners.NotOurs:
            return await self._write(sql_units.commit_calls, prepared, looked_up=True)

    async def live_calls(self, engine_id: str) -> list[LiveCall]:
        found = await self._list(lambda connection: run(connection, "live_calls", engine_id).fetchall())
        return [rows_kept.live_call_from_row(row, self._sealer) for row in found]

    async def take_live_calls(
        self, engine_id: str, *, now: float, limit: int, own: bool = False, ended_only: bool = False, form: int = 1
    ) -> list[LiveCall]:
        taken = await self._write(sql_owners.take_calls, engine_id, now, limit, own, ended_only, form)
        return [rows_kept.live_call_from_row(row, self._sealer) for row in taken]

    async def unread_calls(self, engine_id: str, *, now: float, form: int) -> list[str]:
        found = await self._list(lambda connection: sql_owners.unread_calls(connection, engine_id, now, form))
        return [row[0] for row in found]

    async def take_unread_calls(
        self, engine_id: str, calls: Collection[str], *, now: float, form: int
    ) -> list[LiveCall]:
        taken = await self._write(sql_owners.take_unread, engine_id, calls, now, form)
        return [rows_kept.live_call_from_row(row, self._sealer) for row in taken]

    async def lost_calls(self, calls: Mapping[str, Tenure]) -> list[str]:
        asked = [(call_id, *held) for call_id, held in calls.items()]
        return await self._list(lambda connection: sql_owners.lost_calls(connection, asked))

    async def ask_call_end(self, account_id: str, subaccount_id: str | None, call_id: str, *, now: float) -> bool:
        return await self._write_small(sql_owners.ask_end, account_id, subaccount_id, call_id, now)

    async def calls_to_end(self, engine_id: str) -> list[str]:
        return [row[0] for row in await self._rows("calls_to_end", engine_id)]

    async def renew_owner(self, owner: Owner, *, now: float) -> Renewal:
        return await self._write_small(sql_owners.renew, owner, now)

    async def end_owner(self, owner_id: str) -> None:
        await self._write_small(sql_owners.end, owner_id)

    async def free_leases(self, owners: Sequence[str], *, now: float) -> int:
        return await self._write(sql_owners.free_leases, owners, now) if owners else 0

    async def owners(self) -> list[Owner]:
        return [rows_kept.owner_from_row(row) for row in await self._rows("owners")]

    async def call(self, account_id: str, call_id: str) -> CallRecord:
        found = await self._rows("call", account_id, call_id)
        if not found:
            raise NotFound(NO_CALL)
        return rows.call_from_row(found[0], self._sealer)

    async def calls(self, account_id: str, *, session_id: str | None = None, limit: int = 20) -> list[CallRecord]:
        if session_id is None:
            found = await self._list(lambda c: run(c, "calls", account_id, limit).fetchall())
        else:
            found = await self._list(lambda c: run(c, "calls_of_session", account_id, limit, session_id).fetchall())
        return [rows.call_from_row(row, self._sealer) for row in found]

    async def facts(self, subject: str) -> list[Fact]:
        return [fact for row in await self._rows("facts", subject) for _, fact in rows_facts.facts_from_row(row)]

    async def facts_since(self, cursor: int, limit: int) -> list[tuple[int, Fact]]:
        found = await self._list(lambda connection: run(connection, "facts_since", cursor, limit).fetchall())
        return [told for row in found for told in rows_facts.facts_from_row(row, cursor)][:limit]

    async def replay_since(self, cursor: int, limit: int) -> list[tuple[int, Fact, CallParties | None]]:
        found = await self._list(lambda connection: run(connection, "replay_since", cursor, limit).fetchall())
        told = [
            (position, fact, rows.parties_from_row(row[_CALL:], self._sealer) if type(fact) is CallEnded else None)
            for row in found
            for position, fact in rows_facts.facts_from_row(row[:_CALL], cursor)
        ]
        return told[:limit]

    # -- outbox -------------------------------------------------------------------------------------------------------
    async def lease_outbox(self, owner: str, *, now: float, until: float, limit: int) -> list[OutboxRow]:
        leased = await self._write(sql_outbox.lease, owner, now, until, limit)
        opened, broken = [], []
        for position, row in enumerate(leased):
            if position % _OPENED_AT_ONCE == 0:
                await asyncio.sleep(0)
            try:
                opened.append(rows_outbox.outbox_from_row(row, self._sealer))
            except SealBroken:  # it must not take those beside it along, at each lease anew
                broken.append(Delivery(row[0], "failed", now, error=rows_outbox.UNOPENED))
        if broken:
            await self.finish_outbox(owner, broken, now=now)
        return sorted(opened, key=lambda row: (row.created_at, row.sequence, row.id))

    async def outbox(self, account_id: str | None, *, state: str | None = None, limit: int = 50) -> list[OutboxRow]:
        values = [value for value in (account_id, max(limit, 0), state) if value is not None]
        query = f"outbox_of_{'all' if account_id is None else 'account'}{'' if state is None else '_in_state'}"
        found = await self._list(lambda connection: run(connection, query, *values).fetchall())
        return [rows_outbox.outbox_listed(row, self._sealer) for row in found]

    async def outbox_state(self, row_id: str) -> str | None:
        found = await self._rows("outbox_state", row_id)
        return found[0][0] if found else None

    async def replay_outbox(self, row_id: str, now: float) -> None:
        await self._write(sql_outbox.replay, row_id, now)

    async def next_outbox_due(self) -> float | None:
        due: float | None = (await self._rows("next_outbox_due"))[0][0]
        return due

    async def counts(self) -> dict[str, Any]:
        def read(connection: SqlConnection) -> tuple[Any, list[Any]]:
            return run(connection, "count_rows").fetchone(), run(connection, "count_outbox").fetchall()

        counted, outbox = await self._list(read)
        tables = ("accounts", "numbers", "trunks", "endpoints", "sessions", "claims", "calls", "facts", "recordings")
        return {**dict(zip(tables, counted, strict=True)), "outbox": dict(outbox)}


def _list_sessions(connection: SqlConnection, sealer: Sealer, wanted: SessionList) -> tuple[list[Session], int]:
    # The total belongs to the same state as the page.
    with connection.snapshot():
        (total,) = connection.query(wanted.total, wanted.values).fetchone()
        found = [
            rows.session_from_row(row, sealer, sql_sessions.read_interactions(connection, row[0]))
            for row in connection.query(wanted.page, wanted.values).fetchall()
        ]
    return found, int(total)
