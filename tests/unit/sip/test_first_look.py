"""Which datagrams are new calls, and what of one is read for its refusal."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from maskline.sip import agent
from maskline.sip.first_look import is_new_call, skim, skim_plain, tag_in, transaction_in
from maskline.sip.flow import Flow
from maskline.sip.message import Response
from maskline.sip.parser import parse
from maskline.sip.transaction_server import server_key
from tests.support.sip_wire import PEER, SDP, Bench, read_request, request, response

FROM_NAT = Flow("udp", "198.51.100.9", 4321)


@pytest.mark.parametrize(
    ("data", "new"),
    [
        (request("INVITE", branch="a", body=SDP), True),
        (request("INVITE", branch="a", to_tag="x", body=SDP), False),
        (request("BYE", branch="a"), False),
        (b"SIP/2.0 200 OK\r\nTo: <sip:a>;tag=1\r\n\r\n", False),
        (b"INVITE sip:a SIP/2.0\r\nt: <sip:a>;tag=1\r\n\r\n", False),
        (b"INVITE sip:a SIP/2.0\r\nTO : <sip:a> ; Tag = 1\r\n\r\n", False),
        (b"INVITE sip:a SIP/2.0\r\nto:<sip:a>\r\nFrom: <sip:b>;tag=1\r\n\r\nt=0 0;tag=1", True),
        (b"INVITE sip:a SIP/2.0\r\nTo: <sip:a>;TAG=1\r\n\r\n", False),
        (b"INVITE sip:a SIP/2.0\r\nTo: <sip:a> ; tag = 1\r\n\r\n", False),
        (b"INVITE sip:a SIP/2.0\r\nTo: <sip:a;user=phone>;x=tag\r\nFrom: <sip:b>;tag=1\r\n\r\n", True),
        (b"INVITE sip:a SIP/2.0\r\n\r\n", True),
        (b"INVITEE sip:a SIP/2.0\r\n\r\n", False),
        (b"", False),
    ],
)
def test_a_new_call_is_an_invite_without_to_tag(data: bytes, new: bool) -> None:
    assert is_new_call(data) is new


def refused(bench: Bench, data: bytes, flow: Flow = PEER) -> Response | None:
    if not bench.agent.refuse_unread(data, flow, 503, "Retry-After: 2\r\n"):
        assert bench.sent() == []
        return None
    (answer,) = bench.sent()
    message = parse(answer)
    assert isinstance(message, Response)
    return message


@pytest.mark.parametrize("rport", [False, True])
def test_the_refusal_is_the_one_that_parsing_would_have_led_to(rport: bool) -> None:
    bench = Bench()
    data = request("INVITE", branch="a", headers="Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKb\r\n", rport=rport, body=SDP)
    answer = refused(bench, data, FROM_NAT)
    assert answer is not None and (answer.status, answer.retry_after) == (503, 2)
    core = bench.agent._core
    read = read_request(data)
    echo = core.build.echo(read, FROM_NAT, core.build.stateless_tag(read))
    assert answer.headers["via"].split("\n")[1] == "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKb"
    assert "received=198.51.100.9" in answer.headers["via"] and ("rport=4321" in answer.headers["via"]) is rport
    assert core.build.response(503, echo, "Retry-After: 2\r\n") == _again(answer, core.build)
    assert not any(bench.agent.sizes().values())


def _again(answer: Response, build: object) -> bytes:
    lines = [f"Via: {value}" for value in answer.headers["via"].split("\n")]
    lines += [f"{name}: {answer.headers[name.lower()]}" for name in ("From", "To", "Call-ID", "CSeq")]
    lines += ["Retry-After: 2", "Server: Maskline", "Content-Length: 0", "", ""]
    return "\r\n".join(["SIP/2.0 503 Service Unavailable", *lines]).encode()


def variants() -> dict[str, bytes]:
    plain = request("INVITE", branch="a", rport=True, body=SDP)
    return {
        "usual": plain,
        "rport before the branch": plain.replace(b";rport", b"").replace(b";branch", b";rport;branch"),
        "its own address": plain.replace(b";rport", b""),
        "port of the Via": plain.replace(b";rport", b"").replace(b"192.0.2.7:5060;", b"192.0.2.7:6060;"),
        "no port": plain.replace(b";rport", b"").replace(b"192.0.2.7:5060;", b"192.0.2.7;"),
        "two Vias": plain.replace(b"\r\nFrom", b"\r\nVia: SIP/2.0/TLS proxy;branch=z9hG4bKb, SIP/2.0/UDP x\r\nFrom"),
        "folded": plain.replace(b"\r\nFrom:", b"\r\nFrom:\r\n"),
        "folded by a tab": plain.replace(b"\r\nFrom:", b"\r\nFrom:\r\n\t"),
        "two From": plain.replace(b"\r\nTo", b"\r\nFrom: <sip:b>;tag=9\r\nTo"),
        "compact": plain.replace(b"\r\nFrom", b"\r\nf"),
        "tagged": plain.replace(b"sip:+15550100@192.0.2.1>\r\nCall", b"sip:+15550100@192.0.2.1> ; TAG=x\r\nCall"),
        "other Via": plain.replace(b";rport", b";rport;alias"),
        "port too high": plain.replace(b"192.0.2.7:5060;", b"192.0.2.7:65536;"),
        "host of others": plain.replace(b";rport", b"").replace(b"UDP 192.0.2.7:5060;", b"UDP 192.0.2.9:5060;"),
        "older": plain.replace(b"z9hG4bKa", b"1"),
    }


@pytest.mark.parametrize("flow", [PEER, FROM_NAT, PEER._replace(port=6060), PEER._replace(transport="tcp")])
@pytest.mark.parametrize("name", variants())
def test_what_is_read_as_bytes_is_answered_as_what_is_read_as_text(
    name: str, flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = []
    for look in (agent.skim_plain, lambda *_: None):
        monkeypatch.setattr(agent, "skim_plain", look)
        bench = Bench()
        done = bench.agent.refuse_unread(variants()[name], flow, 503, "Retry-After: 2\r\n")
        answers.append((done, bench.agent.datagrams(), bench.agent.counters.refused))
    assert answers[0] == answers[1]


def test_most_invites_need_the_long_way_in_no_part() -> None:
    usual = ("usual", "rport before the branch", "its own address", "port of the Via", "no port", "two Vias")
    assert [name for name, data in variants().items() if skim_plain(data, PEER)] == list(usual)


def test_each_copy_gets_the_same_refusal_and_its_ack_is_known_by_a_mark() -> None:
    bench = Bench()
    data = request("INVITE", branch="a")
    first, second = refused(bench, data), refused(bench, data)
    assert first is not None and second is not None and first.to_tag == second.to_tag
    ack = request("ACK", branch="a", to_tag=first.to_tag)
    assert bench.agent.stateless_mark in ack
    assert bench.agent.stateless_mark not in request("ACK", branch="a", to_tag=bench.answered().id)


@pytest.mark.parametrize("look", [agent.skim_plain, lambda *_: None])
def test_a_copy_of_a_call_in_progress_is_not_refused(
    look: Callable[[bytes, Flow], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agent, "skim_plain", look)
    bench = Bench()
    usage = bench.invited()
    assert refused(bench, request("INVITE", branch="inv", body=SDP)) is None
    assert refused(bench, request("INVITE", branch="other")) is not None
    bench.agent.answer(usage, 0.0, SDP)
    assert len(bench.sent()) == 1
    assert refused(bench, request("INVITE", branch="inv", body=SDP)) is None


@pytest.mark.parametrize(
    "data",
    [
        request("INVITE", branch="a").replace(b"Call-ID: c1", b"Call-ID:\r\n c1"),
        request("INVITE", branch="a").replace(b"Call-ID", b"Caller-ID"),
        request("INVITE", branch="a").replace(b"CSeq: 1", b"CSeq: 1\r"),
        request("INVITE", branch="a").replace(b"Via: SIP", b"Via: PIS"),
        request("INVITE", branch="a").replace(b"z9hG4bKa", b"1"),
    ],
)
def test_what_is_not_plain_goes_the_long_way(data: bytes) -> None:
    assert refused(Bench(), data) is None


def test_compact_names_are_read() -> None:
    data = request("INVITE", branch="a").replace(b"Via:", b"v:").replace(b"From:", b"f:").replace(b"\r\nTo:", b"\r\nt:")
    message = skim(data.replace(b"Call-ID:", b"i:"))
    assert message is not None and message.headers == {
        name: read_request(data).headers[name] for name in ("via", "from", "to", "call-id", "cseq")
    }


# ---- what a message calls itself


BYE = request("BYE", branch="a", to_tag="0123abcd")
WRITTEN = {
    "usual": BYE,
    "compact": BYE.replace(b"\r\nVia: ", b"\r\nv:").replace(b"\r\nTo: ", b"\r\nt:"),
    "without port": BYE.replace(b"192.0.2.7:5060;", b"192.0.2.7;"),
    "by TCP": BYE.replace(b"SIP/2.0/UDP 192", b"SIP/2.0/TCP  192").replace(b";branch", b";alias;branch"),
    "IPv6": BYE.replace(b"UDP 192.0.2.7:", b"UDP [2001:DB8::7]:"),
    "name": BYE.replace(b"UDP 192.0.2.7:", b"UDP Gateway.Example:"),
    "two Vias": BYE.replace(b"\r\nFrom", b", SIP/2.0/UDP x;branch=z9hG4bKb\r\nFrom"),
    "bare To": BYE.replace(b"To: <sip:+15550100@192.0.2.1>", b"To: sip:+15550100@192.0.2.1"),
    "more of To": BYE.replace(b";tag=0123abcd", b";x=1;tag=0123abcd;y"),
}


@pytest.mark.parametrize("data", WRITTEN.values(), ids=WRITTEN)
def test_the_names_in_a_message_are_those_that_parsing_finds(data: bytes) -> None:
    read = read_request(data)
    assert (tag_in(data), transaction_in(data)) == (read.to_tag, server_key(read, "BYE"))


UNREADABLE = {
    "no To": BYE.replace(b"\r\nTo:", b"\r\nX:"),
    "no tag": request("OPTIONS", branch="a"),
    "no tag in a compact To": request("OPTIONS", branch="a").replace(b"\r\nTo: ", b"\r\nt: "),
    "no tag of ours": request("BYE", branch="a", to_tag="xyz"),
    "To far behind": BYE.replace(b"\r\nTo:", b"\r\nX: " + b"x" * 5000 + b"\r\nTo:"),
    "To without end": b"BYE a\r\nt: <a>" + b";" * 5000,
    "nothing": b"",
}


@pytest.mark.parametrize("data", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_not_there_has_no_name(data: bytes) -> None:
    assert tag_in(data) == ""


@pytest.mark.parametrize(
    "data",
    [
        b"",
        BYE.replace(b"\r\nVia:", b"\r\nX:"),
        BYE.replace(b";branch=z9hG4bKa", b""),
        BYE.replace(b"z9hG4bKa", b"1"),
        response(BYE, 200).replace(b"CSeq:", b"X:"),
    ],
)
def test_what_belongs_to_nothing_that_can_be_found_has_no_name_either(data: bytes) -> None:
    assert transaction_in(data) == ""


ELSEWHERE, THIRD = Flow("udp", "192.0.2.99", 5060), Flow("udp", "192.0.2.66", 5060)
CONTACT = "<sip:a@192.0.2.99>"


def test_the_far_end_of_a_dialog_is_expected_where_our_requests_to_it_go() -> None:
    """Without Record-Route the ACK and the BYE come from Contact (RFC 3261 §13.2.2.4), and so do answers to our own."""
    bench = Bench()
    usage = bench.answered(contact=CONTACT)
    bye = request("BYE", branch="b", cseq=2, to_tag=usage.id)
    assert bench.agent.expects(bye, ELSEWHERE) and not bench.agent.expects(bye, THIRD)
    assert not bench.agent.expects(request("BYE", branch="b", to_tag="0" * 16), ELSEWHERE)
    assert not bench.agent.expects(request("OPTIONS", branch="b"), ELSEWHERE)
    bench.put(bye, ELSEWHERE)
    bench.events(), bench.events()
    assert bench.agent.expects(bye, ELSEWHERE), "a copy, after the end of the dialog"
    assert not bench.agent.expects(bye, THIRD)
    bench.pass_time(40)
    assert not bench.agent.expects(bye, ELSEWHERE)


def test_a_response_is_expected_where_its_request_went() -> None:
    bench = Bench()
    usage = bench.answered(contact=CONTACT)
    bench.agent.bye(usage, bench.now)
    ((sent, flow),) = bench.agent.datagrams()
    assert flow == ELSEWHERE
    assert bench.agent.expects(response(sent, 200), ELSEWHERE) and not bench.agent.expects(response(sent, 200), THIRD)
    assert not bench.agent.expects(response(request("BYE", branch="x"), 200), ELSEWHERE)


def test_each_early_dialog_is_expected_from_its_own_place() -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    update = request("UPDATE", branch="u", to_tag=usage.id, from_tag="b1")
    assert not bench.agent.expects(update, ELSEWHERE)
    bench.put(response(invite, 180, "b1", contact=CONTACT))
    bench.put(response(invite, 180, "b2"))
    assert bench.agent.expects(update, ELSEWHERE)
