"""Between facts and their rows: what a commit has of one subject shares a row.

What it is: the columns of `facts`, written and read. What it is not: SQL, or positions, which the transaction gives.
Who uses it: the SQL stores.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from pydantic_core import to_json

from maskline.errors import UnreadableFact
from maskline.masking.facts import (
    FACT_FIELDS,
    CallEnded,
    CallReceived,
    Fact,
    LegAnswered,
    LegChanged,
    LegDialed,
    LegEnded,
    LegRinging,
    fact_values,
    restore_fact,
)
from maskline.storage.rows import Row

FACTS_IN_ROW = 5
"""Where `facts_to_rows` puts how many a row holds."""


def facts_to_rows(facts: Sequence[Fact]) -> list[Row]:
    """Without the position, which the transaction gives. Facts that follow one another within a subject share a row: a
    call says two or three things at a time, and each row of its own would be one more in two indexes. The last fact
    of a call ends its row, since the call's record is found by it."""
    found: list[Row] = []
    earlier: list[str] = []
    last = len(facts) - 1
    for index, fact in enumerate(facts):
        name, values = fact.name, fact_values(fact)
        text = _said_often(name, values) if type(fact) in _SAID_OFTEN else _details_to_text(name, values)
        if index < last and type(fact) is not CallEnded and _follows(facts[index + 1], fact):
            # Not `repr`, which takes 7,500 instructions to write a time of today, and this 400.
            earlier.append(f'[{to_json(fact.at).decode()},"{name}",{text}]')
            continue
        before = f"[{','.join(earlier)}]" if earlier else None
        found.append((fact.subject, fact.sequence, fact.at, name, text, len(earlier) + 1, before))
        earlier = []
    return found


def _follows(fact: Fact, previous: Fact) -> bool:
    return fact.sequence == previous.sequence + 1 and fact.subject == previous.subject


def _details_to_text(name: str, values: tuple[Any, ...]) -> str:
    return to_json(dict(zip(FACT_FIELDS[name], values, strict=True))).decode()


# Most facts of a call say one of a few things ("leg b answered"), and it has nine of them.
_said_often = lru_cache(maxsize=8192)(_details_to_text)
_SAID_OFTEN = frozenset((CallReceived, LegDialed, LegRinging, LegAnswered, LegChanged, LegEnded, CallEnded))


def facts_from_row(row: Row, after: int = 0) -> list[tuple[int, Fact]]:
    """Those whose position is beyond `after`. Raises `UnreadableFact` for one that another version wrote: of an unknown
    name, or with other fields."""
    position, subject, sequence, at, name, text, many, before = row
    found: list[tuple[int, Fact]] = []
    try:
        told = [*(json.loads(before) if before else ()), (at, name, json.loads(text))]
        for behind, (when, what, details) in zip(range(many - 1, -1, -1), told, strict=True):
            if position - behind > after:
                found.append((position - behind, restore_fact(what, subject, sequence - behind, when, details)))
    except (KeyError, TypeError, ValueError):
        raise UnreadableFact(
            f"Fact {position} ({name}) was written by another version of Maskline; this one cannot read it."
        ) from None
    return found
