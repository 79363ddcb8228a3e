"""Client transactions: requests we sent, until nothing more can come back (RFC 3261 §17.1, RFC 6026).

What it is: the interpreter of `CLIENT_INVITE` and `CLIENT_OTHER`. A finished transaction keeps only what a
late response still needs: the ACK bytes, or nothing. What it is not: dialogs or meaning; `agent_client` is its
user. Timers: A/E under "cr", B/F under "ct", D/K/M under "cl".
"""

from __future__ import annotations

from maskline.sip.build import Envelope
from maskline.sip.core import Core
from maskline.sip.flow import Flow
from maskline.sip.invite_usage import InviteUsage
from maskline.sip.message import Response
from maskline.sip.transaction_states import CLIENT_INVITE, CLIENT_OTHER, Action, Input, State, input_of_status

RETRANSMIT, TIMEOUT, LINGER = "cr", "ct", "cl"
REINVITE_LIMIT = 180.0
"""Seconds a re-INVITE may stay provisional, as a proxy's timer C (§16.6). Without a limit it would wait for ever
when the dialog ends by BYE and the final response is lost: nobody repeats that any more."""


class ClientTransaction:
    """One request of ours."""

    __slots__ = (
        "acks", "carries_offer", "data", "envelope", "flow", "interval", "is_initial", "key", "method", "state",
        "usage",
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
        self.carries_offer = False
        """A re-INVITE with a body: its 2xx needs nothing from the user, so the agent acknowledges it."""
        self.acks: dict[str, tuple[bytes, Flow] | None] | None = None
        """INVITE with 2xx: their To tags and the ACK each got; None until the user acknowledges."""
        self.interval = 0.0
        self.state = State.CALLING if method == "INVITE" else State.TRYING


class ClientTransactions:
    """All client transactions of one agent."""

    __slots__ = ("_core", "_transactions")

    def __init__(self, core: Core) -> None:
        self._core = core
        self._transactions: dict[str, ClientTransaction] = {}

    def __len__(self) -> int:
        return len(self._transactions)

    def get(self, key: str) -> ClientTransaction | None:
        return self._transactions.get(key)

    def on_flow(self, flow: Flow) -> list[ClientTransaction]:
        """Those still waiting for an answer from `flow`. A scan: a dead flow is rare and ends them all."""
        waiting = (State.CALLING, State.TRYING, State.PROCEEDING)
        return [tx for tx in self._transactions.values() if tx.flow == flow and tx.state in waiting]

    def start(self, transaction: ClientTransaction, now: float) -> None:
        core, key = self._core, transaction.key
        self._transactions[key] = transaction
        transaction.interval = core.config.t1
        if core.config.transport == "udp":
            core.timers.set((RETRANSMIT, key), now + transaction.interval)
        core.timers.set((TIMEOUT, key), now + 64 * core.config.t1)
        assert transaction.data is not None
        core.send(transaction.data, transaction.flow)

    def limit(self, transaction: ClientTransaction, now: float) -> None:
        """64*T1 from now the transaction ends, answered or not (§9.1, after CANCEL)."""
        self._core.timers.set((TIMEOUT, transaction.key), now + 64 * self._core.config.t1)

    def receive(self, transaction: ClientTransaction, response: Response, now: float) -> bool:
        """Whether the response is for the user."""
        result = self._feed(transaction, input_of_status(response.status), now, response)
        if result is not Action.PASS:
            self._core.counters.retransmits_absorbed += 1
        return result is Action.PASS

    def fire(self, timer: str, key: str, now: float) -> ClientTransaction | None:
        """A timer ran out; the transaction if its user must hear that no answer came."""
        transaction = self._transactions.get(key)
        if transaction is None:
            return None
        signal = {RETRANSMIT: Input.RETRANSMIT, TIMEOUT: Input.TIMEOUT, LINGER: Input.LINGER}[timer]
        result = self._feed(transaction, signal, now)
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
        table = CLIENT_INVITE if transaction.method == "INVITE" else CLIENT_OTHER
        row = table.get((transaction.state, signal))
        if row is None:
            return None
        transaction.state, actions = row
        report: Action | None = None
        for action in actions:
            if action in (Action.PASS, Action.TIMED_OUT, Action.FAILED):
                report = action
            elif action is Action.ACK:
                assert response is not None
                self._acknowledge(transaction, response)
            else:
                self._perform(action, transaction, now)
        if transaction.state is State.TERMINATED:
            del self._transactions[transaction.key]
        return report

    def _perform(self, action: Action, transaction: ClientTransaction, now: float) -> None:
        core, key, config = self._core, transaction.key, self._core.config
        if action is Action.STOP_RETRANSMIT:
            core.timers.cancel((RETRANSMIT, key))
        elif action is Action.STOP_TIMEOUT:
            core.timers.cancel((TIMEOUT, key))
            if transaction.state is State.PROCEEDING and not transaction.is_initial:
                core.timers.set((TIMEOUT, key), now + REINVITE_LIMIT)
        elif action is Action.RESEND:
            assert transaction.data is not None
            core.resend(transaction.data, transaction.flow)
        elif action is Action.BACK_OFF or action is Action.SLOW_DOWN:
            doubled = 2 * transaction.interval
            if action is Action.SLOW_DOWN:
                doubled = config.t2
            elif transaction.method != "INVITE":
                doubled = min(doubled, config.t2)  # timer E is capped, timer A is not (§17.1.1.2)
            transaction.interval = doubled
            core.timers.set((RETRANSMIT, key), now + doubled)
        else:
            if action is not Action.LINGER_D:
                transaction.data = None
            core.timers.set((LINGER, key), now + (config.t4 if action is Action.LINGER_K else 64 * config.t1))

    def _acknowledge(self, transaction: ClientTransaction, response: Response) -> None:
        """§17.1.1.3: the same branch and CSeq number, To as the response has it. From here on RESEND means it."""
        envelope = transaction.envelope
        ack = Envelope(
            envelope.uri, envelope.routes, envelope.from_value, response.headers["to"], envelope.call_id,
            envelope.cseq, envelope.branch,
        )  # fmt: skip
        transaction.data = self._core.build.request("ACK", ack)
        self._core.send(transaction.data, transaction.flow)
