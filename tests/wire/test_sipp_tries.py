"""A callee that cannot be reached at one place is tried at the next, and a 3xx is followed where that is safe."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from maskline.sip.framer import Framer
from tests.support.sipp_field import HOST, OVER_BOTH, TCP_SLOT, Field, FieldCall, callee_host, until

pytestmark = pytest.mark.wire
NewCall = Callable[..., FieldCall]
SLOT = 4
_HOSTS = (f"127.0.0.{number}" for number in range(100, 120))
"""One for each gateway: a trunk that was removed is known for up to a second."""


class Gateway:
    """A carrier's server that takes no call: it answers every INVITE with one status."""

    def __init__(self, status: str, *headers: str, transport: str = "udp") -> None:
        self.answer = "\r\n".join((f"SIP/2.0 {status}", *headers))
        self.transport = transport
        self.asked: list[str] = []
        self.welcome = threading.Event()
        self.host = next(_HOSTS)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((self.host, 0))
        self.port: int = self.socket.getsockname()[1]
        self.threads = [threading.Thread(target=self._serve)]
        self.listener: socket.socket | None = None
        if transport == "tcp":
            self.listener = socket.create_server((self.host, self.port))
            self.threads.append(threading.Thread(target=self._serve_stream, args=(self.listener,)))

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def _serve(self) -> None:
        while True:
            data, source = self.socket.recvfrom(65535)
            if data == b"stop":
                return
            if answer := self._answer(data.decode()):
                self.socket.sendto(answer.encode(), source)

    def _serve_stream(self, listener: socket.socket) -> None:
        """One connection, until it is closed: by us, when we stop."""
        with listener.accept()[0] as stream:
            stream.settimeout(30.0)
            framer = Framer()
            while data := stream.recv(65535):
                for message in framer.feed(data):
                    if answer := self._answer(message.decode()):
                        stream.sendall(answer.encode())
                        # With the refusal all is said but the ACK.
                        stream.recv(65535)
                        return

    def _answer(self, text: str) -> str:
        if text.startswith("SIP/2.0 200"):
            self.welcome.set()
        if not text.startswith("INVITE"):
            return ""
        self.asked.append(text)
        echo = re.findall(r"^(?:Via|From|Call-ID|CSeq): .*", text, re.M)
        to = re.findall(r"^To: .*", text, re.M)[0].rstrip() + ";tag=gateway"
        return "\r\n".join([self.answer, *[line.rstrip() for line in echo], to, "Content-Length: 0", "", ""])

    def ask(self, server: tuple[str, int]) -> bool:
        """OPTIONS: only who is known is answered."""
        via = f"Via: SIP/2.0/UDP {self.host}:{self.port};branch=z9hG4bK{self.port}"
        lines = [
            f"OPTIONS sip:{HOST} SIP/2.0", via, "Max-Forwards: 70", "From: <sip:probe@probe>;tag=1",
            f"To: <sip:{HOST}>", f"Call-ID: {self.port}", "CSeq: 1 OPTIONS", "Content-Length: 0", "", "",
        ]  # fmt: skip
        self.socket.sendto("\r\n".join(lines).encode(), server)
        return self.welcome.wait(0.1)

    def stop(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.sendto(b"stop", (self.host, self.port))
        if self.listener is not None and not self.asked:
            socket.create_connection((self.host, self.port)).close()
        for thread in self.threads:
            thread.join()
        self.socket.close()
        if self.listener is not None:
            self.listener.close()


@contextmanager
def gateway(
    field: Field, status: str, *headers: str, options: tuple[str, ...] = (), slot: int = SLOT
) -> Iterator[Gateway]:
    """The first choice among trunks to the callees of `slot`: its prefix is longer. It speaks what they speak."""
    transport = "tcp" if slot == TCP_SLOT else "udp"
    made = Gateway(status, *headers, transport=transport)
    made.start()
    name = f"gateway {made.port}"
    field.cli(
        "trunk", "add", name, "--host", made.host, "--port", str(made.port), "--prefix", f"+9199000{slot}0",
        "--transport", transport, *options,
    )  # fmt: skip
    try:
        until(lambda: made.ask(field.platform.sip_address), what="the engine's look at the gateway")
        yield made
    finally:
        field.cli("trunk", "remove", name)
        made.stop()


@OVER_BOTH
@pytest.mark.parametrize("status", ["503 Service Unavailable", "302 Moved Temporarily"])
def test_a_gateway_that_is_busy_or_knows_a_better_place(field: Field, new_call: NewCall, status: str) -> None:
    followed = status.startswith("302")
    call = new_call(SLOT)
    host, port = callee_host(call.slot), field.ports[call.slot]
    there = f"Contact: <sip:+{call.callee_number}@{host}:{port}>"
    options = ("--redirects", "--source", f"{host}/32") if followed else ()
    with gateway(field, status, *([there] if followed else []), options=options, slot=call.slot) as carrier:
        call.caller.invite().expect(180).answered().pause(0.1).hang_up()
        call.callee.invited().progress().answer().let_go()
        call.run()
    (tried,) = carrier.asked
    invite = call.called.got("INVITE")
    # Another dialog altogether.
    assert invite.header("Call-ID") not in tried and invite.header("From") not in tried
    assert call.calling.heard == ["180 INVITE", "200 INVITE", "200 BYE"]
    assert call.ended_as() == ("completed", "normal", "caller")
    assert call.facts().count("LegRedialed") == 1


@pytest.mark.parametrize(
    "contact", ["<sip:+12025550123@127.0.0.85:5060>", "<sip:{callee}@192.0.2.1>", "<tel:+1202555>"]
)
def test_a_gateway_that_leads_to_somebody_else_leads_nowhere(field: Field, new_call: NewCall, contact: str) -> None:
    call = new_call(SLOT)
    header = f"Contact: {contact.format(callee='+' + call.callee_number)}"
    with gateway(field, "302 Moved Temporarily", header, options=("--redirects",)) as carrier:
        call.caller.invite().refused(480)
        call.run()
    assert len(carrier.asked) == 1
    assert call.ended_as() == ("failed", "redirected", "carrier")
