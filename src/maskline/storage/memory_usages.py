"""Limits that engines hold together, in memory: for tests with two of them in one process.

What it is: the same rules as `queries.sql` states for them, on a dictionary. What it is not: durable. Who builds on it:
`memory.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

from maskline.masking.call_record import CallRecord
from maskline.masking.facts import CallEnded
from maskline.masking.usage_shared import Share, Wish
from maskline.storage.memory_recordings import MemoryRecordings
from maskline.storage.usage_store import OVER_FOR, ShareElsewhere


class MemoryUsages:
    """(account, number, engine) → what it told, and until when that holds."""

    __slots__ = ("_told",)

    def __init__(self) -> None:
        self._told: dict[tuple[str, str, str], tuple[Share, float]] = {}

    def take(self, engine_id: str, wishes: Sequence[Wish], now: float, until: float) -> list[int]:
        given = []
        for wish in wishes:
            taken = sum(
                share.places
                for (account_id, number, other), (share, ends) in self._told.items()
                if (account_id, number) == (wish.account_id, wish.number) and other != engine_id and ends > now
            )
            places = min(wish.most, max(0, wish.limit - taken - wish.held))
            if places:
                key = (wish.account_id, wish.number, engine_id)
                told = self._told.get(key, (Share(wish.account_id, wish.number, 0, 0), 0.0))[0]
                self._told[key] = told._replace(places=wish.held + places), until
            given.append(places)
        return given

    def tell(self, engine_id: str, shares: Sequence[Share], now: float, until: float) -> None:
        self._told = {key: told for key, told in self._told.items() if told[1] > now - OVER_FOR}
        for share in shares:
            self._told[share.account_id, share.number, engine_id] = share, until

    def elsewhere(self, engine_id: str, now: float) -> list[ShareElsewhere]:
        return [
            ShareElsewhere(key[2], share)
            for key, (share, ends) in self._told.items()
            if key[2] != engine_id and ends > now
        ]


class MemoryShares(MemoryRecordings):
    """See `maskline.storage.usage_store.UsageStore`."""

    def __init__(self) -> None:
        super().__init__()
        self._usages = MemoryUsages()
        self._calls: dict[str, CallRecord] = {}

    async def take_places(self, engine_id: str, wishes: Sequence[Wish], *, now: float, until: float) -> list[int]:
        return self._usages.take(engine_id, wishes, now, until)

    async def tell_usage(self, engine_id: str, shares: Sequence[Share], *, now: float, until: float) -> None:
        self._usages.tell(engine_id, shares, now, until)

    async def usage_elsewhere(self, engine_id: str, now: float) -> list[ShareElsewhere]:
        return self._usages.elsewhere(engine_id, now)

    async def ended_calls(self, cursor: int | None, limit: int) -> tuple[int, list[tuple[str, str]]]:
        found: list[tuple[str, str]] = []
        for position in () if cursor is None else range(cursor + 1, self._position + 1):
            call = self._calls.get(self._facts[position].subject) if position in self._facts else None
            if call is None or not isinstance(self._facts[position], CallEnded):
                continue
            if self._accounts[call.account_id].limits is not None:
                found.append((call.account_id, call.id))
                if len(found) == limit:
                    return position, found
        return self._position, found
