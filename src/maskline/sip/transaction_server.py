"""Server transactions: requests we received, until no copy of them can come (RFC 3261 §17.2, RFC 6026).

What it is: the interpreter of `SERVER_INVITE` and `SERVER_OTHER`, and the matching of requests to them. A
finished transaction keeps only its last response and where it goes. What it is not: dialogs or meaning;
`agent_server` is its user. Timers: G under "sr", H under "st", I/J/L under "sl"; Expires under "x", which is the
agent's.
"""

from __future__ import annotations

from collections.abc import Callable

from maskline.sip.core import Core
from maskline.sip.flow import Flow
from maskline.sip.headers import MAGIC_COOKIE
from maskline.sip.invite_usage import InviteUsage
from maskline.sip.message import Request
from maskline.sip.transaction_states import (
    SERVER_INVITE,
    SERVER_OTHER,
    Action,
    Input,
    Row,
    State,
    input_of_status,
    resolve,
)
from maskline.sip.uri import is_name

RETRANSMIT, TIMEOUT, LINGER, EXPIRY = "sr", "st", "sl", "x"

MergeKey = tuple[str, str, int, str]
_Step = Callable[[Core, "ServerTransaction", float], None]


class ServerTransaction:
    """One request of theirs. `request` and `echo` are there until the final response."""

    __slots__ = (
        "echo",
        "flow",
        "interval",
        "key",
        "merge_key",
        "method",
        "request",
        "response",
        "state",
        "tag",
        "usage",
    )

    def __init__(
        self, key: str, request: Request, flow: Flow, tag: str, echo: str, usage: InviteUsage | None,
        merge_key: MergeKey | None,
    ) -> None:  # fmt: skip
        self.key = key
        self.tag = tag
        """To tag of all our responses to this request, and to a CANCEL of it (§9.2)."""
        self.method = request.method
        self.request: Request | None = request
        self.flow = flow
        self.echo = echo
        self.usage = usage
        self.merge_key = merge_key
        self.response: bytes | None = None
        self.interval = 0.0
        self.state = _PROCEEDING if request.method == "INVITE" else _TRYING


class ServerTransactions:
    """All server transactions of one agent."""

    __slots__ = ("_core", "_merged", "_transactions")

    def __init__(self, core: Core) -> None:
        self._core = core
        self._transactions: dict[str, ServerTransaction] = {}
        self._merged: dict[MergeKey, str] = {}

    def __len__(self) -> int:
        return len(self._transactions)

    def get(self, key: str) -> ServerTransaction | None:
        return self._transactions.get(key)

    def on_flow(self, flow: Flow) -> list[ServerTransaction]:
        """Those whose final response, still to come, would go to `flow`. A scan, as on the client's side."""
        return [tx for tx in self._transactions.values() if tx.flow == flow and tx.request is not None]

    def is_merged(self, merge_key: MergeKey) -> bool:
        """Whether the same request is being worked on under another branch: it forked and met us twice
        (§8.2.2.2)."""
        return merge_key in self._merged

    def start(self, transaction: ServerTransaction) -> None:
        self._transactions[transaction.key] = transaction
        if transaction.merge_key is not None:
            self._merged[transaction.merge_key] = transaction.key

    def expire(self, transaction: ServerTransaction, request: Request, now: float) -> None:
        """§13.3.1: an INVITE may say how long it stands without a final response."""
        seconds = request.expires
        if seconds is not None:
            self._core.timers.set(EXPIRY, transaction.key, now + seconds)

    def respond(self, transaction: ServerTransaction, status: int, data: bytes, now: float) -> bool:
        """Send a response; False when the request has its final response already."""
        row = _row(transaction, input_of_status(status))
        if row is None:
            return False
        transaction.response = data
        if status >= 200:
            assert transaction.request is not None, "this is the first final response"
            if "expires" in transaction.request.headers:
                self._core.timers.cancel(EXPIRY, transaction.key)
            transaction.request = None
            transaction.echo = ""
        self._follow(transaction, row, now)
        return True

    def drop(self, key: str) -> None:
        """Forget one that has no final response, and never will."""
        transaction = self._transactions[key]
        self._core.timers.cancel(EXPIRY, key)
        self._forget(transaction)

    def receive_again(self, transaction: ServerTransaction, now: float) -> None:
        self._core.counters.retransmits_absorbed += 1
        self._feed(transaction, _REQUEST, now)

    def receive_ack(self, transaction: ServerTransaction, now: float) -> bool:
        """Whether the ACK is for the user: it acknowledges a 2xx under the INVITE's own branch, which is
        wrong (§17.1.1.3) but harmless."""
        return self._feed(transaction, _ACK, now)

    def fire(self, timer: str, key: str, now: float) -> None:
        transaction = self._transactions.get(key)
        if transaction is not None:
            self._feed(transaction, _TIMERS[timer], now)

    def _feed(self, transaction: ServerTransaction, signal: Input, now: float) -> bool:
        row = _row(transaction, signal)
        return row is not None and self._follow(transaction, row, now)

    def _follow(self, transaction: ServerTransaction, row: Row[_Step], now: float) -> bool:
        transaction.state, steps, report = row
        for step in steps:
            step(self._core, transaction, now)
        if transaction.state is _TERMINATED:
            self._forget(transaction)
        return report is not None

    def _forget(self, transaction: ServerTransaction) -> None:
        del self._transactions[transaction.key]
        if transaction.merge_key is not None and self._merged.get(transaction.merge_key) == transaction.key:
            del self._merged[transaction.merge_key]


def answer_flow(request: Request, flow: Flow) -> Flow:
    """Where responses to `request` go (§18.2.2). Over UDP that is the port its Via names, unless it asks for the one it
    came from (`rport`, RFC 3581), or its Via shows another address: then a NAT is between us, which lets nothing
    else in. Raises `ParseError`."""
    if request.sent_by == f"{flow.host}|{flow.port}":
        return flow
    via = request.via
    port = via.port or 5060
    if flow.transport != "udp" or port == flow.port or "rport" in via.parameters:
        return flow
    return flow._replace(port=port) if via.host == flow.host or is_name(via.host) else flow


# ---- what the actions of the tables do

_TRYING, _PROCEEDING, _TERMINATED = State.TRYING, State.PROCEEDING, State.TERMINATED
_REQUEST, _ACK = Input.REQUEST, Input.ACK
_TIMERS = {RETRANSMIT: Input.RETRANSMIT, TIMEOUT: Input.TIMEOUT, LINGER: Input.LINGER}


def _send(core: Core, transaction: ServerTransaction, now: float) -> None:
    assert transaction.response is not None
    core.send(transaction.response, transaction.flow)


def _resend(core: Core, transaction: ServerTransaction, now: float) -> None:
    assert transaction.response is not None
    core.resend(transaction.response, transaction.flow)


def _back_off(core: Core, transaction: ServerTransaction, now: float) -> None:
    doubled = min(2 * transaction.interval, core.config.t2)
    transaction.interval = doubled or core.config.t1
    if core.may_lose(transaction.flow):
        core.timers.set(RETRANSMIT, transaction.key, now + transaction.interval)


def _start_timeout(core: Core, transaction: ServerTransaction, now: float) -> None:
    core.timers.set(TIMEOUT, transaction.key, now + 64 * core.config.t1)


def _stop_retransmit(core: Core, transaction: ServerTransaction, now: float) -> None:
    core.timers.cancel(RETRANSMIT, transaction.key)


def _stop_timeout(core: Core, transaction: ServerTransaction, now: float) -> None:
    core.timers.cancel(TIMEOUT, transaction.key)


def _linger_i(core: Core, transaction: ServerTransaction, now: float) -> None:
    transaction.response = None  # copies are absorbed from here on, not answered
    _linger(core, transaction, now + core.config.t4)


def _linger_j(core: Core, transaction: ServerTransaction, now: float) -> None:
    _linger(core, transaction, now + 64 * core.config.t1)


def _linger_l(core: Core, transaction: ServerTransaction, now: float) -> None:
    transaction.response = None
    core.timers.set(LINGER, transaction.key, now + 64 * core.config.t1)


def _linger(core: Core, transaction: ServerTransaction, until: float) -> None:
    if core.may_lose(transaction.flow):
        core.timers.set(LINGER, transaction.key, until)
    else:
        transaction.state = _TERMINATED  # timers I and J are zero: no copy of a request can come


_STEPS = {
    Action.SEND: _send,
    Action.RESEND: _resend,
    Action.START_RETRANSMIT: _back_off,
    Action.BACK_OFF: _back_off,
    Action.START_TIMEOUT: _start_timeout,
    Action.STOP_RETRANSMIT: _stop_retransmit,
    Action.STOP_TIMEOUT: _stop_timeout,
    Action.LINGER_I: _linger_i,
    Action.LINGER_J: _linger_j,
    Action.LINGER_L: _linger_l,
}
_INVITE, _OTHER = resolve(SERVER_INVITE, _STEPS), resolve(SERVER_OTHER, _STEPS)


def _row(transaction: ServerTransaction, signal: Input) -> Row[_Step] | None:
    return (_INVITE if transaction.method == "INVITE" else _OTHER)[transaction.state].get(signal)


def server_key(request: Request, method: str) -> str:
    """What copies of a request share (§17.2.3); `method` is INVITE for an ACK, and for what a CANCEL means."""
    branch = request.branch
    if branch.startswith(MAGIC_COOKIE):
        return f"{branch}|{request.sent_by}|{method}"
    # RFC 2543 peers repeat branches. Without the To tag (their ACK carries ours, their INVITE does not) the
    # rest of §17.2.3's list still tells requests apart.
    return f"{request.call_id}|{request.from_tag}|{request.cseq}|{request.via.text}|{method}"


def merge_key(request: Request) -> MergeKey:
    return (request.call_id, request.from_tag, request.cseq, request.method)
