"""The store contract: what a process that died had leased is anybody's as soon as that is known."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from maskline.masking.recording import Recording, RecordingStatus
from maskline.masking.session import RequestedCall, SessionOptions
from maskline.storage.kept import ExportJob, RequestedFlow
from maskline.storage.store import Delivery, Store
from tests.support.recordings import recording, recording_end
from tests.support.store_values import ACCOUNT, T0, call_facts, new_session, outbox_row, recorded_call

pytestmark = pytest.mark.usefixtures("our_clock")

LATER = T0 + 16
"""When the dead are known to be dead: each lease here lasts longer."""


async def test_webhooks_of_the_dead_are_due_at_once_and_those_of_the_living_are_not(store: Store) -> None:
    await store.announce([outbox_row(), outbox_row("row-2", sequence=2), outbox_row("row-3", subject="call-2")])
    for owner in ("dead", "living"):
        await store.lease_outbox(owner, now=T0, until=T0 + 120, limit=1)
    assert await store.free_leases(["dead", "unknown"], now=LATER) == 1
    assert await store.next_outbox_due() == LATER
    (again,) = await store.lease_outbox("living", now=LATER, until=LATER + 120, limit=9)
    assert (again.id, again.attempts, again.leases, again.due_at) == ("row-1", 0, 2, LATER + 120)
    assert await store.finish_outbox("dead", [Delivery("row-1", "done", LATER, 200)], now=LATER) == [False]
    assert await store.free_leases(["dead"], now=LATER) == 0
    states = {row.id: row.state for row in await store.outbox(None)}
    assert states == {"row-1": "leased", "row-2": "waiting", "row-3": "leased"}


async def test_a_webhook_whose_lease_is_over_anyway_or_that_is_retried_keeps_its_time(store: Store) -> None:
    await store.announce([outbox_row(), outbox_row("row-2", subject="call-2")])
    await store.lease_outbox("dead", now=T0, until=T0 + 10, limit=2)
    await store.finish_outbox("dead", [Delivery("row-2", "due", T0 + 300, 500)], now=T0)
    assert await store.free_leases(["dead"], now=LATER) == 0
    assert {row.id: row.due_at for row in await store.outbox(None)} == {"row-1": T0 + 10, "row-2": T0 + 300}


async def test_nobody_dead_frees_nothing(store: Store) -> None:
    await store.announce([outbox_row()])
    await store.lease_outbox("living", now=T0, until=T0 + 120, limit=1)
    assert await store.free_leases([], now=LATER) == 0


async def test_a_call_that_the_dead_may_have_begun_is_too_old_for_whoever_takes_it(store: Store) -> None:
    asking = SessionOptions(session_expiry=600, initiate_call_to_first_party=True)
    for name in ("session-1", "session-2"):
        await store.create_session(new_session(name, options=asking))
    (taken,) = await store.lease_requested_calls("dead", now=T0, until=T0 + 60, limit=1)
    assert await store.free_leases(["dead"], now=LATER) == 1
    found = await store.lease_requested_calls("living", now=LATER, until=LATER + 60, limit=9)
    other = ({"session-1", "session-2"} - {taken.session_id}).pop()
    assert found == [RequestedCall(taken.session_id, ACCOUNT.id, 0.0), RequestedCall(other, ACCOUNT.id, T0)]
    assert await store.free_leases(["dead"], now=LATER) == 0


async def test_a_flow_that_the_dead_may_have_begun_says_so_to_whoever_takes_it(store: Store) -> None:
    flow = RequestedFlow("flow-1", ACCOUNT.id, "request-1", "{}", "", None, T0)
    await store.add_requested_flow(flow)
    await store.lease_requested_flows("dead", now=T0, until=T0 + 60, limit=1)
    assert await store.free_leases(["dead"], now=LATER) == 1
    assert await store.release_requested_flow("dead", flow.id) is False
    found = await store.lease_requested_flows("living", now=LATER, until=LATER + 60, limit=9)
    assert found == [replace(flow, leased_before=True)]


async def test_recordings_that_the_dead_were_making_are_made_by_others(store: Store) -> None:
    for number in (1, 2):
        await _stopped(store, recording(f"rec-{number}", call_id=f"call-{number}"))
    await store.lease_recording("dead", now=T0 + 50, until=T0 + 5000)
    await store.lease_recording("living", now=T0 + 50, until=T0 + 5000)
    assert await store.free_leases(["dead"], now=T0 + 60) == 1
    again = await store.lease_recording("living", now=T0 + 60, until=T0 + 5000)
    assert again is not None
    assert (again.status, again.attempts, again.partial) == (RecordingStatus.PROCESSING, 2, False)
    assert await store.lease_recording("living", now=T0 + 60, until=T0 + 5000) is None


async def test_tables_of_calls_that_the_dead_were_making_are_made_by_others(store: Store) -> None:
    now = time.time()  # a database on a server goes by its own clock
    for number in (1, 2):
        await store.add_export(ExportJob(f"job-{number}", ACCOUNT.id, None, T0, T0 + 9, T0 + number, now + 99))
    for owner in ("dead", "living"):
        await store.lease_export(owner, now=now, until=now + 60)
    assert await store.free_leases(["dead"], now=now) == 1
    assert not await store.finish_export("dead", "job-1", "empty")
    again = await store.lease_export("living", now=now, until=now + 60)
    assert again is not None
    assert again.id == "job-1"
    assert await store.lease_export("living", now=now, until=now + 60) is None


async def _stopped(store: Store, one: Recording) -> None:
    facts = call_facts(one.call_id)
    await store.commit_calls([
        recorded_call(one.call_id, facts=facts[:1], record=None, interaction=None, outbox=(), recording=one),
        recorded_call(one.call_id, facts=facts[1:], outbox=(), recording_end=recording_end(one.id)),
    ])  # fmt: skip
