"""Which rows of the state tables were used: a recorder that stands in for every table of the product for a while.

What it is: `TABLES`, name -> table, and `recording()`, within which each look-up that finds a row is noted. What it is
not: the stories that use them. Who uses it: tests/sim/test_every_transition.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from maskline.engine import call as call_machine
from maskline.engine import leg
from maskline.engine.announcer import HEARING
from maskline.engine.call_change import CHANGE
from maskline.engine.capture import CAPTURING
from maskline.engine.pin_prompt import ASKING
from maskline.sip import transaction_client, transaction_server

Row = tuple[Any, Any]
"""State and what happened in it."""

Nested = dict[Any, dict[Any, Any]]
"""Rows by state, and then by what happened."""

NESTED: dict[str, Nested] = {
    # The tables of transaction_states and of call_states as they are looked up, with what their rows name.
    "CLIENT_INVITE": transaction_client._INVITE,
    "CLIENT_OTHER": transaction_client._OTHER,
    "SERVER_INVITE": transaction_server._INVITE,
    "SERVER_OTHER": transaction_server._OTHER,
    "LEG_IN": leg._IN,
    "LEG_OUT": leg._OUT,
    "CALL": call_machine._ROWS,
}
FLAT: dict[str, dict[Row, Any]] = {
    "CHANGE": CHANGE,
    "HEARING": HEARING,
    "ASKING": ASKING,
    "CAPTURING": CAPTURING,
}
TABLES: dict[str, dict[Row, Any]] = FLAT | {
    name: {(state, event): row for state, rows in table.items() for event, row in rows.items()}
    for name, table in NESTED.items()
}


class _Noted(dict[Any, Any]):
    """A table, or what one has of one state, that tells which of its rows were found."""

    def __init__(self, table: dict[Any, Any], note: Callable[[Any], None]) -> None:
        super().__init__(table)
        self._note = note

    def get(self, key: Any, default: Any = None) -> Any:
        row = super().get(key, default)
        if row is not None:
            self._note(key)
        return row

    def __getitem__(self, key: Any) -> Any:
        self._note(key)
        return super().__getitem__(key)


def _noted(table: Nested, found: set[Row]) -> Nested:
    return {state: _Noted(rows, lambda event, state=state: found.add((state, event))) for state, rows in table.items()}


@contextmanager
def recording() -> Iterator[dict[str, set[Row]]]:
    """Rows used from now on, by table; machines made before go on unseen."""
    found: dict[str, set[Row]] = {name: set() for name in TABLES}
    known: dict[str, Any] = NESTED | FLAT
    noted: dict[str, Any] = {name: _noted(table, found[name]) for name, table in NESTED.items()}
    noted |= {name: _Noted(table, found[name].add) for name, table in FLAT.items()}
    replaced: list[tuple[Any, str, Any]] = []
    for module in [module for name, module in sys.modules.items() if name.startswith("maskline.")]:
        for attribute, value in list(vars(module).items()):
            name = next((name for name, table in known.items() if table is value), None)
            if name is not None:
                replaced.append((module, attribute, value))
                setattr(module, attribute, noted[name])
    try:
        yield found
    finally:
        for module, attribute, value in replaced:
            setattr(module, attribute, value)


def shown(row: Row) -> str:
    """As the diagrams of docs/reference name it."""
    return ", ".join(getattr(part, "name", None) or getattr(part, "__name__", str(part)) for part in row)
