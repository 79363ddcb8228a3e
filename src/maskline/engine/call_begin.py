"""The beginning of a call: whose it is, and what the router's answer makes of it.

What it is: actions of the table `CALL` from the INVITE to the moment when the media driver is asked for ports. What it
is not: the rules of routing (`masking/match.py`). Who uses it: `call.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.call_dial import invite
from maskline.engine.call_end import end
from maskline.engine.call_record_builder import UNAVAILABLE
from maskline.engine.call_states import CallState
from maskline.engine.causes import NOWHERE
from maskline.masking.decision import Forward, Refuse
from maskline.masking.facts import Cause, HungUpBy, LegName
from maskline.sdp.errors import SdpError

if TYPE_CHECKING:
    from maskline.engine.call import Call

A, B = LegName.A, LegName.B


def route(call: Call, inp: i.Received, now: float, out: list[e.Effect]) -> None:
    call.offer_taken = inp
    call.hops = inp.max_forwards - 1
    call.media.leg(A).nat = inp.trunk.nat
    call.record.begin(inp.caller, inp.trunk.id, now, vouched=inp.vouched)
    out.append(e.Route(inp.caller, inp.called, inp.trunk, call.leg_a.id, inp.others))


def stop_asking(call: Call, inp: i.Input, now: float, out: list[e.Effect]) -> None:
    """Whose call it was is still to be known, but nobody waits for an application any more."""
    out.append(e.StopAsking())


def give_up(call: Call, inp: i.RouteFailed, now: float, out: list[e.Effect]) -> None:
    """Nobody knows whose number was dialled, so there is no record to write."""
    end(call, inp.cause, HungUpBy.PLATFORM, now, out)


# -- refused ------------------------------------------------------------------------------------------------------


def refuse(call: Call, inp: i.Refused, now: float, out: list[e.Effect]) -> None:
    """The router refused. A caller that left meanwhile, or a loop, is the truer story; otherwise it may hear why first,
    as early media: an answer would cost it money."""
    decision = inp.decision
    if decision.virtual_number is None:
        call.record.receive_foreign(call.offer.called, out)
    else:
        call.record.identify(decision.virtual_number, decision.session, None, None, None, out)
    if decision.detail:
        call.record.action_failed(now, decision.detail, out)
    if call.leg_a.ended:
        if decision.prompt is not None:
            call.record.prompt_missed(A, now, decision.prompt, "left", out)
        end(call, Cause.CANCELED, HungUpBy.CALLER, now, out)
    elif call.offer.looped:
        end(call, Cause.LOOP, HungUpBy.PLATFORM, now, out)
    elif decision.prompt is None or not _can_be_told(call):
        refuse_unheard(call, decision, now, out)
    else:
        call.refusal = decision
        open_caller(call, out)


def refuse_unheard(call: Call, refusal: Refuse, now: float, out: list[e.Effect]) -> None:
    if refusal.prompt is not None:
        call.record.prompt_missed(A, now, refusal.prompt, UNAVAILABLE, out)
    # That a caller's number is one of ours is nobody's business; a loop that our own mark proves has its 482 above.
    status = NOWHERE if refusal.cause is Cause.LOOP else None
    end(call, refusal.cause, HungUpBy.PLATFORM, now, out, status=status)


def miss_caller(call: Call, inp: i.MediaFailed, now: float, out: list[e.Effect]) -> None:
    """No ports for a caller that was to be told or asked something."""
    if call.refusal is not None:
        refuse_unheard(call, call.refusal, now, out)
    else:
        end(call, Cause.MEDIA_UNAVAILABLE, HungUpBy.PLATFORM, now, out)


def _can_be_told(call: Call) -> bool:
    """There is early media to a caller that made an offer we understand."""
    if not call.media.relay or not call.offer.body:
        return False
    try:
        call.media.take_offer(call.offer.body)
    except SdpError:
        return False
    return True


# -- taken --------------------------------------------------------------------------------------------------------


def abandon(call: Call, inp: i.Forwarded, now: float, out: list[e.Effect]) -> None:
    identify(call, inp.decision, now, out)
    end(call, Cause.CANCELED, HungUpBy.CALLER, now, out)


def abandon_question(call: Call, inp: i.PinAsked, now: float, out: list[e.Effect]) -> None:
    call.record.identify(inp.decision.virtual_number, inp.decision.session, None, None, None, out)
    end(call, Cause.CANCELED, HungUpBy.CALLER, now, out)


def forward(call: Call, inp: i.Forwarded, now: float, out: list[e.Effect]) -> None:
    identify(call, inp.decision, now, out)
    if understand(call, now, out):
        open_both(call, now, out)


def open_both(call: Call, now: float, out: list[e.Effect]) -> None:
    """Ports for a caller that waits and for the callee that is to be dialled."""
    decision = call.way
    call.state = CallState.OPENING
    if decision.options.record:
        call.media.keep_to_g711()
    if not call.media.relay and call.media.leg(B).demands_keys:
        return end(call, Cause.MEDIA_UNAVAILABLE, HungUpBy.PLATFORM, now, out)
    if not call.media.relay:
        for prompt in decision.caller_prompts:
            call.record.prompt_missed(A, now, prompt, UNAVAILABLE, out)
        call.state = CallState.DIALING
        return invite(call, now, out)
    if decision.caller_prompts:
        call.caller_prompts = decision.caller_prompts
        call.media.prepare_greeting()
    elif call.media.late and call.offer.reliable:
        call.media.prepare_early_offer()
    call.media.is_open = True
    keys, ipv6 = call.media.with_keys(B), call.media.over_ipv6(A, B)
    out.append(e.OpenMedia(call.media.caller_far(), call.media.offered, encrypted=keys, ipv6=ipv6))
    return None


def ask_pin(call: Call, inp: i.PinAsked, now: float, out: list[e.Effect]) -> None:
    """A caller that cannot hear us cannot be asked."""
    asked = call.asked = inp.decision
    call.record.identify(asked.virtual_number, asked.session, None, None, None, out)
    if call.media.relay or call.offer.looped:
        if understand(call, now, out):
            open_caller(call, out)
        return
    if asked.rules.prompt is not None:
        call.record.prompt_missed(A, now, asked.rules.prompt, UNAVAILABLE, out)
    end(call, Cause.PIN_REQUIRED, HungUpBy.PLATFORM, now, out)


def identify(call: Call, to: Forward, now: float, out: list[e.Effect]) -> None:
    """From here on it is known whom the caller is to reach."""
    call.decision = to
    call.callee_prompts = to.callee_prompts
    call.media.leg(B).dial_by(to.trunk, to.ways)
    call.record.identify(to.virtual_number, to.session, to.caller_role, to.callee, to.shown, out, to.shown_reference_id)
    call.record.routed(now, to, out)


def understand(call: Call, now: float, out: list[e.Effect]) -> bool:
    """Whether the INVITE is one to go on with; ends the call if not."""
    offer = call.offer
    if offer.looped or offer.max_forwards < 2:
        # What goes out must carry at least 1, since the next hop has to forward it once more.
        end(call, Cause.LOOP, HungUpBy.PLATFORM, now, out, status=482 if offer.looped else 483)
        return False
    try:
        call.media.take_offer(offer.body)
    except SdpError as error:
        end(call, Cause.NOT_ACCEPTABLE, HungUpBy.PLATFORM, now, out, status=error.status)
        return False
    return True


def open_caller(call: Call, out: list[e.Effect]) -> None:
    """Ports for a caller that is to hear us before anybody is dialled."""
    call.state = CallState.OPENING_CALLER
    call.media.prepare_greeting()
    call.media.is_open = True
    out.append(e.OpenMedia(call.media.caller_far(), call.media.leg(A).agreed, (A,), ipv6=call.media.over_ipv6(A)))
