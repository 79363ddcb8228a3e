"""The virtual numbers of a subaccount: `/numbers`.

What it is: the pool of the subaccount (of an account: what no subaccount has), and one number. What it is not: rules,
or the webhook of changes (`webhooks/formats/eight_number.py`). Who uses it: `routes.py`. All numbers come in one
answer: the vendor's pages know no pages of the list.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

from maskline.api.eight.errors import ErrorShape
from maskline.api.eight.exchange import Exchange, Reply, Resource
from maskline.api.services import ApiServices
from maskline.errors import NotFound
from maskline.masking.decision import NumberState, VirtualNumber
from maskline.masking.e164 import Line
from maskline.webhooks.formats.eight_number import BILLING_UNIT, CURRENCY, PRICE, STATUS
from maskline.webhooks.formats.eight_parts import iso_milliseconds
from maskline.workflows.get_number import UNKNOWN, get_number
from maskline.workflows.list_numbers import ListNumbers
from maskline.workflows.owns import owner_of

PATTERN = r"^\+?[0-9]{7,15}$"
STATUSES = ("Active", "Expiring", "Inactive")
NUMBER_TYPES = {
    Line.FIXED: "LOCAL", Line.MOBILE: "MOBILE", Line.TOLL_FREE: "TOLL_FREE", Line.OTHER: "NATIONAL",
    Line.UNKNOWN: "LOCAL",
}  # fmt: skip
_AT_A_TIME = 200
"""Numbers made before calls get their turn."""


class Numbers:
    __slots__ = ("_list_numbers", "_services")

    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._list_numbers = ListNumbers(services.store)

    def resources(self) -> tuple[Resource, ...]:
        return (
            Resource("/numbers", ErrorShape.NUMBER, {"GET": ("list_numbers", self._list)}),
            Resource("/numbers/{number}", ErrorShape.NUMBER, {"GET": ("get_number", self._get)}),
        )

    async def _list(self, exchange: Exchange) -> Reply:
        account = exchange.account
        pool = [one for one in await self._list_numbers(account.id) if owner_of(one) == account.id]
        shown: list[dict[str, Any]] = []
        for at in range(0, len(pool), _AT_A_TIME):
            shown += [number_object(one, exchange.path_id) for one in pool[at : at + _AT_A_TIME]]
            await asyncio.sleep(0)
        changed = max((one.changed_at for one in pool), default=account.created_at)
        return Reply(
            200,
            {
                "totalNumbers": len(shown), "lastUpdatedAt": iso_milliseconds(changed), "numbers": shown,
                "statusCode": 0, "statusMessage": "ok",
            },
        )  # fmt: skip

    async def _get(self, exchange: Exchange) -> Reply:
        text = exchange.part("number")
        if not re.fullmatch(PATTERN, text):
            raise NotFound(UNKNOWN)
        number = await get_number(self._services.store, exchange.scope, text)
        if owner_of(number) != exchange.account.id:
            raise NotFound(UNKNOWN)
        payload = {"msisdn": number.number.e164, **_labels(number)}
        wall = self._services.clock.wall()
        return Reply(
            200, {"statusCode": 0, "statusMessage": "ok", "timestamp": iso_milliseconds(wall), "payload": payload}
        )


def _labels(number: VirtualNumber) -> dict[str, str]:
    """Without keys for what there is not."""
    labels = {"referenceId": number.reference_id, "countryCode": number.country}
    return {name: value for name, value in labels.items() if value}


def number_object(number: VirtualNumber, path_id: str) -> dict[str, Any]:
    """The vendor's list knows no Unhealthy: health has an object of its own."""
    healthy = number.state is not NumberState.UNHEALTHY
    return {
        "msisdn": number.number.e164,
        "dateCreated": iso_milliseconds(number.added_at),
        "dateUpdated": iso_milliseconds(number.changed_at),
        **_labels(number),
        "operationalStatus": STATUS[number.state] if healthy else STATUS[NumberState.ACTIVE],
        "rentalPrice": PRICE,
        "incomingRate": PRICE,
        "billingUnit": BILLING_UNIT,
        "billingCurrency": CURRENCY,
        "uri": f"/api/v1/subaccounts/{path_id}/numbers/{number.number.digits}",
        "numberHealthCheckEnabled": False,
        "numberType": NUMBER_TYPES[number.number.line],
        "numberHealth": {
            "isHealthy": healthy, "status": "Healthy" if healthy else "Unhealthy",
            "lastCheckedTime": iso_milliseconds(number.changed_at),
        },
    }  # fmt: skip
