"""A running platform between two SIPps: provisioned once, one masking session and one pair of scenarios per call.

What it is: processes, sessions, what each side saw, the record. What it is not: scenarios (`sipp_script.py`). Who
uses it: tests/wire/test_sipp_*.py. The two sides have addresses of their own on loopback, so that an address that
crosses is found like a number that crosses.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pytest

import maskline
from maskline.lab.leaks import find_leaks
from maskline.lab.platform import Platform
from maskline.lab.ports import free_port
from maskline.masking.e164 import parse_number
from tests.support.baresip import REAL_TIME
from tests.support.bound_ports import is_bound
from tests.support.platform_commands import typed
from tests.support.sipp_script import Callee, Caller, Script

HOST, CALLERS = "127.0.0.1", "127.0.0.77"
SLOTS, TCP_SLOT, TCP_CALLERS = 7, 6, "127.0.0.78"
"""Callee carriers, of which `TCP_SLOT` speaks TCP; calls in different slots may run at the same time."""
OVER_BOTH = pytest.mark.parametrize("new_call", ["udp", "tcp"], indirect=True)
"""A test whose calls go over UDP on both sides, and once more over TCP on both, where one is made at a time. Over TCP
nothing comes twice: neither side may be in a pause when it is to hear something."""
T = TypeVar("T")


def until(look: Callable[[], T | None], within: float = 30.0, what: str = "it") -> T:
    """Ask again until there is something; fails after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what} did not happen within {within} s"
        time.sleep(0.02)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


@dataclass(frozen=True)
class Seen:
    """One message in SIPp's log."""

    sent: bool
    text: str
    at: float = 0.0
    """By the clock of the day."""

    @property
    def word(self) -> str:
        """`INVITE`, or `200 INVITE` of a response."""
        first, _, _ = self.text.partition("\n")
        words = first.split()
        if not first.startswith("SIP/2.0 "):
            return words[0]
        method = re.search(r"^CSeq:\s*\d+\s+(\w+)", self.text, re.M | re.I)
        return f"{words[1]} {method[1] if method else '?'}"

    @property
    def body(self) -> str:
        return self.text.partition("\n\n")[2].strip("\n")

    def header(self, name: str) -> str:
        found = re.search(rf"^{name}:[ \t]*(.*)$", self.text, re.M | re.I)
        return found[1].strip() if found else ""

    def line(self, start: str) -> str:
        """The first SDP line that starts so, without that start."""
        return next((line[len(start) :].strip() for line in self.body.split("\n") if line.startswith(start)), "")


_ENTRY = re.compile(r"^-{20,} [^\n]*?\b([\d.]+)\n(?:UDP|TCP) message (sent|received)[^\n]*:\n\n", re.M)


def read_log(path: Path) -> list[Seen]:
    if not path.exists():
        return []
    parts = _ENTRY.split(path.read_bytes().replace(b"\r", b"").decode("utf-8", "surrogateescape"))
    entries = zip(parts[1::3], parts[2::3], parts[3::3], strict=True)
    return [Seen(kind == "sent", text, float(at)) for at, kind, text in entries]


class Side:
    """One SIPp process with its scenario."""

    def __init__(self, script: Script, folder: Path, name: str, host: str, port: int) -> None:
        self.script, self.host, self.port, self.name = script, host, port, name
        self.folder = folder
        self.log = folder / f"{name}.messages"
        self.process: subprocess.Popen[bytes] | None = None
        self.media_port = 0
        """Where SIPp has its media (and two above, for video); 0: it chooses."""
        self._cues = 0
        self.transport = "udp"

    def start(self, *target: str) -> None:
        scenario = self.folder / f"{self.name}.xml"
        self.script.write(scenario)
        if self.transport == "tcp":
            scenario.write_text(scenario.read_text().replace("SIP/2.0/UDP", "SIP/2.0/TCP"))
        if ":" in self.host:
            scenario.write_text(scenario.read_text().replace("IN IP4", "IN IP6"))
        media = ["-mp", str(self.media_port), "-cid_str", self._call_id] if self.media_port else []
        program = [*REAL_TIME, "sipp"] if self.media_port else ["sipp"]
        with (self.folder / f"{self.name}.out").open("wb") as out:
            self.process = subprocess.Popen(
                [*program, *target, "-sf", str(scenario), "-i", self.host, "-mi", self.host, "-p", str(self.port),
                 "-m", "1", "-l", "1", "-nostdin", "-trace_msg", "-message_file", str(self.log), "-trace_err",
                 "-error_file", str(self.folder / f"{self.name}.errors"), "-deadcall_wait", "0",
                 "-default_behaviors", "none", "-timeout", "90", "-timeout_error", "-t", f"{self.transport[0]}1",
                 *media],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip

    @property
    def _call_id(self) -> str:
        return f"{self.name}-{self.media_port}"

    def cue(self) -> None:
        """Let a script go on that waits at `Script.cue`; that of a callee as soon as it has its INVITE."""
        self._cues += 1
        call_id = self._call_id if self.media_port else self.got("INVITE").header("Call-ID")
        # Without To tag: SIPp would take it for the far side's.
        text = (
            f"MESSAGE sip:x@{self.host} SIP/2.0\r\nVia: SIP/2.0/UDP {self.host}:9;branch=z9hG4bKcue{self._cues}\r\n"
            f"From: <sip:test@{self.host}>;tag=1\r\nTo: <sip:x@{self.host}>\r\nCall-ID: {call_id}\r\n"
            f"CSeq: {self._cues} MESSAGE\r\nContent-Length: 0\r\n\r\n"
        )
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as teller:
            teller.sendto(text.encode(), (self.host, self.port))

    def wait_until_bound(self) -> None:
        def bound() -> bool:
            assert self.process is not None
            assert self.process.poll() is None, (self.folder / f"{self.name}.out").read_text(errors="replace")
            return is_bound(self.port, self.transport)

        until(bound, what="SIPp's start")

    def finish(self, within: float) -> int:
        assert self.process is not None
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.stop()
            return -9

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    @property
    def messages(self) -> list[Seen]:
        return read_log(self.log)

    @property
    def received(self) -> list[Seen]:
        return [seen for seen in self.messages if not seen.sent]

    @property
    def heard(self) -> list[str]:
        """What came, in order, without the hop-by-hop 100 and without repetitions."""
        words: list[str] = []
        known: set[str] = set()
        for seen in self.received:
            if seen.text in known or seen.word.startswith("100 "):
                continue
            known.add(seen.text)
            words.append(seen.word)
        return words

    def got(self, word: str, index: int = 0) -> Seen:
        return [seen for seen in self.received if seen.word == word][index]

    def story(self) -> str:
        errors = self.folder / f"{self.name}.errors"
        lines = [f"  {'sent' if seen.sent else 'got '} {seen.word}" for seen in self.messages]
        tail = errors.read_text(errors="replace")[:1500] if errors.exists() else ""
        return "\n".join([f"{self.name}:", *lines, tail])


class Way(NamedTuple):
    """Digits of who calls, who is to be reached, and what is dialled."""

    caller: str
    callee: str
    dialled: str


class FieldCall:
    """One masked call in the making: fill the two scripts, `run`, then look."""

    def __init__(self, field: Field, number: int, slot: int, session_id: str, way: Way | None = None) -> None:
        self.field = field
        self.session_id = session_id
        self.slot = slot
        way = way or Way(*parties(number, slot), field.virtual)
        self.caller_number, self.callee_number = way.caller, way.callee
        self.caller = Caller(way.caller, way.dialled)
        self.callee = Callee(way.callee)
        folder = field.folder / f"call-{number}"
        folder.mkdir()
        self.calling = Side(self.caller, folder, "caller", CALLERS, free_port())
        self.called = Side(self.callee, folder, "callee", callee_host(slot), field.ports[slot])
        self.called.transport = field.callee_transport(slot)

    def call_over_tcp(self) -> None:
        self.calling.transport, self.calling.host = "tcp", TCP_CALLERS

    def start(self) -> None:
        if self.callee.steps:
            self.called.start()
            self.called.wait_until_bound()
        self.calling.start(f"{HOST}:{self.field.platform.sip_port}")

    def finish(self, within: float = 40.0) -> None:
        """Both scenarios must have gone as written, and nothing of one side may have reached the other."""
        try:
            codes = [self.calling.finish(within)]
            if self.callee.steps:
                codes.append(self.called.finish(within if codes == [0] else 2.0))
        finally:
            self.stop()
        assert codes == [0] * len(codes), f"{self.calling.story()}\n{self.called.story()}"
        self.assert_nothing_crossed()

    def run(self, within: float = 40.0) -> None:
        self.start()
        self.finish(within)

    def stop(self) -> None:
        self.calling.stop()
        self.called.stop()

    def assert_nothing_crossed(self) -> None:
        sides = ((self.calling, self.called, self.callee_number), (self.called, self.calling, self.caller_number))
        for listener, other, number in sides:
            received = [seen.text.encode("utf-8", "surrogateescape") for seen in listener.received]
            call_ids = {seen.header("Call-ID").encode() for seen in other.received}
            assert_not_in(received, number, other.host.encode(), f":{other.port}".encode(), b"phone of", *call_ids)

    def records(self) -> list[dict[str, Any]]:
        calls: list[dict[str, Any]] = self.field.cli("call", "list", "--session", self.session_id)["calls"]
        return calls

    def record(self) -> dict[str, Any]:
        """The one record of this call, with its facts."""
        calls = until(self.records, what="a call record")
        assert len(calls) == 1
        shown: dict[str, Any] = self.field.cli("call", "show", calls[0]["call_id"])
        return shown

    def ended_as(self) -> tuple[str, str, str]:
        record = self.record()
        return record["outcome"], record["cause"], record["hung_up_by"]

    def facts(self) -> list[str]:
        return [fact["name"] for fact in self.record()["facts"]]


@contextlib.contextmanager
def ended() -> Iterator[list[FieldCall]]:
    """Calls that are put here are stopped and looked through in the end, whatever became of them."""
    made: list[FieldCall] = []
    yield made
    for call in made:
        call.stop()
    for call in made:
        call.assert_nothing_crossed()


def assert_not_in(received: Sequence[bytes], number: str, *secrets: bytes) -> None:
    """No spelling of a number, and none of `secrets`, in what somebody received."""
    assert find_leaks(received, parse_number("+" + number), secrets=secrets) == []


def parties(number: int, slot: int) -> tuple[str, str]:
    """Digits of caller and callee, of ranges for fiction; no number is part of another's."""
    return f"44770090{number:04d}", f"9199000{slot}{number:04d}"


def callee_host(slot: int) -> str:
    return f"127.0.0.{81 + slot}"


class Field:
    """`maskline serve` with one account, one virtual number, a carrier of callers and `SLOTS` of callees."""

    virtual = "18005550199"

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        sources = str(Path(maskline.__file__).parent.parent)
        self.platform = Platform(folder, HOST, PYTHONPATH=sources, **settings)
        self.ports = [free_port() for _ in range(SLOTS)]
        self.account: dict[str, Any] = {}
        self._calls = 0

    def open(self) -> None:
        asyncio.run(self.platform.start())
        self.account = self.cli("account", "create", "field")
        self.cli("account", "limits", self.account["auth_id"], "--unlimited")  # a hundred calls of a second stop it
        self.cli("number", "add", "+" + self.virtual, "--account", self.account["auth_id"])
        self._trunk("callers", CALLERS, 5060, "+44")
        self._trunk("callers over TCP", TCP_CALLERS, 5060, "+44", "tcp")
        for slot, port in enumerate(self.ports):
            prefix = f"+9199000{slot}"
            self._trunk(f"callees {slot}", callee_host(slot), port, prefix, self.callee_transport(slot))
        # A number nobody has is answered with 404 as soon as the engine knows the trunk; before, with silence.
        until(self._trunks_known, what="the engine's look at new trunks")

    def close(self) -> int:
        return self.platform.stop()

    def callee_transport(self, slot: int) -> str:
        """What the carrier in this slot speaks, as its trunk says."""
        return "tcp" if slot == TCP_SLOT else "udp"

    def call(self, slot: int = 0, **options: Any) -> FieldCall:
        """Two new parties with a session."""
        self._calls += 1
        caller, callee = parties(self._calls, slot)
        body = {"first_party": "+" + caller, "second_party": "+" + callee, **options}
        answer = self.rest("POST", "", body)
        return FieldCall(self, self._calls, slot, answer["session_uuid"])

    def dial(self, slot: int, way: Way, session_id: str = "") -> FieldCall:
        """A call of a test's own session, or of none; `slot`: whose carrier gets it."""
        self._calls += 1
        return FieldCall(self, self._calls, slot, session_id, way)

    def rest(self, method: str, path: str, body: dict[str, Any], account: dict[str, Any] | None = None) -> Any:
        account = account or self.account
        login = f"{account['auth_id']}:{account['auth_token']}".encode()
        url = f"{self.platform.url}/v1/Account/{account['auth_id']}/Masking/Session/{path}"
        headers = {"Authorization": "Basic " + base64.b64encode(login).decode(), "Content-Type": "application/json"}
        request = urllib.request.Request(url, json.dumps(body).encode(), headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def cli(self, *arguments: str) -> Any:
        return typed(self.platform, *arguments)

    def metrics(self) -> dict[str, float]:
        with urllib.request.urlopen(self.platform.url + "/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}

    def _trunk(self, name: str, host: str, port: int, prefix: str, transport: str = "udp") -> None:
        where = ("--host", host, "--port", str(port), "--transport", transport)
        self.cli("trunk", "add", name, *where, "--prefix", prefix)

    def _trunks_known(self) -> bool:
        """Whether OPTIONS from the last trunk's address is answered."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((callee_host(SLOTS - 1), 0))
            probe.settimeout(0.2)
            port = probe.getsockname()[1]
            text = (
                f"OPTIONS sip:{HOST} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP {callee_host(SLOTS - 1)}:{port};branch=z9hG4bK{port}\r\n"
                f"Max-Forwards: 70\r\nFrom: <sip:probe@probe>;tag=1\r\nTo: <sip:{HOST}>\r\nCall-ID: {port}\r\n"
                "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
            )
            probe.sendto(text.encode(), self.platform.sip_address)
            try:
                return probe.recv(4096).startswith(b"SIP/2.0 200")
            except TimeoutError:
                return False
