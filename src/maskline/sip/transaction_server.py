"""Server transactions: requests we received, until no copy of them can come (RFC 3261 §17.2, RFC 6026).

What it is: the interpreter of `SERVER_INVITE` and `SERVER_OTHER`, and the matching of requests to them. A
finished transaction keeps only its last response and where it goes. What it is not: dialogs or meaning;
`agent_server` is its user. Timers: G under "sr", H under "st", I/J/L under "sl".
"""

from __future__ import annotations

from maskline.sip.core import Core
from maskline.sip.flow import Flow
from maskline.sip.invite_usage import InviteUsage
from maskline.sip.message import Request
from maskline.sip.transaction_states import SERVER_INVITE, SERVER_OTHER, Action, Input, State, input_of_status

RETRANSMIT, TIMEOUT, LINGER = "sr", "st", "sl"

MergeKey = tuple[str, str, int, str]


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
        self.state = State.PROCEEDING if request.method == "INVITE" else State.TRYING


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

    def is_merged(self, merge_key: MergeKey) -> bool:
        """Whether the same request is being worked on under another branch: it forked and met us twice
        (§8.2.2.2)."""
        return merge_key in self._merged

    def start(self, transaction: ServerTransaction) -> None:
        self._transactions[transaction.key] = transaction
        if transaction.merge_key is not None:
            self._merged[transaction.merge_key] = transaction.key

    def respond(self, transaction: ServerTransaction, status: int, data: bytes, now: float) -> bool:
        """Send a response; False when the request has its final response already."""
        row = (transaction.state, input_of_status(status))
        if row not in self._table(transaction):
            return False
        transaction.response = data
        if status >= 200:
            transaction.request = None
            transaction.echo = ""
        self._feed(transaction, row[1], now)
        return True

    def receive_again(self, transaction: ServerTransaction, now: float) -> None:
        self._core.counters.retransmits_absorbed += 1
        self._feed(transaction, Input.REQUEST, now)

    def receive_ack(self, transaction: ServerTransaction, now: float) -> bool:
        """Whether the ACK is for the user: it acknowledges a 2xx under the INVITE's own branch, which is
        wrong (§17.1.1.3) but harmless."""
        return self._feed(transaction, Input.ACK, now)

    def fire(self, timer: str, key: str, now: float) -> None:
        transaction = self._transactions.get(key)
        if transaction is not None:
            signal = {RETRANSMIT: Input.RETRANSMIT, TIMEOUT: Input.TIMEOUT, LINGER: Input.LINGER}[timer]
            self._feed(transaction, signal, now)

    @staticmethod
    def _table(transaction: ServerTransaction) -> dict[tuple[State, Input], tuple[State, tuple[Action, ...]]]:
        return SERVER_INVITE if transaction.method == "INVITE" else SERVER_OTHER

    def _feed(self, transaction: ServerTransaction, signal: Input, now: float) -> bool:
        row = self._table(transaction).get((transaction.state, signal))
        if row is None:
            return False
        transaction.state, actions = row
        passed = False
        for action in actions:
            if action is Action.PASS:
                passed = True
            else:
                self._perform(action, transaction, now)
        if transaction.state is State.TERMINATED:
            self._forget(transaction)
        return passed

    def _perform(self, action: Action, transaction: ServerTransaction, now: float) -> None:
        core, key, config = self._core, transaction.key, self._core.config
        if action is Action.SEND:
            assert transaction.response is not None
            core.send(transaction.response, transaction.flow)
        elif action is Action.RESEND:
            assert transaction.response is not None
            core.resend(transaction.response, transaction.flow)
        elif action is Action.START_RETRANSMIT or action is Action.BACK_OFF:
            doubled = min(2 * transaction.interval, config.t2)
            transaction.interval = doubled or config.t1
            if config.transport == "udp":
                core.timers.set((RETRANSMIT, key), now + transaction.interval)
        elif action is Action.START_TIMEOUT:
            core.timers.set((TIMEOUT, key), now + 64 * config.t1)
        elif action is Action.STOP_RETRANSMIT:
            core.timers.cancel((RETRANSMIT, key))
        elif action is Action.STOP_TIMEOUT:
            core.timers.cancel((TIMEOUT, key))
        else:
            if action in (Action.LINGER_L, Action.LINGER_I):
                transaction.response = None  # copies are absorbed from here on, not answered
            core.timers.set((LINGER, key), now + (config.t4 if action is Action.LINGER_I else 64 * config.t1))

    def _forget(self, transaction: ServerTransaction) -> None:
        del self._transactions[transaction.key]
        if transaction.merge_key is not None and self._merged.get(transaction.merge_key) == transaction.key:
            del self._merged[transaction.merge_key]


def server_key(request: Request, method: str) -> str:
    """What copies of a request share (§17.2.3); `method` is INVITE for an ACK, and for what a CANCEL means."""
    via = request.via
    if via.has_cookie:
        return f"{via.branch}|{via.host}|{via.port}|{method}"
    # RFC 2543 peers repeat branches. Without the To tag (their ACK carries ours, their INVITE does not) the
    # rest of §17.2.3's list still tells requests apart.
    return f"{request.call_id}|{request.from_tag}|{request.cseq}|{via.text}|{method}"


def merge_key(request: Request) -> MergeKey:
    return (request.call_id, request.from_tag, request.cseq, request.method)
