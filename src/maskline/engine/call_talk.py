"""What happens inside a leg that is up: changes of its media, ACKs, keys, the recording.

Re-INVITE and UPDATE that only say where a leg hears us are answered here: the media is anchored, so the other side
needs no word of them. Direction and codecs concern both (`call_change.py`). Before the bridge, for a leg that was
answered already, everything is answered here.

What it is: actions of the table `CALL`. Who uses it: `call.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.call_change import change_over, is_refused, propose, tell_later, tell_other_side
from maskline.engine.call_change_here import answer_early, answer_here
from maskline.engine.call_end import end
from maskline.engine.call_media_change import crosses, is_as_before, is_lost, offer_again, renew
from maskline.engine.call_record_builder import UNAVAILABLE
from maskline.engine.call_states import CallState
from maskline.masking.facts import Cause, HungUpBy, LegName
from maskline.sdp.errors import SdpError

if TYPE_CHECKING:
    from maskline.engine.call import Call

_OTHER = {LegName.A: LegName.B, LegName.B: LegName.A}


def take_ack(call: Call, inp: i.Acked, now: float, out: list[e.Effect]) -> None:
    leg = call.media.leg(inp.leg)
    if not leg.awaits_answer:
        return
    before, wish = leg.far, leg.wish
    first = before is None
    could = leg.written if before is None else before
    try:
        moved = call.media.take_answer(inp.leg, inp.body)
    except SdpError:
        # After a re-INVITE without offer the old media goes on; without a first answer there is none.
        if first:
            end(call, Cause.NOT_ACCEPTABLE, HungUpBy.PLATFORM, now, out)
        return
    if not first and leg.far != before:
        call.record.changed(inp.leg, now, out)
    if moved:
        out.append(e.AttachMedia(inp.leg, leg.far_media(), _joins(call), i.LateMediaReady(first)))
    assert could is not None, "it answered something"
    assert leg.far is not None, "that was its answer"
    switches = call.bridged and is_lost(call.media, inp.leg, could, leg.far)
    if leg.wish != wish or switches or not (call.media.relay or leg.far == before):
        tell_other_side(call, inp.leg, out, switches=switches)


def take_renewal(call: Call, inp: i.Renewed, now: float, out: list[e.Effect]) -> None:
    """A peer without UPDATE has to describe itself in each renewal, and may do it anew: it is elsewhere, say."""
    leg, media = call.media.leg(inp.leg), call.media
    before, wish = leg.far, leg.wish
    try:
        answer = leg.read_answer(inp.body)
        if is_as_before(leg, answer):
            return
        moved = renew(media, inp.leg, answer, is_free=call.change is None)
    except SdpError:
        return  # the old media goes on, as after a re-INVITE without offer
    assert before is not None, "a session that is renewed had media"
    call.record.changed(inp.leg, now, out)
    if moved:
        out.append(e.AttachMedia(inp.leg, leg.far_media(), _joins(call), i.LateMediaReady(first=False)))
    switches = call.bridged and is_lost(media, inp.leg, before, answer)
    if media.relay and leg.wish == wish and not switches:
        return
    if call.change is None:
        tell_other_side(call, inp.leg, out, switches=switches)
    else:
        tell_later(call, inp.leg)


def _joins(call: Call) -> bool:
    """Whether the callee waits to be joined, or is joined already: with the answer in a PRACK (RFC 3262 §5) the caller
    may be the last one whose address is known."""
    is_up = call.state is CallState.RINGING or call.state is CallState.ANSWERING
    return call.bridged or (is_up and call.media.leg(LegName.B).far is not None)


def change(call: Call, inp: i.Offered, now: float, out: list[e.Effect]) -> None:
    """Re-INVITE or UPDATE. While one change is under way no other one begins (RFC 3261 §14)."""
    if inp.update and not inp.body:
        out.append(e.RespondRequest(inp.leg, inp.key, 200))
    elif call.change is not None:
        out.append(e.RespondRequest(inp.leg, inp.key, 491))
    elif not inp.body:
        body = offer_again(call.media, inp.leg, bridged=call.bridged)
        out.append(e.RespondRequest(inp.leg, inp.key, 200, body))
    else:
        _take_offer(call, inp, now, out)


def _take_offer(call: Call, inp: i.Offered, now: float, out: list[e.Effect]) -> None:
    try:
        said = call.media.leg(inp.leg).read_offer(inp.body)
        if call.bridged and crosses(call.media, inp.leg, said):
            propose(call, inp, said, out)
        else:
            answer_here(call, inp.leg, inp.key, said, now, out)
    except SdpError as error:
        out.append(e.RespondRequest(inp.leg, inp.key, error.status))


def change_early(call: Call, inp: i.Offered, now: float, out: list[e.Effect]) -> None:
    """UPDATE, or PRACK with an offer, before the leg's answer. A refusal leaves the dialog as it was."""
    if call.leg(inp.leg).answered or not inp.body:
        return change(call, inp, now, out)
    try:
        answer_early(call, inp, now, out)
    except SdpError as error:
        out.append(e.RespondRequest(inp.leg, inp.key, error.status))
    return None


def confirm_change(call: Call, inp: i.ChangeReady, now: float, out: list[e.Effect]) -> None:
    if is_refused(call, inp.key):
        return
    out.append(e.RespondRequest(inp.leg, inp.key, 200, inp.body))
    change_over(call, inp.key, out)
    call.record.changed(inp.leg, now, out)


def refuse_late_change(call: Call, inp: i.Offered | i.ChangeReady, now: float, out: list[e.Effect]) -> None:
    """The leg is being hung up: 487 for what was still open (RFC 3261 §15.1.2)."""
    out.append(e.RespondRequest(inp.leg, inp.key, 487))


def pass_digit(call: Call, inp: i.Digit, now: float, out: list[e.Effect]) -> None:
    """A key pressed as telephone event is in the media, and passes there or is blocked there. Before the ACK to a late
    offer there are no media to press it in."""
    heard = call.media.relay and call.media.leg(LegName.A).far is not None
    if inp.by_info and heard and not call.policy.block_digits:
        out.append(e.SendDigit(_OTHER[inp.leg], inp.digit))


# -- recording ----------------------------------------------------------------------------------------------------


def start_recording(call: Call, now: float, out: list[e.Effect]) -> None:
    recording_id = call.new_id()
    call.record.recording_asked(recording_id)
    if call.media.relay:
        out.append(e.StartRecording(recording_id))
    else:
        call.record.recording_off(now, UNAVAILABLE, out)


def hear_both(call: Call, inp: i.LateMediaReady, now: float, out: list[e.Effect]) -> None:
    """After a late offer the two hear each other only now."""
    if inp.first and call.records and not call.record.is_recording:
        start_recording(call, now, out)


def recording_on(call: Call, inp: i.RecordingOn, now: float, out: list[e.Effect]) -> None:
    if call.record.is_recording:
        call.record.recording_on(now, inp.spool, out)


def recording_off(call: Call, inp: i.RecordingOff, now: float, out: list[e.Effect]) -> None:
    if call.record.is_recording:
        call.record.recording_off(now, inp.reason, out)
