"""Every row of the vendor's promises has a test, and tools/check_rows.py would notice if not."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from tools import check_rows
from tools.check_rows import CATALOGUES, Catalogue, Row, read_catalogue, read_document, read_markers

CATALOGUE = """
# a remark
2/first_party | t1.1 | A number.
2/second_party | t1.2 | Another one.
3/what may change | b1 | Some of it.
"""
ONE = Catalogue(Path("one.txt"), frozenset({2, 3}), re.compile(r"[a-z]+_[a-z]+"))
DOCUMENT = """
## 2. Create

| Attribute | Type |
|---|---|
| `first_party` | string |
| `second_party`, `session_expiry` | string |

## 3. Update
- One rule
  with a second line.
1. A step
## 10. Causes
| Code |
|---|
| 0 |
"""


def write_tests(folder: Path, text: str) -> dict[str, list[str]]:
    (folder / "test_it.py").write_text("import pytest\n" + text)
    return read_markers(folder)


def test_a_row_without_a_test_and_a_marker_without_a_row_are_listed(tmp_path: Path) -> None:
    rows, _ = read_catalogue(CATALOGUE)
    markers = write_tests(tmp_path, '@pytest.mark.row("2/first_party", "2/nothing")\ndef test_it(): ...\n')
    assert check_rows.untested(rows, markers) == ["no test names 2/second_party", "no test names 3/what may change"]
    assert check_rows.unknown(rows, markers) == [
        f"{tmp_path.name}/test_it.py:2: no row is called 2/nothing",
    ]


@pytest.mark.parametrize(
    "text",
    [
        '@pytest.mark.row("2/first_party")\nclass TestIt: ...\n',
        'pytestmark = pytest.mark.row("2/first_party")\n',
        'case = pytest.param(1, marks=pytest.mark.row("2/first_party"))\n',
        'case = pytest.param(1, marks=[pytest.mark.row("2/first_party"), pytest.mark.wire])\n',
    ],
)
def test_markers_are_found_wherever_pytest_takes_them(tmp_path: Path, text: str) -> None:
    assert [*write_tests(tmp_path, text)] == ["2/first_party"]


def test_an_id_that_is_computed_names_no_row(tmp_path: Path) -> None:
    markers = write_tests(tmp_path, 'pytestmark = pytest.mark.row("2/" + "first_party")\n')
    rows = [Row("2/first_party", "t1.1", "A number.")]
    assert len(check_rows.untested(rows, markers)) == len(check_rows.unknown(rows, markers)) == 1


@pytest.mark.parametrize(
    "line", ["2/x | t1.1", "2/x | 1 | A sentence.", "x | t1.1 | A sentence.", "2/x | t1.1 | no end"]
)
def test_a_line_that_is_no_row_is_named(line: str) -> None:
    assert read_catalogue(f"# remark\n{line}\n") == ([], ["line 2 is not `id | place | sentence.`"])


def test_an_id_is_taken_once() -> None:
    assert read_catalogue("2/x | t1.1 | One.\n2/x | t1.2 | Two.\n")[1] == ["two rows are called 2/x"]


def test_the_catalogue_is_held_against_the_document() -> None:
    document = read_document(DOCUMENT)
    assert [*document.rows] == [("2", "t1.1"), ("2", "t1.2"), ("3", "b1"), ("3", "s1"), ("10", "t1.1")]
    rows, _ = read_catalogue(CATALOGUE + "3/a remark of ours | p4 | It is said.\n3/invented | b9 | It is not.\n")
    assert [*check_rows.compare(ONE, rows, document)] == [
        "3/invented: section 3 has no b9",
        "section 2 t1.2: no row says session_expiry",
        "section 3 s1 has no row",
    ]


def test_names_are_looked_for_in_as_many_cells_as_the_catalogue_says() -> None:
    document = read_document("## 4. Actions\n| Action | Param |\n|---|---|\n| make_call | call_source |\n")
    row = Row("x:4/make_call", "t1.1", "It calls.")
    two = dataclasses.replace(ONE, prefix="x:", sections=frozenset({4}), cells=2)
    assert [*check_rows.compare(two, [row], document)] == ["section 4 t1.1: no row says call_source"]
    assert [*check_rows.compare(dataclasses.replace(two, cells=1), [row], document)] == []


@pytest.mark.parametrize(("prefix", "id"), [("x:", "2/first_party"), ("", "x:2/first_party")])
def test_an_id_of_another_catalogue_is_a_complaint(tmp_path: Path, prefix: str, id: str) -> None:
    (tmp_path / "one.txt").write_text(f"{id} | t1.1 | A number: what for.\n")
    rows, complaints = dataclasses.replace(ONE, path=tmp_path / "one.txt", prefix=prefix).read()
    assert [row.id for row in rows] == [id]
    assert complaints == [f"{id} is no id for one.txt"]


def test_the_command_reports_what_is_missing_of_a_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plivo-vts.md").write_text("## 2. Create\n| A |\n|---|\n| `first_party` |\n| `second_party` |\n")
    (tmp_path / "other.md").write_text("")
    assert check_rows.main(["--spec", str(tmp_path / "plivo-vts.md"), "--spec", str(tmp_path / "other.md")]) == 1
    printed = capsys.readouterr().out
    assert "plivo-vts.md: 2 table rows, bullets and steps in the sections that count" in printed
    assert "2/session_expiry: section 2 has no t1.3" in printed
    assert "other: no catalogue is called so" in printed


def test_the_command_lists_rows_without_a_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one.txt").write_text("2/first_party | t1.1 | A number.\n")
    monkeypatch.setattr(check_rows, "CATALOGUES", (dataclasses.replace(ONE, path=tmp_path / "one.txt"),))
    monkeypatch.setattr(check_rows, "TESTS", tmp_path)
    assert check_rows.main([]) == 1
    printed = capsys.readouterr().out
    assert "no test names 2/first_party" in printed
    assert "one.txt: rows: 1, with a test: 0; for a later issue: 0" in printed


def test_every_row_of_this_project_has_a_test_and_every_marker_names_a_row() -> None:
    markers = read_markers(check_rows.TESTS)
    rows = []
    for catalogue in CATALOGUES:
        of_this, unreadable = catalogue.read()
        assert unreadable == []
        assert check_rows.untested(of_this, markers) == []
        rows += of_this
    assert check_rows.unknown(rows, markers) == []


def test_packages_that_are_not_ours_are_not_read(tmp_path: Path) -> None:
    packages = tmp_path / "node_modules" / "old"
    packages.mkdir(parents=True)
    (packages / "build.py").write_text("print 'of another age'\n")
    assert read_markers(tmp_path) == {}


@pytest.mark.parametrize("catalogue", CATALOGUES, ids=lambda catalogue: catalogue.path.stem)
def test_the_catalogue_leaves_nothing_of_the_written_specification_out(catalogue: Catalogue) -> None:
    specification = check_rows.ROOT.parent / "shared" / "spec" / f"{catalogue.path.stem}.md"
    if not specification.is_file():
        pytest.skip(f"needs ../shared/spec/{specification.name}")
    rows, _ = catalogue.read()
    document = read_document(specification.read_text())
    assert sum(1 for _ in document.demanded(catalogue.sections)) > 180
    assert [*check_rows.compare(catalogue, rows, document)] == []
