"""The parts that every way into the product shares: settings, clock, ids and the opened store.

What it is: the small half of the composition, without network or web server, so that a command answers in a
moment. What it is not: the server (`app.py`). Who uses it: `app.py` and the commands of `cli/`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote

from maskline.clock import Clock, SystemClock
from maskline.errors import ConfigurationError
from maskline.ids import Ids, SystemIds
from maskline.media.recordings.job import Destination
from maskline.setting_values import read_destination
from maskline.settings import Settings
from maskline.storage.crypto import Sealer, load_key
from maskline.storage.migrate import Migration, Phase, migrate
from maskline.storage.open import open_database, open_store
from maskline.storage.store import Store
from maskline.workflows.build_outbox import NO_LINKS
from maskline.workflows.exports import ExportPlan
from maskline.workflows.process_recordings import RecordingPlan
from maskline.workflows.recording_links import RecordingLinks


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    clock: Clock
    ids: Ids
    store: Store
    installation: str = ""
    """Names this installation, the same in all its processes and after a restart; says nothing about the key."""
    recordings: RecordingPlan = field(default_factory=RecordingPlan)
    links: RecordingLinks = NO_LINKS
    exports: ExportPlan = field(default_factory=ExportPlan)
    redaction_key: bytes = field(default=b"", repr=False)
    """Of `masking.redaction.Redactor`."""


def build_services(settings: Settings, clock: Clock | None = None, ids: Ids | None = None) -> Services:
    """Read the key and build the store, not opened yet. Raises `ConfigurationError`.

    A missing key is made only together with the database: a new key beside an old database could not read one
    number in it, and would hide that the old key has to be looked for.
    """
    clock = clock or SystemClock()
    file = settings.database_file
    if file is None and not settings.key_file.exists():
        raise ConfigurationError(
            f"The key file {settings.key_file} is missing (MASKLINE_KEY_FILE); "
            "for a database that is new: maskline migrate makes both."
        )
    sealer = Sealer(load_key(settings.key_file, create=file is not None and not file.exists()))
    store = open_store(settings.database_url, sealer, connections=settings.database_connections)
    links = RecordingLinks(sealer.derived("recording links"), _base_url(settings), settings.recording_link_time)
    return Services(
        settings, clock, ids or SystemIds(), store, sealer.key_id.hex(),
        _recording_plan(settings, sealer.derived("recordings")), links, _export_plan(settings, sealer),
        sealer.derived("redaction"),
    )  # fmt: skip


def _base_url(settings: Settings) -> str:
    """What links begin with where no request says how we are reached."""
    host = f"[{settings.http_host}]" if ":" in settings.http_host else settings.http_host
    return settings.public_url or f"http://{host}:{settings.http_port}"


def _recording_plan(settings: Settings, key: bytes) -> RecordingPlan:
    return RecordingPlan(
        folder=settings.data_dir / "recordings", spools=settings.data_dir / "spool", key=key,
        destination=_destination(settings), keep_local=settings.recording_keep_local, jobs=settings.recording_jobs,
        retention_days=settings.recording_retention_days, s3_endpoint=settings.recording_s3_endpoint,
        allowed=settings.egress_networks,
    )  # fmt: skip


def _export_plan(settings: Settings, sealer: Sealer) -> ExportPlan:
    links = RecordingLinks(sealer.derived("export links"), _base_url(settings), settings.recording_link_time, "exports")
    return ExportPlan(settings.data_dir / "exports", sealer.derived("exports"), sealer.derived("redaction"), links)


def _destination(settings: Settings) -> Destination | None:
    parts = read_destination(settings.recording_destination)
    if parts is None:
        return None
    if parts.scheme == "s3":
        return Destination(
            "s3", parts.path.strip("/"), bucket=parts.netloc, endpoint=settings.recording_s3_endpoint,
            region=settings.recording_s3_region, key_id=settings.recording_s3_key_id,
            secret=settings.recording_s3_secret,
        )  # fmt: skip
    return Destination(
        "sftp", parts.path.rstrip("/"), host=parts.hostname or "", port=parts.port or 22,
        username=unquote(parts.username or ""), secret=settings.recording_sftp_password,
        key_file=settings.recording_sftp_key_file, known_hosts=settings.recording_sftp_known_hosts,
    )  # fmt: skip


async def migrate_database(settings: Settings, phase: Phase | None, *, dry_run: bool) -> Migration:
    """Make the tables of an empty database, and the key if it is missing; or take it from version to version."""
    database = open_database(settings.database_url)
    return await migrate(
        database, lambda: Sealer(load_key(settings.key_file, create=True)), phase=phase, dry_run=dry_run
    )


@asynccontextmanager
async def opened_services(settings: Settings) -> AsyncIterator[Services]:
    """`build_services` with the store open inside the block."""
    services = build_services(settings)
    await services.store.open()
    try:
        yield services
    finally:
        await services.store.close()
