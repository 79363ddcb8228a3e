"""The vendor's own client, unmodified, lists, reads, downloads and deletes recordings on a real server.

Pointed at us as in test_plivo_sdk.py (plivo-vts.md §9.4, way a).
"""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import plivo
import plivo.rest.client
import pytest
from plivo.exceptions import InvalidRequestError, ResourceNotFoundError

from maskline.masking.recording import RecordingStatus
from maskline.media.recordings.vault import seal_file
from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.memory import MemoryStore
from maskline.storage.sqlite import SqliteStore
from maskline.workflows.create_account import create_account
from maskline.workflows.process_recordings import RecordingPlan
from maskline.workflows.recording_links import RecordingLinks
from tests.support.http_server import ServerThread, serving
from tests.support.recordings import recording
from tests.support.store_values import recorded_call

AUDIO = bytes(range(256)) * 2000
STORES = {"memory": MemoryStore, "sqlite": lambda: SqliteStore(None, Sealer(bytes(KEY_BYTES)))}


@pytest.fixture(params=list(STORES))
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ServerThread]:
    plan = RecordingPlan(tmp_path, tmp_path)
    (tmp_path / "plain").write_bytes(AUDIO)
    seal_file(tmp_path / "plain", tmp_path / "file", plan.key, "rec-1")
    links = RecordingLinks(b"k" * 32, "http://unused", 600.0)
    with serving(STORES[request.param], recordings=plan, links=links) as running:
        for constant in (
            "PLIVO_API_BASE_URI", "API_VOICE_BASE_URI", "API_VOICE_BASE_URI_FALLBACK_1", "API_VOICE_BASE_URI_FALLBACK_2"
        ):  # fmt: skip
            monkeypatch.setattr(plivo.rest.client, constant, running.url + "/v1/Account")
        yield running


@pytest.fixture
def client(server: ServerThread) -> Iterator[Any]:
    account = server.run(create_account(server.store, server.clock, server.ids, "Acme"))
    for one in (
        recording(account_id=account.id, status=RecordingStatus.COMPLETED, file="file", duration_ms=27_500),
        recording("rec-2", account_id=account.id, call_id="call-2", leg_id="leg-2"),
    ):
        share = recorded_call(one.call_id, account_id=account.id, record=None, interaction=None, outbox=(),
                              session_id=None, recording=one)  # fmt: skip
        server.run(server.store.commit_calls([share]))
    with plivo.RestClient(account.id, account.auth_token) as client:
        yield client


def test_recordings_are_listed_read_downloaded_and_deleted(client: Any) -> None:
    page = client.recordings.list(limit=20)
    assert {one.recording_id for one in page} == {"rec-1", "rec-2"}
    assert page.meta.total_count == 2
    assert [one.recording_id for one in client.recordings.list(call_uuid="leg-2")] == ["rec-2"]
    assert len(client.recordings.list(add_time__gt="2023-11-15 00:00:00").objects) == 0

    found = client.recordings.get("rec-1")
    assert (found.id, found.recording_duration_ms, found.recording_format) == ("rec-1", "27500.00000", "mp3")
    with urllib.request.urlopen(found.recording_url) as answer:
        assert answer.read() == AUDIO
    part = urllib.request.Request(found.recording_url, headers={"Range": "bytes=70000-140000"})
    with urllib.request.urlopen(part) as answer:
        assert (answer.status, answer.read()) == (206, AUDIO[70_000:140_001])

    found.delete()
    with pytest.raises(HTTPError, match="410"):
        urllib.request.urlopen(found.recording_url)
    with pytest.raises(ResourceNotFoundError):
        client.recordings.delete("rec-1")
    with pytest.raises(InvalidRequestError):
        client.recordings.delete("rec-2")
