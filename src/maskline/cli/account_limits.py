"""`maskline account limits`, `stop` and `resume`: what an account may use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

import typer

from maskline.cli.context import run
from maskline.cli.output import JsonFlag, emit, pairs, warn
from maskline.errors import InvalidParameter
from maskline.masking.limits import Limits
from maskline.masking.price import Direction, amount_text
from maskline.rules import account_events
from maskline.services import Services
from maskline.storage.store import Account
from maskline.workflows.find_account import find_account
from maskline.workflows.set_limits import LimitsWish, Reset, resume_account, set_limits, stop_account

AccountId = Annotated[str, typer.Argument(help="Auth id of a main account.")]
_Count = int | None
_Rate = float | None
_Text = str | None
_Words = list[str] | None
_Switch = bool | None

OPTIONS: Mapping[str, Any] = {
    "calls_per_second": Annotated[_Rate, typer.Option("--calls-per-second", help="Of the account; 0: no limit.")],
    "concurrent": Annotated[_Count, typer.Option("--concurrent", help="Calls at a time; 0: no limit.")],
    "number_calls_per_second": Annotated[
        _Rate, typer.Option("--number-calls-per-second", help="Of each virtual number; 0: no limit.")
    ],
    "number_concurrent": Annotated[
        _Count, typer.Option("--number-concurrent", help="Calls at a time on each virtual number; 0: no limit.")
    ],
    "attempts_per_session": Annotated[
        _Count, typer.Option("--attempts", help="Calls in one session within a day; 0: no limit.")
    ],
    "minutes_per_day": Annotated[_Count, typer.Option("--minutes", help="Of the legs we dial, a day; 0: no limit.")],
    "spend_per_day": Annotated[_Text, typer.Option("--spend", help="Their price a day, such as 250; 0: no limit.")],
    "prefix_minutes": Annotated[
        _Words,
        typer.Option(
            "--prefix-minutes",
            metavar="PREFIX=MINUTES",
            help="A day, such as +882=5; 0: nothing; `none`: no limit.",
        ),
    ],
    "time_zone": Annotated[_Text, typer.Option("--time-zone", help="Whose midnight ends the day: Asia/Singapore.")],
    "countries": Annotated[
        _Words,
        typer.Option(
            "--country",
            metavar="COUNTRY",
            help="May be called beside its numbers' own: GB; `anywhere`; or `none`.",
        ),
    ],
    "allow": Annotated[
        _Words, typer.Option("--allow", metavar="PREFIX", help="May be called whatever it is; or `none`.")
    ],
    "deny": Annotated[_Words, typer.Option("--deny", metavar="PREFIX", help="May not; or `none`.")],
    "refused": Annotated[
        _Words, typer.Option("--refuse", metavar="KIND", help="premium, shared-cost, personal, satellite; or `none`.")
    ],
    "night_calls": Annotated[
        _Count, typer.Option("--night-calls", help="Alarm above so many calls in an hour of the night; 0: none.")
    ],
    "short_calls": Annotated[
        _Count,
        typer.Option("--short-calls", help="Alarm when so many answered calls in an hour are mostly short; 0: none."),
    ],
    "new_country": Annotated[
        _Switch, typer.Option("--new-country/--no-new-country", help="Alarm at the first call to a country.")
    ],
    "stop_on": Annotated[
        _Words,
        typer.Option("--stop-on", metavar="ALARM", help="new_country, night_peak, short_calls, day_spent; or `none`."),
    ],
}
"""By field of `LimitsWish`; None where nothing is said."""


def limits(
    account_id: AccountId,
    safe: Annotated[bool, typer.Option("--safe", help="Back to what a new account has.")] = False,
    unlimited: Annotated[bool, typer.Option("--unlimited", help="No limit at all.")] = False,
    as_json: JsonFlag = False,
    **said: Any,
) -> None:
    """Show or change what an account may use. Calls, minutes, money, destinations, alarms. A list that is given
    replaces the one before."""
    words: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in said.items() if value != []
    }
    if safe and unlimited:
        raise InvalidParameter("Give --safe or --unlimited, not both.")
    reset = Reset.SAFE if safe else Reset.UNLIMITED if unlimited else None
    wish = LimitsWish(reset, **words)

    async def work(services: Services) -> Account:
        if wish == LimitsWish():
            account = await find_account(services.store, account_id)
        else:
            account = await set_limits(services.store, services.clock, account_id, wish)
        if account.limits is not None and account.limits.spend_per_day:
            await _warn_of_free_calls(services)
        return account

    _emit(work, as_json)


async def _warn_of_free_calls(services: Services) -> None:
    prices = await services.store.prices()
    if not any(one.direction is Direction.OUTBOUND and (one.per_minute or one.connection) for one in prices):
        warn("no outbound leg has a price, so money is never spent: maskline price set")


def stop(account_id: AccountId, as_json: JsonFlag = False) -> None:
    """Refuse all further calls of an account and its subaccounts."""

    async def work(services: Services) -> Account:
        return await stop_account(services.store, services.clock, account_id, account_events(services))

    _emit(work, as_json)


def resume(account_id: AccountId, as_json: JsonFlag = False) -> None:
    """Take calls of a stopped account again. Whoever or whatever stopped it."""

    async def work(services: Services) -> Account:
        return await resume_account(services.store, services.clock, account_id, account_events(services))

    _emit(work, as_json)


def describe(account: Account) -> dict[str, Any]:
    """The JSON form; `limits` is null where there are none."""
    limits = account.limits
    return {
        "auth_id": account.id,
        "stopped": account.stopped or None,
        "limits": None if limits is None else _describe(limits),
        "countries_seen": list(account.countries),
    }


def _describe(limits: Limits) -> dict[str, Any]:
    rules, watch = limits.destinations, limits.watch
    return {
        "calls_per_second": limits.calls_per_second,
        "concurrent": limits.concurrent,
        "number_calls_per_second": limits.number_calls_per_second,
        "number_concurrent": limits.number_concurrent,
        "attempts": limits.attempts_per_session,
        "minutes": limits.minutes_per_day,
        "spend": amount_text(limits.spend_per_day),
        "prefix_minutes": {one.prefix: one.minutes_per_day for one in limits.prefixes},
        "time_zone": limits.time_zone,
        "destinations": rules
        and {
            "countries": "anywhere" if rules.everywhere else list(rules.countries),
            "allow": list(rules.allow),
            "deny": list(rules.deny),
            "refuse": [kind.value for kind in rules.refused],
        },
        "night_calls": watch.night_calls,
        "short_calls": watch.short_calls,
        "new_country": watch.new_country,
        "stop_on": [alarm.value for alarm in watch.stop_on],
    }


def _emit(work: Callable[[Services], Awaitable[Account]], as_json: bool) -> None:
    shown = describe(run(work))
    limits = shown["limits"]
    rows = {"auth_id": shown["auth_id"], "stopped": shown["stopped"], **_flat(limits or {"limits": "none"})}
    emit(as_json, shown, pairs(rows))


_AMOUNTS = frozenset((
    "calls_per_second", "concurrent", "number_calls_per_second", "number_concurrent", "attempts", "minutes", "spend",
    "night_calls", "short_calls",
))  # fmt: skip


def _flat(limits: dict[str, Any]) -> dict[str, Any]:
    """For people, to whom 0 calls at a time would be none."""
    rows: dict[str, Any] = {}
    for name, value in limits.items():
        if isinstance(value, dict) and name == "destinations":
            rows.update(_flat(value))
        elif isinstance(value, dict):
            rows[name] = ", ".join(f"{key}={one}" for key, one in value.items())
        elif name in _AMOUNTS and not float(value):
            rows[name] = "no limit"
        elif (name, value) == ("countries", []):
            rows[name] = "its numbers' own"
        else:
            rows[name] = ", ".join(value) if isinstance(value, list) else value
    return rows
