"""Which parts a process has, and what follows from it: its database, its HTTP listener, the folder that is its own.

What it is: `maskline serve` has all parts; `maskline api`, `engine` and `deliver` have one each and share a PostgreSQL
database, a key and a data directory. What it is not: the parts (`app.py`), or the commands (`cli/serve.py`).
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Collection
from contextlib import AsyncExitStack
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from maskline.errors import ConfigurationError
from maskline.ids import Ids
from maskline.settings import Settings
from maskline.storage.kept import Owner
from maskline.workflows.trunk_report import LOCK

ENGINE_ID_FILE = "engine-id"


class Part(StrEnum):
    """Each is also the command of a process that has it alone."""

    API = "api"
    ENGINE = "engine"
    """SIP, media, prompts, the files of recordings."""
    DELIVER = "deliver"
    """Webhooks, and what is done from time to time: the end of sessions and of old rows, tables of calls."""


ALL = frozenset(Part)


class Listener(NamedTuple):
    """Where a process answers HTTP."""

    host: str
    port: int
    setting: str
    """That says the port."""


def name_of(parts: Collection[Part]) -> str:
    """The command."""
    return next(iter(parts)).value if len(parts) == 1 else "serve"


def check_database(parts: Collection[Part], settings: Settings) -> None:
    """Raises `ConfigurationError`: a file has one process."""
    if len(parts) < len(ALL) and settings.database_file is not None:
        raise ConfigurationError(
            f"maskline {name_of(parts)} is one of several processes on one database, which has to be PostgreSQL "
            "(MASKLINE_DATABASE_URL); on SQLite, maskline serve is all of them in one."
        )


def listener_of(parts: Collection[Part], settings: Settings) -> Listener:
    """The API's; a process without API has one of its own for /healthz and /metrics."""
    if Part.API in parts:
        return Listener(settings.http_host, settings.http_port, "MASKLINE_HTTP_PORT")
    if Part.ENGINE in parts:
        return Listener(settings.http_host, settings.engine_http_port, "MASKLINE_ENGINE_HTTP_PORT")
    return Listener(settings.http_host, settings.deliver_http_port, "MASKLINE_DELIVER_HTTP_PORT")


def take_folders(parts: Collection[Part], settings: Settings, running: AsyncExitStack) -> None:
    """Make the data directory; an engine holds its part of it alone until the stop: another one would take over the
    media workers of the first one and end their calls. The kernel drops the lock with the process, however that
    ends."""
    folder = settings.data_dir
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("spool", "recordings", "exports"):
            _make_private(folder / name)
        if Part.ENGINE in parts:
            settings.engine_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make_private(settings.engine_dir / "prompts")
            _lock(settings.engine_dir, running)
    except OSError as error:
        raise ConfigurationError(
            f"The data directory {folder} cannot be made or written: {error.strerror} (MASKLINE_DATA_DIR)."
        ) from None


def _make_private(folder: Path) -> None:
    """What holds audio is nobody's but ours, also when somebody made the folder before."""
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)


def _lock(folder: Path, running: AsyncExitStack) -> None:
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    running.callback(os.close, lock)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise ConfigurationError(
            f"Another maskline serve is running with the data directory {folder} (MASKLINE_DATA_DIR, or for several "
            "engines in one directory MASKLINE_ENGINE_ID)."
        ) from None


def owner_of(parts: Collection[Part], settings: Settings, ids: Ids) -> Owner:
    """As what this process is among those that live. Call it once the folder is ours."""
    listener = listener_of(parts, settings)
    if Part.ENGINE not in parts:
        return Owner(ids.uuid(), name_of(parts), socket.gethostname(), f"{listener.host}:{listener.port}")
    here = f"{settings.sip_host}:{settings.sip_port}"
    return Owner(engine_id_of(settings, ids), name_of(parts), socket.gethostname(), here)


def engine_id_of(settings: Settings, ids: Ids) -> str:
    """Whose calls an engine's are: the setting, or what an earlier start has made and kept. A token of letters, digits,
    `-` and `_`, so that it may stand in a URI's parameter. Call it once the folder is ours."""
    if settings.engine_id:
        return settings.engine_id
    file = settings.engine_dir / ENGINE_ID_FILE
    try:
        kept = file.read_text("ascii").strip() if file.exists() else ""
        if not kept:
            kept = ids.token(8)
            fresh = file.with_suffix(".new")
            fresh.write_text(kept + "\n", "ascii")
            fresh.replace(file)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The engine's id in {file} cannot be read or written: {error}.") from None
    return kept
