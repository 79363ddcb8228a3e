"""Call flows that wait to be begun, of the in-memory store: the same rules as `queries.sql` states for them, in Python.

What it is: leases on a dictionary. What it is not: durable. Who uses it: `storage/memory_log.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from maskline.errors import Conflict
from maskline.storage.kept import RequestedFlow

_DEAD = "-"
"""Whoever had it."""


class MemoryFlows:
    """By the flow's id: the flow, who has it, until when."""

    __slots__ = ("_rows", "_unwanted")

    def __init__(self) -> None:
        self._rows: dict[str, tuple[RequestedFlow, str, float]] = {}
        self._unwanted: set[str] = set()

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
        flows = [
            replace(flow, leased_before=bool(before), unwanted=flow.id in self._unwanted) for flow, before in leased
        ]  # fmt: skip
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

    def ask_end(self, flow_id: str, owners: Collection[str]) -> bool:
        """Whether one of the accounts `owners` asked for it."""
        if flow_id not in self._rows or self._rows[flow_id][0].account_id not in owners:
            return False
        self._unwanted.add(flow_id)
        return True

    def finish(self, flow_id: str) -> set[str]:
        """Its id, if somebody has asked for the end of the call that has begun."""
        self._rows.pop(flow_id, None)
        unwanted = self._unwanted & {flow_id}
        self._unwanted -= unwanted
        return unwanted
