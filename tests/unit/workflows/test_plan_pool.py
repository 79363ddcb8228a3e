"""workflows.plan_pool: own sessions as traffic, read in pieces that a list can afford."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from maskline.clock import VirtualClock
from maskline.masking.e164 import Number
from maskline.masking.session import PoolMode, Session, SessionOptions
from maskline.storage.filters import SessionFilter
from maskline.storage.memory import MemoryStore
from maskline.workflows import plan_pool
from maskline.workflows.plan_pool import plan_traffic
from tests.support.store_values import ACCOUNT, ALICE, BOB, CAROL, OTHER, VN1

NOW = 1_700_000_000.0
GB = Number("447700900123")


def session(number: int, created: float, **changes: Any) -> Session:
    base = Session(
        f"session-{number}", ACCOUNT.id, None, ALICE, BOB, VN1, SessionOptions(), created, created, created + 600, 600
    )
    return replace(base, **changes)


class ListOnly(MemoryStore):
    """A store that has these sessions and counts how they are asked for."""

    def __init__(self, sessions: list[Session]) -> None:
        super().__init__()
        self.all = sorted(sessions, key=lambda one: one.created_at, reverse=True)
        self.pages: list[int] = []

    async def sessions(
        self, account_id: str, wanted: SessionFilter, *, limit: int, offset: int, wall: float
    ) -> tuple[list[Session], int]:
        bounds = dict(wanted.created)
        found = [s for s in self.all if s.account_id == account_id and bounds["gte"] <= s.created_at < bounds["lt"]]
        self.pages.append(offset)
        return found[offset : offset + limit], len(found)


async def plan(store: MemoryStore, days: float = 1) -> list[Any]:
    return await plan_traffic(store, VirtualClock(NOW), [ACCOUNT.id, OTHER.id], days)


async def test_sessions_of_all_accounts_come_oldest_first_without_numbers() -> None:
    store = ListOnly(
        [
            session(1, NOW - 10, first_party=CAROL),
            session(2, NOW - 20, account_id=OTHER.id, second_party=GB),
            session(3, NOW - 86_401),
        ]
    )
    found = await plan(store)
    assert [(one.start, one.end) for one in found] == [(NOW - 20, NOW + 580), (NOW - 10, NOW + 590)]
    assert [(one.first_country, one.second_country) for one in found] == [("SG", "GB"), ("SG", "SG")]
    assert len({party for one in found for party in (one.first, one.second)}) == 4
    assert all(isinstance(one.first, int) for one in found)


async def test_a_session_counts_until_it_was_ended() -> None:
    ended = session(1, NOW - 900).ended(NOW - 600)
    carried_out_late = session(2, NOW - 1000, ended_at=NOW - 300)
    never_live = session(3, NOW - 500).ended(NOW - 500)
    found = await plan(ListOnly([ended, carried_out_late, never_live]))
    assert [(one.start, one.end) for one in found] == [(NOW - 1000, NOW - 400), (NOW - 900, NOW - 600)]


async def test_a_party_that_is_not_known_shares_with_nobody() -> None:
    store = ListOnly(
        [
            session(1, NOW - 10, first_party=None, pool_mode=PoolMode.OPEN),
            session(2, NOW - 9, second_party=None, pool_mode=PoolMode.SHARED),
            session(3, NOW - 8, second_party=None, pool_mode=PoolMode.SHARED),
        ]
    )
    alone, by_pin, other = await plan(store)
    assert alone.second is None
    assert by_pin.first == other.first
    assert len({by_pin.first, by_pin.second, other.second}) == 3


@pytest.mark.parametrize("shortest", [60.0, 1e9])
async def test_busy_times_are_read_in_pieces_and_every_session_once(
    monkeypatch: pytest.MonkeyPatch, shortest: float
) -> None:
    monkeypatch.setattr(plan_pool, "_PAGE", 10)
    monkeypatch.setattr(plan_pool, "_SHORTEST", shortest)
    # A hundred of them in one second: halving cannot part them, paging can.
    times = [NOW - 700 * number for number in range(80)] + [NOW - 5000.5] * 100
    store = ListOnly([session(number, at) for number, at in enumerate(times)])
    found = await plan(store)
    assert sorted(one.start for one in found) == sorted(times)
    assert max(store.pages) == (90 if shortest == 60.0 else 170)
