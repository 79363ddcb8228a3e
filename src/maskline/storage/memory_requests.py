"""Requested calls of the in-memory store: the same rules as `queries.sql` states for them, in Python.

What it is: leases on a dictionary. What it is not: durable. Who uses it: `storage/memory_log.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from maskline.masking.session import RequestedCall


class _Leased(NamedTuple):
    request: RequestedCall
    owner: str = ""
    until: float = 0.0


class MemoryRequests:
    """By session, because a session asks once."""

    __slots__ = ("_rows",)

    def __init__(self) -> None:
        self._rows: dict[str, _Leased] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, request: RequestedCall | None) -> None:
        if request is not None:
            self._rows[request.session_id] = _Leased(request)

    def lease(self, owner: str, now: float, until: float, limit: int) -> list[RequestedCall]:
        due = [row for row in self._rows.values() if row.until <= now]
        due.sort(key=lambda row: (row.until, row.request.requested_at))
        due = due[: max(limit, 0)]
        for request, _, _ in due:
            self._rows[request.session_id] = _Leased(request, owner, until)
        return sorted((row.request for row in due), key=lambda request: request.requested_at)

    def free(self, owners: Sequence[str]) -> int:
        """Leases of processes that are dead: it may have rung, so it is too old from now on."""
        left = [row.request for row in self._rows.values() if row.until and row.owner in owners]
        for request in left:
            self._rows[request.session_id] = _Leased(replace(request, requested_at=0.0))
        return len(left)

    def owns(self, owner: str, session_id: str) -> bool:
        row = self._rows.get(session_id)
        return row is not None and row.owner == owner

    def finish(self, session_id: str) -> None:
        self._rows.pop(session_id, None)
