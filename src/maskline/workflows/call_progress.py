"""What is remembered of a call between its commits, and what its legs cost. Pure; used by `build_outbox.py`.

What it is: a fold over a call's facts. What it is not: webhooks, or the price table (`masking/price_table.py`).
"""

from __future__ import annotations

from maskline.engine.ports import CallContext
from maskline.masking.call_record import CallRecord, LegRecord
from maskline.masking.facts import (
    CallReceived,
    CallRequested,
    CallRouted,
    Fact,
    LegAnswered,
    LegDialed,
    LegEnded,
    LegName,
)
from maskline.masking.price import Charge, Direction, charge
from maskline.masking.price_table import PriceTable
from maskline.storage.kept import Tenure
from maskline.values import leaf
from maskline.webhooks.formats import plivo
from maskline.workflows.recording_outbox import RecordingProgress

FREE = Charge(0, 0)


@leaf
class CallProgress:
    """What must be remembered of one call between its commits; dropped with its record."""

    __slots__ = (
        "answer_untold", "answered", "dialed", "ended", "events", "parties", "parties_of", "recording", "requested",
        "routed", "rows", "tenure", "trunks",
    )  # fmt: skip

    def __init__(self) -> None:
        self.answered: dict[str, float] = {}
        """Leg name → wall seconds of its answer."""
        self.trunks: dict[str, str] = {}
        """Leg name → id of its trunk."""
        self.ended: dict[str, plivo.Ended] = {}
        """Leg name → what it came to."""
        self.events = 0
        """Plivo's SequenceNumber, from 1 (plivo-vts.md §7.2 REC: per interaction)."""
        self.rows = 0
        """Order of all webhooks of this call."""
        self.dialed = False
        """We called somebody."""
        self.routed = False
        self.requested = False
        """We started it: leg A is outbound like leg B."""
        self.answer_untold: LegAnswered | None = None
        """The caller was answered before anybody knew whose call it is; told once a PIN says so."""
        self.parties: plivo.Parties | None = None
        self.parties_of: CallContext | None = None
        """Of which context `parties` was made: a PIN says more."""
        self.recording: RecordingProgress | None = None
        self.tenure: Tenure | None = None
        """By what our engine is known to have it, once something of it is kept."""

    def number_event(self) -> tuple[int, int]:
        """The next event's SequenceNumber, and its row's place."""
        self.events += 1
        return self.events, self.next_row()

    def next_row(self) -> int:
        """The place of a webhook that has no SequenceNumber."""
        self.rows += 1
        return self.rows

    def take(self, fact: Fact, context: CallContext, prices: PriceTable) -> None:
        """Move on by one fact."""
        # By hand: a function looked up in a table is called by way of Python's objects, in compiled code too.
        if isinstance(fact, LegEnded):
            self._ended(fact, context, prices)
        elif isinstance(fact, LegAnswered):
            self.answered[fact.leg] = fact.at
            if context.session is None and fact.leg == LegName.A:
                self.answer_untold = fact
        elif isinstance(fact, LegDialed):
            self.trunks[fact.leg] = fact.trunk_id
            self.dialed = True
        elif isinstance(fact, CallReceived):
            self.trunks[LegName.A] = fact.trunk_id
        elif isinstance(fact, CallRouted):
            self.routed = True
        elif isinstance(fact, CallRequested):
            self.requested = True

    def _ended(self, fact: LegEnded, context: CallContext, prices: PriceTable) -> None:
        answered_at = self.answered.get(fact.leg)
        trunk = self.trunks.get(fact.leg, "")
        inbound = fact.leg == LegName.A and not self.requested
        cost = _charge(fact.leg, inbound, answered_at, fact.at, trunk, context, prices)
        seconds, answered = plivo.whole_seconds(answered_at, fact.at), answered_at is not None
        self.ended[fact.leg] = plivo.Ended(seconds, cost, fact.cause, answered)


def _charge(
    leg: str, inbound: bool, answered_at: float | None, ended_at: float, trunk_id: str, context: CallContext,
    prices: PriceTable,
) -> Charge:  # fmt: skip
    """An inbound leg is priced by the dialled virtual number, an outbound one by whom it calls."""
    seconds = 0.0 if answered_at is None else ended_at - answered_at
    if seconds <= 0:
        return FREE
    called = context.caller if leg == LegName.A else context.callee
    number = context.virtual_number.number if inbound else called
    direction = Direction.INBOUND if inbound else Direction.OUTBOUND
    return charge(None if number is None else prices.find(trunk_id, direction, number.e164), seconds)


def priced(record: CallRecord, progress: CallProgress, context: CallContext, prices: PriceTable) -> CallRecord:
    """With the charges that the hangup events told; made now for a leg whose facts were lost."""

    def with_charge(leg: LegRecord) -> LegRecord:
        told = progress.ended.get(leg.leg)
        cost = told.charge if told else _charge(
            leg.leg, leg.inbound, leg.answered_at, leg.ended_at, leg.trunk_id, context, prices
        )  # fmt: skip
        return leg if cost == FREE else leg.charged(cost.billed_duration, cost.amount)

    return record.with_legs(tuple(with_charge(leg) for leg in record.legs))
