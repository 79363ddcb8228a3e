"""`/messages/exports`: asked for, made in the background, fetched by a signed link, cancelled, gone."""

from __future__ import annotations

import asyncio
import csv
import io
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from maskline.errors import StoreUnavailable
from maskline.masking.redaction import Redaction
from maskline.webhooks.formats.eight_parts import iso_milliseconds
from maskline.workflows import process_exports
from maskline.workflows.exports import KEPT_SECONDS, MOST_WAITING, ExportPlan
from maskline.workflows.process_exports import ProcessExports
from maskline.workflows.recording_links import RecordingLinks
from tests.support.eight_api import RIDES, EightApi
from tests.support.store_values import ALICE, call_facts, call_record, recorded_call

pytestmark = pytest.mark.usefixtures("each_store")
PATH = "/messages/exports"


class Exporting(EightApi):
    """With two calls: one of the account, one of its subaccount."""

    async def begin(self, folder: Path) -> Exporting:
        self.plan = ExportPlan(
            folder / "exports", bytes(range(32)), b"r" * 32, RecordingLinks(b"k" * 32, "", 600.0, "exports")
        )
        await self.start(exports=self.plan)
        self.wall = self.clock.wall()
        await self.call("call-1", None)
        await self.call("call-2", self.rides.id)
        self.process = self.maker()
        return self

    def maker(self) -> ProcessExports:
        return ProcessExports(self.store, self.clock, self.ids, self.plan)

    async def call(self, call_id: str, subaccount_id: str | None, ago: float = 60.0) -> None:
        record = call_record(
            call_id, account_id=self.acme.id, subaccount_id=subaccount_id, session_id=None, started_at=self.wall - ago
        )
        facts = call_facts(call_id)
        await self.store.commit_calls(
            [recorded_call(call_id, facts=facts, account_id=self.acme.id, record=record, outbox=(), session_id=None,
                           interaction=None, calls_in_progress_delta=0)]
        )  # fmt: skip

    @asynccontextmanager
    async def processing(self) -> AsyncIterator[None]:
        await self.process.recover()
        task = asyncio.ensure_future(self.process.run())
        yield
        self.process.stop()
        await task

    async def requested(self, **body: str) -> str:
        status, answer = await self.ask("POST", PATH, json=body)
        assert status == 202
        return answer["jobId"]

    async def done(self, job_id: str) -> dict:
        """What the job says once it is over."""
        async with asyncio.timeout(30):
            while True:
                _, job = await self.ask("GET", f"{PATH}/{job_id}")
                if job["status"] not in ("queued", "running"):
                    return job
                await asyncio.sleep(0.01)

    async def fetched(self, job: dict) -> list[dict[str, str]]:
        answer = await self.http.get(job["data"][0])
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        return list(csv.DictReader(io.StringIO(answer.text)))

    async def delete(self, job_id: str) -> int:
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = await self.http.delete(f"{self.path}{PATH}/{job_id}", headers=headers)
        return answer.status_code


def platform(answer):
    status, body = answer
    assert uuid.UUID(body.pop("errorId"))
    assert body.pop("timestamp").endswith("Z")
    return status, body["code"], body["message"]


@pytest.mark.row("8x8:8/exports", "8x8:8/export-columns")
async def test_a_table_is_asked_for_made_and_fetched_by_a_signed_link(tmp_path: Path):
    api = await Exporting().begin(tmp_path)
    job_id = await api.requested()
    expires = iso_milliseconds(api.wall + KEPT_SECONDS)
    assert await api.ask("GET", f"{PATH}/{job_id}") == (200, {"status": "queued", "data": [], "expires": expires})
    async with api.processing():
        job = await api.done(job_id)
    assert (job["status"], job["expires"]) == ("succeeded", expires)
    lines = await api.fetched(job)
    assert [(one["SessionId"], one["SubAccountId"]) for one in lines] == [
        ("call-1", "Acme"), ("call-1", "Acme"), ("call-2", RIDES), ("call-2", RIDES),
    ]  # fmt: skip
    assert lines[0]["SourceEndpoint"] == ALICE.e164
    raw = b"".join(path.read_bytes() for path in api.plan.folder.iterdir())
    assert ALICE.digits.encode() not in raw
    assert [path.name for path in api.plan.folder.iterdir()] == [f"{job_id}.csv"]


async def test_a_subaccount_gets_its_own_calls_as_it_wants_numbers_seen(tmp_path: Path):
    api = await Exporting().begin(tmp_path)
    await api.store.update_account(replace(api.rides, redaction=Redaction.HASH, modified_at=api.wall))
    api.path = f"/api/v1/subaccounts/{RIDES}"
    job_id = await api.requested()
    async with api.processing():
        lines = await api.fetched(await api.done(job_id))
    assert {one["SessionId"] for one in lines} == {"call-2"}
    assert len(lines[0]["SourceEndpoint"]) == 32
    api.path = f"/api/v1/subaccounts/{api.acme.id}"
    assert platform(await api.ask("GET", f"{PATH}/{job_id}")) == (404, 4018, "Invalid jobId")


async def test_calls_of_a_removed_subaccount_show_no_numbers(tmp_path: Path):
    api = await Exporting().begin(tmp_path)
    await api.store.remove_subaccount(api.rides.id, api.wall)
    async with api.processing():
        lines = await api.fetched(await api.done(await api.requested()))
    seen = {(one["SubAccountId"], one["SourceEndpoint"]) for one in lines if one["Direction"] == "INBOUND"}
    assert seen == {("Acme", ALICE.e164), (api.rides.id, "")}


async def test_a_span_without_calls_is_empty_and_pages_are_put_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(process_exports, "PAGE", 1)
    api = await Exporting().begin(tmp_path)
    await api.call("call-3", None, ago=3600.0)
    times = {"from": iso_milliseconds(api.wall - 7200.0), "to": iso_milliseconds(api.wall - 120.0)}
    early = {"from": iso_milliseconds(api.wall - 7200.0), "to": iso_milliseconds(api.wall - 7000.0)}
    async with api.processing():
        part = await api.done(await api.requested(**times))
        whole = await api.done(await api.requested())
        none = await api.done(await api.requested(**early))
    assert [one["SessionId"] for one in await api.fetched(part)] == ["call-3", "call-3"]
    assert [one["SessionId"] for one in await api.fetched(whole)][::2] == ["call-3", "call-1", "call-2"]
    assert (none["status"], none["data"]) == ("empty", [])


async def test_a_job_that_waits_is_cancelled_and_one_that_is_done_goes_with_its_file(tmp_path: Path):
    api = await Exporting().begin(tmp_path)
    waiting = await api.requested()
    assert await api.delete(waiting) == 204
    assert (await api.ask("GET", f"{PATH}/{waiting}"))[1]["status"] == "cancelled"
    async with api.processing():
        made = await api.requested()
        job = await api.done(made)
    assert await api.delete(made) == 204
    assert platform(await api.ask("GET", f"{PATH}/{made}")) == (404, 4018, "Invalid jobId")
    assert list(api.plan.folder.iterdir()) == []
    assert (await api.http.get(job["data"][0])).status_code == 404


@pytest.mark.row("8x8:8.1/shape-platform")
async def test_an_unknown_job_is_4018(tmp_path: Path):
    api = await Exporting().begin(tmp_path)
    assert platform(await api.ask("GET", f"{PATH}/nobody")) == (404, 4018, "Invalid jobId")
    assert platform(await api.ask("DELETE", f"{PATH}/nobody")) == (404, 4018, "Invalid jobId")


@pytest.mark.parametrize(
    "body",
    [
        {"from": "yesterday"}, {"to": 5}, {"to": "2026-02-30T00:00:00Z"}, {"from": "2026-11-22"},
        {"from": "2026-11-02T00:00:00Z", "to": "2026-11-01T00:00:00Z"},
        {"from": "2026-01-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}, {"to": "1970-01-01T00:00:00Z"},
    ],
)  # fmt: skip
async def test_a_span_that_is_none_or_too_long_is_422(tmp_path: Path, body):
    api = await Exporting().begin(tmp_path)
    assert platform(await api.ask("POST", PATH, json=body))[:2] == (422, 1001)


async def test_an_account_waits_for_a_few_at_a_time(tmp_path: Path):
    api = await Exporting().begin(tmp_path)
    for _ in range(MOST_WAITING):
        await api.requested()
    assert platform(await api.ask("POST", PATH, json={}))[:2] == (429, 429)


async def test_a_link_is_for_its_file_alone_and_ends_with_the_job(tmp_path: Path):
    api = await Exporting().begin(tmp_path)
    async with api.processing():
        job_id = await api.requested()
        url = (await api.done(job_id))["data"][0]
    assert (await api.http.get(url[:-2] + "xx")).status_code == 403
    assert (await api.http.get(url.replace(job_id, "other"))).status_code == 403
    assert (await api.http.get(url.replace(".csv", ".mp3"))).status_code == 404
    (api.plan.folder / f"{job_id}.csv").write_bytes(b"changed")
    assert (await api.http.get(url)).status_code == 410
    api.clock.advance(KEPT_SECONDS)
    assert (await api.http.get(url)).status_code == 410


async def test_what_is_over_goes_and_what_a_killed_process_left_is_made(tmp_path: Path):
    api = await Exporting().begin(tmp_path)
    left = await api.requested()
    await api.store.lease_export("a dead one", now=api.wall, until=api.wall + 60)
    api.plan.folder.mkdir()
    (api.plan.folder / f".{left}.dead.csv").write_text("plain")
    async with api.processing():
        assert (await api.done(left))["status"] == "succeeded"
        assert [path.name for path in api.plan.folder.iterdir()] == [f"{left}.csv"]
        api.clock.advance(KEPT_SECONDS + 1)
        api.process.notify()
        async with asyncio.timeout(30):
            while list(api.plan.folder.iterdir()):  # noqa: ASYNC110  looked at from outside, as an operator would
                await asyncio.sleep(0.01)
    assert platform(await api.ask("GET", f"{PATH}/{left}"))[1] == 4018


async def test_a_maker_that_is_killed_when_its_job_is_done_leaves_no_plain_numbers(tmp_path: Path):
    """Nobody looks for drafts of that job any more."""
    api = await Exporting().begin(tmp_path)
    left: list[str] = []
    finish = api.store.finish_export

    async def finished(*values) -> bool:
        left.extend(path.name for path in api.plan.folder.iterdir() if path.name.startswith("."))
        return await finish(*values)

    api.store.finish_export = finished
    job_id = await api.requested()
    await api.process._drain()
    assert (await api.done(job_id))["status"] == "succeeded"
    assert left == []


async def test_one_that_cannot_be_made_fails_and_the_next_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    api = await Exporting().begin(tmp_path)
    monkeypatch.setattr(process_exports, "MOST_CALLS", 1)
    async with api.processing():
        assert (await api.done(await api.requested()))["status"] == "failed"
        monkeypatch.setattr(process_exports, "MOST_CALLS", 5)
        assert (await api.done(await api.requested()))["status"] == "succeeded"


async def test_one_that_is_cancelled_while_it_is_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    api = await Exporting().begin(tmp_path)
    job_id = await api.requested()
    append = process_exports._append
    loop = asyncio.get_running_loop()

    def cancel_first(*values) -> None:
        append(*values)
        asyncio.run_coroutine_threadsafe(api.delete(job_id), loop).result(5)

    monkeypatch.setattr(process_exports, "_append", cancel_first)
    async with api.processing():
        assert (await api.done(job_id))["status"] == "cancelled"
    assert list(api.plan.folder.iterdir()) == []


@dataclass
class Held:
    """A page of calls that is read when `goes_on` says so; others at once."""

    read: int = 0
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exporting], Held]:
    def hold(api: Exporting) -> Held:
        held, between = Held(), api.store.calls_between

        async def calls_between(*values, **named):
            held.read += 1
            if held.read == 1:
                held.begun.set()
                await held.goes_on.wait()
            return await between(*values, **named)

        monkeypatch.setattr(api.store, "calls_between", calls_between)
        return held

    return hold


async def test_of_two_processes_one_makes_a_job(tmp_path: Path, held):
    api = await Exporting().begin(tmp_path)
    first, page = api.maker(), held(api)
    job_id = await api.requested()
    making = asyncio.create_task(first._drain())
    await page.begun.wait()
    await api.maker()._drain()
    assert page.read == 1
    page.goes_on.set()
    await making
    assert (await api.done(job_id))["status"] == "succeeded"
    assert [path.name for path in api.plan.folder.iterdir()] == [f"{job_id}.csv"]


async def test_a_job_whose_maker_is_silent_is_made_by_another_one_and_once(tmp_path: Path, held):
    api = await Exporting().begin(tmp_path)
    first, page = api.maker(), held(api)
    job_id = await api.requested()
    making = asyncio.create_task(first._drain())
    await page.begun.wait()
    api.clock.advance(process_exports._LEASE)
    await api.maker()._drain()
    job = await api.done(job_id)
    assert job["status"] == "succeeded"
    page.goes_on.set()
    await making
    assert await api.done(job_id) == job
    assert len(await api.fetched(job)) == 4
    assert [path.name for path in api.plan.folder.iterdir()] == [f"{job_id}.csv"]


async def test_a_maker_says_that_it_is_at_it(tmp_path: Path, held):
    api = await Exporting().begin(tmp_path)
    page = held(api)
    job_id = await api.requested()
    making = asyncio.create_task(api.process._drain())
    await page.begun.wait()
    api.clock.advance(process_exports._LEASE - 1)
    other = asyncio.Event()
    begun, between = asyncio.Event(), api.store.calls_between

    async def calls_between(*values, **named):
        begun.set()
        await other.wait()
        return await between(*values, **named)

    api.store.calls_between = calls_between
    page.goes_on.set()
    await begun.wait()
    api.clock.advance(process_exports._LEASE - 1)
    await api.maker()._drain()
    assert not making.done()
    other.set()
    await making
    assert (await api.done(job_id))["status"] == "succeeded"
    assert page.read == 2


async def test_a_maker_that_is_stopped_leaves_its_job_to_others(tmp_path: Path, held):
    api = await Exporting().begin(tmp_path)
    page = held(api)
    job_id = await api.requested()
    making = asyncio.create_task(api.process._drain())
    await page.begun.wait()
    api.process.stop()
    page.goes_on.set()
    await making
    assert (await api.store.export_of_link(job_id)).status == "queued"
    assert list(api.plan.folder.iterdir()) == []


async def test_a_store_that_is_away_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    api = await Exporting().begin(tmp_path)
    monkeypatch.setattr(process_exports, "_POLL", 0.01)
    away = [StoreUnavailable(), StoreUnavailable()]
    over = api.store.exports_over

    async def exports_over(*values):
        if away:
            raise away.pop()
        return await over(*values)

    monkeypatch.setattr(api.store, "exports_over", exports_over)
    async with api.processing():
        assert (await api.done(await api.requested()))["status"] == "succeeded"
    assert away == []


async def test_a_job_whose_store_goes_away_in_the_middle_is_made_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    api = await Exporting().begin(tmp_path)
    monkeypatch.setattr(process_exports, "_POLL", 0.01)
    away = [StoreUnavailable()]
    between = api.store.calls_between

    async def calls_between(*values, **named):
        if away:
            raise away.pop()
        return await between(*values, **named)

    monkeypatch.setattr(api.store, "calls_between", calls_between)
    async with api.processing():
        assert (await api.done(await api.requested()))["status"] == "succeeded"
    assert away == []
