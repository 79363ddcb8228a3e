"""The part of the store protocol about call flows that were acknowledged and are not begun yet.

What it is: a part of `store.py`, by intent, held to the same contract suite. What it is not: its row type (`kept.py`),
or what a call flow says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from maskline.storage.kept import RequestedFlow

if TYPE_CHECKING:
    from maskline.storage.store import Once


class FlowRequestStore(Protocol):
    async def add_requested_flow(self, flow: RequestedFlow, *, once: Once | None = None) -> RequestedFlow:
        """Keep it; when `once` (judged at `requested_at`) was met before, nothing is kept and it is returned with the
        `id` and `request_id` of the earlier one, which may be over by now. Durable when it returns. Raises `NotFound`
        (no such account), `Conflict` (id exists) and `IdempotencyMismatch`."""
        ...

    async def earlier_flow(self, flow: RequestedFlow, once: Once) -> RequestedFlow | None:
        """What `add_requested_flow` would return for a repeat, without keeping anything; None: it would keep the flow.
        Raises `IdempotencyMismatch`. Never suspends on SQLite."""
        ...

    async def lease_requested_flows(self, owner: str, *, now: float, until: float, limit: int) -> list[RequestedFlow]:
        """Claim flows that nobody has claimed, or whose lease is over (`leased_before`), oldest first. The call's first
        commit (`CallRequested` without a session, whose subject is the flow's id) removes the flow."""
        ...

    async def release_requested_flow(self, owner: str, flow_id: str) -> bool:
        """Give one back that is not begun: it may be leased at once, as if nobody had taken it. False when the lease
        is not ours."""
        ...
