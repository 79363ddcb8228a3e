"""Messages written by hand, as a peer would put them on the wire, and one agent to throw them at."""

from __future__ import annotations

from maskline.ids import SeededIds
from maskline.sip.agent import Agent, AgentConfig, OutgoingInvite
from maskline.sip.events import Event, Flow
from maskline.sip.invite_usage import InviteUsage
from maskline.sip.message import Request, Response
from maskline.sip.parser import parse

PEER = Flow("udp", "192.0.2.7", 5060)
SDP = b"v=0\r\nc=IN IP4 192.0.2.7\r\nm=audio 4000 RTP/AVP 0\r\n"


def request(
    method: str, *, branch: str, cseq: int = 1, to_tag: str = "", call_id: str = "c1", from_tag: str = "f1",
    headers: str = "", body: bytes = b"", contact: str = "<sip:+15550101@192.0.2.7>", rport: bool = False,
    content_type: str = "application/sdp", cseq_method: str = "",
) -> bytes:  # fmt: skip
    tag = f";tag={to_tag}" if to_tag else ""
    contact_line = f"Contact: {contact}\r\n" if contact else ""
    type_line = f"Content-Type: {content_type}\r\n" if body else ""
    text = (
        f"{method} sip:+15550100@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK{branch}"
        f"{';rport' if rport else ''}\r\nFrom: <sip:+15550101@192.0.2.7>;tag={from_tag}\r\n"
        f"To: <sip:+15550100@192.0.2.1>{tag}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {cseq_method or method}\r\n"
        f"{contact_line}Max-Forwards: 70\r\n{headers}{type_line}Content-Length: {len(body)}\r\n\r\n"
    )
    return text.encode() + body


def response(
    to: bytes, status: int, tag: str = "", headers: str = "", body: bytes = b"", contact: str = "<sip:b@192.0.2.7>"
) -> bytes:
    """A response to the request `to`, as a peer would echo it."""
    asked = parse(to)
    to_value = asked.headers["to"] + (f";tag={tag}" if tag and not asked.to_tag else "")
    contact_line = f"Contact: {contact}\r\n" if contact else ""
    type_line = "Content-Type: application/sdp\r\n" if body else ""
    text = (
        f"SIP/2.0 {status} x\r\nVia: {asked.headers['via']}\r\nFrom: {asked.headers['from']}\r\nTo: {to_value}\r\n"
        f"Call-ID: {asked.call_id}\r\nCSeq: {asked.headers['cseq']}\r\n{contact_line}{headers}{type_line}"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return text.encode() + body


class Bench:
    """One agent on 192.0.2.1:5060 whose peer, PEER, is the test."""

    def __init__(self, **config: object) -> None:
        self.agent = Agent(AgentConfig("192.0.2.1", 5060, **config), SeededIds(1))  # type: ignore[arg-type]
        self.now = 0.0

    def put(self, data: bytes, flow: Flow = PEER) -> list[bytes]:
        """Feed one datagram; what the agent sends back."""
        self.agent.receive(data, flow, self.now)
        return self.sent()

    def statuses(self, data: bytes) -> list[int]:
        return [message.status for item in self.put(data) if isinstance(message := parse(item), Response)]

    def sent(self) -> list[bytes]:
        return [datagram[0] for datagram in self.agent.datagrams()]

    def events(self) -> list[Event]:
        return self.agent.events()

    def kinds(self) -> list[str]:
        return [type(event).__name__ for event in self.agent.events()]

    def pass_time(self, seconds: float) -> list[bytes]:
        """Run all timers of the next `seconds`, each at its own time; what was sent."""
        end = self.now + seconds
        out: list[bytes] = []
        while (deadline := self.agent.next_deadline()) is not None and deadline <= end:
            self.now = deadline
            self.agent.handle_timer(deadline)
            out += self.sent()
        self.now = end
        return out

    def invited(self, **values: object) -> InviteUsage:
        """A usage that the peer's INVITE opened, unanswered, all output drained."""
        self.agent.receive(request("INVITE", branch="inv", body=SDP, **values), PEER, self.now)  # type: ignore[arg-type]
        self.sent()
        return self.events()[0].usage  # type: ignore[union-attr, return-value]

    def answered(self, **values: object) -> InviteUsage:
        """The same, answered and acknowledged."""
        usage = self.invited(**values)
        self.agent.answer(usage, self.now, SDP)
        self.put(request("ACK", branch="ack", to_tag=usage.id))
        self.events()
        return usage

    def inviting(self, body: bytes = SDP) -> tuple[InviteUsage, bytes]:
        """A usage of our own INVITE, and that INVITE."""
        outgoing = OutgoingInvite(PEER, "sip:b@192.0.2.7", "sip:vn@192.0.2.1", "sip:b@192.0.2.7", body)
        usage = self.agent.invite(outgoing, self.now)
        return usage, self.sent()[0]

    def connected(self) -> tuple[InviteUsage, bytes]:
        """The same, answered and acknowledged; and the INVITE."""
        usage, invite = self.inviting()
        self.put(response(invite, 200, "b1", body=SDP))
        self.agent.ack(usage, self.now)
        self.sent()
        self.events()
        return usage, invite


def read_request(data: bytes) -> Request:
    message = parse(data)
    assert isinstance(message, Request)
    return message
