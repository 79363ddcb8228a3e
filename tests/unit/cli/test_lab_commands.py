"""`maskline demo` and the hidden `maskline media`: thin doors to the lab and the relay worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from maskline.lab import demo
from maskline.media.embedded import worker
from tests.support.command_line import Cli


@pytest.mark.parametrize("code", [0, 1])
def test_the_demo_passes_its_verdict_on(cli: Cli, monkeypatch: pytest.MonkeyPatch, code: int):
    asked: list[Any] = []

    def run(keep: Path | None = None) -> int:
        asked.append(keep)
        print("the story")
        return code

    monkeypatch.setattr(demo, "run", run)
    told = cli("demo", "--keep", "here")
    assert (told.code, told.out, asked) == (code, "the story\n", [Path("here")])
    result = cli("demo", "--json")
    assert (result.code, result.document) == (code, {"passed": code == 0})
    assert result.err == "the story\n"


@pytest.mark.parametrize("code", [0, 1])
def test_the_relay_gets_its_own_arguments(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: int):
    asked: list[Any] = []

    def main(options: Any) -> int:
        asked.append(options)
        return code

    monkeypatch.setattr(worker, "main", main)
    assert cli("media", "--socket", str(tmp_path / "a.sock"), "--ports", "30000-30019").code == code
    assert asked[0].ports == (30000, 30019)
