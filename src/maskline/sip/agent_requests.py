"""Requests of ours: addressed, written, started.

What it is: the one place where a request leaves the agent, inside a dialog or not, with its branch and its
transaction. What it is not: what comes back (`agent_client`). Who uses it: `agent_client`.
"""

from __future__ import annotations

from dataclasses import replace

from maskline.sip.build import Envelope
from maskline.sip.core import Core
from maskline.sip.dialog import Dialog
from maskline.sip.digest_client import DigestClient, rewrite
from maskline.sip.flow import Flow, way_of
from maskline.sip.grammar import has_line_break
from maskline.sip.headers import MAGIC_COOKIE
from maskline.sip.invite_usage import InviteUsage
from maskline.sip.kept_usage import KeptInvite, envelope_of
from maskline.sip.transaction_client import UNHEARD, ClientTransaction, ClientTransactions

LARGE = 1300
"""Bytes above which a request of UDP has to take TCP (§18.1.1): in fragments it would be lost at the first firewall.
Where TCP is refused, or nobody says anything there, it goes by UDP after all, and so does what follows for some
minutes."""


class OutgoingRequests:
    """Writes and starts requests."""

    __slots__ = ("_core", "_transactions")

    def __init__(self, core: Core, transactions: ClientTransactions) -> None:
        self._core = core
        self._transactions = transactions

    def envelope(self, request_uri: str, from_value: str, to_uri: str, way: str) -> Envelope:
        """The addressing of a request outside a dialog; raises `ValueError` for a line break (our bug)."""
        if has_line_break(request_uri + from_value + to_uri):
            raise ValueError("line break in a URI")
        call_id = self._core.ids.token(12)
        return Envelope(request_uri, "", from_value, f"<{to_uri}>", call_id, 1, self._branch(), way)

    def next_envelope(self, envelope: Envelope, flow: Flow) -> Envelope:
        """The addressing of the same request, sent again otherwise."""
        return replace(envelope, branch=self._branch(), cseq=envelope.cseq + 1, way=way_of(flow))

    def start(
        self, method: str, envelope: Envelope, data: bytes, flow: Flow, usage: InviteUsage | None, now: float, *,
        is_initial: bool = False, digest: DigestClient | None = None, authorization: str = "",
    ) -> ClientTransaction:  # fmt: skip
        fallback = None
        if len(data) > LARGE and flow.transport == "udp" and self._core.takes_stream(flow.host, now):
            fallback = (data, flow)
            data = data.replace(b"Via: SIP/2.0/UDP", b"Via: SIP/2.0/TCP", 1)
            flow = flow._replace(transport="tcp")
            envelope.way = way_of(flow)
        transaction = ClientTransaction(method, envelope, data, flow, usage, is_initial=is_initial)
        transaction.fallback = fallback
        if digest is not None:
            transaction.digest, transaction.authorization = digest, authorization
        self._transactions.start(transaction, now)
        if fallback is not None:
            self._core.timers.set(UNHEARD, transaction.key, now + 2 * self._core.config.t2)
        return transaction

    def in_dialog(
        self, method: str, dialog: Dialog, usage: InviteUsage | None, now: float, extra: str = "", body: bytes = b"",
        content_type: str = "", digest: DigestClient | None = None,
    ) -> ClientTransaction:  # fmt: skip
        """`digest` is for a dialog without usage; else the usage's answers challenges, as it has done before."""
        envelope = dialog.envelope(self._branch(), dialog.next_cseq())
        if usage is not None:
            digest = usage.digest
        lines = "" if digest is None else digest.lines(method, envelope.uri, body, dialog.hop)
        data = self._core.build.request(method, envelope, lines + extra, body, content_type)
        return self.start(method, envelope, data, dialog.hop, usage, now, digest=digest, authorization=lines)

    def again(self, old: ClientTransaction, sent: bytes, cseq: int, now: float) -> ClientTransaction:
        """The request of `old`, whose bytes were `sent`, once more: answering a challenge, under `cseq` (§22.2)."""
        digest, usage, flow = old.digest, old.usage, old.flow
        if old.fallback is not None:
            sent, flow = old.fallback  # it took a stream for its size alone, and does so again
        envelope = replace(old.envelope, branch=self._branch(), cseq=cseq, way=way_of(flow))
        assert digest is not None
        lines = digest.lines(old.method, envelope.uri, sent.partition(b"\r\n\r\n")[2], flow)
        data = rewrite(
            sent, (old.envelope.branch, envelope.branch), (old.envelope.cseq, cseq), old.method, lines
        )  # fmt: skip
        transaction = self.start(
            old.method, envelope, data, flow, usage, now, is_initial=old.is_initial, digest=digest,
            authorization=lines,
        )  # fmt: skip
        transaction.tries, transaction.carries_offer, old.usage = old.tries, old.carries_offer, None
        return transaction

    def cancel(self, usage: InviteUsage, now: float) -> None:
        """CANCEL of the usage's INVITE, which from now on has 64*T1 left (§9.1)."""
        transaction = usage.transaction
        assert isinstance(transaction, ClientTransaction)
        self._cancel(transaction, now)

    def take_back(self, kept: KeptInvite, now: float) -> None:
        """The same of an INVITE that another process has sent. Nobody waits for its answer, so a 2xx is hung up."""
        transaction = ClientTransaction("INVITE", envelope_of(kept), b"", kept.flow, None, is_initial=True)
        self._transactions.adopt(transaction)
        self._cancel(transaction, now)

    def _cancel(self, transaction: ClientTransaction, now: float) -> None:
        data = self._core.build.request("CANCEL", transaction.envelope)
        self.start("CANCEL", transaction.envelope, data, transaction.flow, None, now)
        self._transactions.limit(transaction, now)

    def acknowledge(self, transaction: ClientTransaction, dialog: Dialog, body: bytes) -> None:
        """The ACK of a 2xx, in its dialog."""
        envelope = dialog.envelope(self._branch(), transaction.envelope.cseq)
        self._ack(transaction, dialog.remote_tag, envelope, dialog.hop, body)

    def ack(self, transaction: ClientTransaction, to_tag: str, envelope: Envelope, flow: Flow, body: bytes) -> None:
        """The ACK of a 2xx is a request of its own: new branch, the CSeq number of its INVITE (§13.2.2.4)."""
        self._ack(transaction, to_tag, replace(envelope, branch=self._branch()), flow, body)

    def _ack(self, transaction: ClientTransaction, to_tag: str, envelope: Envelope, flow: Flow, body: bytes) -> None:
        digest = transaction.digest
        proof = transaction.authorization if digest is not None and digest.shows_to(flow) else ""
        data = self._core.build.request("ACK", envelope, proof, body, "application/sdp" if body else "")
        if transaction.acks is None:
            transaction.acks = {}
        transaction.acks[to_tag] = (data, flow)
        self._core.send(data, flow)

    def _branch(self) -> str:
        return MAGIC_COOKIE + self._core.ids.token(8)
