"""tools/check_budgets.py finds what it is there to find, and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tools import check_budgets
from tools.check_budgets import Sizes


def problems(text: str, *, pure: bool = False) -> list[str]:
    return [found.what for found in check_budgets.check_source("m.py", text, pure=pure, sizes=Sizes([], []))]


def function(lines: int) -> str:
    return "def f():\n" + "    x = 1\n" * (lines - 1)


def test_a_function_of_fifty_lines_passes_and_one_more_does_not() -> None:
    assert problems('"""M."""\n' + function(50)) == []
    assert problems('"""M."""\n' + function(51)) == ["function f of 51 lines, budget 50"]


def test_a_class_over_three_hundred_lines_is_reported() -> None:
    body = "".join(f"    a{number} = 1\n" for number in range(300))
    assert problems('"""M."""\nclass C:\n' + body) == ["class C of 301 lines, budget 300"]


def test_a_file_over_four_hundred_lines_needs_a_reason_in_its_first_line() -> None:
    text = '"""M."""\n' + "x = 1\n" * 400
    assert problems(text) == ["file of 401 lines, budget 400"]
    assert problems("# budget: one table\n" + text) == []
    assert problems("# budget:\n" + text) == ["file of 402 lines, budget 400"]
    assert problems("# budget: one table\n" + text + "x = 1\n" * 200) == ["file of 602 lines, budget 600"]


def test_a_module_over_twenty_lines_needs_a_docstring() -> None:
    assert problems("x = 1\n" * 20) == []
    assert problems("x = 1\n" * 21) == ["no module docstring in 21 lines"]


@pytest.mark.parametrize("line", ["import asyncio", "from time import monotonic", "import logging.handlers"])
def test_a_pure_module_may_not_import_io_or_clocks(line: str) -> None:
    assert len(problems(line, pure=True)) == 1
    assert problems(line) == []


def test_a_pure_module_may_import_arithmetic_on_dates_and_its_own_package() -> None:
    assert problems("from datetime import datetime\nfrom . import time\nimport hashlib\n", pure=True) == []


def test_a_swallowed_exception_is_reported() -> None:
    assert problems("try:\n    f()\nexcept ValueError:\n    pass\n") == ["exception swallowed by 'pass'"]
    assert problems("try:\n    f()\nexcept ValueError:\n    g()\n") == []


@pytest.mark.parametrize("word", ["TO" + "DO: later", "NotImplemented" + "Error", "good enough for" + " now"])
def test_markers_of_unfinished_work_are_reported(word: str) -> None:
    assert [found.line for found in check_budgets.check_markers("m.py", f"x = 1\n# {word}\n")] == [2]


def test_ordinary_words_are_no_markers() -> None:
    assert list(check_budgets.check_markers("m.py", "# wait for nowhere, mastodon\n")) == []


@pytest.mark.parametrize("place", ["https://pypi." + "org/simple", "/tmp/" + "wt/x", "see /wor" + "k/main"])
def test_registry_hosts_and_machine_paths_are_reported(place: str) -> None:
    assert len(list(check_budgets.check_places("README.md", place))) == 1


def test_paths_inside_the_project_are_no_machine_paths() -> None:
    assert list(check_budgets.check_places("README.md", "../shared/work/x src/maskline/workflows /root key")) == []


def test_the_median_function_is_held_to_ten_lines() -> None:
    assert list(check_budgets.check_medians(Sizes([10, 10, 40], []))) == []
    assert len(list(check_budgets.check_medians(Sizes([11, 11, 2], [])))) == 1


def test_a_repository_is_read_through_git_and_ignored_files_are_not(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    package = tmp_path / "src" / "maskline" / "sip"
    package.mkdir(parents=True)
    (package / "clocked.py").write_text("import time\n")
    (package / "picture.py.png").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "t.py").write_text("import time\n# TO" + "DO\n")
    (tmp_path / "left.py").write_text("/tmp/" + "wt/x")
    (tmp_path / ".gitignore").write_text("left.py\n")
    found = list(check_budgets.check_repository(tmp_path, Sizes([], [])))
    assert [str(violation) for violation in found] == ["src/maskline/sip/clocked.py:1: pure module imports time"]


def test_this_repository_names_every_pure_package() -> None:
    names = {path.relative_to(check_budgets.ROOT).as_posix() for path in check_budgets.pure_paths(check_budgets.ROOT)}
    assert {"src/maskline/sip/events.py", "src/maskline/sdp/session.py", "src/maskline/masking/facts.py"} <= names
