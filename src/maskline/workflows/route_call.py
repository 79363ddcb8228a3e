"""Decide what an incoming call is: forwarded inside a session, or refused.

What it is: architecture decision 7 as far as it is built (a live session of caller and virtual number), and
the trunks as last read. What it is not: SIP. Who uses it: `engine/runner.py` through `engine/ports.CallRouter`.
"""

from __future__ import annotations

import structlog

from maskline.clock import Clock
from maskline.masking.decision import Decision, Forward, Refuse
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause
from maskline.masking.match import match_call
from maskline.masking.trunk import Trunk, choose_outbound
from maskline.storage.store import Store

_log = structlog.get_logger("maskline.route")
_CHECK_EVERY = 1.0
"""Seconds after which a look is taken whether somebody changed the trunks, in this process or another."""
_SAY_EVERY = 60.0
"""Seconds between two lines on calls that no trunk may carry: a missing prefix would else fill the log."""


class RouteCall:
    """Fulfils `CallRouter`. `refresh()` once before the first call; `app.py` repeats it every second, so that
    calls from a new trunk are not taken for a stranger's."""

    __slots__ = ("_checked_at", "_clock", "_said_at", "_store", "_trunks", "_version")

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._trunks: tuple[Trunk, ...] = ()
        self._version: int | None = None
        self._checked_at = float("-inf")
        self._said_at = float("-inf")

    def trunks(self) -> tuple[Trunk, ...]:
        return self._trunks

    async def refresh(self) -> bool:
        """Read the trunks again if anything was configured since; tells whether it did. Raises
        `StoreUnavailable`, and then keeps those it has."""
        version = await self._store.configuration_version()
        self._checked_at = self._clock.now()
        if version == self._version:
            return False
        self._trunks = tuple(await self._store.trunks())
        self._version = version
        return True

    async def route(self, caller: Number | None, called: Number, trunk: Trunk, wall: float) -> Decision:
        """Decide at wall second `wall`; `trunk` is where the call came from. Raises `StoreUnavailable`."""
        if self._clock.now() - self._checked_at >= _CHECK_EVERY:
            await self.refresh()
        virtual = await self._store.number(called)
        # One tenant's carrier must not be able to ring another tenant's numbers.
        if virtual is None or trunk.account_id not in (None, virtual.account_id):
            return Refuse(Cause.UNKNOWN_NUMBER, None)
        session = None if caller is None else await self._store.session_for_call(caller, called)
        found = match_call(session, caller, virtual, wall)
        if isinstance(found, Refuse):
            return found
        outbound = choose_outbound(self._trunks, virtual.account_id, found.callee)
        if outbound is None:
            self._say_no_route(virtual.account_id)
            return Refuse(Cause.NO_ROUTE, virtual, found.session)
        shown = found.session.number_of(found.caller_role.other)
        return Forward(found.session, found.caller_role, found.callee, virtual, outbound, shown, found.session.options)

    def _say_no_route(self, account_id: str) -> None:
        now = self._clock.now()
        if now - self._said_at >= _SAY_EVERY:
            self._said_at = now
            _log.warning("no_route", account=account_id)
