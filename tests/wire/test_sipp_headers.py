"""INVITEs as carriers write them, from SIPp: what must be understood is, and what names the caller stays here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from tests.support.sipp_field import FieldCall
from tests.support.sipp_script import FOLD, Caller, isup, message

pytestmark = pytest.mark.wire
NewCall = Callable[..., FieldCall]


def plain(call: FieldCall, **invite: object) -> None:
    """A short call whose INVITE has these peculiarities."""
    call.caller.invite(**invite).expect(180).answered().pause(0.1).hang_up()  # type: ignore[arg-type]
    call.callee.invited().progress().answer().let_go()
    call.run()
    assert call.ended_as() == ("completed", "normal", "caller")


def raw_invite(caller: Caller, headers: Sequence[str]) -> Caller:
    caller.sequence = 1
    caller.send(message(f"INVITE {caller.uri} SIP/2.0", headers, caller.offer), repeat=True)
    return caller.expect(100, optional=True)


def test_nothing_but_what_we_write_reaches_the_callee(new_call: NewCall) -> None:
    """Every header a real number may stand in, filled with the caller's; nothing of it arrives."""
    call = new_call()
    number = call.caller_number
    names = (
        "Diversion", "History-Info", "P-Preferred-Identity", "P-Charging-Vector", "Referred-By", "Reply-To",
        "Organization", "Call-Info", "Alert-Info",
        "User-to-User", "X-CID", "Geolocation", "Identity", "Privacy", "P-Called-Party-ID",
    )  # fmt: skip
    plain(call, headers=[f"{name}: <sip:+{number}@[local_ip]>;id={number}" for name in names])
    invite = call.called.got("INVITE")
    written = {line.partition(":")[0] for line in invite.text.partition("\n\n")[0].split("\n")[1:]}
    assert written <= {
        "Via", "Max-Forwards", "From", "To", "Call-ID", "CSeq", "Contact", "Allow", "Supported", "P-Asserted-Identity",
        "Maskline-Loop", "User-Agent", "Content-Type", "Content-Length", "Session-Expires", "Min-SE",
    }  # fmt: skip
    assert number not in invite.header("Session-Expires") + invite.header("Min-SE")


def test_a_route_set_and_several_vias(new_call: NewCall) -> None:
    """Two proxies between the caller and us want to stay in the path. Both are SIPp's own address."""
    call = new_call()
    routes = [f"<sip:[local_ip]:[local_port];lr;hop={n}>" for n in (1, 2)]
    vias = [f"Via: SIP/2.0/UDP 10.1.2.3:5062;branch=z9hG4bKinner;received=198.51.100.3,{FOLD}SIP/2.0/TCP 10.9.9.9"]
    call.caller.invite(
        headers=[
            f"Record-Route: {routes[0]}",
            f"Record-Route: {routes[1]}",
            "Route: <sip:[remote_ip]:[remote_port];lr>",
        ],
        vias=vias,
    ).expect(180).answered().expect("BYE").reply("200 OK")
    call.callee.invited().progress().answer().pause(0.1).hang_up()
    call.run()
    ringing, answer, bye = (call.calling.got(word) for word in ("180 INVITE", "200 INVITE", "BYE"))
    assert "10.1.2.3:5062" in answer.text
    assert "10.9.9.9" in answer.text
    for seen in (ringing, answer):
        assert seen.text.index("hop=1") < seen.text.index("hop=2")
    # The route set of the one who was called keeps the order of Record-Route (RFC 3261 §12.1.1).
    assert bye.text.index("hop=1") < bye.text.index("hop=2")
    assert call.ended_as() == ("completed", "normal", "callee")


def test_an_upper_case_transport_in_contact(new_call: NewCall) -> None:
    call = new_call()
    call.caller.invite(contact=f"<sip:{call.caller_number}@[local_ip]:[local_port];transport=UDP>;expires=30")
    call.caller.expect(180).answered().expect("BYE").reply("200 OK")
    call.callee.invited().progress().answer().pause(0.1).hang_up()
    call.run()
    assert call.calling.heard[-1] == "BYE"


def test_compact_names_and_folded_lines(new_call: NewCall) -> None:
    call = new_call()
    caller = call.caller
    raw_invite(
        caller,
        [
            f"v: SIP/2.0/UDP [local_ip]:[local_port]{FOLD};branch={caller.branch()}", f"Max-Forwards:{FOLD}70",
            f'f: "Caller,{FOLD}{caller.number}"{FOLD}<sip:+{caller.number}@[local_ip]>{FOLD};tag=a[pid]x[call_number]',
            f"t: <{caller.uri}>", "i: [call_id]", "CSEQ:  1    INVITE", f"m: {caller.contact}",
            "k: timer, 100rel", "x: 1800", f"s: {caller.number}", "c: application/sdp",
        ],
    ).expect(180).answered().pause(0.1).hang_up()  # fmt: skip
    caller.steps[0] = caller.steps[0].replace("Content-Type: application/sdp\n", "").replace("Content-Length:", "l:")
    call.callee.invited().progress().answer().let_go()
    call.run()
    assert call.ended_as() == ("completed", "normal", "caller")


def test_a_withheld_number_is_told_by_the_asserted_identity(new_call: NewCall) -> None:
    """RFC 3325: From is anonymous, the carrier vouches for the number; the callee sees the virtual one."""
    call = new_call()
    caller = call.caller
    headers = [
        caller.via(), "Max-Forwards: 70",
        'From: "Anonymous" <sip:anonymous@anonymous.invalid>;tag=a[pid]x[call_number]',
        f"To: <{caller.uri}>", "Call-ID: [call_id]", "CSeq: 1 INVITE", f"Contact: {caller.contact}",
        f"P-Asserted-Identity: <sip:+{caller.number}@[local_ip];user=phone>, <tel:+{caller.number}>", "Privacy: id",
    ]  # fmt: skip
    raw_invite(caller, headers).refused(486)
    call.callee.invited().refuse("486 Busy Here")
    call.run()
    assert f"sip:+{call.field.virtual}@" in call.called.got("INVITE").header("From")
    assert call.record()["cause"] == "busy"


@pytest.mark.parametrize(
    ("peculiar", "status", "recorded"),
    [
        ({"max_forwards": 0}, 483, False),
        ({"max_forwards": 1}, 483, True),
        ({"headers": ["Require: 100rel, teleport"]}, 420, False),
        ({"headers": ["Content-Encoding: gzip"]}, 415, False),
        ({"body": isup("required", "4711"), "kind": "multipart/mixed;boundary=b1"}, 415, False),
        ({"headers": ["Accept: application/pidf+xml"]}, 406, False),
        ({"body": "no session at all\n"}, 400, True),
    ],
)
def test_what_cannot_be_done_is_refused_without_troubling_the_callee(
    new_call: NewCall, peculiar: dict[str, object], status: int, recorded: bool
) -> None:
    call = new_call()
    call.caller.invite(**peculiar).refused(status)  # type: ignore[arg-type]
    call.run()
    assert call.calling.heard == [f"{status} INVITE"]
    if status == 420:
        assert call.calling.got("420 INVITE").header("Unsupported") == "teleport"
    if recorded:
        assert call.record()["legs"][0]["sip_status"] == status
    else:
        assert call.records() == []


def test_options_is_answered_with_what_we_can_do(new_call: NewCall) -> None:
    call = new_call()
    caller = call.caller
    headers = [
        caller.via(), "Max-Forwards: 0", f"From: {caller.me}", f"To: <{caller.uri}>", "Call-ID: [call_id]",
        "CSeq: 7 OPTIONS", f"Contact: {caller.contact}", "Accept: application/sdp",
    ]  # fmt: skip
    caller.send(message(f"OPTIONS {caller.uri} SIP/2.0", headers, ""), repeat=True).expect(200)
    call.run()
    answer = call.calling.got("200 OPTIONS")
    assert "INVITE" in answer.header("Allow")
    assert answer.header("Accept") == "application/sdp"
