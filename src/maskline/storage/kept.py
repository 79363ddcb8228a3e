"""What the store keeps for customers that steer calls by their own application: keys, and call flows that wait.

What it is: row types, beside those of `store.py`. What it is not: the store's methods. Who uses it: the stores, the
workflows behind the 8x8 API.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A bearer key: acts for its account, and for the subaccounts of that one. Kept as a keyed hash."""

    id: str
    account_id: str
    name: str
    """For people."""
    created_at: float
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class RequestedFlow:
    """A call flow that was acknowledged (`POST callflows`) and is not begun yet."""

    id: str
    """The call's id; 8x8 `sessionId`."""
    account_id: str
    """Whose numbers it uses and whose endpoints hear of it: a subaccount's id, or an account's."""
    request_id: str
    """8x8 `callFlowRequestId`."""
    body: str = field(repr=False)
    """The JSON that was accepted, as sent; sealed at rest."""
    client_request_id: str
    valid_until: float | None
    """Wall seconds; None: for as long as a request may wait at all."""
    requested_at: float
    leased_before: bool = False
    """Somebody took it before and never gave it back: it may have been dialled, so it is not dialled again."""


def flow_subject(flow: RequestedFlow) -> str:
    """What is kept of an acknowledged flow under its Idempotency-Key, long after the flow itself is gone."""
    return f"{flow.id} {flow.request_id}"


def earlier_flow(flow: RequestedFlow, subject: str) -> RequestedFlow:
    """The flow that the same request asked for before."""
    flow_id, _, request_id = subject.partition(" ")
    return replace(flow, id=flow_id, request_id=request_id)
