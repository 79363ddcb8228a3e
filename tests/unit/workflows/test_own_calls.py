"""The lease of a process: renewed, lost, taken over, and left to others at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from maskline.clock import VirtualClock
from maskline.engine.call_kept import VERSION
from maskline.engine.ports import CutOff
from maskline.errors import StoreUnavailable
from maskline.ids import SeededIds
from maskline.storage.kept import Owner
from maskline.storage.live_store import LEASE, Renewal
from maskline.storage.memory import MemoryStore
from maskline.workflows import own_calls
from maskline.workflows.own_calls import OwnCalls
from maskline.workflows.record_call import CallRecording
from tests.support.kept_calls import keeping
from tests.support.store_values import outbox_row
from tests.support.waiting import until


class Store(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.away = False

    async def renew_owner(self, owner: Owner, *, now: float) -> Renewal:
        if self.away:
            raise StoreUnavailable
        return await super().renew_owner(owner, now=now)


class Engine:
    def __init__(self) -> None:
        self.taken: list[str] = []
        self.gone: list[str] = []

    def take_over(self, past: Sequence[CutOff]) -> None:
        self.taken += [one.kept.call_id for one in past]

    def let_go(self, calls: Sequence[str]) -> None:
        self.gone += calls


class Process:
    def __init__(self, store: Store, clock: VirtualClock, name: str, *, carries: bool = True) -> None:
        self.clock = clock
        self.engine = Engine()
        self.recorder = CallRecording(store, clock, SeededIds(1), lambda: None, window=0.0, engine_id=name)
        self.suspended: list[bool] = []
        self.known: list[str] = []
        self.owning = OwnCalls(
            store, clock, self.recorder, self.engine if carries else None, self.suspended.append, self._know
        )
        self.owning.owner = Owner(name, "engine" if carries else "api", "host", "192.0.2.1:5060")

    async def _know(self, account_ids: Iterable[str]) -> None:
        self.known += account_ids


def world(*names: str) -> tuple[Store, VirtualClock, list[Process]]:
    store, clock = Store(), VirtualClock()
    return store, clock, [Process(store, clock, name) for name in names]


async def silence(clock: VirtualClock, *watching: Process, seconds: float = LEASE + 0.1) -> None:
    """Some engine says nothing; those watching live, and see it."""
    for _ in range(4):
        clock.advance(seconds / 4)
        for each in watching:
            await each.owning._step()


async def test_an_engine_has_what_its_former_self_left_before_it_hears_anything() -> None:
    store, _, (one,) = world("e1")
    await store.commit_calls([keeping("mine", "e1"), keeping("another", "e2")])
    assert [past.kept.call_id for past in await one.owning.begin()] == ["mine"]
    assert [(call.call_id, call.taken) for call in await store.live_calls("e1")] == [("mine", 1)]


async def test_a_process_without_an_engine_lives_and_takes_nothing() -> None:
    store, clock, _ = world()
    api = Process(store, clock, "a1", carries=False)
    await store.commit_calls([keeping("c", "gone")])
    assert await api.owning.begin() == []
    assert await api.owning._step()
    assert [one.kind for one in await store.owners()] == ["api"]
    assert len(await store.live_calls("gone")) == 1


async def test_a_dead_engines_calls_go_on_in_a_living_one_once_its_lease_is_over() -> None:
    store, clock, (one, two) = world("e1", "e2")
    for each in (one, two):
        await each.owning.begin()
    count = own_calls.AT_ONCE + 5
    await store.commit_calls([keeping(f"call-{n:02}", "e1") for n in range(count)])
    await two.owning._step()
    assert two.engine.taken == [] and two.owning.has_heirs
    await silence(clock, two)
    assert two.engine.taken == [f"call-{n:02}" for n in range(count)]
    assert not two.owning.has_heirs
    assert len(two.recorder.tenures()) == count
    assert len(set(two.known)) == 1


async def test_who_could_not_renew_in_time_takes_no_calls_until_it_knows_which_are_its_own() -> None:
    store, clock, (one, two) = world("e1", "e2")
    await store.commit_calls([keeping("c1", "e1"), keeping("c2", "e1")])
    for past in await one.owning.begin():
        assert past.taken == 1
    await two.owning.begin()
    two.owning.stop()  # takes nothing by itself
    store.away = True
    with capture_logs() as lines:
        assert not await one.owning._step()
        assert one.suspended == []
        clock.advance(LEASE + 0.1)
        assert not await one.owning._step()
        assert not await one.owning._step()
        assert (one.suspended, one.owning.lapsed) == ([True], True)
        store.away = False
        await two.owning._step()
        await store.take_live_calls("e2", now=clock.wall(), limit=1, form=VERSION)
        assert await one.owning._step()
    assert one.engine.gone == ["c1"]
    assert (one.suspended, one.owning.lapsed) == ([True, False], False)
    assert [*one.recorder.tenures()] == ["c2"]
    assert [line["event"] for line in lines] == ["lease_over", "calls_lost"]


async def test_what_an_engine_leaves_at_its_end_is_taken_as_soon_as_it_is_told() -> None:
    store, _, (one, two) = world("e1", "e2")
    for each in (one, two):
        await each.owning.begin()
    await store.commit_calls([keeping("c", "e1")])
    running = asyncio.create_task(two.owning.run())
    await until(lambda: two.owning.has_heirs, pause=0.001)
    one.owning.leave()
    await one.owning._step()
    assert [each.kind for each in await store.owners()] == ["draining", "engine"]
    await one.owning.end()
    two.owning.notify()
    await until(lambda: two.engine.taken == ["c"], pause=0.001)
    two.owning.stop()
    await asyncio.wait_for(running, 30)


async def test_who_leaves_takes_nothing_from_anybody() -> None:
    store, _, (one,) = world("e1")
    await one.owning.begin()
    one.owning.leave()
    await store.commit_calls([keeping("c", "gone")])
    assert await one.owning._step()
    assert one.engine.taken == []


async def test_a_store_that_does_not_answer_is_a_store_that_is_away(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    class Silent(Store):
        async def renew_owner(self, owner: Owner, *, now: float) -> Renewal:
            await asyncio.Event().wait()
            raise AssertionError

    monkeypatch.setattr(own_calls, "RENEW_SECONDS", 0.0)
    silent = Process(Silent(), VirtualClock(), "e1")
    assert not await silent.owning._step()
    running = asyncio.create_task(silent.owning.run())
    await asyncio.sleep(0)
    silent.owning.stop()
    await asyncio.wait_for(running, 30)
    await Process(Silent(), VirtualClock(), "e2").owning.end()


async def test_calls_that_were_taken_and_could_not_be_read_are_read_at_the_next_look() -> None:
    class Wavering(Store):
        faults = 1

        async def facts(self, subject: str):  # type: ignore[no-untyped-def]
            if self.faults:
                self.faults -= 1
                raise StoreUnavailable
            return await super().facts(subject)

    store = Wavering()
    one = Process(store, VirtualClock(), "e1")
    await one.owning.begin()
    await store.commit_calls([keeping("c", "gone")])
    assert not await one.owning._step()
    assert one.engine.taken == []
    assert await one.owning._step()
    assert one.engine.taken == ["c"]


async def test_what_a_newer_engine_left_waits_for_its_like_and_then_has_its_end() -> None:
    store, clock, (one, newer) = world("e1", "e2")
    await one.owning.begin()
    await silence(clock, one)
    for name in ("read", "waited"):
        left = keeping(name, "gone")
        assert left.live is not None
        await store.commit_calls([replace(left, live=replace(left.live, form=VERSION + 1, state=b"[99]"))])
    with capture_logs() as lines:
        await one.owning._step()
        assert one.engine.taken == []
        for _ in range(10):
            clock.advance((own_calls.UNREAD_SECONDS - 1.25) / 10)
            await one.owning._step()
        assert one.engine.taken == []
        await store.take_live_calls("e2", now=clock.wall(), limit=1, form=VERSION + 1)
        await store.renew_owner(newer.owning.owner, now=clock.wall())
        clock.advance(1.5)
        await one.owning._step()
    assert one.engine.taken == ["waited"]
    told = [line["event"] for line in lines if line["log_level"] != "info"]
    assert told == ["calls_unread", "call_not_recovered", "calls_recovered"]
    assert [one.call_id for one in await store.live_calls("e2")] == ["read"]


async def test_webhooks_of_a_dead_process_are_anybodys_once_its_lease_is_over_and_said_once() -> None:
    store, clock, (one, two) = world("e1", "e2")
    for each in (one, two):
        await each.owning.begin()
    await store.announce([outbox_row()])
    await store.lease_outbox("e1", now=clock.wall(), until=clock.wall() + 120, limit=1)
    with capture_logs() as lines:
        for _ in range(4):  # e1 says nothing any more
            assert await store.next_outbox_due() > clock.wall()
            clock.advance(LEASE / 4)
            await two.owning._step()
        assert await store.next_outbox_due() == clock.wall()
        await two.owning._step()
    assert [(line["event"], line["count"]) for line in lines] == [("leases_freed", 1)]


async def left_by_e1(store: Store, clock: VirtualClock, *others: Process) -> None:
    """A call that talks, and a webhook that was being sent, of an engine that has lived for a while, as have others."""
    await store.renew_owner(Owner("e1", "engine", "host", ""), now=clock.wall())
    for each in others:
        await each.owning.begin()
    await silence(clock, *others, seconds=LEASE - 0.1)
    await store.renew_owner(Owner("e1", "engine", "host", ""), now=clock.wall())
    await store.commit_calls([keeping("c", "e1")])
    await store.announce([outbox_row()])
    await store.lease_outbox("e1", now=clock.wall(), until=clock.wall() + 1200, limit=1)


async def is_e1s(store: Store) -> tuple[int, str]:
    """Its calls, and how its webhook is."""
    return len(await store.live_calls("e1")), (await store.outbox(None))[0].state


@pytest.mark.parametrize("outage", [own_calls.WATCHED, LEASE - 0.5, LEASE + 1, 600.0])
async def test_after_an_outage_of_the_database_nobody_is_held_for_dead_who_could_not_speak_either(
    outage: float,
) -> None:
    store, clock, (one, two) = world("e1", "e2")
    await left_by_e1(store, clock, two)
    store.away = True
    clock.advance(4.9)  # e1 was about to renew
    await two.owning._step()
    clock.advance(outage)
    await two.owning._step()
    store.away = False
    # The one that hears of it first; the other one's last try hangs until its time is over.
    await two.owning._step()
    clock.advance(own_calls.RENEW_SECONDS)
    await two.owning._step()
    assert await is_e1s(store) == (1, "leased")
    clock.advance(own_calls.RENEW_SECONDS - 0.1)
    await store.renew_owner(one.owning.owner, now=clock.wall())
    await silence(clock, two, seconds=LEASE - 0.1)
    assert (await is_e1s(store), two.engine.taken) == ((1, "leased"), [])
    await silence(clock, two)
    assert (await is_e1s(store), two.engine.taken) == ((0, "due"), ["c"])


async def test_who_dies_in_an_outage_is_known_to_be_dead_soon_after_it() -> None:
    store, clock, (two,) = world("e2")
    await left_by_e1(store, clock, two)
    store.away = True
    await two.owning._step()
    clock.advance(60.0)
    store.away = False
    await two.owning._step()
    assert await is_e1s(store) == (1, "leased")
    await silence(clock, two, seconds=own_calls.WATCHED)
    assert (await is_e1s(store), two.engine.taken) == ((0, "due"), ["c"])


async def test_an_engine_that_starts_when_the_database_comes_back_knows_nothing_of_who_lives() -> None:
    store, clock, (new,) = world("e2")
    await left_by_e1(store, clock)
    clock.advance(LEASE + 1)  # nobody could renew, and the new one's supervisor tried to start it all the time
    await new.owning.begin()
    await new.owning._step()
    assert (await is_e1s(store), new.engine.taken) == ((1, "leased"), [])
    await silence(clock, new, seconds=own_calls.WATCHED)
    assert new.engine.taken == ["c"]


async def test_who_said_that_it_ends_is_believed_at_once_also_by_one_that_has_just_started() -> None:
    store, clock, (new,) = world("e2")
    await left_by_e1(store, clock)
    await store.end_owner("e1")
    await new.owning.begin()
    await new.owning._step()
    assert (await is_e1s(store), new.engine.taken) == ((0, "due"), ["c"])


async def test_what_an_earlier_process_of_the_same_name_had_leased_is_free_before_anything_is_leased() -> None:
    store, clock, (one,) = world("e1")
    await store.announce([outbox_row()])
    await store.lease_outbox("e1", now=clock.wall(), until=clock.wall() + 120, limit=1)
    await one.owning.prepare()
    assert [row.state for row in await store.outbox(None)] == ["due"]


async def test_two_engines_of_one_id_are_told_once_and_who_alone_has_it_never() -> None:
    _, clock, (one, two, alone) = world("e1", "e1", "e2")
    two.owning.owner = two.owning.owner._replace(name="other", address="192.0.2.2:5060")
    with capture_logs() as lines:
        for each in (one, two, alone):
            await each.owning.begin()
            clock.advance(own_calls.RENEW_SECONDS / 3)
        for _ in range(3):
            for each in (one, two, alone):
                await each.owning._step()
                clock.advance(own_calls.RENEW_SECONDS / 3)
    told = [(line["event"], line["engine_id"], line["host"], line["address"]) for line in lines]
    assert told == [
        ("engine_id_shared", "e1", "other", "192.0.2.2:5060"), ("engine_id_shared", "e1", "host", "192.0.2.1:5060"),
    ]  # fmt: skip


async def test_a_renewal_of_which_nothing_was_heard_is_no_namesake() -> None:
    class Cut(Store):
        async def renew_owner(self, owner: Owner, *, now: float) -> Renewal:
            renewal = await super().renew_owner(owner, now=now)
            if self.cut:
                raise StoreUnavailable
            return renewal

        cut = False

    store, clock = Cut(), VirtualClock()
    one = Process(store, clock, "e1")
    with capture_logs() as lines:
        await one.owning.begin()
        for store.cut in (True, False, False):
            clock.advance(own_calls.RENEW_SECONDS)
            await one.owning._step()
    assert lines == []
