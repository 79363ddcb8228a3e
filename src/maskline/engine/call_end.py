"""Every end of a call.

The end comes in two steps. `end` fixes the result, hangs both legs up and frees the media, so that record and
webhooks do not wait for a far side that has vanished. The call is forgotten only when both legs are over in
SIP's eyes too. Before it stands `part`: a caller who was answered already, since it was asked for a PIN or since we
called it, cannot be told by a status that nobody was reached, and hears a tone.

What it is: actions of the table `CALL`, and the two ends for the other parts of a call. Who uses it: `call.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.call_states import CallState, LegSignal
from maskline.engine.causes import answer_to_caller, cause_of_failure, hung_up_by, outcome_of
from maskline.masking.facts import Cause, HungUpBy, LegName, Outcome
from maskline.masking.prompt import BUSY, CONGESTION

if TYPE_CHECKING:
    from maskline.engine.call import Call
    from maskline.engine.leg import Leg

A, B = LegName.A, LegName.B
TONE_SECONDS = 3.0
BY_LEG = {A: HungUpBy.CALLER, B: HungUpBy.CALLEE}
_BUSY = frozenset(
    {Cause.BUSY, Cause.BUSY_EVERYWHERE, Cause.DECLINED, Cause.NO_ANSWER, Cause.RING_TIMEOUT, Cause.SESSION_BUSY}
)
"""Causes that sound busy; all others sound like a network that could not do it."""


class Parting(NamedTuple):
    """Why a call ends whose caller still hears the tone."""

    cause: Cause
    by: HungUpBy
    far_status: int | None


def end(
    call: Call, cause: Cause, by: HungUpBy, now: float, out: list[e.Effect], *,
    status: int | None = None, far_status: int | None = None,
) -> None:  # fmt: skip
    """Fix the result and take both legs down; a second end changes nothing. `status` answers the caller
    instead of the cause's own, `far_status` is what the dialled side said. A call that was parting keeps its cause."""
    record, leg_a, leg_b = call.record, call.leg_a, call.leg_b
    if record.closed:
        return
    if call.parting is not None:
        cause, by, far_status = call.parting
        out.append(e.StopTimer(i.TimerName.PIN))
    call.state = CallState.ENDING
    call.hush(now, out)
    outcome = _outcome(call, cause)
    status = status or answer_to_caller(cause)
    statuses = {A: _status_of(call, leg_a, status, far_status), B: _status_of(call, leg_b, status, far_status)}
    out.append(e.StopTimer())
    leg_a.step(LegSignal.HANG_UP, out, e.Reject(status))
    leg_b.step(LegSignal.HANG_UP, out)
    for leg in (A, B) if by is HungUpBy.CALLER else (B, A):
        record.ended(leg, now, outcome, cause, statuses[leg], by, out)
    if record.is_recording:
        out.append(e.StopRecording())
    record.close(now, outcome, cause, by)
    if call.media.is_open:
        out.append(e.CloseMedia())
    else:
        record.finish({}, out)


def lose(
    call: Call, cause: Cause, by: HungUpBy, now: float, out: list[e.Effect], *, far_status: int | None = None
) -> None:
    """Nobody is reached. The caller is refused, or hears a tone when it was answered already, unless a call flow had it
    answered: that one's callers are dropped at the same instant (8x8-wavecell.md §6)."""
    if not call.leg_a.answered or call.flow is not None:
        return end(call, cause, by, now, out, far_status=far_status)
    call.state = CallState.PARTING
    call.parting = Parting(cause, by, far_status)
    call.hush(now, out)
    outcome = outcome_of(cause, answered=False, dialled=call.leg_b.dialled or not call.leg_a.inbound)
    status = _status_of(call, call.leg_b, 0, far_status)
    out.append(e.StopTimer())
    if call.leg_b.dialled:
        call.leg_b.step(LegSignal.HANG_UP, out)
    call.record.ended(B, now, outcome, cause, status, by, out)
    call.voice(A).loop(BUSY if cause in _BUSY else CONGESTION, out)
    out.append(e.StartTimer(TONE_SECONDS, i.TimerName.PIN))
    return None


def _outcome(call: Call, cause: Cause) -> Outcome:
    """Of both legs. What ends a call flow before it has dialled somebody else is a fault of the flow or of ours, since
    its caller was not refused."""
    dialled = call.leg_b.dialled or (call.leg_a.dialled and not call.leg_a.inbound)
    if call.flow is None:
        return outcome_of(cause, answered=call.talked, dialled=dialled)
    if call.record.was_answered(A):
        dialled = call.leg_b.dialled
    outcome = outcome_of(cause, answered=call.talked, dialled=dialled)
    return Outcome.ERROR if outcome is Outcome.REJECTED else outcome


def _status_of(call: Call, leg: Leg, status: int, far_status: int | None) -> int:
    """The SIP status that ended a leg."""
    if leg.inbound:
        return 200 if call.record.was_answered(leg.name) else status
    if leg.on_its_way:
        return 487
    if not leg.dialled:
        return 0
    return 200 if call.record.was_answered(leg.name) else far_status or 200


# -- rows of the table --------------------------------------------------------------------------------------------


def part(call: Call, inp: i.Input, now: float, out: list[e.Effect]) -> None:
    """The tone was heard, or cannot be: `end` takes the cause that was kept."""
    end(call, Cause.NORMAL, HungUpBy.PLATFORM, now, out)


def cancel(call: Call, inp: i.Input, now: float, out: list[e.Effect]) -> None:
    end(call, Cause.CANCELED, HungUpBy.CALLER, now, out)


def hang_up_early(call: Call, inp: i.HungUp, now: float, out: list[e.Effect]) -> None:
    """A caller may end an early dialog by BYE, and one that was answered gives up before it was connected, unless it
    was there for what a call flow says to it (8x8-wavecell.md §6.1, answered by a prompt only). A callee that leaves
    after its answer did not take the call: the caller never talked, so the record must not say that it did.
    Before its answer a callee may not send BYE at all (RFC 3261 §15): its leg has failed."""
    if call.leg(inp.leg).inbound or (inp.leg is A and call.record.was_answered(A)):
        end(call, _cause_of_leaving(call), HungUpBy.CALLER, now, out)
    elif call.record.was_answered(inp.leg):
        lose(call, Cause.NO_ANSWER, HungUpBy.CALLEE, now, out)
    else:
        lose(call, Cause.CARRIER_ERROR, HungUpBy.CARRIER, now, out)


def _cause_of_leaving(call: Call) -> Cause:
    """Who is alone with a call flow was served by it, or hears why it cannot go on, which is the truer story."""
    alone = call.leg_b.ended or not call.leg_b.dialled
    if call.flow is None or not alone or not call.record.was_answered(A):
        return Cause.CANCELED
    return Cause.NORMAL if call.refusal is None else call.refusal.cause


def hang_up(call: Call, inp: i.HungUp, now: float, out: list[e.Effect]) -> None:
    end(call, Cause.NORMAL, BY_LEG[inp.leg], now, out)


def fail(call: Call, inp: i.Failed, now: float, out: list[e.Effect]) -> None:
    if inp.full:
        return lose(call, Cause.TRUNK_FULL, HungUpBy.PLATFORM, now, out, far_status=inp.status)
    cause = cause_of_failure(inp.status, inp.q850, rang=call.rang, network=inp.network)
    by = hung_up_by(cause)
    if inp.leg is A and by is HungUpBy.CALLEE:
        by = HungUpBy.CALLER
    return lose(call, cause, by, now, out, far_status=inp.status)


def stop_ringing(call: Call, inp: i.TimerFired, now: float, out: list[e.Effect]) -> None:
    lose(call, Cause.RING_TIMEOUT, HungUpBy.PLATFORM, now, out)


def reach_limit(call: Call, inp: i.TimerFired, now: float, out: list[e.Effect]) -> None:
    end(call, Cause.CALL_TIME_LIMIT, HungUpBy.PLATFORM, now, out)


def miss_ack(call: Call, inp: i.AckMissing, now: float, out: list[e.Effect]) -> None:
    end(call, Cause.ACK_TIMEOUT, HungUpBy.PLATFORM, now, out)


def stop(call: Call, inp: i.Stopped, now: float, out: list[e.Effect]) -> None:
    end(call, inp.cause, HungUpBy.PLATFORM, now, out)


def withdraw(call: Call, inp: i.SessionEnded, now: float, out: list[e.Effect]) -> None:
    """The session that asked for this call is over before the two were connected. A caller that dialled by itself was
    in time when it dialled, and goes on."""
    if not call.leg_a.inbound:
        end(call, Cause.SESSION_EXPIRED, HungUpBy.PLATFORM, now, out)


def close(call: Call, inp: i.MediaClosed, now: float, out: list[e.Effect]) -> None:
    call.record.finish(inp.quality, out)
