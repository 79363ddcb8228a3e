"""Give a virtual number back: no new sessions, off the lists. Called by the dialects.

Its live sessions run to their end and its pairs stay held, so nobody who still dials it meets a stranger.
"""

from __future__ import annotations

from maskline.clock import Clock
from maskline.masking.decision import NumberState, VirtualNumber
from maskline.storage.store import Store
from maskline.workflows.get_number import get_number
from maskline.workflows.scope import Scope
from maskline.workflows.set_number import NumberChange, set_number


async def retire_number(store: Store, clock: Clock, scope: Scope, text: str) -> VirtualNumber:
    """Raises `NotFound`, also when it is retired already, and `NotOffered` to a subaccount: numbers are the main
    account's to give back."""
    number = await get_number(store, scope, text)
    scope.main_account("give a number back")
    return await set_number(store, clock, number.number.e164, NumberChange(NumberState.RETIRED))
