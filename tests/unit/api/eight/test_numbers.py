"""`/numbers`: the pool of a subaccount, and one number of it."""

from __future__ import annotations

import pytest

from maskline.masking.decision import NumberState
from maskline.webhooks.formats.eight_parts import iso_milliseconds
from maskline.workflows.add_number import add_number
from maskline.workflows.set_number import NumberChange, set_number
from tests.support.api_world import NUMBER
from tests.support.eight_api import RIDES, EightApi

pytestmark = pytest.mark.usefixtures("each_store")


def missing(answer):
    """(Status, number, message) of an error in the shape of numbers."""
    status, body = answer
    assert body.pop("timestamp").endswith("Z")
    assert set(body) == {"statusCode", "statusMessage"}
    return status, body["statusCode"], body["statusMessage"]


@pytest.mark.row("8x8:8/GET-numbers", "8x8:8/numbers-fields", "8x8:8/referenceId")
async def test_the_list_has_every_number_of_the_pool_with_all_fields():
    api = await EightApi().start()
    created = iso_milliseconds(api.clock.wall())
    api.clock.advance(60.0)
    await set_number(api.store, api.clock, NUMBER, NumberChange(reference_id="sg-pool"))
    await add_number(api.store, api.clock, "+6531580009", api.rides.id)
    changed = iso_milliseconds(api.clock.wall())
    assert await api.ask("GET", "/numbers") == (
        200,
        {
            "totalNumbers": 1,
            "lastUpdatedAt": changed,
            "numbers": [
                {
                    "msisdn": NUMBER, "dateCreated": created, "dateUpdated": changed, "countryCode": "SG",
                    "operationalStatus": "Active", "referenceId": "sg-pool", "rentalPrice": 0.0, "incomingRate": 0.0,
                    "billingUnit": "PER_MINUTE", "billingCurrency": "USD",
                    "uri": f"/api/v1/subaccounts/{api.acme.id}/numbers/{NUMBER[1:]}",
                    "numberHealthCheckEnabled": False, "numberType": "LOCAL",
                    "numberHealth": {"isHealthy": True, "status": "Healthy", "lastCheckedTime": changed},
                }
            ],
            "statusCode": 0,
            "statusMessage": "ok",
        },
    )  # fmt: skip


@pytest.mark.row("8x8:10/operationalStatus")
@pytest.mark.parametrize(
    ("state", "status", "healthy"),
    [
        (NumberState.ACTIVE, "Active", True),
        (NumberState.RESTING, "Expiring", True),
        (NumberState.UNHEALTHY, "Active", False),
    ],
)
async def test_the_list_knows_no_unhealthy_which_is_a_matter_of_health(state, status, healthy):
    api = await EightApi().start()
    await set_number(api.store, api.clock, NUMBER, NumberChange(state=state))
    (shown,) = (await api.ask("GET", "/numbers"))[1]["numbers"]
    assert shown["operationalStatus"] == status
    assert shown["numberHealth"]["isHealthy"] is healthy
    assert shown["numberHealth"]["status"] == ("Healthy" if healthy else "Unhealthy")


async def test_a_pool_without_numbers_is_an_empty_list():
    api = await EightApi().start()
    api.path = f"/api/v1/subaccounts/{RIDES}"
    _, body = await api.ask("GET", "/numbers")
    assert (body["totalNumbers"], body["numbers"]) == (0, [])
    assert body["lastUpdatedAt"] == iso_milliseconds(api.rides.created_at)


@pytest.mark.row("8x8:8/GET-number", "8x8:13/C20")
async def test_one_number_is_shown_with_and_without_plus_and_its_length_is_that_of_e164():
    api = await EightApi().start()
    await add_number(api.store, api.clock, "+4915112345678", api.acme.id, reference_id="de")
    for text in ("+4915112345678", "4915112345678", "%2B4915112345678"):
        status, body = await api.ask("GET", f"/numbers/{text}")
        assert body.pop("timestamp") == iso_milliseconds(api.clock.wall())
        assert (status, body) == (
            200,
            {
                "statusCode": 0, "statusMessage": "ok",
                "payload": {"msisdn": "+4915112345678", "referenceId": "de", "countryCode": "DE"},
            },
        )  # fmt: skip


@pytest.mark.row("8x8:8.1/shape-numbers")
@pytest.mark.parametrize("text", ["6531580099", "123456", "1234567890123456", "abc", "6531580009"])
async def test_a_number_of_nobody_of_others_or_none_at_all_is_404(text):
    api = await EightApi().start()
    await add_number(api.store, api.clock, "+6531580009", api.rides.id)
    nothing = (404, 404, "There is no such number in this account")
    assert missing(await api.ask("GET", f"/numbers/{text}")) == nothing
