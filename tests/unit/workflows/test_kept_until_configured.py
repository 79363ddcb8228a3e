"""What is kept in memory until anything is configured: who reads while that happens must not bring back what was.

On PostgreSQL a read waits for the server. One that was asked before a change may be answered after somebody else has
noticed the change; what it found is then of before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from maskline.clock import VirtualClock
from maskline.ids import SeededIds
from maskline.masking.decision import VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.limits import Limits
from maskline.masking.permit import Permit
from maskline.masking.policy import AccountPolicy
from maskline.masking.price import Direction, Price
from maskline.storage.memory import MemoryStore
from maskline.storage.store import Account, Endpoint
from maskline.webhooks.formats import eight_action, native
from maskline.webhooks.keys import StoreKeys, StoreSecrets
from maskline.workflows.ask_action import AskAction, AskRules
from maskline.workflows.check_limits import CheckLimits
from maskline.workflows.check_limits import ToDial as Called
from maskline.workflows.find_limits import FindLimits
from maskline.workflows.find_policy import FindPolicy
from maskline.workflows.native_outbox import FindSessionReceiver
from maskline.workflows.scope import Scope
from maskline.workflows.trunk_table import TrunkTable
from tests.support.store_values import outbox_row

MAIN = Account("MA" + "A" * 18, "Acme", None, ("old-token",), 0.0, limits=Limits(concurrent=1), policy=AccountPolicy())
URL = "https://h.example/cb"
NUMBER = VirtualNumber(Number("6531590001"), MAIN.id, None)
ROW = outbox_row("1", account_id=MAIN.id, subaccount_id=None, url=URL, secret="row")


class SlowStore(MemoryStore):
    """Answers its first slow read only when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.slow = False
        self.asked = asyncio.Event()
        self.let = asyncio.Event()

    async def _after(self, answer: Any) -> Any:
        if self.slow:
            self.slow = False
            self.asked.set()
            await self.let.wait()
        return answer

    async def account(self, account_id: str) -> Account:
        return await self._after(await super().account(account_id))

    async def endpoints(self, account_id: str) -> list[Endpoint]:
        return await self._after(await super().endpoints(account_id))


def endpoint(kind: str, **changes: Any) -> Endpoint:
    return replace(Endpoint(MAIN.id, kind, URL, secret="old"), **changes)


def application(store: SlowStore) -> Callable[[], Awaitable[Any]]:
    asks = AskAction(store, VirtualClock(), SeededIds(1), None, None, AskRules())  # type: ignore[arg-type]

    async def ask() -> Any:
        found = await asks.application(NUMBER)
        return None if found is None else found.endpoint

    return ask


def limits(store: SlowStore) -> Callable[[], Awaitable[Any]]:
    find = FindLimits(store)

    async def ask() -> Any:
        found = await find.now(MAIN.id)
        return None if found is None else found.stopped

    return ask


def policy(store: SlowStore) -> Callable[[], Awaitable[Any]]:
    find = FindPolicy(store)
    return lambda: find(Scope(MAIN.id, None))


def keys(store: SlowStore) -> Callable[[], Awaitable[Any]]:
    find = StoreKeys(store)
    return lambda: find(MAIN.id, None)


def secrets(store: SlowStore) -> Callable[[], Awaitable[Any]]:
    find = StoreSecrets(store)
    return lambda: find(ROW)


def receiver(store: SlowStore) -> Callable[[], Awaitable[Any]]:
    find = FindSessionReceiver(store)

    async def ask() -> Any:
        found = await find(MAIN.id)
        return None if found is None else found.secret

    return ask


@pytest.mark.parametrize("memory", [application, limits, policy, keys, secrets, receiver])
async def test_who_reads_during_a_change_does_not_bring_back_what_was(
    memory: Callable[[SlowStore], Callable[[], Awaitable[Any]]],
) -> None:
    store = SlowStore()
    await store.add_account(MAIN)
    await store.set_endpoint(endpoint(native.KIND))
    await store.set_endpoint(endpoint(eight_action.KIND))
    ask = memory(store)
    store.slow = True
    before = asyncio.create_task(ask())
    async with asyncio.timeout(5):
        await store.asked.wait()
    await store.update_account(
        replace(MAIN, stopped="operator", auth_tokens=("new-token",), policy=AccountPolicy(first_party_cooloff=9))
    )
    await store.set_endpoint(endpoint(native.KIND, secret="new"))
    await store.set_endpoint(endpoint(eight_action.KIND, secret="new"))
    now = await ask()
    store.let.set()
    assert await before != now
    assert await ask() == now


async def test_prices_that_change_while_they_are_read_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    store, clock = MemoryStore(), VirtualClock()
    await store.add_account(replace(MAIN, limits=Limits(spend_per_day=1_000_000)))
    table = TrunkTable(store, clock)
    check = CheckLimits(store, clock, table)
    read = store.prices

    async def changed_meanwhile() -> list[Price]:
        found = await read()
        if not found:
            await store.set_price(Price("p", None, Direction.OUTBOUND, "+", 60_000, 0, 1))
            await table.refresh()
        return found

    monkeypatch.setattr(store, "prices", changed_meanwhile)
    await table.refresh()
    dials = [Called("b", Number("6591110042"), "t")]  # type: ignore[arg-type]
    for price in (None, "p"):
        allowed = await check(NUMBER, "s", dials)
        permit = allowed.permit  # type: ignore[union-attr]
        assert isinstance(permit, Permit)
        assert (permit.dialled[0].price and permit.dialled[0].price.id) == price
