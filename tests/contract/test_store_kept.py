"""The store contract: where recordings are pushed, exports of calls, and webhooks that go with a change of a number."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from maskline.errors import Conflict, NotFound
from maskline.masking.decision import NumberState
from maskline.masking.e164 import Number
from maskline.masking.recording import RecordingStatus
from maskline.storage.kept import EXPORT_STATES, ApiKey, ExportJob, PushConfig
from maskline.storage.store import Endpoint, Once, Store
from tests.support.recordings import recording as recording_of_call
from tests.support.store_values import (
    ACCOUNT,
    OTHER,
    SUB,
    T0,
    VN1,
    VN2,
    VN3,
    call_record,
    new_session,
    outbox_row,
    recorded_call,
    virtual_number,
)

CONFIG = PushConfig(
    SUB.id, "SFTP", "files.example", 22, "maskline", "/calls", "pa55word", "-----BEGIN …", changed_at=T0
)  # fmt: skip
NOW = time.time()
"""A database on a server goes by its own clock."""
MINUTE = {"now": NOW, "until": NOW + 60}
JOB = ExportJob("job-1", ACCOUNT.id, None, T0, T0 + 60, T0 + 100, T0 + 200, "https://voice.example")


async def test_a_removed_subaccount_leaves_no_key_no_endpoint_and_no_push_configuration(store: Store) -> None:
    for owner in (SUB.id, ACCOUNT.id):
        await store.add_api_key(ApiKey(f"key-{owner}", owner, "", T0), f"text-{owner}")
        await store.set_endpoint(Endpoint(owner, "eight.number", "https://hooks.example/8", "Bearer s3cret", ""))
        await store.set_push_config(replace(CONFIG, account_id=owner))
    await store.remove_subaccount(SUB.id, T0 + 1)
    assert await store.api_key(f"text-{SUB.id}") is None
    assert await store.api_keys(SUB.id) == []
    assert await store.endpoints(SUB.id) == []
    assert await store.push_config(SUB.id) is None
    assert await store.api_key(f"text-{ACCOUNT.id}") is not None
    assert len(await store.endpoints(ACCOUNT.id)) == 1
    assert await store.push_config(ACCOUNT.id) is not None, "where its recordings go from now on"


@pytest.mark.row("8x8:8/recording-push-config")
async def test_a_push_configuration_is_set_replaced_and_removed(store: Store) -> None:
    assert await store.push_config(SUB.id) is None
    await store.set_push_config(CONFIG)
    assert await store.push_config(SUB.id) == CONFIG
    assert await store.push_config(ACCOUNT.id) is None
    for secret in ("pa55word", "BEGIN"):
        assert secret not in repr(CONFIG)
    moved = PushConfig(SUB.id, "S3", "ap-southeast-1", 443, "AKIA", "bucket/calls", "s3cret", changed_at=T0 + 1)
    await store.set_push_config(moved)
    assert await store.push_config(SUB.id) == moved
    await store.remove_push_config(SUB.id)
    assert await store.push_config(SUB.id) is None
    with pytest.raises(NotFound):
        await store.remove_push_config(SUB.id)
    with pytest.raises(NotFound):
        await store.set_push_config(replace(CONFIG, account_id="SA-nobody"))


async def test_a_host_key_is_kept_with_the_configuration_it_was_seen_with(store: Store) -> None:
    await store.set_push_config(CONFIG)
    await store.keep_host_key(SUB.id, T0 - 1, "ssh-ed25519 of-an-older-one")
    assert await store.push_config(SUB.id) == CONFIG
    await store.keep_host_key(SUB.id, T0, "ssh-ed25519 AAAA")
    assert await store.push_config(SUB.id) == replace(CONFIG, host_key="ssh-ed25519 AAAA")
    await store.keep_host_key(OTHER.id, T0, "ssh-ed25519 AAAA")
    assert await store.push_config(OTHER.id) is None


async def test_an_export_is_moved_on_by_who_knows_its_state(store: Store) -> None:
    later = replace(JOB, id="job-0", created_at=T0 + 101, subaccount_id=SUB.id)
    for job in (later, JOB):
        await store.add_export(job)
    assert await store.export(ACCOUNT.id, JOB.id) == JOB
    assert await store.export_of_link(JOB.id) == JOB
    assert await store.count_exports(ACCOUNT.id) == 2
    assert await store.lease_export("one", **MINUTE) == replace(JOB, status="running")
    assert await store.count_exports(ACCOUNT.id) == 2
    assert not await store.finish_export("two", JOB.id, "succeeded", 12)
    assert await store.finish_export("one", JOB.id, "succeeded", 12)
    assert await store.export(ACCOUNT.id, JOB.id) == replace(JOB, status="succeeded", size=12)
    assert not await store.finish_export("one", JOB.id, "failed")
    assert not await store.cancel_export(JOB.id)
    assert await store.count_exports(ACCOUNT.id) == 1
    assert await store.cancel_export(later.id)
    assert (await store.export_of_link(later.id)).status == "cancelled"
    assert await store.lease_export("one", **MINUTE) is None
    assert not await store.cancel_export("job-9")
    assert {"queued", "running", "succeeded"} < set(EXPORT_STATES)


async def test_an_export_is_one_makers_until_its_lease_is_over(store: Store) -> None:
    assert await store.lease_export("one", **MINUTE) is None
    await store.add_export(JOB)
    running = replace(JOB, status="running")
    assert await store.lease_export("one", **MINUTE) == running
    assert await store.lease_export("two", **MINUTE) is None
    assert not await store.renew_export("two", JOB.id, **MINUTE)
    assert await store.renew_export("one", JOB.id, now=NOW, until=NOW)
    assert await store.lease_export("two", **MINUTE) == running
    assert not await store.renew_export("one", JOB.id, **MINUTE)
    assert not await store.finish_export("one", JOB.id, "failed")
    assert await store.lease_export("one", **MINUTE) is None
    assert await store.finish_export("two", JOB.id, "empty")


async def test_exports_of_one_maker_or_of_all_wait_again(store: Store) -> None:
    jobs = [replace(JOB, id=f"job-{i}", created_at=T0 + i) for i in range(3)]
    for job, owner in zip(jobs, ("one", "two", "one"), strict=True):
        await store.add_export(job)
        await store.lease_export(owner, **MINUTE)
    await store.finish_export("one", "job-2", "failed")
    await store.free_exports("one")
    assert [(await store.export_of_link(job.id)).status for job in jobs] == ["queued", "running", "failed"]
    await store.free_exports(None)
    assert [(await store.export_of_link(job.id)).status for job in jobs] == ["queued", "queued", "failed"]
    assert not await store.finish_export("two", "job-1", "succeeded")
    assert await store.lease_export("two", **MINUTE) == replace(jobs[0], status="running")


async def test_an_export_that_was_cancelled_is_nobodys(store: Store) -> None:
    await store.add_export(JOB)
    await store.lease_export("one", **MINUTE)
    assert await store.cancel_export(JOB.id)
    assert not await store.renew_export("one", JOB.id, **MINUTE)
    assert not await store.finish_export("one", JOB.id, "succeeded", 12)
    assert await store.lease_export("one", **MINUTE) is None


async def test_an_export_is_its_accounts_alone_and_goes_when_its_time_is_over(store: Store) -> None:
    await store.add_export(JOB)
    for owner, job_id in ((OTHER.id, JOB.id), (ACCOUNT.id, "job-9")):
        with pytest.raises(NotFound):
            await store.export(owner, job_id)
    with pytest.raises(NotFound):
        await store.export_of_link("job-9")
    with pytest.raises(NotFound):
        await store.add_export(replace(JOB, id="job-2", account_id="MA-nobody"))
    assert await store.exports_over(T0 + 199, 5) == []
    assert await store.exports_over(T0 + 200, 5) == [JOB]
    for _ in range(2):
        await store.remove_export(JOB.id)
    assert await store.exports_over(T0 + 200, 5) == []


@pytest.mark.row("8x8:8/exports")
async def test_calls_are_read_by_their_start_page_by_page(store: Store) -> None:
    calls = [
        call_record(f"call-{i}", started_at=T0 + at, subaccount_id=SUB.id if i % 2 else None)
        for i, at in enumerate((3, 1, 2, 2))
    ]
    await store.commit_calls([recorded_call(one.id, record=one, outbox=()) for one in calls])
    whole = {"since": T0, "until": T0 + 10, "limit": 10}
    found = await store.calls_between(ACCOUNT.id, None, after=(0.0, ""), **whole)
    assert [one.id for one in found] == ["call-1", "call-2", "call-3", "call-0"]
    assert found[0] == calls[1]
    behind = await store.calls_between(ACCOUNT.id, None, after=(T0 + 2, "call-2"), **whole)
    assert [one.id for one in behind] == ["call-3", "call-0"]
    of_sub = await store.calls_between(ACCOUNT.id, SUB.id, after=(0.0, ""), **whole)
    assert [one.id for one in of_sub] == ["call-1", "call-3"]
    part = await store.calls_between(ACCOUNT.id, None, since=T0 + 1, until=T0 + 3, after=(0.0, ""), limit=2)
    assert [one.id for one in part] == ["call-1", "call-2"]
    assert await store.calls_between(OTHER.id, None, after=(0.0, ""), **whole) == []


async def test_webhooks_go_with_a_number_that_is_added_or_changed(store: Store) -> None:
    new = virtual_number(Number("6531000099"))
    await store.add_number(new, T0, outbox=[outbox_row("added", subject=ACCOUNT.id)])
    with pytest.raises(Conflict):
        await store.add_number(new, T0, outbox=[outbox_row("twice", subject=ACCOUNT.id)])
    once = Once(ACCOUNT.id, "key", "print", T0 + 60)
    for row_id in ("changed", "again"):
        rows = [outbox_row(row_id, subject=ACCOUNT.id, sequence=2)]
        await store.update_number(replace(new, state=NumberState.UNHEALTHY), T0 + 5, once=once, outbox=rows)
    await store.announce([outbox_row("announced", subject=ACCOUNT.id, sequence=3)])
    assert {row.id for row in await store.outbox(ACCOUNT.id)} == {"added", "changed", "announced"}
    found = await store.number(new.number)
    assert found is not None
    assert (found.state, found.changed_at) == (NumberState.UNHEALTHY, T0 + 5)
    with pytest.raises(Conflict):
        await store.announce([outbox_row("announced", subject=ACCOUNT.id)])


async def test_the_state_of_a_webhook_is_told_by_its_id(store: Store) -> None:
    await store.announce([outbox_row("one")])
    assert (await store.outbox_state("one"), await store.outbox_state("two")) == ("due", None)


async def test_an_unhealthy_number_gets_no_new_session(store: Store) -> None:
    for number in (VN1, VN3):
        await store.update_number(virtual_number(number, state=NumberState.UNHEALTHY), T0)
    assert (await store.create_session(new_session())).virtual_number == VN2


async def test_what_a_failed_recording_failed_of_is_kept(store: Store) -> None:
    recording = recording_of_call(status=RecordingStatus.FAILED, upload_failed=True, error="not taken")
    await store.commit_calls([recorded_call(recording=recording)])
    assert await store.recording(recording.account_id, recording.id) == recording
