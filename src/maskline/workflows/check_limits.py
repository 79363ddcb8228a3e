"""Whether a call is within its account's limits, asked when it is routed.

What it is: limits, prices and the day's records brought to the counters (`masking/usage_book.py`), the judgement on one
call, and what the operator is told of refusals. What it is not: the counting of calls as they go on, which is the
engine's (`engine/account_gate.py`), or alarms (`guard_accounts.py`). Who uses it: `route_call.py`, `plan_flow.py`.

A call of an account without limits costs two look-ups in dictionaries.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import structlog

from maskline.clock import Clock
from maskline.masking.call_record import CallRecord
from maskline.masking.decision import VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause, LegName, Outcome
from maskline.masking.limits import Limits, day_of
from maskline.masking.permit import Dialled, Permit
from maskline.masking.price import Direction
from maskline.masking.price_table import PriceTable
from maskline.masking.usage import Usage
from maskline.masking.usage_book import UsageBook
from maskline.masking.usage_day import Spoken
from maskline.masking.usage_shared import SharedUsage
from maskline.storage.store import Store
from maskline.workflows.find_limits import AccountLimits, FindLimits
from maskline.workflows.share_usage import ShareUsage
from maskline.workflows.trunk_table import TrunkTable

_log = structlog.get_logger("maskline.limits")
_SAY_EVERY = 60.0
"""Seconds between two lines on refused calls of one account for one cause."""
_LONGEST_CALL = 14_400
"""Seconds: a call that began so long before midnight may have talked today."""
_PAGE = 500
"""Records that are read at once at the start."""


class ToDial(NamedTuple):
    """One leg that a call is about to dial."""

    leg: LegName
    number: Number
    trunk_id: str


class Allowed(NamedTuple):
    """The call may be."""

    permit: Permit | None = None
    """None: its account has no limits."""
    seconds: float = float("inf")
    """How long it may talk by what is left of the day."""


_ANYTHING = Allowed()
_FREE = PriceTable()


class CheckLimits:
    __slots__ = (
        "_applied", "_clock", "_find", "_prices", "_prices_version", "_said", "_store", "_table", "book", "sharing",
    )  # fmt: skip

    def __init__(self, store: Store, clock: Clock, table: TrunkTable) -> None:
        """`table`: knows which version of the configuration is the newest."""
        self._store = store
        self._clock = clock
        self._table = table
        self._find = FindLimits(store)
        self._applied: dict[str, AccountLimits] = {}
        self._prices = PriceTable()
        self._prices_version: int | None = None
        self._said: dict[tuple[str, Cause], tuple[float, int]] = {}
        """When a line was written last, and calls since then."""
        self.book = UsageBook()
        self.sharing: ShareUsage | None = None

    def share(self, engine_id: str) -> None:
        """Before anything is counted: hold limits together with the other engines of the database."""
        self.book.share()
        self.sharing = ShareUsage(self._store, self._clock, engine_id, self.book, self._table.state, self._recall_call)

    async def __call__(self, virtual: VirtualNumber, session_id: str, dials: Sequence[ToDial]) -> Allowed | Cause:
        """Whether a call on `virtual` may dial these at this moment, or why not. Raises `StoreUnavailable`."""
        account_id = virtual.account_id
        found = await self._find.at(account_id, self._table.version)
        if found is None:
            if self._applied.pop(account_id, None) is not None:
                self.book.heed(account_id, stopped=False)
            return _ANYTHING
        now, wall = self._clock.now(), self._clock.wall()
        if self._applied.get(account_id) is not found:
            self._apply(account_id, found, now, wall)
        for one in dials:
            barred = found.judge(one.number)
            if barred is not None:
                return self._refuse(account_id, barred, now)
        if not found.is_counted:
            return self._refuse(account_id, Cause.ACCOUNT_STOPPED, now) if found.stopped else _ANYTHING
        limits = found.limits
        prices = await self._price_table() if limits.spend_per_day else _FREE
        dialled = tuple([_dialled(one.leg, one.number, one.trunk_id, limits, prices) for one in dials])
        permit = Permit(account_id, virtual.number.e164, session_id, dialled)
        cause = self.book.look(permit, now, wall)
        if self.sharing is not None:
            cause = await self._share(self.sharing, permit, cause, now, wall)
        if cause is not None:
            return self._refuse(account_id, cause, now)
        return Allowed(permit, self.book.seconds_left(permit, now, wall))

    async def _share(
        self, sharing: ShareUsage, permit: Permit, cause: Cause | None, now: float, wall: float
    ) -> Cause | None:
        """What was found here, and then of the places that all engines have together."""
        usage = self.book.find(permit.account_id)
        if isinstance(usage, SharedUsage):
            if cause is Cause.ACCOUNT_FULL:
                await sharing.place(usage, permit)
                cause = self.book.look(permit, now, wall)
            if cause is None:
                usage.promise(permit, now)
        return cause

    def _apply(self, account_id: str, found: AccountLimits, now: float, wall: float) -> Usage:
        """Limits that were read anew hold for what is counted from now on."""
        usage = self.book.usage(account_id, found.limits, now, wall)
        usage.know(found.own.union(found.seen, _named(found.limits)))
        self.book.heed(account_id, found.stopped)
        self._applied[account_id] = found
        return usage

    async def _price_table(self) -> PriceTable:
        version = self._table.version  # as it is before they are read: it may be another one afterwards
        if self._prices_version != version:
            self._prices = PriceTable(await self._store.prices())
            self._prices_version = version
        return self._prices

    def _refuse(self, account_id: str, cause: Cause, now: float) -> Cause:
        self.book.refused[cause] += 1
        said_at, calls = self._said.get((account_id, cause), (float("-inf"), 0))
        if now - said_at >= _SAY_EVERY:
            _log.warning("calls_refused_by_limits", account=account_id, cause=cause.value, calls=calls + 1)
            said_at, calls = now, -1
        self._said[account_id, cause] = said_at, calls + 1
        return cause

    # -- the day before this process ------------------------------------------------------------------------------

    async def recall(self) -> int:
        """At the start, before the first call: count what the day's records tell of accounts with limits, so that a
        restart gives nothing back. Returns how many records those were. Raises `StoreUnavailable`."""
        wall, recalled = self._clock.wall(), 0
        if self.sharing is not None:
            await self.sharing.begin()
        for account in await self._store.accounts():
            if account.limits is not None and account.limits.is_counted:
                found = await self._find.now(account.id)
                assert found is not None, "it has limits"
                usage = self._apply(account.id, found, self._clock.now(), wall)
                recalled += await self._recall_account(account.id, account.limits, usage, wall)
        if self.sharing is not None:
            await self.sharing.follow()
            self.sharing.own.clear()
        return recalled

    async def _recall_account(self, account_id: str, limits: Limits, usage: Usage, wall: float) -> int:
        recalled, after = 0, (0.0, "")
        today = day_of(wall, limits.time_zone).start
        while True:
            page = await self._store.calls_between(
                account_id, None, since=today - _LONGEST_CALL, until=wall + 1, after=after, limit=_PAGE
            )
            for record in page:
                if record.ended_at > today and _is_counted(record):
                    usage.recall(record.started_at, record.session_id or "", spoken(record, limits))
                    recalled += 1
                if self.sharing is not None:
                    self.sharing.own.add(record.id)  # and not once more for being recorded meanwhile
            if len(page) < _PAGE:
                return recalled
            after = page[-1].started_at, page[-1].id

    async def know(self, account_ids: Iterable[str]) -> None:
        """Before calls of another engine go on in this one: have what they count in, also where this engine never had a
        call of their account. Raises `StoreUnavailable`."""
        for account_id in account_ids:
            if self.book.find(account_id) is None:
                found = await self._find.at(account_id, self._table.version)
                if found is not None and found.is_counted:
                    self._apply(account_id, found, self._clock.now(), self._clock.wall())

    async def _recall_call(self, account_id: str, call_id: str) -> None:
        """One that another engine carried."""
        usage = self.book.find(account_id)
        if usage is None:
            found = await self._find.at(account_id, self._table.version)
            if found is None or not found.is_counted:
                return
            usage = self._apply(account_id, found, self._clock.now(), self._clock.wall())
        record = await self._store.call(account_id, call_id)
        if _is_counted(record):
            usage.recall(record.started_at, record.session_id or "", spoken(record, usage.limits))


def _is_counted(record: CallRecord) -> bool:
    """One that was refused has not entered: it was no attempt in the engine that refused it."""
    return record.outcome is not Outcome.REJECTED


def _named(limits: Limits) -> tuple[str, ...]:
    return () if limits.destinations is None else limits.destinations.countries


def spoken(record: CallRecord, limits: Limits) -> list[Spoken]:
    """What a record tells of the legs that were dialled."""
    return [
        Spoken(_dialled(leg.leg, leg.destination, leg.trunk_id, limits, _FREE), leg.duration, leg.amount, leg.ended_at)
        for leg in record.legs
        if not leg.inbound
    ]


def _dialled(leg: LegName, number: Number, trunk_id: str, limits: Limits, prices: PriceTable) -> Dialled:
    e164 = number.e164
    prefixes = tuple([one.prefix for one in limits.prefixes if e164.startswith(one.prefix)]) if limits.prefixes else ()
    price = prices.find(trunk_id, Direction.OUTBOUND, e164) if limits.spend_per_day else None
    return Dialled(leg, prefixes, price, number.country if limits.watch.new_country else None)
