"""Call flows that wait to be begun, of the in-memory store: the same rules as `queries.sql` states for them, in Python.

What it is: leases on a dictionary. What it is not: durable. Who uses it: `storage/memory_log.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from maskline.errors import Conflict
from maskline.storage.kept import RequestedFlow

_DEAD = "-"
"""Whoever had it."""


class MemoryFlows:
    """By the flow's id: the flow, who has it, until when."""

    __slots__ = ("_rows",)

    def __init__(self) -> None:
        self._rows: dict[str, tuple[RequestedFlow, str, float]] = {}

    def add(self, flow: RequestedFlow) -> None:
        if flow.id in self._rows:
            raise Conflict("This call flow exists already.")
        self._rows[flow.id] = (flow, "", 0.0)

    def lease(self, owner: str, now: float, until: float, limit: int) -> list[RequestedFlow]:
        due = [row for row in self._rows.values() if row[2] <= now]
        due.sort(key=lambda row: (row[2], row[0].requested_at))
        leased = [(flow, before) for flow, before, _ in due[: max(limit, 0)]]
        for flow, _ in leased:
            self._rows[flow.id] = (flow, owner, until)
        flows = [replace(flow, leased_before=bool(before)) for flow, before in leased]
        return sorted(flows, key=lambda flow: (flow.requested_at, flow.id))

    def release(self, owner: str, flow_id: str) -> bool:
        flow, holder, _ = self._rows.get(flow_id, (None, "", 0.0))
        if flow is None or holder != owner:
            return False
        self._rows[flow_id] = (flow, "", 0.0)
        return True

    def free(self, owners: Sequence[str]) -> int:
        """Leases of processes that are dead: it may have rung, as whoever leases it next is told."""
        left = [flow for flow, holder, until in self._rows.values() if until and holder in owners]
        for flow in left:
            self._rows[flow.id] = (flow, _DEAD, 0.0)
        return len(left)

    def finish(self, flow_id: str) -> None:
        self._rows.pop(flow_id, None)
