"""The store contract: calls that sessions ask for at their creation are taken once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from maskline.masking.facts import CallNotStarted, CallRequested, Cause
from maskline.masking.session import NewSession, RequestedCall, SessionOptions
from maskline.storage.store import Once, RecordedCall, Store
from tests.support.store_values import ACCOUNT, CAROL, T0, VN1, new_session, outbox_row

pytestmark = pytest.mark.usefixtures("our_clock")

ONCE = Once(ACCOUNT.id, "key-1", "POST /Session a=b", T0 + 60)
FACT = CallNotStarted("call-1", 1, T0 + 70, "session-1", Cause.SHUTDOWN)


def asking(session_id: str = "session-1", **changes: Any) -> NewSession:
    options = SessionOptions(session_expiry=600, initiate_call_to_first_party=True)
    return new_session(session_id, options=options, **changes)


def request(session_id: str = "session-1", at: float = T0) -> RequestedCall:
    return RequestedCall(session_id, ACCOUNT.id, at)


async def lease(store: Store, owner: str = "a", now: float = T0, limit: int = 10) -> list[RequestedCall]:
    return await store.lease_requested_calls(owner, now=now, until=now + 60, limit=limit)


async def test_a_session_that_asks_is_leased_once_and_one_that_does_not_never(store: Store) -> None:
    await store.create_session(new_session("silent"))
    assert await lease(store) == []
    await store.create_session(asking())
    assert await lease(store) == [request()]
    assert await lease(store) == await lease(store, "b", T0 + 59) == []


async def test_the_oldest_are_leased_first_and_no_more_than_asked_for(store: Store) -> None:
    for second, name in enumerate(("first", "second", "third")):
        await store.create_session(asking(name, created_at=T0 + second))
    assert await lease(store, limit=2) == [request("first"), request("second", T0 + 1)]
    assert await lease(store, limit=2) == [request("third", T0 + 2)]
    assert await lease(store, limit=0) == []


async def test_a_repeated_create_asks_for_no_second_call(store: Store) -> None:
    await store.create_session(asking(), once=ONCE)
    await store.create_session(asking("session-2"), once=ONCE)
    assert await lease(store) == [request()]
    await store.commit_calls([RecordedCall((CallRequested("c", 1, T0, "session-1", VN1.e164),), ACCOUNT.id)])
    await store.create_session(asking("session-3"), once=ONCE)
    assert await lease(store, now=T0 + 600) == []


async def test_the_calls_first_commit_removes_the_request_for_good(store: Store) -> None:
    await store.create_session(asking())
    await store.create_session(asking("session-2", second_party=CAROL))
    assert len(await lease(store)) == 2
    began = RecordedCall((CallRequested("c", 1, T0, "session-1", VN1.e164),), ACCOUNT.id)
    await store.commit_calls([began])
    await store.commit_calls([began])
    assert await lease(store, "b", T0 + 60) == [request("session-2")]


async def test_a_lease_that_is_over_may_be_taken_and_dropped_by_another_one_only(store: Store) -> None:
    await store.create_session(asking())
    await lease(store, "a")
    assert await lease(store, "b", T0 + 60) == [request()]
    assert await store.drop_requested_call("a", "session-1", FACT, [outbox_row()]) is False
    assert await store.facts("call-1") == []
    assert await store.outbox(ACCOUNT.id) == []
    assert await store.drop_requested_call("b", "session-1", FACT, [outbox_row()]) is True
    assert await store.facts("call-1") == [FACT]
    assert [row.id for row in await store.outbox(ACCOUNT.id)] == ["row-1"]
    assert await store.drop_requested_call("b", "session-1", replace(FACT, subject="c2"), []) is False
    assert await lease(store, now=T0 + 600) == []
