"""What a daemon tells of calls: those of a process before this one, and the digits of any.

What it is: a `CallState` of what another process had asked for, once the daemon says that it has the call; and a reader
of the daemon's notices. What it is not: a change of anything in the daemon. Who uses it: `driver.py`.
"""

from __future__ import annotations

from maskline.masking.facts import LegName
from maskline.media.port import HeldMedia
from maskline.media.rtpengine.call_state import CallState
from maskline.media.rtpengine.client import NgNode
from maskline.media.rtpengine.ng_codec import Dictionary
from maskline.media.rtpengine.recorder import Recorder

_DIGITS = "0123456789*#ABCD"


async def adopted(call_id: str, node: NgNode, held: HeldMedia, recorder: Recorder, *, digits: bool) -> CallState:
    """`node` has it. Raises `MediaUnavailable`."""
    call = CallState(call_id, node, bridged=held.bridged, digits=digits)
    for one in held.legs:
        call.local[one.leg], call.codecs[one.leg] = one.local, one.codecs
        if one.far is not None:
            call.meet(one.leg, one.far)
        if one.encrypted:
            call.encrypted.add(one.leg)
        if one.ipv6:
            call.ipv6.add(one.leg)
    if held.recording_id:
        await recorder.adopt(call, held.recording_id)
    return call


def read_notice(notice: Dictionary) -> tuple[str, LegName, str]:
    """Call, leg and digit of a notice; the digit is empty when it is of nobody's leg (tag v), or of no digit."""
    try:
        data = notice["data"]
        digit = _DIGITS[data["event"]] if data["event"] >= 0 else ""
        return str(data["callid"]), LegName(data["source_tag"]), digit
    except (LookupError, TypeError, ValueError):
        return "", LegName.A, ""
