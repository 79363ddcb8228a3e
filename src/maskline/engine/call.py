"""One call: two legs, a decision between them, and an end.

What it is: the machine over `call_states.CALL`. `handle` gives effects in order; feed one input,
perform all of them, then feed the next. It composes the two `Leg`s, `CallMedia` (SDP) and `CallRecordBuilder`
(facts); each action below is one row of the table. What it is not: SIP, sockets, clocks or storage; `core.py`
performs the effects.

The end comes in two steps. `_end` fixes the result, hangs both legs up and frees the media, so that record and
webhooks do not wait for a far side that has vanished. The call is forgotten only when both legs are over in
SIP's eyes too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.call_media import CallMedia
from maskline.engine.call_record_builder import CallRecordBuilder
from maskline.engine.call_states import CALL, CallState, LegSignal, LegState
from maskline.engine.causes import answer_to_caller, cause_of_failure, hung_up_by, outcome_of
from maskline.engine.leg import Leg
from maskline.masking.decision import Forward
from maskline.masking.facts import Cause, HungUpBy, LegName
from maskline.sdp.errors import SdpError

A, B = LegName.A, LegName.B
_BY_LEG = {A: HungUpBy.CALLER, B: HungUpBy.CALLEE}
_EARLY_CAUSES = {A: Cause.CANCELED, B: Cause.NO_ANSWER}
"""Why a call ended whose callee has answered but whose caller has not been told yet. A callee that leaves then did not
take the call: the caller hears 480 and never talked, so the record must not say that it did."""


class Call:
    __slots__ = ("_caller", "_decision", "_early_media_ready", "_max_forwards", "_offer", "_rang", "_talked", "id",
                 "leg_a", "leg_b", "media", "record", "state")  # fmt: skip

    def __init__(self, call_id: str, legs: tuple[Leg, Leg], media: CallMedia, record: CallRecordBuilder) -> None:
        self.id = call_id
        self.leg_a, self.leg_b = legs
        self.media = media
        self.record = record
        self.state = CallState.NEW
        self._offer: i.Received | None = None
        self._decision: Forward | None = None
        self._max_forwards = 0
        self._rang = False
        self._early_media_ready = False
        self._talked = False

    @property
    def offer(self) -> i.Received:
        """What the caller asked for."""
        assert self._offer is not None, "Received is the first input"
        return self._offer

    def handle(self, inp: i.Input, now: float, out: list[e.Effect]) -> None:
        """Take one input; appends what must be done to `out`, in order. What is there already when it raises still
        has to be done: the legs have moved on with it."""
        kind = type(inp)
        signal = _SIGNALS.get(kind)
        if signal is not None:
            (self.leg_a if signal[0](inp) is A else self.leg_b).step(signal[1], out)
        row = _ROWS.get((self.state, kind))
        if row is not None:
            self.state = row[0]
            row[1](self, inp, now, out)
        self._settle(out)

    def fail(self, now: float, out: list[e.Effect]) -> None:
        """A bug met this call: end it, whatever its state."""
        self._end(Cause.INTERNAL_ERROR, HungUpBy.PLATFORM, now, out)
        self._settle(out)

    def _settle(self, out: list[e.Effect]) -> None:
        if self.state is CallState.ENDING and self._is_over():
            self.state = CallState.ENDED
            out.append(e.Forget())

    def _is_over(self) -> bool:
        return self.record.finished and self.leg_a.ended and self.leg_b.ended

    # -- before leg B -----------------------------------------------------------------------------------------

    def _route(self, inp: i.Received, now: float, out: list[e.Effect]) -> None:
        self._offer = inp
        self.media.leg(A).nat = inp.trunk.nat
        self.record.begin(inp.caller, inp.trunk.id, now)
        out.append(e.Route(inp.caller, inp.called, inp.trunk))

    def _await_route(self, inp: i.Input, now: float, out: list[e.Effect]) -> None:
        """Nothing to do before the router says whose call it was."""

    def _give_up(self, inp: i.RouteFailed, now: float, out: list[e.Effect]) -> None:
        """Nobody knows whose number was dialled, so there is no record to write."""
        self._end(inp.cause, HungUpBy.PLATFORM, now, out)

    def _refuse(self, inp: i.Refused, now: float, out: list[e.Effect]) -> None:
        decision = inp.decision
        if decision.virtual_number is None:
            self.record.receive_foreign(self.offer.called, out)
        else:
            self.record.identify(decision.virtual_number, decision.session, None, None, None, out)
            self.record.prompt_missed(now, decision, out)
        self._end_before_dialling(decision.cause, now, out)

    def _abandon(self, inp: i.Forwarded, now: float, out: list[e.Effect]) -> None:
        self._identify(inp.decision, now, out)
        self._end(Cause.CANCELED, HungUpBy.CALLER, now, out)

    def _open_media(self, inp: i.Forwarded, now: float, out: list[e.Effect]) -> None:
        offer = self.offer
        decision = self._decision = inp.decision
        self._identify(decision, now, out)
        if offer.looped or offer.max_forwards < 2:
            # What goes out must carry at least 1, since the next hop has to forward it once more.
            return self._end(Cause.LOOP, HungUpBy.PLATFORM, now, out, status=482 if offer.looped else 483)
        self.media.leg(B).nat = decision.trunk.nat
        try:
            self.media.take_offer(offer.body)
        except SdpError as error:
            return self._end(Cause.NOT_ACCEPTABLE, HungUpBy.PLATFORM, now, out, status=error.status)
        if self.media.relay:
            self.media.is_open = True
            out.append(e.OpenMedia(self.media.caller_far(), self.media.offered))
        else:
            self.state = CallState.DIALING
            self._invite(now, out)
        return None

    def _dial(self, inp: i.MediaOpened, now: float, out: list[e.Effect]) -> None:
        self.media.leg(A).local = inp.a
        self.media.leg(B).local = inp.b
        self._invite(now, out)

    def _invite(self, now: float, out: list[e.Effect]) -> None:
        decision = self._taken_decision()
        body, hops = self.media.offer_to_callee(), self.offer.max_forwards - 1
        invite = e.SendInvite(B, decision.callee, decision.shown, decision.trunk, hops, body)
        self.leg_b.step(LegSignal.DIAL, out, invite)
        self.record.dialled(now, decision.trunk.id, out)
        out.append(e.StartTimer(decision.options.ring_timeout))

    # -- leg B on its way -------------------------------------------------------------------------------------

    def _ring(self, inp: i.Progressed, now: float, out: list[e.Effect]) -> None:
        self._rang = self._rang or inp.status == 180
        # The caller of a late offer has no answer to hear early media with (RFC 3261 §13.2.1).
        if not inp.body or self.media.late or self.media.early_fork not in (None, inp.fork):
            self.record.rang(now, False, out)
            self.leg_a.step(LegSignal.RING, out, e.Progress(inp.status))
        elif self.media.early_fork is None:
            self._take_early_media(inp, now, out)
        elif self._early_media_ready:
            self._pass_early_media(inp, now, out)

    def _take_early_media(self, inp: i.Progressed, now: float, out: list[e.Effect]) -> None:
        try:
            self.media.take_callee(inp.body)
        except SdpError:
            # An early body we cannot use is no reason to fail: the 2xx brings the binding one.
            self.record.rang(now, False, out)
            self.leg_a.step(LegSignal.RING, out, e.Progress(inp.status))
            return
        self.media.early_fork = inp.fork
        self.record.rang(now, True, out)
        if self.media.relay:
            out.append(e.AttachMedia(B, self.media.leg(B).far_media(), True, i.EarlyMediaReady()))
        else:
            self._pass_early_media(inp, now, out)

    def _pass_early_media(self, inp: i.Input, now: float, out: list[e.Effect]) -> None:
        self._early_media_ready = True
        self.leg_a.step(LegSignal.RING, out, e.Progress(183, self.media.sdp_for_caller()))

    def _connect(self, inp: i.Answered, now: float, out: list[e.Effect]) -> None:
        self.record.answered(B, now, out)
        try:
            self.media.take_callee(inp.body)
        except SdpError:
            return self._end(Cause.NOT_ACCEPTABLE, HungUpBy.PLATFORM, now, out)
        if self.media.relay:
            bridge = not self.media.late
            out.append(e.AttachMedia(B, self.media.leg(B).far_media(), bridge, i.AnswerMediaReady()))
        else:
            self.state = CallState.TALKING
            self._answer(inp, now, out)
        return None

    def _answer(self, inp: i.Input, now: float, out: list[e.Effect]) -> None:
        self._talked = True
        self.leg_a.step(LegSignal.ANSWER, out, e.Answer(self.media.sdp_for_caller()))
        self.record.answered(A, now, out)
        out.append(e.StartTimer(self._taken_decision().options.call_time_limit))

    def _fail(self, inp: i.Failed, now: float, out: list[e.Effect]) -> None:
        cause = cause_of_failure(inp.status, inp.q850, rang=self._rang, network=inp.network)
        self._end(cause, hung_up_by(cause), now, out, far_status=inp.status)

    def _stop_ringing(self, inp: i.TimerFired, now: float, out: list[e.Effect]) -> None:
        self._end(Cause.RING_TIMEOUT, HungUpBy.PLATFORM, now, out)

    def _cancel(self, inp: i.Input, now: float, out: list[e.Effect]) -> None:
        self._end(Cause.CANCELED, HungUpBy.CALLER, now, out)

    def _hang_up_early(self, inp: i.HungUp, now: float, out: list[e.Effect]) -> None:
        """A caller may end an early dialog by BYE; a callee may not (RFC 3261 §15), so its leg has failed."""
        if inp.leg is A:
            self._end(Cause.CANCELED, HungUpBy.CALLER, now, out)
        else:
            self._end(Cause.CARRIER_ERROR, HungUpBy.CARRIER, now, out)

    # -- both legs up -----------------------------------------------------------------------------------------

    def _take_ack(self, inp: i.Acked, now: float, out: list[e.Effect]) -> None:
        leg = self.media.leg(inp.leg)
        if not leg.awaits_answer:
            return
        first = leg.far is None
        try:
            moved = self.media.take_answer(inp.leg, inp.body)
        except SdpError:
            # After a re-INVITE without offer the old media goes on; without a first answer there is none.
            if first:
                self._end(Cause.NOT_ACCEPTABLE, HungUpBy.PLATFORM, now, out)
            return
        if moved:
            out.append(e.AttachMedia(inp.leg, leg.far_media(), True, i.LateMediaReady(first)))

    def _miss_ack(self, inp: i.AckMissing, now: float, out: list[e.Effect]) -> None:
        self._end(Cause.ACK_TIMEOUT, HungUpBy.PLATFORM, now, out)

    def _hang_up(self, inp: i.HungUp, now: float, out: list[e.Effect]) -> None:
        self._end(Cause.NORMAL if self._talked else _EARLY_CAUSES[inp.leg], _BY_LEG[inp.leg], now, out)

    def _reach_limit(self, inp: i.TimerFired, now: float, out: list[e.Effect]) -> None:
        self._end(Cause.CALL_TIME_LIMIT, HungUpBy.PLATFORM, now, out)

    def _change(self, inp: i.Offered, now: float, out: list[e.Effect]) -> None:
        """Re-INVITE or UPDATE: the media is anchored here, so we answer it ourselves and the other side needs
        no word of it."""
        if not inp.body:
            body = b"" if inp.update else self.media.offer_again(inp.leg)
            out.append(e.RespondRequest(inp.leg, inp.key, 200, body))
            return
        try:
            body, moved = self.media.take_change(inp.leg, inp.body)
        except SdpError as error:
            out.append(e.RespondRequest(inp.leg, inp.key, error.status))
            return
        if moved:
            ready = i.ChangeReady(inp.leg, inp.key, body)
            out.append(e.AttachMedia(inp.leg, self.media.leg(inp.leg).far_media(), True, ready))
        else:
            out.append(e.RespondRequest(inp.leg, inp.key, 200, body))

    def _confirm_change(self, inp: i.ChangeReady, now: float, out: list[e.Effect]) -> None:
        out.append(e.RespondRequest(inp.leg, inp.key, 200, inp.body))

    def _refuse_early_change(self, inp: i.Offered, now: float, out: list[e.Effect]) -> None:
        """UPDATE before the answer (RFC 3311): a refresh is fine, another offer is not, and 488 leaves the
        dialog as it was."""
        out.append(e.RespondRequest(inp.leg, inp.key, 488 if inp.body else 200))

    def _refuse_late_change(self, inp: i.Offered | i.ChangeReady, now: float, out: list[e.Effect]) -> None:
        """The leg is being hung up: 487 for what was still open (RFC 3261 §15.1.2)."""
        out.append(e.RespondRequest(inp.leg, inp.key, 487))

    # -- media ------------------------------------------------------------------------------------------------

    def _lose_media(self, inp: i.MediaFailed, now: float, out: list[e.Effect]) -> None:
        self._end(Cause.MEDIA_UNAVAILABLE, HungUpBy.PLATFORM, now, out)

    def _stop(self, inp: i.Stopped, now: float, out: list[e.Effect]) -> None:
        self._end(inp.cause, HungUpBy.PLATFORM, now, out)

    def _refuse_failed_change(self, inp: i.MediaFailed, now: float, out: list[e.Effect]) -> None:
        """A step of an answered call failed. A change is refused and the old media stays; the first answer to a
        late offer has no old media to fall back to."""
        if isinstance(inp.step, i.ChangeReady):
            out.append(e.RespondRequest(inp.step.leg, inp.step.key, 500))
        elif isinstance(inp.step, i.LateMediaReady) and inp.step.first:
            self._end(Cause.MEDIA_UNAVAILABLE, HungUpBy.PLATFORM, now, out)

    # -- the end ----------------------------------------------------------------------------------------------

    def _end_before_dialling(self, cause: Cause, now: float, out: list[e.Effect]) -> None:
        """The router refused; a caller that left meanwhile, or a loop, is the truer story."""
        if self.leg_a.ended:
            self._end(Cause.CANCELED, HungUpBy.CALLER, now, out)
        elif self.offer.looped:
            self._end(Cause.LOOP, HungUpBy.PLATFORM, now, out)
        else:
            self._end(cause, HungUpBy.PLATFORM, now, out)

    def _end(
        self, cause: Cause, by: HungUpBy, now: float, out: list[e.Effect], *,
        status: int | None = None, far_status: int | None = None,
    ) -> None:  # fmt: skip
        """Fix the result and take both legs down; a second end changes nothing. `status` answers the caller
        instead of the cause's own, `far_status` is what the callee's side said."""
        if self.record.closed:
            return
        self.state = CallState.ENDING
        dialled = self.leg_b.state is not LegState.IDLE
        outcome = outcome_of(cause, answered=self._talked, dialled=dialled)
        status = status or answer_to_caller(cause)
        unanswered = self.leg_b.state in _BEFORE_ANSWER
        out.append(e.StopTimer())
        self.leg_a.step(LegSignal.HANG_UP, out, e.Reject(status))
        self.leg_b.step(LegSignal.HANG_UP, out)
        statuses = {A: 200 if self._talked else status, B: far_status or (487 if unanswered else 200)}
        for leg in (A, B) if by is HungUpBy.CALLER else (B, A):
            self.record.ended(leg, now, outcome, cause, statuses[leg], by, out)
        self.record.close(now, outcome, cause, by)
        if self.media.is_open:
            out.append(e.CloseMedia())
        else:
            self.record.finish({}, out)

    def _close(self, inp: i.MediaClosed, now: float, out: list[e.Effect]) -> None:
        self.record.finish(inp.quality, out)

    # -- small things -----------------------------------------------------------------------------------------

    def _identify(self, to: Forward, now: float, out: list[e.Effect]) -> None:
        self.record.identify(to.virtual_number, to.session, to.caller_role, to.callee, to.shown, out)
        self.record.routed(now, to, out)

    def _taken_decision(self) -> Forward:
        assert self._decision is not None, "only a forwarded call dials"
        return self._decision


_BEFORE_ANSWER = (LegState.TRYING, LegState.EARLY)

_SIGNALS: dict[type[i.Input], tuple[Callable[[Any], LegName], LegSignal]] = {
    i.Cancelled: (lambda _: A, LegSignal.REFUSED),
    i.Progressed: (lambda _: B, LegSignal.RING),
    i.Answered: (lambda _: B, LegSignal.ANSWER),
    i.Failed: (lambda _: B, LegSignal.REFUSED),
    i.Acked: (lambda inp: inp.leg, LegSignal.ACKED),
    i.AckMissing: (lambda inp: inp.leg, LegSignal.ACK_MISSING),
    i.HungUp: (lambda inp: inp.leg, LegSignal.FAR_BYE),
    i.ByeDone: (lambda inp: inp.leg, LegSignal.BYE_DONE),
}
"""Which leg an input is for, and as what; inputs of router, media and timer are for no leg."""

_ROWS: dict[tuple[CallState, type[i.Input]], tuple[CallState, Callable[[Call, Any, float, list[e.Effect]], None]]] = {
    key: (state, getattr(Call, f"_{action}")) for key, (state, action) in CALL.items()
}
