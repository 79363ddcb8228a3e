"""The server half: what peers may throw at us, and what they get."""

from __future__ import annotations

import pytest

from maskline.sip.events import Flow, InviteAcked, InviteReceived, OfferCancelled, RequestReceived
from maskline.sip.invite_usage import InviteUsage, UsageState
from maskline.sip.message import Response
from maskline.sip.parser import parse
from tests.support.sip_wire import SDP, Bench, read_request, request, response


def header_of(data: bytes, name: str) -> str | None:
    return parse(data).header(name)


# ---- outside a dialog


def test_a_100_repeats_the_timestamp_of_its_request() -> None:
    """RFC 3261 §8.2.6.1; no other response does."""
    bench = Bench()
    (trying,) = bench.put(request("INVITE", branch="inv", body=SDP, headers="Timestamp: 54.1\r\n"))
    assert parse(trying).header("timestamp") == "54.1"
    usage = bench.events()[0].usage  # type: ignore[union-attr]
    assert usage is not None
    bench.agent.answer(usage, bench.now, SDP)  # type: ignore[arg-type]
    (answer,) = bench.sent()
    assert parse(answer).header("timestamp") is None
    bench.put(request("ACK", branch="ack", to_tag=usage.id))
    again = request(
        "INVITE", branch="re", cseq=2, to_tag=usage.id, body=SDP, headers="Timestamp: 7\r\nTimestamp: 8\r\n"
    )
    assert [parse(data).header("timestamp") for data in bench.put(again)] == ["7"]


def test_a_body_that_need_not_be_understood_is_none() -> None:
    """RFC 3261 §8.2.3: only one that is not optional may be refused; an INVITE with it alone has no offer."""
    bench = Bench()
    kind, body, optional = (
        "application/pidf+xml",
        b"<presence/>",
        "Content-Disposition: render; Handling = Optional\r\n",
    )
    assert bench.statuses(request("INVITE", branch="a", body=body, content_type=kind)) == [415]
    invite = request("INVITE", branch="b", call_id="c2", body=body, content_type=kind, headers=optional)
    assert bench.statuses(invite) == [100]
    (event,) = bench.events()
    assert isinstance(event, InviteReceived)
    assert (event.request.body, event.request.whole_body) == (b"", body)
    bench.agent.answer(event.usage, bench.now, SDP)
    bench.sent()
    bench.put(request("ACK", branch="ack", to_tag=event.usage.id, call_id="c2", body=SDP))
    assert bench.events() == [InviteAcked(event.usage, SDP)]


@pytest.mark.parametrize(
    ("scheme", "ours"), [("sips", "<sips:192.0.2.1:5061>"), ("sip", "<sip:192.0.2.1:5061;transport=tls>")]
)
def test_a_contact_is_sips_where_the_request_was(scheme: str, ours: str) -> None:
    """RFC 3261 §12.1.1, §12.2.1.1: in the answer, in the answer to a re-INVITE, and in our own."""
    bench, flow = Bench(), Flow("tls", "192.0.2.7", 5061)

    def secure(data: bytes) -> bytes:
        return data.replace(b" sip:", f" {scheme}:".encode(), 1).replace(b"SIP/2.0/UDP", b"SIP/2.0/TLS")

    contact = f"<{scheme}:a@192.0.2.7>"
    bench.put(secure(request("INVITE", branch="inv", body=SDP, contact=contact)), flow)
    usage = bench.events()[0].usage  # type: ignore[union-attr]
    assert usage is not None
    bench.agent.answer(usage, bench.now, SDP)  # type: ignore[arg-type]
    (answer,) = bench.sent()
    assert parse(answer).header("contact") == ours
    bench.put(secure(request("ACK", branch="ack", to_tag=usage.id)), flow)
    bench.events()
    bench.put(secure(request("UPDATE", branch="re", cseq=2, to_tag=usage.id, contact=contact)), flow)
    (event,) = bench.events()
    bench.agent.respond(event.key, 200, bench.now)  # type: ignore[union-attr]
    assert [parse(data).header("contact") for data in bench.sent()] == [ours]
    bench.agent.request(usage, "INVITE", bench.now, SDP)  # type: ignore[arg-type]
    assert [parse(data).header("contact") for data in bench.sent()] == [ours]


def test_an_invite_gets_100_at_once_and_its_copy_gets_the_same() -> None:
    bench = Bench()
    invite = request("INVITE", branch="a", body=SDP)
    first = bench.put(invite)
    assert first[0].startswith(b"SIP/2.0 100 Trying")
    assert bench.put(invite) == first
    assert bench.kinds() == ["InviteReceived"]
    assert bench.agent.counters.retransmits_absorbed == 1


def test_the_same_request_over_two_paths_is_merged() -> None:
    bench = Bench()
    bench.put(request("INVITE", branch="a", body=SDP))
    assert bench.statuses(request("INVITE", branch="b", body=SDP)) == [482]


def test_responses_go_to_the_source_with_received_and_rport() -> None:
    bench = Bench()
    source = Flow("udp", "198.51.100.4", 31000)
    bench.agent.receive(request("INVITE", branch="a", body=SDP, rport=True), source, 0.0)
    datagram = bench.agent.datagrams()[0]
    assert datagram[1] == source
    via = parse(datagram[0]).via
    assert (via.parameters["rport"], via.parameters["received"]) == ("31000", "198.51.100.4")


def test_a_received_parameter_of_the_senders_own_is_replaced() -> None:
    bench = Bench()
    invite = request("INVITE", branch="a;received=203.0.113.9 ;rport", body=SDP)
    answer = bench.put(invite)[0]
    assert answer.count(b"received=") == 1
    assert b"received=192.0.2.7" in answer
    unasked = request("INVITE", branch="b", call_id="c2", body=SDP)
    assert b";received=198.51.100.4\r\n" in bench.put(unasked, Flow("udp", "198.51.100.4", 5060))[0]


def test_a_branch_that_is_called_rport_asks_for_nothing() -> None:
    answer = Bench().put(request("INVITE", branch="rport", body=SDP))[0]
    assert b"received=" not in answer and b"rport=" not in answer


def test_other_vias_are_echoed_in_order() -> None:
    bench = Bench()
    data = request("INVITE", branch="a", headers="Via: SIP/2.0/UDP x;branch=1\r\nVia: SIP/2.0/UDP y\r\n", body=SDP)
    lines = bench.put(data)[0].split(b"\r\n")
    vias = [line for line in lines if line.startswith(b"Via")]
    assert vias[1:] == [b"Via: SIP/2.0/UDP x;branch=1", b"Via: SIP/2.0/UDP y"]


@pytest.mark.parametrize(
    ("method", "status"),
    [("REGISTER", 405), ("SUBSCRIBE", 405), ("MESSAGE", 405), ("REFER", 405), ("PUBLISH", 405), ("NOTIFY", 405),
     ("PRACK", 481), ("FOO", 501), ("invite", 501), ("BYE", 481), ("INFO", 481), ("UPDATE", 481)],
)  # fmt: skip
def test_methods_we_do_not_serve_are_refused_without_state(method: str, status: int) -> None:
    bench = Bench()
    data = request(method, branch="a")
    answers = bench.put(data)
    assert parse(answers[0]).status == status  # type: ignore[union-attr]
    assert bench.put(data) == answers
    assert bench.agent.counters.refused == 2
    assert not any(bench.agent.sizes().values())
    if status in (405, 501):
        assert header_of(answers[0], "Allow") == "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK"


@pytest.mark.parametrize("status", [200, 503])
def test_options_outside_a_dialog_are_answered_without_state(status: int) -> None:
    bench = Bench()
    data = request("OPTIONS", branch="o")
    answers: list[bytes] = []
    for _ in range(2):
        assert bench.put(data) == []
        (event,) = bench.events()
        assert isinstance(event, RequestReceived) and event.usage is None
        assert not any(bench.agent.sizes().values())
        bench.agent.respond(event.key, status, bench.now, headers=(("Retry-After", "2"),))
        answers += bench.sent()
    answer = parse(answers[0])
    assert isinstance(answer, Response) and (answer.status, answer.body) == (status, b"")
    assert answer.to_tag and header_of(answers[0], "Retry-After") == "2"
    assert (header_of(answers[0], "Allow") or "").startswith("INVITE") and header_of(
        answers[0], "Accept"
    ) == "application/sdp"
    assert answers == [answers[0]] * 2, "a copy gets a copy"
    assert not any(bench.agent.sizes().values()), "nothing stands for half a minute"
    assert bench.agent.counters.refused == 0


def test_unknown_extensions_are_named_known_ones_pass() -> None:
    bench = Bench(supported=("timer",))
    answer = bench.put(request("INVITE", branch="a", headers="Require: 100rel, timer, x\r\n", body=SDP))[0]
    assert header_of(answer, "Unsupported") == "100rel, x"
    bench.put(request("INVITE", branch="b", headers="Require: timer\r\n", body=SDP))
    assert bench.kinds() == ["InviteReceived"]


def test_option_tags_are_known_in_capitals_too() -> None:
    bench = Bench()
    bench.put(request("INVITE", branch="a", headers="Require: 100REL, Timer\r\n", body=SDP))
    (event,) = bench.events()
    assert isinstance(event, InviteReceived) and event.usage.reliable is not None


def test_an_empty_accept_or_identity_encoding_refuses_nothing() -> None:
    bench = Bench()
    bench.put(request("INVITE", branch="a", headers="Accept: \r\nContent-Encoding: identity\r\n", body=SDP))
    assert bench.kinds() == ["InviteReceived"]


@pytest.mark.parametrize("accept", ["text/plain", "text/*, multipart/mixed;q=0.3"])
def test_who_takes_no_sdp_is_answered_406(accept: str) -> None:
    """RFC 3261 §21.4.7: all that we could answer with is SDP."""
    bench = Bench()
    assert bench.statuses(request("INVITE", branch="a", headers=f"Accept: {accept}\r\n", body=SDP)) == [406]
    assert bench.kinds() == []


def test_a_body_we_cannot_decode_is_415_with_what_we_can() -> None:
    bench = Bench()
    answer = bench.put(request("INVITE", branch="a", headers="Content-Encoding: gzip\r\n", body=SDP))[0]
    assert answer.startswith(b"SIP/2.0 415 ")
    assert header_of(answer, "Accept-Encoding") == "identity"
    assert bench.kinds() == []


def test_an_acknowledged_refusal_leaves_nothing() -> None:
    bench = Bench()
    usage = bench.invited()
    bench.agent.reject(usage, 486, bench.now)
    refusal = bench.sent()
    assert bench.put(request("INVITE", branch="inv", body=SDP)) == refusal
    assert bench.put(request("ACK", branch="inv", to_tag=usage.id)) == []
    assert bench.put(request("INVITE", branch="inv", body=SDP)) == []
    assert bench.kinds() == []
    bench.pass_time(40)
    bench.events()
    assert not any(bench.agent.sizes().values())


def test_an_rfc_2543_caller_without_cookie_contact_or_tag_is_served() -> None:
    bench = Bench()

    def old(method: str, to: str) -> bytes:
        return (
            f"{method} sip:a@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.7\r\n"
            f"From: <sip:old@192.0.2.7>\r\nTo: {to}\r\nCall-ID: o\r\nCSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
        ).encode()

    bench.put(old("INVITE", "sip:a@192.0.2.1"))
    usage = bench.events()[0].usage  # type: ignore[union-attr]
    assert bench.put(old("INVITE", "sip:a@192.0.2.1"))[0].startswith(b"SIP/2.0 100")
    bench.agent.answer(usage, bench.now, SDP)
    bench.sent()
    bench.put(old("ACK", f"sip:a@192.0.2.1;tag={usage.id}"))
    assert bench.kinds() == ["InviteAcked"]
    bench.agent.bye(usage, bench.now)
    bye = read_request(bench.sent()[0])
    assert (bye.uri_text, bye.to_tag) == ("sip:old@192.0.2.7", "")


# ---- our answers


def test_responses_that_open_the_dialog_carry_record_route_and_contact() -> None:
    bench = Bench()
    routes = "Record-Route: <sip:192.0.2.9;lr>\r\nRecord-Route: <sip:192.0.2.8;lr>\r\n"
    usage = bench.invited(headers=routes)
    bench.agent.progress(usage, 180, bench.now, headers=(("X-A", "1"),))
    bench.agent.answer(usage, bench.now, SDP, (("X-B", "2"),))
    ringing, ok = bench.sent()
    for data in (ringing, ok):
        assert routes.encode() in data
        assert parse(data).contact.uri_text == "sip:192.0.2.1:5060"  # type: ignore[union-attr]
        assert parse(data).to_tag == usage.id
    assert (header_of(ringing, "X-A"), header_of(ok, "X-B")) == ("1", "2")
    assert ok.endswith(SDP)


def test_a_line_break_in_our_own_header_is_our_bug() -> None:
    bench = Bench()
    usage = bench.invited()
    with pytest.raises(ValueError, match="line break"):
        bench.agent.progress(usage, 180, bench.now, headers=(("X", "a\r\nTo: b"),))


def test_commands_out_of_their_time_do_nothing() -> None:
    bench = Bench()
    usage = bench.answered()
    bench.agent.progress(usage, 180, bench.now)
    bench.agent.answer(usage, bench.now, SDP)
    bench.agent.reject(usage, 486, bench.now)
    bench.agent.cancel(usage, bench.now)
    bench.agent.ack(usage, bench.now)
    bench.agent.respond("no such key", 200, bench.now)
    bench.agent.respond(None, 200, bench.now)
    assert bench.sent() == []
    bench.agent.bye(usage, bench.now)
    bench.agent.bye(usage, bench.now)
    assert len(bench.sent()) == 1


def test_hanging_up_an_unanswered_call_refuses_it() -> None:
    bench = Bench()
    usage = bench.invited()
    bench.agent.bye(usage, bench.now)
    assert bench.sent()[0].startswith(b"SIP/2.0 480")
    assert usage.is_over
    bench.agent.request(usage, "INFO", bench.now)
    assert bench.sent() == []


def test_the_2xx_is_repeated_from_t1_to_t2_until_the_ack() -> None:
    bench = Bench()
    usage = bench.invited()
    bench.agent.answer(usage, bench.now, SDP)
    ok = bench.sent()
    assert bench.put(request("INVITE", branch="inv", body=SDP)) == []
    assert bench.pass_time(8) == ok * 4
    bench.put(request("ACK", branch="ack", to_tag=usage.id, body=SDP))
    (acked,) = bench.events()
    assert isinstance(acked, InviteAcked)
    assert acked.body == SDP
    assert usage.request is None
    assert bench.pass_time(20) == []


def test_a_long_ringing_call_rings_again_each_minute() -> None:
    bench = Bench()
    usage = bench.invited()
    bench.agent.progress(usage, 180, bench.now)
    ringing = bench.sent()
    assert bench.pass_time(121) == ringing * 2
    bench.agent.answer(usage, bench.now, SDP)
    bench.sent()
    bench.put(request("ACK", branch="ack", to_tag=usage.id))
    assert bench.pass_time(121) == []


def test_an_ack_under_the_invites_branch_is_taken() -> None:
    bench = Bench()
    usage = bench.invited()
    bench.agent.answer(usage, bench.now, SDP)
    bench.put(request("ACK", branch="inv", to_tag=usage.id))
    assert bench.kinds() == ["InviteAcked"]


@pytest.mark.parametrize(
    "wrong", [{"to_tag": "x"}, {"cseq": 2}, {"from_tag": "x"}, {"call_id": "x"}], ids=lambda value: next(iter(value))
)
def test_an_ack_of_something_else_is_stray(wrong: dict[str, object]) -> None:
    bench = Bench()
    usage = bench.invited()
    bench.agent.answer(usage, bench.now, SDP)
    bench.put(request("ACK", **{"branch": "ack", "to_tag": usage.id, **wrong}))  # type: ignore[arg-type]
    assert bench.kinds() == []
    assert bench.agent.counters.stray == 1


def test_an_ack_of_an_unanswered_invite_is_stray() -> None:
    bench = Bench()
    usage = bench.invited()
    bench.put(request("ACK", branch="inv", to_tag=usage.id))
    bench.put(request("ACK", branch="other", to_tag=usage.id))
    assert bench.kinds() == []


# ---- CANCEL


def test_cancel_ends_the_invite_with_487() -> None:
    bench = Bench()
    usage = bench.invited()
    cancel = request("CANCEL", branch="inv")
    assert bench.statuses(cancel) == [200, 487]
    assert bench.kinds() == ["InviteCancelled"]
    assert usage.is_over
    again = bench.put(cancel)
    assert [(parse(data).status, parse(data).to_tag) for data in again] == [(200, usage.id)]  # type: ignore[union-attr]


def test_cancel_after_the_answer_changes_nothing() -> None:
    bench = Bench()
    usage = bench.invited()
    bench.agent.answer(usage, bench.now, SDP)
    bench.sent()
    assert bench.statuses(request("CANCEL", branch="inv")) == [200]
    assert usage.state is UsageState.ANSWERED


def test_cancel_of_a_re_invite_ends_only_that() -> None:
    bench = Bench()
    usage = bench.answered()
    bench.put(request("INVITE", branch="re", cseq=2, to_tag=usage.id, body=SDP))
    (event,) = bench.events()
    assert isinstance(event, RequestReceived)
    assert bench.statuses(request("CANCEL", branch="re", cseq=2, to_tag=usage.id)) == [200, 487]
    bench.agent.respond(event.key, 200, bench.now, SDP)
    assert bench.sent() == []
    assert usage.state is UsageState.CONFIRMED
    assert bench.statuses(request("INVITE", branch="re2", cseq=3, to_tag=usage.id, body=SDP)) == [100]


def test_what_is_unanswered_in_a_dialog_that_is_another_endpoints_now_is_forgotten_with_it() -> None:
    bench = Bench()
    usage = bench.answered()
    bench.put(request("INVITE", branch="re", cseq=2, to_tag=usage.id, body=SDP, headers="Expires: 5\r\n"))
    (event,) = bench.events()
    bench.agent.let_go(usage, bench.now)
    assert bench.statuses(request("CANCEL", branch="re", cseq=2, to_tag=usage.id)) == [481]
    bench.agent.respond(event.key, 200, bench.now, SDP)  # type: ignore[union-attr]
    assert bench.pass_time(40) == []
    assert bench.kinds() == []
    assert not any(bench.agent.sizes().values())


# ---- Expires (§13.3.1)


def expiring(bench: Bench, value: str) -> InviteUsage:
    return bench.invited(headers=f"Expires: {value}\r\n")


@pytest.mark.parametrize("status", [0, 180])
def test_an_invite_without_answer_when_its_time_is_over_is_as_good_as_cancelled(status: int) -> None:
    bench = Bench()
    usage = expiring(bench, "30")
    if status:
        bench.agent.progress(usage, status, bench.now)
        bench.sent()
    assert bench.pass_time(29.9) == []
    assert bench.kinds() == []
    (refusal,) = bench.pass_time(0.2)
    assert refusal.startswith(b"SIP/2.0 487 ")
    assert bench.kinds() == ["InviteCancelled"]
    assert usage.is_over
    # Their own CANCEL, due at the same moment.
    assert bench.statuses(request("CANCEL", branch="inv")) == [200]
    bench.put(request("ACK", branch="inv", to_tag=usage.id))
    bench.pass_time(40)
    assert not any(bench.agent.sizes().values())


def test_an_invite_that_stands_for_no_time_at_all_is_over_at_once() -> None:
    bench = Bench()
    expiring(bench, "0")
    assert [data[:12] for data in bench.pass_time(0)] == [b"SIP/2.0 487 "]


@pytest.mark.parametrize(
    "value", ["", "-1", "+1", "1.5", "soon", "1;x", "Thu, 01 Dec 2040 16:00:00 GMT", "4294967296", "9" * 400]
)
def test_an_expiry_that_nobody_can_read_is_none(value: str) -> None:
    """§8.2: a header that is not needed is ignored when it is malformed."""
    bench = Bench()
    usage = expiring(bench, value)
    assert bench.pass_time(600) == []
    assert usage.state is UsageState.INCOMING
    assert bench.agent.sizes()["timers"] == 0


def test_whatever_is_answered_in_time_does_not_expire() -> None:
    bench = Bench()
    for value, ours in (("30", 200), ("4294967295", 486)):
        usage = expiring(bench, value)
        if ours == 200:
            bench.agent.answer(usage, bench.now, SDP)
            bench.put(request("ACK", branch="ack", to_tag=usage.id))
        else:
            bench.agent.reject(usage, ours, bench.now)
            bench.put(request("ACK", branch="inv", to_tag=usage.id))
        bench.sent()
        bench.events()
        assert bench.pass_time(64) == []
        assert bench.kinds() == []
        assert bench.agent.sizes()["timers"] == 0


def test_an_answer_that_waits_for_a_prack_is_hung_up_when_the_invite_expires() -> None:
    bench = Bench()
    usage = expiring(bench, "3\r\nRequire: 100rel")
    bench.agent.progress(usage, 183, bench.now, body=SDP)
    bench.agent.answer(usage, bench.now, SDP)
    bench.sent()
    assert [data[:12] for data in bench.pass_time(3.1) if b"487" in data[:12]] == [b"SIP/2.0 487 "]
    assert bench.kinds() == ["ByeReceived"]


def test_a_re_invite_that_expires_leaves_the_dialog_as_it_was() -> None:
    bench = Bench()
    usage = bench.answered()
    bench.put(request("INVITE", branch="re", cseq=2, to_tag=usage.id, body=SDP, headers="Expires: 2\r\n"))
    (event,) = bench.events()
    assert isinstance(event, RequestReceived)
    assert [data[:12] for data in bench.pass_time(2)] == [b"SIP/2.0 487 "]
    assert bench.events() == [OfferCancelled(usage, event.key)]
    assert usage.state is UsageState.CONFIRMED


def test_no_other_request_expires() -> None:
    bench = Bench()
    usage = bench.answered()
    before = bench.agent.sizes()["timers"]
    bench.put(request("UPDATE", branch="up", cseq=2, to_tag=usage.id, body=SDP, headers="Expires: 2\r\n"))
    assert bench.agent.sizes()["timers"] == before
    assert bench.pass_time(5) == []


# ---- BYE


def test_bye_of_an_answered_call_ends_it_and_a_copy_gets_200_again() -> None:
    bench = Bench()
    usage = bench.answered()
    bye = request("BYE", branch="bye", cseq=2, to_tag=usage.id)
    assert bench.statuses(bye) == [200]
    assert bench.kinds() == ["ByeReceived"]
    assert bench.statuses(bye) == [200]
    assert bench.statuses(request("BYE", branch="bye2", cseq=3, to_tag=usage.id)) == [481]


def test_bye_before_the_answer_ends_the_invite_with_487() -> None:
    bench = Bench()
    usage = bench.invited()
    bench.agent.progress(usage, 180, bench.now)
    bench.sent()
    assert bench.statuses(request("BYE", branch="bye", cseq=2, to_tag=usage.id)) == [200, 487]
    assert bench.kinds() == ["ByeReceived"]


def test_bye_before_the_ack_stops_the_2xx() -> None:
    bench = Bench()
    usage = bench.invited()
    bench.agent.answer(usage, bench.now, SDP)
    bench.sent()
    assert bench.statuses(request("BYE", branch="bye", cseq=2, to_tag=usage.id)) == [200]
    assert bench.pass_time(40) == []


def test_bye_while_ours_waits_for_the_ack_finishes_ours() -> None:
    bench = Bench()
    usage = bench.invited()
    bench.agent.answer(usage, bench.now, SDP)
    bench.agent.bye(usage, bench.now)
    assert len(bench.sent()) == 1
    assert bench.statuses(request("BYE", branch="bye", cseq=2, to_tag=usage.id)) == [200]
    assert bench.kinds() == ["ByeFinished"]


def test_our_bye_goes_out_when_the_ack_never_comes() -> None:
    bench = Bench()
    usage = bench.invited()
    bench.agent.answer(usage, bench.now, SDP)
    bench.agent.bye(usage, bench.now, (("Reason", "Q.850;cause=31"),))
    sent = bench.pass_time(32)
    assert sent[-1].startswith(b"BYE ")
    assert read_request(sent[-1]).q850_cause == 31
    assert bench.kinds() == []


def test_bye_ends_an_unanswered_re_invite_too() -> None:
    bench = Bench()
    usage = bench.answered()
    bench.put(request("INVITE", branch="re", cseq=2, to_tag=usage.id, body=SDP))
    assert bench.statuses(request("BYE", branch="bye", cseq=3, to_tag=usage.id)) == [200, 487]
    assert bench.kinds() == ["RequestReceived", "ByeReceived"]


# ---- inside a dialog


@pytest.mark.parametrize(
    "wrong", [{"to_tag": "x"}, {"from_tag": "x"}, {"call_id": "x"}], ids=lambda value: next(iter(value))
)
def test_a_request_of_no_dialog_is_481(wrong: dict[str, object]) -> None:
    bench = Bench()
    usage = bench.answered()
    data = request("INFO", **{"branch": "i", "cseq": 2, "to_tag": usage.id, **wrong})  # type: ignore[arg-type]
    assert bench.statuses(data) == [481]


def test_an_old_sequence_number_is_500() -> None:
    bench = Bench()
    usage = bench.answered(cseq=7)
    assert bench.statuses(request("INFO", branch="i", cseq=6, to_tag=usage.id)) == [500]


@pytest.mark.parametrize(("method", "status"), [("REFER", 405), ("FOO", 501)])
def test_methods_we_do_not_serve_are_refused_inside_a_dialog_too(method: str, status: int) -> None:
    bench = Bench()
    usage = bench.answered()
    assert bench.statuses(request(method, branch="i", cseq=2, to_tag=usage.id)) == [status]


def test_info_is_the_users() -> None:
    bench = Bench()
    usage = bench.answered()
    info = request("INFO", branch="i", cseq=2, to_tag=usage.id, body=b"Signal=5", content_type="application/dtmf-relay")
    assert bench.put(info) == []
    (event,) = bench.events()
    assert isinstance(event, RequestReceived)
    assert (event.usage, event.request.content_type, event.request.body) == (
        usage, "application/dtmf-relay", b"Signal=5",
    )  # fmt: skip
    bench.agent.respond(event.key, 200, bench.now)
    answer = bench.sent()
    assert parse(answer[0]).status == 200  # type: ignore[union-attr]
    assert bench.put(info) == answer


def test_options_inside_a_dialog_are_answered_by_the_agent() -> None:
    bench = Bench()
    usage = bench.answered()
    assert bench.statuses(request("OPTIONS", branch="o", cseq=2, to_tag=usage.id)) == [200]
    assert bench.kinds() == []


def test_a_re_invite_is_answered_with_contact_and_repeated_until_its_ack() -> None:
    bench = Bench()
    usage = bench.answered()
    re_invite = request(
        "INVITE", branch="re", cseq=2, to_tag=usage.id, body=SDP, contact="<sip:moved@192.0.2.7:5080;transport=UDP>"
    )
    assert bench.statuses(re_invite) == [100]
    (event,) = bench.events()
    assert isinstance(event, RequestReceived)
    bench.agent.respond(event.key, 200, bench.now, SDP)
    ok = bench.sent()
    assert parse(ok[0]).contact.uri_text == "sip:192.0.2.1:5060"  # type: ignore[union-attr]
    assert bench.pass_time(0.6) == ok
    bench.put(request("ACK", branch="reack", cseq=2, to_tag=usage.id))
    assert bench.kinds() == ["InviteAcked"]
    bench.agent.bye(usage, bench.now)
    (bye,) = bench.agent.datagrams()
    assert bye[1] == Flow("udp", "192.0.2.7", 5080)
    assert bye[0].startswith(b"BYE sip:moved@192.0.2.7:5080;transport=UDP ")


def test_a_refused_re_invite_leaves_the_call_up() -> None:
    bench = Bench()
    usage = bench.answered()
    bench.put(request("INVITE", branch="re", cseq=2, to_tag=usage.id, body=SDP))
    key = bench.events()[0].key  # type: ignore[union-attr]
    bench.agent.respond(key, 183, bench.now)
    bench.agent.respond(key, 488, bench.now)
    assert [parse(data).status for data in bench.sent()] == [183, 488]  # type: ignore[union-attr]
    assert usage.state is UsageState.CONFIRMED


def test_a_re_invite_meets_an_open_offer() -> None:
    bench = Bench()
    usage = bench.answered()
    bench.put(request("INVITE", branch="re", cseq=2, to_tag=usage.id, body=SDP))
    second = bench.put(request("INVITE", branch="re2", cseq=3, to_tag=usage.id, body=SDP))
    assert parse(second[0]).status == 500  # type: ignore[union-attr]
    assert 1 <= int(header_of(second[0], "Retry-After") or "") <= 10
    bench.agent.respond(bench.events()[0].key, 488, bench.now)  # type: ignore[union-attr]
    assert parse(bench.sent()[0]).status == 488  # type: ignore[union-attr]
    bench.agent.request(usage, "INVITE", bench.now, SDP)
    bench.sent()
    assert bench.statuses(request("INVITE", branch="re3", cseq=4, to_tag=usage.id, body=SDP)) == [491]


def test_a_re_invite_before_the_ack_is_491() -> None:
    bench = Bench()
    usage = bench.invited()
    bench.agent.answer(usage, bench.now, SDP)
    bench.sent()
    assert bench.statuses(request("INVITE", branch="re", cseq=2, to_tag=usage.id, body=SDP)) == [491]


def test_a_second_invite_before_the_first_is_answered_is_500() -> None:
    bench = Bench()
    usage = bench.invited()
    assert bench.statuses(request("INVITE", branch="re", cseq=2, to_tag=usage.id, body=SDP)) == [500]
    assert bench.statuses(request("UPDATE", branch="up", cseq=3, to_tag=usage.id, body=SDP)) == [500]


def test_an_update_without_offer_always_passes() -> None:
    bench = Bench()
    usage = bench.invited()
    bench.put(request("UPDATE", branch="up", cseq=2, to_tag=usage.id, contact="<sip:moved@192.0.2.7>"))
    (event,) = bench.events()
    assert isinstance(event, RequestReceived)
    bench.agent.respond(event.key, 200, bench.now)
    bench.sent()
    assert usage.dialog is not None
    assert usage.dialog.remote_target == "sip:moved@192.0.2.7"


def test_an_update_with_offer_is_one_offer_at_a_time() -> None:
    bench = Bench()
    usage = bench.answered()
    bench.put(request("UPDATE", branch="u1", cseq=2, to_tag=usage.id, body=SDP))
    assert bench.statuses(request("UPDATE", branch="u2", cseq=3, to_tag=usage.id, body=SDP)) == [500]
    bench.agent.respond(bench.events()[0].key, 200, bench.now, SDP)  # type: ignore[union-attr]
    bench.sent()
    assert bench.put(request("UPDATE", branch="u3", cseq=4, to_tag=usage.id, body=SDP)) == []
    assert bench.kinds() == ["RequestReceived"]


def test_offers_in_a_call_we_are_ending_are_481() -> None:
    bench = Bench()
    usage = bench.answered()
    bench.agent.bye(usage, bench.now)
    bench.sent()
    assert bench.statuses(request("INVITE", branch="re", cseq=2, to_tag=usage.id, body=SDP)) == [481]
    assert bench.statuses(request("BYE", branch="bye", cseq=3, to_tag=usage.id)) == [200]
    assert bench.kinds() == []


def test_what_the_user_never_answered_ends_with_the_call() -> None:
    bench = Bench()
    usage = bench.answered()
    bench.put(request("INFO", branch="i", cseq=2, to_tag=usage.id))
    key = bench.events()[0].key  # type: ignore[union-attr]
    bench.agent.bye(usage, bench.now)
    bye = bench.sent()[0]
    sent = bench.put(response(bye, 200))
    assert [parse(data).status for data in sent] == [487]  # type: ignore[union-attr]
    bench.agent.respond(key, 200, bench.now)
    assert bench.sent() == []


# ---- keep-alives and noise


@pytest.mark.parametrize("data", [b"\r\n\r\n", b"\x00\x00\x00\x00", b"", b" \r\n"])
def test_keepalives_are_counted_and_not_answered(data: bytes) -> None:
    bench = Bench()
    assert bench.put(data) == []
    assert (bench.agent.counters.keepalives, bench.agent.counters.malformed) == (1, 0)


def test_malformed_requests_are_answered_with_their_reason() -> None:
    bench = Bench()
    answer = bench.put(request("INVITE", branch="a", cseq_method="BYE"))[0]
    assert answer.startswith(b"SIP/2.0 400 CSeq method mismatch\r\n")
    assert bench.agent.counters.malformed == 1


def test_requests_over_ipv6_are_served() -> None:
    bench = Bench()
    flow = Flow("udp", "2001:db8::7", 5060)
    data = request("OPTIONS", branch="o").replace(b"192.0.2.7:5060;branch", b"[2001:db8::7]:5060;branch")
    bench.agent.receive(data, flow, 0.0)
    assert bench.kinds() == ["RequestReceived"]


@pytest.mark.parametrize(("transport", "status"), [("tls", 100), ("tcp", 416), ("udp", 416)])
def test_sips_is_taken_over_tls_alone(transport: str, status: int) -> None:
    invite = request("INVITE", branch="s", body=SDP).replace(b"INVITE sip:", b"INVITE sips:", 1)
    (reply,) = Bench().put(invite, Flow(transport, "192.0.2.7", 5060))
    assert reply.startswith(b"SIP/2.0 %d " % status)


@pytest.mark.parametrize(
    ("headers", "status"),
    [("Replaces: c9;to-tag=1;from-tag=2\r\n", 481), ("Join: c9;to-tag=1;from-tag=2\r\n", 481),
     ("Require: replaces\r\nReplaces: c9;to-tag=1;from-tag=2\r\n", 420)],
)  # fmt: skip
def test_nobody_takes_over_or_joins_a_call(headers: str, status: int) -> None:
    """RFC 3891 §3: no dialog matches, not even one that is there."""
    bench = Bench()
    usage = bench.answered()
    headers = headers.replace("c9", "c1").replace("to-tag=1", f"to-tag={usage.id}").replace("from-tag=2", "from-tag=f1")
    assert bench.statuses(request("INVITE", branch="r", call_id="c8", headers=headers, body=SDP)) == [status]
    assert bench.events() == []
