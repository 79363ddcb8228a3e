"""The recorder: order, groups, a store that goes away, a call that cannot be written, and the end."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
import structlog
from structlog.testing import capture_logs

from maskline.clock import VirtualClock
from maskline.engine.ports import CallCommit
from maskline.errors import StoreUnavailable
from maskline.ids import SeededIds
from maskline.masking.facts import LegDialed, LegRinging
from maskline.storage.crypto import SealBroken
from maskline.storage.memory import MemoryStore
from maskline.storage.store import Account, Endpoint
from maskline.workflows.record_call import CallRecording, together
from tests.support.calls import ACCOUNT, SUBACCOUNT, T0, make_context, make_record, make_session


class Wavering(MemoryStore):
    """A memory store that can be away, refuse a call, and shows its groups."""

    def __init__(self) -> None:
        super().__init__()
        self.away = 0
        self.refused: set[str] = set()
        self.groups: list[list[str]] = []

    @property
    def written(self) -> list[str]:
        return [subject for group in self.groups for subject in group]

    async def commit_calls(self, calls):
        if self.away:
            self.away -= 1
            raise StoreUnavailable
        if self.refused & {fact.subject for call in calls for fact in call.facts}:
            raise ValueError("cannot be written")
        self.groups.append([call.facts[0].subject for call in calls])
        return await super().commit_calls(calls)


@asynccontextmanager
async def recording(store, **options):
    recorder = CallRecording(store, VirtualClock(), SeededIds(1), lambda: None, **({"window": 0.0} | options))
    task = asyncio.create_task(recorder.run())
    yield recorder
    recorder.stop()
    await asyncio.wait_for(task, 30)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr("maskline.workflows.record_call._FIRST_PAUSE", 0.001)


def commit(call_id, sequence=1, record=None, session=None, **context):
    fact = LegDialed(call_id, sequence, T0, "b", "trunk")
    return CallCommit(make_context(session, call_id=call_id, **context), (fact,), record)


def ringing(call_id, sequence, session):
    fact = LegRinging(call_id, sequence, T0, "b", False)
    return CallCommit(make_context(session, call_id=call_id), (fact,))


async def test_what_is_recorded_together_is_written_together():
    store = Wavering()
    async with recording(store) as recorder:
        for number in range(5):
            recorder.record(commit(f"call-{number}"))
        assert recorder.depth == 5
        await recorder.flush()
        assert store.groups == [[f"call-{number}" for number in range(5)]]
        assert recorder.depth == 0


async def test_a_group_has_a_largest_size():
    store = Wavering()
    async with recording(store, group=2) as recorder:
        for number in range(5):
            recorder.record(commit(f"call-{number}"))
        await recorder.flush()
        assert [len(group) for group in store.groups] == [2, 2, 1]


async def test_building_a_large_group_lets_others_have_their_turn_by_time():
    class Ticking(VirtualClock):
        def now(self):
            return self.advance(0.0002)

    store, turns = Wavering(), []
    recorder = CallRecording(store, Ticking(), SeededIds(1), lambda: None, window=0.0)
    for number in range(9):
        recorder.record(commit(f"call-{number}"))
    recorder.stop()
    task = asyncio.create_task(recorder.run())
    while not task.done():
        turns.append(len(store.written))
        await asyncio.sleep(0)
    assert store.groups == [[f"call-{number}" for number in range(9)]]
    assert turns.count(0) >= 4


async def test_flush_returns_at_once_when_nothing_waits():
    async with recording(Wavering()) as recorder:
        await asyncio.wait_for(recorder.flush(), 30)


async def test_who_waits_for_what_is_recorded_waits_for_no_more_than_that():
    store = Wavering()
    async with recording(store, group=2) as recorder:
        assert not await recorder.written()
        recorder.record(commit("call-1"))
        waiting = asyncio.create_task(recorder.written())
        await asyncio.sleep(0)
        for number in range(9):
            recorder.record(commit(f"later-{number}"))
        assert await asyncio.wait_for(waiting, 30)
        assert "call-1" in store.written and "later-8" not in store.written
        await recorder.flush()
        assert not await recorder.written()


async def test_nobody_waits_long_for_a_store_that_is_away(monkeypatch):
    monkeypatch.setattr("maskline.workflows.record_call.PATIENCE", 0.01)
    store = Wavering()
    recorder = CallRecording(store, VirtualClock(), SeededIds(1), lambda: None, window=0.0)
    recorder.record(commit("call"))
    assert await asyncio.wait_for(recorder.written(), 30)
    recorder.stop()
    await asyncio.wait_for(recorder.run(), 30)
    assert store.written == ["call"], "and who gave up is told nothing"


async def test_a_call_that_another_engine_has_keeps_nobody_waiting():
    recorder = CallRecording(Wavering(), VirtualClock(), SeededIds(1), lambda: None)
    recorder.record(commit("call"))
    waiting = asyncio.create_task(recorder.written())
    await asyncio.sleep(0)
    recorder.let_go(["call"])
    assert await asyncio.wait_for(waiting, 30) and recorder.depth == 0


async def test_stop_writes_what_is_queued():
    store = Wavering()
    recorder = CallRecording(store, VirtualClock(), SeededIds(1), lambda: None, window=10.0, group=2)
    for number in range(5):
        recorder.record(commit(f"call-{number}"))
    recorder.stop()
    await asyncio.wait_for(recorder.run(), 30)
    assert store.written == [f"call-{number}" for number in range(5)]


async def test_a_store_that_is_away_delays_and_loses_nothing():
    store = Wavering()
    store.away = 3
    async with recording(store) as recorder:
        recorder.record(commit("call", 1))
        await asyncio.sleep(0)
        recorder.record(commit("call", 2))
        await recorder.flush()
        assert [fact.sequence for fact in await store.facts("call")] == [1, 2]
        assert recorder.dropped == 0


async def test_a_commit_whose_answer_was_lost_is_repeated_without_a_second_webhook():
    class Forgetful(Wavering):
        async def commit_calls(self, calls):
            lost = await super().commit_calls(calls)
            if len(self.groups) == 1:
                raise StoreUnavailable
            return lost

    store = Forgetful()
    async with recording(store) as recorder:
        recorder.record(ringing("call", 1, make_session()))
        await recorder.flush()
        assert len(store.groups) == 2
        assert len(await store.outbox(None)) == 1


async def test_one_call_that_cannot_be_written_does_not_take_the_others_with_it():
    store = Wavering()
    store.refused = {"bad"}
    async with recording(store) as recorder:
        for call_id in ("good", "bad", "fine"):
            recorder.record(commit(call_id))
        await recorder.flush()
        assert store.written == ["good", "fine"]
        assert recorder.dropped == 1


async def test_a_call_that_cannot_be_told_does_not_take_the_others_with_it():
    store = Wavering()
    async with recording(store) as recorder:
        recorder.record(CallCommit(make_context(call_id="bad"), (), make_record(legs=())))
        await store.add_account(Account(ACCOUNT, "Acme", None, ("token",), T0))
        await store.set_endpoint(Endpoint(ACCOUNT, "eight.session_summary", "https://h.example/"))
        recorder.record(commit("good"))
        await recorder.flush()
        assert store.groups == [["good"]]
        assert recorder.dropped == 1


async def test_the_deliverer_is_told_only_of_webhooks():
    store = Wavering()
    told = []
    recorder = CallRecording(store, VirtualClock(), SeededIds(1), lambda: told.append(1), window=0.0)
    task = asyncio.create_task(recorder.run())
    recorder.record(commit("call", 1, session=make_session()))
    await recorder.flush()
    assert told == []
    recorder.record(ringing("call", 2, make_session()))
    await recorder.flush()
    assert told == [1]
    recorder.stop()
    await task


async def test_summaries_go_to_endpoints_as_they_are_configured_now():
    store = Wavering()
    await store.add_account(Account(ACCOUNT, "Acme", None, ("token",), T0))
    await store.add_account(Account(SUBACCOUNT, "riders", ACCOUNT, ("token",), T0))
    async with recording(store) as recorder:
        await store.set_endpoint(Endpoint(ACCOUNT, "eight.session_summary", "https://one.example/"))
        recorder.record(commit("call-1", record=make_record(id="call-1")))
        await recorder.flush()
        await store.set_endpoint(Endpoint(ACCOUNT, "eight.session_summary", "https://two.example/", "", "named"))
        recorder.record(commit("call-2", record=make_record(id="call-2")))
        recorder.record(commit("call-3", record=make_record(id="call-3")))
        recorder.record(commit("call-4", record=make_record(id="call-4"), subaccount_id=SUBACCOUNT))
        recorder.record(commit("call-5", record=make_record(id="call-5"), account_id="MA" + "Q" * 18))
        await recorder.flush()
        rows = {row.subject: row for row in await store.outbox(None)}
        assert {subject: row.url for subject, row in rows.items()} == {
            "call-1": "https://one.example/",
            "call-2": "https://two.example/",
            "call-3": "https://two.example/",
        }
        assert b'"subAccountId":"Acme"' in rows["call-1"].body
        assert b'"subAccountId":"named"' in rows["call-2"].body


async def test_an_endpoint_that_was_damaged_keeps_no_call_waiting_and_is_read_again_once_it_was_set_anew():
    class Damaged(Wavering):
        async def endpoints(self, account_id):
            if account_id in damaged:
                raise SealBroken
            return await super().endpoints(account_id)

    damaged, store = {SUBACCOUNT}, Damaged()
    await store.add_account(Account(ACCOUNT, "Acme", None, ("token",), T0))
    await store.add_account(Account(SUBACCOUNT, "riders", ACCOUNT, ("token",), T0))
    for owner in (ACCOUNT, SUBACCOUNT):
        await store.set_endpoint(Endpoint(owner, "eight.session_summary", f"https://{owner}.example/"))
    with capture_logs() as lines:
        async with recording(store) as recorder:
            recorder.record(commit("call-1", record=make_record(id="call-1"), subaccount_id=SUBACCOUNT))
            recorder.record(commit("call-2", record=make_record(id="call-2")))
            await recorder.flush()
            assert store.written == ["call-1", "call-2"]
            damaged.clear()
            await store.set_endpoint(Endpoint(SUBACCOUNT, "eight.session_summary", "https://anew.example/"))
            recorder.record(commit("call-3", record=make_record(id="call-3"), subaccount_id=SUBACCOUNT))
            await recorder.flush()
    assert [(line["event"], line["account_id"]) for line in lines] == [("endpoints_unreadable", SUBACCOUNT)]
    assert sorted(row.subject for row in await store.outbox(None)) == ["call-2", "call-3"]


async def test_what_is_remembered_of_a_call_ends_with_its_record():
    async with recording(Wavering()) as recorder:
        recorder.record(commit("call", 1))
        await recorder.flush()
        assert recorder.open_calls == 1
        recorder.record(commit("call", 2, record=make_record(id="call")))
        await recorder.flush()
        assert recorder.open_calls == 0


async def test_beyond_its_limit_facts_are_dropped_and_records_kept():
    store = Wavering()
    recorder = CallRecording(store, VirtualClock(), SeededIds(1), lambda: None, limit=1)
    recorder.record(commit("call", 1))
    recorder.record(commit("call", 2))
    recorder.record(commit("call", 3, record=make_record(id="call")))
    assert (recorder.depth, recorder.dropped) == (2, 1)
    recorder.stop()
    await recorder.run()
    assert [fact.sequence for fact in await store.facts("call")] == [1, 3]
    assert (await store.call(ACCOUNT, "call")).id == "call"


async def test_a_cancel_while_the_store_is_away_says_what_is_lost():
    store = Wavering()
    store.away = 10**9
    recorder = CallRecording(store, VirtualClock(), SeededIds(1), lambda: None, window=0.0, group=1)
    task = asyncio.create_task(recorder.run())
    recorder.record(commit("call", 1))
    recorder.record(commit("call", 2))
    with structlog.testing.capture_logs() as lines:
        for _ in range(20):  # turns of the loop until the first is being written and the second is built
            await asyncio.sleep(0)
        assert recorder.depth == 2
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert recorder.dropped == 2
    assert "call_facts_dropped" in [line["event"] for line in lines]
    quiet = asyncio.create_task(CallRecording(store, VirtualClock(), SeededIds(1), lambda: None).run())
    await asyncio.sleep(0)
    with structlog.testing.capture_logs() as lines:
        quiet.cancel()
        await asyncio.gather(quiet, return_exceptions=True)
    assert lines == []


async def test_the_next_group_is_built_while_one_is_written_and_written_behind_it():
    store = Wavering()
    store.away = 10**9
    ids = SeededIds(1)
    recorder = CallRecording(store, VirtualClock(), ids, lambda: None, window=0.0, group=1)
    task = asyncio.create_task(recorder.run())
    for sequence in (1, 2, 3):
        recorder.record(commit("call", sequence))
    for _ in range(20):
        await asyncio.sleep(0)
    assert (recorder.depth, len(recorder._queue)) == (3, 1)
    store.away = 0
    await recorder.flush()
    assert recorder.depth == 0
    assert [fact.sequence for fact in await store.facts("call")] == [1, 2, 3]
    recorder.stop()
    await task


async def test_the_facts_of_a_number_that_is_not_ours_are_written_and_nothing_is_kept_of_the_call():
    store = Wavering()
    async with recording(store) as recorder:
        recorder.record(CallCommit(None, (LegDialed("foreign", 1, T0, "b", "trunk"),)))
        await recorder.flush()
        assert recorder.open_calls == 0
    assert [fact.subject for _, fact in await store.facts_since(0, 10)] == ["foreign"]


def test_what_a_group_has_of_one_call_becomes_one_commit():
    context, kept = make_context(), (object(), object())
    facts = [(LegDialed(context.call_id, number, T0, "b", "trunk"),) for number in range(1, 4)]
    first = CallCommit(context, facts[0], kept=kept[0])
    ringing = CallCommit(context, facts[1])
    end = CallCommit(context, facts[2], make_record())
    other = commit("other")
    assert together([first, other, ringing]) == [CallCommit(context, facts[0] + facts[1], None, kept[0]), other]
    assert together([first, CallCommit(context, facts[1], kept=kept[1])])[0].kept is kept[1]
    assert together([first, ringing, end]) == [CallCommit(context, sum(facts, ()), end.record, None)]
    assert together([end, first]) == [end, first]


def test_commits_that_know_of_different_things_stay_apart():
    unknown, routed = commit("call"), commit("call", 2, session=make_session())
    assert together([unknown, routed]) == [unknown, routed]


async def test_calls_written_together_are_counted_as_they_came():
    store, context = Wavering(), make_context()
    async with recording(store) as recorder:
        for number in (1, 2, 3):
            recorder.record(CallCommit(context, (LegDialed(context.call_id, number, T0, "b", "trunk"),)))
        await recorder.flush()
        assert recorder.depth == 0
        assert store.groups == [[context.call_id]]
        assert [fact.sequence for fact in await store.facts(context.call_id)] == [1, 2, 3]
