"""The operator hears by webhook that an endpoint was disabled."""

from __future__ import annotations

import json

import pytest

from maskline.clock import VirtualClock
from maskline.ids import SeededIds
from maskline.storage.webhook_store import FailingEndpoint
from maskline.workflows.tell_operator import OperatorWebhook, TellOperator
from tests.support.store_values import ACCOUNT, T0

ENDPOINT = FailingEndpoint("e1", ACCOUNT.id, None, "https://h.example/cb", T0, 12, T0 + 5, T0 + 6, "failing")
WEBHOOK = OperatorWebhook("https://ops.example/maskline?a=1", "whsec_" + "A" * 32)


def test_one_native_event_is_told_with_all_there_is_to_know():
    (row,) = TellOperator(VirtualClock(T0), SeededIds(1), WEBHOOK)(ENDPOINT)
    assert (row.dialect, row.event, row.url, row.secret) == ("native", "endpoint.disabled", WEBHOOK.url, WEBHOOK.secret)
    assert json.loads(row.body) == {
        "type": "endpoint.disabled",
        "timestamp": "2023-11-14T22:13:20.000Z",
        "data": {
            "endpointId": "e1", "accountId": ACCOUNT.id, "subaccountId": None, "url": "https://h.example/cb",
            "reason": "failing", "failingSince": "2023-11-14T22:13:20.000Z", "failures": 12,
        },
    }  # fmt: skip


@pytest.mark.parametrize("webhook", [OperatorWebhook(), OperatorWebhook("https://h.example/cb?to=ops")])
def test_nobody_is_told_where_none_is_set_or_it_is_the_one_that_does_not_answer(webhook):
    assert TellOperator(VirtualClock(T0), SeededIds(1), webhook)(ENDPOINT) == []
