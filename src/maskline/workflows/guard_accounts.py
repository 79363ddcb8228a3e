"""Tell the operator of alarms, and keep what they stop.

What it is: each alarm as a fact, a line of the log and a count, and the stop in the store, for every process and after
a restart. What it is not: the judgement (`masking/usage.py`), or lifting a stop (`set_limits.py`). Who runs it: a chore
of `app.py`, every second. In this process a stop holds from the moment of its alarm.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import structlog

from maskline.clock import Clock
from maskline.errors import Conflict, NotFound
from maskline.masking.facts import AccountAlarmed, AccountStopped, Fact
from maskline.masking.limits import Alarm, Limits, day_of
from maskline.masking.usage_book import AccountRaised, UsageBook
from maskline.storage.store import Account, Once, Store
from maskline.workflows.account_events import AccountEvents
from maskline.workflows.hooks import Notify, nobody_waits

_log = structlog.get_logger("maskline.limits")
_DAY = 86_400.0
"""Seconds for which it is known, beyond the day itself, what was told of it."""


class GuardAccounts:
    __slots__ = ("_book", "_clock", "_committed", "_events", "_pending", "_store", "alarms", "stops")

    def __init__(self, store: Store, clock: Clock, book: UsageBook) -> None:
        self._store = store
        self._clock = clock
        self._book = book
        self._events: AccountEvents | None = None
        self._committed: Notify = nobody_waits
        self._pending: list[AccountRaised] = []
        """Not yet in the store."""
        self.alarms: Counter[Alarm] = Counter()
        self.stops = 0

    def tell_by(self, events: AccountEvents, committed: Notify) -> None:
        """From now on webhooks tell of what is raised; `committed` is called when there are any."""
        self._events, self._committed = events, committed

    async def __call__(self) -> None:
        """Say and keep what was raised since the last time. Raises `StoreUnavailable`; the rest is kept next time."""
        for one in self._book.raised():
            self._say(one)
            self._pending.append(one)
        while self._pending:
            if await self._keep(self._pending[0]):
                del self._pending[0]

    def _say(self, one: AccountRaised) -> None:
        alarm, country = one.raised
        self.alarms[alarm] += 1
        _log.warning("account_alarm", account=one.account_id, alarm=alarm.value, country=country or None)
        if one.stops:
            self.stops += 1
            _log.error("account_stopped", account=one.account_id, reason=alarm.value)

    async def _keep(self, one: AccountRaised) -> bool:
        """False: the account was changed meanwhile. An alarm that was told already, by another engine or before a
        restart, is not told again, nor does it stop an account that an operator resumed since."""
        account_id = one.account_id
        try:
            was = await self._store.account(account_id)
        except NotFound:
            return True
        alarm, country = one.raised
        told = bool(country) and country in was.countries
        stopped = was.stopped
        if not told:
            now = self._clock.wall()
            facts: list[Fact] = [AccountAlarmed(account_id, 0, now, alarm.value, country)]
            changed = replace(_with_country(was, country), modified_at=now)
            if one.stops and not stopped:
                changed = replace(changed, stopped=alarm.value)
                facts.append(AccountStopped(account_id, 0, now, alarm.value))
            rows = [] if self._events is None else await self._events.rows(account_id, facts, now)
            try:
                told = not await self._store.update_account(
                    changed, was=was, once=_once(was, one, now), facts=facts, outbox=rows
                )
            except Conflict:
                return False
            self._committed()
            stopped = was.stopped if told else changed.stopped
        if one.stops:
            self._book.unsaved.discard(account_id)
            self._book.heed(account_id, bool(stopped))
        return True


def _once(account: Account, one: AccountRaised, now: float) -> Once:
    alarm, country = one.raised
    day = day_of(now, (account.limits or Limits()).time_zone)
    key = f"alarm {alarm.value} {country} {day.key}"
    return Once(account.id, key, key, until=day.end + _DAY)


def _with_country(account: Account, country: str) -> Account:
    if not country or country in account.countries:
        return account
    return replace(account, countries=(*account.countries, country))
