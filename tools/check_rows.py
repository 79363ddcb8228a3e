"""Does every row of the vendors' promises have a test that names it?

What it is: a reader of the catalogues in tests/spec (one for each written specification, see `CATALOGUES`) and of the
`@pytest.mark.row("…")` markers in tests; it lists rows that no test names, markers that name no row, and lines of a
catalogue it cannot read. With `--spec PATH`, once for each, it also holds the catalogue of that name against the
document it was made from: each table row, bullet and numbered step of the sections it demands must have a line, and
each name in such a row's first cells must be said there. What it is not: a judge of what a test asserts. Called by
`make lint` and tests/unit/test_project_rows.py; exit 1 when something is listed.

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
TESTS = ROOT / "tests"


@dataclass(frozen=True, slots=True)
class Catalogue:
    path: Path
    """Named as the document it was made from, but for the suffix."""
    sections: frozenset[int]
    """Top sections of the document of which each row must be said; the others describe, they do not demand."""
    names: re.Pattern[str]
    """A field, parameter, event or code as the vendor writes it."""
    prefix: str = ""
    """Begins each id, so that section numbers of two documents do not meet."""
    cells: int = 1
    """First cells of a table row whose names must be said."""

    def read(self) -> tuple[list[Row], list[str]]:
        """As `read_catalogue`, and a complaint for each id without the prefix."""
        rows, found = read_catalogue(self.path.read_text(encoding="utf-8"))
        return rows, found + [f"{row.id} is no id for {self.path.name}" for row in rows if not self.owns(row.id)]

    def owns(self, id: str) -> bool:
        return id.startswith(self.prefix) if self.prefix else ":" not in id.partition("/")[0]


CATALOGUES = (
    Catalogue(
        path=TESTS / "spec" / "plivo-vts.txt",
        sections=frozenset(range(1, 8)),
        names=re.compile(r"\b(?:[A-Za-z]+_[A-Za-z_]+|[A-Z][a-z]+[A-Z]\w+)\b"),
    ),
    Catalogue(
        path=TESTS / "spec" / "8x8-wavecell.txt",
        sections=frozenset({*range(2, 11), 13}),
        names=re.compile(r"\b[a-z]+(?:[A-Z][a-z]+)+\b|\b[A-Z]+(?:_[A-Z]+)+\b|-(?:[12]0\d\d|9999)\b"),
        prefix="8x8:",
        cells=2,
    ),
)

_PLACE = re.compile(r"(?:t\d+\.|[bsp])\d+\Z")
_SECTION = re.compile(r"#{2,3} (\d+(?:\.\d+)?)[. ]")


@dataclass(frozen=True, slots=True)
class Row:
    id: str
    """`section/name` behind the catalogue's prefix, as tests name it."""
    place: str
    sentence: str

    @property
    def section(self) -> str:
        return self.id.partition("/")[0].rpartition(":")[2]


@dataclass(slots=True)
class Document:
    """What the written specification holds: (section, place) → first cells of a table row, or nothing."""

    rows: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def demanded(self, sections: frozenset[int]) -> Iterator[tuple[str, str]]:
        return (key for key in self.rows if int(key[0].partition(".")[0]) in sections)


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
    """Table rows, bullets and steps of all numbered sections."""
    document = Document()
    section = ""
    counts: Counter[str] = Counter()
    in_table = False
    for line in text.splitlines():
        if line.startswith("#"):
            heading = _SECTION.match(line)
            section = heading[1] if heading else ""
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
            document.rows[section, place] = tuple(line.split("|")[1:]) if is_table else ()
    return document


def _place(line: str, counts: Counter[str]) -> str:
    if line.startswith("|"):
        return f"t{counts['t']}.{counts['row']}" if counts["row"] > 0 else ""
    for pattern, letter in ((r"- ", "b"), (r"\d+\. ", "s")):
        if re.match(pattern, line):
            counts[letter] += 1
            return f"{letter}{counts[letter]}"
    return ""


def compare(catalogue: Catalogue, rows: list[Row], document: Document) -> Iterator[str]:
    """What the catalogue leaves out of the document, and what it invents; paragraphs (`pN`) are its own choice."""
    said: dict[tuple[str, str], str] = {}
    for row in rows:
        key = (row.section, row.place)
        said[key] = f"{said.get(key, '')} {row.id} {row.sentence}"
        if key not in document.rows and not row.place.startswith("p"):
            yield f"{row.id}: section {row.section} has no {row.place}"
    for key in document.demanded(catalogue.sections):
        if key not in said:
            yield f"section {key[0]} {key[1]} has no row"
            continue
        first_cells = " ".join(document.rows[key][: catalogue.cells])
        for name in dict.fromkeys(catalogue.names.findall(first_cells)):
            if not re.search(rf"(?<!\w){name}\b", said[key]):
                yield f"section {key[0]} {key[1]}: no row says {name}"


def untested(rows: list[Row], markers: dict[str, list[str]]) -> list[str]:
    return [f"no test names {row.id}" for row in rows if row.id not in markers]


def unknown(rows: list[Row], markers: dict[str, list[str]]) -> list[str]:
    """Markers that name a row of no catalogue; `rows` are those of all."""
    known = {row.id for row in rows}
    return [f"{', '.join(places)}: no row is called {id}" for id, places in markers.items() if id not in known]


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="List rows of the catalogues in tests/spec that no test names.")
    parser.add_argument(
        "--spec", type=Path, action="append", default=[], help="a written specification, to hold its catalogue against"
    )
    options = parser.parse_args(arguments)
    documents = {path.stem: path for path in options.spec}
    markers = read_markers(TESTS)
    found = [f"{name}: no catalogue is called so" for name in documents.keys() - {c.path.stem for c in CATALOGUES}]
    all_rows: list[Row] = []
    for catalogue in CATALOGUES:
        rows, unreadable = catalogue.read()
        all_rows += rows
        found += unreadable + untested(rows, markers)
        if catalogue.path.stem in documents:
            found += _against(catalogue, rows, documents[catalogue.path.stem])
        _sum_up(catalogue, rows, markers)
    found += unknown(all_rows, markers)
    for line in found:
        print(line)
    return 1 if found else 0


def _against(catalogue: Catalogue, rows: list[Row], path: Path) -> list[str]:
    document = read_document(path.read_text(encoding="utf-8"))
    demanded = sum(1 for _ in document.demanded(catalogue.sections))
    print(f"{path.name}: {demanded} table rows, bullets and steps in the sections that count")
    return [*compare(catalogue, rows, document)]


def _sum_up(catalogue: Catalogue, rows: list[Row], markers: dict[str, list[str]]) -> None:
    tested = sum(row.id in markers for row in rows)
    later = sum("until then" in row.sentence for row in rows)
    print(f"{catalogue.path.name}: rows: {len(rows)}, with a test: {tested}; for a later issue: {later}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
