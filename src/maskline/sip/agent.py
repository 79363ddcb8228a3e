"""One SIP endpoint without IO: datagram, command or `now` in -> datagrams, events, next deadline out.

Contract (architecture decision 1): the runner feeds one input (`receive`, a command, `handle_timer`), then
drains `datagrams()` and `events()` and re-arms one timer at `next_deadline()`. Nothing here sleeps, reads a
clock or raises for what a peer sent. Commands on a usage that is over, or not in the state they need, do
nothing: the event that says so is already in the queue (crossing messages are normal in SIP).

The caller drops datagrams of strangers before `receive`; what gets here may be answered. Request routing by
name (RFC 3263), digest and stream transports are other modules'. Who uses it: the engine's runner, the lab.
"""

from __future__ import annotations

from maskline.ids import Ids
from maskline.sip.agent_checks import Refusal
from maskline.sip.agent_client import AgentClient, OutgoingInvite
from maskline.sip.agent_server import AgentServer
from maskline.sip.build import AgentConfig, Headers, header_lines
from maskline.sip.core import Core, Counters
from maskline.sip.events import Event
from maskline.sip.flow import Datagram, Flow
from maskline.sip.grammar import ParseError
from maskline.sip.invite_usage import InviteUsage, UsageState
from maskline.sip.message import Request
from maskline.sip.parser import parse

__all__ = ["Agent", "AgentConfig", "OutgoingInvite"]

_BLANK = b"\r\n\x00 \t"


class Agent:
    """One endpoint."""

    __slots__ = ("_client", "_core", "_released", "_server")

    def __init__(self, config: AgentConfig, ids: Ids) -> None:
        self._core = Core(config, ids)
        self._client = AgentClient(self._core)
        self._server = AgentServer(self._core, self._client)
        self._released: list[InviteUsage] = []

    # ---- inputs

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """One datagram from `flow`."""
        counters = self._core.counters
        counters.received += 1
        if not data.strip(_BLANK):
            counters.keepalives += 1
            return
        try:
            message = parse(data)
            if isinstance(message, Request):
                self._server.receive(message, flow, now)
            else:
                self._client.receive(message, now)
        except ParseError as error:
            counters.malformed += 1
            if error.request is not None:
                self._server.refuse(error.request, flow, Refusal(error.status, reason=error.reason))

    def handle_timer(self, now: float) -> None:
        """Run everything due at `now`."""
        for timer, key in self._core.timers.expired(now):
            if timer[0] == "c":
                self._client.fire(timer, key, now)
            else:
                self._server.fire(timer, key, now)

    def flow_failed(self, flow: Flow, now: float) -> None:
        """The transport says that `flow` cannot be reached: requests waiting for it end with 503."""
        self._client.flow_failed(flow, now)

    # ---- outputs

    def next_deadline(self) -> float | None:
        """When `handle_timer` must be called next; None: nothing is waiting."""
        return self._core.timers.next_deadline()

    def datagrams(self) -> list[Datagram]:
        """What to send, in order; each is handed out once."""
        core = self._core
        if not core.datagrams:
            return []
        drained, core.datagrams = core.datagrams, []
        return drained

    def events(self) -> list[Event]:
        """What happened, in order; each is handed out once. Usages whose last event was handed out by the call
        before lose their `owner` here."""
        core = self._core
        if self._released:
            for usage in self._released:
                usage.owner = None
            self._released = []
        if core.ended:
            self._released, core.ended = core.ended, []
        if not core.events:
            return []
        drained, core.events = core.events, []
        return drained

    @property
    def counters(self) -> Counters:
        return self._core.counters

    def sizes(self) -> dict[str, int]:
        """How much state is held; all zero once every call is over and its timers have run."""
        core = self._core
        return {
            "client_transactions": len(self._client.transactions),
            "server_transactions": len(self._server.transactions),
            "usages": len(core.usages),
            "dialogs": sum(1 for usage in core.usages.values() if usage.dialog is not None),
            "timers": len(core.timers),
            "datagrams": len(core.datagrams),
            "events": len(core.events),
        }

    # ---- commands: as caller

    def invite(self, outgoing: OutgoingInvite, now: float) -> InviteUsage:
        """Send an INVITE; raises `ValueError` for a line break in what we were given."""
        return self._client.invite(outgoing, now)

    def cancel(self, usage: InviteUsage, now: float) -> None:
        """Give up an INVITE without final response; `InviteFailed` follows in every case."""
        self._client.cancel(usage, now)

    def ack(self, usage: InviteUsage, now: float, body: bytes = b"") -> None:
        """Acknowledge the 2xx of an INVITE of ours; `body` answers an offer that came in the 2xx. For a
        re-INVITE sent with a body the agent has done it already."""
        self._client.ack(usage, now, body)

    # ---- commands: as callee

    def progress(self, usage: InviteUsage, status: int, now: float, body: bytes = b"", headers: Headers = ()) -> None:
        """Send 101-199 with our tag and Contact."""
        self._server.progress(usage, status, now, body, headers)

    def answer(self, usage: InviteUsage, now: float, body: bytes, headers: Headers = ()) -> None:
        """Send 200, repeated until its ACK; `InviteAcked` or `AckMissing` follows."""
        self._server.answer(usage, now, body, headers)

    def reject(self, usage: InviteUsage, status: int, now: float, reason: str = "", headers: Headers = ()) -> None:
        """Send 300-699; the usage is over, without an event."""
        self._server.reject(usage, status, now, reason, headers)

    def respond(
        self, key: object, status: int, now: float, body: bytes = b"", headers: Headers = (),
        content_type: str = "application/sdp",
    ) -> None:  # fmt: skip
        """Answer a `RequestReceived`; a 2xx to a re-INVITE is repeated until its ACK."""
        self._server.respond(key, status, now, body, content_type, headers)

    # ---- commands: both

    def bye(self, usage: InviteUsage, now: float, headers: Headers = ()) -> None:
        """Hang up; `ByeFinished` follows. Before an answer it cancels (caller: `InviteFailed` follows) or
        refuses with 480 (callee: no event). A callee's BYE waits for the ACK of its 2xx (§15)."""
        if usage.state in (UsageState.ENDED, UsageState.ENDING, UsageState.CANCELLING):
            return
        if usage.state is UsageState.CALLING:
            self._client.cancel(usage, now)
            return
        self._server.bye(usage, now, header_lines(headers))

    def request(
        self, usage: InviteUsage, method: str, now: float, body: bytes = b"", content_type: str = "",
        headers: Headers = (),
    ) -> None:  # fmt: skip
        """Send INVITE, UPDATE or INFO inside the dialog; `RequestFinished` follows, with 491 and no response
        when another offer is under way."""
        self._client.request(usage, method, now, body, content_type or ("application/sdp" if body else ""), headers)

    def options(self, flow: Flow, request_uri: str, from_uri: str, to_uri: str, now: float) -> None:
        """Send OPTIONS outside any dialog; `RequestFinished` with usage None follows."""
        self._client.options(flow, request_uri, from_uri, to_uri, now)
