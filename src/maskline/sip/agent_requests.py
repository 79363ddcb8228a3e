"""Requests of ours: addressed, written, started.

What it is: the one place where a request leaves the agent, inside a dialog or not, with its branch and its
transaction. What it is not: what comes back (`agent_client`). Who uses it: `agent_client`.
"""

from __future__ import annotations

from dataclasses import replace

from maskline.sip.build import Envelope
from maskline.sip.core import Core
from maskline.sip.dialog import Dialog
from maskline.sip.flow import Flow
from maskline.sip.grammar import has_line_break
from maskline.sip.headers import MAGIC_COOKIE
from maskline.sip.invite_usage import InviteUsage
from maskline.sip.transaction_client import ClientTransaction, ClientTransactions


class OutgoingRequests:
    """Writes and starts requests."""

    __slots__ = ("_core", "_transactions")

    def __init__(self, core: Core, transactions: ClientTransactions) -> None:
        self._core = core
        self._transactions = transactions

    def envelope(self, request_uri: str, from_value: str, to_uri: str) -> Envelope:
        """The addressing of a request outside a dialog; raises `ValueError` for a line break (our bug)."""
        if has_line_break(request_uri + from_value + to_uri):
            raise ValueError("line break in a URI")
        core = self._core
        return Envelope(request_uri, "", from_value, f"<{to_uri}>", core.ids.token(12), 1, self._branch())

    def start(
        self, method: str, envelope: Envelope, data: bytes, flow: Flow, usage: InviteUsage | None, now: float, *,
        is_initial: bool = False,
    ) -> ClientTransaction:  # fmt: skip
        transaction = ClientTransaction(method, envelope, data, flow, usage, is_initial=is_initial)
        self._transactions.start(transaction, now)
        return transaction

    def in_dialog(
        self, method: str, dialog: Dialog, usage: InviteUsage | None, now: float, extra: str = "", body: bytes = b"",
        content_type: str = "",
    ) -> ClientTransaction:  # fmt: skip
        envelope = dialog.envelope(self._branch(), dialog.next_cseq())
        data = self._core.build.request(method, envelope, extra, body, content_type)
        return self.start(method, envelope, data, dialog.hop, usage, now)

    def cancel(self, usage: InviteUsage, now: float) -> None:
        """CANCEL of the usage's INVITE, which from now on has 64*T1 left (§9.1)."""
        transaction = usage.transaction
        assert isinstance(transaction, ClientTransaction)
        data = self._core.build.request("CANCEL", transaction.envelope)
        self.start("CANCEL", transaction.envelope, data, transaction.flow, None, now)
        self._transactions.limit(transaction, now)

    def acknowledge(self, transaction: ClientTransaction, dialog: Dialog, body: bytes) -> None:
        """The ACK of a 2xx, in its dialog."""
        envelope = dialog.envelope("", transaction.envelope.cseq)
        self.ack(transaction, dialog.remote_tag, envelope, dialog.hop, body)

    def ack(self, transaction: ClientTransaction, to_tag: str, envelope: Envelope, flow: Flow, body: bytes) -> None:
        """The ACK of a 2xx is a request of its own: new branch, the CSeq number of its INVITE (§13.2.2.4)."""
        data = self._core.build.request(
            "ACK", replace(envelope, branch=self._branch()), "", body, "application/sdp" if body else ""
        )
        if transaction.acks is None:
            transaction.acks = {}
        transaction.acks[to_tag] = (data, flow)
        self._core.send(data, flow)

    def _branch(self) -> str:
        return MAGIC_COOKIE + self._core.ids.token(8)
