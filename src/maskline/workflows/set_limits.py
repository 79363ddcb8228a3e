"""Say what a main account may use, stop its calls, and lift a stop. Called by the CLI.

What it is not: reading the limits that hold (`find_limits.py`). A running server takes changes up within a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from maskline.clock import Clock
from maskline.errors import Conflict, InvalidParameter
from maskline.masking.destinations import Destinations, is_prefix, read_countries, read_prefixes
from maskline.masking.facts import AccountResumed, AccountStopped, Fact
from maskline.masking.limits import SAFE_LIMITS, Alarm, Limits, PrefixLimit, check_limits
from maskline.masking.number_kind import Kind
from maskline.masking.price import read_amount
from maskline.storage.store import Account, Store
from maskline.workflows.account_events import AccountEvents

BY_OPERATOR = "operator"
ANYWHERE = "anywhere"
_NONE = "none"


class Reset(StrEnum):
    SAFE = "safe"
    """What a new account has."""
    UNLIMITED = "unlimited"
    """Nothing."""


@dataclass(frozen=True, slots=True)
class LimitsWish:
    """As typed by the operator; None: stays as it is. Of lists, `none` alone empties one."""

    reset: Reset | None = None
    """What the rest is changed from; None: the limits as they are."""
    calls_per_second: float | None = None
    concurrent: int | None = None
    number_calls_per_second: float | None = None
    number_concurrent: int | None = None
    attempts_per_session: int | None = None
    minutes_per_day: int | None = None
    spend_per_day: str | None = None
    """Decimal text, `250`."""
    prefix_minutes: tuple[str, ...] | None = None
    """`+882=5` …"""
    time_zone: str | None = None
    countries: tuple[str, ...] | None = None
    """Beside those of its own numbers; `anywhere` alone: all."""
    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] | None = None
    refused: tuple[str, ...] | None = None
    """Kinds of numbers: `premium` …"""
    night_calls: int | None = None
    short_calls: int | None = None
    new_country: bool | None = None
    stop_on: tuple[str, ...] | None = None
    """Alarms: `short_calls` …"""
    destinations: bool | None = None
    """False: no rule on destinations at all."""


_NOTHING = LimitsWish()


def new_limits(countries: Sequence[str] = ()) -> Limits:
    """Of a new account, which may call those countries beside its numbers' own; `anywhere` alone: all. Raises
    `InvalidParameter`."""
    return check_limits(_changed(SAFE_LIMITS, LimitsWish(countries=tuple(countries) or None)))


async def set_limits(store: Store, clock: Clock, account_id: str, wish: LimitsWish) -> Account:
    """Apply all of it or nothing, and return the account. Raises `NotFound`, `InvalidParameter` and `Conflict`."""
    account = await _main_account(store, account_id)
    limits = account.limits
    if wish.reset is not None:
        limits = SAFE_LIMITS if wish.reset is Reset.SAFE else None
    if replace(wish, reset=None) != _NOTHING:
        limits = check_limits(_changed(limits or Limits(), wish))
    return await _update(store, clock, account, replace(account, limits=limits))


async def stop_account(store: Store, clock: Clock, account_id: str, events: AccountEvents | None = None) -> Account:
    """Refuse all its calls from now on; those in progress go on. `events`: by which webhooks tell of it. Raises
    `NotFound` and `Conflict`."""
    account = await _main_account(store, account_id)
    if account.stopped:
        return account
    fact = AccountStopped(account_id, 0, clock.wall(), BY_OPERATOR)
    return await _update(store, clock, account, replace(account, stopped=BY_OPERATOR), fact, events=events)


async def resume_account(store: Store, clock: Clock, account_id: str, events: AccountEvents | None = None) -> Account:
    """Lift its stop. Raises `NotFound`, and `Conflict` when it is not stopped."""
    account = await _main_account(store, account_id)
    if not account.stopped:
        raise Conflict("The calls of this account are not stopped.")
    fact = AccountResumed(account_id, 0, clock.wall(), account.stopped)
    return await _update(store, clock, account, replace(account, stopped=""), fact, events=events)


async def _main_account(store: Store, account_id: str) -> Account:
    account = await store.account(account_id)
    if account.parent_id is not None:
        raise InvalidParameter(
            "Invalid parameter. Limits are those of the main account, for its subaccounts too", parameter="account"
        )
    return account


async def _update(
    store: Store, clock: Clock, was: Account, changed: Account, *facts: Fact, events: AccountEvents | None = None
) -> Account:
    if changed == was:
        return was
    now = clock.wall()
    changed = replace(changed, modified_at=now)
    rows = [] if events is None else await events.rows(was.id, facts, now)
    await store.update_account(changed, was=was, facts=facts, outbox=rows)
    return changed


def _changed(limits: Limits, wish: LimitsWish) -> Limits:
    plain = {
        name: getattr(wish, name)
        for name in (
            "calls_per_second", "concurrent", "number_calls_per_second", "number_concurrent", "attempts_per_session",
            "minutes_per_day", "time_zone",
        )
    }  # fmt: skip
    limits = _replaced(limits, plain)
    if wish.spend_per_day is not None:
        limits = replace(limits, spend_per_day=read_amount(wish.spend_per_day, parameter="spend_per_day"))
    if wish.prefix_minutes is not None:
        limits = replace(limits, prefixes=tuple(map(_read_prefix_limit, _listed(wish.prefix_minutes))))
    watched = {name: getattr(wish, name) for name in ("night_calls", "short_calls", "new_country")}
    if wish.stop_on is not None:
        watched["stop_on"] = _read_words(wish.stop_on, Alarm, "stop_on")
    limits = replace(limits, watch=_replaced(limits.watch, watched))
    return replace(limits, destinations=_destinations(limits.destinations, wish))


def _destinations(rules: Destinations | None, wish: LimitsWish) -> Destinations | None:
    if wish.destinations is False:
        return None
    lists = (wish.countries, wish.allow, wish.deny, wish.refused)
    if wish.destinations is None and all(one is None for one in lists):
        return rules
    rules = rules or Destinations()
    if wish.countries is not None:
        everywhere = wish.countries == (ANYWHERE,)
        countries = () if everywhere else read_countries(_listed(wish.countries))
        rules = replace(rules, everywhere=everywhere, countries=countries)
    if wish.allow is not None:
        rules = replace(rules, allow=read_prefixes(_listed(wish.allow), parameter="allow"))
    if wish.deny is not None:
        rules = replace(rules, deny=read_prefixes(_listed(wish.deny), parameter="deny"))
    if wish.refused is not None:
        rules = replace(rules, refused=_read_words(wish.refused, Kind, "refuse"))
    return rules


def _replaced(value: Any, changes: dict[str, Any]) -> Any:
    return replace(value, **{name: change for name, change in changes.items() if change is not None})


def _listed(words: tuple[str, ...]) -> tuple[str, ...]:
    return () if words == (_NONE,) else words


def _read_words(words: tuple[str, ...], kind: type[StrEnum], parameter: str) -> tuple[Any, ...]:
    try:
        return tuple(dict.fromkeys(kind(word.strip().lower()) for word in _listed(words)))
    except ValueError:
        known = ", ".join(kind)
        raise InvalidParameter(f"Invalid parameter. {parameter} is none of: {known}", parameter=parameter) from None


def _read_prefix_limit(text: str) -> PrefixLimit:
    prefix, _, minutes = text.partition("=")
    if not is_prefix(prefix) or not (minutes.isascii() and minutes.isdigit() and len(minutes) < 9):
        raise InvalidParameter(
            "Invalid parameter. prefix_minutes is not a prefix and minutes, such as +882=5", parameter="prefix_minutes"
        )
    return PrefixLimit(prefix, int(minutes))
