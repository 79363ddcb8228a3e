"""The store contract: calls, facts and the outbox."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskline.errors import Conflict, NotFound
from maskline.masking.call_record import FlowRecord
from maskline.storage.store import Delivery, OutboxRow, RecordedCall, Store
from tests.support.store_values import (
    ACCOUNT,
    OTHER,
    T0,
    call_facts,
    call_record,
    new_session,
    outbox_row,
    recorded_call,
)  # fmt: skip


async def test_a_call_is_read_back_with_its_legs_and_facts(store: Store) -> None:
    await store.commit_calls([recorded_call()])
    assert await store.call(ACCOUNT.id, "call-1") == call_record()
    assert await store.facts("call-1") == list(call_facts())
    assert [row.id for row in await store.outbox(ACCOUNT.id)] == ["call-1-row"]


async def test_a_withheld_caller_and_a_single_leg_are_kept_as_they_are(store: Store) -> None:
    record = call_record()
    refused = replace(
        record, legs=(replace(record.legs[0], source=None, ringing_at=None, answered_at=None),), session_id=None,
        caller=None, subaccount_id="SA-x", reference_id="",
    )  # fmt: skip
    await store.commit_calls([recorded_call(record=refused, session_id=None, interaction=None)])
    assert await store.call(ACCOUNT.id, "call-1") == refused


async def test_what_a_customers_application_had_done_with_a_call_is_kept(store: Store) -> None:
    for name, flow in (("bare", FlowRecord()), ("full", FlowRecord("PLAY_TTS", "order 7", True))):
        record = call_record(name, session_id=None, caller=None, flow=flow)
        await store.commit_calls([recorded_call(name, record=record, session_id=None, interaction=None)])
        assert await store.call(ACCOUNT.id, name) == record


async def test_that_a_call_outlived_its_engine_is_kept(store: Store) -> None:
    record = call_record("call-1", recovered=True)
    await store.commit_calls([recorded_call(record=record), recorded_call("call-2", record=call_record("call-2"))])
    assert await store.call(ACCOUNT.id, "call-1") == record
    assert {one.id: one.recovered for one in await store.calls(ACCOUNT.id)} == {"call-1": True, "call-2": False}


async def test_a_call_of_another_account_is_not_found(store: Store) -> None:
    await store.commit_calls([recorded_call()])
    with pytest.raises(NotFound):
        await store.call(OTHER.id, "call-1")
    with pytest.raises(NotFound):
        await store.call(ACCOUNT.id, "nothing")
    assert await store.calls(OTHER.id) == []


async def test_facts_may_come_in_several_commits(store: Store) -> None:
    first, *rest = call_facts()
    await store.commit_calls([recorded_call(facts=(first,), record=None, interaction=None, outbox=())])
    await store.commit_calls([recorded_call(facts=tuple(rest))])
    assert await store.facts("call-1") == [first, *rest]
    assert await store.call(ACCOUNT.id, "call-1") == call_record()


async def test_a_commit_that_is_repeated_counts_once(store: Store) -> None:
    await store.create_session(new_session())
    new = recorded_call("call-2")
    await store.commit_calls([recorded_call()])
    await store.commit_calls([recorded_call(), new])
    session = await store.session(ACCOUNT.id, "session-1")
    assert [done.call_id for done in session.interactions] == ["call-1", "call-2"]
    assert session.total_call_count == 4
    assert len(await store.outbox(ACCOUNT.id)) == 2
    assert len(await store.facts("call-1")) == 3


async def test_an_empty_commit_is_nothing(store: Store) -> None:
    before = await store.counts()
    await store.commit_calls([])
    assert await store.counts() == before


async def test_a_commit_of_any_size_keeps_everything(store: Store) -> None:
    await store.commit_calls([recorded_call(f"call-{i}") for i in range(203)])
    counts = await store.counts()
    assert (counts["calls"], counts["facts"], counts["outbox"]) == (203, 609, {"due": 203})


async def test_calls_are_listed_newest_first_and_by_session(store: Store) -> None:
    for i in range(4):
        record = call_record(f"call-{i}", started_at=T0 + i, session_id=f"session-{i % 2}")
        await store.commit_calls([recorded_call(f"call-{i}", record=record, interaction=None, session_id=None)])
    assert [call.id for call in await store.calls(ACCOUNT.id)] == ["call-3", "call-2", "call-1", "call-0"]
    assert [call.id for call in await store.calls(ACCOUNT.id, limit=1)] == ["call-3"]
    assert [call.id for call in await store.calls(ACCOUNT.id, session_id="session-0")] == ["call-2", "call-0"]


async def test_facts_are_followed_in_order_of_commit(store: Store) -> None:
    await store.create_session(new_session())
    await store.commit_calls([recorded_call("call-1"), recorded_call("call-2")])
    seen = await store.facts_since(0, 4)
    assert [fact.subject for _, fact in seen] == ["session-1", "call-1", "call-1", "call-1"]
    cursor = seen[-1][0]
    rest = await store.facts_since(cursor, 100)
    assert [fact for _, fact in rest] == list(call_facts("call-2"))
    assert all(position > cursor for position, _ in rest)
    assert await store.facts_since(rest[-1][0], 100) == []


async def test_the_log_is_followed_from_every_position_and_by_any_step(store: Store) -> None:
    await store.commit_calls([recorded_call(), recorded_call("call-2")])
    whole = await store.facts_since(0, 100)
    for start, (position, _) in enumerate(whole, 1):
        for step in (1, 2, 100):
            assert await store.facts_since(position, step) == whole[start : start + step]


async def test_a_subject_without_facts_has_none(store: Store) -> None:
    assert await store.facts("nothing") == []


# -- outbox ------------------------------------------------------------------------------------------------------


async def put(store: Store, *rows: OutboxRow) -> None:
    await store.commit_calls([recorded_call("c", outbox=rows, record=None, interaction=None, facts=())])


async def lease(store: Store, owner: str = "one", now: float = T0, limit: int = 10) -> list[OutboxRow]:
    return await store.lease_outbox(owner, now=now, until=now + 30, limit=limit)


async def states(store: Store) -> dict[str, str]:
    return {row.id: row.state for row in await store.outbox(None)}


async def test_a_due_row_is_leased_once_and_its_leases_are_counted(store: Store) -> None:
    row = outbox_row()
    await put(store, row)
    assert await store.next_outbox_due() == T0
    assert await lease(store, now=T0 - 1) == []
    leased = await lease(store)
    assert leased == [replace(row, state="leased", leases=1, due_at=T0 + 30)]
    assert await lease(store, "two", now=T0 + 29) == []
    assert await store.next_outbox_due() == T0 + 30


async def test_a_lease_that_is_over_is_taken_by_another_owner(store: Store) -> None:
    await put(store, outbox_row())
    await lease(store)
    again = await lease(store, "two", now=T0 + 30)
    assert [(row.id, row.attempts, row.leases) for row in again] == [("row-1", 0, 2)]
    late = await store.finish_outbox("one", [Delivery("row-1", "done", 0.0, 200)], now=T0 + 31)
    assert late == [False]
    assert await states(store) == {"row-1": "leased"}
    assert await store.finish_outbox("two", [Delivery("row-1", "done", 0.0, 200)], now=T0 + 31) == [True]


async def test_a_delivered_row_is_done(store: Store) -> None:
    await put(store, outbox_row())
    await lease(store)
    await store.finish_outbox("one", [Delivery("row-1", "done", T0 + 1, 204)], now=T0 + 1)
    (row,) = await store.outbox(ACCOUNT.id)
    assert (row.state, row.last_status, row.last_error, row.attempts, row.leases) == ("done", 204, "", 1, 0)
    assert await lease(store, now=T0 + 9999) == []
    assert await store.next_outbox_due() is None


async def test_a_failed_try_comes_again_at_its_time(store: Store) -> None:
    await put(store, outbox_row())
    await lease(store)
    await store.finish_outbox("one", [Delivery("row-1", "due", T0 + 100, 500, "HTTP 500")], now=T0 + 1)
    assert await store.next_outbox_due() == T0 + 100
    assert await lease(store, now=T0 + 99) == []
    (row,) = await lease(store, now=T0 + 100)
    assert (row.attempts, row.leases, row.last_status, row.last_error) == (1, 1, 500, "HTTP 500")


async def test_a_row_given_back_untried_keeps_its_tries_and_its_last_result(store: Store) -> None:
    await put(store, outbox_row())
    await lease(store)
    await store.finish_outbox("one", [Delivery("row-1", "due", T0 + 1, 500, "HTTP 500")], now=T0 + 1)
    await lease(store, now=T0 + 1)
    await store.finish_outbox("one", [Delivery("row-1", "due", T0 + 2, tried=False)], now=T0 + 1)
    (row,) = await store.outbox(None)
    assert (row.attempts, row.leases, row.state, row.due_at) == (1, 0, "due", T0 + 2)
    assert (row.last_status, row.last_error) == (500, "HTTP 500")


async def test_a_row_given_back_untried_was_still_taken_by_those_who_died_of_it(store: Store) -> None:
    await put(store, outbox_row())
    for owner, at in (("dead", T0), ("another", T0 + 30), ("one", T0 + 60)):
        (row,) = await lease(store, owner, now=at)
    await store.finish_outbox("one", [Delivery("row-1", "due", T0 + 61, tried=False)], now=T0 + 61)
    assert (row.leases, [one.leases for one in await store.outbox(None)]) == (3, [2])
    await lease(store, now=T0 + 61)
    await store.finish_outbox("one", [Delivery("row-1", "failed", 0.0)], now=T0 + 61)
    await store.replay_outbox("row-1", T0 + 62)
    (row,) = await lease(store, now=T0 + 62)
    assert (row.attempts, row.leases) == (0, 1)


async def test_results_are_written_back_in_groups_each_by_its_own_lease(store: Store) -> None:
    waited = (3, 1, 2)  # a lease takes from both ends
    await put(store, *(outbox_row(f"row-{i}", subject=f"call-{i}", due_at=T0 - waited[i]) for i in range(3)))
    await lease(store, "one", limit=2)
    await lease(store, "two")
    done = [Delivery(f"row-{i}", "done", 0.0, 200) for i in (2, 0, 1, 0, 9)]
    assert await store.finish_outbox("one", done, now=T0) == [False, True, True, False, False]
    assert await states(store) == {"row-0": "done", "row-1": "done", "row-2": "leased"}


async def test_rows_of_one_subject_and_url_go_one_at_a_time_in_sequence(store: Store) -> None:
    await put(store, outbox_row("a", sequence=1), outbox_row("c", sequence=3))
    await put(store, outbox_row("b", sequence=2))
    order = []
    for step in range(3):
        (row,) = await lease(store, now=T0 + step)
        assert await lease(store, "two", now=T0 + step) == []
        order.append(row.id)
        state = "failed" if row.id == "a" else "done"
        await store.finish_outbox("one", [Delivery(row.id, state, 0.0, 500)], now=T0 + step)
    assert order == ["a", "b", "c"]


async def test_a_retry_keeps_the_rows_behind_it_waiting(store: Store) -> None:
    await put(store, outbox_row("a", sequence=1), outbox_row("b", sequence=2))
    await lease(store)
    await store.finish_outbox("one", [Delivery("a", "due", T0 + 60)], now=T0)
    assert await lease(store, now=T0 + 59) == []
    assert await states(store) == {"a": "due", "b": "waiting"}
    assert await store.next_outbox_due() == T0 + 60


async def test_other_urls_and_other_subjects_do_not_wait(store: Store) -> None:
    rows = [outbox_row("a"), outbox_row("b", url="https://other.example/"), outbox_row("c", subject="call-2")]
    await put(store, *rows)
    assert {row.id for row in await lease(store)} == {"a", "b", "c"}


async def test_a_row_that_waited_is_not_sent_before_its_own_time(store: Store) -> None:
    await put(store, outbox_row("a", sequence=1), outbox_row("b", sequence=2, due_at=T0 + 50))
    await lease(store)
    await store.finish_outbox("one", [Delivery("a", "done", 0.0)], now=T0 + 1)
    assert await store.next_outbox_due() == T0 + 50


async def test_the_outbox_is_listed_newest_first_by_account_and_state(store: Store) -> None:
    rows = [outbox_row(f"row-{i}", subject=f"call-{i}", created_at=T0 + i) for i in range(3)]
    await put(store, *rows, outbox_row("theirs", account_id=OTHER.id, subject="x"))
    assert await store.outbox(ACCOUNT.id) == rows[::-1]
    assert await store.outbox(ACCOUNT.id, limit=1) == rows[2:]
    assert await store.outbox(ACCOUNT.id, state="done") == []
    assert len(await store.outbox(None, state="due")) == 4
    assert [row.id for row in await store.outbox(OTHER.id)] == ["theirs"]


async def test_a_finished_row_is_replayed_with_all_its_tries(store: Store) -> None:
    await put(store, outbox_row())
    await lease(store)
    await store.finish_outbox("one", [Delivery("row-1", "failed", 0.0, 410, "gone")], now=T0)
    await store.replay_outbox("row-1", T0 + 500)
    assert await store.next_outbox_due() == T0 + 500
    (row,) = await lease(store, now=T0 + 500)
    assert (row.attempts, row.leases, row.body) == (0, 1, outbox_row().body)


async def test_a_replayed_row_waits_behind_its_lane(store: Store) -> None:
    await put(store, outbox_row("a", sequence=1))
    await lease(store)
    await store.finish_outbox("one", [Delivery("a", "done", 0.0)], now=T0)
    await put(store, outbox_row("b", sequence=2))
    await store.replay_outbox("a", T0)
    assert await states(store) == {"a": "waiting", "b": "due"}


async def test_replay_brings_a_retry_forward_and_leaves_a_leased_row_alone(store: Store) -> None:
    await put(store, outbox_row(due_at=T0 + 900))
    await store.replay_outbox("row-1", T0 + 1)
    (row,) = await lease(store, now=T0 + 1)
    await store.replay_outbox("row-1", T0 + 2)
    assert await store.outbox(None) == [row]


async def test_an_outbox_id_is_taken_once_and_its_whole_commit_is_refused(store: Store) -> None:
    await put(store, outbox_row())
    before = await store.counts()
    with pytest.raises(Conflict):
        await store.commit_calls([recorded_call("new"), recorded_call("c", outbox=(outbox_row(),))])
    with pytest.raises(Conflict):
        await put(store, outbox_row("row-2"), outbox_row("row-2"))
    assert await store.counts() == before


async def test_an_unknown_row_cannot_be_replayed(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.replay_outbox("nothing", T0)


async def test_facts_of_a_call_that_is_nobodys_are_followed_like_others(store: Store) -> None:
    facts = call_facts()
    await store.commit_calls([RecordedCall(facts, None)])
    assert [fact for _, fact in await store.facts_since(0, 10)] == list(facts)
    assert (await store.counts())["calls"] == 0
