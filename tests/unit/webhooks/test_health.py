"""Which endpoints are disabled, by what the deliverer has seen."""

from __future__ import annotations

import pytest
import structlog

from maskline.clock import VirtualClock
from maskline.errors import StoreUnavailable
from maskline.storage.memory import MemoryStore
from maskline.storage.webhook_store import Patience
from maskline.webhooks.health import READ_EVERY, WRITE_EVERY, EndpointHealth
from maskline.webhooks.schedule import Fault, TryResult
from tests.support.store_values import outbox_row

OK, DOWN, GONE = TryResult(200), TryResult(fault=Fault.READ), TryResult(410)
ROW = outbox_row(url="https://h.example/cb?session=1#rc=1", dialect="eight")


class Store(MemoryStore):
    away = False

    async def note_endpoints(self, notes, patience, *, now, outbox):
        if self.away:
            raise StoreUnavailable
        return await super().note_endpoints(notes, patience, now=now, outbox=outbox)


class World:
    def __init__(self):
        self.store, self.clock = Store(), VirtualClock()
        self.told = []
        self.health = self.another()

    def another(self):
        return EndpointHealth(self.store, self.clock, self.tell, Patience(100.0, 3))

    def tell(self, endpoint):
        self.told.append(endpoint)
        return [outbox_row("told", url="https://ops.example")]

    async def after(self, *results, row=ROW, seconds=WRITE_EVERY):
        for result in results:
            self.health.saw(row, result)
        self.clock.advance(seconds)
        await self.health.settle()

    async def kept(self):
        return [(one.url, one.failures, one.reason) for one in await self.store.failing_endpoints()]


@pytest.fixture
def world():
    return World()


async def test_an_endpoint_that_is_well_is_not_written_of(world):
    await world.after(OK, OK)
    assert world.health._notes == []
    assert await world.kept() == []


async def test_failures_of_all_queries_of_a_url_count_until_it_answers(world):
    await world.after(DOWN, DOWN)
    await world.after(TryResult(500), row=outbox_row("2", url="https://h.example/cb?session=2", dialect="eight"))
    assert await world.kept() == [("https://h.example/cb", 3, "")]
    await world.after(OK)
    assert await world.kept() == []


async def test_a_success_between_failures_begins_the_count_anew(world):
    await world.after(DOWN, DOWN, OK, DOWN)
    assert await world.kept() == [("https://h.example/cb", 1, "")]


async def test_what_fails_for_long_is_disabled_said_and_told_once(world):
    await world.after(DOWN)
    with structlog.testing.capture_logs() as logs:
        await world.after(DOWN, DOWN, seconds=100.0)
        await world.after(DOWN, seconds=1.0)
    assert [(line["event"], line["receiver"], line["reason"]) for line in logs] == [
        ("endpoint_disabled", "https://h.example", "failing")
    ]
    assert [one.url for one in world.told] == ["https://h.example/cb"]
    assert world.health.holds(ROW)
    assert not world.health.holds(outbox_row(url="https://h.example/other"))
    assert not world.health.holds(outbox_row(url="https://h.example/cb", account_id="MA2"))
    assert (world.health.disabled, world.health.disabled_count) == (1, 1)


async def test_who_wants_no_more_is_disabled_at_once_but_not_for_one_plivo_session(world):
    await world.after(GONE, row=outbox_row(url="https://h.example/plivo", dialect="plivo"))
    assert world.health.disabled == 0
    await world.after(GONE)
    assert world.health.holds(ROW)


async def test_what_another_process_does_is_seen(world):
    other = world.another()
    await other.settle()
    await world.after(GONE)
    assert not other.holds(ROW)
    world.clock.advance(READ_EVERY)
    await other.settle()
    assert other.holds(ROW)
    await world.store.enable_endpoint(world.told[0].id)
    world.clock.advance(READ_EVERY)
    await other.settle()
    assert not other.holds(ROW)


async def test_nothing_is_written_more_often_than_once_a_second_but_at_the_end(world):
    await world.after(DOWN)
    world.health.saw(ROW, DOWN)
    await world.health.settle()
    assert await world.kept() == [("https://h.example/cb", 1, "")]
    await world.health.settle(at_once=True)
    assert await world.kept() == [("https://h.example/cb", 2, "")]


async def test_what_was_seen_waits_for_a_store_that_is_away(world, monkeypatch):
    monkeypatch.setattr("maskline.webhooks.health._MOST_NOTES", 2)
    world.store.away = True
    with pytest.raises(StoreUnavailable):
        await world.after(DOWN)
    for place in range(3):
        world.health.saw(outbox_row(url=f"https://h.example/{place}"), DOWN)
    world.store.away = False
    await world.after(DOWN)
    assert await world.kept() == [("https://h.example/cb", 2, ""), ("https://h.example/0", 1, "")]


async def test_the_operator_is_told_in_the_commit_that_disables(world):
    """Not after it: the process may be killed between the two, and nobody tells it again."""
    world.store.away = True
    with pytest.raises(StoreUnavailable):
        await world.after(GONE)
    assert world.told == []
    world.store.away = False
    await world.after()
    assert [row.id for row in await world.store.outbox(None)] == ["told"]
    await world.after(GONE)
    assert len(world.told) == 1
