"""The client half of the agent: INVITEs, CANCELs, BYEs and other requests we send, and what comes back.

What it is: responses -> usages and dialogs -> events. What it is not: retransmission (`transaction_client`) or
requests of theirs (`agent_server`). Who uses it: `agent`.
"""

from __future__ import annotations

from dataclasses import replace

from maskline.sip.agent_auth import answer_challenge
from maskline.sip.agent_inside import RequestsInside
from maskline.sip.agent_onward import go_on, leave_stream, leave_unheard, take_another
from maskline.sip.agent_requests import OutgoingRequests
from maskline.sip.build import Envelope, Headers, header_lines
from maskline.sip.core import Core
from maskline.sip.dialog import Dialog, dialog_of_response, hop_transport
from maskline.sip.digest import Credentials
from maskline.sip.digest_client import digest_of
from maskline.sip.events import (
    ByeFinished,
    Flow,
    InviteAnswered,
    InviteFailed,
    InviteProgress,
)
from maskline.sip.flow import way_of
from maskline.sip.grammar import ParseError
from maskline.sip.invite_usage import EarlyAcks, InviteUsage, UsageState
from maskline.sip.message import Response
from maskline.sip.option_tags import OFF, SHORTEST, invite_lines
from maskline.sip.reliable import ReliableReader
from maskline.sip.session_timer import longer_wish
from maskline.sip.transaction_client import SILENCE, UNHEARD, ClientTransaction, ClientTransactions
from maskline.sip.transaction_states import State
from maskline.values import dataclass

_SILENT = ("CANCEL", "PRACK")
"""Requests of the agent's own, whose final response says nothing: the INVITE's will."""
MAX_FORKS = 16
"""Early dialogs, and 2xx of other forks, that one INVITE may make."""
MAX_TRIES = 8
"""INVITEs of one Call-ID: each proxy on the way may want another interval (RFC 4028 §13 has two of them)."""


@dataclass(frozen=True, slots=True)
class OutgoingInvite:
    """An INVITE to send. URIs without angle brackets; `headers` are added as they are."""

    flow: Flow
    request_uri: str
    from_uri: str
    to_uri: str
    body: bytes = b""
    content_type: str = "application/sdp"
    max_forwards: int = 70
    headers: Headers = ()
    credentials: Credentials | None = None
    """Who we are to whom it is sent, for the whole usage."""
    reliable: str = OFF
    """Of `option_tags`: whether its 18x may, or must, be acknowledged (RFC 3262)."""
    session_seconds: int = 0
    """The session timer asked for (RFC 4028); 0: none of ours, one that the peer wants is kept."""
    shortest_session: int = SHORTEST
    """Min-SE: more than its default after a 422."""
    from_display: str = ""
    """What stands before the URI in From, with the blank behind it."""
    try_seconds: float = 0.0
    """Without any response for so long it has failed for its user, who can go elsewhere; 0: after 64*T1 (timer B)."""


class AgentClient:
    """Requests we send, and their responses."""

    __slots__ = ("_core", "_reliable", "_requests", "inside", "sessions", "take_back", "transactions")

    def __init__(self, core: Core) -> None:
        self._core = core
        self.transactions = ClientTransactions(core)
        self._requests = OutgoingRequests(core, self.transactions)
        self.take_back = self._requests.take_back
        self._reliable = ReliableReader(core, self._requests)
        self.inside = RequestsInside(core, self._requests)
        self.sessions = self.inside.sessions

    def invite(self, outgoing: OutgoingInvite, now: float) -> InviteUsage:
        core = self._core
        usage = InviteUsage(core.ids.token(8), outgoing.flow, is_client=True)
        envelope = self._requests.envelope(
            outgoing.request_uri, f"{outgoing.from_display}<{outgoing.from_uri}>;tag={usage.local_tag}",
            outgoing.to_uri, way_of(outgoing.flow),
        )  # fmt: skip
        core.usages[usage.local_tag] = usage
        usage.digest = digest_of(outgoing.credentials, core.ids)
        self._start_initial(usage, outgoing, envelope, now)
        return usage

    def _start_initial(self, usage: InviteUsage, outgoing: OutgoingInvite, envelope: Envelope, now: float) -> None:
        build = self._core.build
        extensions = invite_lines(outgoing.reliable, outgoing.session_seconds, outgoing.shortest_session)
        extra = f"{build.contacts[way_of(outgoing.flow)]}{build.allow}{extensions}{header_lines(outgoing.headers)}"
        data = build.request(
            "INVITE", envelope, extra, outgoing.body, outgoing.content_type, outgoing.max_forwards
        )  # fmt: skip
        transaction = self._requests.start(
            "INVITE", envelope, data, outgoing.flow, usage, now, is_initial=True, digest=usage.digest
        )
        transaction.carries_offer = bool(outgoing.body)
        usage.transaction = transaction
        usage.outgoing = outgoing
        if outgoing.try_seconds:
            self._core.timers.set(SILENCE, transaction.key, now + outgoing.try_seconds)

    def _ask_longer(self, usage: InviteUsage, transaction: ClientTransaction, response: Response, now: float) -> bool:
        """Whether a 422 was answered by the INVITE once more, with the interval it demands (RFC 4028 §7.4)."""
        outgoing = usage.outgoing
        if outgoing is None or usage.state is not UsageState.CALLING or transaction.envelope.cseq >= MAX_TRIES:
            return False
        longer = longer_wish(response, outgoing.session_seconds)
        if longer is None or not outgoing.session_seconds:
            return False
        transaction.usage = usage.early = usage.dialog = usage.early_acks = None
        usage.provisional_seen = False
        again = replace(outgoing, session_seconds=longer, shortest_session=longer)
        self._start_initial(usage, again, self._requests.next_envelope(transaction.envelope, outgoing.flow), now)
        return True

    def cancel(self, usage: InviteUsage, now: float) -> None:
        if usage.state is UsageState.CALLING:
            usage.state = UsageState.CANCELLING
            if usage.provisional_seen:  # §9.1: before the first 1xx a CANCEL might overtake its INVITE
                self._requests.cancel(usage, now)

    def ack(self, usage: InviteUsage, now: float, body: bytes = b"") -> None:
        transaction = usage.ack_due
        if transaction is None or usage.dialog is None:
            return
        usage.ack_due = None
        self.sessions.described(usage, body)
        if usage.state is UsageState.ANSWERED:
            usage.state = UsageState.CONFIRMED
        self._requests.acknowledge(transaction, usage.dialog, body)

    def bye(self, usage: InviteUsage, now: float, extra: str = "") -> None:
        """The dialog is confirmed (`Agent.bye` takes care of all other states); `extra` are header lines."""
        dialog = usage.dialog
        assert dialog is not None
        self.ack(usage, now)  # a 2xx nobody acknowledged would be repeated to the end
        usage.state = UsageState.ENDING
        self._requests.in_dialog("BYE", dialog, usage, now, extra)

    def prack(self, usage: InviteUsage, now: float, body: bytes) -> None:
        self._reliable.acknowledge(usage, now, body)

    def options(
        self, flow: Flow, request_uri: str, from_uri: str, to_uri: str, now: float, credentials: Credentials | None
    ) -> None:
        core = self._core
        from_value = f"<{from_uri}>;tag={core.ids.token(8)}"
        envelope = self._requests.envelope(request_uri, from_value, to_uri, way_of(flow))
        data = core.build.request("OPTIONS", envelope, core.build.contacts[way_of(flow)] + core.build.accept)
        digest = digest_of(credentials, core.ids)
        self._requests.start("OPTIONS", envelope, data, flow, None, now, digest=digest)

    def receive(self, response: Response, now: float) -> None:
        transaction = self.transactions.of(response)
        if transaction is None:
            self._core.counters.stray += 1
            return
        sent = transaction.data  # the transaction forgets it with the final response
        if not self.transactions.receive(transaction, response, now):
            return
        if response.status in (401, 407) and answer_challenge(self._requests, transaction, response, sent, now):
            return
        if transaction.is_initial:
            self._receive_initial(transaction, response, now)
        elif response.status >= 200:
            self._receive_final(transaction, response, now)

    def fire(self, timer: str, key: str, now: float) -> None:
        if timer == SILENCE:
            go_on(self._core, self.transactions, key, now)
            return
        if timer == UNHEARD:
            leave_unheard(self._core, self.transactions, key, now)
            return
        transaction = self.transactions.fire(timer, key, now)
        if transaction is not None:
            self._give_up(transaction, 408, now)

    def flow_failed(self, flow: Flow, now: float, quoted: bytes | None) -> None:
        """Nobody can be reached there: what went that way for its size alone goes by UDP, the rest has failed."""
        for transaction in self.transactions.on_flow(flow, quoted):
            if transaction.fallback is not None and transaction.state is not State.PROCEEDING:
                leave_stream(self._core, self.transactions, transaction, now)
            else:
                self.transactions.fail(transaction, now)
                self._give_up(transaction, 503, now)

    def flow_closed(self, flow: Flow, now: float) -> None:
        """A connection that stood is gone. What nobody answered may have crossed its end and is sent once more, on a
        new one; what was answered with 1xx may get its final response on a new one of theirs (§18.2.2)."""
        for transaction in self.transactions.on_flow(flow):
            if transaction.state is State.PROCEEDING:
                continue
            if transaction.again and transaction.fallback is None:
                self.transactions.fail(transaction, now)
                self._give_up(transaction, 503, now)
            else:
                take_another(self._core, self.transactions, transaction, now)

    # ---- the initial INVITE

    def _receive_initial(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        usage = transaction.usage
        if response.status < 200:
            if usage is not None:
                self._receive_provisional(usage, transaction, response, now)
        elif response.status < 300:
            self._receive_success(usage, transaction, response, now)
        elif usage is not None and not (response.status == 422 and self._ask_longer(usage, transaction, response, now)):
            self._core.end(usage, now)
            self._core.emit(InviteFailed(usage, response.status, response))

    def _receive_provisional(
        self, usage: InviteUsage, transaction: ClientTransaction, response: Response, now: float
    ) -> None:
        first, usage.provisional_seen = not usage.provisional_seen, True
        if usage.state is UsageState.CANCELLING:
            if first:
                self._requests.cancel(usage, now)
            return
        if response.status == 100:
            return
        dialog = self._early_dialog(usage, transaction, response) if response.to_tag else None
        if dialog is not None:
            if "rseq" in response.headers and not self._reliable.take(usage, transaction, dialog, response, now):
                return
            usage.dialog = dialog
        if response.status == 199 and usage.early is not None:
            _lose_fork(usage, response.to_tag)
        self._core.emit(InviteProgress(usage, response))

    def _early_dialog(self, usage: InviteUsage, transaction: ClientTransaction, response: Response) -> Dialog | None:
        """The fork that a 1xx comes from; None when there are too many."""
        if usage.early is None:
            usage.early = {}
        known = usage.early.get(response.to_tag)
        if known is None and len(usage.early) < MAX_FORKS:
            known = usage.early[response.to_tag] = self._dialog(transaction, response, usage.local_tag)
        return known

    def _receive_success(
        self, usage: InviteUsage | None, transaction: ClientTransaction, response: Response, now: float
    ) -> None:
        if self._ack_again(transaction, response):
            return
        if usage is None or usage.state is not UsageState.CALLING:
            self._drop_answer(transaction, response, now)
            if usage is not None and usage.state is UsageState.CANCELLING:
                self._core.end(usage, now)
                self._core.emit(InviteFailed(usage, 487, None))
            return
        transaction.acks = {response.to_tag: None}
        transaction.usage = usage.transaction = None  # what else comes (other forks) is dropped without the usage
        usage.dialog = self._confirmed_dialog(usage, transaction, response)
        usage.early = None
        usage.state = UsageState.ANSWERED
        usage.ack_due = transaction
        if "session-expires" in response.headers:
            assert usage.outgoing is not None
            self.sessions.accepted(usage, response, usage.outgoing.body, now, usage.outgoing.shortest_session)
        described = (b"", False) if usage.early_acks is None else _still_described(usage.early_acks, response)
        usage.outgoing = usage.early_acks = None
        self._core.emit(InviteAnswered(usage, response, *described))

    def _confirmed_dialog(self, usage: InviteUsage, transaction: ClientTransaction, response: Response) -> Dialog:
        """§13.2.2.4: the 2xx decides route set and target; sequence numbers go on from the early dialog."""
        early = usage.early.get(response.to_tag) if usage.early else None
        try:
            if early is not None and early.is_confirmed_by(response):
                return early
        except ParseError:
            early = None
        dialog = self._dialog(transaction, response, usage.local_tag)
        if early is not None:
            dialog.local_cseq, dialog.remote_cseq = early.local_cseq, early.remote_cseq
        return dialog

    def _drop_answer(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        """A 2xx nobody wants, of another fork or after CANCEL: acknowledge it and hang up (§13.2.2.4)."""
        transaction.acks = transaction.acks or {}
        if len(transaction.acks) >= MAX_FORKS:
            self._core.counters.stray += 1
            return
        dialog = self._dialog(transaction, response, transaction.envelope.from_value.rpartition(";tag=")[2])
        dialog.local_cseq = max(dialog.local_cseq, transaction.last_cseq)
        self._requests.acknowledge(transaction, dialog, b"")
        self._requests.in_dialog("BYE", dialog, None, now, digest=transaction.digest)

    def _dialog(self, transaction: ClientTransaction, response: Response, local_tag: str) -> Dialog:
        """The response's dialog; with a Contact or route nobody can parse, one that goes back the way we came."""
        flow = transaction.flow if transaction.fallback is None else transaction.fallback[1]
        try:
            if flow is not transaction.flow and hop_transport(response) == transaction.flow.transport:
                flow = transaction.flow  # it came by a stream for its size alone, and the peer wants more of that
            return dialog_of_response(response, flow, local_tag, transaction.envelope, nat=self._core.behind_nat(flow))
        except ParseError:
            self._core.counters.malformed += 1
            return dialog_of_response(response, flow, local_tag, transaction.envelope, is_usable=False)

    # ---- requests inside a dialog

    def _receive_final(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        usage, method, status = transaction.usage, transaction.method, response.status
        if method == "INVITE" and status < 300:
            if self._ack_again(transaction, response):
                return
            if usage is None or usage.is_over:
                self._requests.ack(transaction, response.to_tag, transaction.envelope, transaction.flow, b"")
                return
            transaction.acks = {response.to_tag: None}
            usage.ack_due = transaction
        transaction.usage = None
        if method == "BYE":
            if usage is not None:
                self._finish_bye(usage, status, now)
        elif method not in _SILENT:
            self.inside.finish(usage, transaction, status, response, now)
            if usage is not None and usage.ack_due is transaction and transaction.carries_offer:
                self.ack(usage, now)

    def _finish_bye(self, usage: InviteUsage, status: int, now: float) -> None:
        self._core.end(usage, now)
        self._core.emit(ByeFinished(usage, status))

    # ---- shared

    def _give_up(self, transaction: ClientTransaction, status: int, now: float) -> None:
        """No final response came (`status` 408), or the transport is dead (503)."""
        usage, method = transaction.usage, transaction.method
        transaction.usage = None
        if method in _SILENT:
            return  # the INVITE has a limit of its own: since the CANCEL went out, or at the far side
        if transaction.is_initial:
            if usage is not None:
                cancelled = usage.state is UsageState.CANCELLING
                self._core.end(usage, now)
                self._core.emit(InviteFailed(usage, 487 if cancelled else status, None))
        elif method == "BYE":
            if usage is not None:
                self._finish_bye(usage, status, now)
        else:
            self.inside.finish(usage, transaction, status, None, now)

    def abandon(self, usage: InviteUsage, now: float) -> None:
        """The usage, ringing, ends without its INVITE's final response: cancel it; a 2xx will be hung up."""
        self._requests.cancel(usage, now)

    def _ack_again(self, transaction: ClientTransaction, response: Response) -> bool:
        """Whether this 2xx was seen before; if it was acknowledged, the ACK is sent again (§13.2.2.4)."""
        if transaction.acks is None or response.to_tag not in transaction.acks:
            return False
        self._core.counters.retransmits_absorbed += 1
        known = transaction.acks[response.to_tag]
        if known is not None:
            self._core.resend(*known)
        return True


def _lose_fork(usage: InviteUsage, tag: str) -> None:
    """RFC 6228: this fork will not answer any more; others may."""
    assert usage.early is not None
    usage.early.pop(tag, None)
    usage.dialog = next(reversed(usage.early.values()), None)


def _still_described(acks: EarlyAcks, response: Response) -> tuple[bytes, bool]:
    """What the fork that answers said by a reliable 18x or (True) offered since, if that stands: a 2xx need have no SDP
    then (§13.2.1), and one of the time before a change does not undo it."""
    tag = response.to_tag
    changed = tag in acks.changed
    return acks.described.get(tag, b"") if changed or not response.sdp else b"", changed
