"""Names of trunks are looked up ahead, again and again."""

from __future__ import annotations

import asyncio

import structlog

from maskline.masking.trunk import Trunk
from maskline.net.resolve import Located, ResolveError
from maskline.settings import Settings
from maskline.sip.locate import Place
from maskline.workflows.locate_trunks import RETRY_SECONDS, LocateTrunks, build_locating
from maskline.workflows.trunk_table import TrunkTable
from tests.support.api_world import World

NAMED = Trunk("n", "named", None, "carrier.test", 0)
PLAIN = Trunk("p", "plain", None, "192.0.2.1", 5060)
PLACE = Place("udp", 0, 0, 5060, ("192.0.2.7",))


class Zone:
    def __init__(self) -> None:
        self.answer: Located | Exception = Located((PLACE,), 20.0)
        self.asked = 0
        self.gate: asyncio.Event | None = None

    async def locate(self, host: str, port: int, transport: str) -> Located:
        self.asked += 1
        if self.gate is not None:
            await self.gate.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Field:
    async def open(self, *trunks: Trunk) -> Field:
        self.world, self.zone, self.watched = World(), Zone(), 0
        for trunk in trunks:
            await self.world.store.add_trunk(trunk, 0.0)
        self.table = TrunkTable(self.world.store, self.world.clock, self.world.ids)
        self.locating = LocateTrunks(self.table, self.zone, self.world.clock, self._watch)
        await self.tick()
        return self

    def _watch(self) -> None:
        self.watched += 1

    async def tick(self, seconds: float = 0.0) -> None:
        self.world.clock.advance(seconds)
        await self.locating.tick()
        await self.locating.settle()

    def sources(self) -> list[tuple[str, ...]]:
        return [trunk.sources for trunk in self.table.all]


async def test_a_name_is_asked_for_when_its_answer_has_run_out():
    field = await Field().open(NAMED, PLAIN)
    assert (field.zone.asked, field.sources()) == (1, [("192.0.2.7",), ()])
    await field.tick(19.0)
    assert field.zone.asked == 1
    field.zone.answer = Located((PLACE._replace(addresses=("192.0.2.8",)),), 20.0)
    await field.tick(1.0)
    assert (field.zone.asked, field.sources()) == (2, [("192.0.2.8",), ()])
    assert field.watched == 3, "and who lives is looked at each time"


async def test_a_name_server_that_is_away_takes_no_address_away_and_is_said_once():
    field = await Field().open(NAMED)
    field.zone.answer = ResolveError("LifetimeTimeout")
    with structlog.testing.capture_logs() as lines:
        await field.tick(20.0)
        await field.tick(RETRY_SECONDS)
    assert field.sources() == [("192.0.2.7",)]
    assert [line["event"] for line in lines] == ["trunk_not_looked_up"]
    field.zone.answer = Located((), 30.0)
    with structlog.testing.capture_logs() as lines:
        await field.tick(RETRY_SECONDS)
    assert field.sources() == [()]
    assert lines == [{"event": "trunk_not_found", "trunk": "named", "log_level": "warning"}]


async def test_what_is_found_in_spite_of_a_failure_is_taken_and_the_failure_is_said_once():
    field = await Field().open(NAMED)
    field.zone.answer = Located((PLACE._replace(addresses=("192.0.2.8",)),), RETRY_SECONDS, "NoNameservers")
    with structlog.testing.capture_logs() as lines:
        await field.tick(20.0)
        await field.tick(RETRY_SECONDS)
    assert field.sources() == [("192.0.2.8",)]
    assert [line["event"] for line in lines] == ["trunk_not_looked_up"]


async def test_nothing_waits_for_an_answer_and_a_trunk_that_went_meanwhile_gets_none():
    field = await Field().open(PLAIN)
    field.zone.gate = asyncio.Event()
    await field.world.store.add_trunk(NAMED, 0.0)
    assert await field.locating.tick() is True
    await asyncio.sleep(0)
    await field.locating.tick()
    assert field.zone.asked == 1, "one question at a time"
    await field.world.store.remove_trunk("named")
    await field.locating.tick()
    field.zone.gate.set()
    await field.locating.settle()
    assert field.sources() == [()]
    assert not field.locating._due


async def test_the_settings_name_its_name_servers():
    world = World()
    settings = Settings(dns_servers="127.0.0.1:5353")
    built = build_locating(TrunkTable(world.store, world.clock), settings, world.clock, lambda: None)
    (server,) = built._resolver._resolver.nameservers
    assert (server.address, server.port) == ("127.0.0.1", 5353)
