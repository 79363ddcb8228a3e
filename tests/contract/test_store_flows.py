"""The store contract: call flows that were acknowledged are taken once, and none is lost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskline.errors import Conflict, IdempotencyMismatch, NotFound
from maskline.masking.facts import CallRequested
from maskline.storage.kept import RequestedFlow
from maskline.storage.store import Once, RecordedCall, Store
from tests.support.store_values import ACCOUNT, SUB, T0, VN1

pytestmark = pytest.mark.usefixtures("our_clock")

FLOW = RequestedFlow("flow-1", SUB.id, "request-1", '{"callflow": ["ü"]}', "order 7", T0 + 90.5, T0)
ONCE = Once(SUB.id, "key-1", "POST /callflows a", T0 + 60)


def flow(name: str, at: float = T0) -> RequestedFlow:
    return replace(FLOW, id=name, requested_at=at)


async def lease(store: Store, owner: str = "a", now: float = T0, limit: int = 10) -> list[RequestedFlow]:
    return await store.lease_requested_flows(owner, now=now, until=now + 60, limit=limit)


def began(name: str) -> RecordedCall:
    return RecordedCall((CallRequested(name, 1, T0, "", VN1.e164),), ACCOUNT.id)


async def test_a_flow_is_leased_as_it_was_kept_and_once(store: Store) -> None:
    assert await lease(store) == []
    assert await store.add_requested_flow(FLOW) == FLOW
    assert await lease(store) == [FLOW]
    assert await lease(store) == await lease(store, "b", T0 + 59) == []


async def test_one_without_an_end_of_its_validity_and_without_a_name_is_kept_too(store: Store) -> None:
    bare = replace(FLOW, valid_until=None, client_request_id="")
    await store.add_requested_flow(bare)
    assert await lease(store) == [bare]


async def test_the_oldest_are_leased_first_and_no_more_than_asked_for(store: Store) -> None:
    for second, name in enumerate(("first", "second", "third")):
        await store.add_requested_flow(flow(name, T0 + second))
    assert await lease(store, limit=2) == [flow("first"), flow("second", T0 + 1)]
    assert await lease(store, limit=2) == [flow("third", T0 + 2)]
    assert await lease(store, limit=0) == []


async def test_what_somebody_took_and_never_gave_back_is_marked(store: Store) -> None:
    await store.add_requested_flow(FLOW)
    await lease(store)
    for owner, at in (("b", T0 + 60), ("b", T0 + 120), ("a", T0 + 180)):
        assert await lease(store, owner, at) == [replace(FLOW, leased_before=True)]
        assert await lease(store, "c", at + 59) == []


async def test_one_that_is_given_back_is_as_if_nobody_had_taken_it(store: Store) -> None:
    await store.add_requested_flow(FLOW)
    assert await store.release_requested_flow("a", FLOW.id) is False
    await lease(store)
    assert await store.release_requested_flow("b", FLOW.id) is False
    assert await store.release_requested_flow("a", FLOW.id) is True
    assert await store.release_requested_flow("a", FLOW.id) is False
    assert await lease(store) == [FLOW]
    assert await store.release_requested_flow("a", "unknown") is False


async def test_the_calls_first_commit_removes_the_flow_for_good(store: Store) -> None:
    await store.add_requested_flow(FLOW)
    await store.add_requested_flow(flow("flow-2"))
    await lease(store)
    await store.commit_calls([began("flow-1")])
    await store.commit_calls([began("flow-1")])
    assert await lease(store, "b", T0 + 60) == [replace(flow("flow-2"), leased_before=True)]
    assert await store.release_requested_flow("a", "flow-1") is False


async def test_a_repeat_keeps_nothing_and_tells_the_first_ones_ids_also_when_that_is_over(store: Store) -> None:
    await store.add_requested_flow(FLOW, once=ONCE)
    again = replace(FLOW, id="flow-2", request_id="request-2", requested_at=T0 + 9)
    assert await store.add_requested_flow(again, once=ONCE) == replace(FLOW, requested_at=T0 + 9)
    assert await lease(store) == [FLOW]
    await store.commit_calls([began("flow-1")])
    assert (await store.add_requested_flow(again, once=ONCE)).id == "flow-1"
    assert await lease(store, "b", T0 + 600) == []
    with pytest.raises(IdempotencyMismatch):
        await store.add_requested_flow(again, once=replace(ONCE, fingerprint="another"))
    later = replace(again, requested_at=T0 + 60)
    assert await store.add_requested_flow(later, once=replace(ONCE, until=T0 + 120)) == later
    assert await lease(store, "b", T0 + 61) == [later]


async def test_a_flow_of_nobody_or_with_an_id_that_exists_is_refused(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.add_requested_flow(replace(FLOW, account_id="MA0"))
    await store.add_requested_flow(FLOW)
    with pytest.raises(Conflict):
        await store.add_requested_flow(FLOW)
