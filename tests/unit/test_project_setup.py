"""tools/setup_env.py knows what is missing, and says in one sentence what it cannot do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools import setup_env, sum_results

RUNTIME = {"python": "3.11", "runtime": "r1", "dev": "", "project": "p1"}
DEV = {**RUNTIME, "dev": "d1"}


def test_nothing_is_done_when_the_environment_is_as_asked() -> None:
    assert setup_env.plan(DEV, dict(DEV)) == []
    assert setup_env.plan(RUNTIME, dict(RUNTIME)) == []


def test_a_new_clone_gets_everything() -> None:
    assert setup_env.plan({}, dict(DEV)) == ["create", "runtime", "dev", "project"]
    assert setup_env.plan({}, dict(RUNTIME)) == ["create", "runtime", "project"]


def test_tools_are_added_to_a_demo_environment() -> None:
    assert setup_env.plan(RUNTIME, dict(DEV)) == ["dev"]


def test_a_demo_keeps_the_tools_that_are_there() -> None:
    wanted = dict(RUNTIME)
    assert setup_env.plan(DEV, wanted) == []
    assert wanted["dev"] == "d1"


@pytest.mark.parametrize("key", ["python", "runtime", "dev"])
def test_a_changed_lock_or_python_starts_from_empty(key: str) -> None:
    assert setup_env.plan(DEV, {**DEV, key: "other"})[0] == "create"


def test_a_changed_project_file_reinstalls_the_project_alone() -> None:
    assert setup_env.plan(DEV, {**DEV, "project": "p2"}) == ["project"]


def test_an_old_python_is_named_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(setup_env.sys, "version_info", (3, 9, 2))
    assert setup_env.main(["runtime"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("setup: Maskline needs Python 3.11 or newer")
    assert told.count("\n") == 1


def test_without_root_the_missing_packages_are_named_with_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(setup_env, "is_here", lambda command: command not in ("sipp", "tcpdump"))
    monkeypatch.setattr(setup_env.os, "geteuid", lambda: 1000)
    assert setup_env.main(["system"]) == 1
    told = capsys.readouterr().err
    assert "sudo apt-get install -y --no-install-recommends sip-tester tcpdump" in told
    assert told.count("\n") == 1


def test_nothing_is_installed_when_every_command_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup_env, "is_here", lambda command: True)
    monkeypatch.setattr(setup_env, "apt_install", lambda packages: pytest.fail(f"installed {packages}"))
    assert setup_env.main(["system"]) == 0


def test_as_root_the_missing_packages_are_installed_and_their_services_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[list[str]] = []
    monkeypatch.setattr(setup_env, "is_here", lambda command: command not in ("rtpengine", "sipp"))
    monkeypatch.setattr(setup_env.os, "geteuid", lambda: 0)
    monkeypatch.setattr(setup_env, "apt_install", done.append)
    monkeypatch.setattr(setup_env, "stop_services", done.append)
    assert setup_env.main(["system"]) == 0
    assert done == [["rtpengine-daemon", "sip-tester"], ["rtpengine-daemon.service"]]


def test_a_package_is_known_by_its_command_or_by_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[list[str]] = []
    monkeypatch.setattr(setup_env.shutil, "which", {"ours": "/bin/ours", "apt-get": "/bin/apt-get"}.get)
    there = tmp_path / "there.so"
    there.touch()
    for name, file in (("a", there), ("b", tmp_path / "away.so"), ("c", "ours"), ("d", "theirs")):
        (tmp_path / "list").open("a").write(f"{name} {file} -\n")
    monkeypatch.setattr(setup_env, "APT_PACKAGES", tmp_path / "list")
    monkeypatch.setattr(setup_env.os, "geteuid", lambda: 0)
    monkeypatch.setattr(setup_env, "apt_install", done.append)
    monkeypatch.setattr(setup_env, "stop_services", lambda services: None)
    assert setup_env.main(["system"]) == 0
    assert done == [["b", "d"]]


def test_the_package_list_is_complete_in_every_line() -> None:
    packages = setup_env.read_packages(setup_env.APT_PACKAGES.read_text())
    assert {"rtpengine-daemon", "sip-tester"} <= set(packages)


def test_results_of_all_suites_are_added_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = tmp_path / "a.xml", tmp_path / "b.xml"
    first.write_text('<testsuites><testsuite tests="5" failures="0" errors="0" skipped="2"/></testsuites>')
    second.write_text('<testsuites><testsuite tests="4" failures="1" errors="1" skipped="0"/></testsuites>')
    assert sum_results.main([str(first)]) == 0
    assert sum_results.main([str(first), str(second)]) == 1
    assert capsys.readouterr().out.splitlines() == ["3 passed, 0 failed, 2 skipped", "5 passed, 2 failed, 2 skipped"]


def test_a_run_without_tests_fails(tmp_path: Path) -> None:
    empty = tmp_path / "a.xml"
    empty.write_text('<testsuites><testsuite tests="0" failures="0" errors="0" skipped="0"/></testsuites>')
    assert sum_results.main([str(empty)]) == 1


class TestNodePackages:
    @pytest.fixture(autouse=True)
    def project(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
        monkeypatch.setattr(setup_env, "ROOT", tmp_path)
        monkeypatch.setattr(setup_env, "NODE_PROJECT", tmp_path)
        monkeypatch.setattr(setup_env, "NODE_STAMP", tmp_path / "node_modules" / "stamp")
        for name in ("package.json", "package-lock.json"):
            (tmp_path / name).write_text("{}")
        return tmp_path

    @staticmethod
    def npm(tmp_path: Path, code: int) -> str:
        """An npm that notes its arguments, makes its folder and ends with `code`."""
        command = tmp_path / "npm"
        command.write_text(f'#!/bin/sh\necho "$@" >> calls\nmkdir -p node_modules\nexit {code}\n')
        command.chmod(0o755)
        return str(command)

    def test_they_are_installed_once_and_again_when_the_lock_changes(
        self, monkeypatch: pytest.MonkeyPatch, project: Path
    ) -> None:
        npm = self.npm(project, 0)
        monkeypatch.setattr(setup_env.shutil, "which", lambda command: npm)
        assert [setup_env.main(["node"]), setup_env.main(["node"])] == [0, 0]
        calls = (project / "calls").read_text().splitlines()
        assert len(calls) == 1
        assert calls[0].startswith("ci --ignore-scripts ")
        (project / "package-lock.json").write_text('{"changed": true}')
        assert setup_env.main(["node"]) == 0
        assert len((project / "calls").read_text().splitlines()) == 2

    def test_a_failure_is_not_taken_for_done(
        self, monkeypatch: pytest.MonkeyPatch, project: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        npm = self.npm(project, 1)
        monkeypatch.setattr(setup_env.shutil, "which", lambda command: npm)
        assert [setup_env.main(["node"]), setup_env.main(["node"])] == [1, 1]
        assert "npm could not install the packages" in capsys.readouterr().err

    def test_a_missing_npm_is_said_in_one_sentence(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(setup_env.shutil, "which", lambda command: None)
        assert setup_env.main(["node"]) == 1
        told = capsys.readouterr().err
        assert told.startswith("setup: the contract tests need npm")
        assert told.count("\n") == 1


def test_the_lock_of_the_node_packages_names_digests_and_no_addresses() -> None:
    lock = json.loads((setup_env.NODE_PROJECT / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages["node_modules/plivo"]["version"] == "4.79.0"
    assert [name for name, entry in packages.items() if not entry["integrity"].startswith("sha512-")] == []
    assert [name for name, entry in packages.items() if "resolved" in entry or entry.get("hasInstallScript")] == []
