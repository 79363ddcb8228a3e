"""What every store keeps of webhooks beside the outbox: attempts, endpoints that fail, and sending many again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskline.errors import NotFound
from maskline.storage.store import Delivery, Endpoint, OutboxRow, Store
from maskline.storage.webhook_store import (
    FAILING_LONGER,
    Attempt,
    EndpointNote,
    FailingEndpoint,
    Patience,
    ReplayFilter,
    ReplayPlace,
    endpoint_id,
    endpoint_url,
)
from maskline.workflows.tell_operator import OPERATOR
from tests.support.store_values import ACCOUNT, OTHER, SUB, T0, outbox_row

URL = "https://hooks.example/a"
START = ReplayPlace()


async def put(store: Store, *rows: OutboxRow) -> None:
    await store.announce(rows)


async def end(store: Store, state: str, *attempts: Attempt, owner: str = "one", now: float = T0 + 1) -> list[bool]:
    """Lease what is due and finish it, with the attempt of each that has one."""
    leased = await store.lease_outbox(owner, now=now, until=now + 30, limit=100)
    by_row = {one.row_id: one for one in attempts}
    done = [Delivery(row.id, state, now, 500, "HTTP 500", attempt=by_row.get(row.id)) for row in leased]
    return await store.finish_outbox(owner, done, now=now)


async def states(store: Store) -> dict[str, str]:
    return {row.id: row.state for row in await store.outbox(None, limit=1000)}


def note(failures: int, at: float = T0, **changes: object) -> EndpointNote:
    return replace(EndpointNote(ACCOUNT.id, None, URL, at, failures), **changes)  # type: ignore[arg-type]


async def test_webhooks_of_a_session_are_numbered_by_milliseconds(store: Store) -> None:
    second, first = round((T0 + 60) * 1000), round(T0 * 1000)
    await put(store, outbox_row(subject="session-1", sequence=second))
    await put(store, outbox_row("row-2", subject="session-1", sequence=first))
    assert sorted(row.sequence for row in await store.outbox(None, limit=10)) == [first, second]


# -- attempts ----------------------------------------------------------------------------------------------------


async def test_an_attempt_is_kept_with_its_result_in_order(store: Store) -> None:
    await put(store, outbox_row())
    first = Attempt("row-1", 1, T0, 15_000, None, "read")
    second = Attempt("row-1", 2, T0 + 5, 12, 500, "", "not \N{SNOWMAN} today")
    assert await end(store, "due", first) == [True]
    assert await end(store, "failed", second, now=T0 + 5) == [True]
    assert await store.attempts("row-1") == [first, second]
    assert await store.attempts("row-2") == []


async def test_an_attempt_of_a_lease_that_was_lost_is_not_kept(store: Store) -> None:
    await put(store, outbox_row())
    await store.lease_outbox("one", now=T0, until=T0 + 30, limit=1)
    await store.lease_outbox("two", now=T0 + 30, until=T0 + 60, limit=1)
    done = Delivery("row-1", "done", T0 + 31, 200, attempt=Attempt("row-1", 1, T0, 5, 200))
    assert await store.finish_outbox("one", [done], now=T0 + 31) == [False]
    assert await store.attempts("row-1") == []


async def test_attempts_are_deleted_with_their_webhook_and_what_is_pending_stays(store: Store) -> None:
    await put(store, *(outbox_row(f"row-{i}", subject=f"call-{i}", created_at=T0 + i) for i in range(3)))
    await end(store, "done", *(Attempt(f"row-{i}", 1, T0, 5, 200) for i in range(3)))
    await put(store, outbox_row("pending", subject="call-9"))
    assert await store.forget_webhooks(T0 + 2, 1) == 1
    assert await store.forget_webhooks(T0 + 2, 10) == 1
    assert await store.forget_webhooks(T0 + 2, 10) == 0
    assert await states(store) == {"row-2": "done", "pending": "due"}
    assert [len(await store.attempts(f"row-{i}")) for i in range(3)] == [0, 0, 1]


async def test_what_is_held_is_finished_and_frees_its_lane(store: Store) -> None:
    await put(store, outbox_row("a", sequence=1), outbox_row("b", sequence=2))
    assert await end(store, "held") == [True]
    assert await states(store) == {"a": "held", "b": "due"}
    assert (await store.counts())["outbox"] == {"held": 1, "due": 1}
    assert [row.id for row in await store.outbox(ACCOUNT.id, state="held")] == ["a"]
    await end(store, "done")
    assert await store.forget_webhooks(T0 + 1, 10) == 2


# -- endpoints that fail -----------------------------------------------------------------------------------------


def test_an_endpoint_is_a_url_without_query_and_fragment_as_one_account_has_it() -> None:
    assert (
        endpoint_url("https://h.example/a?b=1#rc=2") == endpoint_url("https://h.example/a#x?y") == "https://h.example/a"
    )
    assert endpoint_id("MA1", URL) != endpoint_id("MA2", URL)


async def test_an_endpoint_fails_until_it_answers(store: Store) -> None:
    assert await store.note_endpoints([note(2)], Patience(), now=T0) == []
    assert await store.note_endpoints([note(3, T0 + 60)], Patience(), now=T0 + 60) == []
    failing = FailingEndpoint(endpoint_id(ACCOUNT.id, URL), ACCOUNT.id, None, URL, T0, 5, T0 + 60)
    assert await store.failing_endpoints() == await store.failing_endpoints(ACCOUNT.id) == [failing]
    assert await store.failing_endpoints(OTHER.id) == []
    assert await store.note_endpoints([note(0), note(0, url="https://other.example/")], Patience(), now=T0) == []
    assert await store.failing_endpoints() == []


@pytest.mark.parametrize(("failures", "seconds", "disabled"), [(10, 99.0, False), (9, 100.0, False), (10, 100.0, True)])
async def test_an_endpoint_is_disabled_once_it_failed_long_and_often_enough(
    store: Store, failures: int, seconds: float, disabled: bool
) -> None:
    patience = Patience(100.0, 10)
    await store.note_endpoints([note(1)], patience, now=T0)
    found = await store.note_endpoints([note(failures - 1, T0 + seconds)], patience, now=T0 + seconds)
    kept = (await store.failing_endpoints())[0]
    assert found == ([kept] if disabled else [])
    assert (kept.disabled_at, kept.reason) == ((T0 + seconds, "failing") if disabled else (None, ""))


async def test_who_wants_no_more_is_disabled_at_once_and_stays_so_when_it_answers(store: Store) -> None:
    (disabled,) = await store.note_endpoints([note(1, gone=True)], Patience(), now=T0 + 1)
    assert (disabled.disabled_at, disabled.reason, disabled.failures) == (T0 + 1, "gone", 1)
    assert await store.note_endpoints([note(0), note(1, gone=True)], Patience(), now=T0 + 2) == []
    (kept,) = await store.failing_endpoints()
    assert (kept.disabled_at, kept.failures) == (T0 + 1, 2)


async def test_what_tells_of_a_disabled_endpoint_is_kept_with_that_and_once(store: Store) -> None:
    def tell(endpoint: FailingEndpoint) -> list[OutboxRow]:
        return [outbox_row("told", subject=endpoint.id)]

    assert await store.note_endpoints([note(1)], Patience(), now=T0, outbox=tell) == []
    assert await store.outbox(None) == []
    (disabled,) = await store.note_endpoints([note(1, gone=True)], Patience(), now=T0, outbox=tell)
    assert await store.note_endpoints([note(1, gone=True)], Patience(), now=T0, outbox=tell) == []
    assert [(row.id, row.subject, row.state) for row in await store.outbox(None)] == [("told", disabled.id, "due")]


async def test_a_disabled_endpoint_is_enabled_by_its_own_account_or_the_operator(store: Store) -> None:
    one, two = note(1, gone=True), note(1, gone=True, subaccount_id=SUB.id)
    await store.note_endpoints([one, two], Patience(), now=T0)
    assert one.id != two.id
    with pytest.raises(NotFound):
        await store.enable_endpoint(one.id, OTHER.id)
    assert (await store.enable_endpoint(one.id, ACCOUNT.id)).url == URL
    assert (await store.enable_endpoint(two.id)).subaccount_id == SUB.id
    assert await store.failing_endpoints() == []
    with pytest.raises(NotFound):
        await store.enable_endpoint(one.id)


# -- many again --------------------------------------------------------------------------------------------------


async def finished(store: Store) -> None:
    """Of three calls each a failed and a held row, and a done one; and a failed one of another account."""
    for i in range(3):
        at = T0 + 10 * i
        await put(
            store,
            outbox_row(f"failed-{i}", subject=f"c{i}", sequence=1, url=URL + "?x=1", created_at=at, due_at=T0),
            outbox_row(f"done-{i}", subject=f"d{i}", url="https://other.example/", created_at=at, due_at=T0),
        )  # fmt: skip
    await put(store, outbox_row("foreign", account_id=OTHER.id, subject="f"))
    leased = await store.lease_outbox("one", now=T0 + 50, until=T0 + 90, limit=100)
    done = [Delivery(row.id, "done" if row.id.startswith("done") else "failed", T0, 500, "x") for row in leased]
    await store.finish_outbox("one", done, now=T0 + 50)


async def again(store: Store, limit: int = 100, **wishes: object) -> list[str]:
    wanted = replace(ReplayFilter(ACCOUNT.id), **wishes)  # type: ignore[arg-type]
    count, place = 0, START
    while place is not None:
        more, place = await store.replay_some(wanted, now=T0 + 60, after=place, limit=limit)
        count += more
    due = sorted(row_id for row_id, state in (await states(store)).items() if state == "due")
    assert len(due) == count
    return due


@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_all_that_failed_is_sent_again_of_one_account(store: Store, limit: int) -> None:
    await finished(store)
    assert await again(store, limit) == ["failed-0", "failed-1", "failed-2"]


async def test_a_replay_is_of_a_range_of_time_and_of_what_was_sent_too_if_asked_for(store: Store) -> None:
    await finished(store)
    assert await again(store, since=T0 + 10, until=T0 + 20, states=("done", "failed", "held")) == ["done-1", "failed-1"]


async def test_a_replay_is_of_one_endpoint_or_one_subaccount(store: Store) -> None:
    await finished(store)
    assert await again(store, endpoint="https://other.example/") == []
    assert await again(store, subaccount_id=SUB.id) == []
    assert await again(store, endpoint=URL, until=T0 + 5) == ["failed-0"]


async def test_only_what_was_held_is_sent_again_when_that_is_asked_for(store: Store) -> None:
    await finished(store)
    await put(store, outbox_row("kept", subject="k"))
    await end(store, "held", now=T0 + 55)
    assert await again(store, states=("held",)) == ["kept"]


async def test_rows_of_one_lane_go_again_in_their_order(store: Store) -> None:
    await put(store, *(outbox_row(f"r{9 - i}", sequence=i, url=URL) for i in range(3)))
    for _ in range(3):
        await end(store, "failed")
    await store.replay_some(ReplayFilter(ACCOUNT.id), now=T0 + 60, after=START, limit=100)
    assert await states(store) == {"r9": "due", "r8": "waiting", "r7": "waiting"}


async def test_a_replay_counts_its_tries_anew_and_knows_of_those_before(store: Store) -> None:
    await put(store, outbox_row())
    await end(store, "due")
    await end(store, "failed", now=T0 + 2)
    await store.replay_outbox("row-1", T0 + 60)
    (row,) = await store.lease_outbox("one", now=T0 + 60, until=T0 + 90, limit=1)
    assert (row.attempts, row.replayed) == (0, 2)
    await store.finish_outbox("one", [Delivery("row-1", "failed", T0 + 61)], now=T0 + 61)
    await store.replay_some(ReplayFilter(ACCOUNT.id), now=T0 + 70, after=START, limit=1)
    (row,) = await store.lease_outbox("one", now=T0 + 70, until=T0 + 90, limit=1)
    assert (row.attempts, row.replayed) == (0, 3)


async def test_a_webhook_is_found_by_its_account_and_id_only(store: Store) -> None:
    await put(store, outbox_row(secret="whsec_5a1"))
    assert await store.webhook(ACCOUNT.id, "row-1") == outbox_row(secret="whsec_5a1")
    for account_id, row_id in ((OTHER.id, "row-1"), (ACCOUNT.id, "row-2")):
        with pytest.raises(NotFound):
            await store.webhook(account_id, row_id)


async def test_the_operators_webhooks_are_deleted_too(store: Store) -> None:
    await put(store, outbox_row("told", account_id=OPERATOR, created_at=T0))
    await end(store, "done")
    assert await store.forget_webhooks(T0 + 1, 10) == 1
    assert await states(store) == {}


async def test_an_endpoint_at_which_nothing_failed_for_long_is_forgotten_unless_it_is_disabled_and_configured(
    store: Store,
) -> None:
    await store.set_endpoint(Endpoint(ACCOUNT.id, "native", URL + "?tenant=7"))
    other = "https://other.example/of-a-session"
    await store.note_endpoints([note(1, gone=True), note(1, gone=True, url=other)], Patience(), now=T0)
    await store.note_endpoints([note(1, url="https://short.example/")], Patience(), now=T0)
    await store.note_endpoints([note(1, T0 + 9, url="https://later.example/")], Patience(), now=T0)
    assert await store.forget_webhooks(T0 + FAILING_LONGER, 10) == 0
    assert len(await store.failing_endpoints()) == 4
    await store.forget_webhooks(T0 + FAILING_LONGER + 1, 10)
    assert {one.url for one in await store.failing_endpoints()} == {URL, "https://later.example/"}


async def test_of_an_account_whose_sessions_bring_urls_without_end_some_are_remembered(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("sql_outbox", "memory_outbox"):
        monkeypatch.setattr(f"maskline.storage.{module}.MOST_FAILING", 3)
    urls = [f"https://hooks.example/{i}" for i in range(5)]
    await store.note_endpoints([note(1, url=url) for url in urls], Patience(), now=T0)
    await store.note_endpoints([note(2, url=url) for url in urls], Patience(), now=T0)
    assert {one.url: one.failures for one in await store.failing_endpoints()} == dict.fromkeys(urls[:3], 3)
    await store.note_endpoints([note(0, url=urls[0]), note(1, url=urls[4])], Patience(), now=T0)
    assert {one.url for one in await store.failing_endpoints()} >= {*urls[1:3]}


async def test_of_a_backlog_the_oldest_and_the_newest_are_taken(store: Store) -> None:
    """Else what comes while a receiver has hundreds of thousands of rows would wait behind all of them."""
    rows = [outbox_row(f"row-{number}", subject=f"call-{number}", due_at=T0 + number) for number in range(9)]
    await store.announce(rows)
    taken = await store.lease_outbox("one", now=T0 + 60, until=T0 + 90, limit=5)
    assert {row.id for row in taken} == {"row-0", "row-1", "row-2", "row-7", "row-8"}
    (oldest,) = await store.lease_outbox("two", now=T0 + 60, until=T0 + 90, limit=1)
    assert oldest.id == "row-3"
    assert await store.lease_outbox("two", now=T0 + 60, until=T0 + 90, limit=0) == []
    assert len(await store.lease_outbox("two", now=T0 + 60, until=T0 + 90, limit=4)) == 3
