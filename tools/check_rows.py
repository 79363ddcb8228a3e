"""Does every row of the vendor's promises have a test that names it?

What it is: a reader of the catalogue tests/spec/plivo-vts.txt and of the `@pytest.mark.row("…")` markers in tests; it
lists rows that no test names, markers that name no row, and lines of the catalogue it cannot read. With `--spec PATH`
it also holds the catalogue against the document it was made from: each table row, bullet and numbered step of sections
1 to 7 must have a line, and each name in such a row's first cell must be said there. What it is not: a judge of what
a test asserts. Called by `make lint` and tests/unit/test_project_rows.py; exit 1 when something is listed.

Markers are read from the syntax tree, so a row id has to be written out, not computed.
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = ROOT / "tests" / "spec" / "plivo-vts.txt"
TESTS = ROOT / "tests"

_PLACE = re.compile(r"(?:t\d+\.|[bsp])\d+\Z")
_SECTION = re.compile(r"#{2,3} (\d(?:\.\d)?)[. ]")
_NAME = re.compile(r"\b(?:[A-Za-z]+_[A-Za-z_]+|[A-Z][a-z]+[A-Z]\w+)\b")
"""A field, parameter or event as the vendor writes it: snake_case or CamelCase."""


@dataclass(frozen=True, slots=True)
class Row:
    id: str
    """`section/name`, as tests name it."""
    place: str
    sentence: str

    @property
    def section(self) -> str:
        return self.id.partition("/")[0]


@dataclass(slots=True)
class Document:
    """What the written specification holds: (section, place) → names in the row's first cell."""

    rows: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)


def read_catalogue(text: str) -> tuple[list[Row], list[str]]:
    """Rows in order, and a complaint for each line that is none."""
    rows: list[Row] = []
    complaints = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split(" | ", 2)]
        if len(cells) != 3 or "/" not in cells[0] or not _PLACE.match(cells[1]) or not cells[2].endswith("."):
            complaints.append(f"line {number} is not `id | place | sentence.`")
        else:
            rows.append(Row(*cells))
    twice = [id for id, count in Counter(row.id for row in rows).items() if count > 1]
    return rows, complaints + [f"two rows are called {id}" for id in twice]


def read_markers(root: Path) -> dict[str, list[str]]:
    """Row id → places (`file:line`) of the markers that name it, in every test file under `root`."""
    found: dict[str, list[str]] = {}
    for path in sorted(root.rglob("*.py")):
        if "node_modules" in path.parts:
            continue  # the packages of the vendor's client, which are not ours to read
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _is_row_marker(node.func):
                place = f"{path.relative_to(root.parent).as_posix()}:{node.lineno}"
                for argument in node.args:
                    found.setdefault(_literal(argument), []).append(place)
    return found


def _is_row_marker(function: ast.expr) -> bool:
    return ast.unparse(function) in ("pytest.mark.row", "mark.row")


def _literal(argument: ast.expr) -> str:
    value = argument.value if isinstance(argument, ast.Constant) else None
    return value if isinstance(value, str) else f"(computed) {ast.unparse(argument)}"


def read_document(text: str) -> Document:
    """Table rows, bullets and steps of sections 1 to 7; other sections describe, they do not demand."""
    document = Document()
    section = ""
    counts: Counter[str] = Counter()
    in_table = False
    for line in text.splitlines():
        if line.startswith("#"):
            heading = _SECTION.match(line)
            section = heading[1] if heading and "1" <= heading[1][0] <= "7" else ""
            counts.clear()
        if not section:
            continue
        is_table = line.startswith("|")
        if is_table and not in_table:
            counts["t"] += 1
            counts["row"] = -2  # the heading and the rule under it
        in_table = is_table
        if is_table:
            counts["row"] += 1
        place = _place(line, counts)
        if place:
            first_cell = line.split("|")[1] if is_table else ""
            document.rows[section, place] = tuple(dict.fromkeys(_NAME.findall(first_cell)))
    return document


def _place(line: str, counts: Counter[str]) -> str:
    if line.startswith("|"):
        return f"t{counts['t']}.{counts['row']}" if counts["row"] > 0 else ""
    for pattern, letter in ((r"- ", "b"), (r"\d+\. ", "s")):
        if re.match(pattern, line):
            counts[letter] += 1
            return f"{letter}{counts[letter]}"
    return ""


def compare(rows: list[Row], document: Document) -> Iterator[str]:
    """What the catalogue leaves out of the document, and what it invents; paragraphs (`pN`) are its own choice."""
    said: dict[tuple[str, str], str] = {}
    for row in rows:
        key = (row.section, row.place)
        said[key] = f"{said.get(key, '')} {row.id} {row.sentence}"
        if key not in document.rows and not row.place.startswith("p"):
            yield f"{row.id}: section {row.section} has no {row.place}"
    for key, names in document.rows.items():
        if key not in said:
            yield f"section {key[0]} {key[1]} has no row"
            continue
        for name in names:
            if not re.search(rf"\b{name}\b", said[key]):
                yield f"section {key[0]} {key[1]}: no row says {name}"


def complaints(rows: list[Row], markers: dict[str, list[str]]) -> list[str]:
    """Rows without a test, then markers without a row."""
    known = {row.id for row in rows}
    untested = [f"no test names {row.id}" for row in rows if row.id not in markers]
    return untested + [
        f"{', '.join(places)}: no row is called {id}" for id, places in markers.items() if id not in known
    ]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="List rows of tests/spec/plivo-vts.txt that no test names.")
    parser.add_argument("--spec", type=Path, help="the written specification, to hold the catalogue against")
    options = parser.parse_args(arguments)
    rows, found = read_catalogue(CATALOGUE.read_text(encoding="utf-8"))
    markers = read_markers(TESTS)
    found += complaints(rows, markers)
    if options.spec:
        document = read_document(options.spec.read_text(encoding="utf-8"))
        found += compare(rows, document)
        print(f"{options.spec.name}: {len(document.rows)} table rows, bullets and steps in sections 1 to 7")
    for line in found:
        print(line)
    tested = sum(row.id in markers for row in rows)
    later = sum("until then" in row.sentence for row in rows)
    print(f"rows: {len(rows)}, with a test: {tested}; for a later issue: {later}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
