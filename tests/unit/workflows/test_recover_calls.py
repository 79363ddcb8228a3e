"""Calls of a dead engine, read from the store; and the recorder that goes on where the one before had stopped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import structlog

from maskline.clock import VirtualClock
from maskline.engine.call_keep import end_begun
from maskline.engine.call_kept import VERSION, KeptCall, KeptContext, KeptRecord, KeptTrack, write_call
from maskline.engine.ports import CallCommit
from maskline.ids import SeededIds
from maskline.masking.call_record import CallRecord, FlowRecord
from maskline.masking.decision import VirtualNumber
from maskline.masking.facts import (
    CallEnded,
    CallReceived,
    CallRecovered,
    CallRequested,
    CallRouted,
    Cause,
    Fact,
    FlowGiven,
    HungUpBy,
    LegAnswered,
    LegDialed,
    LegEnded,
    Outcome,
)
from maskline.masking.session import Role, Session
from maskline.storage.crypto import SealBroken
from maskline.storage.kept import LiveCall, Tenure
from maskline.storage.memory import MemoryStore
from maskline.storage.store import RecordedCall
from maskline.workflows.record_call import CallRecording, last_kept
from maskline.workflows.recover_calls import recover_calls
from tests.support.calls import CALL_ID, CALLEE, CALLER, T0, VIRTUAL, make_context, make_record, make_session

TRACK = KeptTrack("leg-a", True, "trunk", T0, None, None)
IDLE = KeptTrack("leg-b", False, "", None, None, None)


def kept(session: Session | None = None, **changes: object) -> KeptCall:
    context = make_context(session)
    whose = KeptContext(context.virtual_number, session.id if session else None, Role.FIRST, VIRTUAL, "")
    record = KeptRecord(2, T0, CALLER, CALLEE, None, None, False, TRACK, IDLE)
    return KeptCall(VERSION, CALL_ID, T0, whose, record)._replace(**changes)  # type: ignore[arg-type]


def begun() -> tuple[Fact, ...]:
    return (
        CallReceived(CALL_ID, 1, T0, "trunk", VIRTUAL.e164),
        CallRouted(CALL_ID, 2, T0, make_session().id, Role.FIRST.value),
    )


@asynccontextmanager
async def recording(store: MemoryStore, lost: list[str] | None = None) -> AsyncIterator[CallRecording]:
    recorder = CallRecording(
        store, VirtualClock(), SeededIds(1), lambda: None, window=0.0, engine_id="e",
        lost=([] if lost is None else lost).extend,
    )  # fmt: skip
    task = asyncio.create_task(recorder.run())
    yield recorder
    recorder.stop()
    await asyncio.wait_for(task, 30)


async def test_what_a_commit_keeps_is_written_and_goes_with_the_record() -> None:
    store, context = MemoryStore(), make_context()
    async with recording(store) as recorder:
        recorder.record(CallCommit(context, begun(), kept=kept()))
        await recorder.flush()
        (live,) = await store.live_calls("e")
        assert (live.call_id, live.account_id, live.session_id) == (CALL_ID, context.account_id, None)
        end = CallEnded(CALL_ID, 3, T0, Outcome.BUSY, Cause.BUSY, make_record().hung_up_by)
        recorder.record(CallCommit(context, (end,), make_record()))
        await recorder.flush()
        assert await store.live_calls("e") == []


def test_of_a_group_only_the_last_keeping_of_a_call_that_goes_on_is_written() -> None:
    context = make_context()
    first, second = (CallCommit(context, begun(), kept=kept(at=T0 + at)) for at in (0, 1))
    assert last_kept([first, second]) == {CALL_ID: second}
    assert last_kept([first, CallCommit(context, begun(), make_record())]) == {}
    assert last_kept([CallCommit(context, begun())]) == {}


async def test_a_call_that_was_cut_off_gets_its_record_and_its_webhooks_are_numbered_on() -> None:
    session, store = make_session(), MemoryStore()
    context = make_context(session)
    dialed = (LegDialed(CALL_ID, 3, T0 + 1, "b", "trunk"), LegAnswered(CALL_ID, 4, T0 + 2, "b"))
    async with recording(store) as recorder:
        recorder.record(CallCommit(context, begun(), kept=kept(session)))
        recorder.record(CallCommit(context, dialed))
        await recorder.flush()
        before = {row.id: row.sequence for row in await store.outbox(None)}
        assert before
    store._sessions[session.id] = session  # it has to be there to be told of
    async with recording(store) as recorder:
        (past,) = await recover_calls(store, recorder, await store.live_calls("e"))
        assert past.context.session == replace(session, interactions=())
        assert [fact.sequence for fact in past.facts] == [1, 2, 3, 4]
        (commit,) = end_begun(past.kept, past.context, past.facts, T0 + 9)
        recorder.record(commit)
        await recorder.flush()
    record = await store.call(context.account_id, CALL_ID)
    assert (record.outcome, record.cause, len(record.legs)) == (Outcome.ERROR, Cause.ENGINE_RESTARTED, 2)
    assert record.legs[1].answered_at == T0 + 2
    assert await store.live_calls("e") == []
    told = await store.facts(CALL_ID)
    assert [fact.sequence for fact in told] == [*range(1, len(told) + 1)]
    assert isinstance(told[4], CallRecovered)
    after = [row.sequence for row in await store.outbox(None) if row.id not in before]
    assert min(after) > max(before.values())


async def test_a_session_that_is_gone_is_missed_and_nothing_else() -> None:
    store, session = MemoryStore(), make_session()
    async with recording(store) as recorder:
        recorder.record(CallCommit(make_context(session), begun(), kept=kept(session)))
        await recorder.flush()
        (past,) = await recover_calls(store, recorder, await store.live_calls("e"))
    assert past.context.session is None
    assert end_begun(past.kept, past.context, past.facts, T0 + 9)[0].record is not None


async def test_a_call_that_another_engine_has_taken_is_not_written_any_more_and_let_go() -> None:
    store, context = MemoryStore(), make_context()
    lost: list[str] = []
    async with recording(store, lost) as recorder:
        recorder.record(CallCommit(context, begun(), kept=kept()))
        await recorder.flush()
        assert recorder.tenures() == {CALL_ID: Tenure("e", 0)}
        (taken,) = await store.take_live_calls("other", now=T0, limit=1, form=VERSION)
        recorder.record(CallCommit(context, (LegDialed(CALL_ID, 3, T0 + 1, "b", "trunk"),), kept=kept(at=T0 + 1)))
        await recorder.flush()
        assert (lost, recorder.tenures(), recorder.open_calls) == ([CALL_ID], {}, 0)
    assert await store.live_calls("other") == [taken]
    assert len(await store.facts(CALL_ID)) == 2


class Slow(MemoryStore):
    """Writes when it is told to; `writes`: the shares it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.free = asyncio.Event()
        self.writes: list[RecordedCall] = []

    async def commit_calls(self, calls: Sequence[RecordedCall]) -> list[str]:
        self.writes += calls
        await self.free.wait()
        return await super().commit_calls(calls)


async def test_what_was_built_while_a_call_was_first_kept_is_written_by_its_tenure() -> None:
    store, context = Slow(), make_context()
    recorder = CallRecording(
        store, VirtualClock(), SeededIds(1), lambda: None, window=0.0, group=1, engine_id="e"
    )  # fmt: skip
    recorder.record(CallCommit(context, begun(), kept=kept()))
    recorder.record(CallCommit(context, (LegDialed(CALL_ID, 3, T0 + 1, "b", "trunk"),)))
    task = asyncio.create_task(recorder.run())
    for _ in range(20):  # turns of the loop until the first is being written and the second is built
        await asyncio.sleep(0)
    assert (len(store.writes), len(recorder._queue)) == (1, 0)
    store.free.set()
    recorder.stop()
    await task
    assert [share.held for share in store.writes] == [None, Tenure("e", 0)]
    assert len(await store.facts(CALL_ID)) == 3


async def test_what_waits_of_a_call_that_is_let_go_is_not_written_later() -> None:
    store, context = MemoryStore(), make_context()
    async with recording(store) as recorder:
        recorder.record(CallCommit(context, begun(), kept=kept()))
        recorder.let_go([CALL_ID, "unknown"])
        await recorder.flush()
    assert await store.facts(CALL_ID) == []


async def test_who_took_a_call_over_writes_it_on_by_the_tenure_it_has() -> None:
    store, context = MemoryStore(), make_context()
    await store.commit_calls(
        [RecordedCall(begun(), "MA", live=LiveCall(CALL_ID, "dead", "MA", None, T0, write_call(kept())))]
    )
    lost: list[str] = []
    async with recording(store, lost) as recorder:
        taken = await store.take_live_calls("e", now=T0, limit=1, form=VERSION)
        (past,) = await recover_calls(store, recorder, taken)
        assert recorder.tenures() == {CALL_ID: Tenure("e", 1)}
        recorder.record(CallCommit(context, (LegDialed(CALL_ID, 3, T0 + 1, "b", "trunk"),), kept=kept(at=T0 + 1)))
        await recorder.flush()
        assert (past.taken, lost) == (1, [])
    assert len(await store.facts(CALL_ID)) == 3


async def ended_from_facts(
    store: MemoryStore, facts: tuple[Fact, ...], session: Session | None, state: bytes = b"[99]"
) -> CallRecord:
    """Whose state cannot be read: taken by an engine, ended and recorded."""
    if session is not None:
        store._sessions[session.id] = session
    live = LiveCall(CALL_ID, "e", "MA", None if session is None else session.id, T0, state)
    await store.commit_calls([RecordedCall(facts, "MA", live=live)])
    async with recording(store) as recorder:
        with structlog.testing.capture_logs() as lines:
            (past,) = await recover_calls(store, recorder, await store.live_calls("e"))
        recorder.record(*end_begun(past.kept, past.context, past.facts, T0 + 9))
        await recorder.flush()
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["call_not_recovered"]
    assert await store.live_calls("e") == []
    assert any(isinstance(fact, CallRecovered) for fact in await store.facts(CALL_ID))
    return await store.call("MA", CALL_ID)


@pytest.mark.parametrize("state", [b"[99]", b""])
async def test_what_cannot_be_read_is_said_and_has_a_record_of_its_facts(state: bytes) -> None:
    session = replace(make_session(), account_id="MA")
    dialed = (LegDialed(CALL_ID, 3, T0 + 1, "b", "trunk-2"), LegAnswered(CALL_ID, 4, T0 + 2, "b"))
    record = await ended_from_facts(MemoryStore(), (*begun(), *dialed), session, state)
    assert (record.outcome, record.cause) == (Outcome.ERROR, Cause.ENGINE_RESTARTED)
    assert (record.session_id, record.caller, record.virtual_number) == (session.id, Role.FIRST, VIRTUAL)
    a, b = record.legs
    assert (a.inbound, a.source, a.destination, a.trunk_id) == (True, session.first_party, VIRTUAL, "trunk")
    assert (b.source, b.destination, b.trunk_id) == (VIRTUAL, session.second_party, "trunk-2")
    assert (record.started_at, b.answered_at, record.ended_at) == (T0, T0 + 2, T0 + 9)
    assert a.id != b.id


async def test_a_call_whose_session_was_damaged_goes_on_as_it_was_kept() -> None:
    class Damaged(MemoryStore):
        async def session(self, account_id: str, session_id: str) -> Session:
            raise SealBroken

    store = Damaged()
    live = LiveCall(CALL_ID, "e", "MA", "session-1", T0, write_call(kept()))
    await store.commit_calls([RecordedCall(begun(), "MA", live=live)])
    async with recording(store) as recorder:
        (past,) = await recover_calls(store, recorder, await store.live_calls("e"))
    assert (past.kept, past.context.session) == (kept(), None)


async def test_one_that_was_ending_and_cannot_be_read_ends_with_its_cause() -> None:
    over = LegEnded(CALL_ID, 3, T0 + 3, "a", Outcome.COMPLETED, Cause.NORMAL, 200, HungUpBy.CALLER)
    record = await ended_from_facts(MemoryStore(), (*begun(), over), None)
    assert (record.outcome, record.cause, record.hung_up_by) == (Outcome.COMPLETED, Cause.NORMAL, HungUpBy.CALLER)


async def test_a_call_by_an_application_that_cannot_be_read_names_nobody() -> None:
    store = MemoryStore()
    number = VirtualNumber(VIRTUAL, "MA", "SA", reference_id="desk")
    store._numbers[VIRTUAL] = number
    asked = (CallRequested(CALL_ID, 1, T0, "", VIRTUAL.e164), FlowGiven(CALL_ID, 2, T0, "Dial"))
    record = await ended_from_facts(store, asked, None)
    assert (record.subaccount_id, record.reference_id) == ("SA", "desk")
    assert record.flow == FlowRecord(requested=True)
    (leg,) = record.legs
    assert (leg.source, leg.destination) == (None, VIRTUAL)


@pytest.mark.parametrize("known", [False, True])
async def test_one_without_any_fact_has_a_record_all_the_same(known: bool) -> None:
    session = replace(make_session(), account_id="MA") if known else None
    record = await ended_from_facts(MemoryStore(), (), session)
    assert record.virtual_number.digits == (VIRTUAL.digits if known else "000")
    assert len(record.legs) == 1
