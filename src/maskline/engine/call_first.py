"""A call that we start ourselves: its first party is dialled, and the rest is as if it had dialled us (click-to-call,
and call flows that the API asked for, which `call_flow.py` begins and goes on with).

The first party is leg A and sees the virtual number. When it answers it hears its prompts, then ringback while the
second party rings. Its hanging up before the two are connected is a cancelled call.

What it is: actions of the table `CALL`. Who uses it: `call.py`. Without relay there is no such call: the first party
would have to be offered an address of the second, which has not been dialled yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.call_begin import identify
from maskline.engine.call_end import end
from maskline.engine.call_media import OFFER_TO_HEAR
from maskline.engine.call_retry import has_next
from maskline.engine.call_states import LegSignal
from maskline.engine.identity import DEFAULT_MAX_FORWARDS
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause, HungUpBy, LegName
from maskline.masking.trunk import Trunk, Way
from maskline.sdp.errors import SdpError

if TYPE_CHECKING:
    from maskline.engine.call import Call

A = LegName.A


class FirstLeg(NamedTuple):
    """Whom we call first."""

    party: Number
    shown: Number
    trunk: Trunk
    ring_timeout: int
    ways: tuple[Way, ...] = ()


def start(call: Call, inp: i.Requested, now: float, out: list[e.Effect]) -> None:
    request = call.request = inp.decision
    call.hops = DEFAULT_MAX_FORWARDS
    call.caller_prompts = request.forward.caller_prompts
    call.record.begin(request.first_party, request.trunk.id, now, inbound=False)
    identify(call, request.forward, now, out)
    way = request.forward
    shown, ring_timeout = way.virtual_number.number, way.options.ring_timeout
    open_first(call, FirstLeg(request.first_party, shown, request.trunk, ring_timeout, request.ways), now, out)


def open_first(call: Call, first: FirstLeg, now: float, out: list[e.Effect]) -> None:
    """Ports for the leg that is dialled first."""
    if not call.media.relay:
        return end(call, Cause.MEDIA_UNAVAILABLE, HungUpBy.PLATFORM, now, out)
    call.first = first
    call.media.leg(A).dial_by(first.trunk, first.ways)
    call.media.is_open = True
    out.append(e.OpenMedia(None, OFFER_TO_HEAR, (A,), call.media.with_keys(A), call.media.over_ipv6(A)))
    return None


def dial_first(call: Call, inp: i.MediaOpened, now: float, out: list[e.Effect]) -> None:
    first = call.first
    assert first is not None, "its ports were asked for"
    call.media.leg(A).local = inp.a
    body = call.media.offer_to_first()
    trunk, target = first.ways[0] if first.ways else (first.trunk, None)
    more = len(first.ways) > 1 and has_next(call, A)
    invite = e.SendInvite(A, first.party, first.shown, trunk, call.hops, body, target, more)
    call.leg_a.step(LegSignal.DIAL, out, invite)
    call.record.dialled(A, now, trunk.id, out)
    out.append(e.StartTimer(first.ring_timeout))


def ring_first(call: Call, inp: i.Progressed, now: float, out: list[e.Effect]) -> None:
    """Its early media, if any, is for nobody."""
    call.rang = call.rang or inp.status == 180
    call.record.rang(A, now, bool(inp.body), out)


def meet(call: Call, inp: i.Answered, now: float, out: list[e.Effect]) -> None:
    call.rang = False
    call.record.answered(A, now, out)
    out.append(e.StopTimer())
    try:
        call.media.take_first(inp.body)
    except SdpError:
        return end(call, Cause.NOT_ACCEPTABLE, HungUpBy.PLATFORM, now, out)
    out.append(e.AttachMedia(A, call.media.leg(A).far_media(), False, i.AnswerMediaReady()))
    return None
