"""Close a subaccount: its credentials are unknown from then on. Called by the dialects and the CLI.

Its numbers go to the end of the main account's pool; its live sessions run to their end, and the main account still
sees them.
"""

from __future__ import annotations

from maskline.clock import Clock
from maskline.storage.store import Store
from maskline.workflows.get_subaccount import get_subaccount
from maskline.workflows.scope import Scope


async def remove_subaccount(store: Store, clock: Clock, scope: Scope, subaccount_id: str) -> None:
    """Raises `NotFound` and `NotOffered`."""
    account = await get_subaccount(store, scope, subaccount_id)
    await store.remove_subaccount(account.id, clock.wall())
