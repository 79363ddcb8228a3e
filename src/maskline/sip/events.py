"""What the SIP agent hands out: datagrams to send and events for its user.

What it is: the closed lists of both. What it is not: behaviour. Who uses it: `sip/agent.py` makes them, the
engine's runner and the lab's phones read them. An event names the INVITE usage it belongs to (RFC 5057 word
for the dialog an INVITE sets up, from the first message to its end).
"""

from __future__ import annotations

from dataclasses import dataclass

from maskline.sip.flow import Datagram as Datagram
from maskline.sip.flow import Flow as Flow
from maskline.sip.invite_usage import InviteUsage
from maskline.sip.message import Request, Response


@dataclass(slots=True)
class InviteReceived:
    """A new INVITE outside any dialog. 100 Trying has been queued already. Answer with
    `agent.progress`, `agent.answer` or `agent.reject`."""

    usage: InviteUsage
    request: Request
    flow: Flow


@dataclass(slots=True)
class InviteCancelled:
    """The caller's CANCEL matched; 200 (CANCEL) and 487 (INVITE) have been queued; the usage is over."""

    usage: InviteUsage


@dataclass(slots=True)
class InviteAcked:
    """The ACK of our 2xx (initial or re-INVITE) arrived; `body` is the answer of a late offer, else empty."""

    usage: InviteUsage
    body: bytes


@dataclass(slots=True)
class AckMissing:
    """64*T1 passed without an ACK for our 2xx (RFC 3261 §13.3.1.4): the user should send BYE."""

    usage: InviteUsage


@dataclass(slots=True)
class InviteProgress:
    """A 101-199 response to our INVITE; `response.to_tag` tells forks apart."""

    usage: InviteUsage
    response: Response


@dataclass(slots=True)
class InviteAnswered:
    """First 2xx to our INVITE. The user must call `agent.ack`; repeats are acknowledged by the agent, other
    forks' 2xx are acknowledged and hung up by it."""

    usage: InviteUsage
    response: Response


@dataclass(slots=True)
class InviteFailed:
    """Our INVITE got a 3xx-6xx (acknowledged by the transaction), or nothing: `response` is None and `status`
    408 after Timer B, 503 on a transport error, 487 when it was cancelled without any answer. The usage is over."""

    usage: InviteUsage
    status: int
    response: Response | None


@dataclass(slots=True)
class ByeReceived:
    """The far side hung up; 200 has been queued; the usage is over."""

    usage: InviteUsage
    request: Request


@dataclass(slots=True)
class ByeFinished:
    """Our BYE got its final response, or timed out (`status` 408); the usage is over either way."""

    usage: InviteUsage
    status: int


@dataclass(slots=True)
class RequestReceived:
    """A request the user must answer with `agent.respond(event.key, status, …)`: in-dialog re-INVITE, UPDATE,
    INFO (usage set), or OPTIONS outside a dialog (usage None)."""

    key: object
    request: Request
    flow: Flow
    usage: InviteUsage | None


@dataclass(slots=True)
class RequestFinished:
    """Final response to a request sent with `agent.request` (in-dialog, usage set) or `agent.options`;
    `response` is None and `status` 408 on timeout."""

    usage: InviteUsage | None
    method: str
    status: int
    response: Response | None
    flow: Flow


Event = (
    InviteReceived | InviteCancelled | InviteAcked | AckMissing | InviteProgress | InviteAnswered | InviteFailed
    | ByeReceived | ByeFinished | RequestReceived | RequestFinished
)  # fmt: skip
