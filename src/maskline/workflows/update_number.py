"""Rename a virtual number, or move it between an account and its subaccounts. Called by the dialects.

What it is: what an account or subaccount may say of its numbers; the change itself is the operator's
(`set_number.py`). A move is about new sessions: those that live on the number stay on it and keep working, whosever it
is now.
"""

from __future__ import annotations

from maskline.clock import Clock
from maskline.errors import InvalidParameter
from maskline.storage.store import Once, Store
from maskline.workflows.get_number import get_number
from maskline.workflows.number_outbox import number_outbox
from maskline.workflows.scope import Scope
from maskline.workflows.set_number import NumberChange, changed_number

LONGEST_ALIAS = 200


async def update_number(
    store: Store, clock: Clock, scope: Scope, text: str, *, alias: str | None = None,
    subaccount_id: str | None = None, once: Once | None = None,
) -> bool:  # fmt: skip
    """None leaves as is; a `subaccount_id` that is empty or the main account's own moves the number back to that.
    Returns False when `once` was met before and nothing was changed.

    Raises `NotFound`, `InvalidParameter`, `IdempotencyMismatch`, and `NotOffered` when a subaccount wants to move a
    number.
    """
    number = await get_number(store, scope, text)
    if alias is not None and (len(alias) > LONGEST_ALIAS or not (alias.isprintable() or alias == "")):
        raise InvalidParameter(
            f"Invalid parameter. alias should be at most {LONGEST_ALIAS} printable characters", parameter="alias"
        )
    if subaccount_id is not None and (subaccount_id == "" or subaccount_id != scope.subaccount_id):
        account_id = scope.main_account("move a number")
        subaccount_id = "" if subaccount_id == account_id else subaccount_id
    change = NumberChange(alias=alias, subaccount_id=subaccount_id)
    changed = await changed_number(store, number, change)
    if changed == number and once is None:
        return True
    now = clock.wall()
    return await store.update_number(
        changed, now, once=once, outbox=await number_outbox(store, now, number, changed)
    )  # fmt: skip
