"""`maskline lab vca`: it says where it is, answers from the file, and ends on a signal."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path

import pytest

from maskline.lab import vca
from maskline.lab.vca import SampleApplication
from tests.support.command_line import Cli

MAP = {"pairs": [{"virtual": "+6531580001", "parties": ["+6591110042", "+6598760007"]}]}


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "map.json"
    path.write_text(json.dumps(MAP))
    return str(path)


def end_when_open(monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> list[SampleApplication]:
    """Send the signal once it listens; the applications that were opened."""
    opened: list[SampleApplication] = []

    class Ending(SampleApplication):
        async def open(self, host: str, port: int) -> None:
            await super().open(host, port)
            opened.append(self)
            self._tell("an event")
            os.kill(os.getpid(), number)

    monkeypatch.setattr(vca, "SampleApplication", Ending)
    return opened


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_tells_its_url_and_each_request_and_ends_on_a_signal(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, table: str, number: signal.Signals
) -> None:
    opened = end_when_open(monkeypatch, number)
    told = cli("lab", "vca", "--map", table, "--listen", "127.0.0.1:0")
    assert (told.code, told.err) == (0, "")
    event, first, second = told.out.splitlines()
    assert event == "an event"
    assert first.endswith(f"webhooks at {opened[0].url}; end with Ctrl-C.")
    assert second == f"maskline webhook set eight.call_action {opened[0].url}/vca --account ID"


def test_as_json_it_prints_one_document(cli: Cli, monkeypatch: pytest.MonkeyPatch, table: str) -> None:
    opened = end_when_open(monkeypatch, signal.SIGINT)
    told = cli("lab", "vca", "--map", table, "--listen", "127.0.0.1:0", "--inbox", "--json")
    assert told.document == {"url": opened[0].url, "pairs": 1, "menus": 0, "inbox": True}


def test_a_port_in_use_is_one_sentence_and_exit_code_2(cli: Cli, table: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        told = cli("lab", "vca", "--map", table, "--listen", f"127.0.0.1:{other.getsockname()[1]}")
    assert (told.code, told.out) == (2, "")
    assert told.err.startswith("error: The sample application cannot use 127.0.0.1:")


def test_a_file_that_is_not_there_or_no_map_is_one_sentence(cli: Cli, tmp_path: Path) -> None:
    told = cli("lab", "vca", "--map", str(tmp_path / "none.json"))
    assert (told.code, told.err) == (1, "error: The file of --map cannot be read: FileNotFoundError.\n")
    (tmp_path / "map.json").write_text('{"pairs": 1}')
    told = cli("lab", "vca", "--map", str(tmp_path / "map.json"))
    assert (told.code, told.err) == (1, "error: $.pairs must be a list.\n")
