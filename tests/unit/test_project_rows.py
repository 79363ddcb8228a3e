"""Every row of the vendor's promises has a test, and tools/check_rows.py would notice if not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import check_rows
from tools.check_rows import Row, read_catalogue, read_document, read_markers

CATALOGUE = """
# a remark
2/first_party | t1.1 | A number.
2/second_party | t1.2 | Another one.
3/what may change | b1 | Some of it.
"""
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
## 8. Causes
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
    assert check_rows.complaints(rows, markers) == [
        "no test names 2/second_party",
        "no test names 3/what may change",
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
    assert len(check_rows.complaints([Row("2/first_party", "t1.1", "A number.")], markers)) == 2


@pytest.mark.parametrize(
    "line", ["2/x | t1.1", "2/x | 1 | A sentence.", "x | t1.1 | A sentence.", "2/x | t1.1 | no end"]
)
def test_a_line_that_is_no_row_is_named(line: str) -> None:
    assert read_catalogue(f"# remark\n{line}\n") == ([], ["line 2 is not `id | place | sentence.`"])


def test_an_id_is_taken_once() -> None:
    assert read_catalogue("2/x | t1.1 | One.\n2/x | t1.2 | Two.\n")[1] == ["two rows are called 2/x"]


def test_the_catalogue_is_held_against_the_document() -> None:
    document = read_document(DOCUMENT)
    assert [*document.rows] == [("2", "t1.1"), ("2", "t1.2"), ("3", "b1"), ("3", "s1")]
    rows, _ = read_catalogue(CATALOGUE + "3/a remark of ours | p4 | It is said.\n3/invented | b9 | It is not.\n")
    assert [*check_rows.compare(rows, document)] == [
        "3/invented: section 3 has no b9",
        "section 2 t1.2: no row says session_expiry",
        "section 3 s1 has no row",
    ]


def test_the_command_reports_what_is_missing_of_a_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "spec.md").write_text("## 2. Create\n| A |\n|---|\n| `first_party` |\n| `second_party` |\n")
    assert check_rows.main(["--spec", str(tmp_path / "spec.md")]) == 1
    printed = capsys.readouterr().out
    assert "spec.md: 2 table rows, bullets and steps in sections 1 to 7" in printed
    assert "2/session_expiry: section 2 has no t1.3" in printed


def test_every_row_of_this_project_has_a_test_and_every_marker_names_a_row() -> None:
    rows, unreadable = read_catalogue(check_rows.CATALOGUE.read_text())
    assert unreadable == []
    assert check_rows.complaints(rows, read_markers(check_rows.TESTS)) == []


def test_packages_that_are_not_ours_are_not_read(tmp_path: Path) -> None:
    packages = tmp_path / "node_modules" / "old"
    packages.mkdir(parents=True)
    (packages / "build.py").write_text("print 'of another age'\n")
    assert read_markers(tmp_path) == {}


def test_the_catalogue_leaves_nothing_of_the_written_specification_out() -> None:
    specification = check_rows.ROOT.parent / "shared" / "spec" / "plivo-vts.md"
    if not specification.is_file():
        pytest.skip("needs ../shared/spec/plivo-vts.md")
    rows, _ = read_catalogue(check_rows.CATALOGUE.read_text())
    document = read_document(specification.read_text())
    assert len(document.rows) > 180
    assert [*check_rows.compare(rows, document)] == []
