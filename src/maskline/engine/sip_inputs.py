"""Events of the SIP agent as inputs of the call whose leg they are about.

What it is: the table of those events that mean one thing to a leg, whatever the engine's state. What it is not: new
calls and provisional responses, which `core.py` looks at itself, and other requests (`sip_requests.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from maskline.engine import inputs as i
from maskline.engine.identity import elsewhere
from maskline.engine.leg import Leg
from maskline.masking.facts import Cause
from maskline.masking.trunk import Reliable, Trunk
from maskline.sip import events as sip
from maskline.sip.invite_usage import InviteUsage
from maskline.sip.message import Request
from maskline.sip.option_tags import RELIABLE, names


def leg_of(usage: InviteUsage | None) -> Leg | None:
    """Whose dialog this is; None for INVITEs that never became a call."""
    owner = None if usage is None else usage.owner
    return owner if isinstance(owner, Leg) else None


def is_reliable(usage: InviteUsage, request: Request, trunk: Trunk) -> bool:
    """Whether what we say to this INVITE before the answer will be acknowledged (RFC 3262)."""
    wanted = trunk.reliable is Reliable.REQUIRED and names(request, "supported", RELIABLE)
    return wanted or usage.reliable is not None


def _failed(event: sip.InviteFailed, leg: Leg) -> i.Input:
    response = event.response
    q850 = None if response is None else response.q850_cause
    network = response is None and event.status == 503
    contacts = elsewhere(response) if response is not None and 300 <= event.status < 400 else ()
    return i.Failed(event.status, q850, network, leg.name, response is None and event.status == 408, contacts)


def _finished(event: sip.RequestFinished, leg: Leg) -> i.Input:
    """Only offers are sent inside a leg."""
    response = event.response
    return i.OfferAnswered(leg.name, event.status, b"" if response is None else response.sdp)


LEG_INPUTS: dict[type, Callable[[Any, Leg], i.Input]] = {
    sip.InviteAnswered: lambda event, leg: i.Answered(event.described or event.response.sdp, leg.name, event.offered),
    sip.InviteFailed: _failed,
    sip.InviteCancelled: lambda event, leg: i.Cancelled(),
    sip.InviteAcked: lambda event, leg: i.Acked(leg.name, event.body),
    sip.ProgressAcked: lambda event, leg: i.Acked(leg.name, event.body),
    sip.AckMissing: lambda event, leg: i.AckMissing(leg.name),
    sip.SessionExpired: lambda event, leg: i.Stopped(Cause.SESSION_NOT_RENEWED),
    sip.SessionDescribed: lambda event, leg: i.Renewed(leg.name, event.body),
    sip.ByeReceived: lambda event, leg: i.HungUp(leg.name),
    sip.OfferCancelled: lambda event, leg: i.OfferWithdrawn(leg.name, event.key),
    sip.RequestFinished: _finished,
    sip.ByeFinished: lambda event, leg: i.ByeDone(leg.name),
}
