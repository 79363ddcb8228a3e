"""One recording's way from spool to file, as a value that goes into a process of its own and one that comes back.

What it is: the job, its result, and their JSON (a job holds keys and credentials, so it goes by stdin, never by the
command line or the environment). What it is not: the process (`runner.py` starts it, `__main__.py` is it).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any


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
