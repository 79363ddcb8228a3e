"""The operator's requests below `/maskline/v1/operator`: what an account may use, its stop and the end of that.

What it is: these routes, by the key of MASKLINE_OPERATOR_KEY, and the JSON of limits. What it is not: rules
(`workflows/set_limits.py`), or the command line, which says the same with options. Who uses it: `routes.py`.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from maskline.api.body import read_object
from maskline.api.dispatch import Request, Route
from maskline.api.native.border import Answer, endpoint
from maskline.api.services import ApiServices
from maskline.errors import InvalidParameter, NotAuthenticated
from maskline.masking.limits import Limits
from maskline.masking.price import amount_text
from maskline.storage.store import Account
from maskline.workflows.find_account import find_account
from maskline.workflows.set_limits import ANYWHERE, LimitsWish, Reset, resume_account, set_limits, stop_account

_COUNT, _RATE = (int,), (int, float)
_PLAIN: Mapping[str, tuple[str, tuple[type, ...]]] = {
    "callsPerSecond": ("calls_per_second", _RATE), "concurrent": ("concurrent", _COUNT),
    "numberCallsPerSecond": ("number_calls_per_second", _RATE), "numberConcurrent": ("number_concurrent", _COUNT),
    "attemptsPerSession": ("attempts_per_session", _COUNT), "minutesPerDay": ("minutes_per_day", _COUNT),
    "spendPerDay": ("spend_per_day", (str,)), "timeZone": ("time_zone", (str,)),
    "nightCalls": ("night_calls", _COUNT), "shortCalls": ("short_calls", _COUNT),
    "newCountry": ("new_country", (bool,)),
}  # fmt: skip
"""By name in JSON: the field of `LimitsWish`."""
_DESTINATIONS = {"countries": "countries", "allow": "allow", "deny": "deny", "refuse": "refused"}
_NONE = ("none",)


def operator_routes(services: ApiServices) -> list[Route]:
    operator = _Operator(services)
    one = "/operator/accounts/{id}"

    def route(path: str, methods: Mapping[str, tuple[str, Callable[..., Any]]]) -> Route:
        return Route(
            one + path,
            {method: endpoint(services, name, operator.let_in, work) for method, (name, work) in methods.items()},
        )

    return [
        route("/limits", {"GET": ("get_limits", operator.get), "PATCH": ("set_limits", operator.change)}),
        route("/stop", {"POST": ("stop_account", operator.stop)}),
        route("/resume", {"POST": ("resume_account", operator.resume)}),
    ]


class _Operator:
    __slots__ = ("_services",)

    def __init__(self, services: ApiServices) -> None:
        self._services = services

    async def let_in(self, key: str) -> None:
        """Raises `NotAuthenticated`; nobody is let in where no key is set."""
        known = self._services.operator.key
        if not known or not hmac.compare_digest(known.encode(), key.encode("utf-8", "surrogateescape")):
            raise NotAuthenticated

    async def get(self, request: Request, _who: None) -> Answer:
        return 200, describe(await find_account(self._services.store, request.params["id"]))

    async def change(self, request: Request, _who: None) -> Answer:
        store, account_id = self._services.store, request.params["id"]
        wish = read_wish(await read_object(request))
        if wish == LimitsWish():
            return 200, describe(await find_account(store, account_id))
        return 200, describe(await set_limits(store, self._services.clock, account_id, wish))

    async def stop(self, request: Request, _who: None) -> Answer:
        return await self._turn(stop_account, request)

    async def resume(self, request: Request, _who: None) -> Answer:
        return await self._turn(resume_account, request)

    async def _turn(self, change: Callable[..., Awaitable[Account]], request: Request) -> Answer:
        services = self._services
        account = await change(services.store, services.clock, request.params["id"], services.operator.events)
        services.committed()
        return 200, describe(account)


# -- JSON -------------------------------------------------------------------------------------------------------------


def describe(account: Account) -> dict[str, Any]:
    """`limits` is null where there are none."""
    return {
        "accountId": account.id, "stopped": account.stopped or None,
        "limits": None if account.limits is None else _describe(account.limits),
        "countriesSeen": list(account.countries),
    }  # fmt: skip


def _describe(limits: Limits) -> dict[str, Any]:
    rules, watch = limits.destinations, limits.watch
    return {
        "callsPerSecond": limits.calls_per_second, "concurrent": limits.concurrent,
        "numberCallsPerSecond": limits.number_calls_per_second, "numberConcurrent": limits.number_concurrent,
        "attemptsPerSession": limits.attempts_per_session, "minutesPerDay": limits.minutes_per_day,
        "spendPerDay": amount_text(limits.spend_per_day),
        "prefixMinutes": {one.prefix: one.minutes_per_day for one in limits.prefixes},
        "timeZone": limits.time_zone,
        "destinations": rules and {
            "countries": ANYWHERE if rules.everywhere else list(rules.countries), "allow": list(rules.allow),
            "deny": list(rules.deny), "refuse": [kind.value for kind in rules.refused],
        },
        "nightCalls": watch.night_calls, "shortCalls": watch.short_calls, "newCountry": watch.new_country,
        "stopOn": [alarm.value for alarm in watch.stop_on],
    }  # fmt: skip


def read_wish(body: Mapping[str, Any]) -> LimitsWish:
    """What is to change; what a body does not name stays. Raises `InvalidParameter`."""
    said: dict[str, Any] = {}
    for name, value in body.items():
        if name in _PLAIN:
            field, kinds = _PLAIN[name]
            said[field] = _of_kind(name, value, kinds)
        elif name == "prefixMinutes":
            minutes = _of_kind(name, value, (dict,))
            said["prefix_minutes"] = tuple([f"{prefix}={one}" for prefix, one in minutes.items()]) or _NONE
        elif name == "stopOn":
            said["stop_on"] = _words(name, value)
        elif name == "reset":
            said["reset"] = _read_reset(value)
        elif name == "destinations":
            said |= _read_destinations(value)
        else:
            raise InvalidParameter(f"{name} is unknown here.", parameter=name)
    return LimitsWish(**said)


def _read_reset(value: Any) -> Reset | None:
    if value is None:
        return None
    try:
        return Reset(value)
    except ValueError:
        raise InvalidParameter("reset must be safe or unlimited.", parameter="reset") from None


def _read_destinations(value: Any) -> dict[str, Any]:
    if value is None:
        return {"destinations": False}
    rules = _of_kind("destinations", value, (dict,))
    if unknown := rules.keys() - _DESTINATIONS.keys():
        raise InvalidParameter(f"{min(unknown)} is unknown here.", parameter=min(unknown))
    said = {
        _DESTINATIONS[name]: (ANYWHERE,) if (name, words) == ("countries", ANYWHERE) else _words(name, words)
        for name, words in rules.items()
    }  # fmt: skip
    return {"destinations": True, **said}


def _words(name: str, value: Any) -> tuple[str, ...]:
    words = _of_kind(name, value, (list,))
    if not all(isinstance(word, str) for word in words):
        raise InvalidParameter(f"{name} is not of the right type.", parameter=name)
    return tuple(words) or _NONE


def _of_kind(name: str, value: Any, kinds: tuple[type, ...]) -> Any:
    if type(value) not in kinds:  # JSON's true is no number, though Python's is
        raise InvalidParameter(f"{name} is not of the right type.", parameter=name)
    return value
