"""Change how a carrier is spoken to; calls in progress go on as they are. Called by the CLI."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from maskline.errors import NotFound
from maskline.masking.trunk import Trunk
from maskline.storage.store import NO_TRUNK, Store
from maskline.workflows.check_trunk import trunk_of, wish_of


async def set_trunk(store: Store, name: str, change: Mapping[str, Any], *, encrypts: bool = False) -> Trunk:
    """Apply and return it. `change`: fields of `TrunkWish` but its name; the trunk as a whole is checked again.

    Raises what `trunk_of` raises, and `NotFound` for an unknown trunk or account.
    """
    old = await find_trunk(store, name)
    trunk = trunk_of(replace(wish_of(old), encrypts=encrypts, **change), old.id)
    if trunk.account_id is not None:
        await store.account(trunk.account_id)
    # Written only when it says something new: a configuration that is written is read again by every process.
    if trunk != old:
        await store.update_trunk(trunk)
    return trunk


async def find_trunk(store: Store, name: str) -> Trunk:
    """Raises `NotFound`."""
    for trunk in await store.trunks():
        if trunk.name == name:
            return trunk
    raise NotFound(NO_TRUNK)
