"""The parts that every way into the product shares: settings, clock, ids and the opened store.

What it is: the small half of the composition, without network or web server, so that a command answers in a
moment. What it is not: the server (`app.py`). Who uses it: `app.py` and the commands of `cli/`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from maskline.clock import Clock, SystemClock
from maskline.ids import Ids, SystemIds
from maskline.settings import Settings
from maskline.storage.crypto import Sealer, load_key
from maskline.storage.open import open_store
from maskline.storage.store import Store


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    clock: Clock
    ids: Ids
    store: Store
    installation: str = ""
    """Names this installation, the same in all its processes and after a restart; says nothing about the key."""


def build_services(settings: Settings, clock: Clock | None = None, ids: Ids | None = None) -> Services:
    """Read the key and build the store, not opened yet. Raises `ConfigurationError`.

    A missing key is made only together with the database: a new key beside an old database could not read one
    number in it, and would hide that the old key has to be looked for.
    """
    clock = clock or SystemClock()
    sealer = Sealer(load_key(settings.key_file, create=not settings.database_file.exists()))
    store = open_store(settings.database_url, sealer)
    return Services(settings, clock, ids or SystemIds(), store, sealer.key_id.hex())


@asynccontextmanager
async def opened_services(settings: Settings) -> AsyncIterator[Services]:
    """`build_services` with the store open inside the block."""
    services = build_services(settings)
    await services.store.open()
    try:
        yield services
    finally:
        await services.store.close()
