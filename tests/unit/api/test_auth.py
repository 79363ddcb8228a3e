"""Who may act where, and one answer for all who may not."""

from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from maskline.api.auth import Authenticator, read_basic
from maskline.errors import NotAuthenticated
from maskline.workflows.add_token import add_token
from maskline.workflows.revoke_token import revoke_token
from tests.support.api_world import World, basic


def header(account_id, token):
    return basic(account_id, token)["Authorization"]


class Accounts(World):
    async def start(self):
        self.acme, self.other = await self.account(), await self.account("Other")
        self.rides, self.foreign = await self.subaccount(self.acme), await self.subaccount(self.other)
        self.authenticate = Authenticator(self.store, self.clock)
        return self

    async def ask(self, caller, path, token=None):
        return await self.authenticate(header(caller.id, token or caller.auth_token), path.id)


@pytest.mark.row("1.1/subaccount credentials")
async def test_an_account_acts_for_itself_and_its_subaccounts():
    world = await Accounts().start()
    assert await world.ask(world.acme, world.acme) == world.acme
    assert await world.ask(world.acme, world.rides) == world.rides


async def test_a_subaccount_acts_for_itself():
    world = await Accounts().start()
    assert await world.ask(world.rides, world.rides) == world.rides


@pytest.mark.row("1.1/path id")
async def test_nobody_acts_for_anybody_else():
    world = await Accounts().start()
    for caller, path in (
        (world.rides, world.acme), (world.acme, world.other), (world.acme, world.foreign), (world.rides, world.foreign),
    ):  # fmt: skip
        with pytest.raises(NotAuthenticated):
            await world.ask(caller, path)


async def test_a_wrong_token_and_an_unknown_id_get_the_same_answer():
    world = await Accounts().start()
    answers = set()
    for authorization in (
        header(world.acme.id, "wrong"),
        header(world.acme.id, world.other.auth_token),
        header(world.acme.id, ""),
        header("MA0", "-" * 40),
        header("", ""),
        header(world.acme.id, "wrong ü \U0001f600"),
    ):
        with pytest.raises(NotAuthenticated) as caught:
            await world.authenticate(authorization, world.acme.id)
        answers.add(caught.value.sentence)
    assert answers == {"The credentials are missing or wrong."}


async def test_an_unknown_path_is_not_told_from_a_forbidden_one():
    world = await Accounts().start()
    with pytest.raises(NotAuthenticated):
        await world.authenticate(header(world.acme.id, world.acme.auth_token), "SA0")


async def test_a_new_account_works_at_once_and_a_removed_one_a_second_at_most():
    world = await Accounts().start()
    with pytest.raises(NotAuthenticated):
        await world.authenticate(header("MA0", "x"), "MA0")
    assert await world.ask(world.acme, world.acme)
    del world.store._accounts[world.acme.id]
    world.clock.advance(0.9)
    assert await world.ask(world.acme, world.acme)
    world.clock.advance(0.1)
    with pytest.raises(NotAuthenticated):
        await world.ask(world.acme, world.acme)


@pytest.mark.row("1.1/auth")
async def test_every_active_token_is_taken_and_a_revoked_one_a_second_at_most():
    world = await Accounts().start()
    old = world.acme.auth_token
    new = (await add_token(world.store, world.clock, world.ids, world.acme.id)).auth_token
    world.clock.advance(1.0)
    for token in (old, new):
        assert await world.ask(world.acme, world.rides, token) == world.rides
    await revoke_token(world.store, world.clock, world.acme.id, old)
    world.clock.advance(1.0)
    assert await world.ask(world.acme, world.rides, new) == world.rides
    with pytest.raises(NotAuthenticated):
        await world.ask(world.acme, world.rides, old)


async def test_the_credentials_of_a_disabled_account_are_refused():
    world = await Accounts().start()
    await world.store.update_account(replace(world.rides, enabled=False))
    with pytest.raises(NotAuthenticated):
        await world.ask(world.rides, world.rides)
    assert (await world.ask(world.acme, world.rides)).id == world.rides.id


async def test_a_subaccounts_credentials_are_refused_while_its_account_is_disabled():
    world = await Accounts().start()
    assert await world.ask(world.rides, world.rides) == world.rides
    await world.store.update_account(replace(world.acme, enabled=False))
    world.clock.advance(1.0)
    for caller in (world.rides, world.acme):
        with pytest.raises(NotAuthenticated):
            await world.ask(caller, world.rides)
    await world.store.update_account(world.acme)
    world.clock.advance(1.0)
    assert await world.ask(world.rides, world.rides) == world.rides


async def test_the_store_is_not_asked_again_within_the_second():
    world = await Accounts().start()
    await world.ask(world.acme, world.acme)
    world.store._accounts.clear()
    assert await world.ask(world.acme, world.acme) == world.acme


async def test_the_memory_of_accounts_is_bounded(monkeypatch):
    monkeypatch.setattr("maskline.api.auth._CACHED_ACCOUNTS", 1)
    world = await Accounts().start()
    for account in (world.acme, world.other, world.acme):
        assert await world.ask(account, account) == account
    assert len(world.authenticate._accounts) == 1


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_the_header_is_read_as_rfc_7617_says(scheme):
    encoded = base64.b64encode("id:to:ken ü".encode()).decode()
    assert read_basic(f"{scheme} {encoded}") == ("id", "to:ken ü")


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Basic", "Basic ", "Bearer abc", "Basic ###", "Basic " + base64.b64encode(b"no-colon").decode(),
     "Basic " + base64.b64encode(b"\xff:\xff").decode()],
)  # fmt: skip
def test_a_header_that_is_not_basic_is_no_credential(authorization):
    with pytest.raises(NotAuthenticated):
        read_basic(authorization)


async def test_an_account_changed_here_is_read_again_at_once():
    world = await Accounts().start()
    assert await world.ask(world.rides, world.rides)
    del world.store._accounts[world.rides.id]
    world.authenticate.forget(world.rides.id)
    with pytest.raises(NotAuthenticated):
        await world.ask(world.rides, world.rides)
    world.authenticate.forget("SA0")
