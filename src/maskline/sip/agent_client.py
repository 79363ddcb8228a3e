"""The client half of the agent: INVITEs, CANCELs, BYEs and other requests we send, and what comes back.

What it is: responses -> usages and dialogs -> events. What it is not: retransmission (`transaction_client`) or
requests of theirs (`agent_server`). Who uses it: `agent`.
"""

from __future__ import annotations

from dataclasses import dataclass

from maskline.sip.agent_requests import OutgoingRequests
from maskline.sip.build import Headers, header_lines
from maskline.sip.core import Core
from maskline.sip.dialog import Dialog, dialog_of_response
from maskline.sip.events import (
    ByeFinished,
    Flow,
    InviteAnswered,
    InviteFailed,
    InviteProgress,
    RequestFinished,
)
from maskline.sip.grammar import ParseError
from maskline.sip.invite_usage import InviteUsage, UsageState
from maskline.sip.message import Response
from maskline.sip.transaction_client import ClientTransaction, ClientTransactions

MAX_FORKS = 16
"""Early dialogs, and 2xx of other forks, that one INVITE may make."""


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


class AgentClient:
    """Requests we send, and their responses."""

    __slots__ = ("_core", "_requests", "transactions")

    def __init__(self, core: Core) -> None:
        self._core = core
        self.transactions = ClientTransactions(core)
        self._requests = OutgoingRequests(core, self.transactions)

    def invite(self, outgoing: OutgoingInvite, now: float) -> InviteUsage:
        core = self._core
        usage = InviteUsage(core.ids.token(8), outgoing.flow, is_client=True)
        envelope = self._requests.envelope(
            outgoing.request_uri, f"<{outgoing.from_uri}>;tag={usage.local_tag}", outgoing.to_uri
        )
        build = core.build
        data = build.request(
            "INVITE", envelope, f"{build.contact}{build.allow}{build.supported}{header_lines(outgoing.headers)}",
            outgoing.body, outgoing.content_type, outgoing.max_forwards,
        )  # fmt: skip
        core.usages[usage.local_tag] = usage
        usage.transaction = self._requests.start("INVITE", envelope, data, outgoing.flow, usage, now, is_initial=True)
        return usage

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

    def request(
        self, usage: InviteUsage, method: str, now: float, body: bytes, content_type: str, headers: Headers
    ) -> None:
        dialog = usage.dialog
        if usage.is_over:
            return
        offers = method == "INVITE" or (method == "UPDATE" and bool(body))
        if dialog is None or usage.state is UsageState.ENDING or (offers and self._is_busy(usage, method)):
            self._core.emit(RequestFinished(usage, method, 491, None, usage.flow))
            return
        build = self._core.build
        extra = f"{build.contact if method in ('INVITE', 'UPDATE') else ''}{header_lines(headers)}"
        if offers:
            usage.pending = method
        transaction = self._requests.in_dialog(method, dialog, usage, now, extra, body, content_type)
        transaction.carries_offer = offers and bool(body)
        if method == "INVITE":
            usage.transaction = transaction

    def options(self, flow: Flow, request_uri: str, from_uri: str, to_uri: str, now: float) -> None:
        core = self._core
        envelope = self._requests.envelope(request_uri, f"<{from_uri}>;tag={core.ids.token(8)}", to_uri)
        data = core.build.request("OPTIONS", envelope, core.build.contact + core.build.accept)
        self._requests.start("OPTIONS", envelope, data, flow, None, now)

    def receive(self, response: Response, now: float) -> None:
        via = response.via
        transaction = self.transactions.get(via.branch + response.cseq_method)
        # §8.1.3.3: a second Via shows that the response is another's; Call-ID is a second lock on the branch.
        if transaction is None or response.split_top_via()[1] or transaction.envelope.call_id != response.call_id:
            self._core.counters.stray += 1
            return
        if not self.transactions.receive(transaction, response, now):
            return
        if transaction.is_initial:
            self._receive_initial(transaction, response, now)
        elif response.status >= 200:
            self._receive_final(transaction, response, now)

    def fire(self, timer: str, key: str, now: float) -> None:
        transaction = self.transactions.fire(timer, key, now)
        if transaction is not None:
            self._give_up(transaction, 408, now)

    def flow_failed(self, flow: Flow, now: float) -> None:
        for transaction in self.transactions.on_flow(flow):
            self.transactions.fail(transaction, now)
            self._give_up(transaction, 503, now)

    # ---- the initial INVITE

    def _receive_initial(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        usage = transaction.usage
        if response.status < 200:
            if usage is not None:
                self._receive_provisional(usage, transaction, response, now)
        elif response.status < 300:
            self._receive_success(usage, transaction, response, now)
        elif usage is not None:
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
        if response.to_tag:
            self._note_early_dialog(usage, transaction, response)
        self._core.emit(InviteProgress(usage, response))

    def _note_early_dialog(self, usage: InviteUsage, transaction: ClientTransaction, response: Response) -> None:
        if usage.early is None:
            usage.early = {}
        known = usage.early.get(response.to_tag)
        if known is None:
            if len(usage.early) >= MAX_FORKS:
                return
            known = self._dialog(transaction, response, usage.local_tag)
            usage.early[response.to_tag] = known
        usage.dialog = known

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
        self._core.emit(InviteAnswered(usage, response))

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
        if transaction.acks is None:
            transaction.acks = {}
        if len(transaction.acks) >= MAX_FORKS:
            self._core.counters.stray += 1
            return
        dialog = self._dialog(transaction, response, transaction.envelope.from_value.rpartition(";tag=")[2])
        self._requests.acknowledge(transaction, dialog, b"")
        self._requests.in_dialog("BYE", dialog, None, now)

    def _dialog(self, transaction: ClientTransaction, response: Response, local_tag: str) -> Dialog:
        """The response's dialog; with a Contact or route nobody can parse, one that goes back the way we came."""
        try:
            return dialog_of_response(response, transaction.flow, local_tag, transaction.envelope)
        except ParseError:
            self._core.counters.malformed += 1
            return dialog_of_response(response, transaction.flow, local_tag, transaction.envelope, is_usable=False)

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
        elif method != "CANCEL":
            self._finish_request(usage, transaction, status, response)
            if usage is not None and usage.ack_due is transaction and transaction.carries_offer:
                self.ack(usage, now)

    def _finish_request(
        self, usage: InviteUsage | None, transaction: ClientTransaction, status: int, response: Response | None
    ) -> None:
        if usage is not None:
            if usage.is_over:
                return
            if usage.pending == transaction.method:
                usage.pending = None
            if usage.transaction is transaction:
                usage.transaction = None
            if response is not None and status < 300 and usage.dialog is not None:
                usage.dialog.refresh_target(response)
        self._core.emit(RequestFinished(usage, transaction.method, status, response, transaction.flow))

    def _finish_bye(self, usage: InviteUsage, status: int, now: float) -> None:
        self._core.end(usage, now)
        self._core.emit(ByeFinished(usage, status))

    # ---- shared

    def _give_up(self, transaction: ClientTransaction, status: int, now: float) -> None:
        """No final response came (`status` 408), or the transport is dead (503)."""
        usage, method = transaction.usage, transaction.method
        transaction.usage = None
        if method == "CANCEL":
            return  # the INVITE has a limit of its own since the CANCEL went out
        if transaction.is_initial:
            if usage is not None:
                cancelled = usage.state is UsageState.CANCELLING
                self._core.end(usage, now)
                self._core.emit(InviteFailed(usage, 487 if cancelled else status, None))
        elif method == "BYE":
            if usage is not None:
                self._finish_bye(usage, status, now)
        else:
            self._finish_request(usage, transaction, status, None)

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

    @staticmethod
    def _is_busy(usage: InviteUsage, method: str) -> bool:
        """Whether an offer is under way in either direction, so that another must wait (§14.1)."""
        return (
            usage.pending is not None
            or usage.remote_pending is not None
            or usage.ack_due is not None
            or usage.unacked is not None
            or (method == "INVITE" and usage.transaction is not None)
        )
