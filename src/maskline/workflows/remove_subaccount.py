"""Close a subaccount: its credentials are unknown from then on. Called by the dialects and the CLI.

Its numbers go to the end of the main account's pool, which is told of them (`eight.number`); its live sessions run to
their end, and the main account still sees them.
"""

from __future__ import annotations

from maskline.clock import Clock
from maskline.masking.decision import NumberState
from maskline.storage.store import Store
from maskline.workflows.get_subaccount import get_subaccount
from maskline.workflows.number_outbox import inherited_outbox
from maskline.workflows.scope import Scope


async def remove_subaccount(store: Store, clock: Clock, scope: Scope, subaccount_id: str) -> None:
    """Raises `NotFound` and `NotOffered`."""
    account = await get_subaccount(store, scope, subaccount_id)
    now = clock.wall()
    numbers = [number for number in await store.numbers(account.id) if number.state is not NumberState.RETIRED]
    told = await inherited_outbox(store, now, account.owner_id, numbers)
    await store.remove_subaccount(account.id, now, outbox=told)
