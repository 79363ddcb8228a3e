"""Who hears by webhook of an account's alarms and stops: its own native endpoint, and the operator.

What it is: the rows of what a fact about an account tells. What it is not: when there is one (`guard_accounts.py`,
`set_limits.py`, which write them with it), or bodies (`webhooks/formats/native.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from maskline.ids import Ids
from maskline.masking.facts import AccountAlarmed, AccountResumed, AccountStopped, Fact
from maskline.storage.store import OutboxRow, Store
from maskline.webhooks.formats import native
from maskline.webhooks.formats.shape import Shape
from maskline.workflows.receivers import About, Receiver, outbox_row, read_receiver
from maskline.workflows.tell_operator import OPERATOR, OperatorWebhook

_EVENTS: dict[type[Fact], str] = {
    AccountAlarmed: native.ACCOUNT_ALARMED,
    AccountStopped: native.ACCOUNT_STOPPED,
    AccountResumed: native.ACCOUNT_RESUMED,
}


class AccountEvents:
    __slots__ = ("_ids", "_operator", "_store")

    def __init__(self, store: Store, ids: Ids, operator: OperatorWebhook) -> None:
        self._store = store
        self._ids = ids
        self._operator = operator

    async def rows(self, account_id: str, facts: Sequence[Fact], now: float) -> list[OutboxRow]:
        """Due at once. Raises `StoreUnavailable`."""
        own = await read_receiver(self._store, account_id, native.KIND)
        receivers = [] if own is None else [(own, About(account_id, None, account_id, 0))]
        if self._operator.url:
            ours = Receiver(native.KIND, self._operator.url, Shape(""), secret=self._operator.secret)
            receivers.append((ours, About(OPERATOR, None, f"account {account_id}", 0)))
        found = []
        for place, fact in enumerate(facts):
            event = _EVENTS[type(fact)]
            body = native.account_event(event, account_id, fact)
            for receiver, about in receivers:
                about = about._replace(sequence=round(now * 1000) + place)
                found.append(outbox_row(receiver, about, self._ids.uuid(), event, body, now))
        return found
