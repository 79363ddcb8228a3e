"""Disconnect a carrier; calls in progress go on. Called by the CLI."""

from __future__ import annotations

from maskline.storage.store import Store


async def remove_trunk(store: Store, name: str) -> None:
    """Raises `NotFound` when no trunk has this name."""
    await store.remove_trunk(name)
