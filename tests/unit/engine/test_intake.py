"""In front of the core: silence for strangers, rates, floods of a trunk, and memory that stays bounded."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskline.clock import VirtualClock
from maskline.engine.admission import RETRY_AFTER
from maskline.engine.core import EngineConfig, EngineCore
from maskline.engine.intake import TRANSACTIONS_PER_CALL, Intake, IntakeLimits
from maskline.ids import SeededIds
from maskline.masking.trunk import Trunk
from maskline.sip.agent import Agent, AgentConfig
from maskline.sip.digest import Credentials, authorization, parse_challenges
from maskline.sip.events import Flow
from maskline.sip.invite_usage import UsageState
from maskline.sip.message import Response
from maskline.sip.parser import parse
from tests.support.sip_wire import SDP, read_request, request, response

CARRIER, STRANGER = Flow("udp", "192.0.2.7", 5060), Flow("udp", "192.0.2.66", 5060)


class Gate:
    def __init__(self, *, challenge: bool = False, **limits: float) -> None:
        self.clock = VirtualClock()
        agent = Agent(AgentConfig("192.0.2.1", 5060), SeededIds(1))
        trunks = (Trunk("t", "t", None, CARRIER.host, 5060, username="u", password="p", challenge=challenge),)
        self.core = EngineCore(EngineConfig("192.0.2.1", "mine"), agent, SeededIds(2), self.clock, lambda: trunks)
        self.unwritten = 0
        self.intake = Intake(self.core, IntakeLimits(**limits), lambda: self.unwritten)  # type: ignore[arg-type]

    def put(self, data: bytes, flow: Flow = CARRIER) -> list[int]:
        """As the runner does; statuses of what is answered."""
        return [message.status for message in self.messages(data, flow)]

    def messages(self, data: bytes, flow: Flow = CARRIER) -> list[Response]:
        """The same, whole."""
        now = self.clock.now()
        if self.intake.put(data, flow, now):
            self.intake.read(data, flow, now)
        self.intake.admission.serve(self.clock.now, lambda data, flow: self.intake.read(data, flow, now), 10.0)
        self.core.work(), self.core.commits()
        return [parse(each) for each, _ in self.core.datagrams()]  # type: ignore[misc]


GATEWAY = Flow("udp", "192.0.2.99", 5060)


def test_a_gateway_that_contact_names_is_heard_in_its_own_call_and_nowhere_else() -> None:
    gate = Gate(ban_seconds=300.0)
    gate.put(request("INVITE", branch="inv", body=SDP, contact="<sip:a@192.0.2.99>"))
    (call,) = gate.core.calls.values()
    usage = call.leg_a.usage
    assert usage is not None
    gate.core.agent.answer(usage, 0.0, SDP)
    gate.core.agent.datagrams()
    for method in METHODS:
        assert gate.put(request(method, branch="x" + method), GATEWAY) == []
        assert gate.put(request(method, branch="y" + method, to_tag="0" * 16), GATEWAY) == []
    assert gate.core.counters.strangers == 2 * len(METHODS)
    assert gate.put(request("ACK", branch="ack", to_tag=usage.id), GATEWAY) == []
    assert usage.state is UsageState.CONFIRMED
    assert gate.put(request("UPDATE", branch="up", cseq=2, to_tag=usage.id, contact="<sip:a@192.0.2.99>"), GATEWAY) == [
        200
    ]
    gate.core.agent.bye(usage, 0.0)
    ((bye, flow),) = gate.core.datagrams()
    assert (read_request(bye).method, flow) == ("BYE", GATEWAY)
    gate.put(response(bye, 200), GATEWAY)
    assert usage.is_over
    assert gate.core.counters.strangers == 2 * len(METHODS)
    assert gate.intake.guard.sizes()["vain"] == 0, "no host that is no trunk's is remembered"


METHODS = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "REGISTER", "SUBSCRIBE", "NOTIFY", "REFER", "MESSAGE", "INFO",
           "UPDATE", "PRACK", "PUBLISH", "FOO")  # fmt: skip
N = 100_000
SPOILED = (
    b"", b"\r\n\r\n", b"\x00" * 50, b"INVITE", b"SIP/2.0 200 OK\r\n\r\n", b"INVITE sip:a SIP/2.0\r\n\r\n",
    request("INVITE", branch="a")[:200], request("INVITE", branch="a").replace(b"SIP/2.0\r\n", b"SIP/7.0\r\n", 1),
    request("REGISTER", branch="a").replace(b"CSeq: 1", b"CSeq: x"), b"A" * 65_000,
)  # fmt: skip


@pytest.mark.parametrize("data", [*(request(method, branch="a", body=SDP) for method in METHODS), *SPOILED])
def test_a_stranger_gets_nothing_back_whatever_it_sends(data: bytes) -> None:
    gate = Gate()
    assert gate.put(data, STRANGER) == []
    assert gate.core.counters.strangers == 1 and gate.core.agent.counters.received == 0


def spoilt(method: str, cuts: list[tuple[int, int, bytes]]) -> bytes:
    data = request(method, branch="a", body=SDP)
    for start, length, instead in cuts:
        data = data[:start] + instead + data[start + length :]
    return data


CUTS = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 30), st.binary(max_size=16)), max_size=4)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.binary(max_size=300) | st.builds(spoilt, st.sampled_from(METHODS), CUTS), max_size=30))
def test_a_stranger_gets_no_byte_for_any_bytes(sent: list[bytes]) -> None:
    """Amplification is nought: before a message is read it is known whether anybody may send it."""
    gate = Gate()
    assert [gate.put(data, STRANGER) for data in sent] == [[]] * len(sent)
    assert not any(gate.core.agent.sizes().values()) and gate.core.next_deadline() is None


def test_a_strangers_flood_leaves_nothing_behind_and_bans_it() -> None:
    gate = Gate()
    for number in range(1000):
        assert gate.put(request("INVITE", branch=f"b{number}"), STRANGER) == []
    assert not any(gate.core.agent.sizes().values())
    assert gate.intake.guard.told == [STRANGER.host] and gate.intake.guard.is_banned(STRANGER.host, 1.0)


def test_a_trunk_is_never_banned() -> None:
    gate = Gate()
    for number in range(1000):
        gate.put(b"garbage %d" % number)
    assert not gate.intake.guard.is_banned(CARRIER.host, 1.0)


def test_a_trunk_above_its_rate_is_not_read() -> None:
    gate = Gate(source_rate=5.0)
    answered = [gate.put(request("OPTIONS", branch=f"b{number}", call_id=f"c{number}")) for number in range(50)]
    assert answered.count([200]) == 10 and gate.core.counters.capped == 40


@pytest.mark.parametrize(
    "data",
    [b"INVITE sip:a SIP/2.0\r\n\r\n", request("INFO", branch="x", to_tag="none"), request("REGISTER", branch="x"),
     request("INVITE", branch="x", body=SDP).replace(b"sip:+15550100@", b"sip:nobody@")],
)  # fmt: skip
def test_a_trunk_that_sends_in_vain_above_the_rate_is_not_read_for_a_moment(data: bytes) -> None:
    gate = Gate(vain_rate=5.0)
    for number in range(50):
        gate.put(
            data.replace(b"branch=z9hG4bKx", b"branch=z9hG4bKx%d" % number).replace(
                b"Call-ID: ", b"Call-ID: %d" % number
            )
        )
    assert gate.core.counters.capped == 40
    gate.clock.advance(0.2)
    assert gate.put(request("OPTIONS", branch="o")) == [200]
    over_tcp = CARRIER._replace(transport="tcp")
    for _ in range(11):
        assert gate.put(b"junk") == []
    assert not gate.intake.put(b"junk", CARRIER, gate.clock.now())
    assert gate.intake.put(b"junk", over_tcp, gate.clock.now()), "a connection cannot be forged"


def test_who_forges_a_trunks_address_takes_none_of_its_calls() -> None:
    """600 datagrams of garbage a second were enough to cut a carrier off."""
    gate = Gate(vain_rate=5.0)
    gate.put(request("INVITE", branch="up", body=SDP))
    gate.put(request("INVITE", branch="rings", call_id="c2", body=SDP))
    talking, ringing = [call.leg_a.usage for call in gate.core.calls.values()]
    assert talking is not None and ringing is not None
    agent, now = gate.core.agent, gate.clock.now()
    agent.answer(talking, now, SDP)
    agent.datagrams()
    for number in range(20):
        gate.put(b"junk %d" % number)
    capped = gate.core.counters.capped
    assert gate.put(request("INFO", branch="x", to_tag="0" * 16)) == [] and gate.core.counters.capped == capped + 1
    assert gate.put(request("ACK", branch="ack", to_tag=talking.id)) == [] and talking.state is UsageState.CONFIRMED
    assert gate.put(request("INFO", branch="i", cseq=2, to_tag=talking.id)) == [200]
    assert gate.put(request("INFO", branch="i", cseq=2, to_tag=talking.id)) == [200], "its copy, too"
    assert gate.put(request("INVITE", branch="third", call_id="c3", body=SDP)) == [100], "and new calls"
    agent.bye(talking, now)
    ((bye, _),) = agent.datagrams()
    gate.put(response(bye, 200))
    assert talking.is_over
    nobodys = request("INVITE", branch="BRANCH", call_id="CALL").replace(b"sip:+15550100@", b"sip:nobody@")
    for number in range(20):
        gate.put(nobodys.replace(b"BRANCH", b"n%d" % number).replace(b"CALL", b"n%d" % number))
    assert gate.put(request("INVITE", branch="fourth", call_id="c4", body=SDP)) == [], "nobody knows good from bad"
    assert gate.put(request("CANCEL", branch="rings", call_id="c2", cseq_method="CANCEL")) == [200, 487]
    assert gate.put(request("ACK", branch="rings", call_id="c2", to_tag=ringing.id)) == []
    assert gate.core.counters.capped == capped + 12
    assert not gate.put(response(bye, 200)), "that is over, and is nobody's now"


def test_beside_garbage_a_carriers_health_checks_are_answered() -> None:
    """Without an answer it takes us for down, and sends no calls: that would be what whoever forges is after."""
    gate = Gate(vain_rate=5.0)
    for number in range(20):
        gate.put(b"junk %d" % number)
    answers = [gate.put(request("OPTIONS", branch=f"o{number}", call_id=f"o{number}")) for number in range(30)]
    assert answers == [[200]] * 20 + [[]] * 10
    gate.clock.advance(0.1)
    for number in range(20):
        gate.put(b"more junk %d" % number)
    assert gate.put(request("OPTIONS", branch="p")) == [200]
    assert gate.put(request("REGISTER", branch="r")) == []


def test_beside_garbage_new_calls_are_charged_before_they_wait_and_good_ones_get_it_back() -> None:
    """Those that overload refuses unread would never be, and a flood of both would fill the queue of good calls."""
    gate = Gate(vain_rate=5.0)
    for number in range(20):
        gate.put(b"junk %d" % number)
    now, waiting = gate.clock.now(), gate.intake.admission.waiting
    for number in range(50):
        gate.intake.put(request("INVITE", branch=f"w{number}", call_id=f"w{number}", body=SDP), CARRIER, now)
    assert len(waiting) == 10
    waiting.clear()
    gate.clock.advance(3.0)
    for number in range(20):
        gate.put(b"junk %d" % number)
    answers = [gate.put(request("INVITE", branch=f"g{n}", call_id=f"g{n}", body=SDP)) for n in range(50)]
    assert answers == [[100]] * 50


def test_beside_garbage_calls_that_prove_themselves_are_charged_nothing() -> None:
    gate = Gate(challenge=True, vain_rate=5.0)
    for number in range(20):
        gate.put(b"junk %d" % number)
    for number in range(50):
        (refusal,) = gate.messages(request("INVITE", branch=f"a{number}", call_id=f"c{number}", body=SDP))
        assert refusal.status == 401
        challenge = parse_challenges(refusal.headers["www-authenticate"])[0]
        value = authorization(
            Credentials("u", "p"), challenge, method="INVITE", uri="sip:+15550100@192.0.2.1", nc=1, cnonce="c"
        )
        proof = f"Authorization: {value}\r\n"
        assert gate.put(request("INVITE", branch=f"b{number}", call_id=f"c{number}", body=SDP, headers=proof)) == [100]


def test_requests_without_proof_are_charged_and_those_that_prove_themselves_get_it_back() -> None:
    gate = Gate(challenge=True, vain_rate=5.0)
    who = Credentials("u", "p")
    for number in range(50):  # ten times the rate
        (refusal,) = gate.messages(request("INVITE", branch=f"a{number}", call_id=f"c{number}", body=SDP))
        assert refusal.status == 401
        challenge = parse_challenges(refusal.headers["www-authenticate"])[0]
        value = authorization(who, challenge, method="INVITE", uri="sip:+15550100@192.0.2.1", nc=1, cnonce="c")
        proved = request(
            "INVITE", branch=f"b{number}", call_id=f"c{number}", body=SDP, headers=f"Authorization: {value}\r\n"
        )
        assert gate.put(proved) == [100]
    assert gate.core.counters.capped == 0
    answers = [gate.put(request("INVITE", branch=f"d{n}", call_id=f"d{n}", body=SDP)) for n in range(50)]
    assert answers == [[401]] * 10 + [[]] * 40


def test_good_messages_are_never_charged() -> None:
    gate = Gate(vain_rate=5.0)
    for number in range(100):
        assert gate.put(request("OPTIONS", branch=f"b{number}", call_id=f"c{number}")) == [200]
        assert gate.put(request("INVITE", branch=f"i{number}", call_id=f"i{number}", body=SDP)) == [100]
    assert gate.core.counters.capped == 0 and gate.intake.guard.sizes()["vain"] == 0


def test_above_the_calls_of_the_limit_new_ones_are_refused_without_state() -> None:
    gate = Gate(max_calls=2)
    invites = [request("INVITE", branch=f"b{n}", call_id=f"c{n}", body=SDP) for n in range(4)]
    assert [gate.put(data) for data in invites] == [[100], [100], [503], [503]]
    (refusal,) = gate.messages(invites[3])  # its copy is told the same
    assert refusal.retry_after == RETRY_AFTER, "without it a carrier takes a 503 for a 500 (RFC 3261 §21.5.4)"
    assert gate.put(invites[0]) == [100]  # a copy of one that was taken
    held = gate.core.agent.sizes()["server_transactions"]
    assert (held, len(gate.core.calls), gate.core.counters.overloaded) == (2, 2, 3)


def test_the_ack_of_a_refusal_is_swallowed() -> None:
    gate = Gate(max_calls=1)
    gate.put(request("INVITE", branch="b1", body=SDP))
    data = request("INVITE", branch="b2", call_id="c2", body=SDP)
    now = gate.clock.now()
    gate.intake.put(data, CARRIER, now)
    gate.intake.admission.serve(gate.clock.now, lambda data, flow: None, 1.0)
    (answer,) = gate.core.datagrams()
    tag = parse(answer[0]).to_tag
    received = gate.core.agent.counters.received
    assert gate.put(request("ACK", branch="b2", call_id="c2", to_tag=tag)) == []
    assert (gate.core.counters.acks_absorbed, gate.core.agent.counters.received) == (1, received)


def test_a_cancel_waits_behind_the_invite_that_waits() -> None:
    gate = Gate()
    invite, cancel = request("INVITE", branch="b1", body=SDP), request("CANCEL", branch="b1")
    assert gate.intake.put(cancel, CARRIER, 0.0)
    assert not gate.intake.put(invite, CARRIER, 0.0)
    assert not gate.intake.put(cancel, CARRIER, 0.0)
    assert [data for data, *_ in gate.intake.admission.waiting] == [invite, cancel]


def test_no_limit_is_no_limit() -> None:
    gate = Gate(max_calls=0)
    for number in range(50):
        assert gate.put(request("INVITE", branch=f"b{number}", call_id=f"c{number}", body=SDP)) == [100]


@pytest.mark.no_cover  # half of its time
@pytest.mark.parametrize("to", [b"+15550100", b"nobody"])
def test_100_000_invites_of_a_trunk_leave_sizes_bounded(to: bytes) -> None:
    """Of numbers, each held as a call until somebody answers; or of none, each held for the ACK of its 404."""
    gate = Gate(max_calls=100)
    plain = request("INVITE", branch="BRANCH", call_id="CALL", body=SDP).replace(b"sip:+15550100@", b"sip:%b@" % to)
    for number in range(N):
        mark = b"%d" % number
        gate.put(plain.replace(b"BRANCH", mark).replace(b"CALL", mark))
        if number % 1000 == 0:
            gate.clock.advance(0.01)
    counters, sizes = gate.core.counters, gate.core.agent.sizes()
    assert len(gate.core.calls) <= 100
    assert sizes["server_transactions"] <= TRANSACTIONS_PER_CALL * 100 and sizes["timers"] <= 5000
    assert counters.overloaded + counters.flooded + counters.capped >= N - TRANSACTIONS_PER_CALL * 100
    assert len(gate.intake.admission.waiting) == 0


def test_the_proxy_in_front_has_no_rate_of_its_own() -> None:
    gate = Gate(source_rate=5.0, vain_rate=5.0)
    proxy = gate.core.trunks.front = Flow("udp", "10.0.0.5", 5070)
    for number in range(50):
        assert gate.put(request("OPTIONS", branch=f"o{number}", call_id=f"o{number}"), proxy) == [200]
        assert gate.put(b"junk", proxy) == []
    assert gate.core.counters.capped == 0
