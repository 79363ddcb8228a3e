"""Where messages go when connections come and go, when a message is too large for UDP, and through a NAT."""

from __future__ import annotations

import pytest

from maskline.ids import SeededIds
from maskline.sip.agent import AgentConfig, OutgoingInvite
from maskline.sip.core import MAX_REFUSED, REFUSED_SECONDS, Core
from maskline.sip.digest import Credentials
from maskline.sip.events import ByeFinished, Flow, InviteFailed, RequestFinished
from maskline.sip.message import Request
from maskline.sip.parser import parse
from tests.support.sip_wire import PEER, SDP, Bench, request, response

THEIRS = Flow("tcp", "192.0.2.7", 41000)
"""A connection that the peer opened."""
LISTENS = Flow("tcp", "192.0.2.7", 5060)
LARGE = SDP + b"a=x:" + b"y" * 1300 + b"\r\n"


def over(transport: bytes, data: bytes) -> bytes:
    return data.replace(b"SIP/2.0/UDP", b"SIP/2.0/" + transport)


def sent(bench: Bench) -> list[tuple[str, Flow]]:
    """(method or status, flow) of everything waiting to be sent."""
    out = []
    for data, flow in bench.agent.datagrams():
        message = parse(data)
        out.append((message.method if isinstance(message, Request) else str(message.status), flow))
    return out


def called_over_tcp(bench: Bench, contact: str = "<sip:a@192.0.2.7>", headers: str = "") -> object:
    invite = over(b"TCP", request("INVITE", branch="inv", body=SDP, contact=contact, headers=headers))
    bench.agent.receive(invite, THEIRS, bench.now)
    return bench.agent.events()[0].usage  # type: ignore[union-attr]


# ---- requests in a dialog that a connection of theirs opened


@pytest.mark.parametrize(
    ("contact", "headers", "hop"),
    [
        ("<sip:a@192.0.2.7>", "", THEIRS),
        ("<sip:a@192.0.2.7:5060;transport=tcp>", "", THEIRS),
        ("<sip:a@192.0.2.7:41000>", "", THEIRS._replace(port=41000)),
        ("<sip:a@192.0.2.7:5070>", "", LISTENS._replace(port=5070)),
        ("<sip:a@192.0.2.9>", "", LISTENS._replace(host="192.0.2.9")),
        ("<sip:a@10.9.9.9>", "Record-Route: <sip:192.0.2.7;lr>\r\n", THEIRS),
        ("<sip:a@phone.example>", "", THEIRS),
    ],
)
def test_a_dialog_stays_on_the_connection_of_whom_it_would_connect_to(contact: str, headers: str, hop: Flow) -> None:
    bench = Bench()
    usage = called_over_tcp(bench, contact, headers)
    assert usage.dialog.hop == hop  # type: ignore[attr-defined]


def test_after_the_connection_is_gone_a_dialog_opens_another() -> None:
    bench = Bench()
    usage = called_over_tcp(bench)
    bench.agent.answer(usage, 0.0, SDP)  # type: ignore[arg-type]
    bench.put(over(b"TCP", request("ACK", branch="ack", to_tag=usage.id)), THEIRS)  # type: ignore[attr-defined]
    bench.agent.events()
    bench.agent.flow_closed(THEIRS, 1.0)
    bench.agent.flow_closed(THEIRS, 1.0)
    assert sent(bench) == []
    bench.agent.bye(usage, 1.0)  # type: ignore[arg-type]
    assert sent(bench) == [("BYE", LISTENS)]


def test_a_bye_that_crosses_the_end_of_their_connection_is_sent_again_where_they_listen() -> None:
    bench = Bench()
    usage = called_over_tcp(bench)
    bench.agent.answer(usage, 0.0, SDP)  # type: ignore[arg-type]
    bench.put(over(b"TCP", request("ACK", branch="ack", to_tag=usage.id)), THEIRS)  # type: ignore[attr-defined]
    bench.sent()
    bench.agent.bye(usage, 1.0)  # type: ignore[arg-type]
    assert sent(bench) == [("BYE", THEIRS)]
    bench.agent.flow_closed(THEIRS, 1.1)
    assert sent(bench) == [("BYE", LISTENS)]


def test_responses_still_to_come_go_where_their_owner_listens() -> None:
    bench = Bench()
    usage = called_over_tcp(bench)
    assert sent(bench) == [("100", THEIRS)]
    bench.agent.flow_closed(THEIRS, 1.0)
    bench.agent.progress(usage, 180, 1.0)  # type: ignore[arg-type]
    bench.agent.answer(usage, 1.0, SDP)  # type: ignore[arg-type]
    assert sent(bench) == [("180", LISTENS), ("200", LISTENS)]


def test_a_2xx_is_repeated_where_its_owner_listens() -> None:
    bench = Bench()
    usage = called_over_tcp(bench, "<sip:a@192.0.2.7:5070>")
    bench.agent.answer(usage, 0.0, SDP)  # type: ignore[arg-type]
    bench.sent()
    bench.agent.flow_closed(THEIRS, 0.1)
    bench.agent.handle_timer(0.5)
    assert sent(bench) == [("200", LISTENS)]


def test_the_2xx_of_a_re_invite_finds_its_way_too() -> None:
    bench = Bench()
    usage = called_over_tcp(bench)
    bench.agent.answer(usage, 0.0, SDP)  # type: ignore[arg-type]
    bench.put(over(b"TCP", request("ACK", branch="ack", to_tag=usage.id)), THEIRS)  # type: ignore[attr-defined]
    bench.agent.events()
    again = request("INVITE", branch="re", cseq=2, to_tag=usage.id, body=SDP, contact="<sip:a@192.0.2.7>")  # type: ignore[attr-defined]
    bench.put(over(b"TCP", again), THEIRS)
    bench.agent.respond(bench.agent.events()[0].key, 200, 0.0, SDP)  # type: ignore[union-attr]
    bench.sent()
    bench.agent.flow_closed(THEIRS, 0.1)
    bench.agent.handle_timer(0.5)
    assert sent(bench) == [("200", LISTENS)]


def test_the_end_of_another_connection_concerns_nobody() -> None:
    bench = Bench()
    usage = called_over_tcp(bench)
    bench.agent.answer(usage, 0.0, SDP)  # type: ignore[arg-type]
    bench.agent.flow_closed(THEIRS._replace(port=41001), 0.1)
    assert usage.dialog.hop == THEIRS  # type: ignore[attr-defined]


# ---- requests of ours whose connection ends


def calling(bench: Bench, flow: Flow = LISTENS, body: bytes = SDP) -> tuple[object, bytes]:
    usage = bench.agent.invite(OutgoingInvite(flow, "sip:b@192.0.2.7", "sip:vn@x", "sip:b@192.0.2.7", body), bench.now)
    (datagram,) = bench.agent.datagrams()
    return usage, datagram[0]


def test_a_request_nobody_answered_is_sent_once_more_on_a_new_connection() -> None:
    bench = Bench()
    usage, invite = calling(bench)
    bench.agent.flow_closed(LISTENS, 0.1)
    assert bench.agent.datagrams() == [(invite, LISTENS)]
    bench.agent.flow_closed(LISTENS, 0.2)
    assert bench.agent.events() == [InviteFailed(usage, 503, None)]  # type: ignore[arg-type]
    assert bench.agent.datagrams() == []


def test_a_call_that_rings_goes_on_without_its_connection() -> None:
    bench = Bench()
    _, invite = calling(bench)
    bench.put(response(invite, 180, "b1"), LISTENS)
    bench.agent.events()
    bench.agent.flow_closed(LISTENS, 0.1)
    assert bench.agent.datagrams() == [] and bench.agent.events() == []
    bench.put(response(invite, 200, "b1", body=SDP), THEIRS)
    assert bench.kinds() == ["InviteAnswered"]


def test_a_bye_into_a_dead_host_ends_the_call() -> None:
    bench = Bench()
    usage, invite = calling(bench)
    bench.put(response(invite, 200, "b1", body=SDP), LISTENS)
    bench.agent.ack(usage, 0.0)  # type: ignore[arg-type]
    bench.agent.bye(usage, 0.0)  # type: ignore[arg-type]
    bench.agent.events()
    bench.agent.flow_failed(LISTENS, 0.1)
    assert bench.agent.events() == [ByeFinished(usage, 503)]  # type: ignore[arg-type]


# ---- too large for UDP (§18.1.1)


def knowing_tcp() -> Bench:
    """A bench whose peer was heard over TCP."""
    bench = Bench()
    bench.put(over(b"TCP", request("OPTIONS", branch="o")), THEIRS)
    bench.agent.events()
    return bench


def test_what_is_too_large_for_udp_takes_tcp_where_it_is_spoken() -> None:
    bench = knowing_tcp()
    usage, invite = calling(bench, PEER, LARGE)
    assert parse(invite).via.transport == "tcp"
    bench.put(response(invite, 200, "b1", body=SDP), LISTENS)
    bench.agent.ack(usage, 0.0)  # type: ignore[arg-type]
    bench.agent.bye(usage, 0.0)  # type: ignore[arg-type]
    assert sent(bench) == [("ACK", PEER), ("BYE", PEER)]


@pytest.mark.parametrize(
    ("contact", "routes", "flow"),
    [
        ("<sip:b@192.0.2.7;transport=tcp>", "", LISTENS),
        ("<sip:b@192.0.2.7;transport=UDP>", "", PEER),
        ("", "", PEER),
        ("sip:[", "", PEER),
        ("<sip:b@192.0.2.7>", "Record-Route: <sip:192.0.2.7;lr>, <sip:192.0.2.7;lr;transport=tcp>\r\n", LISTENS),
        ("<sip:b@192.0.2.7;transport=tcp>", "Record-Route: <sip:192.0.2.7;lr>\r\n", PEER),
    ],
)
def test_a_dialog_that_began_over_tcp_for_its_size_goes_on_as_the_peer_says(
    contact: str, routes: str, flow: Flow
) -> None:
    bench = knowing_tcp()
    usage, invite = calling(bench, PEER, LARGE)
    bench.put(response(invite, 200, "b1", routes, SDP, contact), LISTENS)
    bench.agent.ack(usage, 0.0)  # type: ignore[arg-type]
    assert sent(bench) == [("ACK", flow)]


def test_who_was_never_heard_over_tcp_is_asked_there_once_and_again_after_some_minutes() -> None:
    bench = Bench()
    _, invite = calling(bench, PEER, LARGE)
    assert parse(invite).via.transport == "tcp"
    bench.agent.flow_failed(LISTENS, 0.1)
    (first,) = bench.agent.datagrams()
    assert first[1] == PEER and parse(first[0]).via.transport == "udp"
    bench.now = REFUSED_SECONDS
    assert parse(calling(bench, PEER, LARGE)[1]).via.transport == "udp"
    elsewhere = PEER._replace(host="192.0.2.77")
    assert parse(calling(bench, elsewhere, LARGE)[1]).via.transport == "tcp", "only who refused is spared"
    bench.now = REFUSED_SECONDS + 0.1
    assert parse(calling(bench, PEER, LARGE)[1]).via.transport == "tcp"


def test_one_that_is_heard_over_tcp_after_all_is_asked_there_at_once() -> None:
    bench = Bench()
    calling(bench, PEER, LARGE)
    bench.agent.flow_failed(LISTENS, 0.1)
    bench.agent.datagrams()
    bench.put(over(b"TCP", request("OPTIONS", branch="o")), THEIRS)
    bench.agent.events()
    assert parse(calling(bench, PEER, LARGE)[1]).via.transport == "tcp"


def test_the_memory_of_who_refused_tcp_is_bounded() -> None:
    core = Core(AgentConfig("192.0.2.1", 5060), SeededIds(1))
    for number in range(MAX_REFUSED + 10):
        core.note_refused_stream(f"host-{number}", 0.0)
    assert len(core.no_stream) == MAX_REFUSED
    assert core.takes_stream("host-0", 1.0) and not core.takes_stream("host-10", 1.0)


def test_a_small_request_stays_on_udp() -> None:
    assert parse(calling(knowing_tcp(), PEER)[1]).via.transport == "udp"


def test_where_tcp_is_refused_udp_has_to_do() -> None:
    bench = knowing_tcp()
    usage, _ = calling(bench, PEER, LARGE)
    bench.agent.flow_failed(LISTENS, 0.1)
    (first,) = bench.agent.datagrams()
    assert first[1] == PEER and parse(first[0]).via.transport == "udp"
    bench.agent.handle_timer(0.7)
    assert bench.agent.datagrams() == [first]
    bench.put(response(first[0], 180, "b1"))
    bench.agent.cancel(usage, 1.0)  # type: ignore[arg-type]
    (cancel,) = bench.agent.datagrams()
    assert cancel[1] == PEER and parse(cancel[0]).via.transport == "udp"
    assert parse(calling(bench, PEER, LARGE)[1]).via.transport == "udp"


def test_what_takes_a_stream_for_its_size_takes_it_again_with_its_proof_and_is_as_free_as_before() -> None:
    bench = knowing_tcp()
    uri = "sip:b@192.0.2.7"
    who = Credentials("bob", "zanzibar", "biloxi.com", (PEER,))
    outgoing = OutgoingInvite(PEER, uri, "sip:a@192.0.2.1", uri, LARGE, credentials=who)
    for answer in ("200", "refused"):
        usage = bench.agent.invite(outgoing, 0.0)
        (invite,) = bench.sent()
        asked = 'WWW-Authenticate: Digest realm="biloxi.com", nonce="n1", qop="auth"\r\n'
        bench.agent.receive(response(invite, 401, "t0", asked), LISTENS, 0.0)
        (_, at), (again, flow) = bench.agent.datagrams()
        assert at == flow == LISTENS and parse(again).via.transport == "tcp"
        if answer == "200":
            bench.put(response(again, 200, "b1", body=SDP, contact="<sip:b@192.0.2.99>"), LISTENS)
            bench.agent.ack(usage, 0.0)
            assert sent(bench) == [("ACK", PEER._replace(host="192.0.2.99"))]
        else:
            bench.agent.flow_failed(LISTENS, 0.1)
            ((copy, flow),) = bench.agent.datagrams()
            assert flow == PEER and parse(copy).via.transport == "udp"
            assert parse(copy).headers["authorization"] == parse(again).headers["authorization"]


def test_an_invite_that_a_422_sends_again_goes_by_udp_as_it_should() -> None:
    bench = knowing_tcp()
    uri = "sip:b@192.0.2.7"
    bench.agent.invite(OutgoingInvite(PEER, uri, "sip:a@192.0.2.1", uri, LARGE, session_seconds=600), 0.0)
    (invite,) = bench.sent()
    again = bench.put(response(invite, 422, "b1", "Min-SE: 1200\r\n"), LISTENS)[-1]
    assert parse(again).via.transport == "tcp"
    bench.agent.flow_failed(LISTENS, 0.1)
    ((copy, flow),) = bench.agent.datagrams()
    assert flow == PEER and parse(copy).via.transport == "udp"


def test_a_connection_that_is_closed_twice_on_what_is_too_large_is_left_for_udp() -> None:
    bench = knowing_tcp()
    calling(bench, PEER, LARGE)
    bench.agent.flow_closed(LISTENS, 0.1)
    assert sent(bench) == [("INVITE", LISTENS)]
    bench.agent.flow_closed(LISTENS, 0.2)
    assert sent(bench) == [("INVITE", PEER)] and bench.agent.events() == []


def test_an_offer_that_is_too_large_is_sent_again_on_a_connection() -> None:
    bench = Bench()
    usage, _ = bench.connected()
    bench.agent.request(usage, "UPDATE", 0.0, LARGE)
    bench.sent()
    bench.agent.flow_closed(LISTENS, 0.1)
    ((copy, flow),) = bench.agent.datagrams()
    assert flow == LISTENS and parse(copy).via.transport == "tcp"


def test_one_that_rings_over_tcp_is_not_asked_again_by_udp() -> None:
    bench = knowing_tcp()
    usage, invite = calling(bench, PEER, LARGE)
    bench.put(response(invite, 180, "b1"), LISTENS)
    bench.agent.events()
    bench.agent.flow_failed(LISTENS, 0.1)
    assert bench.agent.events() == [InviteFailed(usage, 503, None)]  # type: ignore[arg-type]


def test_a_cancel_follows_its_invite_to_tcp() -> None:
    bench = knowing_tcp()
    usage, invite = calling(bench, PEER, LARGE)
    bench.put(response(invite, 180, "b1"), LISTENS)
    bench.agent.cancel(usage, 0.1)  # type: ignore[arg-type]
    (cancel,) = bench.agent.datagrams()
    assert cancel[1] == LISTENS and parse(cancel[0]).via.text == parse(invite).via.text


# ---- a length on a stream (§18.3)


@pytest.mark.parametrize(("method", "replies"), [("OPTIONS", [400]), ("ACK", [])])
def test_a_request_without_a_length_is_refused_on_a_stream(method: str, replies: list[int]) -> None:
    bench = Bench()
    data = over(b"TCP", request(method, branch="n")).replace(b"Content-Length: 0\r\n", b"")
    assert [parse(item).status for item in bench.put(data, THEIRS)] == replies  # type: ignore[union-attr]
    assert bench.agent.events() == [] and bench.agent.counters.malformed == 1


def test_a_response_without_a_length_is_dropped_on_a_stream() -> None:
    bench = Bench()
    _, invite = calling(bench)
    assert bench.put(response(invite, 180, "b1").replace(b"Content-Length: 0\r\n", b""), LISTENS) == []
    assert bench.agent.events() == [] and bench.agent.counters.malformed == 1


def test_a_flow_of_tls_says_nothing_of_tcp() -> None:
    bench = Bench()
    calling(bench, PEER, LARGE)
    bench.agent.flow_failed(LISTENS, 0.1)
    bench.agent.datagrams()
    bench.put(over(b"TLS", request("OPTIONS", branch="o")), Flow("tls", "192.0.2.7", 41000))
    assert parse(calling(bench, PEER, LARGE)[1]).via.transport == "udp"


# ---- UDP: the port that a response goes to (§18.2.2, RFC 3581)


@pytest.mark.parametrize(
    ("via", "port"),
    [
        ("192.0.2.7:5060;branch=z9hG4bKo", 5060),  # sent from another port than it listens on
        ("192.0.2.7;branch=z9hG4bKo", 5060),
        ("192.0.2.7:5070;branch=z9hG4bKo;rport", 40000),
        ("gw.example:5070;branch=z9hG4bKo", 5070),
        ("10.1.1.1:5060;branch=z9hG4bKo", 40000),  # a NAT: the inside's port is nobody's here
        ("192.0.2.7:40000;branch=z9hG4bKo", 40000),
    ],
)
def test_a_response_over_udp_goes_to_the_port_that_via_and_nat_leave(via: str, port: int) -> None:
    for method, replies in (("INVITE", ["100"]), ("BYE", ["481"])):
        bench = Bench()
        data = request(method, branch="o").replace(b"192.0.2.7:5060;branch=z9hG4bKo", via.encode())
        bench.agent.receive(data, PEER._replace(port=40000), 0.0)
        assert sent(bench) == [(status, PEER._replace(port=port)) for status in replies]


def test_a_request_whose_via_nobody_can_read_is_answered_where_it_came_from() -> None:
    bench = Bench()
    data = request("OPTIONS", branch="o").replace(b"Via: SIP/2.0/UDP 192.0.2.7:5060", b"Via: nonsense")
    bench.agent.receive(data, PEER._replace(port=40000), 0.0)
    (reply,) = bench.agent.datagrams()
    assert reply[1].port == 40000 and isinstance(parse_status(reply[0]), int)


def parse_status(data: bytes) -> int:
    return int(data.split(b" ")[1])


def test_options_of_ours_that_find_nobody_are_told() -> None:
    bench = Bench()
    bench.agent.options(LISTENS, "sip:x", "sip:y", "sip:x", 0.0)
    bench.sent()
    bench.agent.flow_failed(LISTENS, 0.1)
    (event,) = bench.agent.events()
    assert isinstance(event, RequestFinished) and (event.status, event.response) == (503, None)


# ---- behind a proxy of ours, which is reached by UDP whatever way a message takes from there

OVER_TLS = Flow("tls", "192.0.2.7", 41000, "carrier.example")


def test_behind_a_proxy_what_goes_to_a_connection_is_repeated_like_a_datagram() -> None:
    bench = Bench(fronted=True, name="e1")
    uri = "sip:b@192.0.2.7"
    bench.agent.invite(OutgoingInvite(OVER_TLS, uri, "sip:a@192.0.2.1", uri, LARGE), bench.now)
    first = bench.agent.datagrams()
    assert [flow for _, flow in first] == [OVER_TLS]
    assert b"\r\nContact: <sip:e1@192.0.2.1:5061;transport=tls>\r\n" in first[0][0]
    bench.now += 0.6
    bench.agent.handle_timer(bench.now)
    assert bench.agent.datagrams() == first, "the proxy's datagram may have been lost"
    bench.agent.receive(response(first[0][0], 404, "x"), Flow("udp", "10.0.0.5", 5070), bench.now)
    assert bench.agent.sizes()["client_transactions"] == 1, "copies of the response may come"


def test_behind_a_proxy_no_request_takes_tcp_for_its_size() -> None:
    bench = Bench(fronted=True)
    uri = "sip:b@192.0.2.7"
    bench.agent.invite(OutgoingInvite(PEER, uri, "sip:a@192.0.2.1", uri, LARGE), bench.now)
    assert sent(bench) == [("INVITE", PEER)]


def test_behind_a_proxy_a_refusal_over_a_connection_is_repeated_until_its_ack() -> None:
    bench = Bench(fronted=True)
    invite = over(b"TCP", request("INVITE", branch="inv", body=SDP))
    bench.agent.receive(invite, THEIRS, bench.now)
    usage = bench.agent.events()[0].usage  # type: ignore[union-attr]
    bench.agent.reject(usage, 486, bench.now)
    assert [word for word, _ in sent(bench)] == ["100", "486"]
    assert [data.split(b" ")[1] for data in bench.pass_time(0.6)] == [b"486"]


@pytest.mark.parametrize(
    ("contact", "hop"),
    [("<sip:a@phone.example>", THEIRS), ("<sip:a@192.0.2.7:41000>", THEIRS), ("<sip:a@192.0.2.7>", LISTENS)],
)
def test_behind_a_proxy_a_dialog_goes_to_whom_the_proxy_has_it_from(contact: str, hop: Flow) -> None:
    """The topmost Via is the proxy's own, so its port says nothing of the peer."""
    bench = Bench(fronted=True)
    usage = called_over_tcp(bench, contact)
    assert usage.dialog.hop == hop  # type: ignore[attr-defined]
