"""What happens inside a leg that is up: changes of its media, ACKs, keys, the recording.

Re-INVITE and UPDATE are answered here: the media is anchored, so the other side needs no word of them. That holds
before the bridge too, for a leg that was answered already.

What it is: actions of the table `CALL`. Who uses it: `call.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.call_end import end
from maskline.engine.call_record_builder import UNAVAILABLE
from maskline.masking.facts import Cause, HungUpBy, LegName
from maskline.sdp.errors import SdpError

if TYPE_CHECKING:
    from maskline.engine.call import Call

_OTHER = {LegName.A: LegName.B, LegName.B: LegName.A}


def take_ack(call: Call, inp: i.Acked, now: float, out: list[e.Effect]) -> None:
    leg = call.media.leg(inp.leg)
    if not leg.awaits_answer:
        return
    before = leg.far
    first = before is None
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
        out.append(e.AttachMedia(inp.leg, leg.far_media(), call.bridged, i.LateMediaReady(first)))


def change(call: Call, inp: i.Offered, now: float, out: list[e.Effect]) -> None:
    """Re-INVITE or UPDATE."""
    if not inp.body:
        body = b"" if inp.update else call.media.offer_again(inp.leg)
        out.append(e.RespondRequest(inp.leg, inp.key, 200, body))
        return
    leg = call.media.leg(inp.leg)
    before = leg.far
    try:
        body, moved = call.media.take_change(inp.leg, inp.body)
    except SdpError as error:
        out.append(e.RespondRequest(inp.leg, inp.key, error.status))
        return
    if moved:
        ready = i.ChangeReady(inp.leg, inp.key, body)
        out.append(e.AttachMedia(inp.leg, leg.far_media(), call.bridged, ready))
        return
    out.append(e.RespondRequest(inp.leg, inp.key, 200, body))
    if leg.far != before:
        call.record.changed(inp.leg, now, out)


def change_early(call: Call, inp: i.Offered, now: float, out: list[e.Effect]) -> None:
    """UPDATE before the leg's answer (RFC 3311): a refresh is fine, another offer is not, and 488 leaves the
    dialog as it was."""
    if call.leg(inp.leg).answered:
        change(call, inp, now, out)
    else:
        out.append(e.RespondRequest(inp.leg, inp.key, 488 if inp.body else 200))


def confirm_change(call: Call, inp: i.ChangeReady, now: float, out: list[e.Effect]) -> None:
    out.append(e.RespondRequest(inp.leg, inp.key, 200, inp.body))
    call.record.changed(inp.leg, now, out)


def refuse_late_change(call: Call, inp: i.Offered | i.ChangeReady, now: float, out: list[e.Effect]) -> None:
    """The leg is being hung up: 487 for what was still open (RFC 3261 §15.1.2)."""
    out.append(e.RespondRequest(inp.leg, inp.key, 487))


def pass_digit(call: Call, inp: i.Digit, now: float, out: list[e.Effect]) -> None:
    """A key pressed as telephone event is in the media, and passes there or is blocked there."""
    if inp.by_info and call.media.relay and not call.policy.block_digits:
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
    if inp.first and call.way.options.record:
        start_recording(call, now, out)


def recording_on(call: Call, inp: i.RecordingOn, now: float, out: list[e.Effect]) -> None:
    if call.record.is_recording:
        call.record.recording_on(now, inp.spool, out)


def recording_off(call: Call, inp: i.RecordingOff, now: float, out: list[e.Effect]) -> None:
    if call.record.is_recording:
        call.record.recording_off(now, inp.reason, out)
