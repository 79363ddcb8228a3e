"""The client half: what comes back to requests of ours, wanted or not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from maskline.ids import SeededIds
from maskline.sip.agent import Agent, AgentConfig, OutgoingInvite
from maskline.sip.events import ByeFinished, Flow, InviteAnswered, InviteFailed, InviteProgress, RequestFinished
from maskline.sip.invite_usage import UsageState
from maskline.sip.parser import parse
from tests.support.sip_wire import PEER, SDP, Bench, read_request, request, response


def methods(sent: list[bytes]) -> list[str]:
    return [data.split(b" ", 1)[0].decode() for data in sent]


# ---- the INVITE we write


def test_the_invite_names_nobody_but_us() -> None:
    usage, invite = Bench().inviting()
    message = read_request(invite)
    assert message.headers["from"] == f"<sip:vn@192.0.2.1>;tag={usage.id}"
    assert message.headers["contact"] == "<sip:192.0.2.1:5060>"
    assert message.headers["via"].startswith("SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK")
    assert message.via.parameters["rport"] == ""
    assert sorted(message.headers) == [
        "allow", "call-id", "contact", "content-length", "content-type", "cseq", "from", "max-forwards",
        "supported", "to", "user-agent", "via",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("transport", "port", "parameter"),
    [("udp", 5080, ""), ("tcp", 5080, "transport=tcp"), ("tls", 5443, "transport=tls")],
)
def test_via_and_contact_are_those_of_the_flow(transport: str, port: int, parameter: str) -> None:
    agent = Agent(AgentConfig("2001:db8::1", 5080, 5443, supported=("timer",)), SeededIds())
    flow = Flow(transport, "2001:db8::7", 5060)
    agent.invite(OutgoingInvite(flow, "sip:b@x", "sip:a@y", "sip:b@x"), 0.0)
    agent.options(flow, "sip:x", "sip:y", "sip:x", 0.0)
    for datagram in agent.datagrams():
        message = read_request(datagram[0])
        uri = f"sip:[2001:db8::1]:{port}" + (f";{parameter}" if parameter else "")
        assert message.headers["contact"] == f"<{uri}>"
        assert (message.via.host, message.via.port, message.via.transport) == ("2001:db8::1", port, transport)
        assert datagram[1] == flow


@pytest.mark.parametrize(("host", "other"), [("192.0.2.1", "2001:db8::1"), ("2001:db8::1", "192.0.2.1")])
@pytest.mark.parametrize(
    ("peer", "ours"), [("192.0.2.7", "192.0.2.1"), ("2001:db8::7", "[2001:db8::1]")]
)  # fmt: skip
def test_each_family_is_told_the_address_of_its_own(host: str, other: str, peer: str, ours: str) -> None:
    agent = Agent(AgentConfig(host, 5080, other_host=other), SeededIds())
    flow = Flow("udp", peer, 5060)
    agent.invite(OutgoingInvite(flow, "sip:b@x", "sip:a@y", "sip:b@x"), 0.0)
    (sent,) = agent.datagrams()
    assert f"Via: SIP/2.0/UDP {ours}:5080;".encode() in sent[0]
    assert f"Contact: <sip:{ours}:5080>\r\n".encode() in sent[0]
    assert agent.host_for(flow) == ours.strip("[]")


def test_extensions_we_have_are_told() -> None:
    agent = Agent(AgentConfig("192.0.2.1", 5060, supported=("timer",)), SeededIds())
    agent.invite(OutgoingInvite(PEER, "sip:b@x", "sip:a@y", "sip:b@x"), 0.0)
    assert read_request(agent.datagrams()[0][0]).headers["supported"] == "timer"


def test_in_a_dialog_over_a_stream_everything_takes_the_stream() -> None:
    bench, flow = Bench(), Flow("tcp", "192.0.2.7", 5060)
    usage = bench.agent.invite(OutgoingInvite(flow, "sip:b@192.0.2.7", "sip:a@y", "sip:b@192.0.2.7", SDP), 0.0)
    (invite,) = bench.sent()
    bench.put(response(invite, 200, "b1", body=SDP), flow)
    bench.agent.ack(usage, 0.0)
    bench.agent.request(usage, "UPDATE", 0.0, SDP)
    bench.agent.bye(usage, 0.0)
    sent = bench.agent.datagrams()
    assert [read_request(item[0]).method for item in sent] == ["ACK", "UPDATE", "BYE"]
    assert {item[1] for item in sent} == {flow}
    assert {read_request(item[0]).via.transport for item in sent} == {"tcp"}
    assert read_request(sent[1][0]).headers["contact"] == "<sip:192.0.2.1:5060;transport=tcp>"


@pytest.mark.parametrize("field", ["request_uri", "from_uri", "to_uri"])
def test_a_line_break_in_a_uri_is_our_bug(field: str) -> None:
    uris = {"request_uri": "sip:b@x", "from_uri": "sip:a@y", "to_uri": "sip:b@x", field: "sip:b@x\r\nX: y"}
    with pytest.raises(ValueError, match="line break"):
        Bench().agent.invite(OutgoingInvite(PEER, **uris), 0.0)


# ---- responses


@pytest.mark.parametrize("status", [100, 180, 200, 486])
def test_a_response_to_nothing_is_stray(status: int) -> None:
    bench = Bench()
    assert bench.put(response(request("INVITE", branch="x"), status, "t")) == []
    assert bench.agent.counters.stray == 1


def test_a_response_with_a_second_via_or_another_call_id_is_stray() -> None:
    bench = Bench()
    _, invite = bench.inviting()
    bench.put(response(invite, 180, "b1", headers="Via: SIP/2.0/UDP x;branch=z9hG4bKy\r\n"))
    ringing = response(invite, 180, "b1")
    bench.put(ringing.replace(b"Call-ID: ", b"Call-ID: x"))
    assert (bench.kinds(), bench.agent.counters.stray) == ([], 2)


def test_100_is_not_told_183_is() -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    bench.put(response(invite, 100))
    assert bench.kinds() == []
    bench.put(response(invite, 183, "b1", body=SDP))
    (event,) = bench.events()
    assert isinstance(event, InviteProgress)
    assert (event.response.to_tag, usage.dialog is not None and usage.dialog.remote_tag) == ("b1", "b1")


def test_a_ringing_without_tag_makes_no_dialog() -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    bench.put(response(invite, 180))
    assert bench.kinds() == ["InviteProgress"]
    assert usage.dialog is None


def test_early_dialogs_are_bounded() -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    for number in range(40):
        bench.put(response(invite, 180, f"t{number}"))
    assert usage.early is not None
    assert len(usage.early) == 16
    assert bench.agent.sizes()["dialogs"] == 1


def test_the_ack_goes_where_contact_and_routes_say() -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    routes = "Record-Route: <sip:192.0.2.8;lr>, <sip:192.0.2.9:5090;lr>\r\n"
    bench.put(response(invite, 200, "b1", headers=routes, contact="<sip:b@192.0.2.55:5070>", body=SDP))
    bench.agent.ack(usage, bench.now)
    (ack,) = bench.agent.datagrams()
    assert ack[1] == Flow("udp", "192.0.2.9", 5090)
    message = read_request(ack[0])
    assert (message.uri_text, message.values("route")) == (
        "sip:b@192.0.2.55:5070", ["<sip:192.0.2.9:5090;lr>", "<sip:192.0.2.8;lr>"],
    )  # fmt: skip
    assert (message.cseq, message.to_tag) == (1, "b1")
    assert message.via.branch != read_request(invite).via.branch


def test_copies_of_the_2xx_wait_for_the_user_and_then_get_the_same_ack() -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    ok = response(invite, 200, "b1", body=SDP)
    bench.put(ok)
    assert bench.put(ok) == []
    bench.agent.ack(usage, bench.now)
    ack = bench.sent()
    bench.agent.ack(usage, bench.now)
    assert bench.sent() == []
    assert bench.put(ok) == ack
    assert bench.kinds() == ["InviteAnswered"]
    bench.agent.bye(usage, bench.now)
    bye = bench.sent()[0]
    bench.put(response(bye, 200))
    assert usage.is_over
    assert bench.put(ok) == ack


def test_the_answer_goes_on_with_the_early_dialogs_numbers() -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    bench.put(response(invite, 180, "b1"))
    bench.agent.request(usage, "INFO", bench.now)
    assert read_request(bench.sent()[0]).cseq == 2
    bench.put(response(invite, 200, "b1", contact="<sip:other@192.0.2.7>", body=SDP))
    bench.agent.bye(usage, bench.now)
    ack, bye = (read_request(data) for data in bench.sent())
    assert (ack.method, ack.cseq, bye.method, bye.cseq) == ("ACK", 1, "BYE", 3)
    assert bye.uri_text == "sip:other@192.0.2.7"


def test_other_forks_are_acknowledged_and_hung_up() -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    bench.put(response(invite, 180, "b1"))
    bench.put(response(invite, 180, "b2"))
    bench.put(response(invite, 200, "b2", body=SDP))
    bench.agent.ack(usage, bench.now)
    bench.sent()
    loser = response(invite, 200, "b1", body=SDP)
    sent = bench.put(loser)
    assert methods(sent) == ["ACK", "BYE"]
    assert {read_request(data).to_tag for data in sent} == {"b1"}
    assert methods(bench.put(loser)) == ["ACK"]
    bench.put(response(sent[1], 200))
    assert bench.kinds() == ["InviteProgress", "InviteProgress", "InviteAnswered"]
    assert usage.dialog is not None
    assert usage.dialog.remote_tag == "b2"


def test_the_number_of_forks_we_hang_up_is_bounded() -> None:
    bench = Bench()
    _, invite = bench.inviting()
    for number in range(40):
        bench.put(response(invite, 200, f"t{number}", body=SDP))
    assert bench.agent.counters.stray == 40 - 16


def test_a_2xx_after_the_call_is_over_is_hung_up() -> None:
    bench = Bench()
    usage, invite = bench.connected()
    bench.agent.bye(usage, bench.now)
    bench.put(response(bench.sent()[0], 200))
    assert methods(bench.put(response(invite, 200, "late", body=SDP))) == ["ACK", "BYE"]


@pytest.mark.parametrize("headers", ["", "Record-Route: <nonsense>\r\n", f"Record-Route: {'<sip:x;lr>,' * 40}\r\n"])
@pytest.mark.parametrize("early", [True, False])
def test_a_2xx_nobody_can_route_goes_back_the_way_it_came(headers: str, early: bool) -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    contact = "<sip:b@192.0.2.7>" if headers else "<nonsense>"
    if early:
        bench.put(response(invite, 180, "b1"))
    bench.put(response(invite, 200, "b1", headers=headers, contact=contact, body=SDP))
    bench.agent.ack(usage, bench.now)
    (ack,) = bench.agent.datagrams()
    assert ack[1] == PEER
    assert isinstance(bench.events()[-1], InviteAnswered)


# ---- failures and CANCEL


def test_a_refusal_ends_the_usage_and_its_copy_gets_the_same_ack() -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    busy = response(invite, 486, "b1", headers="Reason: Q.850;cause=17\r\n")
    ack = bench.put(busy)
    assert methods(ack) == ["ACK"]
    assert bench.put(busy) == ack
    (event,) = bench.events()
    assert isinstance(event, InviteFailed)
    assert event.response is not None
    assert (event.status, event.response.q850_cause, usage.is_over) == (486, 17, True)
    bench.agent.cancel(usage, bench.now)
    bench.agent.bye(usage, bench.now)
    assert bench.sent() == []


def test_cancel_repeats_the_branch_and_ringing_is_no_longer_told() -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    bench.put(response(invite, 180, "b1"))
    bench.events()
    bench.agent.cancel(usage, bench.now)
    bench.agent.cancel(usage, bench.now)
    (cancel,) = [read_request(data) for data in bench.sent()]
    asked = read_request(invite)
    assert (cancel.method, cancel.uri_text, cancel.via.branch, cancel.cseq) == (
        "CANCEL", asked.uri_text, asked.via.branch, asked.cseq,
    )  # fmt: skip
    assert bench.put(response(invite, 183, "b1")) == []
    assert bench.kinds() == []


def test_a_refusal_that_crosses_cancel_is_told_as_it_is() -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    bench.put(response(invite, 180, "b1"))
    bench.agent.cancel(usage, bench.now)
    bench.put(response(invite, 486, "b1"))
    last = bench.events()[-1]
    assert isinstance(last, InviteFailed)
    assert last.status == 486


def test_an_unanswered_cancel_before_any_response_ends_as_487() -> None:
    bench = Bench()
    usage, _ = bench.inviting()
    bench.agent.cancel(usage, bench.now)
    bench.pass_time(33)
    (event,) = bench.events()
    assert isinstance(event, InviteFailed)
    assert event.status == 487
    assert bench.agent.counters.timeouts == 1


def test_a_lost_cancel_times_out_silently() -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    bench.put(response(invite, 180, "b1"))
    bench.agent.cancel(usage, bench.now)
    bench.events()
    assert set(methods(bench.pass_time(31.9))) == {"CANCEL"}
    bench.pass_time(1)
    assert bench.kinds() == ["InviteFailed"]
    assert bench.agent.sizes()["client_transactions"] == 0


# ---- BYE


def test_a_bye_before_our_ack_acknowledges_first() -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    bench.put(response(invite, 200, "b1", body=SDP))
    bench.agent.bye(usage, bench.now)
    assert methods(bench.sent()) == ["ACK", "BYE"]


@pytest.mark.parametrize("status", [200, 481, 408, 401])
def test_any_final_response_finishes_our_bye(status: int) -> None:
    bench = Bench()
    usage, _ = bench.connected()
    bench.agent.bye(usage, bench.now)
    bye = bench.sent()[0]
    bench.put(response(bye, 100))
    assert bench.kinds() == []
    bench.put(response(bye, status))
    (event,) = bench.events()
    assert isinstance(event, ByeFinished)
    assert (event.status, usage.is_over) == (status, True)


def test_a_dead_flow_finishes_our_bye() -> None:
    bench = Bench()
    usage, _ = bench.connected()
    bench.agent.bye(usage, bench.now)
    bench.agent.flow_failed(PEER, bench.now)
    (event,) = bench.events()
    assert isinstance(event, ByeFinished)
    assert event.status == 503


@pytest.mark.parametrize("length", [4096, 200])
def test_icmp_that_quotes_an_invite_fails_it_at_once(length: int) -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    bench.agent.flow_failed(PEER, bench.now, invite[:length])
    (event,) = bench.events()
    assert isinstance(event, InviteFailed)
    assert (event.usage, event.status, event.response) == (usage, 503, None)
    bench.agent.flow_failed(PEER, bench.now, invite)
    assert bench.kinds() == []


@pytest.mark.parametrize("heard", [100, 180])
def test_icmp_says_nothing_of_an_invite_that_was_heard(heard: int) -> None:
    bench = Bench()
    _, invite = bench.inviting()
    bench.put(response(invite, heard, "b1"))
    bench.events()
    bench.agent.flow_failed(PEER, bench.now, invite)
    assert bench.kinds() == []


@pytest.mark.parametrize(
    "quote",
    [lambda invite: b"", lambda invite: invite[:60], lambda invite: invite.replace(b"z9hG4bK", b"z9hG4bKa", 1),
     lambda invite: invite.replace(b"INVITE", b"OPTIONS", 1), lambda invite: b"SIP/2.0 200 OK\r\n" + invite],
)  # fmt: skip
def test_icmp_that_quotes_nothing_of_ours_is_anybodys(quote: Callable[[bytes], bytes]) -> None:
    """RFC 5927: who knows two addresses can write it; ringing calls ended by it, and the carrier was avoided."""
    bench = Bench()
    _, invite = bench.inviting()
    bench.agent.flow_failed(PEER, bench.now, quote(invite))
    bench.agent.flow_failed(PEER._replace(port=5070), bench.now, invite)
    assert bench.kinds() == []
    assert bench.pass_time(0.5) == [invite], "it goes on"


def test_icmp_finishes_our_bye() -> None:
    bench = Bench()
    usage, _ = bench.connected()
    bench.agent.bye(usage, bench.now)
    bench.agent.flow_failed(PEER, bench.now, bench.sent()[0])
    assert bench.kinds() == ["ByeFinished"]


def test_a_bye_of_a_lost_fork_that_gets_no_answer_is_forgotten() -> None:
    bench = Bench()
    usage, invite = bench.connected()
    bench.put(response(invite, 200, "loser", body=SDP))
    bench.pass_time(40)
    assert bench.kinds() == []
    assert bench.agent.sizes()["client_transactions"] == 0
    assert usage.state is UsageState.CONFIRMED


def test_the_callees_bye_ends_the_call() -> None:
    bench = Bench()
    usage, invite = bench.connected()
    bye = request("BYE", branch="bye", to_tag=usage.id, from_tag="b1", call_id=read_request(invite).call_id)
    assert bench.statuses(bye) == [200]
    assert bench.kinds() == ["ByeReceived"]


def test_a_bye_on_the_only_early_dialog_ends_the_call_and_its_late_answer() -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    bench.put(response(invite, 180, "b1"))
    bye = request("BYE", branch="bye", to_tag=usage.id, from_tag="b1", call_id=read_request(invite).call_id)
    sent = bench.put(bye)
    assert sorted(methods(sent)) == ["CANCEL", "SIP/2.0"]
    assert bench.kinds() == ["InviteProgress", "ByeReceived"]
    assert methods(bench.put(response(invite, 200, "b1", body=SDP))) == ["ACK", "BYE"]
    bench.pass_time(70)
    bench.events()
    assert not any(bench.agent.sizes().values())


@pytest.mark.parametrize("status", [None, 183, 487])
def test_whatever_else_comes_to_a_call_that_ended_early_is_not_told(status: int | None) -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    bench.put(response(invite, 180, "b1"))
    bench.put(request("BYE", branch="bye", to_tag=usage.id, from_tag="b1", call_id=read_request(invite).call_id))
    bench.events()
    if status is not None:
        bench.put(response(invite, status, "b1"))
    bench.pass_time(80)
    assert bench.kinds() == []
    assert not any(bench.agent.sizes().values())


def test_a_bye_on_the_early_dialog_of_a_cancelled_call_ends_it() -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    bench.put(response(invite, 180, "b1"))
    bench.agent.cancel(usage, bench.now)
    bye = request("BYE", branch="bye", to_tag=usage.id, from_tag="b1", call_id=read_request(invite).call_id)
    assert methods(bench.sent() + bench.put(bye)) == ["CANCEL", "SIP/2.0"]
    assert bench.kinds() == ["InviteProgress", "ByeReceived"]


def test_a_bye_on_one_of_two_early_dialogs_leaves_the_other() -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    bench.put(response(invite, 180, "b1"))
    bench.put(response(invite, 180, "b2"))
    call_id = read_request(invite).call_id
    assert bench.statuses(request("BYE", branch="bye", to_tag=usage.id, from_tag="b2", call_id=call_id)) == [200]
    assert "ByeReceived" not in bench.kinds()
    bench.put(response(invite, 200, "b1", body=SDP))
    assert bench.kinds() == ["InviteAnswered"]


def test_offers_on_an_early_dialog_of_ours_meet_ours() -> None:
    bench = Bench()
    usage, invite = bench.inviting()
    bench.put(response(invite, 180, "b1"))
    call_id = read_request(invite).call_id
    update = request("UPDATE", branch="u", to_tag=usage.id, from_tag="b1", call_id=call_id, body=SDP)
    assert bench.statuses(update) == [491]


# ---- requests of ours inside a dialog


def test_info_and_its_response() -> None:
    bench = Bench()
    usage, _ = bench.connected()
    bench.agent.request(usage, "INFO", bench.now, b"Signal=1", "application/dtmf-relay")
    info = bench.sent()[0]
    assert read_request(info).content_type == "application/dtmf-relay"
    assert read_request(info).contact is None
    bench.put(response(info, 200))
    (event,) = bench.events()
    assert isinstance(event, RequestFinished)
    assert (event.usage, event.method, event.status) == (usage, "INFO", 200)


def test_a_request_without_answer_is_408() -> None:
    bench = Bench()
    usage, _ = bench.connected()
    bench.agent.request(usage, "UPDATE", bench.now, SDP)
    bench.pass_time(33)
    (event,) = bench.events()
    assert isinstance(event, RequestFinished)
    assert (event.status, event.response) == (408, None)
    assert usage.pending is None


def test_a_re_invite_with_offer_is_acknowledged_by_the_agent_and_moves_the_target() -> None:
    bench = Bench()
    usage, _ = bench.connected()
    bench.agent.request(usage, "INVITE", bench.now, SDP)
    re_invite = bench.sent()[0]
    bench.put(response(re_invite, 183))
    ok = response(re_invite, 200, body=SDP, contact="<sip:moved@192.0.2.7:5099>")
    (ack,) = bench.put(ok)
    assert read_request(ack).uri_text == "sip:moved@192.0.2.7:5099"
    assert bench.put(ok) == [ack]
    assert bench.kinds() == ["RequestFinished"]
    bench.agent.request(usage, "INVITE", bench.now, SDP)
    assert methods(bench.sent()) == ["INVITE"]


def test_a_re_invite_without_offer_waits_for_the_users_ack() -> None:
    bench = Bench()
    usage, _ = bench.connected()
    bench.agent.request(usage, "INVITE", bench.now)
    assert bench.put(response(bench.sent()[0], 200, body=SDP)) == []
    bench.agent.request(usage, "UPDATE", bench.now, SDP)
    assert bench.sent() == []
    bench.agent.ack(usage, bench.now, SDP)
    (ack,) = bench.sent()
    assert ack.endswith(SDP)
    assert [event.status for event in bench.events()] == [200]  # type: ignore[union-attr]
    assert methods(bench.pass_time(4.1))[0] == "UPDATE"


def test_a_refused_re_invite_is_told_and_the_call_goes_on() -> None:
    bench = Bench()
    usage, _ = bench.connected()
    bench.agent.request(usage, "INVITE", bench.now, SDP)
    assert methods(bench.put(response(bench.sent()[0], 488))) == ["ACK"]
    (event,) = bench.events()
    assert isinstance(event, RequestFinished)
    assert (event.status, usage.state) == (488, UsageState.CONFIRMED)


def test_a_second_offer_of_ours_waits() -> None:
    bench = Bench()
    usage, _ = bench.connected()
    bench.agent.request(usage, "INVITE", bench.now, SDP)
    bench.sent()
    bench.agent.request(usage, "INVITE", bench.now, SDP)
    (event,) = bench.events()
    assert isinstance(event, RequestFinished)
    assert (event.status, event.response, bench.sent()) == (491, None, [])


def test_a_request_before_any_dialog_or_after_our_bye_is_not_sent() -> None:
    bench = Bench()
    usage, _ = bench.inviting()
    bench.agent.request(usage, "INFO", bench.now)
    assert bench.kinds() == ["RequestFinished"]
    connected, _ = bench.connected()
    bench.agent.bye(connected, bench.now)
    bench.sent()
    bench.agent.request(connected, "INFO", bench.now)
    assert bench.sent() == []
    assert bench.kinds() == ["RequestFinished"]


def test_what_is_under_way_when_the_call_ends_is_settled_silently() -> None:
    bench = Bench()
    usage, invite = bench.connected()
    bench.agent.request(usage, "INFO", bench.now)
    bench.agent.request(usage, "INVITE", bench.now, SDP)
    info, re_invite = bench.sent()
    bye = request("BYE", branch="bye", to_tag=usage.id, from_tag="b1", call_id=read_request(invite).call_id)
    bench.put(bye)
    bench.put(response(info, 481))
    ok = response(re_invite, 200, body=SDP)
    ack = bench.put(ok)
    assert methods(ack) == ["ACK"]
    assert bench.put(ok) == ack
    assert bench.kinds() == ["ByeReceived"]


# ---- OPTIONS


def test_options_that_fail_are_told() -> None:
    bench = Bench()
    bench.agent.options(PEER, "sip:192.0.2.7", "sip:192.0.2.1", "sip:192.0.2.7", bench.now)
    bench.agent.flow_failed(Flow("udp", "192.0.2.99", 5060), bench.now)
    bench.pass_time(33)
    (event,) = bench.events()
    assert isinstance(event, RequestFinished)
    assert (event.usage, event.status, event.flow) == (None, 408, PEER)


def test_options_we_were_asked_are_answered_by_the_user() -> None:
    bench = Bench()
    bench.put(request("OPTIONS", branch="o"))
    bench.agent.respond(bench.events()[0].key, 503, bench.now, headers=(("Retry-After", "9"),))  # type: ignore[union-attr]
    assert parse(bench.sent()[0]).retry_after == 9  # type: ignore[union-attr]
