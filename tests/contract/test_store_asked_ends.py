"""The store contract: the wish that a call ends is kept with the call, whoever has it and whether or not it began."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from maskline.masking.facts import CallRequested
from maskline.storage.kept import LiveCall, Owner, RequestedFlow
from maskline.storage.live_store import LEASE
from maskline.storage.store import RecordedCall, Store
from tests.support.store_values import ACCOUNT, OTHER, SUB, T0, VN1, call_record

pytestmark = pytest.mark.usefixtures("our_clock")

FLOW = RequestedFlow("call-1", ACCOUNT.id, "request-1", "{}", "", None, T0)


def live(call_id: str = "call-1", **changes: Any) -> LiveCall:
    return replace(LiveCall(call_id, "e1", ACCOUNT.id, None, T0, b"state"), **changes)


def begun(call_id: str = "call-1", **changes: Any) -> RecordedCall:
    fact = CallRequested(call_id, 1, T0, "", VN1.e164)
    return RecordedCall((fact,), ACCOUNT.id, live=live(call_id, **changes))


def over(call_id: str = "call-1") -> RecordedCall:
    return RecordedCall((), ACCOUNT.id, record=call_record(call_id))


async def ask(store: Store, call_id: str = "call-1", account: str = ACCOUNT.id, sub: str | None = None) -> bool:
    return await store.ask_call_end(account, sub, call_id, now=T0 + 20)


async def lease(store: Store) -> list[RequestedFlow]:
    return await store.lease_requested_flows("e1", now=T0, until=T0 + 60, limit=10)


async def test_the_engine_that_has_the_call_finds_the_wish_until_the_call_is_over(store: Store) -> None:
    await store.commit_calls([begun(), begun("call-2")])
    assert await store.calls_to_end("e1") == []
    assert await ask(store) is True
    assert await ask(store) is True
    assert (await store.calls_to_end("e1"), await store.calls_to_end("e2")) == (["call-1"], [])
    # What is kept of the call meanwhile takes nothing away.
    await store.commit_calls([RecordedCall((), ACCOUNT.id, live=live(state=b"later"))])
    assert await store.calls_to_end("e1") == ["call-1"]
    assert {one.call_id: one.end_asked for one in await store.live_calls("e1")} == {"call-1": True, "call-2": False}
    await store.commit_calls([over()])
    assert await store.calls_to_end("e1") == []
    assert await ask(store) is False


async def test_whoever_takes_the_call_over_finds_the_wish_and_its_former_engine_does_not(store: Store) -> None:
    await store.renew_owner(Owner("e1", "engine", "host", "here"), now=T0)
    await store.commit_calls([begun()])
    await ask(store)
    (taken,) = await store.take_live_calls("e2", now=T0 + LEASE + 1, limit=10)
    assert taken == live(engine_id="e2", taken=1, end_asked=True)
    assert (await store.calls_to_end("e1"), await store.calls_to_end("e2")) == ([], ["call-1"])


async def test_the_next_start_of_an_engine_finds_the_wish(store: Store) -> None:
    await store.commit_calls([begun()])
    await ask(store)
    assert await store.take_live_calls("e1", now=T0, limit=10, own=True) == [live(taken=1, end_asked=True)]
    assert await store.calls_to_end("e1") == ["call-1"]


async def test_only_its_account_and_its_own_subaccount_may_ask(store: Store) -> None:
    await store.commit_calls([begun("call-1", subaccount_id=SUB.id), begun("call-2")])
    assert (await store.live_calls("e1"))[0].subaccount_id == SUB.id
    assert await ask(store, account=OTHER.id) is False
    assert await ask(store, "call-2", sub=SUB.id) is False
    assert await ask(store, "nothing") is False
    assert await store.calls_to_end("e1") == []
    assert await ask(store, sub=SUB.id) is True
    assert await ask(store, "call-2") is True
    assert sorted(await store.calls_to_end("e1")) == ["call-1", "call-2"]


@pytest.mark.parametrize("whose", [ACCOUNT.id, SUB.id])
async def test_a_flow_that_waits_is_leased_with_the_wish(store: Store, whose: str) -> None:
    await store.add_requested_flow(replace(FLOW, account_id=whose))
    await store.add_requested_flow(replace(FLOW, id="call-2", requested_at=T0 + 1))
    assert await ask(store) is True
    assert await lease(store) == [
        replace(FLOW, account_id=whose, unwanted=True),
        replace(FLOW, id="call-2", requested_at=T0 + 1),
    ]
    assert await store.release_requested_flow("e1", "call-1")
    assert [flow.unwanted for flow in await lease(store)] == [True]


async def test_of_a_flow_too_only_whose_it_is_may_ask(store: Store) -> None:
    await store.add_requested_flow(FLOW)
    await store.add_requested_flow(replace(FLOW, id="call-2", account_id=SUB.id))
    assert await ask(store, account=OTHER.id) is False
    assert await ask(store, account=OTHER.id, sub=SUB.id) is False
    assert await ask(store, sub=SUB.id) is False
    assert await ask(store, "call-2", sub=SUB.id) is True
    assert {flow.id: flow.unwanted for flow in await lease(store)} == {"call-1": False, "call-2": True}


async def test_a_wish_that_comes_between_lease_and_first_commit_goes_over_to_the_call(store: Store) -> None:
    await store.add_requested_flow(FLOW)
    await store.add_requested_flow(replace(FLOW, id="call-2"))
    await lease(store)
    assert await ask(store) is True
    await store.commit_calls([begun(), begun("call-2")])
    assert await store.calls_to_end("e1") == ["call-1"]
    assert await lease(store) == []


async def test_it_is_no_hindrance_where_such_a_call_is_over_with_its_first_commit(store: Store) -> None:
    await store.add_requested_flow(FLOW)
    await lease(store)
    await ask(store)
    fact = CallRequested("call-1", 1, T0, "", VN1.e164)
    await store.commit_calls([RecordedCall((fact,), ACCOUNT.id, record=call_record())])
    assert (await store.calls_to_end("e1"), await store.live_calls("e1")) == ([], [])
    assert await ask(store) is False
