"""The outbox of the in-memory store: lanes, leases and retries on dictionaries.

What it is: the same rules as `queries.sql` states for the outbox, in Python. What it is not: durable. Who uses
it: `storage/memory.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from maskline.errors import Conflict, NotFound
from maskline.storage.store import PENDING_STATES, Delivery, OutboxRow
from maskline.storage.webhook_store import (
    FAILING_LONGER,
    FINISHED_STATES,
    MOST_FAILING,
    UNSENT_STATES,
    Attempt,
    EndpointNote,
    FailingEndpoint,
    Patience,
    ReplayFilter,
    ReplayPlace,
    is_wanted,
    reason_to_disable,
)


class MemoryOutbox:
    """Webhooks to deliver; a *lane* is the rows of one (subject, url), of which one at a time is due or leased."""

    __slots__ = ("_open", "_owners", "attempts", "failing", "rows")

    def __init__(self) -> None:
        self.rows: dict[str, OutboxRow] = {}
        self._open: dict[str, None] = {}
        """Ids of rows that are waiting, due or leased."""
        self._owners: dict[str, str] = {}
        self.attempts: dict[str, list[Attempt]] = {}
        self.failing: dict[str, FailingEndpoint] = {}

    def add(self, rows: Iterable[OutboxRow]) -> None:
        """Raises `Conflict` when an id exists; then none is added."""
        rows = list(rows)
        if any(row.id in self.rows for row in rows) or len({row.id for row in rows}) < len(rows):
            raise Conflict("This webhook exists already.")
        for row in rows:
            self._put(replace(row, state=self._state_in_lane(row)))

    def lease(self, owner: str, *, now: float, until: float, limit: int) -> list[OutboxRow]:
        due = [row for row in self._in_state("due", "leased") if row.due_at <= now]
        due.sort(key=lambda row: row.due_at)
        if len(due) > limit:
            due = due[: max(limit - limit // 2, 0)] + due[len(due) - max(limit // 2, 0) :]
        leased = [replace(row, state="leased", due_at=until, leases=row.leases + 1) for row in due]
        for row in leased:
            self._put(row)
            self._owners[row.id] = owner
        return sorted(leased, key=lambda row: (row.created_at, row.sequence, row.id))

    def free(self, owners: Sequence[str], now: float) -> int:
        """Leases of processes that are dead."""
        left = [row for row in self._in_state("leased") if row.due_at > now and self._owners[row.id] in owners]
        for row in left:
            self._put(replace(row, state="due", due_at=now))
        return len(left)

    def finish(self, owner: str, done: Delivery, now: float) -> bool:
        row = self.rows.get(done.row_id)
        if row is None or self._owners.get(done.row_id) != owner:
            return False
        row = replace(row, state=done.state, due_at=done.due_at)
        if done.tried:
            row = replace(
                row, attempts=row.attempts + 1, leases=0, last_status=done.status, last_error=done.error
            )  # fmt: skip
        else:
            row = replace(row, leases=row.leases - 1)
        self._put(row)
        if done.attempt is not None:
            self.attempts.setdefault(row.id, []).append(done.attempt)
        if done.state not in PENDING_STATES:
            self._promote(row, now)
        return True

    def replay(self, row_id: str, now: float) -> None:
        row = self.rows.get(row_id)
        if row is None:
            raise NotFound
        if row.state == "due":
            self._put(replace(row, due_at=now))
        elif row.state not in PENDING_STATES:
            tried = row.replayed + row.attempts
            state = self._state_in_lane(row)
            self._put(replace(row, state=state, due_at=now, attempts=0, leases=0, replayed=tried))

    def replay_some(
        self, wanted: ReplayFilter, now: float, after: ReplayPlace, limit: int
    ) -> tuple[int, ReplayPlace | None]:
        looked_at = UNSENT_STATES if set(wanted.states) <= set(UNSENT_STATES) else FINISHED_STATES
        found = sorted(
            (
                row
                for row in self.rows.values()
                if row.account_id == wanted.account_id and row.state in looked_at
                and wanted.since <= row.created_at < wanted.until and (row.created_at, row.id) > after
            ),
            key=lambda row: (row.created_at, row.id),
        )[:limit]  # fmt: skip
        again = [row for row in found if is_wanted(wanted, row.state, row.url, row.subaccount_id)]
        for row in sorted(again, key=lambda row: (row.created_at, row.sequence, row.id)):
            self.replay(row.id, now)
        return len(again), ReplayPlace(found[-1].created_at, found[-1].id) if len(found) == limit else None

    def note(self, note: EndpointNote, patience: Patience, now: float) -> FailingEndpoint | None:
        """The endpoint, if it is disabled from now on."""
        old = self.failing.get(note.id)
        if not note.failures:
            if old is not None and old.disabled_at is None:
                del self.failing[note.id]
            return None
        if old is None and sum(one.account_id == note.account_id for one in self.failing.values()) >= MOST_FAILING:
            return None
        old = old or FailingEndpoint(note.id, note.account_id, note.subaccount_id, note.url, note.at, 0, note.at)
        new = self.failing[note.id] = replace(old, failures=old.failures + note.failures, last_at=note.at)
        reason = reason_to_disable(new, note, patience, now)
        if not reason:
            return None
        disabled = self.failing[note.id] = replace(new, disabled_at=now, reason=reason)
        return disabled

    def forget(self, before: float, limit: int) -> int:
        old = [row.id for row in self.rows.values() if row.created_at < before and row.state not in PENDING_STATES]
        for row_id in old[:limit]:
            del self.rows[row_id]
            self.attempts.pop(row_id, None)
        return len(old[:limit])

    def forget_failing(self, before: float, configured: Mapping[str, Iterable[str]]) -> None:
        """`configured`: URLs by (sub)account."""
        before -= FAILING_LONGER
        self.failing = {
            key: one
            for key, one in self.failing.items()
            if one.last_at >= before
            or (
                one.disabled_at is not None
                and any(url.startswith(one.url) for url in configured.get(one.subaccount_id or one.account_id, ()))
            )
        }

    def select(self, account_id: str | None, state: str | None, limit: int) -> list[OutboxRow]:
        wanted = [
            row
            for row in self.rows.values()
            if account_id in (None, row.account_id) and state in (None, row.state)
        ]  # fmt: skip
        wanted.sort(key=lambda row: (row.created_at, row.sequence, row.id), reverse=True)
        return wanted[: max(limit, 0)]

    def next_due(self) -> float | None:
        return min((row.due_at for row in self._in_state("due", "leased")), default=None)

    def by_state(self) -> dict[str, int]:
        states: dict[str, int] = {}
        for row in self.rows.values():
            states[row.state] = states.get(row.state, 0) + 1
        return states

    def _in_state(self, *states: str) -> list[OutboxRow]:
        return [row for row in map(self.rows.__getitem__, self._open) if row.state in states]

    def _lane(self, row: OutboxRow) -> list[OutboxRow]:
        rows = map(self.rows.__getitem__, self._open)
        return [other for other in rows if other.subject == row.subject and other.url == row.url]

    def _state_in_lane(self, row: OutboxRow) -> str:
        return "waiting" if self._lane(row) else "due"

    def _promote(self, finished: OutboxRow, now: float) -> None:
        following = min(self._lane(finished), key=lambda row: (row.sequence, row.id), default=None)
        if following is not None:
            self._put(replace(following, state="due", due_at=max(following.due_at, now)))

    def _put(self, row: OutboxRow) -> None:
        self.rows[row.id] = row
        if row.state in PENDING_STATES:
            self._open[row.id] = None
        else:
            self._open.pop(row.id, None)
        if row.state != "leased":
            self._owners.pop(row.id, None)
