"""Limits of an account and of trunks that two engines hold together: two routers with a store each, on one database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from maskline.clock import VirtualClock
from maskline.engine.account_gate import AccountGate
from maskline.errors import NotFound
from maskline.masking.decision import Forward, Refuse
from maskline.masking.facts import AccountAlarmed, AccountStopped, CallEnded, Cause, HungUpBy, LegName, Outcome
from maskline.masking.limits import Alarm, Limits, Watch
from maskline.masking.permit import Permit
from maskline.masking.trunk import Trunk, TrunkLimits
from maskline.masking.usage_day import Past
from maskline.storage.postgres import PostgresStore
from maskline.storage.store import RecordedCall, Store
from maskline.workflows.route_call import RouteCall
from maskline.workflows.share_usage import FULL_FOR, HELD_FOR
from tests.support.postgres_server import KEY, Sealer, server
from tests.support.store_values import ACCOUNT, ALICE, T0, TRUNK, VN1, call_record, new_session

B = LegName.B
MA = ACCOUNT.id


pytestmark = [
    pytest.mark.parametrize("empty_store", ["memory", "postgresql"], indirect=True),
    pytest.mark.usefixtures("our_clock"),
]


class Engine:
    """A process's router, its counters and what its engine tells them."""

    def __init__(self, name: str, store: Store, clock: VirtualClock) -> None:
        self.name, self.store, self.clock = name, store, clock
        self.router = RouteCall(store, clock)
        self.gate = AccountGate(self.router.limits.book, clock)
        self.calls = 0

    async def start(self) -> Engine:
        await self.router.prepare(self.name)
        return self

    async def route(self) -> Permit | Cause:
        decision = await self.router.route(ALICE, VN1, TRUNK, self.clock.wall())
        if isinstance(decision, Refuse):
            return decision.cause
        assert isinstance(decision, Forward)
        assert decision.permit is not None
        return decision.permit

    def enter(self, permit: Permit) -> str | Cause:
        self.calls += 1
        name = f"{self.name}-{self.calls}"
        return self.gate.take(name, permit, self.clock.now()) or name

    async def call(self, *, answered: bool = False) -> str | Cause:
        found = await self.route()
        name = self.enter(found) if isinstance(found, Permit) else found
        if answered and not isinstance(name, Cause):
            self.router.limits.book.answered(name, B, self.clock.now(), self.clock.wall())
        return name

    async def end(self, name: str, seconds: float) -> None:
        """Over, and its record written."""
        self.gate.leave(name, self.clock.now())
        at = self.clock.wall()
        record = call_record(name, started_at=at - seconds - 1, ended_at=at)
        legs = tuple(replace(leg, answered_at=at - seconds, ended_at=at) for leg in record.legs)
        fact = CallEnded(name, 1, at, Outcome.COMPLETED, Cause.NORMAL, HungUpBy.CALLER)
        await self.store.commit_calls([RecordedCall((fact,), MA, record=replace(record, legs=legs))])

    def seconds(self) -> float:
        usage = self.router.limits.book.find(MA)
        return 0.0 if usage is None else usage.seconds(self.clock.now())


class Pair:
    def __init__(self, store: Store, other: Store) -> None:
        self.clock = VirtualClock(T0)
        self.a, self.b = Engine("a", store, self.clock), Engine("b", other, self.clock)

    async def start(self, **limits: Any) -> Pair:
        store = self.a.store
        await store.update_account(replace(ACCOUNT, limits=Limits(**limits), modified_at=T0))
        await store.add_trunk(TRUNK, T0)
        await store.create_session(new_session(options=replace(new_session().options, session_expiry=10_000)))
        for engine in (self.a, self.b):
            await engine.start()
        return self

    async def second(self, seconds: float = 1.0) -> None:
        """One goes by, and both do what they do each second, one before the other."""
        self.clock.advance(seconds)
        await self.a.router.watch()
        await self.b.router.watch()


@pytest.fixture
async def pair(store: Store) -> AsyncIterator[Pair]:
    if not isinstance(store, PostgresStore):
        yield Pair(store, store)
        return
    other = PostgresStore(server().url(), Sealer(KEY))
    await other.open()
    yield Pair(store, other)
    await other.close()


async def test_ten_calls_at_a_time_are_ten_on_two_engines(pair: Pair) -> None:
    await pair.start(concurrent=10)
    names = [await engine.call() for _ in range(8) for engine in (pair.a, pair.b)]
    assert [name for name in names if isinstance(name, Cause)] == [Cause.ACCOUNT_FULL] * 6
    (a, b) = (sum(str(name).startswith(f"{one}-") for name in names) for one in "ab")
    assert a + b == 10


async def test_of_two_calls_at_the_same_instant_one_gets_the_last_place(pair: Pair) -> None:
    await pair.start(concurrent=1)
    found = await pair.a.route(), await pair.b.route()
    assert [isinstance(one, Permit) for one in found] == [True, False]
    assert isinstance(found[0], Permit)
    assert pair.a.enter(found[0]) == "a-1"


async def test_a_place_that_one_engine_gave_back_is_there_for_the_other_within_a_second(pair: Pair) -> None:
    await pair.start(concurrent=1, number_concurrent=1)
    name = await pair.a.call()
    assert await pair.b.call() is Cause.ACCOUNT_FULL
    await pair.a.end(str(name), 5)
    pair.clock.advance(FULL_FOR / 2)
    await pair.a.router.watch()
    assert await pair.b.call() is Cause.ACCOUNT_FULL, "it asked just before, and does not ask at each call"
    await pair.second()
    assert await pair.b.call() == "b-1"


async def test_a_call_that_was_refused_after_its_choice_gives_its_place_back(pair: Pair) -> None:
    await pair.start(concurrent=1)
    assert isinstance(await pair.a.route(), Permit)
    for _ in range(4):  # the trunk was full, or the caller had left: it never enters
        await pair.second()
    assert await pair.b.call() == "b-1"


async def test_an_engine_that_died_holds_its_places_for_a_quarter_of_a_minute(pair: Pair) -> None:
    await pair.start(concurrent=2)
    assert [await pair.a.call(), await pair.a.call()] == ["a-1", "a-2"]
    pair.clock.advance(HELD_FOR - 1)
    await pair.b.router.watch()
    assert await pair.b.call() is Cause.ACCOUNT_FULL
    pair.clock.advance(1)
    assert await pair.b.call() == "b-1"


async def test_an_engine_that_lives_keeps_them(pair: Pair) -> None:
    await pair.start(concurrent=1)
    assert await pair.a.call() == "a-1"
    for _ in range(18):
        await pair.second()
    assert await pair.b.call() is Cause.ACCOUNT_FULL


async def test_minutes_that_run_on_one_engine_are_used_on_the_other(pair: Pair) -> None:
    await pair.start(minutes_per_day=2)
    name = str(await pair.a.call(answered=True))
    await pair.second(30)
    await pair.second()
    assert pair.b.seconds() == pytest.approx(31)
    other = str(await pair.b.call(answered=True))
    await pair.second(30)
    await pair.second()
    assert (pair.a.seconds(), pair.b.seconds()) == (62 + 30, 62 + 31), "each late by a second at most"
    for _ in range(15):
        await pair.second()
    for engine, mine in ((pair.a, name), (pair.b, other)):
        now, wall = pair.clock.now(), pair.clock.wall()
        assert engine.router.limits.book.run_out(now, wall) == [mine]
        assert await engine.call() is Cause.ACCOUNT_SPENT
        assert engine.seconds() - 120 <= 2 * 2, "two calls, two seconds"


async def test_calls_that_are_over_count_once_on_every_engine(pair: Pair) -> None:
    await pair.start(minutes_per_day=60, attempts_per_session=4)
    for engine in (pair.a, pair.b, pair.a):
        name = str(await engine.call(answered=True))
        await pair.second(30)
        await engine.end(name, 30)
    for _ in range(2):
        await pair.second()
    assert pair.a.seconds() == pair.b.seconds() == pytest.approx(90)
    assert await pair.b.call() == "b-2"
    later = await Engine("c", pair.a.store, pair.clock).start()
    assert later.seconds() == pytest.approx(90)
    assert await pair.b.call() is Cause.ACCOUNT_SPENT, "the session's fifth"


async def test_an_engine_that_was_killed_begins_where_it_was(pair: Pair) -> None:
    await pair.start(concurrent=2, minutes_per_day=60)
    over, talks = str(await pair.a.call(answered=True)), str(await pair.a.call(answered=True))
    await pair.second(30)
    await pair.a.end(over, 30)
    permit = pair.a.router.limits.book.permit_of(talks)
    assert permit is not None
    pair.clock.advance(10)
    again = await Engine("a", pair.a.store, pair.clock).start()
    past = Past(pair.clock.wall() - 40, {B: pair.clock.wall() - 40})
    again.router.limits.book.restore(talks, permit, past, pair.clock.now(), pair.clock.wall())
    pair.a = again
    assert pair.a.seconds() == pytest.approx(70)
    await pair.second()
    assert pair.b.seconds() == pytest.approx(71)
    assert [await pair.b.call(), await pair.a.call(), await pair.b.call()] == ["b-1", *[Cause.ACCOUNT_FULL] * 2]
    await pair.a.end(talks, 41)
    for _ in range(2):
        await pair.second()
    assert pair.a.seconds() == pair.b.seconds() == pytest.approx(71)


async def test_calls_a_second_hold_over_engines_in_the_long_run(pair: Pair) -> None:
    await pair.start(calls_per_second=2)
    began = 0
    for _ in range(10):
        for engine in (pair.a, pair.b):
            for _ in range(4):
                name = await engine.call()
                if not isinstance(name, Cause):
                    began += 1
                    engine.gate.leave(name, pair.clock.now())
        await pair.second()
    assert 20 <= began <= 26, "ten seconds of two, and the first of each engine before they knew of each other"


async def test_an_alarm_is_told_once_by_whichever_engine(pair: Pair) -> None:
    watch = Watch(stop_on=(Alarm.DAY_SPENT,))
    await pair.start(minutes_per_day=1, watch=watch)
    await pair.a.call(answered=True)
    await pair.b.call(answered=True)
    await pair.second(61)
    for engine in (pair.a, pair.b):
        engine.router.limits.book.run_out(pair.clock.now(), pair.clock.wall())
    await pair.second()
    told = [type(fact) for fact in await pair.a.store.facts(MA)]
    assert told == [AccountAlarmed, AccountStopped]
    assert [await pair.a.call(), await pair.b.call()] == [Cause.ACCOUNT_STOPPED] * 2


async def test_a_call_of_an_account_that_is_limited_since_then_is_passed_over(pair: Pair) -> None:
    await pair.start(concurrent=2)
    assert await pair.a.call() == "a-1"
    await pair.a.end("a-1", 5)
    with pytest.raises(NotFound):
        await pair.b.store.call(MA, "b-1")
    await pair.second()
    assert pair.b.seconds() == 5


def limited(**limits: Any) -> Trunk:
    return replace(TRUNK, limits=TrunkLimits(**limits))


async def test_calls_at_a_time_on_a_trunk_are_those_of_all_engines(pair: Pair) -> None:
    await pair.start(concurrent=1)
    trunk, now = limited(concurrent=10), pair.clock.now()
    a, b = pair.a.router.table.state, pair.b.router.table.state
    assert all(a.enter(trunk, now) for _ in range(6))
    await pair.second()
    assert [b.enter(trunk, pair.clock.now()) for _ in range(5)] == [True] * 4 + [False]
    await pair.second()
    await pair.second()
    assert not a.has_room(trunk, pair.clock.now())
    for _ in range(18):
        await pair.second()
    assert not a.has_room(trunk, pair.clock.now()), "an engine that lives tells it again"
    b.leave(trunk.id)
    await pair.second()
    await pair.second()
    assert a.enter(trunk, pair.clock.now()) and not a.has_room(trunk, pair.clock.now())


async def test_what_an_engine_that_died_had_on_a_trunk_counts_for_a_quarter_of_a_minute(pair: Pair) -> None:
    await pair.start(concurrent=1)
    trunk, b = limited(concurrent=1), pair.b.router.table.state
    assert pair.a.router.table.state.enter(trunk, pair.clock.now())
    await pair.second()
    pair.clock.advance(HELD_FOR - 1)
    await pair.b.router.watch()
    assert not b.has_room(trunk, pair.clock.now())
    pair.clock.advance(1)
    await pair.b.router.watch()
    assert b.has_room(trunk, pair.clock.now())


async def test_calls_a_second_of_a_trunk_hold_over_engines_in_the_long_run(pair: Pair) -> None:
    await pair.start(concurrent=1)
    trunk, began = limited(calls_per_second=2), 0
    for _ in range(10):
        for engine in (pair.a, pair.b):
            state = engine.router.table.state
            for _ in range(4):
                if state.enter(trunk, pair.clock.now()):
                    began += 1
                    state.leave(trunk.id)
        await pair.second()
    assert 20 <= began <= 26, "ten seconds of two, and the first of each engine before they knew of each other"
