"""Exchanging an account's auth token: add, use both, revoke the old one."""

from __future__ import annotations

import pytest

from maskline.errors import Conflict, InvalidParameter, NotFound
from maskline.ids import SeededIds
from maskline.workflows.add_token import MOST_TOKENS, add_token
from maskline.workflows.find_account import find_account
from maskline.workflows.revoke_token import revoke_token
from tests.support.api_world import World


class Tokens(World):
    async def start(self):
        self.acme = await self.account()
        return self

    async def add(self):
        return await add_token(self.store, self.clock, self.ids, self.acme.id)

    async def revoke(self, ending):
        return await revoke_token(self.store, self.clock, self.acme.id, ending)

    async def kept(self):
        return (await find_account(self.store, self.acme.id)).auth_tokens


async def test_a_new_token_comes_first_and_the_old_one_stays():
    world = await Tokens().start()
    world.clock.advance(60)
    changed = await world.add()
    assert changed.auth_tokens == (changed.auth_token, world.acme.auth_token) == await world.kept()
    assert changed.auth_token != world.acme.auth_token
    assert changed.modified_at == world.clock.wall()


async def test_a_subaccount_has_tokens_of_its_own():
    world = await Tokens().start()
    rides = await world.subaccount(world.acme)
    changed = await add_token(world.store, world.clock, world.ids, rides.id)
    assert changed.auth_tokens[1:] == rides.auth_tokens
    assert await world.kept() == world.acme.auth_tokens


async def test_an_account_has_so_many_tokens_and_no_more():
    world = await Tokens().start()
    for _ in range(MOST_TOKENS - 1):
        await world.add()
    with pytest.raises(Conflict, match="has 5 auth tokens already"):
        await world.add()
    assert len(await world.kept()) == MOST_TOKENS


async def test_the_token_that_is_named_by_its_end_is_revoked():
    world = await Tokens().start()
    new = (await world.add()).auth_token
    assert (await world.revoke(world.acme.auth_token[-4:])).auth_tokens == (new,) == await world.kept()


async def test_the_last_token_cannot_be_revoked():
    world = await Tokens().start()
    with pytest.raises(Conflict, match="only auth token"):
        await world.revoke(world.acme.auth_token)
    assert await world.kept() == world.acme.auth_tokens


async def test_an_ending_that_fits_several_names_none():
    class Alike(SeededIds):
        def secret(self):
            return super().secret()[:36] + "same"

    world = Tokens()
    world.ids = Alike(1)
    await world.start()
    new = (await world.add()).auth_token
    with pytest.raises(Conflict, match="Several auth tokens"):
        await world.revoke("same")
    assert (await world.revoke(world.acme.auth_token[-6:])).auth_tokens == (new,)


@pytest.mark.parametrize(("ending", "error"), [("", InvalidParameter), ("abc", InvalidParameter), ("nope", NotFound)])
async def test_an_ending_that_names_no_token_is_refused(ending, error):
    world = await Tokens().start()
    await world.add()
    with pytest.raises(error):
        await world.revoke(ending)
    assert len(await world.kept()) == 2


async def test_the_tokens_of_an_unknown_account_are_not_found():
    world = await Tokens().start()
    with pytest.raises(NotFound):
        await add_token(world.store, world.clock, world.ids, "MA0")
    with pytest.raises(NotFound):
        await revoke_token(world.store, world.clock, "MA0", "abcd")


async def test_of_two_changes_at_a_time_neither_brings_back_what_the_other_took_away(monkeypatch):
    world = await Tokens().start()
    await world.add()
    read = world.store.account

    async def read_slowly(account_id):
        found = await read(account_id)
        monkeypatch.undo()
        world.clock.advance(0.001)
        await world.revoke(world.acme.auth_token)
        return found

    monkeypatch.setattr(world.store, "account", read_slowly)
    with pytest.raises(Conflict, match="changed meanwhile"):
        await world.add()
    assert world.acme.auth_token not in await world.kept()
