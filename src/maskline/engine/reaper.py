"""Calls that wait for something of ours that never comes are ended all the same.

What it is: the last resort behind every other end. Each wait for a far side has a timer of SIP, of the call or of the
media driver; what is asked of the router, the store and the driver answers within seconds or fails, by their own
promise. This looks for calls whom somebody's promise was broken to: no timer runs, and nothing has moved for a minute.
What it is not: the way any call is meant to end; each one it finds is a fault, and told as one. Who uses it: `core.py`
makes it, the runner lets it look about once a second, and tests/sim that nothing is ever left to it.
"""

from __future__ import annotations

from collections.abc import Callable

from maskline.engine import inputs as i
from maskline.engine.call import Call
from maskline.engine.call_states import CallState
from maskline.engine.call_timers import CallTimers
from maskline.masking.facts import Cause

EVERY = 15.0
"""Seconds between two looks; one at 20,000 calls costs a millisecond."""
LONGEST = 60.0
"""Seconds without a timer in one state. The longest that is in order is 32 s: a BYE that nobody answers."""

_TALKING, _ENDING = CallState.TALKING, CallState.ENDING


class StuckCall(Exception):
    """A call waited for something of ours that never came, and was ended."""


class Reaper:
    """`deliver` and `note` (a fault) are the core's."""

    __slots__ = ("_calls", "_deliver", "_next", "_note", "_seen", "_timers")

    def __init__(
        self, calls: dict[str, Call], timers: CallTimers, deliver: Callable[[str, i.Input, float], None],
        note: Callable[[Exception], None],
    ) -> None:  # fmt: skip
        self._calls = calls
        self._timers = timers
        self._deliver = deliver
        self._note = note
        self._next = 0.0
        self._seen: dict[str, tuple[CallState, float]] = {}
        """What calls that wait without a timer were doing, and since when that is known."""

    def look(self, now: float) -> None:
        """End what is stuck; does nothing before it is due again."""
        if now < self._next:
            return
        self._next = now + EVERY
        seen, before = {}, self._seen
        stuck: list[tuple[str, CallState]] = []
        for call in self._calls.values():
            # Whoever talks has the limit of the call.
            if call.state is _TALKING or self._timers.runs(call.id):
                continue
            state, since = before.get(call.id, (call.state, now))
            if state is not call.state:
                since = now
            if now - since >= LONGEST:
                stuck.append((call.id, call.state))
            else:
                seen[call.id] = (call.state, since)
        self._seen = seen
        for call_id, state in stuck:
            self._note(StuckCall(f"call {call_id} in {state.name}"))
            # One that is ending waits for the media to be closed: the record is made without it.
            self._deliver(call_id, i.MediaClosed({}) if state is _ENDING else i.Stopped(Cause.INTERNAL_ERROR), now)
