"""Carriers whose proxy begins a call and leaves it, without Record-Route, to a gateway at an address of its own that no
trunk names: ACK, BYE and re-INVITE go past the proxy (RFC 3261 §12.2.1.1, §13.2.2.4)."""

from __future__ import annotations

import contextlib
import re
import socket
from collections.abc import Callable, Iterator

import pytest

from tests.support.sipp_field import CALLERS, Field, FieldCall, callee_host, until

pytestmark = pytest.mark.wire
GATEWAY = "127.0.0.99"
Address = tuple[str, int]


class Door:
    """One address of a carrier's, which repeats nothing."""

    def __init__(self, host: str, port: int = 0) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, port))
        self._socket.settimeout(15.0)
        self.at: Address = self._socket.getsockname()

    def close(self) -> None:
        self._socket.close()

    def say(self, first: str, lines: dict[str, str], to: Address, body: str = "") -> None:
        kind = "Content-Type: application/sdp\r\n" if body else ""
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        text = f"{first}\r\n{head}{kind}Content-Length: {len(body)}\r\n\r\n{body}"
        self._socket.sendto(text.encode(), to)

    def ask(self, method: str, uri: str, lines: dict[str, str], to: Address, body: str = "") -> None:
        via = f"SIP/2.0/UDP {self.at[0]}:{self.at[1]};branch=z9hG4bK{method}{self.at[1]}"
        self.say(f"{method} {uri} SIP/2.0", {"Via": via, "Max-Forwards": "70", **lines}, to, body)

    def hear(self, start: str) -> tuple[dict[str, str], Address]:
        """Headers of the next message that begins so, and where it came from; others are passed over."""
        while True:
            data, source = self._socket.recvfrom(65_536)
            text = data.decode()
            if text.startswith(start):
                lines = text.partition("\r\n\r\n")[0].split("\r\n")[1:]
                return {name: value for name, _, value in (line.partition(": ") for line in lines)}, source


def sdp(host: str) -> str:
    return f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"


def echo(asked: dict[str, str], tag: str = "") -> dict[str, str]:
    return {name: asked[name] + (f";tag={tag}" if name == "To" and tag else "")
            for name in ("Via", "From", "To", "Call-ID", "CSeq")}  # fmt: skip


@pytest.fixture
def gateway() -> Iterator[Door]:
    with contextlib.closing(Door(GATEWAY)) as door:
        yield door


def strangers(field: Field) -> float:
    return field.metrics()["maskline_sip_strangers_total"]


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_caller_goes_on_from_its_gateway(
    field: Field, new_call: Callable[..., FieldCall], gateway: Door, who: str
) -> None:
    call = new_call()
    call.callee.invited().progress().answer()
    call.callee.cue().hang_up() if who == "callee" else call.callee.let_go()
    call.called.start()
    call.called.wait_until_bound()
    before = strangers(field)
    with contextlib.closing(Door(CALLERS)) as proxy:
        uri = f"sip:+{field.virtual}@{field.platform.sip_address[0]}:{field.platform.sip_port}"
        lines = {
            "From": f"<sip:+{call.caller_number}@{CALLERS}>;tag=a1", "To": f"<{uri}>", "Call-ID": "of-a-gateway-" + who,
            "CSeq": "1 INVITE", "Contact": f"<sip:a@{GATEWAY}:{gateway.at[1]}>",
        }  # fmt: skip
        proxy.ask("INVITE", uri, lines, field.platform.sip_address, sdp(GATEWAY))
        answer, server = proxy.hear("SIP/2.0 200")
    target = re.sub(r"^<(.*)>$", r"\1", answer["Contact"])
    dialog = {**lines, "To": answer["To"]}
    gateway.ask("ACK", target, {**dialog, "CSeq": "1 ACK"}, server)
    if who == "caller":
        gateway.ask("BYE", target, {**dialog, "CSeq": "2 BYE"}, server)
        gateway.hear("SIP/2.0 200")
    else:
        call.called.cue()  # not before the caller has its answer, or it was no call
        bye, server = gateway.hear("BYE ")
        gateway.say("SIP/2.0 200 OK", echo(bye), server)
    assert call.called.finish(20.0) == 0, call.called.story()
    assert call.ended_as() == ("completed", "normal", who)
    assert strangers(field) == before


@pytest.mark.parametrize("who", ["caller", "callee"])
def test_a_callee_goes_on_from_its_gateway(
    field: Field, new_call: Callable[..., FieldCall], gateway: Door, who: str
) -> None:
    call = new_call(2)
    call.caller.invite().expect(180).answered()
    call.caller.pause(0.2).hang_up() if who == "caller" else call.caller.expect("BYE").reply("200 OK")
    before = strangers(field)
    with contextlib.closing(Door(callee_host(2), field.ports[2])) as proxy:
        call.calling.start(f"{field.platform.sip_address[0]}:{field.platform.sip_port}")
        invite, server = proxy.hear("INVITE ")
        contact = {"Contact": f"<sip:b@{GATEWAY}:{gateway.at[1]}>"}
        proxy.say("SIP/2.0 180 Ringing", {**echo(invite, "b1"), **contact}, server)
        proxy.say("SIP/2.0 200 OK", {**echo(invite, "b1"), **contact}, server, sdp(GATEWAY))
        gateway.hear("ACK ")
        if who == "caller":
            bye, server = gateway.hear("BYE ")
            gateway.say("SIP/2.0 200 OK", echo(bye), server)
        else:
            until(lambda: any(seen.sent and seen.word == "ACK" for seen in call.calling.messages), what="the answer")
            target = re.sub(r"^<(.*)>$", r"\1", invite["Contact"])
            dialog = {"From": invite["To"] + ";tag=b1", "To": invite["From"], "Call-ID": invite["Call-ID"]}
            gateway.ask("BYE", target, {**dialog, "CSeq": "1 BYE"}, server)
            gateway.hear("SIP/2.0 200")
    assert call.calling.finish(20.0) == 0, call.calling.story()
    assert call.ended_as() == ("completed", "normal", who)
    assert strangers(field) == before
