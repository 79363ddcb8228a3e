"""The store of a lab platform, opened beside it: a command per row would take half a second of CPU each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from maskline.lab.platform import Platform
from maskline.services import Services, opened_services
from maskline.settings import Settings


@asynccontextmanager
async def services_of(platform: Platform) -> AsyncIterator[Services]:
    """What the commands use; the platform may be running or not be started yet."""
    environment = platform.environment
    settings = Settings(
        database_url=environment["MASKLINE_DATABASE_URL"], key_file=Path(environment["MASKLINE_KEY_FILE"])
    )
    async with opened_services(settings) as services:
        yield services
