"""The record of one call: what a bill, a summary webhook and the call page are made from.

What it is: frozen values filled by the engine when a call ends. Times are wall seconds (UTC) with
milliseconds kept; formats round as their vendor does. What it is not: the fact log. Who uses it: the engine
writes, storage keeps (numbers sealed), webhook formats and `maskline call show` read.
"""

from __future__ import annotations

from typing import NamedTuple

from maskline.masking.e164 import Number
from maskline.masking.facts import Cause, HungUpBy, LegName, Outcome
from maskline.masking.session import Role
from maskline.values import dataclass


@dataclass(frozen=True, slots=True)
class Quality:
    """What we received from one leg's far side; and, where that side sends RTCP reports, what it says it received."""

    mos: float
    """1.0 to 4.5, E-model for G.711 (G.107)."""
    packet_loss: float
    """Fraction of expected packets that never came, 0.0 to 1.0."""
    jitter_ms: float
    """RFC 3550 §6.4.1 interarrival jitter in milliseconds, the mean over the call."""
    packets_received: int
    packets_lost: int
    packets_relayed: int = 0
    """Sent on to the other leg; in the relay itself nothing is lost when this equals what it accepted."""
    far_mos: float | None = None
    """Of what the far side received from us; this and what follows is None without its reports."""
    far_packet_loss: float | None = None
    """Fraction, 0.0 to 1.0, over the time it reported on."""
    far_jitter_ms: float | None = None
    round_trip_ms: float | None = None
    """Between us and the far side, as last measured."""
    loss_known: bool = True
    """False: nobody told of loss and jitter and the driver cannot count: they are 0, the MOS that of a clean call."""


@dataclass(frozen=True, slots=True)
class LegRecord:
    leg: LegName
    id: str
    """UUID of the leg; 8x8 `callId`, Plivo call uuid."""
    inbound: bool
    source: Number | None
    """Who calls on this leg: inbound the real caller (None: withheld), outbound the virtual number."""
    destination: Number
    trunk_id: str
    initiated_at: float
    ringing_at: float | None
    answered_at: float | None
    ended_at: float
    outcome: Outcome
    cause: Cause
    sip_status: int
    hung_up_by: HungUpBy
    quality: Quality | None = None
    amount: int = 0
    """Charge of this leg, in millionths of the currency unit."""
    billed_duration: int = 0
    """Seconds that are charged: the duration rounded up to the price's increment."""
    reference_id: str = ""
    """Label of the virtual number on this leg: the one that was dialled, or that is shown."""

    def charged(self, billed_duration: int, amount: int) -> LegRecord:
        """With what it costs. Every call's two legs pass here: written out, because `dataclasses.replace` takes three
        times as long."""
        return LegRecord(
            self.leg, self.id, self.inbound, self.source, self.destination, self.trunk_id, self.initiated_at,
            self.ringing_at, self.answered_at, self.ended_at, self.outcome, self.cause, self.sip_status,
            self.hung_up_by, self.quality, amount, billed_duration, self.reference_id,
        )  # fmt: skip

    @property
    def duration(self) -> float:
        """Seconds from answer to end; 0 when never answered."""
        return 0.0 if self.answered_at is None else max(0.0, self.ended_at - self.answered_at)


@dataclass(frozen=True, slots=True)
class FlowRecord:
    """What a call was told to do by a customer's application."""

    last_action: str = ""
    """`call_flow.ActionName` of the last action begun; empty: none."""
    client_request_id: str = ""
    requested: bool = False
    """Started by the API."""


@dataclass(frozen=True, slots=True)
class CallRecord:
    id: str
    account_id: str
    subaccount_id: str | None
    session_id: str | None
    caller: Role | None
    virtual_number: Number
    reference_id: str
    """Label of the virtual number; 8x8 `*RefId`, empty when none."""
    started_at: float
    ended_at: float
    outcome: Outcome
    cause: Cause
    hung_up_by: HungUpBy
    legs: tuple[LegRecord, ...]
    """Leg A first; leg B only when it was dialled."""
    flow: FlowRecord | None = None
    """None: no application was asked, a session or a fallback said it all."""
    recovered: bool = False
    """Its engine died or left while it lasted; another one, or the next start of the same one, went on with it or ended
    it. What happened meanwhile may be told late."""

    def with_legs(self, legs: tuple[LegRecord, ...]) -> CallRecord:
        return CallRecord(
            self.id, self.account_id, self.subaccount_id, self.session_id, self.caller, self.virtual_number,
            self.reference_id, self.started_at, self.ended_at, self.outcome, self.cause, self.hung_up_by, legs,
            self.flow, self.recovered,
        )  # fmt: skip

    def leg(self, name: LegName) -> LegRecord | None:
        for leg in self.legs:
            if leg.leg is name:
                return leg
        return None

    def party(self, role: Role) -> Number | None:
        """The real number on this side of the session's call; None when it was withheld or never dialled."""
        if self.caller is None:
            return None
        if role is self.caller:
            caller = self.legs[0]
            return caller.source if caller.inbound else caller.destination
        callee = self.leg(LegName.B)
        return callee.destination if callee else None


class CallParties(NamedTuple):
    """Whom a call record names, as keyed hashes like `ClaimNote.key`; None: withheld, or not dialled."""

    first_party: str | None
    second_party: str | None
