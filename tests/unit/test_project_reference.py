"""docs/reference/ says what the code says, and leaves nothing out."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from maskline.masking.facts import FACTS, Cause
from maskline.settings import Settings
from tools import make_reference

SOURCE = Path(__file__).resolve().parents[2] / "src" / "maskline"


@pytest.mark.parametrize("name", make_reference.PAGES)
def test_the_committed_page_is_what_the_declarations_give_today(name: str) -> None:
    committed = make_reference.REFERENCE / name
    assert committed.exists(), "run 'make docs'"
    assert committed.read_text() == make_reference.HEAD + make_reference.PAGES[name](), "run 'make docs'"


def test_every_setting_has_a_sentence_on_the_page() -> None:
    page = make_reference.settings_page()
    for name in Settings.model_fields:
        row = next(line for line in page.splitlines() if f"`MASKLINE_{name.upper()}`" in line)
        assert len(row.split(" | ")[-1]) > 15, name


def test_every_error_code_in_the_source_is_on_the_page() -> None:
    page = make_reference.errors_page()
    codes = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            bases = [ast.unparse(base) for base in node.bases] if isinstance(node, ast.ClassDef) else []
            if bases and any(base.rpartition(".")[2] in make_reference.error_names() for base in bases):
                codes |= set(re.findall(r"^    code\b.*?= \(?\"([a-z_]+)\"", ast.unparse(node).replace("'", '"'), re.M))
    assert len(codes) > 10
    assert [code for code in sorted(codes) if f"`{code}`" not in page] == []


def test_every_error_has_a_sentence() -> None:
    assert [cls for cls in make_reference.error_classes() if not make_reference.sentence_of(cls)] == []


def test_every_fact_and_every_cause_is_on_the_page() -> None:
    page = make_reference.events_page()
    assert [cls for cls in FACTS.values() if f"| `{cls.name}` |" not in page] == []
    assert [cause for cause in Cause if f"| `{cause}` |" not in page] == []


def test_every_fact_says_when_it_happens() -> None:
    assert [cls for cls in FACTS.values() if not make_reference.own_sentence(cls)] == []


def test_every_public_command_and_its_options_have_a_sentence() -> None:
    page = make_reference.commands_page()
    sections = page.split("\n## ")[1:]
    assert len(sections) > 12
    for section in sections:
        title, _, body = section.partition("\n")
        assert re.match(r"\n[A-Z][^|]+\.", body), title
        for row in re.findall(r"^\| `.*$", body, re.M):
            assert re.search(r"\| \w[^|]+[.`] \|$", row), (title, row)


def test_every_metric_name_in_the_source_is_on_the_page() -> None:
    page = make_reference.metrics_page()
    names = set()
    for path in SOURCE.rglob("*.py"):
        names |= set(re.findall(r"\"(maskline_[a-z_]+)\"", path.read_text()))
    assert len(names) > 5
    assert [name for name in sorted(names) if not re.search(rf"`{name}(_total)?`", page)] == []
