"""Call flows that wait to be begun, on a SQL database: kept, leased, given back.

What it is: these methods of the protocol and their units of work. What it is not: what a flow says, or how long it may
wait (`workflows/start_flow.py`). Who builds on it: `sql_store.py`; a call's first commit (`sql_units.py`) removes the
row.
"""

from __future__ import annotations

from maskline.errors import Conflict, IdempotencyMismatch
from maskline.storage import rows, topics
from maskline.storage.crypto import Sealer
from maskline.storage.kept import RequestedFlow, earlier_flow, flow_subject
from maskline.storage.sql import SqlConnection, by_its_clock, run
from maskline.storage.sql_recordings import SqlRecordings
from maskline.storage.sql_units import remember, repeated
from maskline.storage.store import Once


class SqlFlows(SqlRecordings):
    """See `maskline.storage.flow_store.FlowRequestStore`."""

    async def add_requested_flow(self, flow: RequestedFlow, *, once: Once | None = None) -> RequestedFlow:
        await self._check_owner(flow.account_id, None)
        row = rows.requested_flow_to_row(flow, self._sealer)
        return await self._write_small(_add, self._sealer, flow, row, once)

    async def earlier_flow(self, flow: RequestedFlow, once: Once) -> RequestedFlow | None:
        found = await self._rows("once", once.account_id, self._sealer.text_hash(once.key), flow.requested_at)
        if not found:
            return None
        if found[0][0] != self._sealer.text_hash(once.fingerprint):
            raise IdempotencyMismatch
        return earlier_flow(flow, found[0][1])

    async def lease_requested_flows(self, owner: str, *, now: float, until: float, limit: int) -> list[RequestedFlow]:
        if not await self._rows("has_requested_flows", now):
            # Nothing to do is the common answer, and it costs no transaction.
            return []
        leased = await self._write_small(_lease, owner, now, until, limit)
        flows = [rows.requested_flow_from_row(row, self._sealer) for row in leased]
        return sorted(flows, key=lambda flow: (flow.requested_at, flow.id))

    async def release_requested_flow(self, owner: str, flow_id: str) -> bool:
        return await self._write_small(_release, owner, flow_id)


# -- units of work ---------------------------------------------------------------------------------------------------
def _add(
    connection: SqlConnection, sealer: Sealer, flow: RequestedFlow, row: rows.Row, once: Once | None
) -> RequestedFlow:
    earlier = repeated(connection, sealer, once, flow.requested_at)
    if earlier is not None:
        return earlier_flow(flow, earlier)
    try:
        run(connection, "add_requested_flow", *row)
    except connection.BROKEN:
        raise Conflict("This call flow exists already.") from None
    connection.tell(topics.REQUESTED)
    remember(connection, sealer, once, flow_subject(flow), flow.requested_at)
    return flow


def _lease(connection: SqlConnection, owner: str, now: float, until: float, limit: int) -> list[rows.Row]:
    times = by_its_clock(connection, now, until)
    return run(connection, "lease_requested_flows", owner, *times, max(limit, 0)).fetchall()


def _release(connection: SqlConnection, owner: str, flow_id: str) -> bool:
    return bool(run(connection, "release_requested_flow", flow_id, owner).rowcount)
