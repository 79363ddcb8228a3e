"""What the engine needs from the rest of the product, as interfaces.

What it is: the two questions a call asks upwards (who is meant? please keep this) and the value it hands
over. What it is not: an implementation; `workflows/route_call.py` and `workflows/record_call.py` fulfil them,
`app.py` connects them. Who uses it: `engine/runner.py`; the simulation passes its own.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from maskline.engine.call_kept import KeptCall
from maskline.masking.call_flow import ActionDone
from maskline.masking.call_record import CallRecord
from maskline.masking.decision import AskPin, Decision, NextDecision, PinDecision, VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.facts import Fact
from maskline.masking.session import Role, Session
from maskline.masking.trunk import Reading, Trunk
from maskline.masking.trunk_state import TrunkState
from maskline.masking.usage_book import UsageBook
from maskline.values import dataclass


@dataclass(frozen=True, slots=True)
class CallContext:
    """What webhook formats need to know of a call beside its facts; fixed once it is routed."""

    call_id: str
    account_id: str
    subaccount_id: str | None
    virtual_number: VirtualNumber
    session: Session | None
    caller_role: Role | None
    caller: Number | None
    callee: Number | None
    shown: Number
    """Caller id of leg B: the virtual number that the callee knows."""
    leg_a_id: str
    leg_b_id: str
    shown_reference_id: str = ""
    """Label of `shown`."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """What the router may have to tell of a call beside its numbers."""

    call_id: str = ""
    leg_id: str = ""
    """Of leg A."""
    left: bool = False
    """The caller has hung up meanwhile: whose call it was is all that is asked, and no application is."""

    others: tuple[Reading, ...] = ()
    """Of trunks that the call may have come by as well as by the one that is named."""


NOBODY = Incoming()


@dataclass(frozen=True, slots=True)
class CallCommit:
    """Facts of one call that belong into one transaction, with the record when the call is over."""

    context: CallContext | None
    """None: the dialled number is not ours, so the call belongs to no account and has no record."""
    facts: tuple[Fact, ...]
    record: CallRecord | None = None
    kept: KeptCall | None = None
    """What the call can be recovered from if this process dies, instead of what was kept before. It is deleted with the
    record."""

    @property
    def call_id(self) -> str:
        return self.facts[0].subject if self.context is None else self.context.call_id


@dataclass(frozen=True, slots=True)
class CutOff:
    """A call that a process before this one left when it died."""

    kept: KeptCall
    context: CallContext
    facts: tuple[Fact, ...]
    """What was written of it, in order."""
    taken: int = 0
    """How often it was taken over; by this its engine is known to have it."""
    end_asked: bool = False
    """Somebody had asked for its end, which may have been under way: its media may be gone already."""


class Shared(NamedTuple):
    """What the router and the engine of a process both know: the router chooses by it, the engine fills it."""

    trunks: TrunkState
    usage: UsageBook


class CallRouter(Protocol):
    async def route(
        self, caller: Number | None, called: Number, trunk: Trunk, wall: float, call: Incoming = NOBODY
    ) -> Decision:
        """Decide; with SQLite this never suspends, so the runner finishes it without a task, unless a customer's
        application is asked, which answers within 5 s or is given up; that question is withdrawn by cancelling this
        coroutine. Raises `StoreUnavailable`."""
        ...

    async def next_action(self, done: ActionDone, wall: float) -> NextDecision:
        """What the customer's application wants done next; within 5 s. Raises `StoreUnavailable`."""
        ...

    async def check_pin(self, asked: AskPin, caller: Number | None, pin: str, wall: float) -> PinDecision:
        """Whose PIN this is; counts a wrong one. As quick as `route`. Raises `StoreUnavailable`."""
        ...

    def trunks(self) -> tuple[Trunk, ...]:
        """All trunks, as last read; in-memory and cheap."""
        ...


class CallRecorder(Protocol):
    def record(self, commit: CallCommit) -> None:
        """Queue for the next group commit and return at once: a SIP answer never waits for the disk
        (architecture decision 5). Order per call is kept. Never raises; a store that is away is retried."""
        ...
