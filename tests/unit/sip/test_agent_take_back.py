"""An INVITE that a process before this one sent, and that nobody waits for any more."""

from __future__ import annotations

import pytest

from maskline.ids import SeededIds
from maskline.sip.agent import Agent, AgentConfig
from maskline.sip.kept_usage import KeptInvite, keep_invite
from tests.support.sip_wire import PEER, SDP, Bench, read_request, response


def taken_back(*first: tuple[int, str], fronted: bool = False) -> tuple[Bench, bytes, bytes]:
    """The next process, the INVITE that the one before has sent and `first` came to, and the CANCEL."""
    dead = Bench()
    usage, invite = dead.inviting()
    for status, tag in first:
        dead.put(response(invite, status, tag))
    kept = keep_invite(usage)
    assert isinstance(kept, KeptInvite)
    bench = Bench()
    bench.agent = Agent(AgentConfig("192.0.2.1", 5060, fronted=fronted), SeededIds(2))
    bench.agent.take_back(kept, bench.now)
    ((data, flow),) = bench.agent.datagrams()
    assert flow == PEER
    return bench, invite, data


@pytest.mark.parametrize("first", [(), ((100, ""),), ((180, "b1"),)])
def test_who_rings_is_told_to_ring_no_more(first: tuple[tuple[int, str], ...]) -> None:
    bench, invite, data = taken_back(*first)
    cancel, asked = read_request(data), read_request(invite)
    for name in ("via", "from", "to", "call-id", "max-forwards"):
        assert cancel.headers[name] == asked.headers[name]
    assert (cancel.method, cancel.uri_text, cancel.headers["cseq"]) == ("CANCEL", asked.uri_text, "1 CANCEL")
    assert bench.put(response(data, 200)) == []
    (ack,) = bench.put(response(invite, 487, "b1"))
    assert (read_request(ack).method, read_request(ack).via.branch) == ("ACK", asked.via.branch)
    assert bench.kinds() == []
    bench.pass_time(33)
    assert not any(bench.agent.sizes().values())


def test_who_has_answered_meanwhile_is_hung_up_on() -> None:
    bench, invite, data = taken_back((180, "b1"))
    answer = response(invite, 200, "b1", body=SDP)
    ack, bye = [read_request(one) for one in bench.put(answer)]
    assert (ack.method, ack.cseq, bye.method, bye.cseq) == ("ACK", 1, "BYE", 2)
    assert ack.to_tag == bye.to_tag == "b1" and bye.uri_text == "sip:b@192.0.2.7"
    (again,) = bench.put(answer)
    assert read_request(again).method == "ACK"
    bench.put(response(data, 481))
    bench.put(response(bench.pass_time(0.6)[-1], 200))
    assert bench.kinds() == []
    bench.pass_time(33)
    assert not any(bench.agent.sizes().values())


def test_an_answer_that_a_proxy_hands_over_is_known_below_its_via() -> None:
    bench, invite, _ = taken_back(fronted=True)
    answer = response(invite, 200, "b1", body=SDP)
    under = b"\r\nVia: SIP/2.0/UDP 192.0.2.50;branch=z9hG4bKproxy" + b"%b\r\nVia: "
    for before, after in ((b"", b"\r\nVia: SIP/2.0/UDP 192.0.2.60;branch=z9hG4bKanother"), (b";branch=", b"")):
        first, _, rest = answer.partition(b"\r\nVia: ")
        line, _, rest = rest.partition(b"\r\n")
        wrong = line.replace(b";branch=", b";branch=x", 1) if before else line
        assert bench.put(first + under % b"" + wrong + after + b"\r\n" + rest) == []
    assert bench.agent.counters.stray == 2
    assert bench.put(answer.replace(b"\r\nVia: ", under % b"", 1).replace(b"Call-ID: ", b"Call-ID: x")) == []
    sent = bench.put(answer.replace(b"\r\nVia: ", under % b"", 1))
    assert [read_request(one).method for one in sent] == ["ACK", "BYE"]
    other, its_invite, _ = taken_back()
    assert other.put(response(its_invite, 200, "b1", body=SDP).replace(b"\r\nVia: ", under % b"", 1)) == []


def test_who_is_gone_is_asked_for_half_a_minute() -> None:
    bench, _, _ = taken_back()
    assert {read_request(one).method for one in bench.pass_time(31.9)} == {"CANCEL"}
    bench.pass_time(1.0)
    assert bench.kinds() == []
    assert not any(bench.agent.sizes().values())


def test_only_an_invite_of_ours_that_waits_is_kept() -> None:
    bench = Bench()
    assert keep_invite(bench.connected()[0]) is None
    assert keep_invite(bench.invited()) is None
    usage, _ = bench.inviting()
    assert keep_invite(usage) is not None
    bench.agent.cancel(usage, bench.now)
    assert keep_invite(usage) is None
