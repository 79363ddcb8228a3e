"""`maskline serve` as a process: it starts, does its work, says what is wrong, and ends when asked.

Real processes and sockets on ports chosen at the time; the command line and the API are used as a customer uses them.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import maskline
from maskline.lab.carrier import Carrier
from maskline.lab.phone import Phone
from maskline.lab.platform import LabError, Platform
from maskline.masking.e164 import parse_number
from tests.support.platform_commands import told, typed
from tests.support.short_sessions import end_soon

pytestmark = pytest.mark.wire
FIRST, SECOND, VIRTUAL = "+6581234510", "+6581234520", "+6531000001"


@pytest.fixture(autouse=True)
def sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes run the code under test, installed or not."""
    monkeypatch.setenv("PYTHONPATH", str(Path(maskline.__file__).parent.parent))


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    platform = Platform(tmp_path, MASKLINE_MEDIA="none", MASKLINE_DRAIN_TIMEOUT="20")
    yield platform
    platform.stop()


def start(platform: Platform) -> None:
    asyncio.run(platform.start())


def request(method: str, url: str, account: Any = None, body: Any = None) -> tuple[int, str]:
    """One HTTP request; status and body."""
    headers = {"Content-Type": "application/json"}
    if account is not None:
        credentials = f"{account['auth_id']}:{account['auth_token']}".encode()
        headers["Authorization"] = "Basic " + base64.b64encode(credentials).decode()
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=30) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def serve(platform: Platform, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run `maskline serve` to its end."""
    return subprocess.run(
        [sys.executable, "-m", "maskline", "serve"],
        env={**platform.environment, **settings}, cwd=platform.folder, capture_output=True, text=True, timeout=30,
    )  # fmt: skip


def test_from_an_empty_directory_to_a_session_and_a_clean_end(platform: Platform):
    start(platform)
    key = platform.folder / "maskline.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    # Configured while the server runs, over the same database.
    account = platform.cli("account", "create", "Acme", "--country", "anywhere")
    typed(platform, "number", "add", VIRTUAL, "--account", account["auth_id"])
    typed(platform, "trunk", "add", "carrier", "--host", "127.0.0.1", "--port", "5099")

    url = f"{platform.url}/v1/Account/{account['auth_id']}/Masking/Session/"
    status, body = request("POST", url, account, {"first_party": FIRST, "second_party": SECOND})
    assert status in (200, 201), body
    listed = platform.cli("session", "list")["sessions"]
    assert [one["virtual_number"] for one in listed] == [VIRTUAL]
    assert listed[0]["first_party"] == "+65••••4510"
    assert typed(platform, "session", "expire", listed[0]["session_id"])["status"] == "expired"

    status, metrics = request("GET", f"{platform.url}/metrics")
    assert status == 200
    assert "maskline_calls_in_progress 0.0" in metrics
    assert 'maskline_http_requests_total{dialect="plivo"' in metrics
    assert platform.stop() == 0
    log = platform.log_tail(100)
    for event in ("server_started", "media_is_off", "server_stopping", "server_stopped"):
        assert event in log
    for number in (FIRST, SECOND):
        assert number.lstrip("+") not in log


def test_doctor_sees_the_running_server(platform: Platform):
    start(platform)
    report = typed(platform, "doctor")
    found = {one["check"]: one for one in report["checks"]}
    assert report["healthy"] is True
    assert found["database"]["state"] == "ok"
    assert found["http port"]["state"] == "ok"
    assert found["http port"]["found"].startswith("served by Maskline ")
    assert found["media"]["state"] == "warn"
    assert found["trunks"]["advice"].startswith("maskline trunk add")


def test_sessions_expire_by_themselves(platform: Platform):
    start(platform)
    account = typed(platform, "account", "create", "Acme", "--country", "anywhere")["auth_id"]
    typed(platform, "number", "add", VIRTUAL, "--account", account)
    made = typed(platform, "session", "create", FIRST, SECOND, "--account", account)
    end_soon(platform.folder, made["session_id"], 1.0)
    deadline = time.monotonic() + 30.0
    while not (listed := typed(platform, "session", "list")["sessions"])[0]["ended_at"]:
        assert time.monotonic() < deadline, listed
    assert "sessions_expired" in platform.log_tail(50)


def test_the_embedded_relay_runs_and_ends_with_the_server(tmp_path: Path):
    platform = Platform(tmp_path, MASKLINE_MEDIA="embedded")
    try:
        start(platform)
        # The server starts without its relay when that takes more than two seconds, and goes on trying.
        deadline = time.monotonic() + 30.0
        while not json.loads((answer := request("GET", f"{platform.url}/healthz"))[1])["parts"]["media"]["ok"]:
            assert time.monotonic() < deadline, answer
            time.sleep(0.05)
        assert answer[0] == 200
    finally:
        code = platform.stop()
    assert code == 0
    assert not list((tmp_path / "data").glob("*.sock"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_either_signal_ends_it_with_0(platform: Platform, number: signal.Signals):
    start(platform)
    os.kill(platform.pid, number)
    assert platform.stop() == 0


@pytest.mark.parametrize(
    ("kind", "setting", "part"),
    [
        (socket.SOCK_STREAM, "MASKLINE_HTTP_PORT", "HTTP cannot listen on"),
        (socket.SOCK_DGRAM, "MASKLINE_SIP_PORT", "SIP cannot listen on"),
    ],
)
def test_a_port_in_use_is_one_sentence_and_exit_code_2(
    platform: Platform, kind: socket.SocketKind, setting: str, part: str
):
    with socket.socket(socket.AF_INET, kind) as other:
        other.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            other.listen()
        ended = serve(platform, **{setting: str(other.getsockname()[1])})
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert part in ended.stderr
    assert "Traceback" not in ended.stderr


def test_wrong_settings_and_files_are_one_sentence_and_exit_code_2(platform: Platform):
    ended = serve(platform, MASKLINE_MEDIA="loud")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: MASKLINE_MEDIA has a wrong value")
    assert ended.stderr.count("\n") == 1
    refused = told(platform, "serve", MASKLINE_KEY_FILE=str(platform.folder))
    assert refused.code == 2
    assert "key file" in refused.err
    assert "Traceback" not in refused.err
    (platform.folder / "occupied").write_text("a file, not a directory")
    refused = told(platform, "serve", MASKLINE_DATA_DIR=str(platform.folder / "occupied"))
    assert refused.code == 2
    assert "data directory" in refused.err


def test_a_lost_key_is_noticed_and_not_replaced(platform: Platform):
    typed(platform, "account", "create", "Acme", "--country", "anywhere")
    key = platform.folder / "maskline.key"
    key.rename(platform.folder / "elsewhere.key")
    refused = told(platform, "serve")
    assert refused.code == 2
    assert "is missing (MASKLINE_KEY_FILE)" in refused.err
    assert not key.exists()


def test_a_misspelled_setting_is_warned_about(platform: Platform):
    platform.environment["MASKLINE_HTTP_PROT"] = "8081"
    start(platform)
    assert platform.stop() == 0
    assert "unknown_setting" in platform.log_tail(100)
    assert "nearest=MASKLINE_HTTP_PORT" in platform.log_tail(100)


def test_the_platform_helper_reports_the_sentence_of_a_failed_command(platform: Platform):
    with pytest.raises(LabError, match="is not a valid phone number"):
        platform.cli("number", "add", "nonsense", "--account", "MA000000000000000000")


class Conversation:
    """A call through the platform between two of the lab's phones, with a third one looking on."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.carrier = Carrier(platform.sip_address)
        self.first = Phone("first", parse_number(FIRST), 440)
        self.second = Phone("second", parse_number(SECOND), 1000)
        self.late = Phone("late", parse_number("+6581234530"), 700)

    async def __aenter__(self) -> Conversation:
        await self.platform.start()
        await self.carrier.open("127.0.0.1")
        for phone in (self.first, self.second, self.late):
            await phone.open("127.0.0.1")
            self.carrier.add_line(phone.number, phone.address)
        await asyncio.to_thread(self._provision)
        self.dial(self.first)
        await asyncio.wait_for(self.first.answered.wait(), 30)
        return self

    def _provision(self) -> None:
        host, port = self.carrier.address
        account = typed(self.platform, "account", "create", "Acme", "--country", "anywhere")["auth_id"]
        typed(self.platform, "number", "add", VIRTUAL, "--account", account)
        typed(self.platform, "trunk", "add", "lab", "--host", host, "--port", str(port))
        typed(self.platform, "session", "create", FIRST, SECOND, "--account", account)

    def dial(self, phone: Phone) -> None:
        phone.dial(parse_number(VIRTUAL), self.carrier.address)

    async def until_refusing(self) -> None:
        """Until /healthz says that no new calls are taken."""

        def ask() -> None:
            deadline = time.monotonic() + 30.0
            while request("GET", f"{self.platform.url}/healthz")[0] != 503:
                assert time.monotonic() < deadline, "it goes on taking calls"

        await asyncio.to_thread(ask)

    async def __aexit__(self, *_: object) -> None:
        for one in (self.first, self.second, self.late, self.carrier):
            one.close()


async def test_a_stop_waits_for_the_call_and_refuses_new_ones(platform: Platform):
    async with Conversation(platform) as call:
        os.kill(platform.pid, signal.SIGTERM)
        await call.until_refusing()
        call.dial(call.late)
        await asyncio.wait_for(call.late.ended.wait(), 30)
        assert call.late.final_status == 503
        assert not call.second.ended.is_set()
        call.first.hang_up()
        await asyncio.wait_for(call.second.ended.wait(), 30)
        assert await asyncio.to_thread(platform.stop) == 0
    record = (await asyncio.to_thread(typed, platform, "call", "list"))["calls"][0]
    assert (record["outcome"], record["hung_up_by"]) == ("completed", "caller")


async def test_a_second_signal_hangs_up_and_keeps_the_record(platform: Platform):
    async with Conversation(platform) as call:
        os.kill(platform.pid, signal.SIGTERM)
        await call.until_refusing()
        os.kill(platform.pid, signal.SIGTERM)
        await asyncio.wait_for(call.first.ended.wait(), 30)
        await asyncio.wait_for(call.second.ended.wait(), 30)
        assert await asyncio.to_thread(platform.stop) == 0
    assert "calls_abandoned" in platform.log_tail(50)
    record = (await asyncio.to_thread(typed, platform, "call", "list"))["calls"][0]
    assert (record["cause"], record["hung_up_by"]) == ("shutdown", "platform")


async def test_a_second_server_by_mistake_leaves_a_call_in_progress_alone(platform: Platform):
    async with Conversation(platform) as call:
        ended = await asyncio.to_thread(serve, platform)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert ended.stderr.splitlines()[-1].startswith("error: Another maskline serve is running")
        assert not call.second.ended.is_set()
        call.first.hang_up()
        await asyncio.wait_for(call.second.ended.wait(), 30)
    assert await asyncio.to_thread(platform.stop) == 0
    record = (await asyncio.to_thread(typed, platform, "call", "list"))["calls"][0]
    assert (record["outcome"], record["cause"]) == ("completed", "normal")
