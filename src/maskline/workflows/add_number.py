"""Give an account a virtual number. Called by the CLI and the demo."""

from __future__ import annotations

from maskline.clock import Clock
from maskline.errors import InvalidParameter
from maskline.masking.decision import NumberUse, VirtualNumber
from maskline.masking.e164 import Number, parse_telephone
from maskline.storage.store import Store
from maskline.workflows.find_account import own_subaccount
from maskline.workflows.number_outbox import number_outbox


async def add_number(
    store: Store, clock: Clock, text: str, account_id: str, subaccount_id: str | None = None, reference_id: str = "", *,
    use: NumberUse = NumberUse.SHARED, alias: str = "", fallback: str = "",
) -> VirtualNumber:  # fmt: skip
    """Keep and return the number; a subaccount's id as `account_id` means that subaccount. `fallback`: where calls go
    that belong to no session; empty: nowhere.

    Raises `InvalidParameter` (number, fallback or subaccount), `NotFound` (account) and `Conflict` (somebody has it,
    or our calls go to it: it is a party of a session that is live or in cool-off, or a fallback).
    """
    number = parse_telephone(text, parameter="number")
    account = await store.account(account_id)
    if subaccount_id is not None:
        await own_subaccount(store, account.owner_id, subaccount_id)
    elif account.parent_id is not None:
        subaccount_id = account.id
    now = clock.wall()
    virtual = VirtualNumber(
        number, account.owner_id, subaccount_id, reference_id, number.country, use=use, alias=alias,
        fallback=await read_fallback(store, number, fallback), added_at=now,
    )  # fmt: skip
    await store.add_number(virtual, now, outbox=await number_outbox(store, now, None, virtual))
    return virtual


async def read_fallback(store: Store, number: Number, text: str) -> Number | None:
    """The number that takes `number`'s calls without a session; None for empty text. Raises `InvalidParameter`, also
    for a virtual number of ours: such a call would come back to us."""
    if not text:
        return None
    fallback = parse_telephone(text, parameter="fallback")
    if fallback == number or await store.number(fallback) is not None:
        raise InvalidParameter("Invalid parameter. fallback is a virtual number", parameter="fallback")
    return fallback
