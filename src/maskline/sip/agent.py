"""One SIP endpoint without IO: datagram, command or `now` in -> datagrams, events, next deadline out.

Contract (architecture decision 1): the runner feeds one input (`receive`, a command, `handle_timer`), then
drains `datagrams()` and `events()` and re-arms one timer at `next_deadline()`. Nothing here sleeps, reads a
clock or raises for what a peer sent. Commands on a usage that is over, or not in the state they need, do
nothing: the event that says so is already in the queue (crossing messages are normal in SIP).

The caller drops datagrams of strangers before `receive`; what gets here may be answered. Request routing by
name (RFC 3263) and connections are other modules'. Who uses it: the engine's runner, the lab.
"""

from __future__ import annotations

from collections.abc import Callable

from maskline.ids import Ids
from maskline.sip.agent_checks import Refusal
from maskline.sip.agent_client import AgentClient, OutgoingInvite
from maskline.sip.agent_server import AgentServer
from maskline.sip.build import AgentConfig, Headers, header_lines
from maskline.sip.core import Core, Counters
from maskline.sip.digest import Credentials
from maskline.sip.digest_client import digest_of
from maskline.sip.digest_server import DigestServer, Wanted
from maskline.sip.events import Event
from maskline.sip.first_look import skim, skim_plain, tag_in, transaction_in
from maskline.sip.flow import RELIABLE, Datagram, Flow
from maskline.sip.grammar import ParseError
from maskline.sip.headers import MAGIC_COOKIE
from maskline.sip.invite_usage import InviteUsage, UsageState, leave_connection
from maskline.sip.kept_usage import KeptInvite, KeptUsage, restore_usage
from maskline.sip.message import Request, Response
from maskline.sip.parser import parse
from maskline.sip.recall import Memory
from maskline.sip.transaction_server import server_key

__all__ = ["Agent", "AgentConfig", "OutgoingInvite"]

_BLANK = b"\r\n\x00 \t"
_BLANKS = frozenset((b"", b"\r", b"\n", b"\x00", b" ", b"\t"))


class Agent:
    """One endpoint."""

    __slots__ = ("_client", "_core", "_memory", "_released", "_server")

    def __init__(self, config: AgentConfig, ids: Ids) -> None:
        self._core = Core(config, ids)
        self._client = AgentClient(self._core)
        self._server = AgentServer(self._core, self._client)
        self._memory = Memory(self._client.transactions.by_key, self._core.usages, self._core.build)
        self._released: list[InviteUsage] = []

    # ---- inputs

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """One datagram from `flow`."""
        counters = self._core.counters
        counters.received += 1
        if data[:1] in _BLANKS and not data.strip(_BLANK):
            counters.keepalives += 1
            return
        try:
            message = parse(data, self._memory)
            if flow.transport in RELIABLE:
                self._check_stream(message, flow)
            if isinstance(message, Request):
                self._server.receive(message, flow, now)
            else:
                self._client.receive(message, now)
        except ParseError as error:
            counters.malformed += 1
            if error.request is not None:
                self._server.refuse(error.request, flow, Refusal(error.status, reason=error.reason))

    def _check_stream(self, message: Request | Response, flow: Flow) -> None:
        """§18.3: on a stream only Content-Length says where a message ends. The transport closes one without."""
        if flow.transport == "tcp":
            self._core.no_stream.pop(flow.host, None)
        if "content-length" not in message.headers:
            answerable = message if isinstance(message, Request) and message.method != "ACK" else None
            raise ParseError(400, "Missing Content-Length", answerable)

    def handle_timer(self, now: float) -> None:
        """Run everything due at `now`."""
        for timer, key in self._core.timers.expired(now):
            kind = timer[0]
            if kind == "c":
                self._client.fire(timer, key, now)
            elif kind == "e":
                self._client.sessions.fire(timer, key, now)
            elif kind == "g":
                self._client.inside.glare.fire(timer, key, now)
            else:
                self._server.fire(timer, key, now)

    def refuse_unread(self, data: bytes, flow: Flow, status: int, headers: str) -> bool:
        """Refuse an INVITE outside of a dialog without parsing it and without keeping state. False: it is a copy of one
        we have, or not as plain as that, and has to go to `receive`."""
        plain = skim_plain(data, flow)
        if plain is not None:
            known = self._server.transactions.get(plain.key) is not None
            if not known:
                self._server.refuse_plain(plain, status, headers)
            return not known
        request = skim(data)
        try:
            if request is None or not request.branch.startswith(MAGIC_COOKIE):
                return False
            if self._server.transactions.get(server_key(request, "INVITE")) is not None:
                return False
        except ParseError:
            return False
        self._server.refuse(request, flow, Refusal(status, headers))
        return True

    def expects(self, data: bytes, flow: Flow) -> bool:
        """Whether this message, from a host that is no trunk's, belongs to what we have with that very host: a
        transaction, or a dialog whose requests go there, since Contact or Record-Route named it."""
        if data.startswith(b"SIP/2.0 "):
            ours = self._client.transactions.get(transaction_in(data))
            return ours is not None and ours.flow.host == flow.host
        tag = tag_in(data)
        if not tag:
            return False
        usage = self._core.usages.get(tag)
        if usage is not None:
            return usage.leads_to(flow.host)
        theirs = self._server.transactions.get(transaction_in(data))
        return theirs is not None and theirs.flow.host == flow.host

    def belongs(self, data: bytes) -> bool:
        """Whether this message, which begins nothing, is of a dialog or transaction that we have. Nobody can forge that
        who has not seen one."""
        if data.startswith(b"SIP/2.0 "):
            return self._client.transactions.get(transaction_in(data)) is not None
        is_cancel, tag = data.startswith(b"CANCEL "), tag_in(data)
        if tag in self._core.usages or not (tag or is_cancel):
            return bool(tag)
        name = transaction_in(data)
        if is_cancel or data.startswith(b"ACK "):
            name = name.rpartition("|")[0] + "|INVITE"
        return self._server.transactions.get(name) is not None

    def host_for(self, flow: Flow) -> str:
        """Our own address, as a peer on this flow reaches it."""
        return self._core.config.host_for(flow)

    @property
    def stateless_mark(self) -> bytes:
        """What is in the ACK of a response that was sent without keeping state, and in no other message."""
        return f";tag={self._core.build.stateless_mark}".encode()

    @property
    def transactions(self) -> int:
        """How many are held."""
        return len(self._client.transactions) + len(self._server.transactions)

    def flow_failed(self, flow: Flow, now: float, quoted: bytes | None = None) -> None:
        """The transport says that `flow` cannot be reached: requests waiting for it end with 503; with `quoted`, the
        beginning of a datagram, that one's alone."""
        self._client.flow_failed(flow, now, quoted)

    def flow_closed(self, flow: Flow, now: float) -> None:
        """The transport says that the connection `flow` names is gone, which is no failure of what it carried: either
        side may open another."""
        for usage in self._core.usages.values():
            leave_connection(usage, flow)
        self._server.flow_closed(flow)
        self._client.flow_closed(flow, now)

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

    def prack(self, usage: InviteUsage, now: float, body: bytes) -> None:
        """Answer the offer that came in a reliable 18x to an INVITE without one; all others the agent acknowledges."""
        self._client.prack(usage, now, body)

    # ---- commands: as callee

    def progress(
        self, usage: InviteUsage, status: int, now: float, body: bytes = b"", headers: Headers = (), *,
        reliable: bool = False,
    ) -> None:  # fmt: skip
        """Send 101-199 with our tag and Contact. Reliable if the INVITE requires it, or if `reliable` says so and the
        INVITE allows it: then the next one, and the 2xx after one with SDP, waits for its PRACK; `AckMissing` follows
        if none comes. For SDP that answered an INVITE's offer so, the 2xx has none."""
        self._server.answers.progress(usage, status, now, body, headers, reliable=reliable)

    def answer(
        self, usage: InviteUsage, now: float, body: bytes, headers: Headers = (), session_seconds: int = 0
    ) -> None:
        """Send 200, repeated until its ACK; `InviteAcked` or `AckMissing` follows. `session_seconds`: the session timer
        we want when the peer asks for none and knows it."""
        self._server.answers.answer(usage, now, body, headers, session_seconds)

    def reject(self, usage: InviteUsage, status: int, now: float, reason: str = "", headers: Headers = ()) -> None:
        """Send 300-699; the usage is over, without an event."""
        self._server.answers.reject(usage, status, now, reason, headers)

    def respond(
        self, key: object, status: int, now: float, body: bytes = b"", headers: Headers = (),
        content_type: str = "application/sdp",
    ) -> None:  # fmt: skip
        """Answer a `RequestReceived`; a 2xx to a re-INVITE is repeated until its ACK."""
        self._server.answers.respond(key, status, now, body, content_type, headers)

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
        """Send INVITE, UPDATE or INFO inside the dialog; `RequestFinished` follows. An offer waits for theirs, and is
        sent again after their 491 (RFC 3261 §14.1), a few times; with another of ours under way, or outside a dialog,
        it ends with 491 and no response at once."""
        self._client.inside.request(
            usage, method, now, body, content_type or ("application/sdp" if body else ""), headers
        )

    def options(
        self, flow: Flow, request_uri: str, from_uri: str, to_uri: str, now: float,
        credentials: Credentials | None = None,
    ) -> None:  # fmt: skip
        """Send OPTIONS outside any dialog; `RequestFinished` with usage None follows."""
        self._client.options(flow, request_uri, from_uri, to_uri, now, credentials)

    def restore(self, kept: KeptUsage, age: float, now: float, credentials: Credentials | None = None) -> InviteUsage:
        """A usage that was kept `age` seconds ago goes on: it takes requests of the far side, and its own have a CSeq
        beyond all that may have been sent meanwhile. `credentials`: as in `prove`. Raises `ParseError`."""
        usage = restore_usage(kept, age)
        usage.digest = digest_of(credentials, self._core.ids, kept.realm, kept.weakest)
        self._core.usages[usage.local_tag] = usage
        if kept.session is not None:
            self._client.sessions.resume(usage, kept.session, now)
        return usage

    def take_back(self, kept: KeptInvite, now: float) -> None:
        """An INVITE that another process sent and that nobody waits for any more: CANCEL it; a 2xx, which may be on its
        way already, is acknowledged and hung up. No event follows."""
        self._client.take_back(kept, now)

    def let_go(self, usage: InviteUsage, now: float) -> None:
        """Forget it, and what its peer asks in it, without a word: its dialog is another endpoint's by now."""
        for key in usage.unanswered or ():
            self._server.transactions.drop(key)
        usage.unanswered = None
        self._core.end(usage, now)

    def prove(self, usage: InviteUsage, credentials: Credentials | None) -> None:
        """Answer the peer's challenges to our requests in `usage`, which it opened; None: do not."""
        usage.digest = digest_of(credentials, self._core.ids)

    def stay_with(self, behind_nat: Callable[[Flow], bool]) -> None:
        """Dialogs of peers of which this is said stay on the flow they came by, whatever private address Contact or
        Record-Route name."""
        self._core.behind_nat = behind_nat

    def challenge(self, wanted: Callable[[Flow], Wanted], realm: str) -> None:
        """Ask for proof where `wanted` names whose it has to be. `realm` is named where those credentials name none."""
        self._core.doorman = DigestServer(wanted, realm, self._core.ids)
