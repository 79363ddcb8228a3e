"""What a SQL database keeps of webhooks beside the outbox: attempts, endpoints that fail, and sending many again.

What it is: these methods of the protocol. What it is not: the outbox's own units (`sql_outbox.py`). Who builds on it:
`sql_store.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

from maskline.errors import NotFound
from maskline.storage import sql_forget, sql_outbox
from maskline.storage.crypto import SealBroken, Sealer
from maskline.storage.rows import Row
from maskline.storage.rows_outbox import UNOPENED, outbox_listed, outbox_to_row
from maskline.storage.sql import SqlConnection, run
from maskline.storage.sql_flows import SqlFlows
from maskline.storage.store import Delivery, OutboxRow
from maskline.storage.webhook_store import (
    NO_WEBHOOK,
    UNSENT_STATES,
    Attempt,
    EndpointNote,
    EndpointOutbox,
    FailingEndpoint,
    Patience,
    ReplayFilter,
    ReplayPlace,
    is_wanted,
    tell_nobody,
)


class SqlWebhooks(SqlFlows):
    """See `maskline.storage.webhook_store.WebhookStore`."""

    async def finish_outbox(self, owner: str, deliveries: Sequence[Delivery], *, now: float) -> list[bool]:
        attempts = {
            one.row_id: _attempt_to_row(one.attempt, self._sealer) for one in deliveries if one.attempt is not None
        }
        return await self._write(sql_outbox.finish, owner, tuple(deliveries), attempts, now)

    async def webhook(self, account_id: str, row_id: str) -> OutboxRow:
        found = await self._rows("outbox_row", row_id, account_id)
        if not found:
            raise NotFound(NO_WEBHOOK)
        return outbox_listed(found[0], self._sealer)

    async def attempts(self, row_id: str) -> list[Attempt]:
        return [_attempt_from_row(row, self._sealer) for row in await self._rows("attempts", row_id)]

    async def note_endpoints(
        self, notes: Sequence[EndpointNote], patience: Patience, *, now: float, outbox: EndpointOutbox = tell_nobody
    ) -> list[FailingEndpoint]:
        def unit(connection: SqlConnection) -> list[FailingEndpoint]:
            found = sql_outbox.note_endpoints(connection, notes, patience, now)
            disabled = [sql_outbox.failing_from_row(row) for row in found]
            told = [outbox_to_row(row, self._sealer) for one in disabled for row in outbox(one)]
            sql_outbox.add_outbox(connection, told)
            return disabled

        return await self._write_small(unit)

    async def failing_endpoints(self, account_id: str | None = None) -> list[FailingEndpoint]:
        return [sql_outbox.failing_from_row(row) for row in await self._rows("failing_endpoints", account_id)]

    async def enable_endpoint(self, endpoint_id: str, account_id: str | None = None) -> FailingEndpoint:
        return sql_outbox.failing_from_row(
            await self._write_small(sql_outbox.enable_endpoint, endpoint_id, account_id)
        )  # fmt: skip

    async def replay_some(
        self, wanted: ReplayFilter, *, now: float, after: ReplayPlace, limit: int
    ) -> tuple[int, ReplayPlace | None]:
        query = "outbox_unsent" if set(wanted.states) <= set(UNSENT_STATES) else "outbox_finished"
        values = (wanted.account_id, wanted.since, wanted.until, *after, limit)
        found = await self._list(lambda connection: run(connection, query, *values).fetchall())
        ids = [row[0] for row in sorted(found, key=_in_lane) if is_wanted(wanted, row[2], row[3], row[4])]
        replayed = await self._write(sql_outbox.replay_all, ids, now) if ids else 0
        return replayed, ReplayPlace(found[-1][1], found[-1][0]) if len(found) == limit else None

    async def forget_webhooks(self, before: float, limit: int) -> int:
        return await self._write(sql_forget.forget_webhooks, before, limit)


def _in_lane(row: Row) -> tuple[float, int, str]:
    """Rows of one moment in the order of their lane."""
    return row[1], row[5], row[0]


def _attempt_to_row(attempt: Attempt, sealer: Sealer) -> Row:
    sealed = sealer.seal(attempt.answer.encode(), _answer_context(attempt.row_id)) if attempt.answer else b""
    return (
        attempt.row_id, attempt.number, attempt.at, attempt.milliseconds, attempt.status, attempt.fault, sealed
    )  # fmt: skip


def _attempt_from_row(row: Row, sealer: Sealer) -> Attempt:
    try:
        answer = sealer.unseal(row[6], _answer_context(row[0])).decode() if row[6] else ""
    except SealBroken:
        answer = UNOPENED
    values = (*row[:6], answer)
    return Attempt(*values)


def _answer_context(row_id: str) -> str:
    return f"attempts.answer:{row_id}"
