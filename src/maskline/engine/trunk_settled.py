"""Which trunk a call came by, where address and digest leave several: known once the dialled number says whose it is.

What it is: the moment between the router's answer and the call, in which the trunk chosen takes over: its place among
its calls, its password, its way of speaking. What it is not: the rule (`masking/trunk.py`, which the router asks too).
Who uses it: `core.py`. Each trunk reads the numbers for itself, and the router refuses what two of them read as two
calls.
"""

from __future__ import annotations

from dataclasses import replace

from maskline.engine import inputs as i
from maskline.engine.attestation import vouched
from maskline.engine.call import Call
from maskline.engine.identity import DEFAULT_MAX_FORWARDS, called_of, caller_of, has_looped, reading_of
from maskline.engine.sip_inputs import is_reliable
from maskline.engine.trunk_credentials import credentials_of
from maskline.engine.trunk_gate import TrunkGate
from maskline.masking.decision import Refuse, VirtualNumber
from maskline.masking.facts import Cause, LegName
from maskline.masking.trunk import Reading, Trunk, of_account
from maskline.sip.agent import Agent
from maskline.sip.events import InviteReceived
from maskline.sip.message import Request


def read_by(trunks: tuple[Trunk, ...], request: Request, here: str) -> tuple[Reading, ...]:
    """The numbers of an INVITE as each of the trunks writes them that can have written it; `here`: our host as they
    know it."""
    readings = []
    for trunk in trunks:
        how, places = reading_of(trunk, here)
        called = called_of(request, how, places)
        if called is not None:
            readings.append(Reading(trunk, caller_of(request, how, places), called))
    return tuple(readings)


def received_of(event: InviteReceived, readings: tuple[Reading, ...], loop_token: str) -> i.Received:
    """What an INVITE asks for that came by one of these trunks."""
    request, first = event.request, readings[0]
    hops = request.max_forwards
    return i.Received(
        first.caller, first.called, first.trunk, request.body,
        DEFAULT_MAX_FORWARDS if hops is None else hops, has_looped(request, loop_token),
        vouched(request), is_reliable(event.usage, request, first.trunk), readings[1:],
    )  # fmt: skip


def settle(call: Call, inp: i.Input, gate: TrunkGate, agent: Agent, now: float) -> i.Input:
    """`inp`, unless the trunk is full, which is said in its place. An answer that names no number settles nothing."""
    if call.offer_taken is None or not call.offer_taken.others:
        return inp
    if not isinstance(inp, i.Forwarded | i.FlowGiven | i.PinAsked | i.Refused):
        return inp
    number, usage = inp.decision.virtual_number, call.leg_a.usage
    meant = None if number is None else _meant(call.offer, number)
    if meant is None or usage is None or usage.request is None:
        return inp
    trunk = meant.trunk
    reliable = is_reliable(usage, usage.request, trunk)
    call.offer_taken = replace(
        call.offer, caller=meant.caller, called=meant.called, trunk=trunk, others=(), reliable=reliable
    )
    call.record.came_by(trunk.id, meant.caller)
    call.media.leg(LegName.A).nat = trunk.nat
    agent.prove(usage, credentials_of(trunk, usage.flow))
    if call.record.closed or gate.take(call.id, LegName.A, trunk, now) or isinstance(inp, i.Refused):
        return inp
    return i.Refused(Refuse(Cause.TRUNK_FULL, number))


def _meant(offer: i.Received, number: VirtualNumber) -> Reading | None:
    """The reading that led to `number`, of the trunk that may ring it."""
    readings = (Reading(offer.trunk, offer.caller, offer.called), *offer.others)
    fitting = [one for one in readings if one.called == number.number]
    trunk = of_account(tuple([one.trunk for one in fitting]), number.account_id)
    return next((one for one in fitting if one.trunk is trunk), None)
