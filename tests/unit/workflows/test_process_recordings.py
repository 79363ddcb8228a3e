"""Recordings on their way to a file: leased, made, told, tried again, taken up after a crash, deleted by age."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from maskline.clock import VirtualClock
from maskline.errors import ConfigurationError, Conflict, Gone, LinkRefused, NotFound, StoreUnavailable
from maskline.ids import SeededIds
from maskline.masking.facts import RecordingCompleted, RecordingFailed
from maskline.masking.recording import Recording, RecordingStatus
from maskline.media.recordings.job import Destination, Done, Job
from maskline.media.recordings.vault import seal_file
from maskline.storage.kept import PushConfig
from maskline.storage.memory import MemoryStore
from maskline.storage.store import Endpoint
from maskline.workflows.delete_recording import delete_recording
from maskline.workflows.get_recording import get_recording
from maskline.workflows.open_recording import OpenRecording
from maskline.workflows.process_recordings import RETRIES, ProcessRecordings, RecordingPlan, result_of
from maskline.workflows.recording_links import RecordingLinks
from maskline.workflows.scope import Scope
from maskline.workflows.uploaded_outbox import uploaded_row_id
from tests.support.recordings import recording, recording_end
from tests.support.store_values import ACCOUNT, OTHER, SUB, T0, call_facts, recorded_call

LINKS = RecordingLinks(b"k" * 32, "https://masking.example", 600.0)
KEY = bytes(range(32))
GOOD = Done(T0 + 12.5, T0 + 40.0, 27_500, 9000, True, "2023-11-14/rec-1.mp3")
SCOPE = Scope(ACCOUNT.id)


async def eventually(true: Callable[[], bool], seconds: float = 30.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110  jobs are polled from outside, as an operator would
            await asyncio.sleep(0)


class World:
    def __init__(self, folder: Path) -> None:
        self.store = MemoryStore()
        self.clock = VirtualClock(T0 + 100)
        self.plan = RecordingPlan(folder / "recordings", folder / "spool", KEY, retention_days=1)
        self.told = 0
        self.jobs: list[tuple[Job, float]] = []
        self.answers: list[Done] = []
        self.hold = asyncio.Event()
        self.hold.set()
        self.process = ProcessRecordings(
            self.store, self.clock, SeededIds(1), self.plan, LINKS, self._tell, run_job=self.run_job
        )
        self.folder = folder

    def _tell(self) -> None:
        self.told += 1

    async def run_job(self, job: Job, limit: float) -> Done:
        self.jobs.append((job, limit))
        await self.hold.wait()
        return self.answers.pop(0) if self.answers else GOOD

    def spool(self, name: str = "rec-1") -> str:
        self.plan.spools.mkdir(exist_ok=True)
        path = self.plan.spools / f"{name}.spool"
        path.write_bytes(b"x")
        path.with_name(path.name + ".2").write_bytes(b"x")
        return json.dumps({"path": str(path), "format": "maskline", "legs": []})

    async def stopped(self, name: str = "rec-1", **changes: object) -> Recording:
        one = recording(name, call_id=f"call-{name}", spool=self.spool(name), **changes)
        facts = call_facts(one.call_id)
        await self.store.commit_calls(
            [recorded_call(one.call_id, facts=facts, recording=one, recording_end=recording_end(name))]
        )
        return await self.store.recording(ACCOUNT.id, name)

    async def until(self, true: Callable[[], bool]) -> None:
        task = asyncio.ensure_future(self.process.run())
        await eventually(true)
        self.process.stop()
        await task

    async def status(self, name: str = "rec-1") -> RecordingStatus:
        return (await self.store.recording(ACCOUNT.id, name)).status


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    world = World(tmp_path)
    for account in (ACCOUNT, OTHER, SUB):
        await world.store.add_account(account)
    yield world


class TestMaking:
    async def test_a_stopped_recording_is_made_told_and_its_spool_removed(self, world: World) -> None:
        await world.stopped()
        await world.until(lambda: world.process.made == 1 and not world.process.busy)
        done = await world.store.recording(ACCOUNT.id, "rec-1")
        assert (done.status, done.duration_ms, done.spool, done.partial) == (
            RecordingStatus.COMPLETED, 27_500, "", False,
        )  # fmt: skip
        assert list(world.plan.spools.iterdir()) == []
        job, limit = world.jobs[0]
        assert (job.recording_id, job.started_at, job.ended_at, job.key) == ("rec-1", T0 + 12.5, T0 + 40, KEY.hex())
        assert limit == pytest.approx(300 + 27.5 / 4)
        assert await world.store.facts("rec-1") == [
            RecordingCompleted("rec-1", 1, T0 + 100, "call-rec-1", 27_500, False)
        ]
        rows = [row for row in await world.store.outbox(ACCOUNT.id) if row.event == "SessionRecordingCompleted"]
        told = dict(parse_qsl(rows[0].body.decode(), keep_blank_values=True))
        assert (told["SequenceNumber"], rows[0].sequence, told["RecordingDuration"]) == ("7", 8, "28")
        assert "RecordingPartial" not in told
        assert told["RecordingURL"].startswith("https://masking.example/recordings/rec-1.mp3?")
        assert world.told == 1

    async def test_without_a_callback_url_only_the_fact_tells(self, world: World) -> None:
        await world.stopped(callback_url="")
        await world.until(lambda: world.process.made == 1)
        assert world.told == 0
        assert len(await world.store.facts("rec-1")) == 1

    @pytest.mark.row("8x8:9/VRU")
    async def test_an_upload_is_told_to_who_asked_for_it(self, world: World) -> None:
        await world.store.set_endpoint(
            Endpoint(SUB.id, "eight.recording", "https://h.example/r", "Bearer x", secret="whsec_x")
        )
        await world.store.set_endpoint(Endpoint(ACCOUNT.id, "eight.recording", "https://h.example/", enabled=False))
        pushed = "sftp://files.example:22/in/call-rec-1/rec-1_2023-11-14T22-13-32Z.mp3"
        world.answers = [replace(GOOD, pushed=pushed), replace(GOOD, pushed=pushed), GOOD]
        await world.stopped("rec-1", subaccount_id=SUB.id, callback_url="")
        await world.stopped("rec-2", callback_url="")
        await world.stopped("rec-3", subaccount_id=SUB.id, callback_url="")
        await world.until(lambda: world.process.made == 3)
        (row,) = [row for row in await world.store.outbox(ACCOUNT.id) if row.dialect == "eight"]
        assert (row.id, row.event, row.authorization, row.secret) == (
            uploaded_row_id("rec-1"), "CALL_RECORDING_STATUS", "Bearer x", "whsec_x",
        )  # fmt: skip
        assert json.loads(row.body)["payload"] == {
            "sessionId": "call-rec-1", "subAccountId": SUB.name, "recordingId": "rec-1", "durationSeconds": 28,
            "filePath": "/in/call-rec-1/rec-1_2023-11-14T22-13-32Z.mp3", "status": "UPLOAD_COMPLETED",
        }  # fmt: skip
        assert world.told == 1

    async def test_it_goes_where_its_account_says_and_the_servers_key_is_kept(self, world: World) -> None:
        config = PushConfig(ACCOUNT.id, "SFTP", "203.0.112.7", 22, "u", "/in", "pw", changed_at=T0)
        await world.store.set_push_config(config)
        world.answers = [replace(GOOD, host_key="ssh-ed25519 AAAA"), replace(GOOD, host_key="ssh-ed25519 AAAA")]
        await world.stopped("rec-1")
        await world.stopped("rec-2")
        await world.until(lambda: world.process.made == 2)
        first, second = (job.destination for job, _ in world.jobs)
        assert first is not None
        assert second is not None
        assert (first.host, first.host_key, first.trust_first) == ("203.0.112.7", "", True)
        assert second.host_key == "ssh-ed25519 AAAA"
        assert await world.store.push_config(ACCOUNT.id) == replace(config, host_key="ssh-ed25519 AAAA")

    async def test_a_server_that_customers_may_not_reach_gets_nothing_and_is_tried_again(self, world: World) -> None:
        await world.store.set_push_config(PushConfig(ACCOUNT.id, "SFTP", "127.0.0.1", 22, "u", "/in", "pw"))
        await world.stopped()
        task = asyncio.ensure_future(world.process.run())
        async with asyncio.timeout(30):
            while not (await world.store.recording(ACCOUNT.id, "rec-1")).upload_failed:  # noqa: ASYNC110  as above
                await asyncio.sleep(0)
        world.process.stop()
        await task
        assert world.jobs == []
        found = await world.store.recording(ACCOUNT.id, "rec-1")
        assert (found.status, found.attempts, "MASKLINE_EGRESS_ALLOW" in found.error) == (
            RecordingStatus.STOPPED, 1, True,
        )  # fmt: skip

    async def test_what_the_spool_lacks_makes_it_partial(self, world: World) -> None:
        await world.stopped()
        world.answers = [replace(GOOD, whole=False)]
        await world.until(lambda: world.process.made == 1)
        assert (await world.store.recording(ACCOUNT.id, "rec-1")).partial
        (row,) = [row for row in await world.store.outbox(ACCOUNT.id) if row.event == "SessionRecordingCompleted"]
        assert row.body.endswith(b"&SequenceNumber=7&RecordingPartial=true")

    async def test_no_more_than_allowed_are_made_at_a_time(self, world: World) -> None:
        await world.stopped("rec-1")
        await world.stopped("rec-2")
        world.hold.clear()
        task = asyncio.ensure_future(world.process.run())
        await eventually(lambda: bool(world.jobs))
        await asyncio.sleep(0)
        assert (len(world.jobs), world.process.busy) == (1, 1)
        world.hold.set()
        await eventually(lambda: world.process.made == 2)
        world.process.stop()
        await task

    async def test_a_stop_cancels_the_job_and_the_recording_stays_to_be_made(self, world: World) -> None:
        await world.stopped()
        world.hold.clear()
        await world.until(lambda: bool(world.jobs))
        assert await world.status() is RecordingStatus.PROCESSING
        assert await world.process.recover() == 1
        assert await world.status() is RecordingStatus.STOPPED

    async def test_a_notice_wakes_it(self, world: World) -> None:
        task = asyncio.ensure_future(world.process.run())
        await asyncio.sleep(0)
        await world.stopped()
        world.process.notify()
        await eventually(lambda: world.process.made == 1, 0.5)
        world.process.stop()
        await task


class TestFailing:
    async def test_a_failure_is_tried_again_with_growing_pauses(self, world: World) -> None:
        await world.stopped()
        world.answers = [Done(error="The S3 storage did not take the file.")]
        await world.until(lambda: bool(world.jobs) and not world.process.busy)
        one = await world.store.recording(ACCOUNT.id, "rec-1")
        assert (one.status, one.due_at, one.error) == (
            RecordingStatus.STOPPED, T0 + 100 + RETRIES[0], "The S3 storage did not take the file.",
        )  # fmt: skip
        assert world.told == 0
        assert await world.store.facts("rec-1") == []

    async def test_what_would_not_help_is_given_up_told_and_its_spool_kept(self, world: World) -> None:
        await world.stopped()
        world.answers = [Done(error="The call used a codec.", permanent=True)]
        await world.until(lambda: world.process.failed == 1)
        assert await world.store.facts("rec-1") == [
            RecordingFailed("rec-1", 1, T0 + 100, "call-rec-1", "The call used a codec.")
        ]
        events = [row.event for row in await world.store.outbox(ACCOUNT.id)]
        assert "SessionRecordingFailed" in events
        assert len(list(world.plan.spools.iterdir())) == 2

    def test_after_the_last_try_it_is_given_up(self) -> None:
        for attempts, status in ((len(RETRIES), RecordingStatus.STOPPED), (len(RETRIES) + 1, RecordingStatus.FAILED)):
            result = result_of(recording(attempts=attempts), Done(error="no"), T0)
            assert result.status is status
        assert result_of(recording(attempts=2), Done(error="no"), T0).due_at == T0 + RETRIES[1]

    async def test_a_store_that_is_away_is_waited_for(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("maskline.workflows.process_recordings._POLL", 0.001)
        await world.stopped()
        lease, finish = world.store.lease_recording, world.store.finish_recording
        failures = {"lease": 2, "finish": 2}

        async def lease_recording(owner: str, *, now: float, until: float) -> Recording | None:
            failures["lease"] -= 1
            if failures["lease"] >= 0:
                raise StoreUnavailable
            return await lease(owner, now=now, until=until)

        async def finish_recording(*values: object, **named: object) -> bool:
            failures["finish"] -= 1
            if failures["finish"] >= 0:
                raise StoreUnavailable
            return await finish(*values, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(world.store, "lease_recording", lease_recording)
        monkeypatch.setattr(world.store, "finish_recording", finish_recording)
        await world.until(lambda: world.process.made == 1)
        assert len(world.jobs) == 1

    async def test_a_result_that_comes_after_the_lease_is_dropped(self, world: World) -> None:
        await world.stopped()
        world.hold.clear()
        task = asyncio.ensure_future(world.process.run())
        await eventually(lambda: bool(world.jobs))
        assert await world.store.recover_recordings(T0 + 9999) == 1
        world.hold.set()
        await eventually(lambda: not world.process.busy)
        world.process.stop()
        await task
        assert world.process.made == 0
        assert await world.store.facts("rec-1") == []

    async def test_a_bug_in_what_follows_a_job_counts_as_a_try_too(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await world.stopped()

        async def broken(*_: object) -> None:
            monkeypatch.undo()
            raise ValueError

        monkeypatch.setattr(world.process, "_tell", broken)
        await world.until(lambda: bool(world.jobs) and not world.process.busy)
        one = await world.store.recording(ACCOUNT.id, "rec-1")
        assert (one.status, one.due_at, one.attempts) == (RecordingStatus.STOPPED, T0 + 100 + RETRIES[0], 1)

    async def test_a_bug_in_one_job_leaves_the_others_alone_and_is_tried_again_soon(self, world: World) -> None:
        await world.stopped("rec-1")

        async def broken(job: Job, limit: float) -> Done:
            world.process._run_job = world.run_job
            raise ValueError

        world.process._run_job = broken
        await world.stopped("rec-2")
        await world.until(lambda: world.process.made == 1)
        assert {await world.status("rec-1"), await world.status("rec-2")} == {
            RecordingStatus.STOPPED, RecordingStatus.COMPLETED,
        }  # fmt: skip
        one = await world.store.recording(ACCOUNT.id, "rec-1")
        assert (one.due_at, one.error) == (T0 + 100 + RETRIES[0], "An internal error occurred.")


class TestStart:
    async def test_what_a_crash_left_is_made_up_to_its_last_packet(self, world: World) -> None:
        one = recording(spool=world.spool())
        await world.store.commit_calls([recorded_call(record=None, interaction=None, outbox=(), recording=one)])
        assert await world.process.recover() == 1
        world.clock.advance(10)
        await world.until(lambda: world.process.made == 1)
        assert world.jobs[0][0].ended_at is None
        facts = await world.store.facts("rec-1")
        assert isinstance(facts[0], RecordingCompleted)
        assert facts[0].partial

    async def test_spools_nobody_needs_are_removed(self, world: World) -> None:
        done = recording(spool=world.spool("rec-1"), status=RecordingStatus.COMPLETED)
        await world.store.commit_calls([recorded_call(recording=done)])
        world.spool("never-committed")
        kept = recording("rec-3", call_id="call-3", spool=world.spool("rec-3"), status=RecordingStatus.FAILED)
        await world.store.commit_calls([recorded_call("call-3", recording=kept)])
        assert await world.process.recover() == 0
        assert sorted(path.name for path in world.plan.spools.iterdir()) == ["rec-3.spool", "rec-3.spool.2"]
        assert (await world.store.recording(ACCOUNT.id, "rec-1")).spool == ""

    async def test_a_destination_that_cannot_work_ends_the_start(self, world: World) -> None:
        readable = os.devnull

        async def start(to: Destination) -> int:
            plan = replace(world.plan, destination=to)
            process = ProcessRecordings(world.store, world.clock, SeededIds(1), plan, LINKS, lambda: None)
            return await process.recover()

        assert await start(Destination("s3", "p", bucket="b")) == 0
        assert await start(Destination("sftp", "p", key_file=readable, known_hosts=readable)) == 0
        with pytest.raises(ConfigurationError, match="MASKLINE_RECORDING_SFTP_KEY_FILE"):
            await start(Destination("sftp", "p", key_file="/none", known_hosts=readable))


class TestDeleting:
    async def completed(self, world: World, **changes: object) -> Recording:
        (world.folder / "plain").write_bytes(b"audio" * 100)
        (world.plan.folder / "2023-11-14").mkdir(parents=True)
        seal_file(world.folder / "plain", world.plan.folder / GOOD.file, KEY, "rec-1")
        await world.stopped(**changes)
        await world.until(lambda: world.process.made == 1)
        return await world.store.recording(ACCOUNT.id, "rec-1")

    @pytest.mark.row("8x8:9/undocumented")
    async def test_old_files_are_deleted_and_young_ones_kept(self, world: World) -> None:
        await self.completed(world)
        assert not await world.process.forget()
        assert (world.plan.folder / GOOD.file).exists()
        world.clock.advance(86_400)
        assert not await world.process.forget()
        assert not (world.plan.folder / GOOD.file).exists()
        assert await world.status() is RecordingStatus.DELETED

    async def test_what_cannot_be_deleted_is_not_said_to_be(self, world: World) -> None:
        await self.completed(world)
        (world.plan.folder / GOOD.file).unlink()
        (world.plan.folder / GOOD.file).mkdir()
        world.clock.advance(86_400)
        assert not await world.process.forget()
        assert await world.status() is RecordingStatus.COMPLETED

    async def test_a_spool_that_cannot_be_removed_is_tried_again_at_the_next_start(self, world: World) -> None:
        (world.folder / "spool" / "rec-1.pcap").mkdir(parents=True)
        spool = json.dumps({"path": str(world.folder / "spool" / "rec-1.pcap"), "format": "pcap", "legs": []})
        done = recording(spool=spool, status=RecordingStatus.COMPLETED)
        await world.store.commit_calls([recorded_call(recording=done)])
        await world.process.recover()
        assert (await world.store.recording(ACCOUNT.id, "rec-1")).spool == spool

    async def test_nothing_is_deleted_when_all_is_to_be_kept(self, world: World) -> None:
        await self.completed(world)
        forever = ProcessRecordings(
            world.store, world.clock, SeededIds(1), replace(world.plan, retention_days=0), LINKS, lambda: None
        )
        world.clock.advance(1e9)
        assert not await forever.forget()
        assert await world.status() is RecordingStatus.COMPLETED

    async def test_a_deletion_by_request_removes_the_file(self, world: World) -> None:
        await self.completed(world)
        await delete_recording(world.store, world.plan, SCOPE, "rec-1")
        assert not (world.plan.folder / GOOD.file).exists()
        with pytest.raises(NotFound):
            await delete_recording(world.store, world.plan, SCOPE, "rec-1")

    async def test_what_goes_on_cannot_be_deleted(self, world: World) -> None:
        await world.stopped()
        with pytest.raises(Conflict):
            await delete_recording(world.store, world.plan, SCOPE, "rec-1")

    async def test_a_subaccount_sees_its_own_only(self, world: World) -> None:
        await world.stopped(subaccount_id=SUB.id)
        assert (await get_recording(world.store, Scope(ACCOUNT.id, SUB.id), "rec-1")).id == "rec-1"
        with pytest.raises(NotFound):
            await get_recording(world.store, Scope(ACCOUNT.id, "SA" + "Z" * 18), "rec-1")

    async def test_a_link_opens_the_file_until_it_is_over_or_deleted(self, world: World) -> None:
        one = await self.completed(world)
        opener = OpenRecording(world.store, world.clock, LINKS, world.plan)
        link = dict(parse_qsl(LINKS.download("rec-1", "mp3", world.clock.wall()).partition("?")[2]))
        expires, signature = int(link["expires"]), link["signature"]
        with await opener.by_link("rec-1", "mp3", expires, signature) as file:
            assert b"".join(file.read(0, file.size)) == b"audio" * 100
        with pytest.raises(LinkRefused):
            await opener.by_link("rec-1", "mp3", expires + 1, signature)
        wav = dict(parse_qsl(LINKS.download("rec-1", "wav", world.clock.wall()).partition("?")[2]))
        with pytest.raises(NotFound):
            await opener.by_link("rec-1", "wav", int(wav["expires"]), wav["signature"])
        (world.plan.folder / one.file).unlink()
        with pytest.raises(Gone, match="cannot be read"):
            await opener.by_link("rec-1", "mp3", expires, signature)
        await delete_recording(world.store, world.plan, SCOPE, "rec-1")
        with pytest.raises(Gone, match="was deleted"):
            await opener.by_link("rec-1", "mp3", expires, signature)
        world.clock.advance(601)
        with pytest.raises(Gone, match="expired"):
            await opener.by_link("rec-1", "mp3", expires, signature)

    @pytest.mark.parametrize(("pushed", "sentence"), [("", "not finished yet"), ("s3://b/x", "not kept here")])
    async def test_what_is_not_here_is_said(self, world: World, pushed: str, sentence: str) -> None:
        opener = OpenRecording(world.store, world.clock, LINKS, world.plan)
        with pytest.raises(NotFound, match=sentence):
            await opener.of(recording(pushed=pushed))
