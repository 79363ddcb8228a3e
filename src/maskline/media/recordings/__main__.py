"""One job in a process of its own: `python -m maskline.media.recordings`, the job as JSON on stdin, its result on
stdout.

What it is: convert, push, seal, in that order, and nothing left behind but the sealed file. What it is not: the owner
of the spool, which stays until the result is committed. Who runs it: `runner.py`, niced and with a time limit; a repeat
after any crash writes the same files again.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from maskline.media.recordings.convert import ConversionError, convert
from maskline.media.recordings.job import Done, Job, done_to_json, job_from_json, stored_name
from maskline.media.recordings.push import Pushed, PushFailed, push
from maskline.media.recordings.vault import seal_file
from maskline.media.spool import Spooled, SpooledCodecs, SpoolError, read_pcap, read_spool, spool_parts
from maskline.sdp.session import Codec

_NICENESS = 10


def main() -> int:
    os.nice(_NICENESS)
    os.umask(0o077)
    job = job_from_json(sys.stdin.read())
    sys.stdout.write(done_to_json(work(job)))
    return 0


def work(job: Job) -> Done:
    """Never raises for what a spool, a disk or a server may do; a bug shows as the process's failure."""
    folder = Path(job.folder)
    plain = folder / f".{job.recording_id}.{secrets.token_hex(4)}.{job.format}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in folder.glob(f".{job.recording_id}.*"):
            left.unlink()  # of a process that was killed
        return _make(job, folder, plain)
    except (ConversionError, SpoolError) as error:
        return Done(error=str(error), permanent=True)
    except PushFailed as error:
        return Done(error=str(error), upload_failed=True)
    except OSError as error:
        return Done(error=f"A file cannot be read or written: {error.strerror}.")
    finally:
        with suppress(OSError):
            plain.unlink()


def _make(job: Job, folder: Path, plain: Path) -> Done:
    made = convert(_records(job), plain, job.format, started_at=job.started_at, ended_at=job.ended_at)
    name = file_name(job)
    pushed = push(plain, name, job.destination) if job.destination else Pushed(0, "")
    kept = ""
    if job.keep_local or not job.destination:
        kept = f"{_day(job)}/{job.recording_id}.{job.format}"
        (folder / kept).parent.mkdir(mode=0o700, exist_ok=True)
        seal_file(plain, folder / kept, bytes.fromhex(job.key), job.recording_id)
    return Done(
        started_at=made.started_at, ended_at=made.started_at + made.duration, duration_ms=round(made.duration * 1000),
        size=plain.stat().st_size, whole=(made.closed or _is_pcap(job)) and not made.undecoded, file=kept,
        pushed=pushed.url, host_key=pushed.host_key,
    )  # fmt: skip


def file_name(job: Job) -> str:
    """In other storage."""
    name = stored_name(job.call_id, job.recording_id, job.started_at, job.format)
    return f"{_day(job)}/{name}" if job.destination is None or job.destination.by_day else name


def _day(job: Job) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(job.started_at))


def _is_pcap(job: Job) -> bool:
    return bool(json.loads(job.spool)["format"] == "pcap")


def _records(job: Job) -> Iterator[Spooled]:
    """Raises `ConversionError` when there is nothing to read."""
    spool: dict[str, Any] = json.loads(job.spool)
    parts = spool_parts(Path(spool["path"]))
    if not parts:
        raise ConversionError("The spool of the recording is gone.")
    if spool["format"] != "pcap":
        yield from read_spool(parts[0])
        return
    legs = {leg["port"]: 0 if leg["leg"] == "a" else 1 for leg in spool["legs"]}
    for leg in spool["legs"]:
        codecs = tuple(Codec(**codec) for codec in leg["codecs"])
        yield SpooledCodecs(job.started_at, legs[leg["port"]], codecs)
    for part in parts:
        yield from read_pcap(part, legs)


if __name__ == "__main__":
    sys.exit(main())
