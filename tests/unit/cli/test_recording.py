"""`maskline recording`: list, show, fetch, delete, retry."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from maskline.masking.recording import RecordingStatus
from maskline.media.recordings.vault import seal_file
from maskline.services import Services
from maskline.workflows.process_recordings import RecordingPlan
from maskline.workflows.recording_links import RecordingLinks
from tests.support.command_line import Cli
from tests.support.recordings import recording
from tests.support.store_values import ACCOUNT, ALICE, OTHER, recorded_call

AUDIO = b"sound" * 30_000


@pytest.fixture
def services(services: Services, tmp_path: Path) -> Services:
    folder = tmp_path / "recordings"
    folder.mkdir()
    (tmp_path / "plain").write_bytes(AUDIO)
    plan = RecordingPlan(folder, folder)
    seal_file(tmp_path / "plain", folder / "file", plan.key, "rec-1")
    with_files = replace(services, recordings=plan, links=RecordingLinks(b"k", "https://masking.example", 60.0))

    async def fill() -> None:
        await with_files.store.add_account(ACCOUNT)
        await with_files.store.add_account(OTHER)
        done = recording(status=RecordingStatus.COMPLETED, file="file", size=len(AUDIO), duration_ms=27_500, spool="")
        failed = recording("rec-2", call_id="call-2", status=RecordingStatus.FAILED, error="The disk is full.")
        for one in (done, failed):
            share = recorded_call(one.call_id, record=None, interaction=None, recording=one)
            await with_files.store.commit_calls([share])

    asyncio.run(fill())
    return with_files


def test_the_list_masks_parties_unless_revealed(cli: Cli) -> None:
    text = cli("recording", "list")
    assert text.code == 0
    assert "27.5 s" in text.out
    assert ALICE.digits not in text.out
    assert ALICE.e164 in cli("recording", "list", "--reveal").out
    listed = cli("recording", "list", "--call", "call-2", "--json").document["recordings"]
    assert [(one["recording_id"], one["error"]) for one in listed] == [("rec-2", "The disk is full.")]


def test_a_recording_that_lacks_its_end_is_marked(cli: Cli, services: Services) -> None:
    cut = recording("rec-3", call_id="call-3", status=RecordingStatus.COMPLETED, partial=True)
    share = recorded_call("call-3", record=None, interaction=None, recording=cut)
    asyncio.run(services.store.commit_calls([share]))
    lines = cli("recording", "list").out.splitlines()
    assert [line.split()[0] for line in lines if "completed, partial" in line] == ["rec-3"]


def test_nothing_recorded_yet_is_said(cli: Cli) -> None:
    assert "No recording yet." in cli("recording", "list", "--account", OTHER.id).out


def test_one_is_shown_and_its_link_only_when_asked_for(cli: Cli) -> None:
    shown = cli("recording", "show", "rec-1", "--json").document
    assert (shown["status"], shown["here"], shown["bytes"]) == ("completed", True, len(AUDIO))
    assert "link" not in shown
    linked = cli("recording", "show", "rec-1", "--link", "--json").document["link"]
    assert linked.startswith("https://masking.example/recordings/rec-1.mp3?")
    missing = cli("recording", "show", "none")
    assert (missing.code, missing.err) == (1, "error: There is no such recording.\n")


def test_a_file_is_fetched_in_clear_for_the_owner_and_never_replaced(cli: Cli, tmp_path: Path) -> None:
    assert cli("recording", "fetch", "rec-1", "--json").document == {"file": "rec-1.mp3", "bytes": len(AUDIO)}
    assert (tmp_path / "rec-1.mp3").read_bytes() == AUDIO
    assert (tmp_path / "rec-1.mp3").stat().st_mode & 0o777 == 0o600
    again = cli("recording", "fetch", "rec-1")
    assert (again.code, "File exists" in again.err) == (1, True)
    assert cli("recording", "fetch", "rec-1", "--to", str(tmp_path / "other")).code == 0
    assert "not finished" in cli("recording", "fetch", "rec-2").err


def test_a_deleted_file_is_gone(cli: Cli, services: Services) -> None:
    assert cli("recording", "delete", "rec-1").code == 0
    assert not (services.recordings.folder / "file").exists()
    assert cli("recording", "show", "rec-1", "--json").document["status"] == "deleted"
    assert cli("recording", "delete", "rec-1").code == 1


def test_a_failure_is_tried_again(cli: Cli) -> None:
    assert cli("recording", "retry", "rec-2").code == 0
    assert cli("recording", "show", "rec-2", "--json").document["status"] == "stopped"
    assert cli("recording", "retry", "rec-1").code == 1
