"""Client transactions: requests we sent, until nothing more can come back (RFC 3261 §17.1, RFC 6026).

What it is: the interpreter of `CLIENT_INVITE` and `CLIENT_OTHER`. A finished transaction keeps only what a
late response still needs: the ACK bytes, or nothing. What it is not: dialogs or meaning; `agent_client` is its
user. Timers: A/E under "cr", B/F under "ct", D/K/M under "cl".
"""

from __future__ import annotations

from maskline.sip.build import Envelope
from maskline.sip.core import Core
from maskline.sip.digest_client import DigestClient
from maskline.sip.first_look import sent_in
from maskline.sip.flow import Datagram, Flow, way_of
from maskline.sip.headers import Via
from maskline.sip.invite_usage import InviteUsage
from maskline.sip.message import Response
from maskline.sip.transaction_states import CLIENT_INVITE, CLIENT_OTHER, Action, Input, State, input_of_status, resolve

RETRANSMIT, TIMEOUT, LINGER = "cr", "ct", "cl"
SILENCE = "cs"
"""Not of the transaction: its user waits no longer for a first response."""
UNHEARD = "cu"
"""Nor this: what took a stream for its size alone has had no response there, though it must stand by now."""
REINVITE_LIMIT = 180.0
"""Seconds a re-INVITE may stay provisional, as a proxy's timer C (§16.6). Without a limit it would wait for ever
when the dialog ends by BYE and the final response is lost: nobody repeats that any more."""


class ClientTransaction:
    """One request of ours."""

    __slots__ = (
        "acks", "again", "authorization", "carries_offer", "data", "digest", "envelope", "fallback", "flow", "interval",
        "is_initial", "key", "last_cseq", "method", "state", "tries", "usage",
    )  # fmt: skip

    def __init__(
        self, method: str, envelope: Envelope, data: bytes, flow: Flow, usage: InviteUsage | None, *, is_initial: bool
    ) -> None:
        self.key = envelope.branch + method
        """Branch and CSeq method, as a response shows them (§17.1.3); CANCEL has its INVITE's branch."""
        self.method = method
        self.envelope = envelope
        self.data: bytes | None = data
        """What a retransmission sends: the request, or the ACK of a 300-699."""
        self.flow = flow
        self.usage = usage
        self.is_initial = is_initial
        """An INVITE outside a dialog: it may fork and it makes the usage."""
        self.last_cseq = 0
        """The highest CSeq of a PRACK in any of its forks; the BYE to an unwanted one counts on from it (§12.2.1.1)."""
        self.carries_offer = False
        """A re-INVITE with a body: its 2xx needs nothing from the user, so the agent acknowledges it."""
        self.acks: dict[str, tuple[bytes, Flow] | None] | None = None
        """INVITE with 2xx: their To tags and the ACK each got; None until the user acknowledges."""
        self.digest: DigestClient | None = None
        """Who answers when this request is challenged."""
        self.authorization = ""
        """The lines with which it has answered already; the ACK of its 2xx repeats them (§22.1)."""
        self.tries: dict[str, int] | None = None
        """Answers that led to this copy of the request, by header."""
        self.interval = 0.0
        self.fallback: Datagram | None = None
        """What is sent instead when the stream it took only for its size (§18.1.1) is refused."""
        self.again = False
        """It was sent a second time since its connection closed."""
        self.state = _CALLING if method == "INVITE" else _TRYING


class ClientTransactions:
    """All client transactions of one agent."""

    __slots__ = ("_core", "_transactions")

    def __init__(self, core: Core) -> None:
        self._core = core
        self._transactions: dict[str, ClientTransaction] = {}

    def __len__(self) -> int:
        return len(self._transactions)

    @property
    def by_key(self) -> dict[str, ClientTransaction]:
        """All of them, as they come and go."""
        return self._transactions

    def get(self, key: str) -> ClientTransaction | None:
        return self._transactions.get(key)

    def of(self, response: Response) -> ClientTransaction | None:
        """Whose it is. A second Via shows that it is another's (§8.1.3.3), Call-ID is a second lock on the branch. A
        proxy in front of us may hand over a 2xx as it came to it, under a Via of its own, when who sent the INVITE is
        gone."""
        found, others = self._transactions.get(response.branch + response.cseq_method), response.split_top_via()[1]
        if found is None and others and self._core.config.fronted:
            line, _, others = others.partition("\n")
            found = self._transactions.get(Via(line).branch + response.cseq_method)
        return None if found is None or others or found.envelope.call_id != response.call_id else found

    def on_flow(self, flow: Flow, quoted: bytes | None = None) -> list[ClientTransaction]:
        """Those still waiting for an answer from `flow`. A scan: a dead flow is rare and ends them all. `quoted`: what
        ICMP says that nobody took, which concerns that request alone, if nobody has answered it. Anybody can write such
        a message (RFC 5927), but nobody else knows our branches."""
        if quoted is not None:
            one = self._transactions.get(sent_in(quoted))
            return [one] if one is not None and one.flow == flow and one.state in (_CALLING, _TRYING) else []
        waiting = (_CALLING, _TRYING, _PROCEEDING)
        return [tx for tx in self._transactions.values() if tx.flow == flow and tx.state in waiting]

    def start(self, transaction: ClientTransaction, now: float) -> None:
        core, key = self._core, transaction.key
        self._transactions[key] = transaction
        transaction.interval = core.config.t1
        if core.may_lose(transaction.flow):
            core.timers.set(RETRANSMIT, key, now + transaction.interval)
        core.timers.set(TIMEOUT, key, now + 64 * core.config.t1)
        assert transaction.data is not None
        core.send(transaction.data, transaction.flow)

    def adopt(self, transaction: ClientTransaction) -> None:
        """One whose INVITE another process has sent: a response may come. `limit` it."""
        transaction.state = _PROCEEDING
        self._transactions[transaction.key] = transaction

    def fall_back(self, transaction: ClientTransaction, now: float) -> None:
        """Begin again as what `fallback` is."""
        core = self._core
        assert transaction.fallback is not None
        transaction.data, transaction.flow = transaction.fallback
        transaction.envelope.way = way_of(transaction.flow)
        transaction.fallback = None
        core.timers.set(RETRANSMIT, transaction.key, now + transaction.interval)
        core.send(transaction.data, transaction.flow)

    def rest(self, transaction: ClientTransaction) -> None:
        """Send no more copies; an answer may come all the same."""
        self._core.timers.cancel(RETRANSMIT, transaction.key)

    def limit(self, transaction: ClientTransaction, now: float) -> None:
        """64*T1 from now the transaction ends, answered or not (§9.1, after CANCEL)."""
        self._core.timers.set(TIMEOUT, transaction.key, now + 64 * self._core.config.t1)

    def receive(self, transaction: ClientTransaction, response: Response, now: float) -> bool:
        """Whether the response is for the user."""
        result = self._feed(transaction, input_of_status(response.status), now, response)
        if result is not _PASS:
            self._core.counters.retransmits_absorbed += 1
        return result is _PASS

    def fire(self, timer: str, key: str, now: float) -> ClientTransaction | None:
        """A timer ran out; the transaction if its user must hear that no answer came."""
        transaction = self._transactions.get(key)
        if transaction is None:
            return None
        result = self._feed(transaction, _TIMERS[timer], now)
        if result is Action.TIMED_OUT:
            self._core.counters.timeouts += 1
            return transaction
        return None

    def fail(self, transaction: ClientTransaction, now: float) -> None:
        """The transport of a waiting transaction (see `on_flow`) is dead."""
        self._feed(transaction, Input.TRANSPORT_ERROR, now)

    def _feed(
        self, transaction: ClientTransaction, signal: Input, now: float, response: Response | None = None
    ) -> Action | None:
        """Follow the table; returns what concerns the user: PASS, TIMED_OUT, FAILED or None."""
        row = (_INVITE if transaction.method == "INVITE" else _OTHER)[transaction.state].get(signal)
        if row is None:
            return None
        transaction.state, steps, report = row
        for step in steps:
            step(self._core, transaction, now, response)
        if transaction.state is _TERMINATED:
            del self._transactions[transaction.key]
        return report


# ---- what the actions of the tables do

_PASS = Action.PASS
_CALLING, _TRYING, _PROCEEDING, _TERMINATED = State.CALLING, State.TRYING, State.PROCEEDING, State.TERMINATED
_TIMERS = {RETRANSMIT: Input.RETRANSMIT, TIMEOUT: Input.TIMEOUT, LINGER: Input.LINGER}


def _stop_retransmit(core: Core, transaction: ClientTransaction, now: float, response: Response | None) -> None:
    core.timers.cancel(RETRANSMIT, transaction.key)


def _stop_timeout(core: Core, transaction: ClientTransaction, now: float, response: Response | None) -> None:
    core.timers.cancel(TIMEOUT, transaction.key)
    if transaction.state is _PROCEEDING and not transaction.is_initial:
        core.timers.set(TIMEOUT, transaction.key, now + REINVITE_LIMIT)


def _resend(core: Core, transaction: ClientTransaction, now: float, response: Response | None) -> None:
    assert transaction.data is not None
    core.resend(transaction.data, transaction.flow)


def _back_off(core: Core, transaction: ClientTransaction, now: float, response: Response | None) -> None:
    doubled = 2 * transaction.interval
    if transaction.method != "INVITE":
        doubled = min(doubled, core.config.t2)  # timer E is capped, timer A is not (§17.1.1.2)
    transaction.interval = doubled
    core.timers.set(RETRANSMIT, transaction.key, now + doubled)


def _slow_down(core: Core, transaction: ClientTransaction, now: float, response: Response | None) -> None:
    transaction.interval = core.config.t2
    core.timers.set(RETRANSMIT, transaction.key, now + core.config.t2)


def _linger_d(core: Core, transaction: ClientTransaction, now: float, response: Response | None) -> None:
    _linger(core, transaction, now + 64 * core.config.t1)


def _linger_k(core: Core, transaction: ClientTransaction, now: float, response: Response | None) -> None:
    transaction.data = None
    _linger(core, transaction, now + core.config.t4)


def _linger_m(core: Core, transaction: ClientTransaction, now: float, response: Response | None) -> None:
    transaction.data = None
    core.timers.set(LINGER, transaction.key, now + 64 * core.config.t1)


def _linger(core: Core, transaction: ClientTransaction, until: float) -> None:
    if core.may_lose(transaction.flow):
        core.timers.set(LINGER, transaction.key, until)
    else:
        transaction.state = _TERMINATED  # timers D and K are zero: no copy of a response can come


def _acknowledge(core: Core, transaction: ClientTransaction, now: float, response: Response | None) -> None:
    """§17.1.1.3: the same branch and CSeq number, To as the response has it. From here on RESEND means it."""
    assert response is not None
    envelope = transaction.envelope
    ack = Envelope(
        envelope.uri, envelope.routes, envelope.from_value, response.headers["to"], envelope.call_id,
        envelope.cseq, envelope.branch, envelope.way,
    )  # fmt: skip
    transaction.data = core.build.request("ACK", ack)
    core.send(transaction.data, transaction.flow)


_STEPS = {
    Action.STOP_RETRANSMIT: _stop_retransmit,
    Action.STOP_TIMEOUT: _stop_timeout,
    Action.RESEND: _resend,
    Action.BACK_OFF: _back_off,
    Action.SLOW_DOWN: _slow_down,
    Action.LINGER_D: _linger_d,
    Action.LINGER_K: _linger_k,
    Action.LINGER_M: _linger_m,
    Action.ACK: _acknowledge,
}
_INVITE, _OTHER = resolve(CLIENT_INVITE, _STEPS), resolve(CLIENT_OTHER, _STEPS)
