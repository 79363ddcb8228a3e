"""Loads the SQL that is written out in `schema.sql` and `queries.sql`.

What it is: a reader of two text files. What it is not: a query builder. Who uses it: the SQL stores.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from importlib import resources
from typing import Any

SCHEMA_VERSION = 17
"""The version `schema.sql` writes; a database of another version is refused."""

_PARAMETER = re.compile(r"\$(\d+)")


def schema_statements() -> list[str]:
    """The statements of `schema.sql`, in order, without comments."""
    return split_statements(_read("schema.sql"))


def split_statements(text: str) -> list[str]:
    """Each ends with a semicolon at the end of a line; without comments."""
    text = re.sub(r"^--.*\n", "", text, flags=re.MULTILINE)
    return [statement.strip() for statement in text.split(";\n") if statement.strip()]


def load_queries(dialect: Callable[[str], str] = str) -> dict[str, str]:
    """The queries by name, each put through `dialect` (what a driver must change, if anything)."""
    blocks = re.split(r"^-- (name|columns): (\w+)\n", _read("queries.sql"), flags=re.MULTILINE)
    columns: dict[str, str] = {}
    queries: dict[str, str] = {}
    for kind, name, text in zip(blocks[1::3], blocks[2::3], blocks[3::3], strict=True):
        body = re.sub(r"^--.*\n", "", text, flags=re.MULTILINE).strip()
        if kind == "columns":
            columns[name] = body
        else:
            queries[name] = dialect(re.sub(r"\{(\w+)\}", lambda match: columns[match[1]], body))
    return queries


def repeat_values(query: str, times: int) -> str:
    """The query with its `VALUES (…)` written `times` times, each with parameters of its own: one statement for
    many rows. Parameters outside of the row are common to all, and numbered before the row's."""
    before, opening, rest = query.partition("VALUES")
    start = rest.index("(")
    end = _closing(rest, start)
    row = rest[start:end]
    numbers = [int(number) for number in _PARAMETER.findall(row)]
    width = max(numbers) - min(numbers) + 1
    rows = [
        _PARAMETER.sub(lambda match, shift=i * width: f"${int(match[1]) + shift}", row)  # type: ignore[misc]
        for i in range(times)
    ]
    return before + opening + rest[:start] + ", ".join(rows) + rest[end:]


ROWS_AT_ONCE = 64
"""Rows in one statement at most. On SQLite each statement lets go of the interpreter's lock once: with a statement per
row the writer thread and the event loop fought for it thousands of times a second (measured: 100 µs each time). On
PostgreSQL each one is a way to the server and back."""


def blocks_of(rows: Sequence[Sequence[Any]], most: int = ROWS_AT_ONCE) -> Iterator[Sequence[Sequence[Any]]]:
    """Powers of two: any number of rows is a few statements, and all of them stay prepared."""
    start = 0
    while start < len(rows):
        size = min(most, 1 << (len(rows) - start).bit_length() - 1)
        yield rows[start : start + size]
        start += size


def _closing(text: str, start: int) -> int:
    """Behind the parenthesis that closes the one at `start`."""
    depth = 0
    for index in range(start, len(text)):
        depth += (text[index] == "(") - (text[index] == ")")
        if depth == 0:
            return index + 1
    raise ValueError("VALUES without an end")


def _read(name: str) -> str:
    return resources.files("maskline.storage").joinpath(name).read_text("utf-8")
