"""`maskline doctor`: each check says ok, warn or fail, and what to do."""

from __future__ import annotations

import asyncio
import errno
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from maskline import __version__
from maskline.cli import doctor
from maskline.errors import StoreUnavailable
from maskline.lab.ports import free_port
from maskline.media.speech.piper import Piper
from maskline.media.speech.voice import Voice
from maskline.services import Services
from maskline.setting_values import MediaChoice
from maskline.settings import Settings
from tests.support.command_line import Cli


@pytest.fixture(autouse=True)
def ports_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP", "SIP"):
        monkeypatch.setenv(f"MASKLINE_{name}_PORT", str(free_port()))


def checks(cli: Cli) -> dict[str, Any]:
    return {one["check"]: one for one in cli("doctor", "--json").document["checks"]}


def test_a_fresh_directory_is_healthy_and_nothing_is_created(cli: Cli, tmp_path: Path):
    report = cli("doctor", "--json").document
    found = {one["check"]: one["state"] for one in report["checks"]}
    assert report["healthy"] is True
    assert found["database"] == "warn"
    assert found["key file"] == "warn"
    assert found["http port"] == found["sip port"] == found["media"] == found["egress"] == "ok"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("compiled", "found"), [(True, "compiled"), (False, "plain Python")])
def test_the_build_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch, compiled: bool, found: str):
    monkeypatch.setattr(doctor, "is_compiled", lambda: compiled)
    assert checks(cli)["build"] == {
        "check": "build", "state": "ok", "found": f"Maskline {__version__}, {found}", "advice": ""
    }  # fmt: skip


def test_a_database_is_opened_and_its_contents_are_counted(cli: Cli, account: str, tmp_path: Path):
    (tmp_path / "maskline.db").touch()
    found = checks(cli)
    assert (found["database"]["state"], found["accounts"]["found"]) == ("ok", "1")
    assert (found["trunks"]["state"], found["virtual numbers"]["state"]) == ("ok", "ok")


def test_what_is_missing_comes_with_the_command_to_add_it(cli: Cli, tmp_path: Path):
    (tmp_path / "maskline.db").touch()
    out = cli("doctor").out
    assert "→ maskline account create NAME" in out
    assert "→ maskline trunk add NAME --host IP" in out


def test_a_database_that_is_away_fails(cli: Cli, services: Services, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def away(_settings: Settings) -> Any:
        raise StoreUnavailable

    (tmp_path / "maskline.db").touch()
    monkeypatch.setattr(doctor, "opened_services", away)
    result = cli("doctor")
    assert result.code == 1
    assert "fail  database" in result.out


def test_wrong_settings_are_the_only_finding(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MASKLINE_MEDIA", "loud")
    result = cli("doctor", "--json")
    assert result.code == 1
    assert [one["check"] for one in result.document["checks"]] == ["settings"]


def test_a_misspelled_variable_is_found(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MASKLINE_HTTP_PROT", "80")
    monkeypatch.setenv("MASKLINE_QUUX", "80")
    out = cli("doctor").out
    assert "→ Did you mean MASKLINE_HTTP_PORT?" in out
    assert "→ Remove it." in out


@pytest.mark.parametrize(("mode", "state"), [(0o600, "ok"), (0o644, "warn")])
def test_the_key_file_should_be_private(tmp_path: Path, mode: int, state: str):
    key = tmp_path / "key"
    key.touch()
    key.chmod(mode)
    (finding,) = doctor.check_key_file(Settings(key_file=key))
    assert finding.state == state


def test_a_key_file_of_somebody_else_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    key = tmp_path / "key"
    key.touch(0o600)
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    (finding,) = doctor.check_key_file(Settings(key_file=key))
    assert finding.state == "fail"


def test_a_data_directory_that_cannot_be_made_fails(tmp_path: Path):
    (tmp_path / "file").touch()
    assert doctor.check_data_dir(Settings(data_dir=tmp_path / "file" / "data")).state == "fail"
    assert doctor.check_data_dir(Settings(data_dir=tmp_path / "a" / "b")).state == "ok"


@pytest.mark.parametrize(
    ("total", "free", "state"),
    [(1e12, 9e10, "ok"), (1e12, 4e10, "warn"), (1e10, 9e8, "warn"), (1e10, 2e9, "ok")],
)
def test_a_disk_that_is_nearly_full_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, total: float, free: float, state: str
):
    asked: list[Path] = []

    def usage(path: Path) -> SimpleNamespace:
        asked.append(path)
        return SimpleNamespace(total=total, free=free)

    monkeypatch.setattr(doctor.shutil, "disk_usage", usage)
    (finding,) = doctor.check_space(Settings(data_dir=tmp_path / "not" / "yet"))
    assert (finding.state, asked) == (state, [tmp_path])
    assert bool(finding.advice) is (state == "warn")


def test_ports_in_use_fail_with_the_setting_to_change():
    with socket.socket() as http, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sip:
        http.bind(("127.0.0.1", 0))
        sip.bind(("127.0.0.1", 0))
        settings = Settings(http_port=http.getsockname()[1], sip_port=sip.getsockname()[1])
        findings = list(doctor.check_ports(settings))
    assert [finding.state for finding in findings] == ["fail", "fail"]
    assert "MASKLINE_HTTP_PORT" in findings[0].advice
    assert "MASKLINE_SIP_PORT" in findings[1].advice


@contextmanager
def health_server(status: int, body: bytes) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nothing on stderr."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def health(status: str, **parts: str) -> bytes:
    shown = {name: {"ok": not detail, "detail": detail} for name, detail in parts.items()}
    return json.dumps({"status": status, "version": "1.2.3", "parts": shown}).encode()


def test_a_running_server_is_recognised_past_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with health_server(200, health("ok", store="")) as port:
        http, sip = doctor.check_ports(Settings(http_port=port))
    assert (http.state, http.found) == ("ok", "served by Maskline 1.2.3, all parts answer")
    assert sip.found == "belongs to the running server"


@pytest.mark.parametrize(("code", "status"), [(200, "degraded"), (503, "down")])
def test_a_running_server_that_is_not_whole_is_a_warning_with_its_reason(code: int, status: str):
    with health_server(code, health(status, store="", media="the driver is away")) as port:
        http, sip = doctor.check_ports(Settings(http_port=port))
    assert (http.state, http.found) == ("warn", f"served by Maskline 1.2.3, which is {status}")
    assert http.advice == "It says: media: the driver is away"
    assert sip.state == "ok"


@pytest.mark.parametrize("code", [200, 404])
@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[]", b'{"status": "ok", "version": "1", "parts": ["x"]}'])
def test_another_web_server_on_the_http_port_fails(code: int, body: bytes):
    with health_server(code, body) as port, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        http, sip = doctor.check_ports(Settings(http_port=port, sip_port=taken.getsockname()[1]))
    assert (http.state, http.found) == ("fail", f"127.0.0.1:{port}: another web server")
    assert sip.state == "fail", "the SIP port is looked at by itself"


async def test_a_server_that_speaks_no_http_has_the_port():
    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        settings = Settings(http_port=server.sockets[0].getsockname()[1])
        http, _sip = await asyncio.to_thread(lambda: list(doctor.check_ports(settings)))
    assert http.state == "fail"


def test_media_off_is_a_warning():
    (finding,) = doctor.check_media(Settings(media=MediaChoice.NONE))
    assert finding.state == "warn"


def test_a_media_address_of_another_machine_is_right_behind_a_nat_only():
    (finding,) = doctor.check_media(Settings(media_host="192.0.2.1"))
    assert (finding.state, "1:1 NAT" in finding.advice) == ("warn", True)
    (finding,) = doctor.check_media(Settings())
    assert "room for 2500 calls" in finding.found


def test_a_media_address_that_cannot_be_bound_fails(monkeypatch: pytest.MonkeyPatch):
    class Refusing(socket.socket):
        def bind(self, _address: Any) -> None:
            raise OSError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(doctor.socket, "socket", Refusing)
    (finding,) = doctor.check_media(Settings())
    assert (finding.state, finding.found) == ("fail", "127.0.0.1: Permission denied")


async def test_an_rtpengine_that_answers_a_ping_is_ok(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr(doctor.shutil, "which", lambda _: None)

    class Engine(asyncio.DatagramProtocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: Any) -> None:
            cookie, _, _ = data.partition(b" ")
            self.transport.sendto(cookie + b" d6:result4:ponge", addr)

    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Engine, ("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    nodes = f"127.0.0.1:{port},127.0.0.1:9"
    settings = Settings(media=MediaChoice.RTPENGINE, rtpengine=nodes, rtpengine_recordings=tmp_path)
    found = await asyncio.to_thread(lambda: list(doctor.check_media(settings)))
    assert [(one.check, one.state) for one in found] == [
        ("media", "ok"), ("digits", "warn"), ("media", "fail"), ("recordings", "warn"),
    ]  # fmt: skip
    (tmp_path / "pcaps").mkdir()
    with socket.create_server(("127.0.0.1", port)):
        found = await asyncio.to_thread(lambda: list(doctor.check_media(settings)))
    transport.close()
    assert [one.state for one in found] == ["ok", "fail", "ok"]


@pytest.mark.parametrize(
    ("version", "warned"),
    [("10.5.3.5-1+deb12u1", 0), ("10.5.3.5-1", 1), ("13.4.1.1", 0), ("mr11.5.1.30", 1), ("nonsense", 0)],
)
def test_an_rtpengine_that_lets_strangers_in_is_pointed_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str, warned: int
):
    program = tmp_path / "rtpengine"
    program.write_text(f"#!/bin/sh\necho Version: {version} >&2\n")
    program.chmod(0o755)
    monkeypatch.setattr(doctor.shutil, "which", lambda _: str(program))
    assert len(list(doctor._check_version())) == warned


def test_internal_egress_and_loopback_addresses_are_pointed_out():
    findings = {one.check: one for one in doctor.check_exposure(Settings(egress_allow="10.0.0.0/8"))}
    assert "10.0.0.0/8" in findings["egress"].found
    assert "SIP and media" in findings["reachability"].found
    public = Settings(sip_host="192.0.2.1", media_host="192.0.2.1")
    assert [one.state for one in doctor.check_exposure(public)] == ["ok"]


def test_speech_is_tried_with_a_word(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    assert checks(cli)["speech"]["found"] == "espeak, voice en-us-f"
    monkeypatch.setenv("MASKLINE_SPEECH", "none")
    assert checks(cli)["speech"]["state"] == "ok"


def test_speech_that_cannot_be_had_says_what_to_install(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "/nowhere")
    found = checks(cli)["speech"]
    assert (found["state"], found["found"]) == ("warn", "espeak: no_speech; texts are not spoken")
    assert "apt-get install espeak-ng" in found["advice"]


def test_a_voice_that_does_not_exist_is_told(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MASKLINE_SPEECH_VOICE", "nobody")
    assert "correct MASKLINE_SPEECH_VOICE" in checks(cli)["speech"]["advice"]


def test_a_piper_voice_that_cannot_be_read_is_told(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    voice = tmp_path / "en_US-joe-medium.onnx"
    monkeypatch.setenv("MASKLINE_SPEECH", "piper")
    monkeypatch.setenv("MASKLINE_PIPER_VOICES", str(voice))
    assert "pip install maskline[piper]" in checks(cli)["speech"]["advice"]
    monkeypatch.setattr(doctor, "choose_voice", _any_voice)
    monkeypatch.setattr(Piper, "render", _any_voice)
    assert checks(cli)["speech"]["found"] == f"{voice} is no voice that can be read"


async def _any_voice(*_arguments: object) -> Voice:
    return Voice("here", "en", "English", "M", "here")
