"""Change a live masking session.

What it is: which options may change, when a party may, and the rule that `session_expiry` restarts the clock
(plivo-vts.md §3 DERIVED). What it is not: parsing. Who uses it: the dialects and the CLI.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from maskline.clock import Clock
from maskline.errors import InvalidParameter, SessionEnded
from maskline.ids import Ids
from maskline.masking.session import Role, Session, SessionChange
from maskline.storage.store import Once, OutboxRow, Store
from maskline.webhooks.formats import native
from maskline.workflows.build_outbox import param_update_outbox
from maskline.workflows.check_parties import refuse_wrong_parties
from maskline.workflows.find_limits import FindLimits, refuse_barred_parties
from maskline.workflows.get_session import get_session
from maskline.workflows.hooks import Notify, nobody_waits
from maskline.workflows.native_outbox import native_session_rows
from maskline.workflows.scope import Scope

UPDATABLE = frozenset({
    "session_expiry", "call_time_limit", "ring_timeout", "callback_url", "callback_method", "record",
    "record_file_format", "recording_callback_url", "recording_callback_method",
    "first_party_play_url", "second_party_play_url",
})  # fmt: skip
"""Options that may change in a live session (plivo-vts.md §3); all else is fixed at creation, but for the parties of a
session that was made with a single one."""


UpdateOutbox = Callable[[Session, float, Ids], Sequence[OutboxRow]]
"""Webhooks of a session, as it is after a change at a wall second."""


class UpdateSession:
    """Call it with a scope, a session's id and what is wanted."""

    __slots__ = ("_clock", "_committed", "_ids", "_limits", "_outbox", "_store")

    def __init__(
        self, store: Store, clock: Clock, ids: Ids, outbox: UpdateOutbox = param_update_outbox,
        committed: Notify = nobody_waits,
    ) -> None:  # fmt: skip
        """`committed` is called after each update that left webhooks."""
        self._store = store
        self._clock = clock
        self._ids = ids
        self._outbox = outbox
        self._committed = committed
        self._limits = FindLimits(store)

    async def __call__(
        self, scope: Scope, session_id: str, wanted: Mapping[str, Any], once: Once | None = None
    ) -> Session:
        """Apply `wanted` (names of options, parties, PINs or `subaccount`, with domain values); return the session.

        What is fixed is accepted with the value it has. An update that changes nothing leaves no trace. Raises
        `NotFound`, `SessionEnded`, `IdempotencyMismatch`, and `InvalidParameter` for a real change of something fixed
        and for a party that cannot be one.
        """
        now = self._clock.wall()
        session = await get_session(self._store, scope, session_id)
        # A repeat may come after the end; whether it is one, the store can tell.
        if once is None and not session.is_live(now):
            raise SessionEnded
        changes = _changes(session, wanted)
        if not changes and once is None:
            return session
        change = _change(session, changes, now)
        await self._check_parties(session, change)
        rows = await self._rows(session.changed(change), now) if changes else []
        updated = await self._store.update_session(scope.account_id, session_id, change, outbox=rows, once=once)
        if rows:
            self._committed()
        return updated

    async def _rows(self, session: Session, now: float) -> list[OutboxRow]:
        rows = [*self._outbox(session, now, self._ids)]
        return rows + await native_session_rows(self._store, session, native.SESSION_UPDATED, now, self._ids)

    async def _check_parties(self, session: Session, change: SessionChange) -> None:
        if (change.first_party, change.second_party) == (session.first_party, session.second_party):
            return
        if change.first_party == change.second_party:
            raise InvalidParameter(
                "Invalid parameter. second_party must differ from first_party", parameter="second_party"
            )
        parties = {Role.FIRST: change.first_party, Role.SECOND: change.second_party}
        await refuse_wrong_parties(self._store, session.account_id, parties)
        await refuse_barred_parties(self._limits, session.account_id, parties)


def _changes(session: Session, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What becomes different. A new expiry always does: it counts from now."""
    changes: dict[str, Any] = {}
    for name, value in wanted.items():
        if name != "session_expiry" and _current(session, name) == value:
            continue
        if not _may_change(session, name):
            raise InvalidParameter(f"Invalid parameter. {name} cannot be changed", parameter=name)
        changes[name] = value
    return changes


def _may_change(session: Session, name: str) -> bool:
    return name in UPDATABLE or (name in tuple(Role) and session.options.create_session_with_single_party)


def _change(session: Session, changes: Mapping[str, Any], now: float) -> SessionChange:
    options = {name: value for name, value in changes.items() if name in UPDATABLE}
    expiry = options.get("session_expiry")
    return SessionChange(
        replace(session.options, **options), session.expires_at if expiry is None else now + expiry, now,
        tuple(changes), changes.get(Role.FIRST, session.first_party), changes.get(Role.SECOND, session.second_party),
    )  # fmt: skip


def _current(session: Session, name: str) -> Any:
    match name:
        case "subaccount":
            return session.subaccount_id
        case "first_party" | "second_party" | "first_party_pin" | "second_party_pin":
            return getattr(session, name)
    return getattr(session.options, name)
