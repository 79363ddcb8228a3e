"""`maskline demo` and the hidden `maskline media`: thin doors to the lab and the relay worker."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from maskline.cli.demo import Scenario
from maskline.lab import demo
from maskline.media.embedded import worker
from tests.support.command_line import Cli


@pytest.mark.parametrize("code", [0, 1])
def test_the_demo_passes_its_verdict_on(cli: Cli, monkeypatch: pytest.MonkeyPatch, code: int):
    asked: list[Any] = []

    def run(keep: Path | None = None, scenarios: Sequence[str] = ()) -> int:
        asked.append((keep, *scenarios))
        print("the story")
        return code

    monkeypatch.setattr(demo, "run", run)
    told = cli("demo", "--keep", "here")
    assert (told.code, told.out, asked) == (code, "the story\n", [(Path("here"), "call")])
    result = cli("demo", "--json")
    assert (result.code, result.document) == (code, {"passed": code == 0})
    assert result.err == "the story\n"


def test_all_scenarios_are_those_this_machine_can_show(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    asked: list[Sequence[str]] = []
    monkeypatch.setattr(demo, "run", lambda keep, scenarios: asked.append(scenarios) or 0)
    monkeypatch.setattr(demo.shutil, "which", lambda program: None)
    cli("demo", "--scenario", "all")
    cli("demo", "--scenario", "say")
    assert "call" in asked[0]
    assert "say" not in asked[0]
    assert asked[1] == ["say"]


def test_every_scenario_has_its_name_on_the_command_line():
    assert {scenario.value for scenario in Scenario} == {*demo.SCENARIOS, "all"}


@pytest.mark.parametrize("code", [0, 1])
def test_the_relay_gets_its_own_arguments(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: int):
    asked: list[Any] = []

    def main(options: Any) -> int:
        asked.append(options)
        return code

    monkeypatch.setattr(worker, "main", main)
    assert cli("media", "--socket", str(tmp_path / "a.sock"), "--ports", "30000-30019").code == code
    assert asked[0].ports == (30000, 30019)
