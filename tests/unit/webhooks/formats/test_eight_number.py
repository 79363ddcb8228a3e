"""8x8's webhook of virtual numbers: updates and snapshots."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from maskline.masking.decision import NumberState, VirtualNumber
from maskline.masking.e164 import Number
from maskline.webhooks.formats.eight_number import STATUS, number_snapshot, numbers_updated

NUMBER = VirtualNumber(Number("6531580001"), "MA1", None, "sg-pool", "SG", changed_at=1_700_000_000.25)


@pytest.mark.row("8x8:10/payload", "8x8:10/virtualNumbers", "8x8:2/VNU")
def test_an_update_has_the_numbers_that_changed():
    body = json.loads(numbers_updated("riders", [(NUMBER, "Active")]))
    assert (body["namespace"], body["eventType"]) == ("VOICE", "VIRTUAL_NUMBER_UPDATE")
    assert body["description"] == "Status of account virtual number(s) updated"
    assert body["payload"] == {
        "subAccountId": "riders",
        "totalNumbers": 1,
        "updateEventType": "UPDATES",
        "virtualNumbers": [
            {
                "msisdn": "+6531580001", "updatedTimestamp": 1_700_000_000_250, "countryCode": "SG",
                "operationalStatus": "Active", "referenceId": "sg-pool", "rentalPrice": 0.0, "incomingRate": 0.0,
                "billingUnit": "PER_MINUTE", "billingCurrency": "USD", "numberHealthCheckEnabled": False,
                "updateStatus": "UPDATED",
            }
        ],
    }  # fmt: skip


@pytest.mark.row("8x8:10/payload")
def test_a_snapshot_has_all_numbers_as_they_are_and_says_how_many_there_are():
    payload = json.loads(number_snapshot("riders", 700, [NUMBER]))["payload"]
    assert (payload["updateEventType"], payload["totalNumbers"]) == ("SNAPSHOT", 700)
    assert [one["updateStatus"] for one in payload["virtualNumbers"]] == ["NO_CHANGE"]
    assert json.loads(number_snapshot("riders", 0, []))["payload"]["virtualNumbers"] == []


@pytest.mark.row("8x8:10/operationalStatus")
@pytest.mark.parametrize(
    ("state", "status"),
    [
        (NumberState.ACTIVE, "Active"),
        (NumberState.UNHEALTHY, "Unhealthy"),
        (NumberState.RESTING, "Expiring"),
        (NumberState.RETIRED, "Inactive"),
    ],
)
def test_each_state_has_the_vendors_word(state: NumberState, status: str):
    assert STATUS[state] == status
    payload = json.loads(number_snapshot("riders", 1, [replace(NUMBER, state=state)]))["payload"]
    assert payload["virtualNumbers"][0]["operationalStatus"] == status


def test_what_a_number_has_not_has_no_key():
    bare = replace(NUMBER, reference_id="", country=None)
    (entry,) = json.loads(number_snapshot("riders", 1, [bare]))["payload"]["virtualNumbers"]
    assert not {"referenceId", "countryCode"} & set(entry)
