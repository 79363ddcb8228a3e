"""Calls between two SIPps of which one or both speak TCP."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest

from tests.support.sipp_field import TCP_SLOT, Field, FieldCall, callee_host, until
from tests.support.sipp_script import sdp
from tests.wire.test_sipp_changes import answered, asked
from tests.wire.test_sipp_reliable import DEMANDED, hear_reliably, ring_reliably

pytestmark = pytest.mark.wire
SILENT_SLOT = 3
NewCall = Callable[..., FieldCall]


@pytest.mark.parametrize("caller", ["udp", "tcp"])
@pytest.mark.parametrize("callee", ["udp", "tcp"])
def test_a_call_crosses_from_one_transport_to_another(new_call: NewCall, caller: str, callee: str) -> None:
    call = new_call(TCP_SLOT if callee == "tcp" else 0)
    if caller == "tcp":
        call.call_over_tcp()
    call.caller.invite().expect(180).answered().pause(0.2).hang_up()
    call.callee.invited().progress().answer().let_go()
    call.run()
    invite = call.called.got("INVITE")
    assert invite.header("Via").startswith(f"SIP/2.0/{callee.upper()} ")
    assert ("transport=tcp" in invite.header("Contact")) is (callee == "tcp")
    assert ("transport=tcp" in call.calling.got("200 INVITE").header("Contact")) is (caller == "tcp")
    assert call.called.heard == ["INVITE", "ACK", "BYE"]
    assert call.ended_as() == ("completed", "normal", "caller")


def test_a_callee_over_tcp_hangs_up_a_caller_over_tcp(new_call: NewCall) -> None:
    """Our BYE to the caller takes the connection it opened: nothing else leads to it."""
    call = new_call(TCP_SLOT)
    call.call_over_tcp()
    call.caller.invite().expect(180).answered().expect("BYE").reply("200 OK")
    call.callee.invited().progress().answer().pause(0.2).hang_up()
    call.run()
    assert call.called.heard == ["INVITE", "ACK", "200 BYE"]
    assert call.ended_as() == ("completed", "normal", "callee")


@pytest.mark.parametrize("there", ["tcp", "udp"])
def test_an_invite_too_large_for_udp_takes_tcp_where_it_is_spoken(field: Field, new_call: NewCall, there: str) -> None:
    """RFC 3261 §18.1.1, at a trunk over UDP: a long domain in four headers makes 1,300 bytes of any INVITE."""
    call = new_call(TCP_SLOT if there == "tcp" else 0)
    domain, name = add_trunk_of_large_invites(field, call, there)
    call.caller.invite().expect(180).answered().pause(0.1).hang_up()
    call.callee.invited().progress().answer().let_go()
    if there == "tcp":  # what it says of itself, or the rest of the call would take UDP
        steps = call.callee.steps
        steps[:] = [step.replace("[local_port]>", "[local_port];transport=tcp>") for step in steps]
    call.run()
    field.cli("trunk", "remove", name)
    invite = call.called.got("INVITE")
    assert len(invite.text) > 1_300 and invite.header("Via").startswith(f"SIP/2.0/{there.upper()} ")
    assert invite.header("From").startswith(f"<sip:+{field.virtual}@{domain}>")
    assert call.called.heard == ["INVITE", "ACK", "BYE"]
    assert call.ended_as() == ("completed", "normal", "caller")


def add_trunk_of_large_invites(field: Field, call: FieldCall, there: str) -> tuple[str, str]:
    """Its domain and name."""
    where = ("--host", callee_host(call.slot), "--port", str(field.ports[call.slot]), "--transport", "udp")
    headers = (word for name in ("from", "pai", "rpid", "diversion") for word in ("--header", name))
    domain, name = ".".join(["customers-of-masked-calls"] * 8 + ["example"]), f"large {there}"
    field.cli(
        "trunk", "add", name, *where, "--prefix", f"+{call.callee_number}", *headers, "--from-domain", domain
    )  # fmt: skip
    until(lambda: field.cli("trunk", "show", name)["addresses"], what="the engine's look at the trunk")
    return domain, name


def test_an_invite_too_large_for_udp_takes_udp_where_tcp_is_taken_and_nothing_is_said(
    field: Field, new_call: NewCall
) -> None:
    """As behind a firewall that accepts connections for everybody: the kernel does here, and nobody reads."""
    call = new_call(SILENT_SLOT)
    _, name = add_trunk_of_large_invites(field, call, "silent")
    call.caller.invite().expect(180).answered().pause(0.1).hang_up()
    call.callee.invited().progress().answer().let_go()
    with socket.create_server((callee_host(call.slot), field.ports[call.slot])) as listener:
        call.run()
        listener.settimeout(5.0)
        connection, _ = listener.accept()
        with connection:
            first = connection.recv(65_536).decode()
    field.cli("trunk", "remove", name)
    invite = call.called.got("INVITE")
    assert len(invite.text) > 1_300 and invite.header("Via").startswith("SIP/2.0/UDP ")
    assert first.startswith("INVITE ") and "Via: SIP/2.0/TCP " in first
    assert invite.header("Call-ID") in first
    assert invite.at - call.calling.messages[0].at > 7.5
    assert call.called.heard == ["INVITE", "ACK", "BYE"]
    assert call.ended_as() == ("completed", "normal", "caller")


def test_an_invite_that_a_trunk_of_udp_sends_by_tcp_is_its_own(field: Field, new_call: NewCall) -> None:
    """The same the other way round: an Identity (RFC 8224) makes most INVITEs too large for UDP."""
    call = new_call()
    call.calling.transport = "tcp"  # from the host of the trunk over UDP
    call.caller.invite(headers=[f"Identity: {'x' * 900};info=<https://h.example/c>;alg=ES256;ppt=shaken"])
    call.caller.expect(180).answered().pause(0.1).hang_up()
    call.callee.invited().progress().answer().let_go()
    call.run()
    assert call.called.heard == ["INVITE", "ACK", "BYE"]
    assert call.ended_as() == ("completed", "normal", "caller")


@pytest.mark.parametrize("gone", ["caller", "callee"])
def test_a_bye_to_a_side_whose_connection_ended_holds_nobody_up(new_call: NewCall, gone: str) -> None:
    """Nobody listens where its Contact leads either: what UDP finds out after 32 seconds is known at once."""
    call = new_call(TCP_SLOT)
    call.call_over_tcp()
    caller = call.caller.invite().expect(180).answered()
    callee = call.callee.invited().progress().answer()
    (caller if gone == "callee" else callee).pause(0.5).hang_up()
    call.run()
    heard = call.calling.heard if gone == "callee" else call.called.heard
    assert heard[-1] == "200 BYE"
    assert call.ended_as() == ("completed", "normal", "caller" if gone == "callee" else "callee")
    until(lambda: call.field.metrics()["maskline_sip_dialogs"] == 0, within=10.0, what="the end of both dialogs")


def test_ringing_hold_resume_and_refresh_over_tcp_on_both_sides(new_call: NewCall) -> None:
    """PRACK, re-INVITE and UPDATE take the connections that stand."""
    call = new_call(TCP_SLOT)
    call.call_over_tcp()
    caller = hear_reliably(call.caller.invite(headers=DEMANDED), 180).answered().pause(0.1)
    for version, direction in ((2, "sendonly"), (3, "sendrecv")):
        answered(caller.request("INVITE", body=sdp(direction, version=version, owner=caller.number)))
    caller.request("UPDATE").expect(200).hang_up()
    callee = ring_reliably(call.callee.invited(), "180 Ringing", 9).answer_again()
    for version, direction in ((2, "recvonly"), (3, "sendrecv")):
        asked(callee, sdp(direction, version=version, codecs=(0, 101), owner=callee.number))
    callee.let_go()
    call.run()
    assert call.called.heard == ["INVITE", "PRACK", "ACK", "INVITE", "ACK", "INVITE", "ACK", "BYE"]
    assert call.ended_as() == ("completed", "normal", "caller")
