"""Change the options of a live masking session.

What it is: which options may change, and the rule that `session_expiry` restarts the clock
(plivo-vts.md §3 DERIVED). What it is not: parsing. Who uses it: the dialects and the CLI.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from maskline.clock import Clock
from maskline.errors import InvalidParameter, SessionEnded
from maskline.masking.session import Session, SessionChange
from maskline.storage.store import Store
from maskline.workflows.get_session import get_session
from maskline.workflows.scope import Scope

UPDATABLE = frozenset({
    "session_expiry", "call_time_limit", "ring_timeout", "callback_url", "callback_method", "record",
    "record_file_format", "recording_callback_url", "recording_callback_method",
    "first_party_play_url", "second_party_play_url",
})  # fmt: skip
"""Options that may change in a live session (plivo-vts.md §3); all else is fixed at creation."""


async def update_session(
    store: Store, clock: Clock, scope: Scope, session_id: str, wanted: Mapping[str, Any]
) -> Session:
    """Apply `wanted` (option names, party names or `subaccount`, with domain values) and return the session.

    A fixed option is accepted with the value it has. Raises `NotFound`, `SessionEnded`, and `InvalidParameter`
    for a real change of a fixed one.
    """
    now = clock.wall()
    session = await get_session(store, scope, session_id)
    if not session.is_live(now):
        raise SessionEnded
    changes: dict[str, Any] = {}
    for name, value in wanted.items():
        if name in UPDATABLE:
            changes[name] = value
        elif _current(session, name) != value:
            raise InvalidParameter(f"Invalid parameter. {name} cannot be changed", parameter=name)
    if not changes:
        return session
    restarted = changes.get("session_expiry")
    change = SessionChange(
        replace(session.options, **changes), session.expires_at if restarted is None else now + restarted, now,
        tuple(changes), session.first_party, session.second_party,
    )  # fmt: skip
    return await store.update_session(scope.account_id, session_id, change)


def _current(session: Session, name: str) -> Any:
    if name == "subaccount":
        return session.subaccount_id
    if name in ("first_party", "second_party"):
        return getattr(session, name)
    return getattr(session.options, name)
