"""What the SIP agent hands out: datagrams to send and events for its user.

What it is: the closed lists of both. What it is not: behaviour. Who uses it: `sip/agent.py` makes them, the
engine's runner and the lab's phones read them. An event names the INVITE usage it belongs to (RFC 5057 word
for the dialog an INVITE sets up, from the first message to its end).
"""

from __future__ import annotations

from maskline.sip.digest import Credentials
from maskline.sip.flow import Datagram as Datagram
from maskline.sip.flow import Flow as Flow
from maskline.sip.invite_usage import InviteUsage
from maskline.sip.message import Request, Response
from maskline.values import dataclass


@dataclass(frozen=True, slots=True)
class InviteReceived:
    """A new INVITE outside any dialog. 100 Trying has been queued already. Answer with
    `agent.progress`, `agent.answer` or `agent.reject`."""

    usage: InviteUsage
    request: Request
    flow: Flow
    proved: tuple[Credentials, ...] = ()
    """Who the sender has proved to be, where that was asked for; more than one: those are the same."""


@dataclass(frozen=True, slots=True)
class InviteCancelled:
    """The caller's CANCEL matched; 200 (CANCEL) and 487 (INVITE) have been queued; the usage is over."""

    usage: InviteUsage


@dataclass(frozen=True, slots=True)
class InviteAcked:
    """The ACK of our 2xx (initial or re-INVITE) arrived; `body` is the answer of a late offer, else empty."""

    usage: InviteUsage
    body: bytes


@dataclass(frozen=True, slots=True)
class AckMissing:
    """64*T1 passed without an ACK for our 2xx (RFC 3261 §13.3.1.4), or without a PRACK for our 18x (RFC 3262 §3): the
    user should send BYE, which refuses an INVITE that is not answered yet."""

    usage: InviteUsage


@dataclass(frozen=True, slots=True)
class ProgressAcked:
    """The PRACK of our reliable 18x brought the answer to the offer in it."""

    usage: InviteUsage
    body: bytes


@dataclass(frozen=True, slots=True)
class SessionExpired:
    """Nobody renewed the session in time (RFC 4028 §10), or the peer no longer knows it: the user should send BYE."""

    usage: InviteUsage


@dataclass(frozen=True, slots=True)
class SessionDescribed:
    """The answer to a renewal of the agent's own is other SDP than the far side's last, and holds: the re-INVITE
    repeated what the user had said last, and has its ACK."""

    usage: InviteUsage
    body: bytes


@dataclass(frozen=True, slots=True)
class InviteProgress:
    """A 101-199 response to our INVITE; `response.to_tag` tells forks apart. A reliable one has its PRACK already, and
    comes once; only if it makes an offer, since our INVITE made none, the user owes `agent.prack`."""

    usage: InviteUsage
    response: Response


@dataclass(frozen=True, slots=True)
class InviteAnswered:
    """First 2xx to our INVITE. The user must call `agent.ack`; repeats are acknowledged by the agent, other
    forks' 2xx are acknowledged and hung up by it."""

    usage: InviteUsage
    response: Response
    described: bytes = b""
    """SDP that its far side gave before and that stands, whatever the response says."""
    offered: bool = False
    """That was an offer of its own, since."""


@dataclass(frozen=True, slots=True)
class InviteFailed:
    """Our INVITE got a 3xx-6xx (acknowledged by the transaction), or nothing: `response` is None and `status`
    408 after Timer B, 503 on a transport error, 487 when it was cancelled without any answer. The usage is over."""

    usage: InviteUsage
    status: int
    response: Response | None


@dataclass(frozen=True, slots=True)
class ByeReceived:
    """The far side hung up; 200 has been queued; the usage is over."""

    usage: InviteUsage
    request: Request


@dataclass(frozen=True, slots=True)
class ByeFinished:
    """Our BYE got its final response, or timed out (`status` 408); the usage is over either way."""

    usage: InviteUsage
    status: int


@dataclass(frozen=True, slots=True)
class RequestReceived:
    """A request the user must answer with `agent.respond(event.key, status, …)`: in-dialog re-INVITE, UPDATE,
    INFO, a PRACK that makes an offer (usage set), or OPTIONS outside a dialog (usage None)."""

    key: object
    request: Request
    flow: Flow
    usage: InviteUsage | None


@dataclass(frozen=True, slots=True)
class OfferCancelled:
    """The far side cancelled its re-INVITE, which came as `RequestReceived` with this key; 200 (CANCEL) and 487 have
    been queued."""

    usage: InviteUsage
    key: object


@dataclass(frozen=True, slots=True)
class RequestFinished:
    """Final response to a request sent with `agent.request` (in-dialog, usage set) or `agent.options`;
    `response` is None and `status` 408 on timeout, 491 when other offers were in the way all the time."""

    usage: InviteUsage | None
    method: str
    status: int
    response: Response | None
    flow: Flow


@dataclass(frozen=True, slots=True)
class ProofRefused:
    """Somebody at an address that has to prove who it is gave a wrong name or password; 403 has been queued."""

    flow: Flow


Event = (
    InviteReceived | InviteCancelled | InviteAcked | AckMissing | InviteProgress | InviteAnswered | InviteFailed
    | ByeReceived | ByeFinished | RequestReceived | OfferCancelled | RequestFinished | ProofRefused | ProgressAcked
    | SessionExpired | SessionDescribed
)  # fmt: skip
