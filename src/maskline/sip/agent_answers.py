"""The answers our user gives to requests of theirs: 18x, 2xx, refusals.

What it is: each answer's header lines, and when it may go out: at once, or behind a PRACK. What it is not: which
requests get here (`agent_server`), repetition (`agent_repeats`, `reliable`, `transaction_server`). Who uses it:
`agent_server`, `agent`.
"""

from __future__ import annotations

from typing import NamedTuple

from maskline.sip.agent_checks import OFFER_METHODS
from maskline.sip.agent_repeats import Repeats
from maskline.sip.agent_sessions import SessionKeeper
from maskline.sip.build import Headers, header_lines, record_routes
from maskline.sip.core import Core
from maskline.sip.flow import Flow, way_of
from maskline.sip.invite_usage import InviteUsage, UsageState
from maskline.sip.message import Request
from maskline.sip.reliable import HeldAnswer, ReliableSender
from maskline.sip.transaction_server import ServerTransaction, ServerTransactions, answer_flow


class Unkept(NamedTuple):
    """A request that is answered without a transaction, its key for the answer."""

    request: Request
    flow: Flow


class Answers:
    """What one agent answers."""

    __slots__ = ("_core", "_reliable", "_repeats", "_sessions", "_transactions")

    def __init__(
        self, core: Core, transactions: ServerTransactions, repeats: Repeats, reliable: ReliableSender,
        sessions: SessionKeeper,
    ) -> None:  # fmt: skip
        self._core = core
        self._transactions = transactions
        self._repeats = repeats
        self._reliable = reliable
        self._sessions = sessions

    def progress(
        self, usage: InviteUsage, status: int, now: float, body: bytes, headers: Headers, *, reliable: bool
    ) -> None:
        transaction = usage.transaction
        if usage.state is not UsageState.INCOMING or not isinstance(transaction, ServerTransaction):
            return
        extra = f"{self._dialog_lines(transaction)}{header_lines(headers)}"
        if reliable and usage.reliable is None:
            self._reliable.open(usage, "supported")
        if not self._reliable.progress(usage, status, now, extra, body):
            self.send(transaction, status, now, extra, body, "application/sdp")
        self._repeats.ringing(usage, now)

    def answer(
        self, usage: InviteUsage, now: float, body: bytes, headers: Headers, session_seconds: int
    ) -> None:  # fmt: skip
        if usage.state is not UsageState.INCOMING:
            return
        answer = HeldAnswer(header_lines(headers), body, session_seconds)
        if not self._reliable.holds(usage, answer):
            self._answer(usage, answer, now)

    def _answer(self, usage: InviteUsage, answer: HeldAnswer, now: float) -> None:
        transaction, build = usage.transaction, self._core.build
        assert isinstance(transaction, ServerTransaction)
        request = transaction.request
        assert request is not None
        lines, body, seconds = answer
        session = self._sessions.answer(usage, request, seconds, body, now)
        if usage.reliable is not None and usage.reliable.settled_sdp:
            body = b""  # the first answer given reliably is the last (RFC 3261 §13.2.1)
        extra = f"{self._dialog_lines(transaction)}{build.allow}{build.supported}{session}{lines}"
        usage.state = UsageState.ANSWERED
        usage.transaction = transaction.usage = None
        self._send_2xx(usage, transaction, 200, now, extra, body, "application/sdp")

    def reject(self, usage: InviteUsage, status: int, now: float, reason: str, headers: Headers) -> None:
        transaction = usage.transaction
        if usage.state is not UsageState.INCOMING or not isinstance(transaction, ServerTransaction):
            return
        self.send(transaction, status, now, header_lines(headers), reason=reason)
        self._core.end(usage, now)

    def respond(self, key: object, status: int, now: float, body: bytes, content_type: str, headers: Headers) -> None:
        transaction = self._transactions.get(key) if isinstance(key, str) else None
        if transaction is None or transaction.request is None:
            if isinstance(key, Unkept):
                self._respond_unkept(key.request, key.flow, status, headers)
            return  # else it was cancelled, or its call is over
        usage, build, method = transaction.usage, self._core.build, transaction.method
        extra = header_lines(headers)
        if method in OFFER_METHODS and status < 300:
            extra = f"{build.contact(way_of(transaction.flow), transaction.request.uri_text)}{extra}"
            if usage is not None and status >= 200:
                extra = self._renewed(usage, transaction.request, body, now) + extra
        if status < 200 or usage is None:
            self.send(transaction, status, now, extra, body, content_type)
            return
        self.settle(usage, transaction)
        if method in OFFER_METHODS and status < 300:
            self._note_change(usage, transaction.request)
        if method == "INVITE" and status < 300:
            self._send_2xx(usage, transaction, status, now, extra, body, content_type)
        else:
            self.send(transaction, status, now, extra, body, content_type)
        if method == "PRACK":
            self.go_on(usage, now)

    def _respond_unkept(self, request: Request, flow: Flow, status: int, headers: Headers) -> None:
        """OPTIONS outside any dialog. A copy of it gets a copy of the answer (§8.2.7), and nobody can fill our memory
        with transactions that each stand for half a minute."""
        build = self._core.build
        extra = f"{build.allow}{build.accept}{build.supported}{header_lines(headers)}"
        echo = build.echo(request, flow, build.stateless_tag(request))
        self._core.send(build.response(status, echo, extra), answer_flow(request, flow))

    @staticmethod
    def _note_change(usage: InviteUsage, request: Request) -> None:
        """Their INVITE or UPDATE was agreed to."""
        acks, tag = usage.early_acks, request.from_tag
        dialog = usage.dialog_with(tag)
        if dialog is not None:
            dialog.refresh_target(request)
        if acks is not None and request.body:
            acks.described[tag] = request.body
            acks.changed.add(tag)

    def _renewed(self, usage: InviteUsage, request: Request, body: bytes, now: float) -> str:
        """A 2xx to their INVITE or UPDATE goes out: what it says of the session's timer."""
        lines = self._sessions.answer(usage, request, 0, body, now)
        self._sessions.described(usage, body)
        return lines

    @staticmethod
    def settle(usage: InviteUsage, transaction: ServerTransaction) -> None:
        """A request of theirs inside the dialog has its final response."""
        transaction.usage = None
        if usage.remote_pending == transaction.key:
            usage.remote_pending = None
        assert usage.unanswered is not None
        usage.unanswered.remove(transaction.key)

    def go_on(self, usage: InviteUsage, now: float) -> None:
        """What a PRACK was waited for with."""
        held = self._reliable.go_on(usage, now)
        if held is not None:
            self._answer(usage, held, now)

    def _send_2xx(
        self, usage: InviteUsage, transaction: ServerTransaction, status: int, now: float, extra: str, body: bytes,
        content_type: str,
    ) -> None:  # fmt: skip
        """§13.3.1.4: repeated from T1 up to T2, over any transport, until the ACK or 64*T1."""
        core, request = self._core, transaction.request
        assert request is not None
        usage.unacked_cseq = request.cseq
        usage.flow = transaction.flow
        data = core.build.response(status, transaction.echo, extra, body, content_type)
        self._transactions.respond(transaction, status, data, now)
        self._repeats.answered(usage, data, now)

    def _dialog_lines(self, transaction: ServerTransaction) -> str:
        request = transaction.request
        assert request is not None
        return f"{record_routes(request)}{self._core.build.contact(way_of(transaction.flow), request.uri_text)}"

    def send(
        self, transaction: ServerTransaction, status: int, now: float, extra: str = "", body: bytes = b"",
        content_type: str = "", reason: str = "",
    ) -> None:  # fmt: skip
        data = self._core.build.response(status, transaction.echo, extra, body, content_type, reason)
        self._transactions.respond(transaction, status, data, now)
