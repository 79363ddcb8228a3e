"""One recording's way from spool to file, as a value that goes into a process of its own and one that comes back.

What it is: the job, its result, and their JSON (a job holds keys and credentials, so it goes by stdin, never by the
command line or the environment). What it is not: the process (`runner.py` starts it, `__main__.py` is it).
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Destination:
    """Storage elsewhere; one of `s3` and `sftp`."""

    kind: str
    prefix: str
    """Path below which files are put; empty or without slashes at its ends."""
    bucket: str = ""
    endpoint: str = ""
    """URL of S3-compatible storage; empty: AWS."""
    region: str = ""
    key_id: str = ""
    secret: str = field(default="", repr=False)
    """S3's secret key, or SFTP's password."""
    host: str = ""
    port: int = 22
    username: str = ""
    key_file: str = ""
    known_hosts: str = ""
    """File with the server's key in the form of OpenSSH."""
    private_key: str = field(default="", repr=False)
    """SFTP: an OpenSSH private key, where there is no `key_file`."""
    host_key: str = ""
    """SFTP: the server's key, where there is no `known_hosts`."""
    trust_first: bool = False
    """SFTP: without either, any key is taken; `Done.host_key` says which it was."""
    shown_host: str = ""
    """The name of `host`, for URLs, where that is an address; empty: `host`."""
    by_day: bool = True
    """Whether there is a folder for each day."""


@dataclass(frozen=True, slots=True)
class Job:
    recording_id: str
    call_id: str
    format: str
    spool: str
    """`media.port.Spool` as JSON."""
    started_at: float
    ended_at: float | None
    """None: a crash ended it, and the last packet tells."""
    folder: str
    """Where sealed files are."""
    key: str = field(repr=False)
    """Of all recordings, in hex."""
    destination: Destination | None = None
    keep_local: bool = True


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a job. `error` empty: it succeeded."""

    started_at: float = 0.0
    ended_at: float = 0.0
    duration_ms: int = 0
    size: int = 0
    whole: bool = True
    """False: the spool's writer was killed, or a codec was met that cannot be decoded."""
    file: str = ""
    """Below `folder`; empty: not kept here."""
    pushed: str = ""
    error: str = ""
    """A sentence that names no number, path or credential."""
    permanent: bool = False
    """Trying again would not help."""
    upload_failed: bool = False
    """The file was made; it is the push that failed."""
    host_key: str = ""
    """Of the SFTP server, as it was seen."""


def job_to_json(job: Job) -> str:
    return json.dumps(asdict(job))


def job_from_json(text: str) -> Job:
    values: dict[str, Any] = json.loads(text)
    destination = values.pop("destination")
    return Job(**values, destination=Destination(**destination) if destination else None)


def done_to_json(done: Done) -> str:
    return json.dumps(asdict(done))


def done_from_json(text: str) -> Done:
    return Done(**json.loads(text))


def stored_name(call_id: str, recording_id: str, started_at: float, extension: str) -> str:
    """Of a file in other storage: call, recording and start, as 8x8 names them (8x8-wavecell.md §9). No number is in
    it, and no colon, which Windows servers cannot store (docs/decisions/0046)."""
    start = time.strftime("%Y-%m-%dT%H-%M-%SZ", time.gmtime(started_at))
    return f"{call_id}/{recording_id}_{start}.{extension}"


def stored_key(to: Destination, name: str) -> str:
    return f"{to.prefix}/{name}" if to.prefix else name


def s3_url(to: Destination, key: str) -> str:
    return f"s3://{to.bucket}/{key}"


def stored_path(url: str) -> str:
    """8x8's `filePath` of what was pushed to `url`: it begins with a slash and lacks S3's bucket."""
    return urlsplit(url).path
