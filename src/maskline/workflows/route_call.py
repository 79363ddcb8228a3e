"""Decide what an incoming call is: forwarded inside a session, or refused.

What it is: the look-ups that the routing order asks for (`masking/match.py`), and the trunks as last read. What it is
not: the order itself, or SIP. Who uses it: `engine/runner.py` through `engine/ports.CallRouter`.
"""

from __future__ import annotations

from typing import Any

import structlog

from maskline.clock import Clock
from maskline.masking.decision import Decision, Forward, Refuse, VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause
from maskline.masking.match import Ask, AskLastOutside, AskOurs, Matched, Question, match_call
from maskline.masking.session import Session, SessionOptions
from maskline.masking.trunk import Trunk, choose_outbound
from maskline.storage.store import Store

_log = structlog.get_logger("maskline.route")
_CHECK_EVERY = 1.0
"""Seconds after which a look is taken whether somebody changed the trunks, in this process or another."""
_SAY_EVERY = 60.0
"""Seconds between two lines on calls that no trunk may carry: a missing prefix would else fill the log."""
_PROMPTS_LOOKED_AT = 16
"""Sessions of a number that are looked at for a prompt; a number may hold thousands, and strangers call often."""


class RouteCall:
    """Fulfils `CallRouter`. `refresh()` once before the first call; `app.py` repeats it every second, so that
    calls from a new trunk are not taken for a stranger's."""

    __slots__ = ("_checked_at", "_clock", "_fallback", "_said_at", "_store", "_trunks", "_version")

    def __init__(self, store: Store, clock: Clock, fallback: SessionOptions | None = None) -> None:
        """`fallback`: ring timeout and time limit of calls that go to a number's fallback."""
        self._store = store
        self._clock = clock
        self._fallback = fallback or SessionOptions()
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
        found = await self._match(caller, virtual, wall)
        if isinstance(found, Refuse):
            return found
        outbound = choose_outbound(self._trunks, virtual.account_id, found.callee)
        if outbound is None:
            self._say_no_route(virtual.account_id)
            return Refuse(Cause.NO_ROUTE, virtual, found.session)
        return Forward(
            found.session, found.caller_role, found.callee, virtual, outbound, found.shown, found.options,
            found.matched_by,
        )  # fmt: skip

    async def _match(self, caller: Number | None, virtual: VirtualNumber, wall: float) -> Matched | Refuse:
        """Answer the questions of the routing order from the store, as many as it asks."""
        steps = match_call(caller, virtual, wall, self._fallback)
        answer: Any = None
        while True:
            try:
                question = steps.send(answer)
            except StopIteration as decided:
                found: Matched | Refuse = decided.value
                return found
            answer = await self._answer(question, caller, virtual.number, wall)

    async def _answer(
        self, question: Question, caller: Number | None, number: Number, wall: float
    ) -> Session | Number | list[Session] | bool | None:
        match question:
            case Ask.PARTY:
                return None if caller is None else await self._store.session_for_call(caller, number)
            case Ask.PIN:
                return await self._store.pin_session(number, wall)
            case Ask.OPEN:
                return await self._store.open_session(number)
            case Ask.ON_NUMBER:
                return await self._store.sessions_on(number, now=wall, limit=_PROMPTS_LOOKED_AT)
            case AskLastOutside(session):
                return await self._store.last_outside_party(session)
            case AskOurs(asked):
                return await self._store.number(asked) is not None

    def _say_no_route(self, account_id: str) -> None:
        now = self._clock.now()
        if now - self._said_at >= _SAY_EVERY:
            self._said_at = now
            _log.warning("no_route", account=account_id)
