"""`maskline api`, `engine` and `deliver` on one PostgreSQL database: what one is asked for, another does."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from maskline.app import Application
from maskline.engine.inputs import Input, Stopped
from maskline.lab.inbox import Inbox
from maskline.lab.ports import free_port
from maskline.masking.call_record import CallRecord
from maskline.masking.facts import Cause
from maskline.masking.session import SessionOptions
from maskline.parts import Part
from maskline.settings import Settings
from maskline.storage import topics
from maskline.storage.crypto import KEY_BYTES
from maskline.storage.store import Store
from tests.support.calls import make_context
from tests.support.kept_calls import keeping
from tests.support.logging import configured_logs
from tests.support.postgres_server import database_url
from tests.support.store_values import ACCOUNT, CAROL, DAVE, T0, TRUNK, new_session, virtual_number
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("tuned_interpreter")


class Processes:
    def __init__(self, folder: Path) -> None:
        key = folder / "maskline.key"
        key.write_text(b64encode(bytes(KEY_BYTES)).decode())
        key.chmod(0o600)
        self.settings = Settings(
            database_url=database_url(), key_file=key, data_dir=folder / "data", media="none",  # type: ignore[arg-type]
            http_port=free_port(), engine_http_port=free_port(), deliver_http_port=free_port(), sip_port=free_port(),
            egress_allow="127.0.0.0/8",
        )  # fmt: skip
        self.api, self.engine, self.deliver = (Application(self.settings, parts={part}) for part in Part)
        self.all = (self.deliver, self.engine, self.api)

    @property
    def store(self) -> Store:
        """What the API's process has of it."""
        return self.api.services.store


def get(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
        body: bytes = answer.read()
    return body


@pytest.fixture
async def processes(tmp_path: Path) -> AsyncIterator[Processes]:
    with configured_logs():
        made = Processes(tmp_path)
        for each in made.all:
            await each.start()
        await made.store.add_account(ACCOUNT)
        await made.store.add_number(virtual_number(), T0)
        yield made
        for each in reversed(made.all):
            await each.drain(asyncio.Event().wait())
            await each.stop()


async def test_each_tells_of_its_own_part_alone(processes: Processes) -> None:
    ports = (processes.settings.http_port, processes.settings.engine_http_port, processes.settings.deliver_http_port)
    parts, metrics = [], []
    for port in ports:
        parts.append(set(json.loads(await asyncio.to_thread(get, port, "/healthz"))["parts"]))
        metrics.append((await asyncio.to_thread(get, port, "/metrics")).decode())
    assert parts == [{"store", "api"}, {"store", "engine"}, {"store", "deliver"}]
    assert ["maskline_calls_in_progress" in text for text in metrics] == [False, True, False]
    assert ["maskline_sessions_expired_total" in text for text in metrics] == [False, False, True]
    assert all("maskline_build_info" in text for text in metrics)


async def test_a_call_that_the_api_was_asked_for_is_the_engines_and_its_webhook_the_deliverers(
    processes: Processes,
) -> None:
    inbox = Inbox()
    await inbox.open()
    # There is no trunk, so the engine refuses to begin; it says so by a webhook.
    options = SessionOptions(initiate_call_to_first_party=True, callback_url=inbox.url("/hook"))
    clock = processes.api.services.clock
    await processes.store.create_session(new_session(options=options, created_at=clock.wall()))
    told = await inbox.wait_for(1, "/hook", 10.0)
    await inbox.close()
    assert len(told) == 1
    assert processes.deliver.deliverer.counts["plivo", "delivered"] == 1
    assert processes.engine.deliverer.tries == 0


async def test_the_end_of_a_session_reaches_the_engine_from_api_and_sweeper(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []
    monkeypatch.setattr(processes.engine.engine.core, "session_ended", lambda session_id, now: ended.append(session_id))
    wall = processes.api.services.clock.wall()
    await processes.store.create_session(new_session(created_at=wall))
    await processes.store.end_session(ACCOUNT.id, "session-1", now=wall, by_request=True, outbox=())
    await until(lambda: ended == ["session-1"], within=10.0)
    # One whose time is over is ended by the deliverer's sweeper.
    await processes.store.create_session(new_session("session-2", first_party=CAROL, second_party=DAVE, created_at=T0))
    await until(lambda: ended == ["session-1", "session-2"], within=10.0)


async def test_the_wish_that_a_call_ends_reaches_the_engine_that_has_it(
    processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told by the database, and found where nobody was told, as of a call that was taken over since."""
    asked: list[str] = []

    def note(call_id: str, inp: Input, now: float) -> None:
        assert isinstance(inp, Stopped) and inp.cause is Cause.ENDED_BY_REQUEST
        asked.append(call_id)

    monkeypatch.setattr(processes.engine.engine.core, "deliver", note)
    await processes.store.commit_calls([keeping("told", "another")])
    account = make_context().account_id
    assert await processes.store.ask_call_end(account, None, "told", now=T0)
    await until(lambda: "told" in asked, within=10.0)
    assert await processes.engine.services.store.calls_to_end(processes.engine.ends.owner) == []
    mine = keeping("found", processes.engine.owning.owner.id)
    await processes.store.commit_calls([mine])
    monkeypatch.setattr(topics, "CALL", "nothing that anybody hears")
    assert await processes.store.ask_call_end(account, None, "found", now=T0)
    await until(lambda: "found" in asked, within=10.0)


async def test_a_trunk_that_is_set_up_is_the_engines_at_its_next_look(processes: Processes) -> None:
    await processes.store.add_trunk(TRUNK, T0)
    await until(lambda: [one.name for one in processes.engine.router.table.all] == [TRUNK.name], within=10.0)


async def test_what_an_engine_leaves_is_another_ones_at_once(processes: Processes) -> None:
    await processes.store.commit_calls([keeping("call-1", "another")])
    await processes.store.end_owner("another")
    engine = processes.engine.services.store
    account = make_context().account_id
    records: list[CallRecord] = []

    async def look() -> None:
        while not records:
            records.extend(await engine.calls(account))
            await asyncio.sleep(0.02)

    await asyncio.wait_for(look(), 10)
    assert [record.cause for record in records] == [Cause.ENGINE_RESTARTED]
    kinds = {one.kind for one in await engine.owners() if one.until}
    assert kinds == {"api", "deliver", "engine"}


async def test_without_an_engine_nothing_is_refused_at_the_stop(processes: Processes) -> None:
    def unwanted(*_: Any) -> None:
        raise AssertionError("there is no engine here")

    processes.api.engine.drain = unwanted  # type: ignore[method-assign]
    await processes.api.drain(asyncio.Event().wait())
    health = await processes.api.health()
    assert not health["api"].ok
