"""The command line over one store in memory: each call is one `maskline …` as typed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from maskline.cli import context, doctor, main
from maskline.clock import VirtualClock
from maskline.ids import SeededIds
from maskline.services import Services
from maskline.settings import Settings
from maskline.storage.memory import MemoryStore
from tests.support.command_line import Cli, Result


@pytest.fixture
def services() -> Services:
    return Services(Settings(), VirtualClock(), SeededIds(1), MemoryStore())


@pytest.fixture
def cli(services: Services, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Cli:
    @asynccontextmanager
    async def opened(_settings: Settings) -> AsyncIterator[Services]:
        yield services

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(context, "opened_services", opened)
    monkeypatch.setattr(doctor, "opened_services", opened)

    def call(*arguments: str) -> Result:
        capsys.readouterr()
        code = main.execute(arguments)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture
def account(cli: Cli) -> str:
    """The auth id of an account with one virtual number and one trunk."""
    made = cli("account", "create", "Acme", "--json").document["auth_id"]
    assert cli("number", "add", "+6531000001", "--account", made, "--reference-id", "desk").code == 0
    assert cli("trunk", "add", "carrier", "--host", "192.0.2.1", "--port", "5080").code == 0
    return str(made)
