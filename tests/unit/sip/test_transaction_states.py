"""The four tables: every row is walked through the interpreters, and checked against RFC 3261 by hand."""

from __future__ import annotations

import pytest

from maskline.ids import SeededIds
from maskline.sip.build import AgentConfig, Envelope
from maskline.sip.core import Core
from maskline.sip.events import Flow
from maskline.sip.message import Request, Response
from maskline.sip.parser import parse
from maskline.sip.transaction_client import ClientTransaction, ClientTransactions
from maskline.sip.transaction_server import ServerTransaction, ServerTransactions
from maskline.sip.transaction_states import (
    CLIENT_INVITE,
    CLIENT_OTHER,
    SERVER_INVITE,
    SERVER_OTHER,
    Action,
    Input,
    State,
    Table,
    input_of_status,
)

FLOW = Flow("udp", "192.0.2.2", 5060)
STATUS = {Input.PROVISIONAL: 180, Input.SUCCESS: 200, Input.FAILURE: 486}
CLIENT_PATHS = {
    State.CALLING: [], State.TRYING: [], State.PROCEEDING: [Input.PROVISIONAL], State.ACCEPTED: [Input.SUCCESS],
    State.COMPLETED: [Input.FAILURE],
}  # fmt: skip
SERVER_INVITE_PATHS = {
    State.PROCEEDING: [Input.PROVISIONAL], State.ACCEPTED: [Input.SUCCESS], State.COMPLETED: [Input.FAILURE],
    State.CONFIRMED: [Input.FAILURE, Input.ACK],
}  # fmt: skip
SERVER_OTHER_PATHS = {State.TRYING: [], State.COMPLETED: [Input.SUCCESS]}
TIMER = {Input.RETRANSMIT: "r", Input.TIMEOUT: "t", Input.LINGER: "l"}


def response(status: int, method: str = "INVITE") -> Response:
    text = (
        f"SIP/2.0 {status} x\r\nVia: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKb\r\nFrom: <sip:a@x>;tag=1\r\n"
        f"To: <sip:b@y>;tag=2\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n\r\n"
    )
    message = parse(text.encode())
    assert isinstance(message, Response)
    return message


class ClientBench:
    """One client transaction, driven through the public calls."""

    def __init__(self, method: str) -> None:
        self.core = Core(AgentConfig("192.0.2.1", 5060), SeededIds())
        self.all = ClientTransactions(self.core)
        envelope = Envelope("sip:b@y", "", "<sip:a@x>;tag=1", "<sip:b@y>", "c", 1, "z9hG4bKb", "udp")
        data = self.core.build.request(method, envelope)
        self.one = ClientTransaction(method, envelope, data, FLOW, None, is_initial=True)
        self.all.start(self.one, 0.0)
        self.reports: list[object] = []

    def feed(self, signal: Input) -> object:
        self.core.datagrams.clear()
        if signal in STATUS:
            return self.all.receive(self.one, response(STATUS[signal], self.one.method), 1.0)
        if signal is Input.TRANSPORT_ERROR:
            self.all.fail(self.one, 1.0)
            return None
        timer = ("c" + TIMER[signal], self.one.key)
        self.core.timers.cancel(*timer)  # a timer that fires is gone
        return self.all.fire(*timer, 1.0)


class ServerBench:
    """One server transaction, driven through the public calls."""

    def __init__(self, method: str) -> None:
        self.core = Core(AgentConfig("192.0.2.1", 5060), SeededIds())
        self.all = ServerTransactions(self.core)
        self.one = ServerTransaction("k", Request(method, "sip:x", {}, b""), FLOW, "t", "", None, ("c", "1", 1, method))
        self.all.start(self.one)

    def feed(self, signal: Input) -> object:
        self.core.datagrams.clear()
        if signal in STATUS:
            return self.all.respond(self.one, STATUS[signal], b"SIP/2.0 %d" % STATUS[signal], 1.0)
        if signal is Input.REQUEST:
            return self.all.receive_again(self.one, 1.0)
        if signal is Input.ACK:
            return self.all.receive_ack(self.one, 1.0)
        timer = ("s" + TIMER[signal], self.one.key)
        self.core.timers.cancel(*timer)
        return self.all.fire(*timer, 1.0)


def rows(*tables: tuple[str, Table]) -> list[tuple[str, State, Input]]:
    return [(method, state, signal) for method, table in tables for state, signal in table]


@pytest.mark.parametrize(("method", "state", "signal"), rows(("INVITE", CLIENT_INVITE), ("BYE", CLIENT_OTHER)))
def test_every_client_row_is_walked(method: str, state: State, signal: Input) -> None:
    bench = ClientBench(method)
    for step in CLIENT_PATHS[state]:
        bench.feed(step)
    assert bench.one.state is state
    next_state, actions = (CLIENT_INVITE if method == "INVITE" else CLIENT_OTHER)[state, signal]
    result = bench.feed(signal)
    assert bench.one.state is next_state
    assert (len(bench.all) == 0) == (next_state is State.TERMINATED)
    sends = [action for action in actions if action in (Action.RESEND, Action.ACK)]
    assert len(bench.core.datagrams) == len(sends)
    told = {Action.PASS, Action.TIMED_OUT, Action.FAILED} & set(actions)
    if signal is not Input.TRANSPORT_ERROR:
        assert bool(result) == bool(told)
    if next_state is State.TERMINATED:
        assert len(bench.core.timers) == 0
    if any(action.name.startswith("LINGER") for action in actions):
        assert bench.core.timers.runs("cl", bench.one.key)
        assert len(bench.core.timers) == 1


@pytest.mark.parametrize(("method", "state", "signal"), rows(("INVITE", SERVER_INVITE), ("BYE", SERVER_OTHER)))
def test_every_server_row_is_walked(method: str, state: State, signal: Input) -> None:
    bench = ServerBench(method)
    for step in (SERVER_INVITE_PATHS if method == "INVITE" else SERVER_OTHER_PATHS)[state]:
        bench.feed(step)
    assert bench.one.state is state
    next_state, actions = (SERVER_INVITE if method == "INVITE" else SERVER_OTHER)[state, signal]
    result = bench.feed(signal)
    assert bench.one.state is next_state
    assert (len(bench.all) == 0) == (next_state is State.TERMINATED)
    assert bench.all.is_merged(("c", "1", 1, method)) == (next_state is not State.TERMINATED)
    sends = [action for action in actions if action in (Action.RESEND, Action.SEND)]
    assert len(bench.core.datagrams) == len(sends)
    if signal is Input.ACK:
        assert result == (Action.PASS in actions)
    if next_state is State.TERMINATED:
        assert len(bench.core.timers) == 0
    if any(action.name.startswith("LINGER") for action in actions):
        assert bench.core.timers.runs("sl", "k")
        assert len(bench.core.timers) == 1


def test_no_row_leads_to_a_state_without_a_way_out() -> None:
    for table in (CLIENT_INVITE, CLIENT_OTHER, SERVER_INVITE, SERVER_OTHER):
        reached = {state for state, _ in table.values()} - {State.TERMINATED}
        for state in reached:
            assert any(row_state is state and target is not state for (row_state, _), (target, _) in table.items())


def test_what_has_no_row_changes_nothing() -> None:
    client = ClientBench("INVITE")
    client.feed(Input.SUCCESS)
    assert client.feed(Input.PROVISIONAL) is False
    assert client.one.state is State.ACCEPTED
    server = ServerBench("BYE")
    server.feed(Input.SUCCESS)
    assert server.feed(Input.FAILURE) is False
    assert server.one.state is State.COMPLETED


def test_timers_of_a_forgotten_transaction_do_nothing() -> None:
    client, server = ClientBench("BYE"), ServerBench("BYE")
    assert client.all.fire("cr", "gone", 1.0) is None
    server.all.fire("sl", "gone", 1.0)
    assert client.core.counters.retransmits_sent == 0


def test_a_ringing_invite_keeps_no_timer() -> None:
    bench = ClientBench("INVITE")
    assert len(bench.core.timers) == 2
    bench.feed(Input.PROVISIONAL)
    assert len(bench.core.timers) == 0


def retransmission_times(method: str, provisional: bool) -> list[float]:
    bench = ClientBench(method)
    if provisional:
        bench.feed(Input.PROVISIONAL)
    times = []
    while (deadline := bench.core.timers.next_deadline()) is not None:
        for timer, key in bench.core.timers.expired(deadline):
            bench.core.datagrams.clear()
            bench.all.fire(timer, key, deadline)
            times += [deadline] * len(bench.core.datagrams)
    return times


def test_an_invite_is_repeated_at_doubling_intervals_until_timer_b() -> None:
    assert retransmission_times("INVITE", False) == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]


def test_another_request_is_repeated_at_intervals_up_to_t2() -> None:
    assert retransmission_times("BYE", False) == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]


def test_a_request_with_a_provisional_answer_is_repeated_every_t2() -> None:
    assert retransmission_times("BYE", True) == [0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5]


def test_a_refusal_is_repeated_at_intervals_up_to_t2_until_timer_h() -> None:
    bench = ServerBench("INVITE")
    bench.all.respond(bench.one, 486, b"x", 0.0)
    times = []
    while (deadline := bench.core.timers.next_deadline()) is not None:
        for timer, key in bench.core.timers.expired(deadline):
            bench.core.datagrams.clear()
            bench.all.fire(timer, key, deadline)
            times += [deadline] * len(bench.core.datagrams)
    assert times == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert len(bench.all) == 0


def test_the_ack_of_a_refusal_repeats_branch_and_number_and_takes_the_refusals_to() -> None:
    bench = ClientBench("INVITE")
    bench.feed(Input.FAILURE)
    ack = parse(bench.core.datagrams[0][0])
    assert isinstance(ack, Request)
    assert (ack.method, ack.via.branch, ack.cseq, ack.to_tag) == ("ACK", "z9hG4bKb", 1, "2")


def test_finished_transactions_keep_only_what_a_late_message_needs() -> None:
    client = ClientBench("BYE")
    client.feed(Input.SUCCESS)
    assert client.one.data is None
    answered = ClientBench("INVITE")
    answered.feed(Input.SUCCESS)
    assert answered.one.data is None
    server = ServerBench("BYE")
    server.feed(Input.SUCCESS)
    assert (server.one.request, server.one.response) == (None, b"SIP/2.0 200")
    confirmed = ServerBench("INVITE")
    confirmed.feed(Input.FAILURE)
    confirmed.feed(Input.ACK)
    assert (confirmed.one.request, confirmed.one.response) == (None, None)


def _over(flow: Flow, method: str) -> tuple[Core, ClientTransactions, ServerTransactions, ServerTransaction]:
    """A client and a server transaction of `method` that have begun."""
    core = Core(AgentConfig("192.0.2.1", 5060), SeededIds())
    clients, servers = ClientTransactions(core), ServerTransactions(core)
    envelope = Envelope("sip:b@y", "", "<sip:a@x>;tag=1", "<sip:b@y>", "c", 1, "z9hG4bKb", flow.transport)
    clients.start(ClientTransaction(method, envelope, b"x", flow, None, is_initial=True), 0.0)
    one = ServerTransaction("k", Request(method, "sip:x", {}, b""), flow, "t", "", None, None)
    servers.start(one)
    return core, clients, servers, one


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_reliable_transports_have_no_retransmission_timers(transport: str) -> None:
    core, _, servers, one = _over(Flow(transport, "192.0.2.7", 5060), "INVITE")
    servers.respond(one, 486, b"x", 0.0)
    assert sorted(timer for timer, _ in core.timers.expired(100.0)) == ["ct", "st"]


def test_reliable_transports_wait_for_no_copies_of_a_response() -> None:
    """§17: D, I, J and K are zero; L and M (RFC 6026) are not, since 2xx are repeated over any transport."""
    flow = Flow("tcp", "192.0.2.7", 5060)
    for method, status, left in (("INVITE", 486, 0), ("INVITE", 200, 1), ("BYE", 200, 0), ("BYE", 481, 0)):
        _, clients, servers, one = _over(flow, method)
        transaction = clients.get("z9hG4bKb" + method)
        assert transaction is not None
        clients.receive(transaction, Response(status, "x", {"to": "<sip:b@y>;tag=2"}, b""), 0.0)
        servers.respond(one, status, b"x", 0.0)
        servers.receive_ack(one, 0.0)
        assert (len(clients), len(servers)) == (left, left), (method, status)


@pytest.mark.parametrize(("status", "signal"), [(199, Input.PROVISIONAL), (299, Input.SUCCESS), (300, Input.FAILURE)])
def test_a_status_is_an_input(status: int, signal: Input) -> None:
    assert input_of_status(status) is signal
