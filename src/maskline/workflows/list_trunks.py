"""Show the carrier connections. Called by the CLI."""

from __future__ import annotations

from maskline.masking.trunk import Trunk
from maskline.storage.store import Store


async def list_trunks(store: Store) -> list[Trunk]:
    return await store.trunks()
