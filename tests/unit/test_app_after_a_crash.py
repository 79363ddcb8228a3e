"""The composition after a crash: what the former process left undone does not block anybody."""

from __future__ import annotations

import asyncio
import io
import json
import urllib.request
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
import soundfile

from maskline.app import Application
from maskline.lab.ports import free_port
from maskline.masking.facts import RecordingCompleted
from maskline.media.spool import SpoolWriter
from maskline.sdp.session import Codec
from maskline.setting_values import MediaChoice
from maskline.settings import Settings
from tests.support.logging import configured_logs
from tests.support.recordings import recording
from tests.support.spoken_rtp import Party, match, voice
from tests.support.store_values import ACCOUNT, T0, new_session, recorded_call, virtual_number

HOST = "127.0.0.1"

pytestmark = pytest.mark.usefixtures("tuned_interpreter")


async def test_a_session_that_was_in_a_call_when_the_process_died_can_be_called_again(tmp_path: Path) -> None:
    settings = Settings(
        database_url=f"sqlite:///{tmp_path / 'maskline.db'}", key_file=tmp_path / "maskline.key",
        data_dir=tmp_path / "data", http_port=free_port(),
        sip_port=free_port(), media=MediaChoice.NONE,
    )  # fmt: skip
    with configured_logs():
        application = Application(settings)
        store = application.services.store
        await store.open()
        await store.add_account(ACCOUNT)
        await store.add_number(virtual_number(), T0)
        await store.create_session(new_session())
        await store.commit_calls([recorded_call(record=None, interaction=None, calls_in_progress_delta=1)])
        assert (await store.session(ACCOUNT.id, "session-1")).calls_in_progress == 1
        await store.close()
        await application.start()
        assert (await store.session(ACCOUNT.id, "session-1")).calls_in_progress == 0
        await application.stop()


async def test_a_recording_cut_by_a_crash_is_made_told_and_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the spool of a process that was killed to the bytes behind the webhook's link."""
    monkeypatch.setattr("maskline.workflows.process_recordings._RECOVERY_PAUSE", 0.0)
    settings = Settings(
        database_url=f"sqlite:///{tmp_path / 'maskline.db'}", key_file=tmp_path / "maskline.key",
        data_dir=tmp_path / "data", http_port=free_port(),
        sip_port=free_port(), media=MediaChoice.NONE,
    )  # fmt: skip
    path = settings.data_dir / "spool" / "rec-1.spool"
    said, codecs = voice(2.0, 1), (Codec(0, "PCMU"),)
    spool = SpoolWriter(path, "rec-1", (codecs, codecs), clock=T0, wall=T0)
    for at, data in Party(said, started=T0).frames():
        spool.append(0, at, data)
    spool.flush()
    with path.open("ab") as torn:
        torn.write(b"\x01\x00\xff\xff half a record")
    with configured_logs():
        application = Application(settings)
        store = application.services.store
        await store.open()
        await store.add_account(ACCOUNT)
        where = json.dumps({"path": str(path), "format": "maskline", "legs": []})
        one = recording(format="wav", started_at=T0, spool=where, callback_url="http://192.0.2.1/hook")
        await store.commit_calls([recorded_call(record=None, interaction=None, outbox=(), recording=one)])
        await store.close()
        await application.start()
        async with asyncio.timeout(30):
            while path.exists():  # noqa: ASYNC110  removed last of all, by another process's result
                await asyncio.sleep(0.02)
        found = await store.recording(ACCOUNT.id, "rec-1")
        facts = await store.facts("rec-1")
        (row,) = await store.outbox(ACCOUNT.id)
        told = dict(parse_qsl(row.body.decode(), keep_blank_values=True))
        with await asyncio.to_thread(urllib.request.urlopen, told["RecordingURL"]) as answer:
            audio = await asyncio.to_thread(answer.read)
        await application.stop()
    assert found.partial
    assert [(type(fact), fact.at > 0) for fact in facts] == [(RecordingCompleted, True)]
    assert (row.event, told["RecordingDuration"]) == ("SessionRecordingCompleted", "2")
    samples, _ = soundfile.read(io.BytesIO(audio), dtype="int16", always_2d=True)
    assert match(samples[:, 0], said) > 0.99
    sealed = settings.data_dir / "recordings" / found.file
    assert audio[:64] not in sealed.read_bytes()
