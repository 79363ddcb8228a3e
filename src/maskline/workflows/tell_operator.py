"""Tell the operator by webhook that an endpoint was disabled. Called by the deliverer.

What it is: one native event in the outbox, to the URL of MASKLINE_OPERATOR_WEBHOOK; nothing where that is not set. What
it is not: the log line and the counter, which are there in any case.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from maskline.clock import Clock
from maskline.ids import Ids
from maskline.net.post import Poster
from maskline.storage.store import OutboxRow, Store
from maskline.storage.webhook_store import FailingEndpoint
from maskline.webhooks.deliver import Deliverer
from maskline.webhooks.formats import native
from maskline.webhooks.keys import StoreKeys, StoreSecrets
from maskline.webhooks.send import WebhookSender
from maskline.workflows.receivers import CONTENT_TYPE

OPERATOR = "operator"
"""Stands where an account's id does in rows that are nobody's."""


@dataclass(frozen=True, slots=True)
class OperatorWebhook:
    url: str = field(default="", repr=False)
    """Empty: nobody is told."""
    secret: str = field(default="", repr=False)
    """Standard Webhooks secret; empty: not signed."""


class TellOperator:
    """Call it with an endpoint that is disabled, for what is to be written with that."""

    __slots__ = ("_clock", "_ids", "_webhook")

    def __init__(self, clock: Clock, ids: Ids, webhook: OperatorWebhook) -> None:
        self._clock = clock
        self._ids = ids
        self._webhook = webhook

    def __call__(self, endpoint: FailingEndpoint) -> list[OutboxRow]:
        if not self._webhook.url or self._webhook.url.startswith(endpoint.url):
            return []  # who does not answer is not told of it
        now = self._clock.wall()
        row = OutboxRow(
            id=self._ids.uuid(), account_id=OPERATOR, subaccount_id=None, subject=f"endpoint {endpoint.id}",
            sequence=round(now * 1000), dialect=native.KIND, event=native.ENDPOINT_DISABLED, method="POST",
            url=self._webhook.url, content_type=CONTENT_TYPE, body=native.endpoint_disabled(endpoint, now),
            created_at=now, due_at=now, secret=self._webhook.secret,
        )  # fmt: skip
        return [row]


def build_deliverer(store: Store, poster: Poster, clock: Clock, ids: Ids, operator: OperatorWebhook) -> Deliverer:
    """With all that it asks."""
    tell = TellOperator(clock, ids, operator)
    return Deliverer(store, WebhookSender(poster), StoreKeys(store), clock, ids, StoreSecrets(store), tell=tell)
