"""The trunks as last read, and which of them carries a call.

What it is: a copy in memory that is read again when anything was configured, by any process. What it is not: the choice
itself (`masking/trunk.py`). Who uses it: `route_call.py`.
"""

from __future__ import annotations

import structlog

from maskline.clock import Clock
from maskline.masking.e164 import Number
from maskline.masking.trunk import Trunk, choose_outbound
from maskline.storage.store import Store

_log = structlog.get_logger("maskline.route")
_CHECK_EVERY = 1.0
"""Seconds after which a look is taken whether somebody changed the trunks, in this process or another."""
_SAY_EVERY = 60.0
"""Seconds between two lines on calls that no trunk may carry: a missing prefix would else fill the log."""


class TrunkTable:
    __slots__ = ("_checked_at", "_clock", "_said_at", "_store", "_version", "all")

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self.all: tuple[Trunk, ...] = ()
        self._version: int | None = None
        self._checked_at = float("-inf")
        self._said_at = float("-inf")

    async def refresh(self) -> bool:
        """Read the trunks again if anything was configured since; tells whether it did. Raises
        `StoreUnavailable`, and then keeps those it has."""
        version = await self._store.configuration_version()
        self._checked_at = self._clock.now()
        if version == self._version:
            return False
        self.all = tuple(await self._store.trunks())
        self._version = version
        return True

    async def look(self) -> None:
        """`refresh`, once a second at most."""
        if self._clock.now() - self._checked_at >= _CHECK_EVERY:
            await self.refresh()

    async def carrier(self, account_id: str, destination: Number) -> Trunk | None:
        """The trunk that may call `destination` for this account; None is said in the log. Raises `StoreUnavailable`.

        Before None a look is taken whether there is a trunk by now, also right after the last one: somebody who adds a
        trunk and asks for a call next must not lose that call for good. The look costs a few microseconds."""
        trunk = choose_outbound(self.all, account_id, destination)
        if trunk is None and await self.refresh():
            trunk = choose_outbound(self.all, account_id, destination)
        if trunk is None and self._clock.now() - self._said_at >= _SAY_EVERY:
            self._said_at = self._clock.now()
            _log.warning("no_route", account=account_id)
        return trunk
