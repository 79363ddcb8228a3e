"""Read one masking session. Called by the dialects and the CLI."""

from __future__ import annotations

from maskline.masking.session import Session
from maskline.storage.store import Store
from maskline.workflows.scope import Scope


async def get_session(store: Store, scope: Scope, session_id: str) -> Session:
    """Raises `NotFound` for an unknown id and for another tenant's alike."""
    return scope.check(await store.session(scope.account_id, session_id))
