"""Virtual numbers at `/Number`, and the market at `/PhoneNumber` where nothing is for sale.

What it is: the shapes that Plivo's pages and clients have for numbers: list, show, rename, move between subaccounts,
give back. What it is not: rules (`workflows`), or a way to get a number: numbers come from a carrier, and the operator
adds them. Who uses it: `routes.py`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from maskline.api.once import HEADER, REPLAYED, read_once
from maskline.api.plivo.exchange import Exchange, Reply, Resource
from maskline.api.plivo.filters import page_meta, read_page, read_query
from maskline.api.services import ApiServices
from maskline.errors import InvalidParameter, NotOffered
from maskline.masking.decision import VirtualNumber
from maskline.masking.e164 import Line
from maskline.workflows.get_number import get_number
from maskline.workflows.list_numbers import ListNumbers
from maskline.workflows.retire_number import retire_number
from maskline.workflows.update_number import update_number

NOT_FOR_RENT = "This server rents no numbers. Its operator adds those that a carrier delivers: maskline number add"
TYPES = {
    Line.FIXED: "local",
    Line.MOBILE: "mobile",
    Line.TOLL_FREE: "tollfree",
    Line.OTHER: "national",
    Line.UNKNOWN: "local",
}
"""Plivo's word for a line."""
_NEVER = (
    "tendlc_campaign_id", "tendlc_registration_status", "toll_free_sms_verification",
    "toll_free_sms_verification_order_status", "cnam_lookup", "cnam",
    "renewal_date", "renewal_date__lt", "renewal_date__lte", "renewal_date__gt", "renewal_date__gte",
)  # fmt: skip
"""Filters on what no number here has: rent, messaging, names."""
_RATE = "0.00000"
_AT_A_TIME = 100
"""Numbers looked at before others get their turn."""
Wanted = Callable[[VirtualNumber], bool]


class NumberOperations:
    __slots__ = ("_list_numbers", "_services")

    def __init__(self, services: ApiServices) -> None:
        self._services = services
        self._list_numbers = ListNumbers(services.store)

    def resources(self) -> tuple[Resource, ...]:
        return (
            Resource(
                "/Number",
                {"GET": ("list_numbers", self._list), "POST": ("add_number", self._refuse)},
                {
                    "GET": ("get_number", self._get),
                    "POST": ("update_number", self._update),
                    "DELETE": ("retire_number", self._retire),
                },
            ),
            Resource(
                "/PhoneNumber",
                {"GET": ("search_numbers", self._search)},
                {"POST": ("rent_number", self._refuse)},
            ),
        )

    async def _list(self, exchange: Exchange) -> Reply:
        query = read_query(exchange.query)
        page = read_page(query)
        found = await _narrow(await self._list_numbers(exchange.account.id), _filters(query))
        shown = found[page.offset : page.offset + page.limit]
        objects = [number_object(number, exchange.auth_id) for number in shown]
        meta = page_meta(page, exchange.path + "/", len(found))
        return Reply(200, {"api_id": exchange.api_id, "meta": meta, "objects": objects})

    async def _get(self, exchange: Exchange) -> Reply:
        number = await get_number(self._services.store, exchange.scope, exchange.item)
        return Reply(200, {"api_id": exchange.api_id, **number_object(number, exchange.auth_id)})

    async def _update(self, exchange: Exchange) -> Reply:
        services = self._services
        body = await exchange.body()
        alias, subaccount_id = _text(body, "alias"), _text(body, "subaccount", "sub_account")
        operation = f"POST /Number/{exchange.item.lstrip('+')}"
        values = {"alias": alias, "subaccount": subaccount_id}
        once = read_once(exchange.header(HEADER), exchange.auth_id, operation, values, services.clock.wall())
        is_new = await update_number(
            services.store, services.clock, exchange.scope, exchange.item,
            alias=alias, subaccount_id=subaccount_id, once=once,
        )  # fmt: skip
        return Reply(202, {"api_id": exchange.api_id, "message": "changed"}, {} if is_new else REPLAYED)

    async def _retire(self, exchange: Exchange) -> Reply:
        await retire_number(self._services.store, self._services.clock, exchange.scope, exchange.item)
        return Reply(204, None)

    async def _search(self, exchange: Exchange) -> Reply:
        page = read_page(read_query(exchange.query))
        meta = page_meta(page, exchange.path + "/", 0)
        return Reply(200, {"api_id": exchange.api_id, "meta": meta, "objects": []})

    async def _refuse(self, _exchange: Exchange) -> Reply:
        raise NotOffered(NOT_FOR_RENT)


def number_object(number: VirtualNumber, auth_id: str) -> dict[str, Any]:
    """The number as the account of the path sees it; `reference_id`, `state` and `subaccount` are ours."""
    account = f"/v1/Account/{number.account_id}/"
    subaccount = number.subaccount_id
    return {
        "added_on": date_text(number.added_at),
        "alias": number.alias or None,
        "application": None,
        "carrier": "",
        "city": None,
        "cnam": None,
        "cnam_lookup": None,
        "country": number.country,
        "mms_enabled": False,
        "mms_rate": None,
        "monthly_rental_rate": _RATE,
        "number": number.number.digits,
        "number_type": TYPES[number.number.line],
        "reference_id": number.reference_id,
        "region": number.country,
        "renewal_date": None,
        "resource_uri": f"/v1/Account/{auth_id}/Number/{number.number.digits}/",
        "sms_enabled": False,
        "sms_rate": None,
        "state": number.state.value,
        "sub_account": f"{account}Subaccount/{subaccount}/" if subaccount else None,
        "subaccount": subaccount,
        "tendlc_campaign_id": None,
        "tendlc_registration_status": None,
        "toll_free_sms_verification": None,
        "voice_enabled": True,
        "voice_rate": _RATE,
    }


def date_text(at: float) -> str | None:
    """`YYYY-MM-DD` of a wall second; None for 0, which stands for "not known"."""
    return time.strftime("%Y-%m-%d", time.gmtime(at)) if at else None


async def _narrow(numbers: Sequence[VirtualNumber], filters: Sequence[Wanted]) -> Sequence[VirtualNumber]:
    """Those that every filter lets through. The loop has calls to serve: looking up 20,000 numbers' lines for the first
    time was measured at 2 seconds."""
    if not filters:
        return numbers
    found: list[VirtualNumber] = []
    for start in range(0, len(numbers), _AT_A_TIME):
        found += [one for one in numbers[start : start + _AT_A_TIME] if all(wanted(one) for wanted in filters)]
        await asyncio.sleep(0)
    return found


def _filters(query: Mapping[str, str]) -> list[Wanted]:
    """What Plivo's list can be narrowed by; Node and Go have spellings of their own for some of it. Only what is asked
    for is looked at: an account may have tens of thousands of numbers."""
    filters: list[Wanted] = []
    if any(name in query for name in _NEVER) or not _can_all(query.get("services", "voice")):
        return [lambda _number: False]
    if prefix := query.get("number_startswith", "").strip().lstrip("+"):
        filters.append(lambda number: number.number.digits.startswith(prefix))
    if subaccount := query.get("subaccount") or query.get("sub_account"):
        filters.append(lambda number: number.subaccount_id == subaccount)
    if line := query.get("type") or query.get("number_type"):
        word = _type_word(line)
        filters.append(lambda number: TYPES[number.number.line] == word)
    if alias := query.get("alias"):
        filters.append(lambda number: number.alias == alias)
    return filters


def _can_all(services: str) -> bool:
    return all(service.strip() == "voice" for service in services.split(","))


def _type_word(wanted: str) -> str:
    """`fixed` is what older pages call `local`."""
    word = wanted.lower().replace("-", "").replace("_", "")
    return "local" if word == "fixed" else word


def _text(body: Mapping[str, Any], *names: str) -> str | None:
    """The first of the names that is given as text; null is "not given"."""
    for name in names:
        value = body.get(name)
        if value is None:
            continue
        if not isinstance(value, str):
            raise InvalidParameter(f"Invalid parameter. {names[0]} should be a string", parameter=names[0])
        return value.strip()
    return None
