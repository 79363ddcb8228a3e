"""Calls that sessions ask for: started once, through which trunks, and what is told when they are not."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from urllib.parse import parse_qs

import pytest
import structlog

from maskline.errors import InvalidParameter, NotFound, StoreUnavailable
from maskline.masking.decision import MatchedBy, StartCall
from maskline.masking.e164 import Number, parse_number
from maskline.masking.facts import CallNotStarted, CallRequested, Cause
from maskline.masking.prompt import Prompt
from maskline.masking.routing_rules import RoutingRules
from maskline.masking.session import REQUEST_AGE, Role, SessionOptions
from maskline.storage.store import RecordedCall
from maskline.webhooks.formats.plivo import Style
from maskline.webhooks.formats.plivo_events import Generation
from maskline.workflows.add_number import add_number
from maskline.workflows.add_trunk import TrunkWish, add_trunk
from maskline.workflows.create_session import CreateSession, SessionWish
from maskline.workflows.expire_session import expire_session
from maskline.workflows.route_call import RouteCall
from maskline.workflows.scope import Scope
from maskline.workflows.set_policy import PolicyWish, set_policy
from maskline.workflows.start_call import StartCalls
from tests.support.api_world import FIRST, NUMBER, SECOND, World

CALLER, CALLEE, VIRTUAL = parse_number(FIRST), parse_number(SECOND), parse_number(NUMBER)
ASKS = SessionOptions(initiate_call_to_first_party=True, callback_url="https://h.example/cb")
CONSENT = Prompt("consent", text="Recorded")


class Calls(World):
    async def begin(self, generation=Generation.SECOND, **trunk):
        self.acme = await self.account()
        await self.number(self.acme)
        self.trunk = await self.add_trunk("carrier", **trunk)
        self.router = RouteCall(self.store, self.clock, RoutingRules(consent=CONSENT))
        self.begun, self.committed, self.woken, self.over = [], [], [], []
        self.starts = StartCalls(
            self.store, self.clock, self.ids, self.router, self.begun.append, lambda: self.committed.append(1),
            on_the_way=lambda: [one.forward.session for one in self.begun], ended=self.over.append,
            style=Style(generation),
        )  # fmt: skip
        self.create = CreateSession(self.store, self.clock, self.ids, self.woken.append)
        return self

    async def add_trunk(self, name, **more):
        return await add_trunk(self.store, self.clock, self.ids, TrunkWish(name, "192.0.2.1", **more))

    async def ask(self, options=ASKS, second=CALLEE, **more):
        self.session = await self.create(Scope(self.acme.id), SessionWish(CALLER, second, options, **more))
        return self.session

    async def facts(self):
        return [fact for _, fact in await self.store.facts_since(0, 99) if isinstance(fact, CallNotStarted)]

    async def told(self):
        rows = await self.store.outbox(None)
        return [{key: value[0] for key, value in parse_qs(row.body.decode()).items()} for row in rows]


async def test_a_session_that_asks_is_started_once_with_what_both_sides_see_and_hear():
    world = await Calls().begin()
    closer = await world.add_trunk("closer", prefixes=(SECOND,))
    options = replace(
        ASKS, record=True, first_party_play_url="https://h.example/1.mp3", second_party_play_url="https://h.example/2"
    )
    session = await world.ask(options)
    assert world.woken == [session]
    assert await world.starts() == 1
    (start,) = world.begun
    forward = start.forward
    assert (start.first_party, start.trunk) == (CALLER, world.trunk)
    assert (forward.session, forward.caller_role, forward.callee) == (session, Role.FIRST, CALLEE)
    assert (forward.virtual_number.number, forward.shown, forward.trunk) == (VIRTUAL, VIRTUAL, closer)
    assert (forward.matched_by, forward.options) == (MatchedBy.REQUEST, session.options)
    assert forward.caller_prompts == (Prompt("first_party_play_url", url="https://h.example/1.mp3"), CONSENT)
    assert forward.callee_prompts == (Prompt("second_party_play_url", url="https://h.example/2"), CONSENT)
    assert await world.starts() == 0
    world.clock.advance(REQUEST_AGE - 1)
    assert await world.starts() == 0, "it is leased for as long as it might be started"


async def test_a_session_without_the_wish_starts_nothing():
    world = await Calls().begin()
    await world.ask(SessionOptions())
    assert (await world.starts(), world.begun) == (0, [])


@pytest.mark.parametrize(("first", "second"), [(None, CALLEE), (CALLER, None)])
async def test_a_call_to_or_from_nobody_is_refused_at_the_creation(first, second):
    world = await Calls().begin()
    options = replace(ASKS, create_session_with_single_party=True)
    with pytest.raises(InvalidParameter, match="initiate_call_to_first_party needs both parties"):
        await world.create(Scope(world.acme.id), SessionWish(first, second, options))


async def test_the_second_party_sees_its_own_number_where_each_has_one():
    world = await Calls().begin()
    await world.number(world.acme, "+6531580002")
    await set_policy(world.store, world.clock, world.acme.id, PolicyWish(pool="split"))
    await world.ask(SessionOptions(), second=Number("6590000044"))
    session = await world.create(Scope(world.acme.id), SessionWish(Number("6590000045"), Number("6590000044"), ASKS))
    assert session.second_virtual_number != session.virtual_number
    await world.starts()
    forward = world.begun[0].forward
    assert (forward.virtual_number.number, forward.shown) == (session.virtual_number, session.second_virtual_number)


async def test_what_nobody_took_in_time_ends_with_a_fact_and_an_event():
    world = await Calls().begin()
    session = await world.ask()
    world.clock.advance(REQUEST_AGE)
    with structlog.testing.capture_logs() as lines:
        assert await world.starts() == 1
    (fact,) = await world.facts()
    assert (fact.session_id, fact.cause, fact.at, fact.sequence) == (
        session.id, Cause.SHUTDOWN, world.clock.wall(), 1,
    )  # fmt: skip
    assert world.begun == [] and world.committed == [1]
    (told,) = await world.told()
    assert (told["EventName"], told["From"], told["To"]) == ("SessionFirstPartyHangup", CALLER.digits, CALLEE.digits)
    assert (told["VirtualNumber"], told["SequenceNumber"], told["Duration"]) == (VIRTUAL.digits, "1", "0")
    assert told["PlivoHangupCauseCode"] == "5010"
    assert [line["event"] for line in lines] == ["call_not_started"]
    assert lines[0]["session"] == session.id
    assert await world.starts() == 0


@pytest.mark.parametrize(
    ("generation", "events"),
    [
        (Generation.FIRST, ["SessionFirstPartyFailed"]),
        (Generation.CURRENT, ["SessionFirstPartyHangup"]),
        (Generation.ALL, ["SessionFirstPartyHangup", "SessionFirstPartyFailed"]),
    ],
)
async def test_each_generation_tells_it_in_its_own_words(generation, events):
    world = await Calls().begin(generation)
    await world.ask()
    world.clock.advance(REQUEST_AGE)
    await world.starts()
    assert [event["EventName"] for event in await world.told()] == events


async def test_nothing_is_told_where_nobody_listens():
    world = await Calls().begin()
    await world.ask(replace(ASKS, callback_url=""))
    world.clock.advance(REQUEST_AGE)
    await world.starts()
    assert (await world.told(), world.committed, len(await world.facts())) == ([], [], 1)


async def cause_after(world, spoil):
    await spoil(world)
    await world.starts()
    assert world.begun == []
    (fact,) = await world.facts()
    return fact.cause


async def end(world):
    await expire_session(world.store, world.clock, Scope(world.acme.id), world.session.id)


async def forget(world):
    await end(world)
    world.clock.advance(1)
    await world.store.forget(world.clock.wall(), world.clock.wall(), 10)


async def occupy(world):
    busy = RecordedCall((), world.acme.id, session_id=world.session.id, calls_in_progress_delta=1)
    await world.store.commit_calls([busy])


async def lose_the_number(world):
    del world.store._numbers[VIRTUAL]


async def become_a_number(world):
    other = await world.account("Other")
    world.store._sessions, kept = {}, world.store._sessions
    world.store._claims = type(world.store._claims)()
    await add_number(world.store, world.clock, SECOND, other.id)
    world.store._sessions = kept


@pytest.mark.parametrize(
    ("spoil", "cause"),
    [
        (end, Cause.SESSION_EXPIRED),
        (forget, Cause.SESSION_EXPIRED),
        (occupy, Cause.SESSION_BUSY),
        (lose_the_number, Cause.UNKNOWN_NUMBER),
        (become_a_number, Cause.LOOP),
    ],
)
async def test_what_changed_since_the_creation_counts(spoil, cause):
    world = await Calls().begin()
    await world.ask()
    assert await cause_after(world, spoil) is cause


async def test_a_call_is_started_once_the_end_of_the_one_before_is_written():
    world = await Calls().begin()
    await world.ask()
    await occupy(world)

    async def written():
        free = RecordedCall((), world.acme.id, session_id=world.session.id, calls_in_progress_delta=-1)
        await world.store.commit_calls([free])
        return True

    world.router.wait_by(written)
    await world.starts()
    assert len(world.begun) == 1 and await world.facts() == []


@pytest.mark.parametrize("prefixes", [(FIRST,), (SECOND,)])
async def test_both_parties_need_a_trunk(prefixes):
    world = await Calls().begin(prefixes=prefixes)
    await world.ask()
    await world.starts()
    assert [fact.cause for fact in await world.facts()] == [Cause.NO_ROUTE]


@pytest.mark.parametrize("prefixes", [(FIRST,), (SECOND,)])
async def test_a_trunk_that_was_added_right_before_the_create_is_used(prefixes):
    world = await Calls().begin(prefixes=prefixes)
    await world.router.refresh()
    added = await world.add_trunk("just now")
    await world.ask()
    await world.starts()
    (start,) = world.begun
    assert {start.trunk, start.forward.trunk} == {world.trunk, added}, "no second has passed since the last look"
    assert await world.facts() == []


async def test_the_loop_takes_what_it_is_told_of_and_goes_on_after_the_store_was_away():
    world = await Calls().begin()
    lease, failures = world.store.lease_requested_calls, [StoreUnavailable(), StoreUnavailable()]

    async def away(*args, **kwargs):
        if failures:
            raise failures.pop()
        return await lease(*args, **kwargs)

    world.store.lease_requested_calls = away
    await world.ask()
    started = asyncio.Event()

    def begin(start):
        world.begun.append(start)
        started.set()

    world.starts._begin = begin
    with structlog.testing.capture_logs() as lines:
        running = asyncio.create_task(world.starts.run())
        while failures:
            world.starts.notify()
            await asyncio.sleep(0)
        world.starts.notify()
        await asyncio.wait_for(started.wait(), 30)
        world.starts.stop()
        await asyncio.wait_for(running, 30)
    assert isinstance(world.begun[0], StartCall)
    assert [line["event"] for line in lines] == ["requested_calls_delayed"]


async def test_a_request_that_was_taken_when_the_store_went_away_is_started_once_it_is_back():
    world = await Calls().begin()
    failures = [StoreUnavailable()]

    class Away:
        async def start(self, request, wall):
            if failures:
                raise failures.pop()
            return await world.router.start(request, wall)

    world.starts._router = Away()
    await world.ask()
    with pytest.raises(StoreUnavailable):
        await world.starts()
    world.clock.advance(1)
    assert await world.starts() == 0
    assert (len(world.begun), await world.facts()) == (1, [])
    await world.starts()
    assert len(world.begun) == 1


async def test_without_a_word_it_looks_by_itself(monkeypatch):
    monkeypatch.setattr("maskline.workflows.request_loop._LOOK_EVERY", 0.001)
    world = await Calls().begin()
    running = asyncio.create_task(world.starts.run())
    started = asyncio.Event()
    world.starts._begin = lambda start: started.set()
    await asyncio.sleep(0)
    await world.ask()
    await asyncio.wait_for(started.wait(), 30)
    world.starts.stop()
    await asyncio.wait_for(running, 30)


async def test_a_request_whose_call_began_is_not_dropped_later():
    world = await Calls().begin()
    session = await world.ask()
    await world.starts()
    fact = CallRequested("call", 1, world.clock.wall(), session.id, NUMBER)
    await world.store.commit_calls([RecordedCall((fact,), world.acme.id)])
    world.clock.advance(REQUEST_AGE * 3)
    assert await world.starts() == 0


async def test_a_call_that_the_engine_does_not_begin_ends_with_its_cause():
    world = await Calls().begin()
    world.starts._begin = lambda start: Cause.SESSION_BUSY
    await world.ask()
    await world.starts()
    assert [fact.cause for fact in await world.facts()] == [Cause.SESSION_BUSY]
    assert world.committed == [1]


async def test_a_session_that_another_process_ends_takes_its_call_along():
    world = await Calls().begin()
    session = await world.ask()
    await world.starts._step()
    assert (len(world.begun), world.over) == (1, []), "it is on its way, and its session lives"
    await expire_session(world.store, world.clock, Scope(world.acme.id), session.id)
    await world.starts._step()
    assert world.over == [session.id]


async def test_a_session_that_is_there_no_more_takes_its_call_along():
    world = await Calls().begin()
    session = await world.ask()
    await world.starts._step()

    async def forgotten(*_):
        raise NotFound

    world.store.session = forgotten
    await world.starts._step()
    assert world.over == [session.id]
