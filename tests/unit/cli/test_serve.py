"""`maskline serve` inside the test's own process: what it prints, and how signals end it.

As a process of its own, with calls: tests/e2e/test_serve.py.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from maskline.app import Application
from maskline.chores import Chores
from maskline.cli import serve as serve_command
from maskline.cli.serve import Signals
from maskline.lab.ports import free_port
from maskline.setting_values import MediaChoice
from maskline.settings import Settings
from tests.support.command_line import Cli
from tests.support.logging import configured_logs


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[TextIO]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MASKLINE_HTTP_PORT", str(free_port()))
    monkeypatch.setenv("MASKLINE_SIP_PORT", str(free_port()))
    monkeypatch.setenv("MASKLINE_MEDIA", "none")
    thresholds, interval = gc.get_threshold(), sys.getswitchinterval()
    with configured_logs() as lines:
        # The command would set logs up on the real stderr.
        monkeypatch.setattr(serve_command.logs, "configure", lambda *_: None)
        yield lines
    gc.set_threshold(*thresholds)
    sys.setswitchinterval(interval)
    gc.unfreeze()


def signal_when_started(monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> None:
    started = Application.start

    async def start(self: Application) -> None:
        await started(self)
        asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), number)

    monkeypatch.setattr(Application, "start", start)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_everything_is_and_ends_on_a_signal(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
):
    signal_when_started(monkeypatch, number)
    result = cli("serve")
    assert result.code == 0
    assert os.environ["MASKLINE_SIP_PORT"] in result.out
    assert "maskline account create NAME" in result.out
    assert "warning: MASKLINE_MEDIA=none" in result.err


def test_as_json_it_prints_one_document_without_secrets(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    signal_when_started(monkeypatch, signal.SIGTERM)
    monkeypatch.setenv("MASKLINE_DATABASE_URL", "sqlite:///secret.db")
    document = cli("serve", "--json").document
    assert document["http"].endswith(os.environ["MASKLINE_HTTP_PORT"])
    assert document["accounts"] == 0
    assert document["settings"]["MASKLINE_DATABASE_URL"] == "configured: yes"


def test_a_part_that_fails_ends_it_with_1_and_one_sentence(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    async def broken(_self: Chores) -> None:
        raise RuntimeError("out of luck")

    monkeypatch.setattr(Chores, "sweep_sessions", broken)
    result = cli("serve")
    assert result.code == 1
    assert result.err.endswith("error: the session sweeper ended by itself; the log says why.\n")


def test_without_uvloop_it_runs_on_plain_asyncio(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "uvloop", None)
    signal_when_started(monkeypatch, signal.SIGTERM)
    assert cli("serve").code == 0


def test_a_signal_to_read_certificates_ends_no_server_that_has_none(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    started, told = Application.start, []

    async def start(self: Application) -> None:
        os.kill(os.getpid(), signal.SIGHUP)  # before there is anything to read again
        await started(self)
        reload = self.chores.reload_certificates_now

        def reloaded() -> None:
            reload()
            told.append("reloaded")
            os.kill(os.getpid(), signal.SIGTERM)

        monkeypatch.setattr(self.chores, "reload_certificates_now", reloaded)
        asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGHUP)

    monkeypatch.setattr(Application, "start", start)
    assert cli("serve").code == 0
    assert told == ["reloaded"]


async def test_the_second_signal_is_told_from_the_first():
    signals = Signals()
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.wait_for(signals.first.wait(), 30)
    assert not signals.second.is_set()
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.wait_for(signals.second.wait(), 30)
    signals.restore()


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        (Settings(), "embedded relay on 127.0.0.1, ports 20000-29999"),
        (Settings(media=MediaChoice.RTPENGINE), "rtpengine at 127.0.0.1:2223"),
        (
            Settings(sip_host="0.0.0.0", sip_advertised_host="192.0.2.1"),
            "udp and tcp 0.0.0.0:5060, announced as 192.0.2.1",
        ),
        (Settings(sip_tls_certificate="pem", sip_tls_port=5071), "udp and tcp 127.0.0.1:5060, tls 5071"),
    ],
)
def test_the_summary_names_the_media_and_the_announced_address(settings: Settings, part: str):
    assert part in serve_command._summary(settings, 1)
    assert "No account yet" not in serve_command._summary(settings, 1)


@pytest.mark.parametrize("part", ["api", "engine", "deliver"])
def test_a_part_alone_needs_postgresql(cli: Cli, part: str):
    told = cli(part)
    assert (told.code, told.out) == (2, "")
    assert "has to be PostgreSQL" in told.err and told.err.count("\n") == 1
