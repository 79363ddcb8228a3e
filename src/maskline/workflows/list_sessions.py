"""Read a page of masking sessions. Called by the dialects and the CLI."""

from __future__ import annotations

from dataclasses import replace

from maskline.clock import Clock
from maskline.masking.session import Session
from maskline.storage.filters import SessionFilter
from maskline.storage.store import Store
from maskline.workflows.scope import Scope


async def list_sessions(
    store: Store, clock: Clock, scope: Scope, wanted: SessionFilter, *, limit: int, offset: int
) -> tuple[list[Session], int]:
    """Newest first, with the total count of the filter; a subaccount sees its own only."""
    if scope.subaccount_id is not None:
        if wanted.subaccount_id not in (None, scope.subaccount_id):
            return [], 0
        wanted = replace(wanted, subaccount_id=scope.subaccount_id)
    return await store.sessions(scope.account_id, wanted, limit=limit, offset=offset, wall=clock.wall())
