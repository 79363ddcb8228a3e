"""How commands speak: one JSON document, or plain aligned text; numbers of people masked in both.

What it is: formatting of values and tables, and the one place that writes to stdout and stderr. What it is
not: decisions about what to show. Who uses it: every file of `cli/`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from maskline.masking.e164 import Number

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
RevealFlag = Annotated[bool, typer.Option("--reveal", help="Show the parties' numbers and secrets in clear.")]
AccountOption = Annotated[str, typer.Option("--account", help="Auth id of the account.", metavar="ID")]


def emit(as_json: bool, document: dict[str, Any], text: str) -> None:
    """Print the command's result: `document` with --json, else `text`."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False) if as_json else text)


def warn(sentence: str) -> None:
    """One line on stderr; stdout stays the result's."""
    typer.echo(f"warning: {sentence}", err=True)


def fail(sentence: str) -> None:
    """The one sentence of a failed command."""
    typer.echo(f"error: {sentence}", err=True)
    sys.stderr.flush()


def show_number(number: Number | None, reveal: bool) -> str | None:
    """A party's number, masked unless revealed. Virtual numbers are shown in clear: they are the product's own,
    everybody who may call knows them."""
    if number is None:
        return None
    return number.e164 if reveal else number.masked


def show_time(wall: float | None) -> str | None:
    """Wall seconds as `2026-11-22T07:52:12Z`."""
    if wall is None:
        return None
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def table(headings: Sequence[str], rows: Sequence[Sequence[Any]], empty: str = "None.") -> str:
    """Columns aligned by width; `empty` is the sentence shown instead of a bare heading."""
    if not rows:
        return empty
    cells = [[_cell(value) for value in row] for row in [headings, *rows]]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def pairs(values: dict[str, Any]) -> str:
    """One `name  value` line each, for a single object; nested lists and objects are left to the caller."""
    width = max(len(name) for name in values)
    return "\n".join(
        f"{name.replace('_', ' ').ljust(width)}  {_cell(value)}".rstrip() for name, value in values.items()
    )


def _cell(value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item) for item in value) or "-"
    return str(value)
