"""The store contract: what is older than the operator keeps is deleted, step by step, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from maskline.masking.facts import CallReceived
from maskline.masking.session import SessionOptions
from maskline.storage.store import Delivery, Once, RecordedCall, Store
from tests.support.store_values import (
    ACCOUNT,
    ALICE,
    CAROL,
    DAVE,
    T0,
    TRUNK,
    VN1,
    call_record,
    interaction,
    new_session,
    outbox_row,
    recorded_call,
)  # fmt: skip

DAY = 86_400.0
COOL_OFF = SessionOptions(session_expiry=600, first_party_cooloff=3600, second_party_cooloff=3600)


async def forget_all(store: Store, before: float, now: float = T0 + 9 * DAY, limit: int = 3) -> int:
    """Returns in how many steps."""
    steps = 1
    while (done := await store.forget(before, now, limit)) == limit:
        steps += 1
    assert 0 <= done < limit
    return steps


async def ended(store: Store, session_id: str = "session-1", calls: int = 2, **changes: Any) -> None:
    """A session with calls and their webhooks, that ended at T0 + 50."""
    await store.create_session(new_session(session_id, **changes))
    for i in range(calls):
        name = f"{session_id}-call-{i}"
        record = call_record(name, session_id=session_id)
        await store.commit_calls(
            [recorded_call(name, record=record, session_id=session_id, interaction=interaction(name))]
        )
    await store.end_session(ACCOUNT.id, session_id, now=T0 + 50, by_request=True, outbox=())
    for row in await store.lease_outbox("me", now=T0 + 60, until=T0 + 70, limit=99):
        await store.finish_outbox("me", [Delivery(row.id, "done", T0, 200)], now=T0 + 61)


@pytest.mark.row("4/retention")
async def test_an_old_session_goes_with_all_that_belongs_to_it(store: Store) -> None:
    kept = await store.counts()
    await ended(store)
    assert await forget_all(store, T0 + 51) > 1
    assert await store.counts() == kept
    assert await store.session_for_call(ALICE, VN1) is None
    assert await store.facts("session-1") == await store.facts("session-1-call-0") == []


async def test_what_is_younger_or_not_over_stays(store: Store) -> None:
    await ended(store)
    live = await store.create_session(new_session("2", first_party=CAROL, second_party=DAVE))
    await store.commit_calls([recorded_call("c", record=call_record("c", session_id="2"), session_id="2")])
    before = await store.counts()
    await forget_all(store, T0 + 50)
    counts = await store.counts()
    assert {**counts, "outbox": None} == {**before, "outbox": None}
    await forget_all(store, T0 + 51)
    assert (await store.session(ACCOUNT.id, "2")).options == live.options
    assert [call.id for call in await store.calls(ACCOUNT.id)] == ["c"]
    assert {len(await store.facts(subject)) for subject in ("2", "c")} == {1, 3}
    # Its webhook waits for its delivery, however old.
    assert (await store.counts())["outbox"] == {"due": 1}


async def test_one_step_deletes_no_more_than_its_limit(store: Store) -> None:
    for i in range(3):
        await ended(store, str(i), calls=3)
    assert await store.forget(T0 + 51, T0 + DAY, 2) == 2
    counts = await store.counts()
    assert (counts["sessions"], counts["calls"]) == (3, 7)


async def test_a_session_with_a_call_in_progress_waits(store: Store) -> None:
    await ended(store, calls=0)
    await store.commit_calls([recorded_call("c", record=None, interaction=None, outbox=(), calls_in_progress_delta=1)])
    await forget_all(store, T0 + 51)
    assert (await store.session(ACCOUNT.id, "session-1")).calls_in_progress == 1


async def test_a_pair_stays_in_quarantine_when_its_session_is_forgotten(store: Store) -> None:
    await ended(store, options=COOL_OFF)
    await forget_all(store, T0 + 51, now=T0 + 100)
    assert (await store.counts())["sessions"] == 0
    assert (await store.counts())["claims"] == 2
    other = await store.create_session(new_session("2", second_party=CAROL, created_at=T0 + 100))
    assert other.virtual_number != VN1
    assert await store.session_for_call(ALICE, VN1) is None


async def test_calls_without_a_session_and_facts_without_a_call_go_by_age(store: Store) -> None:
    record = call_record("refused", session_id=None, caller=None)
    await store.commit_calls([recorded_call("refused", record=record, session_id=None, interaction=None, outbox=())])
    foreign = (CallReceived("foreign", 1, T0 + 45, TRUNK.id, "+65••••0009"),)
    await store.commit_calls([RecordedCall(foreign, None)])
    young = replace(foreign[0], subject="young", at=T0 + 3 * DAY)
    await store.commit_calls([RecordedCall((young,), None)])
    await forget_all(store, T0 + DAY)
    counts = await store.counts()
    assert (counts["calls"], counts["facts"]) == (0, 1)
    assert [fact for _, fact in await store.facts_since(0, 9)] == [young]
    await forget_all(store, T0 + 4 * DAY)
    assert (await store.counts())["facts"] == 0


async def test_a_call_of_a_session_that_is_gone_goes_by_age(store: Store) -> None:
    await store.commit_calls([recorded_call("late", session_id="gone", outbox=())])
    await forget_all(store, T0 + DAY)
    counts = await store.counts()
    assert (counts["calls"], counts["facts"]) == (0, 0)


async def test_keys_of_requests_go_when_their_time_is_over_whatever_is_kept(store: Store) -> None:
    for i in range(3):
        once = Once(ACCOUNT.id, f"key-{i}", "same", T0 + 10 + i)
        await store.create_session(new_session(str(i)), once=once)
    assert await store.forget(0.0, T0 + 11, 9) == 2
    assert await store.forget(0.0, T0 + 11, 9) == 0


async def test_webhooks_of_accounts_that_were_done_or_given_up_go_by_age(store: Store) -> None:
    await store.create_session(new_session())
    rows = [outbox_row(f"row-{i}", subject=f"s{i}") for i in range(3)]
    await store.end_session(ACCOUNT.id, "session-1", now=T0 + 5, by_request=True, outbox=rows)
    await store.lease_outbox("me", now=T0 + 6, until=T0 + 7, limit=9)
    await store.finish_outbox(
        "me", [Delivery("row-0", "done", T0, 200), Delivery("row-1", "failed", T0, 500)], now=T0 + 6
    )
    await forget_all(store, T0 + 1)
    assert [row.id for row in await store.outbox(ACCOUNT.id)] == ["row-2"]
