"""The store of a lab platform, opened beside it: a command per row would take half a second of CPU each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from maskline.lab.platform import Platform
from maskline.services import Services, opened_services
from maskline.settings import Settings
from maskline.workflows.add_number import add_number
from maskline.workflows.add_trunk import TrunkWish, add_trunk
from maskline.workflows.create_account import create_account


@asynccontextmanager
async def services_of(platform: Platform) -> AsyncIterator[Services]:
    """What the commands use; the platform may be running or not be started yet."""
    async with opened_services(settings_of(platform)) as services:
        yield services


async def provision(platform: Platform, name: str, virtual: str, *trunks: TrunkWish) -> tuple[str, str]:
    """An account with one number, and these trunks; its credentials."""
    async with services_of(platform) as services:
        store, clock, ids = services.store, services.clock, services.ids
        account = await create_account(store, clock, ids, name)
        await add_number(store, clock, virtual, account.id)
        for wish in trunks:
            await add_trunk(store, clock, ids, wish)
    return account.id, account.auth_token


def settings_of(platform: Platform) -> Settings:
    """Those that say where its rows are."""
    environment = platform.environment
    return Settings(
        database_url=environment["MASKLINE_DATABASE_URL"], key_file=Path(environment["MASKLINE_KEY_FILE"])
    )  # fmt: skip
