"""How one receiver wants its bodies, where the vendors' pages of several years leave a choice.

What it is: the generations of 8x8's bodies and the other options of an endpoint, read once per endpoint. What it is
not: a check of what may be configured (`workflows/set_webhook.py`): what is not known here counts as not said. Who uses
it: the bodies of 8x8 and Wavecell, and `workflows/record_call.py`, which reads it.

Why there are three generations, and which keys tell them apart: docs/decisions/0037-generations.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from maskline.masking.redaction import IN_FULL, Redactor
from maskline.values import dataclass


class Generation(StrEnum):
    """The years of 8x8's pages (8x8-wavecell.md §2); G1 is Wavecell's."""

    G2 = "g2"
    """2020 to 2023: `eventData` is text, statuses have a blank, there is no ERROR, `errorDetails` or `callQuality`."""
    G3 = "g3"
    """2024 and 2025."""
    G3V5 = "g3v5"
    """2026: session summaries say `version` 5."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A receiver's wishes."""

    sub_account_id: str
    """What it knows the (sub)account as."""
    redactor: Redactor = IN_FULL
    """What it sees of the parties' numbers."""
    generation: Generation = Generation.G3
    data_as_text: bool = False
    """`eventData` is the digits alone (C6)."""
    updates: bool = False
    """`CALL_UPDATED` is wanted."""
    upper: bool = False
    """Wavecell's statuses in upper case."""
    direction_as_int: bool = False
    """Wavecell's `direction` as 0 and 1 (C16)."""


def read_shape(sub_account_id: str, options: Mapping[str, str], redactor: Redactor = IN_FULL) -> Shape:
    """From an endpoint's options; unknown ones, and unknown values, count as left out."""
    said = options.get("generation", "")
    generation = Generation(said) if said in _GENERATIONS else Generation.G3
    return Shape(
        sub_account_id, redactor, generation,
        data_as_text=generation is Generation.G2 or options.get("event_data") == "string",
        updates=options.get("updates") == "on",
        upper=options.get("case") == "upper",
        direction_as_int=options.get("direction") == "int",
    )  # fmt: skip


_GENERATIONS = frozenset(Generation)
