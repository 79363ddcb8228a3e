"""The project's own papers hold: commands exist, links resolve, records are numbered, locks pin."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M))


def headings(page: Path) -> set[str]:
    """Anchors of a page's headings, in the usual form: lower case, spaces as dashes, punctuation dropped."""
    titles = re.findall(r"^#+ +(.+)$", page.read_text(), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_make_help_lists_every_documented_target() -> None:
    printed = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for target in ("setup", "demo", "test", "lint", "bench", "run"):
        assert re.search(rf"^  make {target} +\w", printed, flags=re.M), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_commands_on_a_page_exist(page: Path) -> None:
    named = set(re.findall(r"(?:`|^|\$ )make ([a-z-]+)", page.read_text(), flags=re.M))
    assert named <= TARGETS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_inside_the_project_resolve(page: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        if not linked.exists() or (anchor and anchor not in headings(linked)):
            broken.append(target)
    assert not broken


def test_ci_runs_the_readme_test_line_and_nothing_else() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    commands = [line for line in script.splitlines() if line and not line.startswith(("#", "set ", "cd "))]
    assert commands == ["make test"]
    assert re.search(r"^make test\b", (ROOT / "README.md").read_text(), flags=re.M)


def test_decisions_are_numbered_without_gaps_and_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    records = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert [int(name[:4]) for name in records] == list(range(len(records)))
    index = (folder / "README.md").read_text()
    assert [name for name in records if f"({name})" not in index] == []


@pytest.mark.parametrize("record", sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md")), ids=lambda path: path.stem)
def test_a_decision_has_all_its_parts(record: Path) -> None:
    text = record.read_text()
    assert text.startswith(f"# {record.name[:4]}: ")
    for part in ("- State: ", "- Date: ", "## Context", "## Decision", "## Consequences", "## Alternatives"):
        assert part in text


def test_every_runtime_dependency_has_its_reason_in_the_record() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[=;\[ ]", line)[0] for line in project["dependencies"]}
    listed = set(
        re.findall(r"^\| ([a-z0-9-]+) \| [A-Z]", (ROOT / "docs/decisions/0002-dependencies.md").read_text(), re.M)
    )
    assert names == listed


@pytest.mark.parametrize("lock", ["runtime", "dev", "build"])
def test_a_lock_pins_exactly_with_hashes_and_names_no_host(lock: str) -> None:
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    entries = re.split(r"\n(?=[a-z0-9])", text.strip())
    assert all(re.match(r"[a-z0-9._-]+==[^ ]+ ", entry) and "--hash=sha256:" in entry for entry in entries)
    assert "://" not in text


@pytest.mark.parametrize(("lock", "extra"), [("runtime", ""), ("dev", "dev")])
def test_a_lock_holds_the_versions_that_pyproject_names(lock: str, extra: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + (project["optional-dependencies"][extra] if extra else [])
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    # Of `name[extra]==1` the lock has the name and, as lines of their own, what the extra asks for.
    names = [re.sub(r"\[.*\]|;.*", "", line) for line in wanted]
    assert [name for name in names if not re.search(rf"^{re.escape(name)} ", text, re.M)] == []


def test_no_page_waits_for_its_output() -> None:
    waiting = [page.name for page in PAGES if re.search(r"^[A-Z]+_OUTPUT$", page.read_text(), re.MULTILINE)]
    assert waiting == []
