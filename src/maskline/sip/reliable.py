"""Reliable provisional responses (RFC 3262): the 18x that a peer has to acknowledge by PRACK, or we.

What it is: `ReliableSender` for INVITEs we serve (one 18x at a time, repeated until its PRACK, the 2xx held back behind
one with SDP), `ReliableReader` for INVITEs of ours (per fork: in order, once, acknowledged). What it is not: the
transaction, or a reason to be reliable: who calls says so, by `Require: 100rel` or by `Supported: 100rel` when our user
wants it. Who uses it: the two halves of the agent. Calls without 100rel have nothing here.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from maskline.sip.agent_requests import OutgoingRequests
from maskline.sip.core import Core
from maskline.sip.dialog import Dialog
from maskline.sip.grammar import ParseError, parse_number
from maskline.sip.invite_usage import EarlyAcks, InviteUsage, UsageState
from maskline.sip.message import Request, Response
from maskline.sip.option_tags import RELIABLE, names
from maskline.sip.transaction_client import ClientTransaction
from maskline.sip.transaction_server import ServerTransaction, ServerTransactions

REPEAT, GIVE_UP = "pr", "pe"
"""Kinds of timers."""
MAX_WAITING = 4
"""18x of ours that wait for the PRACK of another; ringing that is told later says nothing new."""
_MAX_FIRST = 2**31 - 1
"""RFC 3262 §3: the first RSeq is chosen between 1 and this."""
_MAX_RSEQ = 2**32 - 1
_RACK = re.compile(r"([0-9]{1,10})[ \t]+([0-9]{1,10})[ \t]+(\S+)")


class _Waiting(NamedTuple):
    """An 18x of ours that is not sent yet."""

    status: int
    extra: str
    body: bytes


class HeldAnswer(NamedTuple):
    """A 2xx of ours that may not be sent yet."""

    extra: str
    body: bytes
    session_seconds: int


class ReliableProgress:
    """What a peer has been told reliably about its INVITE. `usage.reliable` of an INVITE we serve."""

    __slots__ = (
        "answer",
        "cseq",
        "has_sdp",
        "interval",
        "is_lost",
        "is_offer",
        "rseq",
        "settled_sdp",
        "unacked",
        "waiting",
    )

    def __init__(self, first: int, cseq: int, *, is_offer: bool) -> None:
        self.rseq = first
        """Of the last one sent; the first one sent has one more."""
        self.cseq = cseq
        self.is_offer = is_offer
        """The INVITE made no offer, so SDP of an 18x is one, until it has its answer."""
        self.unacked: bytes | None = None
        self.has_sdp = False
        self.settled_sdp = False
        """One with SDP was acknowledged: offer and answer of the INVITE are done (unless we made the offer)."""
        self.interval = 0.0
        self.is_lost = False
        """Nobody acknowledged one."""
        self.waiting: list[_Waiting] = []
        self.answer: HeldAnswer | None = None

    @property
    def awaits_answer(self) -> bool:
        """Our offer is out, and its PRACK is not here."""
        return self.is_offer and self.has_sdp and self.unacked is not None


class ReliableSender:
    """18x of ours."""

    __slots__ = ("_core", "_transactions")

    def __init__(self, core: Core, transactions: ServerTransactions) -> None:
        self._core = core
        self._transactions = transactions

    def open(self, usage: InviteUsage, header: str) -> None:
        """All 18x of this INVITE are reliable from now on, if its Require or Supported says so."""
        request = usage.request
        if request is not None and names(request, header, RELIABLE):
            first = int(self._core.ids.token(4), 16) % (_MAX_FIRST - 1)
            usage.reliable = ReliableProgress(first, request.cseq, is_offer=not request.body)

    def progress(self, usage: InviteUsage, status: int, now: float, extra: str, body: bytes) -> bool:
        """Send an 18x, or keep it until the one before has its PRACK (§3: one at a time); whether it is our affair."""
        state = usage.reliable
        if state is None:
            return False
        if state.unacked is None:
            self._send(usage, state, _Waiting(status, extra, body), now)
        elif len(state.waiting) < MAX_WAITING:
            state.waiting.append(_Waiting(status, extra, body))
        return True

    def _send(self, usage: InviteUsage, state: ReliableProgress, what: _Waiting, now: float) -> None:
        core, transaction = self._core, usage.transaction
        assert isinstance(transaction, ServerTransaction)
        state.rseq += 1
        lines = f"Require: {RELIABLE}\r\nRSeq: {state.rseq}\r\n{what.extra}"
        body = b"" if state.settled_sdp else what.body  # once it was answered SDP would be another offer (§13.2.1)
        data = core.build.response(what.status, transaction.echo, lines, body, "application/sdp")
        state.unacked, state.has_sdp, state.interval = data, bool(body), core.config.t1
        self._transactions.respond(transaction, what.status, data, now)
        core.timers.set(REPEAT, usage.local_tag, now + state.interval)
        core.timers.set(GIVE_UP, usage.local_tag, now + 64 * core.config.t1)

    def refusal(self, usage: InviteUsage) -> tuple[int, bool]:
        """The status that ends an INVITE our user hangs up, and whether the user has answered it: without its PRACK it
        cannot be answered any more (§3)."""
        state = usage.reliable
        return (480, False) if state is None else (504 if state.is_lost else 480, state.answer is not None)

    def holds(self, usage: InviteUsage, answer: HeldAnswer) -> bool:
        """Whether the 2xx has to wait for a PRACK (§3: while an 18x with SDP has none). If not, nothing is repeated
        any more, though its PRACK is still welcome (§3, last paragraph)."""
        state = usage.reliable
        if state is None:
            return False
        state.waiting.clear()
        if state.unacked is not None and state.has_sdp:
            state.answer = answer
            return True
        self._stop(usage)
        return False

    def acknowledge(self, usage: InviteUsage, request: Request) -> int:
        """The status a PRACK deserves: 200, 481 when it names no 18x that waits for it, 400."""
        match = _RACK.fullmatch(request.header("rack") or "")
        if match is None:
            return 400
        state = usage.reliable
        if state is None or state.unacked is None or int(match[1]) != state.rseq:
            return 481
        if int(match[2]) != state.cseq or match[3] != "INVITE":
            return 481
        state.unacked = None
        state.settled_sdp = state.settled_sdp or state.has_sdp
        self._stop(usage)
        return 200

    def go_on(self, usage: InviteUsage, now: float) -> HeldAnswer | None:
        """A PRACK has its answer: the next 18x, or the 2xx that was held."""
        state = usage.reliable
        if state is None or state.unacked is not None or usage.state is not UsageState.INCOMING:
            return None
        if state.answer is None and state.waiting:
            self._send(usage, state, state.waiting.pop(0), now)
        held, state.answer = state.answer, None
        return held

    def fire(self, timer: str, key: str, now: float) -> InviteUsage | None:
        """A timer ran out; the usage if nobody acknowledges its 18x (§3: its INVITE should be refused then)."""
        core, usage = self._core, self._core.usages[key]
        state = usage.reliable
        assert state is not None
        assert state.unacked is not None
        if timer == GIVE_UP:
            self._stop(usage)
            state.unacked, state.is_lost = None, True
            return usage
        assert isinstance(usage.transaction, ServerTransaction)
        core.resend(state.unacked, usage.transaction.flow)
        state.interval *= 2  # §3: doubled each time, without a limit but the end
        core.timers.set(REPEAT, key, now + state.interval)
        return None

    def _stop(self, usage: InviteUsage) -> None:
        self._core.timers.cancel(REPEAT, usage.local_tag)
        self._core.timers.cancel(GIVE_UP, usage.local_tag)


class ReliableReader:
    """18x of theirs."""

    __slots__ = ("_core", "_requests")

    def __init__(self, core: Core, requests: OutgoingRequests) -> None:
        self._core = core
        self._requests = requests

    def take(
        self, usage: InviteUsage, transaction: ClientTransaction, dialog: Dialog, response: Response, now: float
    ) -> bool:
        """Whether a response with RSeq is for the user: not a copy, and none between it and the last one. Each is
        acknowledged at once, but the offer to an INVITE without one only by the user (`acknowledge`). Peers that were
        not asked to be reliable and are, are served all the same."""
        if not names(response, "require", RELIABLE):
            return True
        try:
            rseq = parse_number(response.headers["rseq"].strip(), _MAX_RSEQ, "RSeq")
        except ParseError:
            self._core.counters.malformed += 1
            return False
        acks = usage.early_acks
        if acks is None:
            acks = usage.early_acks = EarlyAcks()
        last = acks.rseqs.get(dialog.remote_tag)
        if last is not None and rseq != last + 1:
            # §4: a copy of what has its PRACK, or one that came before its turn and will come again.
            self._core.counters.retransmits_absorbed += 1
            return False
        acks.rseqs[dialog.remote_tag] = rseq
        sdp = response.sdp
        if dialog.remote_tag in acks.described:
            response.take_part("", b"")  # no offers in responses after the first answer (RFC 3261 §13.2.1)
        elif sdp:
            acks.described[dialog.remote_tag] = sdp
            if not transaction.carries_offer:
                acks.due = (dialog, rseq)
                return True
        self._send(usage, transaction, dialog, rseq, now, b"")
        return True

    def acknowledge(self, usage: InviteUsage, now: float, body: bytes) -> None:
        """PRACK with our answer for the offer that came in an 18x."""
        acks, transaction = usage.early_acks, usage.transaction
        if acks is None or acks.due is None or not isinstance(transaction, ClientTransaction):
            return
        (dialog, rseq), acks.due = acks.due, None
        self._send(usage, transaction, dialog, rseq, now, body)

    def _send(
        self, usage: InviteUsage, transaction: ClientTransaction, dialog: Dialog, rseq: int, now: float, body: bytes
    ) -> None:
        extra = f"RAck: {rseq} {transaction.envelope.cseq} INVITE\r\n"
        content_type = "application/sdp" if body else ""
        self._requests.in_dialog("PRACK", dialog, usage, now, extra, body, content_type)
        transaction.last_cseq = max(transaction.last_cseq, dialog.local_cseq)
