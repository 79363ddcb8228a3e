"""Requests of the far side other than INVITE: outside of a dialog, and inside a leg.

What it is: each one's answer, unless the call has to give it, and what the call hears of it. What it is not: the
changes that a re-INVITE or UPDATE asks for (`call_talk.py`). Who uses it: `core.py`.
"""

from __future__ import annotations

from maskline.engine import inputs as i
from maskline.engine.counters import EngineCounters
from maskline.engine.dtmf_info import read_info
from maskline.engine.leg import Leg
from maskline.engine.sip_inputs import leg_of
from maskline.sip import events as sip
from maskline.sip.agent import Agent


def take_request(
    event: sip.RequestReceived, agent: Agent, counters: EngineCounters, now: float, *, draining: bool
) -> i.Input | None:
    """What the call whose leg it is about has to know; None: nothing, and the request is answered."""
    usage, request = event.usage, event.request
    leg = leg_of(usage)
    if usage is None:
        # OPTIONS from a carrier is its health check: 503 takes us out of its rotation while draining.
        agent.respond(event.key, 503 if draining else 200, now)
    elif request.method == "INFO":
        return _take_info(event, leg, agent, counters, now)
    elif request.method not in ("INVITE", "UPDATE", "PRACK"):
        agent.respond(event.key, 200, now)
    elif leg is not None:
        # A PRACK that comes here makes an offer, which is no other than that of an UPDATE (RFC 3262 §5).
        return i.Offered(leg.name, event.key, request.body, request.method != "INVITE", request.from_tag)
    else:
        agent.respond(event.key, 481, now)
    return None


def _take_info(
    event: sip.RequestReceived, leg: Leg | None, agent: Agent, counters: EngineCounters, now: float
) -> i.Input | None:
    status, headers, digit = read_info(event.request)
    agent.respond(event.key, status, now, headers=headers)
    if digit is None:
        counters.dropped_info += 1
        return None
    return None if leg is None else i.Digit(leg.name, digit, by_info=True)
