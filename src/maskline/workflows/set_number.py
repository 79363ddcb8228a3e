"""Change what an operator says of a virtual number: its state, label, fallback, owner. Called by the CLI.

What it is: the operator's word, over all accounts. What it is not: what an account may do by API (`update_number.py`),
or moving live sessions to other numbers (`replace_number.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from maskline.clock import Clock
from maskline.errors import InvalidParameter, NotFound
from maskline.masking.decision import NumberState, VirtualNumber
from maskline.masking.e164 import parse_number
from maskline.storage.store import Store
from maskline.workflows.add_number import read_fallback
from maskline.workflows.find_account import own_subaccount
from maskline.workflows.number_outbox import number_outbox


@dataclass(frozen=True, slots=True)
class NumberChange:
    """None: stays as it is; empty text: cleared."""

    state: NumberState | None = None
    alias: str | None = None
    reference_id: str | None = None
    fallback: str | None = None
    subaccount_id: str | None = None
    """Empty: back to the main account."""


async def set_number(store: Store, clock: Clock, text: str, change: NumberChange) -> VirtualNumber:
    """Apply and return it. Live sessions stay on the number whatever its state. Raises `NotFound` and
    `InvalidParameter`."""
    number = await find_number(store, text)
    changed = await changed_number(store, number, change)
    # Written only when it says something new: a configuration that is written is read again by every process.
    if changed != number:
        now = clock.wall()
        await store.update_number(changed, now, outbox=await number_outbox(store, now, number, changed))
    return changed


async def changed_number(store: Store, number: VirtualNumber, change: NumberChange) -> VirtualNumber:
    """The number as it is to be; writes nothing. Raises `InvalidParameter`."""
    changed = replace(
        number,
        state=number.state if change.state is None else change.state,
        alias=number.alias if change.alias is None else change.alias,
        reference_id=number.reference_id if change.reference_id is None else change.reference_id,
    )
    if change.fallback is not None:
        changed = replace(changed, fallback=await read_fallback(store, number.number, change.fallback))
    if change.subaccount_id is not None:
        if change.subaccount_id:
            await own_subaccount(store, number.account_id, change.subaccount_id)
        changed = replace(changed, subaccount_id=change.subaccount_id or None)
    return changed


async def find_number(store: Store, text: str) -> VirtualNumber:
    """Whosever it is, in any state; raises `NotFound`, also for text that is no number."""
    try:
        found = await store.number(parse_number(text))
    except InvalidParameter:
        found = None
    if found is None:
        raise NotFound("There is no such virtual number.")
    return found
