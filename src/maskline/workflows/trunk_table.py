"""The trunks as last read, and the places that a call to somebody is tried at.

What it is: a copy in memory that is read again when anything was configured, by any process, and the choice for one
call by what is known of the trunks at this moment. What it is not: the rule of the order (`masking/trunk_choice.py`),
health (`masking/trunk_state.py`) or DNS, which looks up names ahead so that nothing here waits. Who uses it:
`route_call.py`, `plan_flow.py`, and the engine for whose messages are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import structlog

from maskline.clock import Clock
from maskline.ids import Ids, SystemIds
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause
from maskline.masking.trunk import Trunk, Way
from maskline.masking.trunk_choice import trunks_for
from maskline.masking.trunk_state import Health, TrunkState
from maskline.sip.locate import Place
from maskline.storage.store import Store

_log = structlog.get_logger("maskline.route")
_CHECK_EVERY = 1.0
"""Seconds after which a look is taken whether somebody changed the trunks, in this process or another."""
_SAY_EVERY = 60.0
"""Seconds between two lines on calls that no trunk may carry: a missing prefix would else fill the log."""
MOST_WAYS = 8
"""Places one call is tried at; each may take seconds, and nobody listens to silence for a minute."""

Ways = tuple[Way, ...]


class TrunkTable:
    __slots__ = (
        "_addresses",
        "_checked_at",
        "_clock",
        "_ids",
        "_said_at",
        "_store",
        "_stored",
        "_version",
        "all",
        "state",
    )

    def __init__(self, store: Store, clock: Clock, ids: Ids | None = None) -> None:
        """`ids`: the source of chance between trunks and addresses of equal rank."""
        self._store = store
        self._clock = clock
        self._ids = ids or SystemIds()
        self._stored: tuple[Trunk, ...] = ()
        self._addresses: dict[str, tuple[str, ...]] = {}
        """By id of a trunk whose host is a name."""
        self.all: tuple[Trunk, ...] = ()
        """The addresses of a name are among its sources."""
        self.state = TrunkState()
        self._version: int | None = None
        self._checked_at = float("-inf")
        self._said_at: dict[Cause, float] = {}

    @property
    def version(self) -> int | None:
        """Of the configuration, as last seen; None: it was not read yet."""
        return self._version

    async def refresh(self) -> bool:
        """Read the trunks again if anything was configured since; tells whether it did. Raises
        `StoreUnavailable`, and then keeps those it has."""
        version = await self._store.configuration_version()
        self._checked_at = self._clock.now()
        if version == self._version:
            return False
        self._stored = tuple(await self._store.trunks())
        self._version = version
        kept = frozenset(trunk.id for trunk in self._stored)
        self.state.keep_only(kept)
        self._addresses = {trunk_id: known for trunk_id, known in self._addresses.items() if trunk_id in kept}
        self._publish()
        return True

    async def look(self) -> None:
        """`refresh`, once a second at most."""
        if self._clock.now() - self._checked_at >= _CHECK_EVERY:
            await self.refresh()

    def located(self, trunk: Trunk, places: Sequence[Place]) -> None:
        """What DNS says of a trunk's name. Its calls may come from there, too."""
        self.state.locate(trunk.id, places)
        addresses = tuple(sorted({address for place in places for address in place.addresses}))
        if self._addresses.get(trunk.id, ()) != addresses:
            self._addresses[trunk.id] = addresses
            self._publish()

    def _publish(self) -> None:
        known = self._addresses
        self.all = tuple(
            replace(trunk, sources=trunk.sources + known[trunk.id]) if known.get(trunk.id) else trunk
            for trunk in self._stored
        )

    async def ways(self, account_id: str, destination: Number) -> Ways | Cause:
        """Where a call of this account to `destination` is tried, best first, or why there is no such place: no trunk
        may call it (`NO_ROUTE`), those that may are full (`TRUNK_FULL`) or down (`NETWORK_ERROR`). That is said in
        the log. Raises `StoreUnavailable`.

        Before it is said a look is taken whether there is a trunk by now, also right after the last one: somebody who
        adds a trunk and asks for a call next must not lose that call for good. The look costs a few microseconds."""
        found = self._choose(account_id, destination)
        if isinstance(found, Cause) and await self.refresh():
            found = self._choose(account_id, destination)
        if isinstance(found, Cause):
            self._say(found, account_id)
        return found

    def _choose(self, account_id: str, destination: Number) -> Ways | Cause:
        trunks = trunks_for(self.all, account_id, destination, self._chance)
        if not trunks:
            return Cause.NO_ROUTE
        now, state = self._clock.now(), self.state
        with_room = [trunk for trunk in trunks if state.has_room(trunk, now)]
        if not with_room:
            return Cause.TRUNK_FULL
        good: list[Way] = []
        last: list[Way] = []
        for trunk in with_room:
            for target in state.targets(trunk, self._chance):
                health = state.health(target, now)
                if health is not Health.DOWN:
                    (last if health else good).append(Way(trunk, target))
        return tuple((good + last)[:MOST_WAYS]) or Cause.NETWORK_ERROR

    def _chance(self) -> float:
        return int(self._ids.token(4), 16) / 2**32

    def _say(self, cause: Cause, account_id: str) -> None:
        now = self._clock.now()
        if now - self._said_at.get(cause, float("-inf")) < _SAY_EVERY:
            return
        self._said_at[cause] = now
        if cause is Cause.NO_ROUTE:
            _log.warning("no_route", account=account_id)
        elif cause is Cause.TRUNK_FULL:
            _log.warning("trunks_full", account=account_id)
        else:
            _log.warning("trunks_down", account=account_id)
