"""The handle of one INVITE usage: everything between an INVITE and the end of what it set up (RFC 5057).

What it is: the value the agent's user holds, and the state the agent keeps in it. What it is not: behaviour;
every change is made by the agent. Who uses it: the engine's legs and the lab's phones read the attributes that
are documented here and write only `owner`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from maskline.sip.dialog import Dialog, listener_of
from maskline.sip.flow import Flow

if TYPE_CHECKING:
    from maskline.sip.agent_client import OutgoingInvite
    from maskline.sip.agent_glare import Offer
    from maskline.sip.agent_sessions import Session
    from maskline.sip.digest_client import DigestClient
    from maskline.sip.message import Request
    from maskline.sip.recall import Dialogue
    from maskline.sip.reliable import ReliableProgress
    from maskline.sip.transaction_client import ClientTransaction
    from maskline.sip.transaction_server import ServerTransaction


class UsageState(StrEnum):
    CALLING = "calling"
    """Client: INVITE sent, no final response."""
    CANCELLING = "cancelling"
    """Client: the user wants out; CANCEL is sent as soon as a 1xx allows it."""
    INCOMING = "incoming"
    """Server: INVITE received, not answered."""
    ANSWERED = "answered"
    """2xx sent or received, ACK still to come."""
    CONFIRMED = "confirmed"
    ENDING = "ending"
    """Our BYE is under way, or waits for the ACK of our 2xx (§15)."""
    ENDED = "ended"


class EarlyAcks:
    """What of the reliable 18x to an INVITE of ours is known, by fork (RFC 3262 §4)."""

    __slots__ = ("changed", "described", "due", "rseqs")

    def __init__(self) -> None:
        self.rseqs: dict[str, int] = {}
        """Last RSeq by remote tag."""
        self.described: dict[str, bytes] = {}
        """By remote tag of forks that sent SDP reliably: that, or what they offered since, to which we agreed."""
        self.changed: set[str] = set()
        """Those that offered something since."""
        self.due: tuple[Dialog, int] | None = None
        """Dialog and RSeq of an offer that the user has to answer by `Agent.prack`."""


class InviteUsage:
    """One INVITE usage."""

    __slots__ = (
        "ack_due", "bye_headers", "dialog", "digest", "early", "early_acks", "flow", "id", "interval", "is_client",
        "known", "local_tag", "offer", "outgoing", "owner", "pending", "provisional_seen", "reliable", "remote_pending",
        "request", "session", "state", "transaction", "unacked", "unacked_cseq", "unanswered",
    )  # fmt: skip

    id: str
    """Our tag of the dialog; unique."""
    is_client: bool
    """Whether we sent the INVITE."""
    dialog: Dialog | None
    """Server: from the start. Client: from the first 2xx, until then the latest early dialog or None."""
    request: Request | None
    """Server: the INVITE, until it was answered and acknowledged."""
    flow: Flow
    """Where the INVITE came from or went to."""
    owner: object | None
    """The user's own back reference. The agent clears it after the usage's last event has been read (at the next
    call of `Agent.events`), so that no cycle outlives the call."""

    def __init__(self, local_tag: str, flow: Flow, *, is_client: bool, request: Request | None = None) -> None:
        self.id = self.local_tag = local_tag
        self.is_client = is_client
        self.state = UsageState.CALLING if is_client else UsageState.INCOMING
        self.dialog = None
        self.request = request
        self.flow = flow
        self.owner = None
        # From here on the agent's own.
        self.known: Dialogue | None = None
        """What the far side's requests inside the dialog have said, or the INVITE will have them say."""
        self.digest: DigestClient | None = None
        """Answers challenges to our requests, where the peer is one we have credentials for."""
        self.transaction: ClientTransaction | ServerTransaction | None = None
        """The initial INVITE until its final response, later our re-INVITE under way."""
        self.early: dict[str, Dialog] | None = None
        """Client: early dialogs by remote tag."""
        self.ack_due: ClientTransaction | None = None
        """Our INVITE whose 2xx the user has not acknowledged."""
        self.unacked: bytes | None = None
        """Our 2xx, repeated until its ACK comes."""
        self.unacked_cseq = 0
        self.interval = 0.0
        self.pending: str | None = None
        """INVITE or UPDATE: the method of our offer that has no final response yet."""
        self.remote_pending: str | None = None
        """Transaction key of their INVITE or UPDATE inside the dialog that we have not answered."""
        self.unanswered: list[str] | None = None
        """Transaction keys of all their requests inside the dialog that the user has not answered."""
        self.provisional_seen = False
        self.bye_headers: str | None = None
        """Header lines of a BYE that waits for an ACK (§15)."""
        self.outgoing: OutgoingInvite | None = None
        """Client: what was asked to be sent, until its final response, if it may have to be sent otherwise."""
        self.reliable: ReliableProgress | None = None
        """Server: our 18x, once they are reliable."""
        self.early_acks: EarlyAcks | None = None
        """Client: their reliable 18x."""
        self.session: Session | None = None
        """The session timer that holds."""
        self.offer: Offer | None = None
        """Our user's offer inside the dialog, until its last answer; it may wait to be sent again."""

    @property
    def is_over(self) -> bool:
        return self.state is UsageState.ENDED

    def is_described(self, remote_tag: str) -> bool:
        """Before the answer: the INVITE's offer has been answered already, by a reliable 18x of this far side's, or of
        ours."""
        if self.reliable is not None:
            return self.reliable.settled_sdp
        acks = self.early_acks
        return acks is not None and acks.due is None and remote_tag in acks.described

    def dialog_with(self, remote_tag: str) -> Dialog | None:
        """The dialog, early ones included, whose far side has this tag."""
        if self.dialog is not None and self.dialog.remote_tag == remote_tag:
            return self.dialog
        return self.early.get(remote_tag) if self.early else None

    def leads_to(self, host: str) -> bool:
        """Whether requests inside its dialog, or one of its early ones, go to this host."""
        dialogs = self.early.values() if self.early else () if self.dialog is None else (self.dialog,)
        return any(dialog.hop.host == host for dialog in dialogs)

    def end(self) -> None:
        """Cut every reference a finished call could be kept alive by."""
        self.state = UsageState.ENDED
        transaction = self.transaction
        if transaction is not None and transaction.usage is self:
            transaction.usage = None
        self.transaction = self.ack_due = self.outgoing = self.offer = None
        self.reliable = self.early_acks = self.session = self.known = None
        self.request = self.early = self.unacked = self.remote_pending = self.unanswered = None


def leave_connection(usage: InviteUsage, flow: Flow) -> None:
    """The connection `flow` names is gone: every dialog of the usage that went that way finds another one, and so does
    a 2xx that is still repeated."""
    dialogs = list(usage.early.values()) if usage.early else [] if usage.dialog is None else [usage.dialog]
    for dialog in dialogs:
        if dialog.hop == flow:
            dialog.leave_connection()
    if usage.flow == flow and usage.unacked is not None:
        assert usage.dialog is not None, "answered"
        usage.flow = usage.dialog.hop if usage.request is None else listener_of(usage.request, flow)
