"""A change that the other side need not know of, or that there is nobody to ask for: it is answered on its own leg.

What it is: answers to re-INVITE, UPDATE and PRACK with an offer, once what they bring is attached. What it is not: the
choice between this and asking the other side (`call_talk.py`), or the way back when it cannot be attached
(`call_change.py`). Who uses it: `call_talk.py`, `call_change.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.call_media_change import OTHER, keep, take_early
from maskline.masking.facts import LegName
from maskline.sdp.errors import SdpError
from maskline.sdp.session import AudioDescription

if TYPE_CHECKING:
    from maskline.engine.call import Call


def answer_here(
    call: Call, name: LegName, key: object, said: AudioDescription, now: float, out: list[e.Effect]
) -> None:
    """The other side, if there is one, need not know. Raises `SdpError`."""
    before = keep(call.media.leg(name))
    body, moved = call.media.take_change(name, said, OTHER[name] if call.bridged else None)
    _answer_here(call, name, key, body, moved, before, now, out)


def _answer_here(
    call: Call, name: LegName, key: object, body: bytes, moved: bool, before: tuple[Any, ...], now: float,
    out: list[e.Effect],
) -> None:  # fmt: skip
    leg = call.media.leg(name)
    if moved:
        out.append(e.AttachMedia(name, leg.far_media(), call.bridged, i.ChangeReady(name, key, body, before)))
        return
    out.append(e.RespondRequest(name, key, 200, body))
    if leg.far != before[0]:
        call.record.changed(name, now, out)


def answer_early(call: Call, inp: i.Offered, now: float, out: list[e.Effect]) -> None:
    """An offer before the leg's answer: the agent lets it through when that of the INVITE has been answered by a
    reliable 18x (RFC 3311 §5.1, RFC 3262 §5). Nobody else is asked. Raises `SdpError`."""
    media, name = call.media, inp.leg
    leg = media.leg(name)
    if not media.relay or leg.written is None:
        # Without relay the other side would have to be told, whose own INVITE may be open still.
        raise SdpError(488, "not before the answer")
    said, before = leg.read_offer(inp.body), keep(leg)
    if name is LegName.A and call.leg_a.inbound:
        return answer_here(call, name, inp.key, said, now, out)
    body, moved = take_early(media, name, said, inp.fork)
    return _answer_here(call, name, inp.key, body, moved, before, now, out)
