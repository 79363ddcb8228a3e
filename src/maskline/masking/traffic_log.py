"""Session logs as text: one session a line, JSON or CSV, read into planned sessions.

What it is: the format that `maskline pool plan --from` reads and `maskline lab workload` writes. What it is not: a
place where numbers stay: a party is hashed with a key of this run as soon as its line is read, and no error repeats
what stood in a line. Who uses it: `cli/pool.py`, `lab/workloads.py`.

Columns: `start`, `end` (seconds since 1970, or ISO 8601, UTC when it names no zone), `first_party`, `second_party`
(a phone number, or any text that stands for one; an empty second party is a single-party session), and optionally
`first_country`, `second_country` (ISO 3166-1 alpha-2; by the party's number when empty). Others are ignored.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import chain
from typing import Any, NoReturn

from maskline.errors import InvalidParameter
from maskline.masking.e164 import parse_number
from maskline.masking.traffic import PlannedSession

REQUIRED = ("start", "end", "first_party", "second_party")
COLUMNS = (*REQUIRED, "first_country", "second_country")
_FAR = 1e15
"""Seconds; what is beyond is no time, and may be an integer that no float can hold."""


def read_log(lines: Iterable[str], key: bytes) -> list[PlannedSession]:
    """The sessions of a log, in its order. JSON when the first line that is not blank begins with `{`, else CSV
    with a head line. Raises `InvalidParameter`: one sentence with the number of the line, nothing of its content.

    `key` (16 to 64 bytes) keys the hash of the parties; take it from `secrets` and keep it nowhere.
    """
    reader = LogReader(key)
    return [reader.session(number, row) for number, row in _rows(lines)]


class LogReader:
    """Turns rows into planned sessions; the same party is the same small number in all of them."""

    __slots__ = ("_key", "_parties")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._parties: dict[bytes, tuple[int, str | None]] = {}
        """Hash to (running number, country of the phone number)."""

    def session(self, line: int, row: Mapping[str, Any]) -> PlannedSession:
        start, end = _time(line, row, "start"), _time(line, row, "end")
        if end <= start:
            _refuse(line, "end must be after start")
        first, second = _text(line, row, "first_party"), _text(line, row, "second_party")
        if not first:
            _refuse(line, "first_party is empty")
        first_id, first_country = self._party(first)
        second_id, second_country = self._party(second) if second else (None, None)
        if first_id == second_id:
            _refuse(line, "first_party and second_party are the same")
        return PlannedSession(
            start, end, first_id, second_id,
            _country(line, row, "first_country") or first_country,
            _country(line, row, "second_country") or second_country,
        )  # fmt: skip

    def _party(self, text: str) -> tuple[int, str | None]:
        try:
            number = parse_number(text)
        except InvalidParameter:
            number = None
        known = hashlib.blake2b((number.e164 if number else text).encode(), key=self._key, digest_size=16).digest()
        found = self._parties.get(known)
        if found is None:
            found = self._parties[known] = (len(self._parties), number.country if number else None)
        return found


def write_row(row: Mapping[str, Any]) -> str:
    """One line of a JSON log, without its end."""
    return json.dumps({name: row[name] for name in COLUMNS if name in row}, separators=(",", ":"))


def _rows(lines: Iterable[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    numbered = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    first = next(numbered, None)
    if first is None:
        return
    number, line = first
    # A file written by a spreadsheet begins with a byte order mark.
    first = (number, line.removeprefix("\ufeff"))
    read = _json_rows if first[1].lstrip().startswith("{") else _csv_rows
    yield from read(chain([first], numbered))


def _json_rows(numbered: Iterable[tuple[int, str]]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in numbered:
        try:
            row = json.loads(line)
        except ValueError:
            _refuse(number, "this is not a JSON object")
        if not isinstance(row, dict):
            _refuse(number, "this is not a JSON object")
        for name in REQUIRED:
            if name not in row:
                _refuse(number, f"{name} is missing")
        yield number, row


def _csv_rows(numbered: Iterator[tuple[int, str]]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    head_line, head = next(numbered)
    names = [name.strip().lower() for name in _cells(head_line, head)]
    for name in REQUIRED:
        if name not in names:
            _refuse(head_line, f"the head line has no column {name}")
    for number, line in numbered:
        cells = _cells(number, line)
        if len(cells) != len(names):
            _refuse(number, f"{len(cells)} columns where the head line has {len(names)}")
        yield number, dict(zip(names, cells, strict=True))


def _cells(number: int, line: str) -> list[str]:
    try:
        return next(csv.reader([line], strict=True))
    except csv.Error:
        _refuse(number, "this is not CSV")


def _text(line: int, row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    # JSON writers often send a phone number as a number.
    if isinstance(value, bool) or not isinstance(value, str | int):
        _refuse(line, f"{name} is not a text")
    return str(value).strip()


def _country(line: int, row: Mapping[str, Any], name: str) -> str | None:
    text = _text(line, row, name).upper()
    if text and not (len(text) == 2 and text.isascii() and text.isalpha()):
        _refuse(line, f"{name} is not a country code of two letters")
    return text or None


def _time(line: int, row: Mapping[str, Any], name: str) -> float:
    value = row[name]
    seconds = math.nan
    if isinstance(value, str):
        seconds = _time_of_text(value.strip())
    elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _FAR:
        seconds = float(value)
    if not abs(seconds) < _FAR:
        _refuse(line, f"{name} is neither seconds since 1970 nor an ISO 8601 time")
    return seconds


def _time_of_text(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        """Not seconds: a date then."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return math.nan
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _refuse(line: int, what: str) -> NoReturn:
    raise InvalidParameter(f"Line {line} of the log: {what}.")
