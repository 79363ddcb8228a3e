"""What becomes of a message before anybody reads it: dropped, kept waiting as a new call, or read at once.

What it is: the order of defence in front of the core: strangers are counted and dropped, a trunk's address has its
rate, new calls wait for everything else (`admission.py`), the ACK of a refusal that nobody remembers is swallowed.
What it is not: sockets (`runner.py`). Who uses it: the runner, for datagrams and for messages of connections.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from maskline.engine.admission import RETRY_AFTER, Admission
from maskline.engine.core import EngineCore
from maskline.engine.guard import Guard
from maskline.sip.first_look import is_new_call
from maskline.sip.flow import Flow

TRANSACTIONS_PER_CALL = 16
"""How many transactions may be held for each call of the limit: one that is over leaves four for half a minute."""


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """What an operator sets."""

    max_calls: int = 20_000
    """Calls at a time; 0: no limit."""
    source_rate: float = 0.0
    """Messages a second from one trunk's address; 0: no limit."""
    ban_seconds: float = 300.0
    vain_rate: float = 500.0
    """Datagrams a second from one trunk's address that may come to nothing; 0: no limit."""


USUAL_LIMITS = IntakeLimits()


class Intake:
    __slots__ = ("_core", "_mark", "_max_calls", "admission", "guard")

    def __init__(self, core: EngineCore, limits: IntakeLimits, unwritten: Callable[[], int]) -> None:
        self._core = core
        self._mark = core.agent.stateless_mark
        self._max_calls = limits.max_calls
        self.guard = Guard(limits.source_rate, limits.ban_seconds, limits.vain_rate)
        if limits.vain_rate:
            core.nowhere = self._charge_nowhere
        self.admission = Admission(self._refuse, self._is_full, unwritten, core.counters)

    def put(self, data: bytes, flow: Flow, now: float, age: float = 0.0) -> bool:
        """Whether the message is to be read at once; `age`: seconds it has waited already."""
        core, guard = self._core, self.guard
        if not core.trunks.knows(flow):
            # Not capped: addresses of trunks are few, those that their Contacts name are anybody's.
            if core.agent.expects(data, flow):
                return True
            core.counters.strangers += 1
            guard.stranger(flow.host, now)
            return False
        new = is_new_call(data)
        if self._is_capped(data, flow, now, new):
            core.counters.capped += 1
            return False
        if new or (self.admission.waiting and data.startswith(b"CANCEL ")):
            self.admission.put(data, flow, now - age)
            return False
        if data.startswith(b"ACK ") and data.find(self._mark) >= 0:
            core.counters.acks_absorbed += 1
            return False
        return True

    def _is_capped(self, data: bytes, flow: Flow, now: float, new: bool) -> bool:
        guard = self.guard
        if flow == self._core.trunks.front:
            return False
        if guard.rate and not guard.spend(flow.host, now):
            return True
        # Only datagrams can be forged, and what is dropped of a connection nobody sends again.
        if not guard.vain_rate or flow.transport != "udp":
            return False
        # Whoever sends under the trunk's address must not take its calls away, only its place to send nonsense.
        if not guard.is_in_vain(flow.host, now, False):
            return new and guard.is_in_vain(flow.host, now, True)
        if not new:
            is_check = data.startswith(b"OPTIONS ") and guard.spend_check(flow.host, now)
            return not (is_check or self._core.agent.belongs(data))
        if guard.is_in_vain(flow.host, now, True):
            return True
        # New calls may be part of it. Each is charged before it waits for its turn, until it has come to something.
        guard.charge(flow.host, now, True)
        return False

    def read(self, data: bytes, flow: Flow, now: float) -> None:
        """Give the core what `put` let through, and charge the address of what came to nothing: malformed,
        refused without state, not proved, or belonging to nothing. Who proves itself gets back
        what its first 401 was charged, and a new call what it was charged before it had its turn."""
        guard = self.guard
        if not guard.vain_rate or flow.transport != "udp" or flow == self._core.trunks.front:
            self._core.receive(data, flow, now)
            return
        counters = self._core.agent.counters
        before = counters.malformed + counters.unproven + counters.stray + counters.refused
        proved = counters.proved
        self._core.receive(data, flow, now)
        in_vain = counters.malformed + counters.unproven + counters.stray + counters.refused != before
        was_charged = guard.is_in_vain(flow.host, now, False) and is_new_call(data)
        if in_vain and not was_charged:
            if self._core.trunks.knows(flow):
                guard.charge(flow.host, now, is_new_call(data))
        elif not in_vain and (was_charged or counters.proved != proved):
            guard.charge(flow.host, now, is_new_call(data), -float(was_charged) - float(counters.proved != proved))

    def try_to_read(self, data: bytes, flow: Flow, now: float) -> Exception | None:
        """The same; returns what went wrong, which is a bug, and which other messages must not suffer from."""
        try:
            self.read(data, flow, now)
        except Exception as fault:  # noqa: BLE001 - as above
            return fault
        return None

    def _charge_nowhere(self, flow: Flow, now: float) -> None:
        if flow.transport == "udp":
            self.guard.charge(flow.host, now, True)

    def _is_full(self) -> bool:
        most = self._max_calls
        if not most:
            return False
        return len(self._core.calls) >= most or self._core.agent.transactions >= TRANSACTIONS_PER_CALL * most

    def _refuse(self, data: bytes, flow: Flow, now: float) -> bool:
        return self._core.agent.refuse_unread(data, flow, 503, f"Retry-After: {RETRY_AFTER}\r\n")
