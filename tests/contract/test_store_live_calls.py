"""The store contract: what calls that are not over can be recovered from."""

from __future__ import annotations

from typing import Any

from maskline.masking.facts import CallReceived, CallRouted
from maskline.masking.session import Role
from maskline.storage.kept import LiveCall
from maskline.storage.store import RecordedCall, Store
from tests.support.store_values import ACCOUNT, T0, TRUNK, VN1, call_facts, call_record, new_session, recorded_call


def live(call_id: str = "call-1", **changes: Any) -> LiveCall:
    values = {
        "engine_id": "e1", "account_id": ACCOUNT.id, "session_id": "session-1", "kept_at": T0 + 10,
        "state": b'[1,"+6581234510"]',
    } | changes  # fmt: skip
    return LiveCall(call_id, **values)


def begun(kept: LiveCall | None, call_id: str = "call-1", delta: int = 1) -> RecordedCall:
    facts = (
        CallReceived(call_id, 1, T0 + 10, TRUNK.id, VN1.digits),
        CallRouted(call_id, 2, T0 + 10, "session-1", Role.FIRST.value),
    )
    return RecordedCall(facts, ACCOUNT.id, session_id="session-1", calls_in_progress_delta=delta, live=kept)


async def test_a_call_is_live_from_its_keeping_to_its_record(store: Store) -> None:
    await store.commit_calls([begun(live())])
    assert await store.live_calls("e1") == [live()]
    assert await store.live_calls("e2") == []
    later = live(kept_at=T0 + 20, state=b"later")
    await store.commit_calls([RecordedCall((), ACCOUNT.id, live=later)])
    assert await store.live_calls("e1") == [later]
    await store.commit_calls([recorded_call(facts=call_facts()[2:])])
    assert await store.live_calls("e1") == []


async def test_of_one_commit_the_last_keeping_counts_and_none_of_a_call_that_is_over(store: Store) -> None:
    later = live(state=b"later")
    await store.commit_calls([begun(live()), RecordedCall((), ACCOUNT.id, live=later), begun(live("call-2"), "call-2")])
    assert await store.live_calls("e1") == [later, live("call-2")]
    over = recorded_call("call-3", facts=(), record=call_record("call-3"))
    await store.commit_calls([begun(live("call-3"), "call-3"), over])
    assert await store.live_calls("e1") == [later, live("call-2")]


async def test_they_come_in_the_order_of_their_keeping(store: Store) -> None:
    early, late = live("z", kept_at=T0), live("a", kept_at=T0 + 1)
    await store.commit_calls([begun(late, "a"), begun(early, "z")])
    assert await store.live_calls("e1") == [early, late]


async def test_a_session_is_in_progress_after_a_restart_while_a_call_of_it_lives(store: Store) -> None:
    await store.create_session(new_session())
    await store.commit_calls([begun(live())])
    assert await store.reset_calls_in_progress() == 0
    assert (await store.session(ACCOUNT.id, "session-1")).calls_in_progress == 1
    await store.commit_calls([recorded_call(facts=call_facts()[2:])])
    assert await store.reset_calls_in_progress() == 1
    assert (await store.session(ACCOUNT.id, "session-1")).calls_in_progress == 0
