"""Numbers are read anew when anything was written, and only then."""

from __future__ import annotations

import pytest

from maskline.errors import NotFound
from maskline.workflows import list_numbers as module
from maskline.workflows.list_numbers import ListNumbers, list_numbers
from maskline.workflows.retire_number import retire_number
from maskline.workflows.scope import Scope
from tests.support.api_world import World


class Counting(World):
    """Counts how often the store is asked for numbers."""

    async def start(self):
        self.acme = await self.account()
        self.asked = 0
        numbers = self.store.numbers

        async def counted(account_id):
            self.asked += 1
            return await numbers(account_id)

        self.store.numbers = counted
        self.list = ListNumbers(self.store)
        return self


async def test_retired_numbers_are_only_listed_when_asked_for():
    world = await Counting().start()
    await world.number(world.acme)
    await retire_number(world.store, world.clock, Scope(world.acme.id), "+6531580001")
    assert await list_numbers(world.store, world.acme.id) == []
    (kept,) = await list_numbers(world.store, world.acme.id, retired=True)
    assert kept.number.e164 == "+6531580001"


async def test_the_store_is_asked_once_until_something_is_written():
    world = await Counting().start()
    for _ in range(3):
        assert await world.list(world.acme.id) == ()
    assert world.asked == 1
    await world.number(world.acme)
    assert len(await world.list(world.acme.id)) == 1
    assert world.asked == 2


async def test_what_is_written_while_numbers_are_read_is_seen_by_the_next_call():
    world = await Counting().start()
    read = world.store.numbers

    async def slow(account_id):
        found = await read(account_id)
        world.store.numbers = read
        await world.number(world.acme)
        assert len(await world.list(world.acme.id)) == 1
        return found

    world.store.numbers = slow
    assert await world.list(world.acme.id) == ()
    assert len(await world.list(world.acme.id)) == 1


async def test_only_the_accounts_asked_for_last_are_remembered(monkeypatch):
    monkeypatch.setattr(module, "_REMEMBERED_ACCOUNTS", 2)
    world = await Counting().start()
    one, two = await world.account("one"), await world.account("two")
    for account in (world.acme, one, world.acme, two, world.acme):
        await world.list(account.id)
    assert world.asked == 3
    await world.list(one.id)
    assert world.asked == 4


async def test_an_unknown_account_is_not_found():
    world = await Counting().start()
    with pytest.raises(NotFound):
        await world.list("MA0")
