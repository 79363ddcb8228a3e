"""Read an installation's own sessions as traffic to plan numbers for. Called by `maskline pool plan`."""

from __future__ import annotations

from collections.abc import AsyncIterator

from maskline.clock import Clock
from maskline.masking.e164 import Number
from maskline.masking.session import PoolMode, Session
from maskline.masking.traffic import PlannedSession
from maskline.storage.filters import SessionFilter
from maskline.storage.store import Store

_PAGE = 1000
_SHORTEST = 60.0
"""Seconds of creations below which a busy time is not halved again but paged."""


async def plan_traffic(store: Store, clock: Clock, account_ids: list[str], days: float) -> list[PlannedSession]:
    """The sessions that these accounts created in the last `days`, oldest first, without their numbers.

    A session that was ended early counts until then. One that got a PIN number for want of others counts as what
    it would have needed. Sessions without a second party have a number for themselves, unless they ask for PINs:
    then they share one like a pair of which nobody else knows the other side.
    """
    traffic = _Traffic()
    now = clock.wall()
    for account_id in account_ids:
        async for session in _sessions(store, account_id, now - days * 86_400, now + 1.0, now):
            traffic.add(session)
    return sorted(traffic.found, key=lambda one: one.start)


async def _sessions(store: Store, account_id: str, since: float, until: float, wall: float) -> AsyncIterator[Session]:
    """Sessions created from `since` to before `until`. Times with many are halved: a list's `offset` costs what it
    skips, and ten million sessions would be skipped ten thousand times."""
    todo = [(since, until)]
    while todo:
        low, high = todo.pop()
        wanted = SessionFilter(created=(("gte", low), ("lt", high)))
        page, total = await store.sessions(account_id, wanted, limit=_PAGE, offset=0, wall=wall)
        if total > _PAGE and high - low > _SHORTEST:
            middle = (low + high) / 2
            todo += [(low, middle), (middle, high)]
            continue
        for session in page:
            yield session
        for offset in range(_PAGE, total, _PAGE):
            page, _ = await store.sessions(account_id, wanted, limit=_PAGE, offset=offset, wall=wall)
            for session in page:
                yield session


class _Traffic:
    """Sessions so far; a party is a small number, the same in all of them."""

    def __init__(self) -> None:
        self.found: list[PlannedSession] = []
        self._parties: dict[Number | str, int] = {}

    def add(self, session: Session) -> None:
        end = min(session.expires_at, session.ended_at or session.expires_at)
        if end <= session.created_at:
            return
        known = [party for party in (session.first_party, session.second_party) if party is not None]
        first = known[0]
        second: int | None = None
        if len(known) == 2:
            second = self._party(known[1])
        elif session.pool_mode is not PoolMode.OPEN:
            second = self._party(session.id)
        self.found.append(
            PlannedSession(session.created_at, end, self._party(first), second, first.country, known[-1].country)
        )

    def _party(self, party: Number | str) -> int:
        return self._parties.setdefault(party, len(self._parties))
