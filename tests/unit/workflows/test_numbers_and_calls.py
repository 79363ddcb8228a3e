"""What becomes of live sessions when their number is moved or given back, or their subaccount closed: calls go on."""

from __future__ import annotations

import pytest

from maskline.errors import PoolExhausted
from maskline.masking.decision import Forward
from maskline.masking.e164 import parse_number
from maskline.masking.session import SessionOptions
from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.memory import MemoryStore
from maskline.storage.sqlite import SqliteStore
from maskline.workflows.add_trunk import TrunkWish, add_trunk
from maskline.workflows.create_session import CreateSession, SessionWish
from maskline.workflows.remove_subaccount import remove_subaccount
from maskline.workflows.retire_number import retire_number
from maskline.workflows.route_call import RouteCall
from maskline.workflows.scope import Scope
from maskline.workflows.update_number import update_number
from tests.support.api_world import FIRST, NUMBER, SECOND, World

CALLER, CALLEE, VIRTUAL = parse_number(FIRST), parse_number(SECOND), parse_number(NUMBER)
STORES = {"memory": MemoryStore, "sqlite": lambda: SqliteStore(None, Sealer(bytes(KEY_BYTES)))}


class Rides(World):
    """A subaccount with one number, a session on it, and a carrier."""

    async def start(self):
        await self.store.open()
        self.acme = await self.account()
        self.rides = await self.subaccount(self.acme)
        await self.number(self.rides)
        self.main, self.own = Scope(self.acme.id), Scope(self.acme.id, self.rides.id)
        self.trunk = await add_trunk(self.store, self.clock, self.ids, TrunkWish("carrier", "192.0.2.1"))
        self.create = CreateSession(self.store, self.clock, self.ids)
        self.session = await self.create(self.own, SessionWish(CALLER, CALLEE, SessionOptions()))
        return self

    async def move(self):
        await update_number(self.store, self.clock, self.main, NUMBER, subaccount_id="")

    async def retire(self):
        await retire_number(self.store, self.clock, self.main, NUMBER)

    async def close(self):
        await remove_subaccount(self.store, self.clock, self.main, self.rides.id)

    async def route(self, caller):
        router = RouteCall(self.store, self.clock)
        await router.refresh()
        return await router.route(caller, VIRTUAL, self.trunk, self.clock.wall())


@pytest.fixture(params=list(STORES))
async def world(request, monkeypatch):
    monkeypatch.setattr(World, "make_store", STORES[request.param])
    world = await Rides().start()
    yield world
    await world.store.close()


@pytest.mark.parametrize("change", ["move", "retire", "close"])
async def test_both_parties_still_reach_each_other(world, change):
    await getattr(world, change)()
    for caller, callee in ((CALLER, CALLEE), (CALLEE, CALLER)):
        decision = await world.route(caller)
        assert isinstance(decision, Forward)
        assert (decision.callee, decision.shown, decision.session.id) == (callee, VIRTUAL, world.session.id)


@pytest.mark.parametrize("change", ["move", "close"])
async def test_nobody_else_gets_a_session_on_the_number_that_would_reach_its_parties(world, change):
    await getattr(world, change)()
    for first, second in ((CALLER, CALLEE), (CALLER, parse_number("+6590000007")), (CALLEE, CALLER)):
        with pytest.raises(PoolExhausted):
            await world.create(world.main, SessionWish(first, second, SessionOptions()))
    strangers = SessionWish(parse_number("+6590000008"), parse_number("+6590000009"), SessionOptions())
    assert (await world.create(world.main, strangers)).virtual_number == VIRTUAL


async def test_a_number_given_back_gets_no_session_of_anybody(world):
    await world.retire()
    strangers = SessionWish(parse_number("+6590000008"), parse_number("+6590000009"), SessionOptions())
    with pytest.raises(PoolExhausted):
        await world.create(world.own, strangers)
