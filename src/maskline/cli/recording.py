"""`maskline recording`: the recordings of calls, their files, and their end."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from maskline.cli.context import chosen_accounts, find_in_accounts, run
from maskline.cli.output import JsonFlag, RevealFlag, emit, pairs, show_number, show_time, table
from maskline.errors import InvalidParameter
from maskline.masking.recording import Recording
from maskline.services import Services
from maskline.storage.filters import RecordingFilter
from maskline.workflows.delete_recording import delete_recording
from maskline.workflows.get_recording import get_recording, list_recordings
from maskline.workflows.open_recording import OpenRecording
from maskline.workflows.recording_outbox import file_url
from maskline.workflows.scope import Scope

app = typer.Typer(name="recording", help="Recordings of calls and their files.", no_args_is_help=True)

AccountFilter = Annotated[str | None, typer.Option("--account", metavar="ID", help="Only of this account.")]
RecordingId = Annotated[str, typer.Argument(help="Id of the recording.")]


@app.command("list")
def list_(
    account: AccountFilter = None,
    session: Annotated[str | None, typer.Option("--session", metavar="ID", help="Only of this session.")] = None,
    call: Annotated[str | None, typer.Option("--call", metavar="ID", help="Only of this call.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most this many.")] = 20,
    reveal: RevealFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """List recordings, newest first."""
    wanted = RecordingFilter(session_id=session, call_id=call)

    async def work(services: Services) -> list[Recording]:
        found: list[Recording] = []
        for owner in await chosen_accounts(services, account):
            page, _ = await list_recordings(services.store, Scope(owner), wanted, limit=limit)
            found += page
        return sorted(found, key=lambda one: one.started_at, reverse=True)[:limit]

    found = run(work)
    rows = [
        (
            one.id, show_time(one.started_at), f"{one.duration_ms / 1000:.1f} s", _status(one), one.format, one.size,
            show_number(one.caller, reveal), show_number(one.callee, reveal), one.error,
        )
        for one in found
    ]  # fmt: skip
    headings = ("recording", "started", "length", "status", "format", "bytes", "caller", "callee", "error")
    emit(as_json, {"recordings": [describe(one, reveal) for one in found]}, table(headings, rows, "No recording yet."))


@app.command("show")
def show(
    recording_id: RecordingId,
    account: AccountFilter = None,
    link: Annotated[bool, typer.Option("--link", help="With a signed link: whoever has it has the file.")] = False,
    reveal: RevealFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Show one recording."""

    async def work(services: Services) -> dict[str, Any]:
        found = await _find(services, account, recording_id)
        document = describe(found, reveal)
        if link:
            document["link"] = file_url(found, services.links, services.clock.wall())
        return document

    document = run(work)
    emit(as_json, document, pairs(document))


@app.command("fetch")
def fetch(
    recording_id: RecordingId,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="FILE", help="Where to write it; default: ID.mp3 or ID.wav here.")
    ] = None,
    account: AccountFilter = None,
    as_json: JsonFlag = False,
) -> None:
    """Write a recording's file in clear, for the owner alone. An existing file is not replaced."""

    async def work(services: Services) -> tuple[Path, int]:
        found = await _find(services, account, recording_id)
        opener = OpenRecording(services.store, services.clock, services.links, services.recordings)
        target = to or Path(f"{found.id}.{found.format}")
        with await opener.of(found) as file:
            _write(target, file.read(0, file.size))
            return target, file.size

    path, size = run(work)
    emit(as_json, {"file": str(path), "bytes": size}, f"{size} bytes written to {path}.")


@app.command("delete")
def delete(recording_id: RecordingId, account: AccountFilter = None, as_json: JsonFlag = False) -> None:
    """Delete a recording's file here; what was pushed elsewhere stays there."""

    async def work(services: Services) -> None:
        found = await _find(services, account, recording_id)
        await delete_recording(services.store, services.recordings, Scope(found.account_id), found.id)

    run(work)
    emit(as_json, {"recording_id": recording_id, "status": "deleted"}, f"Recording {recording_id} is deleted.")


@app.command("retry")
def retry(recording_id: RecordingId, account: AccountFilter = None, as_json: JsonFlag = False) -> None:
    """Try a failed recording again, whose audio was kept; the running server does it."""

    async def work(services: Services) -> None:
        found = await _find(services, account, recording_id)
        await services.store.retry_recording(found.account_id, found.id, services.clock.wall())

    run(work)
    emit(as_json, {"recording_id": recording_id, "status": "stopped"}, f"Recording {recording_id} is tried again.")


async def _find(services: Services, account: str | None, recording_id: str) -> Recording:
    return await find_in_accounts(
        services, account, "recording", lambda owner: get_recording(services.store, Scope(owner), recording_id)
    )


def _write(path: Path, pieces: Iterable[bytes]) -> None:
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.writelines(pieces)
    except OSError as error:
        raise InvalidParameter(f"The file {path} cannot be written: {error.strerror}.") from None


def _status(recording: Recording) -> str:
    return f"{recording.status}, partial" if recording.partial else recording.status


def describe(recording: Recording, reveal: bool) -> dict[str, Any]:
    return {
        "recording_id": recording.id,
        "account": recording.account_id,
        "subaccount": recording.subaccount_id,
        "session": recording.session_id,
        "call": recording.call_id,
        "status": recording.status.value,
        "error": recording.error,
        "caller": show_number(recording.caller, reveal),
        "callee": show_number(recording.callee, reveal),
        "virtual_number": recording.virtual_number.e164,
        "started": show_time(recording.started_at),
        "ended": show_time(recording.ended_at),
        "duration_ms": recording.duration_ms,
        "partial": recording.partial,
        "format": recording.format,
        "bytes": recording.size,
        "here": recording.downloadable,
        "pushed": recording.pushed,
        "tries": recording.attempts,
    }
