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
from maskline.json_text import json_texts
from maskline.masking.facts import (
    FACT_FIELDS,
    CallEnded,
    CallReceived,
    CallRouted,
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
    times = json_texts([fact.at for fact in facts[:-1]]) if last else ()
    for index, fact in enumerate(facts):
        name = fact.name
        text = _details(fact, name)
        if index < last and type(fact) is not CallEnded and _follows(facts[index + 1], fact):
            earlier.append(f'[{times[index]},"{name}",{text}]')
            continue
        before = f"[{','.join(earlier)}]" if earlier else None
        found.append((fact.subject, fact.sequence, fact.at, name, text, len(earlier) + 1, before))
        earlier = []
    return found


def _follows(fact: Fact, previous: Fact) -> bool:
    return fact.sequence == previous.sequence + 1 and fact.subject == previous.subject


def _details(fact: Fact, name: str) -> str:
    """The fact's own fields as a JSON object."""
    if isinstance(fact, CallRouted):
        return f'{{"session_id":"{fact.session_id}",{_how_routed(fact.caller, fact.matched_by)}'
    said = _SAID.get(name)
    if said is None:
        return _details_to_text(name, fact_values(fact))
    values = _said_by(fact)
    text = said.get(values)
    if text is None:
        if len(said) >= _SAID_KEPT:
            said.clear()
        text = said[values] = _details_to_text(name, values)
    return text


def _said_by(fact: Fact) -> tuple[Any, ...]:
    """As `fact_values`, of those that every call has, without looking for their fields by name."""
    if isinstance(fact, LegEnded):
        return fact.leg, fact.outcome, fact.cause, fact.sip_status, fact.hung_up_by
    if isinstance(fact, LegAnswered):
        return (fact.leg,)
    if isinstance(fact, CallEnded):
        return fact.outcome, fact.cause, fact.hung_up_by
    if isinstance(fact, LegDialed):
        return fact.leg, fact.trunk_id
    if isinstance(fact, LegRinging):
        return fact.leg, fact.early_media
    if isinstance(fact, CallReceived):
        return fact.trunk_id, fact.virtual_number, fact.verification, fact.attestation
    return fact_values(fact)


def _details_to_text(name: str, values: tuple[Any, ...]) -> str:
    return to_json(dict(zip(FACT_FIELDS[name], values, strict=True))).decode()


@lru_cache(maxsize=64)
def _how_routed(caller: str, matched_by: str) -> str:
    """The end of an object."""
    return to_json({"caller": caller, "matched_by": matched_by}).decode()[1:]


# Most facts of a call say one of a few things ("leg b answered"), and it has nine of them.
_SAID: dict[str, dict[tuple[Any, ...], str]] = {
    kind.name: {} for kind in (CallReceived, LegDialed, LegRinging, LegAnswered, LegChanged, LegEnded, CallEnded)
}
_SAID_KEPT = 8192
"""Of a kind; what is said of numbers and trunks may be more."""


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
