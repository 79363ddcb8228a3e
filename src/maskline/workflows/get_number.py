"""Look up one virtual number of an account or subaccount. Called by the dialects and the other verbs on numbers."""

from __future__ import annotations

from maskline.errors import InvalidParameter, NotFound
from maskline.masking.decision import NumberState, VirtualNumber
from maskline.masking.e164 import parse_number
from maskline.storage.store import Store
from maskline.workflows.scope import Scope

UNKNOWN = "There is no such number in this account."


async def get_number(store: Store, scope: Scope, text: str) -> VirtualNumber:
    """A main account has its subaccounts' numbers too. Raises `NotFound`, in one sentence for foreign numbers,
    unknown and retired ones and what is no number at all."""
    try:
        found = await store.number(parse_number(text))
    except InvalidParameter:
        found = None
    if found is None or found.account_id != scope.account_id or found.state is NumberState.RETIRED:
        raise NotFound(UNKNOWN)
    if scope.subaccount_id is not None and found.subaccount_id != scope.subaccount_id:
        raise NotFound(UNKNOWN)
    return found
