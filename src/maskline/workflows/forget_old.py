"""Forget what is older than the operator keeps: ended sessions with all that belongs to them, calls, webhooks.

What it is: one small step at a time, so that neither a call nor a create waits for a long transaction. What it is
not: a schedule; `app.py` calls it for as long as there is something to forget, then every now and then. Real numbers
of people are kept no longer than this says (reliability.md §5).
"""

from __future__ import annotations

from maskline.clock import Clock
from maskline.storage.store import Store

BATCH = 16
"""Sessions, calls or webhooks in one transaction; measured: 1 to 2 ms."""
WEBHOOK_BATCH = 64
"""Webhooks in one transaction; there are several a call, and nothing but their attempts goes with them."""
_DAY = 86_400.0


class ForgetOld:
    """Call it for one step; it returns whether there may be more to do at once."""

    __slots__ = ("_clock", "_store", "days", "webhook_days")

    def __init__(self, store: Store, clock: Clock, days: int, webhook_days: int = 0) -> None:
        self._store = store
        self._clock = clock
        self.days = days
        """How long an ended session is kept; 0: for ever, then only keys of requests go whose time is over."""

        self.webhook_days = webhook_days
        """How long a webhook is kept that nothing is tried of any more; 0: as long as sessions."""

    async def __call__(self) -> bool:
        """Raises `StoreUnavailable`."""
        now = self._clock.wall()
        before = now - self.days * _DAY if self.days else 0.0
        more = await self._store.forget(before, now, BATCH) >= BATCH
        if self.webhook_days:
            before = now - self.webhook_days * _DAY
            more |= await self._store.forget_webhooks(before, WEBHOOK_BATCH) >= WEBHOOK_BATCH
        return more
