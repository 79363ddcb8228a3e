"""Which rows of the state tables were used: a recorder that stands in for every table of the product for a while.

What it is: `TABLES`, name -> table, and `recording()`, within which each look-up that finds a row is noted. What it is
not: the stories that use them. Who uses it: tests/sim/test_every_transition.py.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from maskline.engine import call as call_machine
from maskline.engine import call_states
from maskline.engine.announcer import HEARING
from maskline.engine.call_change import CHANGE
from maskline.engine.capture import CAPTURING
from maskline.engine.pin_prompt import ASKING
from maskline.sip import transaction_client, transaction_server

Row = tuple[Any, Any]
"""State and what happened in it."""

TABLES: dict[str, dict[Row, Any]] = {
    # The tables of transaction_states and of call_states, with the functions that their rows name.
    "CLIENT_INVITE": transaction_client._INVITE,
    "CLIENT_OTHER": transaction_client._OTHER,
    "SERVER_INVITE": transaction_server._INVITE,
    "SERVER_OTHER": transaction_server._OTHER,
    "LEG_IN": call_states.LEG_IN,
    "LEG_OUT": call_states.LEG_OUT,
    "CALL": call_machine._ROWS,
    "CHANGE": CHANGE,
    "HEARING": HEARING,
    "ASKING": ASKING,
    "CAPTURING": CAPTURING,
}


class _Noted(dict[Row, Any]):
    """A table that remembers which of its rows were found."""

    def __init__(self, table: dict[Row, Any]) -> None:
        super().__init__(table)
        self.found: set[Row] = set()

    def get(self, key: Row, default: Any = None) -> Any:
        row = super().get(key, default)
        if row is not None:
            self.found.add(key)
        return row

    def __getitem__(self, key: Row) -> Any:
        self.found.add(key)
        return super().__getitem__(key)


@contextmanager
def recording() -> Iterator[dict[str, set[Row]]]:
    """Rows used from now on, by table; machines made before go on unseen."""
    noted = {name: _Noted(table) for name, table in TABLES.items()}
    replaced: list[tuple[Any, str, Any]] = []
    for module in [module for name, module in sys.modules.items() if name.startswith("maskline.")]:
        for attribute, value in list(vars(module).items()):
            name = next((name for name, table in TABLES.items() if table is value), None)
            if name is not None:
                replaced.append((module, attribute, value))
                setattr(module, attribute, noted[name])
    try:
        yield {name: table.found for name, table in noted.items()}
    finally:
        for module, attribute, value in replaced:
            setattr(module, attribute, value)


def shown(row: Row) -> str:
    """As the diagrams of docs/reference name it."""
    return ", ".join(getattr(part, "name", None) or getattr(part, "__name__", str(part)) for part in row)
