"""One job from spool to sealed file, in this process and in one of its own."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import struct
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import soundfile

from maskline.masking.facts import LegName
from maskline.media.port import Spool, SpoolLeg
from maskline.media.recordings import runner
from maskline.media.recordings.__main__ import file_name, work
from maskline.media.recordings.job import Destination, Job, done_from_json, job_from_json, job_to_json
from maskline.media.recordings.runner import run_job
from maskline.media.recordings.vault import SealedFile
from maskline.media.spool import SpoolWriter
from maskline.sdp.session import Codec
from tests.support.spoken_rtp import RATE, Party, match, voice

START = 1_800_000_000.0
KEY = bytes(range(32))
MU = (Codec(0, "PCMU"),)


def spool(folder: Path, seconds: float = 2.0, *, closed: bool = True) -> str:
    path = folder / "spool" / "rec.spool"
    writer = SpoolWriter(path, "rec", (MU, MU), clock=0.0, wall=START)
    for at, data in Party(voice(seconds, 1)).frames():
        writer.append(0, at - START, data)
    if closed:
        writer.close(seconds)
    else:
        writer.flush()
    return json.dumps({"path": str(path), "format": "maskline", "legs": []})


def job(at: Path, **changes: object) -> Job:
    base = Job("rec", "call", "wav", spool(at), START, START + 2.2, str(at / "recordings"), KEY.hex())
    return replace(base, **changes)  # type: ignore[arg-type]


def sound(folder: Path, file: str) -> tuple[object, int]:
    with SealedFile(folder / "recordings" / file, KEY, "rec") as sealed:
        samples, rate = soundfile.read(io.BytesIO(b"".join(sealed.read(0, sealed.size))), dtype="int16")
    return samples, rate


@pytest.mark.row("8x8:9/file")
def test_in_an_accounts_own_storage_there_is_no_folder_for_the_day(tmp_path: Path) -> None:
    theirs = replace(job(tmp_path, format="mp3"), destination=Destination("s3", "calls", by_day=False))
    assert file_name(theirs) == "call/rec_2027-01-15T08-00-00Z.mp3"


class TestWork:
    def test_a_spool_becomes_a_sealed_file_and_nothing_else_is_left(self, tmp_path: Path) -> None:
        done = work(job(tmp_path))
        assert (done.error, done.whole, done.duration_ms, done.pushed) == ("", True, 2200, "")
        assert done.file == "2027-01-15/rec.wav"
        samples, rate = sound(tmp_path, done.file)
        assert rate == RATE
        assert match(samples[:, 0], voice(2.0, 1)) > 0.99  # type: ignore[index]
        assert done.size == 44 + 4 * round(2.2 * RATE)
        files = [path for path in (tmp_path / "recordings").rglob("*") if path.is_file()]
        assert [path.name for path in files] == ["rec.wav"]

    def test_a_repeat_writes_the_same_and_tidies_up_after_a_killed_one(self, tmp_path: Path) -> None:
        one = job(tmp_path)
        assert work(one) == work(one)
        (tmp_path / "recordings" / ".rec.12345678.wav").write_bytes(b"half")
        work(one)
        assert [path.name for path in (tmp_path / "recordings").iterdir()] == ["2027-01-15"]

    def test_a_spool_that_was_not_closed_is_not_whole_and_ends_with_its_last_packet(self, tmp_path: Path) -> None:
        done = work(job(tmp_path, spool=spool(tmp_path / "x", closed=False), ended_at=None))
        assert not done.whole
        assert done.duration_ms == pytest.approx(2000, abs=40)

    def test_rtpengines_pcap_and_its_further_parts_are_read(self, tmp_path: Path) -> None:
        party = Party(voice(2.0, 1))
        for name, frames in (("rec.pcap", party.frames(0, 1)), ("rec.pcap.2", party.frames(1, 2))):
            data = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1)
            for at, packet in frames:
                ip = bytes(14) + bytes((0x45,)) + bytes(8) + b"\x11" + bytes(10)
                frame = ip + struct.pack(">HHHH", 9, 30_000, 8 + len(packet), 0) + packet
                data += struct.pack("<IIII", int(at), round((at % 1) * 1e6), len(frame), len(frame)) + frame
            (tmp_path / name).write_bytes(data)
        # As the engine writes it into the fact: what it writes and what is read here must be one.
        legs = (SpoolLeg(LegName.B, 30_002, MU), SpoolLeg(LegName.A, 30_000, MU))
        done = work(job(tmp_path, spool=Spool(str(tmp_path / "rec.pcap"), "pcap", legs).to_json()))
        assert (done.error, done.whole) == ("", True)
        samples, _ = sound(tmp_path, done.file)
        assert match(samples[:, 0], voice(2.0, 1)) > 0.99  # type: ignore[index]
        assert not samples[:, 1].any()  # type: ignore[index]

    def test_a_spool_that_is_gone_or_none_of_ours_is_given_up(self, tmp_path: Path) -> None:
        gone = json.dumps({"path": str(tmp_path / "none"), "format": "maskline", "legs": []})
        assert work(job(tmp_path, spool=gone)).permanent
        (tmp_path / "none").write_bytes(b"GIF89a")
        failed = work(job(tmp_path, spool=gone))
        assert failed.permanent
        assert "spool" in failed.error

    def test_a_disk_that_refuses_is_tried_again(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        failed = work(job(tmp_path, folder=str(tmp_path / "file" / "recordings")))
        assert (failed.permanent, failed.error) == (False, "A file cannot be read or written: Not a directory.")

    def test_a_destination_that_cannot_be_reached_is_tried_again(self, tmp_path: Path) -> None:
        nowhere = Destination("sftp", "/x", host="127.0.0.1", port=9, username="u", secret="p", known_hosts=os.devnull)
        failed = work(job(tmp_path, destination=nowhere))
        assert not failed.permanent
        assert failed.error.startswith("The SFTP server did not take the file")

    def test_names_elsewhere_say_day_call_recording_and_start(self, tmp_path: Path) -> None:
        assert file_name(job(tmp_path)) == "2027-01-15/call/rec_2027-01-15T08-00-00Z.wav"


class TestJson:
    def test_a_job_and_its_destination_come_back_as_they_were(self, tmp_path: Path) -> None:
        one = job(tmp_path)
        assert job_from_json(job_to_json(one)) == one
        pushed = replace(one, destination=Destination("s3", "p", bucket="b", secret="s"))
        assert job_from_json(job_to_json(pushed)) == pushed

    def test_neither_key_nor_secret_is_in_a_repr(self, tmp_path: Path) -> None:
        shown = repr(job(tmp_path, destination=Destination("s3", "p", secret="hush")))
        assert "hush" not in shown
        assert KEY.hex() not in shown


class TestProcess:
    async def test_a_job_runs_in_a_process_of_its_own(self, tmp_path: Path) -> None:
        done = await run_job(job(tmp_path, format="mp3"), 60.0)
        assert (done.error, done.file) == ("", "2027-01-15/rec.mp3")
        assert (tmp_path / "recordings" / done.file).exists()

    async def test_one_that_takes_too_long_is_killed(self, tmp_path: Path) -> None:
        done = await run_job(job(tmp_path), 0.0)
        assert (done.error, done.permanent) == ("Making the file took longer than 0 s.", False)

    async def test_one_that_ends_without_a_result_is_a_failure(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(runner, "_COMMAND", (sys.executable, "-c", "print('no json')"))
        assert "without a result" in (await run_job(job(tmp_path), 60.0)).error

    async def test_a_cancelled_one_is_killed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(runner, "_COMMAND", ("sleep", "60"))
        task = asyncio.ensure_future(run_job(job(tmp_path), 60.0))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    def test_a_job_killed_in_the_middle_leaves_a_spool_that_is_made_again(self, tmp_path: Path) -> None:
        one = job(tmp_path, spool=spool(tmp_path / "long", 60.0), ended_at=START + 60.0, format="mp3")
        process = subprocess.Popen(
            [sys.executable, "-m", "maskline.media.recordings"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdin is not None
        process.stdin.write(job_to_json(one).encode())
        process.stdin.close()
        folder = tmp_path / "recordings"
        deadline = time.monotonic() + 30.0
        while not list(folder.glob(".rec.*")):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (folder / "2027-01-15").exists()
        again = work(one)
        assert (again.error, again.duration_ms) == ("", 60_000)
        assert [path.name for path in folder.iterdir()] == ["2027-01-15"]

    def test_the_command_line_is_json_in_and_json_out(self, tmp_path: Path) -> None:
        ran = subprocess.run(
            [sys.executable, "-m", "maskline.media.recordings"], input=job_to_json(job(tmp_path)).encode(),
            capture_output=True, check=True,
        )  # fmt: skip
        assert done_from_json(ran.stdout.decode()).error == ""
