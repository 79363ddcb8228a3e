"""Start under an engine's id only when nobody else lives under it.

What it is: two engines of one id would each take the other's calls and never know, so who starts looks whether the
one that has the id renews its lease. What it is not: two on one machine with one folder, of which the folder's lock
tells at once (`parts.py`); or two that begin in the same moment, which `own_calls.py` sees by their renewals. Who uses
it: `own_calls.py`, first of all.

An earlier start of the same place, killed a moment ago, is known by its machine and address, and not waited for.
"""

from __future__ import annotations

import asyncio

import structlog

from maskline.clock import Clock
from maskline.errors import ConfigurationError
from maskline.storage.kept import Owner
from maskline.storage.live_store import LEASE
from maskline.storage.store import Store

_log = structlog.get_logger("maskline.own_calls")
LOOK_SECONDS = 1.0
LOOKS = int(LEASE / LOOK_SECONDS) + 1
"""Until the lease is over that somebody may have."""


async def wait_for_namesake(store: Store, clock: Clock, me: Owner) -> None:
    """Return when nobody else can live under our id any more. Raises `ConfigurationError` when somebody does, and
    `StoreUnavailable`."""
    first = await _namesake(store, me)
    # Clocks of machines are some seconds apart at most; what ended a lease earlier than that is dead for certain.
    if first is None or (first.name, first.address) == (me.name, me.address) or first.until + LEASE < clock.wall():
        return
    _log.warning("engine_id_in_use", engine_id=me.id, host=first.name, address=first.address)
    for _ in range(LOOKS):
        await asyncio.sleep(LOOK_SECONDS)
        seen = await _namesake(store, me)
        if seen is None or not seen.until:
            return
        if seen.until > first.until:
            raise ConfigurationError(
                f"An engine with the id {me.id} is running on {seen.name} ({seen.address}), on the same database: each "
                "needs an id of its own (MASKLINE_ENGINE_ID; without it, the file engine-id in MASKLINE_DATA_DIR)."
            )


async def _namesake(store: Store, me: Owner) -> Owner | None:
    return next((one for one in await store.owners() if one.id == me.id), None)
