"""Two servers of a carrier behind one SRV name: a call goes to the second when the first refuses it or says nothing for
four seconds, and at once when that is known, from a call or from OPTIONS."""

from __future__ import annotations

import re
import shutil
import socket
import threading
from collections.abc import Iterator

import pytest

from tests.support.loop_thread import LoopThread
from tests.support.name_server import NameServer
from tests.support.sipp_field import Field, until

pytestmark = pytest.mark.wire
SLOT = 4
FIRST, SECOND, GONE = "127.0.0.121", "127.0.0.122", "127.0.0.123"
NAME = "carrier.test"


class Server:
    """A carrier's server: silent, until it is awake; then it is well by OPTIONS and takes no call."""

    def __init__(self, host: str, verdict: str, *, awake: bool) -> None:
        self.host, self.verdict, self.awake = host, verdict, awake
        self.checks: set[str] = set()
        self.answered_checks = 0
        self.invites: set[str] = set()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.port: int = self.socket.getsockname()[1]
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            data, source = self.socket.recvfrom(65535)
            if data == b"stop":
                return
            text = data.decode()
            (call_id,) = re.findall(r"^Call-ID: (\S+)", text, re.M)
            is_check = text.startswith("OPTIONS")
            if is_check or text.startswith("INVITE"):
                (self.checks if is_check else self.invites).add(call_id)
                if self.awake:
                    self._answer(text, "200 OK" if is_check else self.verdict, source)
                    self.answered_checks += is_check

    def _answer(self, text: str, status: str, source: object) -> None:
        lines = [line.rstrip() for line in re.findall(r"^(?:Via|From|Call-ID|CSeq): .*", text, re.M)]
        to = re.findall(r"^To: .*", text, re.M)[0].rstrip() + ";tag=server"
        answer = "\r\n".join((f"SIP/2.0 {status}", *lines, to, "Content-Length: 0", "", ""))
        self.socket.sendto(answer.encode(), source)  # type: ignore[arg-type]

    def stop(self) -> None:
        self.socket.sendto(b"stop", (self.host, self.port))
        self.thread.join()
        self.socket.close()


@pytest.fixture
def names() -> Iterator[NameServer]:
    server = NameServer()
    loop = LoopThread("name server")
    loop.run(server.open())
    yield server
    loop.loop.call_soon_threadsafe(server.close)
    loop.close()


@pytest.fixture
def servers() -> Iterator[tuple[Server, Server, Server]]:
    first = Server(FIRST, "503 Service Unavailable", awake=False)
    second = Server(SECOND, "486 Busy Here", awake=True)
    gone = Server(GONE, "", awake=False)
    yield first, second, gone
    for server in (first, second, gone):
        server.stop()


@pytest.fixture
def srv_field(tmp_path_factory: pytest.TempPathFactory, names: NameServer) -> Iterator[Field]:
    if shutil.which("sipp") is None:
        pytest.skip("sipp is not installed (Debian: sip-tester)")
    made = Field(tmp_path_factory.mktemp("srv"), MASKLINE_DNS_SERVERS=f"127.0.0.1:{names.port}")
    try:
        made.open()
        yield made
    finally:
        made.close()


def dial(field: Field) -> None:
    """A call that the second server has the last word of."""
    call = field.call(SLOT)
    try:
        call.caller.invite().refused(486)
        call.run()
    finally:
        call.stop()


def test_a_server_that_is_silent_or_refuses_is_passed_over_and_one_that_is_down_is_skipped(
    srv_field: Field, names: NameServer, servers: tuple[Server, Server, Server]
) -> None:
    first, second, gone = servers
    names.add("_sip._udp.other.test", "SRV", f"1 1 {gone.port} gone.test.", f"2 1 {second.port} second.test.")
    names.add("gone.test", "A", GONE)
    names.add(f"_sip._udp.{NAME}", "SRV", f"1 1 {first.port} first.test.", f"2 1 {second.port} second.test.")
    names.add("first.test", "A", FIRST)
    names.add("second.test", "A", SECOND)
    prefix = f"+9199000{SLOT}0"
    srv_field.cli("trunk", "add", "silent", "--host", "other.test", "--prefix", prefix)
    until(lambda: srv_field.cli("trunk", "show", "silent")["addresses"], what="the look-up of its name")
    dial(srv_field)
    assert (len(gone.invites), len(second.invites)) == (1, 1)
    dial(srv_field)
    assert (len(gone.invites), len(second.invites)) == (1, 2), "one that was silent is tried last for a while"
    srv_field.cli("trunk", "remove", "silent")
    second.invites.clear()
    srv_field.cli("trunk", "add", "by name", "--host", NAME, "--prefix", prefix, "--options-seconds", "5")
    # When the third check comes, each four seconds of waiting for the two before are over.
    until(lambda: len(first.checks) >= 3, within=25.0, what="health checks")
    assert srv_field.metrics()['maskline_trunk_addresses{state="down"}'] == 1
    dial(srv_field)
    assert (len(first.invites), len(second.invites)) == (0, 1)
    first.awake = True
    until(lambda: first.answered_checks >= 1, what="answered health checks")
    dial(srv_field)
    assert (len(first.invites), len(second.invites)) == (1, 2)
