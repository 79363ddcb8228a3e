"""Whose a virtual number is, and so who may show it: the (sub)account that has it, and nobody beside it.

What it is: the one rule for the numbers that a call flow shows, by API (-1014) and in a reply (-2008). What it is not:
who may see or configure a number (`scope.py`). Who uses it: `request_flow.py`, `plan_flow.py`, `number_outbox.py`.
"""

from __future__ import annotations

from maskline.masking.decision import NumberState, VirtualNumber


def owner_of(number: VirtualNumber) -> str:
    """The subaccount that has the number, or the account whose own pool it is in."""
    return number.subaccount_id or number.account_id


def owns(account_id: str, number: VirtualNumber | None) -> bool:
    """Whether calls for this account or subaccount may show the number: it is its own, and not given back."""
    return number is not None and number.state is not NumberState.RETIRED and owner_of(number) == account_id
