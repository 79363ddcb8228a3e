"""Acknowledged call flows: begun once, with whom and when, and what becomes of those that are too late."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
import structlog

from maskline.errors import StoreUnavailable
from maskline.logs import EVENTS
from maskline.masking.decision import Dial, RunFlow
from maskline.masking.e164 import parse_number
from maskline.masking.facts import CallEnded, CallRequested, Cause
from maskline.masking.session import REQUEST_AGE, SessionOptions
from maskline.storage.kept import RequestedFlow
from maskline.storage.store import RecordedCall
from maskline.workflows.start_flow import StartFlows
from tests.support.api_world import FIRST, NUMBER, SECOND, World

pytestmark = pytest.mark.usefixtures("each_store")

VIRTUAL = parse_number(NUMBER)


def flow_body(destination=FIRST, source=NUMBER):
    return json.dumps({"callflow": [{"action": "makeCall", "params": {"source": source, "destination": destination}}]})


class Flows(World):
    async def begin(self):
        await self.store.open()
        self.acme = await self.account()
        self.rides = await self.subaccount(self.acme)
        await self.number(self.acme)
        self.begun, self.answers = [], []
        self.starts = self.process()
        return self

    def process(self):
        """Another process's task on the same store."""
        return StartFlows(self.store, self.clock, self.ids, self.plan, self.take)

    async def plan(self, flow, virtual, party):
        assert party is None
        dials = (Dial(action.destination, action.source) for action in flow.actions)
        return RunFlow(virtual, tuple(dials), SessionOptions())

    def take(self, start):
        self.begun.append(start)
        return self.answers.pop(0) if self.answers else None

    async def ask(self, name="flow", **changes):
        flow = RequestedFlow(name, self.acme.id, "request", flow_body(), "order 7", None, self.clock.wall())
        return await self.store.add_requested_flow(replace(flow, **changes))

    async def commit(self, name="flow"):
        fact = CallRequested(name, 1, self.clock.wall(), "", NUMBER)
        await self.store.commit_calls([RecordedCall((fact,), self.acme.id)])

    def told(self):
        """(Id, expired) of all that the engine was given."""
        return [(start.call_id, start.expired) for start in self.begun]


async def test_a_flow_is_begun_once_under_the_id_that_its_customer_knows():
    world = await Flows().begin()
    assert await world.starts() == 0
    await world.ask()
    assert await world.starts() == 1
    (start,) = world.begun
    assert (start.call_id, start.client_request_id, start.expired) == ("flow", "order 7", False)
    (dial,) = start.flow.steps
    assert (dial.callee, dial.shown) == (parse_number(FIRST), VIRTUAL)
    assert (start.flow.virtual_number.account_id, start.flow.virtual_number.subaccount_id) == (world.acme.id, None)
    world.clock.advance(REQUEST_AGE - 1)
    assert await world.starts() == await world.process()() == 0, "it is leased for as long as its commit may take"


async def test_the_oldest_come_first_and_more_than_one_step_takes_are_taken_by_the_next():
    world = await Flows().begin()
    for number in range(20):
        await world.ask(f"flow-{number:02}")
        world.clock.advance(0.5)
    assert [await world.starts(), await world.starts(), await world.starts()] == [16, 4, 0]
    assert [start.call_id for start in world.begun] == [f"flow-{number:02}" for number in range(20)]


async def test_a_subaccounts_flow_is_the_subaccounts_call_wherever_its_number_has_gone():
    world = await Flows().begin()
    await world.ask(account_id=world.rides.id)
    await world.starts()
    virtual = world.begun[0].flow.virtual_number
    assert (virtual.number, virtual.account_id, virtual.subaccount_id) == (VIRTUAL, world.acme.id, world.rides.id)


async def test_a_number_that_is_nobodys_any_more_is_left_to_be_refused():
    world = await Flows().begin()
    await world.ask(body=flow_body(source="+6531580099"))
    await world.starts()
    virtual = world.begun[0].flow.virtual_number
    assert (virtual.number, virtual.account_id) == (parse_number("+6531580099"), world.acme.id)


@pytest.mark.row("8x8:4/validUntil", "8x8:6.2/-2007")
async def test_what_is_too_late_is_begun_as_expired():
    world = await Flows().begin()
    now = world.clock.wall()
    await world.ask("short", valid_until=now + 5)
    await world.ask("long", valid_until=now + 2 * REQUEST_AGE)
    await world.ask("plain")
    world.clock.advance(REQUEST_AGE)
    await world.starts()
    assert dict(world.told()) == {"short": True, "long": False, "plain": True}


async def test_what_somebody_asked_to_end_before_it_was_begun_is_begun_as_unwanted():
    world = await Flows().begin()
    await world.ask("wanted")
    await world.ask("unwanted")
    assert await world.store.ask_call_end(world.acme.id, None, "unwanted", now=world.clock.wall())
    await world.starts()
    assert {start.call_id: (start.unwanted, start.expired) for start in world.begun} == {
        "wanted": (False, False), "unwanted": (True, False),
    }  # fmt: skip


async def test_what_its_process_may_have_dialled_before_it_died_is_not_dialled_again():
    world = await Flows().begin()
    await world.ask(valid_until=world.clock.wall() + 3_600)
    await world.starts()
    world.clock.advance(REQUEST_AGE)
    await world.process()()
    assert world.told() == [("flow", False), ("flow", True)]
    await world.commit()
    world.clock.advance(REQUEST_AGE)
    assert await world.process()() == 0


@pytest.mark.parametrize("cause", [Cause.SHUTDOWN, Cause.CONGESTION])
async def test_what_the_engine_does_not_begin_is_given_back_for_whoever_comes_next(cause):
    world = await Flows().begin()
    await world.ask("first")
    await world.ask("second")
    world.answers = [cause]
    assert await world.starts() == 1
    assert await world.process()() == 1
    assert world.told() == [("first", False), ("second", False), ("first", False)]


async def test_a_full_step_of_which_something_was_given_back_is_not_followed_at_once_by_the_next():
    world = await Flows().begin()
    for number in range(16):
        await world.ask(f"flow-{number}")
    world.answers = [Cause.CONGESTION]
    assert await world.starts._step() is False
    assert await world.starts._step() is False
    for number in range(16):
        await world.ask(f"more-{number}")
    assert await world.starts._step() is True


async def test_a_store_that_goes_away_in_between_costs_nobody_the_call(monkeypatch):
    world = await Flows().begin()
    await world.ask("first")
    await world.ask("second")

    async def away(*_args):
        raise StoreUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(world.starts, "_plan", away)
        with pytest.raises(StoreUnavailable):
            await world.starts()
        patched.setattr(world.store, "release_requested_flow", away)
        with pytest.raises(StoreUnavailable):
            await world.starts()
    assert await world.starts() == 2
    assert world.told() == [("first", False), ("second", False)]


async def test_at_the_stop_what_is_not_begun_is_given_back(monkeypatch):
    world = await Flows().begin()
    await world.ask()

    async def away(*_args):
        world.starts.stop()
        raise StoreUnavailable

    monkeypatch.setattr(world.starts, "_plan", away)
    with structlog.testing.capture_logs() as lines:
        await asyncio.wait_for(world.starts.run(), 30)
    assert [line["event"] for line in lines] == ["requested_flows_delayed"]
    assert await world.process()() == 1
    assert world.told() == [("flow", False)]


async def test_the_task_begins_what_it_is_told_of_until_it_is_stopped():
    world = await Flows().begin()
    taken = asyncio.Event()
    world.take = lambda start: taken.set()
    starts = world.process()
    running = asyncio.create_task(starts.run())
    await asyncio.sleep(0)
    await world.ask()
    starts.notify()
    await asyncio.wait_for(taken.wait(), 30)
    starts.stop()
    await asyncio.wait_for(running, 30)


async def test_a_flow_that_this_version_cannot_read_ends_with_a_line_and_is_not_tried_for_ever():
    world = await Flows().begin()
    await world.ask("odd", body=json.dumps({"callflow": [{"action": "sing", "params": {"to": SECOND}}]}))
    await world.ask("plain")
    with structlog.testing.capture_logs() as lines:
        await world.starts()
    assert world.told() == [("plain", False)]
    (line,) = lines
    assert (line["event"], line["call"]) == ("call_flow_unreadable", "odd")
    assert line["event"] in EVENTS
    assert SECOND not in str(line)
    requested, ended = await world.store.facts("odd")
    assert isinstance(requested, CallRequested)
    assert isinstance(ended, CallEnded)
    assert ended.cause is Cause.INTERNAL_ERROR
    world.clock.advance(REQUEST_AGE)
    await world.starts()
    assert len(world.told()) == 2, "the other one, whose call was never committed here"
