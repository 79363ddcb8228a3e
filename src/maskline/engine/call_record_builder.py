"""Facts and the record of one call, as it goes on.

What it is: numbers the facts, keeps each leg's times and results, and makes the `CallRecord` at the end. What
it is not: a judge; `call.py` says what ended and why. Times come in as monotonic seconds and go out as wall
seconds by one offset taken when the call began, so that durations stay true when the machine's clock is set
during the call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from maskline.engine.attestation import UNSAID, Vouched
from maskline.engine.call_kept import KeptRecord, KeptTrack
from maskline.engine.effects import Effect, Emit, Finish
from maskline.engine.ports import CallContext
from maskline.masking import facts
from maskline.masking.call_flow import ActionName
from maskline.masking.call_record import CallRecord, FlowRecord, LegRecord, Quality
from maskline.masking.decision import Forward, VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause, Fact, HungUpBy, LegName, Outcome
from maskline.masking.prompt import Prompt
from maskline.masking.session import Role, Session
from maskline.media.port import Spool
from maskline.values import leaf

UNAVAILABLE = "media_unavailable"
"""Why something is not heard or not recorded when there is no media driver to do it."""


_A = LegName.A
_OUTCOME, _CAUSE, _PLATFORM = Outcome.ERROR, Cause.INTERNAL_ERROR, HungUpBy.PLATFORM
"""What a leg ends as unless it is told. Named here, since to name a member of an `Enum` is a Python call in 3.11."""


@leaf
class LegTrack:
    """What happened on one leg; wall seconds."""

    __slots__ = ("answered_at", "cause", "ended_at", "hung_up_by", "id", "inbound", "initiated_at", "outcome",
                 "ringing_at", "sip_status", "trunk_id")  # fmt: skip

    def __init__(self, leg_id: str) -> None:
        self.id = leg_id
        self.inbound = False
        self.trunk_id = ""
        self.initiated_at: float | None = None
        self.ringing_at: float | None = None
        self.answered_at: float | None = None
        self.ended_at: float | None = None
        self.outcome = _OUTCOME
        self.cause = _CAUSE
        self.sip_status = 0
        self.hung_up_by = _PLATFORM

    def kept(self) -> KeptTrack:
        return KeptTrack(
            self.id, self.inbound, self.trunk_id, self.initiated_at, self.ringing_at, self.answered_at
        )  # fmt: skip

    @classmethod
    def restored(cls, kept: KeptTrack) -> LegTrack:
        track = cls(kept.id)
        _, track.inbound, track.trunk_id, track.initiated_at, track.ringing_at, track.answered_at = kept
        return track


@leaf
class CallRecordBuilder:
    """One per call. Methods that record something append the fact to `out`."""

    __slots__ = ("_a", "_b", "_call_id", "_callee", "_caller", "_ended", "_offset", "_recording", "_recording_on",
                 "_recovered", "_sequence", "_started_at", "_vouched", "context", "finished", "flow")  # fmt: skip

    def __init__(self, call_id: str, leg_a_id: str, leg_b_id: str, wall_offset: float) -> None:
        self._call_id = call_id
        self._offset = wall_offset
        self._sequence = 0
        self._a, self._b = LegTrack(leg_a_id), LegTrack(leg_b_id)
        self._caller: Number | None = None
        self._vouched = UNSAID
        self._callee: Number | None = None
        self._started_at = 0.0
        self._ended: tuple[float, Outcome, Cause, HungUpBy] | None = None
        self._recording: str | None = None
        self._recording_on = False
        self._recovered = self.finished = False
        self.context: CallContext | None = None
        """None unless the dialled number is known to be ours; without it there is no record."""
        self.flow: FlowRecord | None = None
        """Of a call whose customer's application was asked, or began it."""

    def begin(
        self, caller: Number | None, trunk_id: str, now: float, *, inbound: bool = True,
        vouched: Vouched = UNSAID,
    ) -> None:  # fmt: skip
        """`caller` is who is on leg A: it dialled us, or else we dial it."""
        self._started_at = now + self._offset
        leg = self._a
        leg.initiated_at = self._started_at
        leg.trunk_id, leg.inbound = trunk_id, inbound
        self._caller = caller
        self._vouched = vouched

    def came_by(self, trunk_id: str, caller: Number | None) -> None:
        """Which of several trunks the caller's leg came from, and who calls as that one writes it."""
        self._a.trunk_id, self._caller = trunk_id, caller

    def identify(
        self, number: VirtualNumber, session: Session | None, role: Role | None, callee: Number | None,
        shown: Number | None, out: list[Effect], shown_label: str = "",
    ) -> None:  # fmt: skip
        """The number is ours: from here on there are facts, and a record at the end. A PIN or a call flow may tell more
        later. `shown_label`: of the number that leg B is shown, when that is another one."""
        a, known = self._a, self.context is not None
        self._callee = callee
        if shown is None or shown == number.number:
            shown, shown_label = number.number, shown_label or number.reference_id
        self.context = CallContext(
            self._call_id, number.account_id, number.subaccount_id, number, session, role, self._caller, callee,
            shown, a.id, self._b.id, shown_label,
        )  # fmt: skip
        if known:
            return
        if a.inbound:
            _received(self, number.number.e164, out)
        else:
            self._emit(facts.CallRequested, self._started_at, out, session.id if session else "", number.number.e164)

    def receive_foreign(self, called: Number, out: list[Effect]) -> None:
        """The dialled number is not ours: there are facts, but they belong to no account."""
        _received(self, called.masked, out)

    def routed(self, now: float, decision: Forward, out: list[Effect]) -> None:
        at, by, role = now + self._offset, decision.matched_by._value_, decision.caller_role
        session_id = decision.session.id if decision.session else ""
        out.append(Emit(facts.CallRouted(self._call_id, _next(self), at, session_id, role._value_ if role else "", by)))

    def prompt_played(self, leg: LegName, now: float, prompt: Prompt, completed: bool, out: list[Effect]) -> None:
        self._emit(facts.PromptPlayed, now + self._offset, out, leg._value_, prompt.option, completed)

    def prompt_missed(
        self, leg: LegName, now: float, prompt: Prompt, reason: str, out: list[Effect]
    ) -> None:  # fmt: skip
        self._emit(facts.PromptNotPlayed, now + self._offset, out, leg._value_, prompt.option, reason)

    def pin_checked(
        self, now: float, session_id: str, accepted: bool, failures: int, given: bool, out: list[Effect]
    ) -> None:
        self._emit(facts.PinChecked, now + self._offset, out, session_id, accepted, failures, given)

    # -- kept and restored ------------------------------------------------------------------------------------

    def _leg(self, name: LegName) -> LegTrack:
        return self._a if name is _A else self._b

    def wall(self, now: float) -> float:
        """Monotonic seconds as the record tells them."""
        return now + self._offset

    def trunk_of(self, name: LegName) -> str:
        """Id of the leg's trunk."""
        return self._leg(name).trunk_id

    @property
    def recording_id(self) -> str:
        """Of the recording that runs; empty: none does."""
        return self._recording or "" if self._recording_on else ""

    def kept(self) -> KeptRecord:
        """What it says so far."""
        a, b = self._a, self._b
        return KeptRecord(
            self._sequence, self._started_at, self._caller, self._callee, self.flow, self._recording,
            self._recording_on, a.kept(), b.kept(),
        )  # fmt: skip

    @classmethod
    def restored(cls, context: CallContext, kept: KeptRecord, wall_offset: float) -> CallRecordBuilder:
        record = cls(context.call_id, kept.a.id, kept.b.id, wall_offset)
        record._sequence, record._started_at = kept.sequence, kept.started_at
        record._caller, record._callee = kept.caller, kept.callee
        record.flow, record._recording, record._recording_on = kept.flow, kept.recording, kept.recording_on
        record.context = context
        record._a, record._b = LegTrack.restored(kept.a), LegTrack.restored(kept.b)
        return record

    def fold(self, past: Fact) -> None:
        """A fact that was written, perhaps after the rest was kept."""
        self._sequence = max(self._sequence, past.sequence)
        if isinstance(past, facts.LegDialed | facts.LegRedialed):
            leg = self._leg(LegName(past.leg))
            leg.trunk_id, leg.initiated_at = past.trunk_id, leg.initiated_at or past.at
        elif isinstance(past, facts.LegRinging):
            self._leg(LegName(past.leg)).ringing_at = past.at
        elif isinstance(past, facts.LegAnswered):
            self._leg(LegName(past.leg)).answered_at = past.at
        elif isinstance(past, facts.RecordingStarted):
            self._recording, self._recording_on = past.recording_id, True
        elif isinstance(past, facts.RecordingStopped | facts.RecordingNotStarted):
            self._recording, self._recording_on = None, False
        elif isinstance(past, facts.LegEnded):
            leg = self._leg(LegName(past.leg))
            leg.ended_at, leg.outcome, leg.cause = past.at, past.outcome, past.cause
            leg.sip_status, leg.hung_up_by = past.sip_status, past.hung_up_by

    def recovered(self, now: float, out: list[Effect], *, goes_on: bool) -> None:
        self._recovered = True
        self._emit(facts.CallRecovered, now + self._offset, out, goes_on)

    # -- a call flow ------------------------------------------------------------------------------------------

    def flow_requested(self, client_request_id: str) -> None:
        self.flow = FlowRecord(client_request_id=client_request_id, requested=True)

    def flow_given(self, now: float, actions: tuple[ActionName, ...], out: list[Effect]) -> None:
        self.flow = self.flow or FlowRecord()
        self._emit(facts.FlowGiven, now + self._offset, out, ",".join(actions))

    def action_begun(self, action: ActionName) -> None:
        self.flow = replace(self.flow or FlowRecord(), last_action=action.value)

    def action_failed(self, now: float, reason: str, out: list[Effect]) -> None:
        self.flow = self.flow or FlowRecord()
        self._emit(facts.CallActionFailed, now + self._offset, out, reason)

    def captured(self, leg: LegName, now: float, digits: str, out: list[Effect]) -> None:
        self._emit(facts.DigitsCaptured, now + self._offset, out, leg._value_, len(digits), digits)

    # -- legs -------------------------------------------------------------------------------------------------

    def dialled(self, name: LegName, now: float, trunk_id: str, out: list[Effect]) -> None:
        leg = self._leg(name)
        at = leg.initiated_at = now + self._offset
        leg.trunk_id = trunk_id
        out.append(Emit(facts.LegDialed(self._call_id, _next(self), at, name._value_, trunk_id)))

    def redialled(self, name: LegName, now: float, trunk_id: str, status: int, out: list[Effect]) -> None:
        """The place before could not be reached, with this status."""
        self._leg(name).trunk_id = trunk_id
        self._emit(facts.LegRedialed, now + self._offset, out, name._value_, trunk_id, status)

    def has_rung(self, name: LegName) -> bool:
        return self._leg(name).ringing_at is not None

    def rang(self, name: LegName, now: float, early_media: bool, out: list[Effect]) -> None:
        """An outbound leg rings, and with leg B a caller that we ring; one fact, at the first time."""
        at, caller = now + self._offset, self._a
        if self._leg(name).ringing_at is None:
            self._leg(name).ringing_at = at
            if caller.inbound and caller.answered_at is None:
                caller.ringing_at = at
            out.append(Emit(facts.LegRinging(self._call_id, _next(self), at, name._value_, early_media)))

    def answered(self, leg: LegName, now: float, out: list[Effect]) -> None:
        at = self._leg(leg).answered_at = now + self._offset
        out.append(Emit(facts.LegAnswered(self._call_id, _next(self), at, leg._value_)))

    def was_answered(self, leg: LegName) -> bool:
        return self._leg(leg).answered_at is not None

    def talk_time(self, leg: LegName, now: float) -> float:
        """Seconds since its answer; 0 without one."""
        answered_at = self._leg(leg).answered_at
        return 0.0 if answered_at is None else now + self._offset - answered_at

    def changed(self, leg: LegName, now: float, out: list[Effect]) -> None:
        self._emit(facts.LegChanged, now + self._offset, out, leg._value_)

    # -- the recording ----------------------------------------------------------------------------------------

    def recording_asked(self, recording_id: str) -> None:
        self._recording, self._recording_on = recording_id, False

    @property
    def is_recording(self) -> bool:
        """A recording was asked for, and is not known to be over."""
        return self._recording is not None

    def recording_on(self, now: float, spool: Spool, out: list[Effect]) -> None:
        self._recording_on = True
        self._emit(facts.RecordingStarted, now + self._offset, out, self._recording, spool.to_json())

    def recording_off(self, now: float, reason: str, out: list[Effect]) -> None:
        """It ended before the call, or never began for `reason`."""
        self._stop_recording(now + self._offset, reason, True, out)

    def recording_over(self, now: float, out: list[Effect]) -> None:
        """It ends while the call goes on. One that is still to begin is told of then, and of its end with the call."""
        if self._recording_on:
            self._stop_recording(now + self._offset, "", False, out)

    def _stop_recording(self, at: float, reason: str, lost: bool, out: list[Effect]) -> None:
        if self._recording_on:
            self._emit(facts.RecordingStopped, at, out, self._recording, lost)
        else:
            self._emit(facts.RecordingNotStarted, at, out, self._recording, reason)
        self._recording = None

    # -- the end ----------------------------------------------------------------------------------------------

    def ended(
        self, name: LegName, now: float, outcome: Outcome, cause: Cause, sip_status: int, by: HungUpBy,
        out: list[Effect],
    ) -> None:  # fmt: skip
        """A leg is over, once; a leg B that was never dialled leaves no trace, nor does a call nobody could route."""
        leg = self._leg(name)
        if leg.initiated_at is None or leg.ended_at is not None or not self._sequence:
            return
        at = leg.ended_at = now + self._offset
        leg.outcome, leg.cause, leg.sip_status, leg.hung_up_by = outcome, cause, sip_status, by
        out.append(Emit(facts.LegEnded(self._call_id, _next(self), at, name._value_, outcome, cause, sip_status, by)))

    def close(self, now: float, outcome: Outcome, cause: Cause, by: HungUpBy) -> None:
        """The call's result is fixed; `finish` writes it once the media's figures are in."""
        self._ended = (now + self._offset, outcome, cause, by)

    @property
    def closed(self) -> bool:
        return self._ended is not None

    def finish(self, quality: Mapping[LegName, Quality], out: list[Effect]) -> None:
        """CallEnded and the record, exactly once; no record when the dialled number is not ours, and nothing when
        the router could not tell."""
        if self.finished or self._ended is None:
            return
        self.finished = True
        at, outcome, cause, by = self._ended
        if self.is_recording:
            self._stop_recording(at, UNAVAILABLE, False, out)
        if self._sequence:
            out.append(Emit(facts.CallEnded(self._call_id, _next(self), at, outcome, cause, by)))
        if self.context is not None:
            out.append(Finish(self._record(self.context, at, outcome, cause, by, quality)))

    def _record(
        self, context: CallContext, at: float, outcome: Outcome, cause: Cause, by: HungUpBy,
        quality: Mapping[LegName, Quality],
    ) -> CallRecord:  # fmt: skip
        number, label = context.virtual_number.number, context.virtual_number.reference_id
        if self._a.inbound:
            legs = [self._leg_record(LegName.A, self._caller, number, label, quality)]
        else:
            assert self._caller is not None, "we dialled it"
            legs = [self._leg_record(LegName.A, number, self._caller, label, quality)]
        if self._callee is not None and self._b.initiated_at is not None:
            shown_label = context.shown_reference_id
            legs.append(self._leg_record(LegName.B, context.shown, self._callee, shown_label, quality))
        return CallRecord(
            self._call_id, context.account_id, context.subaccount_id,
            context.session.id if context.session else None, context.caller_role, number,
            label, self._started_at, at, outcome, cause, by, tuple(legs), self.flow, self._recovered,
        )  # fmt: skip

    def _leg_record(
        self, name: LegName, source: Number | None, destination: Number, label: str,
        quality: Mapping[LegName, Quality],
    ) -> LegRecord:  # fmt: skip
        leg = self._leg(name)
        assert leg.initiated_at is not None and leg.ended_at is not None, "a record is made of legs that ended"
        return LegRecord(
            name, leg.id, leg.inbound, source, destination, leg.trunk_id, leg.initiated_at, leg.ringing_at,
            leg.answered_at, leg.ended_at, leg.outcome, leg.cause, leg.sip_status, leg.hung_up_by, quality.get(name),
            reference_id=label,
        )  # fmt: skip

    def _emit(self, kind: Callable[..., Fact], at: float, out: list[Effect], *details: Any) -> None:
        out.append(Emit(kind(self._call_id, _next(self), at, *details)))


def _received(record: CallRecordBuilder, called: str, out: list[Effect]) -> None:
    verification, attestation = record._vouched
    at, trunk_id = record._started_at, record._a.trunk_id
    fact = facts.CallReceived(record._call_id, _next(record), at, trunk_id, called, verification, attestation)
    out.append(Emit(fact))


# Facts that every call has name their class: compiled, that is made five times as fast as what `_emit` is given.
def _next(record: CallRecordBuilder) -> int:
    """The number of its next fact."""
    record._sequence += 1
    return record._sequence
