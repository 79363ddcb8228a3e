"""Who hears of virtual numbers, and of what: changes, moves, and all there are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from maskline.errors import NotFound
from maskline.masking.decision import NumberState
from maskline.storage.store import Account
from maskline.workflows.add_number import add_number
from maskline.workflows.number_outbox import announce_numbers
from maskline.workflows.remove_subaccount import remove_subaccount
from maskline.workflows.retire_number import retire_number
from maskline.workflows.scope import Scope
from maskline.workflows.set_number import NumberChange, set_number
from maskline.workflows.set_webhook import set_webhook
from maskline.workflows.update_number import update_number
from tests.support.api_world import NUMBER, World

SECRET = "whsec_" + "QUJD" * 8


class Numbers(World):
    async def start(self) -> Numbers:
        self.acme = await self.account()
        self.rides = await self.subaccount(self.acme)
        for account in (self.acme, self.rides):
            await self.listen(account)
        return self

    async def listen(self, account: Account, *, enabled: bool = True) -> None:
        await set_webhook(
            self.store, account.id, "eight.number", f"https://h.example/{account.name[-5:]}", authorization="Bearer x",
            secret=SECRET, enabled=enabled,
        )  # fmt: skip

    async def told(self) -> list[tuple[str, str, str, str]]:
        """(Subaccount's id or the account's, kind, number, status), oldest first."""
        rows = sorted(await self.store.outbox(None), key=lambda row: (row.sequence, row.subject != self.acme.id))
        return [
            (row.subject, payload["updateEventType"], one["msisdn"], one["operationalStatus"])
            for row in rows
            for payload in [json.loads(row.body)["payload"]]
            for one in payload["virtualNumbers"]
        ]

    async def change(self, **changes: Any) -> None:
        self.clock.advance(1.0)
        await set_number(self.store, self.clock, NUMBER, NumberChange(**changes))


@pytest.mark.row("8x8:10/operationalStatus")
async def test_each_change_that_8x8_knows_of_is_told_with_what_signs_it():
    world = await Numbers().start()
    await add_number(world.store, world.clock, NUMBER, world.acme.id)
    await world.change(state=NumberState.UNHEALTHY)
    await world.change(alias="a name for people")
    await world.change(reference_id="pool-2")
    await world.change(state=NumberState.RESTING)
    world.clock.advance(1.0)
    await retire_number(world.store, world.clock, Scope(world.acme.id), NUMBER)
    acme = world.acme.id
    assert await world.told() == [
        (acme, "UPDATES", NUMBER, status) for status in ("Active", "Unhealthy", "Unhealthy", "Expiring", "Inactive")
    ]
    row = (await world.store.outbox(acme))[0]
    assert (row.dialect, row.event, row.method) == ("eight", "VIRTUAL_NUMBER_UPDATE", "POST")
    assert (row.authorization, row.secret, row.subaccount_id) == ("Bearer x", SECRET, None)
    assert json.loads(row.body)["payload"]["subAccountId"] == "Acme"


async def test_a_number_that_moves_is_told_to_both_and_is_inactive_for_the_one_it_leaves():
    world = await Numbers().start()
    await add_number(world.store, world.clock, NUMBER, world.acme.id)
    world.clock.advance(1.0)
    await update_number(world.store, world.clock, Scope(world.acme.id), NUMBER, subaccount_id=world.rides.id)
    assert (await world.told())[1:] == [
        (world.acme.id, "UPDATES", NUMBER, "Inactive"),
        (world.rides.id, "UPDATES", NUMBER, "Active"),
    ]


async def test_nobody_hears_of_it_where_no_endpoint_is_on():
    world = await Numbers().start()
    await world.listen(world.acme, enabled=False)
    await add_number(world.store, world.clock, NUMBER, world.acme.id)
    assert await world.told() == []
    with pytest.raises(NotFound, match=r"eight\.number"):
        await announce_numbers(world.store, world.clock, world.ids, world.acme.id)


@pytest.mark.row("8x8:10/payload")
async def test_all_numbers_of_an_account_are_announced_in_parts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("maskline.workflows.number_outbox._AT_ONCE", 2)
    world = await Numbers().start()
    for i in range(3):
        await add_number(world.store, world.clock, f"+653158000{i}", world.rides.id)
    await add_number(world.store, world.clock, "+6531580009", world.acme.id)
    world.clock.advance(1.0)
    before = len(await world.store.outbox(None))
    assert await announce_numbers(world.store, world.clock, world.ids, world.rides.id) == 3
    assert (await world.told())[before:] == [(world.rides.id, "SNAPSHOT", f"+653158000{i}", "Active") for i in range(3)]
    snapshots = [json.loads(row.body)["payload"] for row in (await world.store.outbox(None))[:2]]
    assert [one["totalNumbers"] for one in snapshots] == [3, 3]


async def test_an_account_without_numbers_announces_that_there_are_none():
    world = await Numbers().start()
    assert await announce_numbers(world.store, world.clock, world.ids, world.rides.id) == 0
    (row,) = await world.store.outbox(None)
    assert json.loads(row.body)["payload"]["virtualNumbers"] == []


async def test_a_number_that_a_removed_subaccount_had_is_told_to_who_has_it_now():
    world = await Numbers().start()
    await add_number(world.store, world.clock, NUMBER, world.rides.id)
    world.clock.advance(1.0)
    await remove_subaccount(world.store, world.clock, Scope(world.acme.id), world.rides.id)
    await world.change(state=NumberState.RESTING)
    assert (await world.told())[1:] == [
        (world.acme.id, "UPDATES", NUMBER, "Active"),
        (world.acme.id, "UPDATES", NUMBER, "Expiring"),
    ]


async def test_a_subaccount_without_numbers_is_removed_without_a_word():
    world = await Numbers().start()
    await remove_subaccount(world.store, world.clock, Scope(world.acme.id), world.rides.id)
    assert await world.told() == []
