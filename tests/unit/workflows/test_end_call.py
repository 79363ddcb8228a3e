"""The end of one call by request: who may ask, what is answered, and how the engine that has it comes to know."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from maskline.clock import SystemClock
from maskline.errors import NotFound, StoreUnavailable
from maskline.masking.facts import CallReceived
from maskline.storage.kept import LiveCall
from maskline.storage.memory import MemoryStore
from maskline.storage.store import RecordedCall
from maskline.workflows.end_call import EndCalls, end_call
from maskline.workflows.scope import Scope
from tests.support.store_values import ACCOUNT, OTHER, SUB, T0, TRUNK, VN1, call_record
from tests.support.waiting import until

MINE, SUBS, FOREIGN = Scope(ACCOUNT.id), Scope(ACCOUNT.id, SUB.id), Scope(OTHER.id)
CLOCK = SystemClock()


def begun(call_id: str = "call-1") -> RecordedCall:
    fact = CallReceived(call_id, 1, T0, TRUNK.id, VN1.digits)
    return RecordedCall((fact,), ACCOUNT.id, live=LiveCall(call_id, "e1", ACCOUNT.id, None, T0, b"state"))


@pytest.fixture
async def store() -> MemoryStore:
    made = MemoryStore()
    for account in (ACCOUNT, OTHER, SUB):
        await made.add_account(account)
    await made.commit_calls([begun()])
    return made


async def test_a_wish_is_kept_before_the_engine_is_told(store: MemoryStore) -> None:
    told: list[str] = []
    ended = await end_call(store, CLOCK, MINE, "call-1", told.append)
    assert (ended.call_id, ended.record, told) == ("call-1", None, ["call-1"])
    assert await store.calls_to_end("e1") == ["call-1"]


async def test_who_asks_again_is_told_the_same_and_at_last_how_the_call_ended(store: MemoryStore) -> None:
    for _ in range(2):
        assert (await end_call(store, CLOCK, MINE, "call-1")).record is None
    await store.commit_calls([RecordedCall((), ACCOUNT.id, record=call_record())])
    told: list[str] = []
    for _ in range(2):
        assert (await end_call(store, CLOCK, MINE, "call-1", told.append)).record == call_record()
    assert told == []


@pytest.mark.parametrize(
    ("scope", "call_id"), [(FOREIGN, "call-1"), (SUBS, "call-1"), (MINE, "nothing"), (MINE, "call-1\0")]
)
async def test_nobody_ends_a_call_that_is_not_his(store: MemoryStore, scope: Scope, call_id: str) -> None:
    told: list[str] = []
    with pytest.raises(NotFound):
        await end_call(store, CLOCK, scope, call_id, told.append)
    assert (told, await store.calls_to_end("e1")) == ([], [])


async def test_the_end_of_anothers_call_is_not_told_to_a_subaccount(store: MemoryStore) -> None:
    records = call_record(), replace(call_record("call-2"), subaccount_id=SUB.id)
    await store.commit_calls([RecordedCall((), ACCOUNT.id, record=record) for record in records])
    with pytest.raises(NotFound):
        await end_call(store, CLOCK, SUBS, "call-1")
    assert (await end_call(store, CLOCK, SUBS, "call-2")).record == records[1]


async def test_an_engine_finds_wishes_of_others_and_nobody_elses(store: MemoryStore) -> None:
    ended: list[str] = []
    ends = EndCalls(store, ended.append)
    ends.owner = "e1"
    assert await ends() is False
    await end_call(store, CLOCK, MINE, "call-1")
    await ends()
    await ends()  # until its record is written: the engine knows what it is doing already
    ends.owner = "e2"
    await ends()
    assert ended == ["call-1", "call-1"]


async def test_it_looks_until_it_is_stopped_and_waits_for_a_store_that_is_away(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maskline.workflows.request_loop._LOOK_EVERY", 0.001)
    ended: list[str] = []
    looks = 0

    async def answer(engine_id: str) -> list[str]:
        nonlocal looks
        looks += 1
        if looks < 3:
            raise StoreUnavailable
        return ["call-1"]

    monkeypatch.setattr(store, "calls_to_end", answer)
    ends = EndCalls(store, ended.append)
    with capture_logs() as lines:
        running = asyncio.ensure_future(ends.run())
        await until(lambda: len(ended) > 1, what="two looks")
        ends.stop()
        await running
    assert [line["event"] for line in lines] == ["ends_delayed"]
