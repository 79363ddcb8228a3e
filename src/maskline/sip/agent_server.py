"""The server half of the agent: requests we receive.

What it is: requests -> transactions, usages, dialogs -> events; everything RFC 3261 lets an endpoint answer
without asking is answered here. What it is not: checks of a request alone (`agent_checks`), the answers our user gives
(`agent_answers`), retransmission (`transaction_server`), requests of ours (`agent_client`). Who uses it: `agent`.
"""

from __future__ import annotations

from maskline.sip.agent_answers import Answers, Unkept
from maskline.sip.agent_auth import ask_for_proof
from maskline.sip.agent_checks import (
    OFFER_METHODS,
    SDP_METHODS,
    UNANSWERED,
    Refusal,
    check_content,
    check_glare,
    check_method,
    check_outside_dialog,
)
from maskline.sip.agent_client import AgentClient
from maskline.sip.agent_repeats import Repeats
from maskline.sip.core import Core
from maskline.sip.dialog import Dialog, dialog_of_request, listener_of
from maskline.sip.events import (
    AckMissing,
    ByeFinished,
    ByeReceived,
    Flow,
    InviteAcked,
    InviteCancelled,
    InviteReceived,
    OfferCancelled,
    ProgressAcked,
    RequestReceived,
)
from maskline.sip.first_look import Plain
from maskline.sip.grammar import ParseError
from maskline.sip.invite_usage import InviteUsage, UsageState
from maskline.sip.message import Request
from maskline.sip.recall import dialogue_of
from maskline.sip.reliable import ReliableSender
from maskline.sip.transaction_server import (
    EXPIRY,
    ServerTransaction,
    ServerTransactions,
    answer_flow,
    merge_key,
    server_key,
)
from maskline.sip.transaction_states import State


class AgentServer:
    """Requests we receive."""

    __slots__ = ("_client", "_core", "_reliable", "_repeats", "answers", "transactions")

    def __init__(self, core: Core, client: AgentClient) -> None:
        self._core = core
        self._client = client
        self.transactions = ServerTransactions(core)
        self._repeats = Repeats(core, self.transactions)
        self._reliable = ReliableSender(core, self.transactions)
        self.answers = Answers(core, self.transactions, self._repeats, self._reliable, client.sessions)
        core.refuse_unanswered = self._refuse_unanswered

    # ---- what arrives

    def receive(self, request: Request, flow: Flow, now: float) -> None:
        method = request.method
        if method == "ACK":
            self._receive_ack(request, now)
            return
        known = self.transactions.get(server_key(request, method))
        if known is not None:
            self.transactions.receive_again(known, now)
        elif method == "CANCEL":
            self._receive_cancel(request, flow, now)
        elif request.to_tag:
            self._receive_in_dialog(request, flow, now)
        else:
            self._receive_outside_dialog(request, flow, now)

    def flow_closed(self, flow: Flow) -> None:
        """A connection is gone: responses still to come go where its owner listens (§18.2.2)."""
        for transaction in self.transactions.on_flow(flow):
            assert transaction.request is not None
            transaction.flow = listener_of(transaction.request, flow)

    def refuse(self, request: Request, flow: Flow, refusal: Refusal) -> None:
        """Answer without keeping state: a copy of the request gets a copy of the answer (§8.2.7)."""
        build = self._core.build
        self._core.counters.refused += 1
        echo = build.echo(request, flow, build.stateless_tag(request))
        status, headers, reason = refusal
        self._core.send(build.response(status, echo, headers, reason=reason), _answer_flow(request, flow))

    def refuse_plain(self, plain: Plain, status: int, headers: str) -> None:
        """The same for an INVITE that was not parsed."""
        self._core.counters.refused += 1
        self._core.send(self._core.build.refusal(status, plain, headers), plain.flow)

    def _receive_outside_dialog(self, request: Request, flow: Flow, now: float) -> None:
        core = self._core
        refusal = check_method(request, core.config, core.build)
        if refusal is None and request.method not in ("INVITE", "OPTIONS"):
            refusal = Refusal(481)  # BYE, INFO, UPDATE mean a dialog and name none
        refusal = refusal or check_outside_dialog(request, flow, core.config, core.build)
        if refusal is None and self.transactions.is_merged(merge_key(request)):
            refusal = Refusal(482)
        refusal = refusal or ask_for_proof(core, request, flow, now)
        if refusal is not None:
            self.refuse(request, flow, refusal)
        elif request.method == "INVITE":
            self._open_usage(request, flow, now)
        else:
            core.emit(RequestReceived(Unkept(request, flow), request, flow, None))

    def _open_usage(self, request: Request, flow: Flow, now: float) -> None:
        core = self._core
        local_tag = core.ids.token(8)
        try:
            dialog = dialog_of_request(request, flow, local_tag, nat=core.behind_nat(flow), fronted=core.config.fronted)
        except ParseError as error:
            self.refuse(request, flow, Refusal(error.status, reason=error.reason))
            return
        usage = InviteUsage(local_tag, flow, is_client=False, request=request)
        usage.dialog = dialog
        if request.is_usual:
            usage.known = dialogue_of(request, local_tag)
        core.usages[local_tag] = usage
        if "require" in request.headers:
            self._reliable.open(usage, "require")
        transaction = usage.transaction = self._start(request, flow, local_tag, usage, now)
        self.answers.send(transaction, 100, now, _timestamp(request))
        core.emit(InviteReceived(usage, request, flow, () if core.doorman is None else core.doorman.proved))

    def _receive_in_dialog(self, request: Request, flow: Flow, now: float) -> None:
        core = self._core
        usage = core.usages.get(request.to_tag)
        dialog = usage.dialog_with(request.from_tag) if usage is not None else None
        if usage is None or dialog is None or dialog.call_id != request.call_id:
            self.refuse(request, flow, Refusal(481))
            return
        refusal = check_method(request, core.config, core.build) or check_content(request, core.config, core.build)
        refusal = refusal or ask_for_proof(core, request, flow, now)
        if refusal is None and not dialog.accepts_cseq(request.cseq):
            refusal = Refusal(500, reason="CSeq out of order")
        if refusal is None and request.method in OFFER_METHODS:
            refusal = check_glare(usage, request, retry_after=int(core.ids.token(1), 16) % 10 + 1)
        if refusal is not None:
            self.refuse(request, flow, refusal)
            return
        if usage.known is None and request.is_usual:
            usage.known = dialogue_of(request, "")
        transaction = self._start(request, flow, usage.local_tag, usage, now)
        if request.method == "BYE":
            self._receive_bye(usage, dialog, transaction, request, now)
        elif request.method == "OPTIONS":
            self.answers.send(transaction, 200, now, core.build.allow + core.build.accept)
        elif request.method == "PRACK":
            self._receive_prack(usage, transaction, request, flow, now)
        else:
            self._hand_over(usage, transaction, request, flow, now)

    def _hand_over(
        self, usage: InviteUsage, transaction: ServerTransaction, request: Request, flow: Flow, now: float
    ) -> None:
        if request.method == "INVITE" or (request.method in SDP_METHODS and request.body):
            usage.remote_pending = transaction.key
        if usage.unanswered is None:
            usage.unanswered = []
        usage.unanswered.append(transaction.key)
        if request.method == "INVITE":
            self.answers.send(transaction, 100, now, _timestamp(request))
        self._core.emit(RequestReceived(transaction.key, request, flow, usage))

    def _receive_prack(
        self, usage: InviteUsage, transaction: ServerTransaction, request: Request, flow: Flow, now: float
    ) -> None:
        """RFC 3262 §3. A body is the answer to our offer, or an offer (§5), which its user answers or refuses, unless
        that of the INVITE is open still: the 18x is acknowledged either way."""
        status = self._reliable.acknowledge(usage, request)
        reliable = usage.reliable
        if status == 200 and request.body and reliable is not None:
            if not reliable.settled_sdp:
                status = 488
            elif not reliable.is_offer:
                self._hand_over(usage, transaction, request, flow, now)
                return
            else:
                reliable.is_offer = False
                self._core.emit(ProgressAcked(usage, request.body))
        self.answers.send(transaction, status, now)
        transaction.usage = None
        self.answers.go_on(usage, now)

    def _receive_bye(
        self, usage: InviteUsage, dialog: Dialog, transaction: ServerTransaction, request: Request, now: float
    ) -> None:
        self.answers.send(transaction, 200, now)
        transaction.usage = None
        state = usage.state
        if state is UsageState.ENDING and usage.bye_headers is None:
            return  # crossed ours, whose response ends the usage
        if state in UNANSWERED:
            if usage.early is not None and len(usage.early) > 1:
                del usage.early[dialog.remote_tag]  # one fork of several gave up; the others go on ringing
                usage.dialog = next(reversed(usage.early.values()))
                return
            if state is UsageState.CALLING:
                self._client.abandon(usage, now)
        if isinstance(usage.transaction, ServerTransaction):
            self.answers.send(usage.transaction, 487, now)
        self._core.end(usage, now)
        self._core.emit(ByeFinished(usage, 200) if state is UsageState.ENDING else ByeReceived(usage, request))

    def _refuse_unanswered(self, usage: InviteUsage, now: float) -> None:
        """§15.1.2: whatever of theirs is still unanswered ends with 487."""
        for key in usage.unanswered or ():
            transaction = self.transactions.get(key)
            assert transaction is not None  # unanswered, so no timer of it runs
            self.answers.send(transaction, 487, now)

    def _receive_cancel(self, request: Request, flow: Flow, now: float) -> None:
        transaction = self.transactions.get(server_key(request, "INVITE"))
        if transaction is None:
            self.refuse(request, flow, Refusal(481))
            return
        build = self._core.build
        self._core.send(build.response(200, build.echo(request, flow, transaction.tag)), answer_flow(request, flow))
        self._terminate(transaction, request, now)

    def _terminate(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """Their INVITE is wanted no more: they say so in this request. Once it is answered that changes nothing
        (§9.2)."""
        usage = transaction.usage
        if usage is None or transaction.state is not State.PROCEEDING:
            return
        self.answers.send(transaction, 487, now)
        if usage.transaction is transaction:
            # For whoever has answered, the caller hung up: that the answer was held back is the agent's own affair.
            is_held = self._reliable.refusal(usage)[1]
            self._core.end(usage, now)
            self._core.emit(ByeReceived(usage, request) if is_held else InviteCancelled(usage))
        else:
            self.answers.settle(usage, transaction)
            self._core.emit(OfferCancelled(usage, transaction.key))

    def _receive_ack(self, request: Request, now: float) -> None:
        transaction = self.transactions.get(server_key(request, "INVITE"))
        if transaction is not None and not self.transactions.receive_ack(transaction, now):
            return
        usage = self._core.usages.get(request.to_tag)
        if (
            usage is None
            or usage.dialog is None
            or usage.unacked is None
            or usage.unacked_cseq != request.cseq
            or (usage.dialog.remote_tag, usage.dialog.call_id) != (request.from_tag, request.call_id)
        ):
            self._core.counters.stray += 1
            return
        self._repeats.settled(usage)
        if usage.bye_headers is not None:
            self._send_waiting_bye(usage, now)
            return
        body = request.sdp
        self._client.sessions.heard(usage, body)
        self._core.emit(InviteAcked(usage, body))

    # ---- our user's way out

    def bye(self, usage: InviteUsage, now: float, extra: str) -> None:
        if usage.state is UsageState.INCOMING:
            status, held = self._reliable.refusal(usage)
            self.answers.reject(usage, status, now, "", ())
            if held:
                self._core.emit(ByeFinished(usage, 200))
        elif usage.unacked is not None:
            # §15: the callee must not hang up before the ACK came or its time is over.
            usage.state = UsageState.ENDING
            usage.bye_headers = extra
        else:
            self._client.bye(usage, now, extra)

    # ---- timers

    def fire(self, timer: str, key: str, now: float) -> None:
        if timer[0] == "s":
            self.transactions.fire(timer, key, now)
            return
        if timer == EXPIRY:
            self._expire(key, now)
            return
        usage = (self._reliable if timer[0] == "p" else self._repeats).fire(timer, key, now)
        if usage is None:
            return
        if usage.bye_headers is not None:
            self._send_waiting_bye(usage, now)
        else:
            self._core.emit(AckMissing(usage))

    def _expire(self, key: str, now: float) -> None:
        """§13.3.1: as if its CANCEL came, which its sender owes us at this moment (§13.2.1)."""
        transaction = self.transactions.get(key)
        assert transaction is not None, "its final response stops the timer"
        assert transaction.request is not None, "so it has none"
        self._terminate(transaction, transaction.request, now)

    # ---- shared

    def _send_waiting_bye(self, usage: InviteUsage, now: float) -> None:
        extra, usage.bye_headers = usage.bye_headers or "", None
        self._client.bye(usage, now, extra)

    def _start(
        self, request: Request, flow: Flow, tag: str, usage: InviteUsage | None, now: float
    ) -> ServerTransaction:  # fmt: skip
        merge = None if request.to_tag else merge_key(request)
        key, echo = server_key(request, request.method), self._core.build.echo(request, flow, tag)
        transaction = ServerTransaction(key, request, answer_flow(request, flow), tag, echo, usage, merge)
        self.transactions.start(transaction)
        if "expires" in request.headers and request.method == "INVITE":
            self.transactions.expire(transaction, request, now)
        return transaction


def _timestamp(request: Request) -> str:
    """What a 100 has to repeat (§8.2.6.1): whoever sent it measures the way to us."""
    value = request.headers.get("timestamp")
    return "" if value is None else f"Timestamp: {value.partition(chr(10))[0]}\r\n"


def _answer_flow(request: Request, flow: Flow) -> Flow:
    """The same for a request whose Via nobody may be able to read."""
    try:
        return answer_flow(request, flow)
    except ParseError:
        return flow
