"""Rename a virtual number, or move it between an account and its subaccounts. Called by the dialects.

A move is about new sessions: those that live on the number stay on it and keep working, whosever it is now.
"""

from __future__ import annotations

from dataclasses import replace

from maskline.clock import Clock
from maskline.errors import InvalidParameter
from maskline.masking.decision import VirtualNumber
from maskline.storage.store import Store
from maskline.workflows.find_account import own_subaccount
from maskline.workflows.get_number import get_number
from maskline.workflows.scope import Scope

LONGEST_ALIAS = 200


async def update_number(
    store: Store, clock: Clock, scope: Scope, text: str, *, alias: str | None = None, subaccount_id: str | None = None
) -> VirtualNumber:
    """None leaves as is; a `subaccount_id` that is empty or the main account's own moves the number back to that.

    Raises `NotFound`, `InvalidParameter`, and `NotOffered` when a subaccount wants to move a number.
    """
    number = await get_number(store, scope, text)
    changed = number
    if alias is not None:
        changed = replace(changed, alias=_checked_alias(alias))
    if subaccount_id is not None:
        changed = replace(changed, subaccount_id=await _new_owner(store, scope, subaccount_id))
    # Written only when it says something new: a move, even to where it is, puts a number at the end of its pool.
    if changed != number:
        await store.update_number(changed, clock.wall())
    return changed


def _checked_alias(alias: str) -> str:
    if len(alias) > LONGEST_ALIAS or not (alias.isprintable() or alias == ""):
        raise InvalidParameter(
            f"Invalid parameter. alias should be at most {LONGEST_ALIAS} printable characters", parameter="alias"
        )
    return alias


async def _new_owner(store: Store, scope: Scope, subaccount_id: str) -> str | None:
    if subaccount_id and subaccount_id == scope.subaccount_id:
        return subaccount_id
    account_id = scope.main_account("move a number")
    if subaccount_id in ("", account_id):
        return None
    return (await own_subaccount(store, account_id, subaccount_id)).id
