"""Whose PIN is it? One try of a caller, counted before it is looked at.

What it is: the order count, look up, take back; what the operator is told of guessing. What it is not: the rules on
tallies (`masking/pin.py`) or on sessions (`masking/match.py`), or the asking (`engine/pin_prompt.py`). Who uses it:
`route_call.py`.

A PIN is in no log line, fact, error text or repr, right or wrong.
"""

from __future__ import annotations

from collections import Counter

import structlog

from maskline.clock import Clock
from maskline.masking.decision import AskPin, Refuse, WrongPin
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause
from maskline.masking.match import Matched, match_pin
from maskline.masking.pin import Counted, PinLimits, PinTry, Subject
from maskline.masking.routing_rules import RoutingRules
from maskline.storage.store import Store
from maskline.workflows.routing_answers import answered

_log = structlog.get_logger("maskline.pin")
_SAY_EVERY = 10.0
"""Seconds between two lines on locked callers: whoever calls from ever new numbers must not fill the log."""


class CheckPin:
    __slots__ = ("_clock", "_limits", "_locked_unsaid", "_rules", "_said_at", "_store", "locks", "tries")

    def __init__(self, store: Store, clock: Clock, rules: RoutingRules, limits: PinLimits) -> None:
        self._store = store
        self._clock = clock
        self._rules = rules
        self._limits = limits
        self._said_at = float("-inf")
        self._locked_unsaid = 0
        self.tries: Counter[str] = Counter()
        """By result: `right`, `wrong` or `locked`."""
        self.locks: Counter[str] = Counter()
        """By whom: `caller` or `number`."""

    async def __call__(
        self, asked: AskPin, caller: Number | None, pin: str, wall: float
    ) -> Matched | Refuse | WrongPin:
        """Raises `StoreUnavailable`; then the try may have been counted."""
        number, known = asked.virtual_number, asked.session
        one = PinTry(number.account_id, caller, number.number, trusted=known is not None)
        counted = await self._store.count_pin(one, self._limits, wall)
        if not counted.heard:
            self.tries["locked"] += 1
            return WrongPin(locked=True)
        steps = match_pin(pin, caller, number, known, wall, self._rules)
        found = await answered(steps, self._store, caller, number.number, wall)
        if found is None or (isinstance(found, Refuse) and found.cause is Cause.SESSION_EXPIRED):
            # The PIN of a session that is over opens nothing: not taken back, so that it is no way to try for free.
            self._note_wrong(asked, counted)
            return found or WrongPin(locked=Subject.CALLER in counted.locks)
        self.tries["right"] += 1
        await self._store.accept_pin(one, self._limits, wall)
        return found

    def _note_wrong(self, asked: AskPin, counted: Counted) -> None:
        self.tries["wrong"] += 1
        account = asked.virtual_number.account_id
        for subject in counted.locks:
            self.locks[subject.value] += 1
        if Subject.NUMBER in counted.locks:
            _log.warning("pin_number_locked", account=account, virtual_number=asked.virtual_number.number)
        if Subject.CALLER in counted.locks:
            self._locked_unsaid += 1
            if self._clock.now() - self._said_at >= _SAY_EVERY:
                _log.warning("pin_caller_locked", account=account, callers=self._locked_unsaid)
                self._said_at, self._locked_unsaid = self._clock.now(), 0
