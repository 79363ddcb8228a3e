"""An account's policy: how its sessions hold numbers, and what a session costs.

What it is: the value, and reading the mode words an operator writes. What it is not: a choice of numbers
(`pool.py`). Who uses it: `workflows/create_session`, the CLI, the stores.
"""

from __future__ import annotations

from dataclasses import dataclass

from maskline.errors import InvalidParameter
from maskline.masking.session import PoolMode

LONGEST_COOLOFF = 90 * 86_400
"""Seconds."""
_WORDS = {mode.value: mode for mode in (PoolMode.SHARED, PoolMode.SPLIT, PoolMode.PIN)}


@dataclass(frozen=True, slots=True)
class AccountPolicy:
    modes: tuple[PoolMode, ...] = (PoolMode.SHARED,)
    """Tried in this order until one has a number."""
    first_party_cooloff: int = 0
    """Seconds after a session's end during which the first party's key stays held; a session's own
    `virtual_number_cooloff_period` counts when it is longer."""
    second_party_cooloff: int = 0
    session_fee: int = 0
    """Millionths of the currency unit for each session."""

    @property
    def pool(self) -> str:
        """`shared`, `shared-then-split-then-pin` …"""
        return "-then-".join(self.modes)


def read_modes(text: str) -> tuple[PoolMode, ...]:
    """From `shared`, `split`, `shared-then-split`, `split-then-pin` …; raises `InvalidParameter`."""
    words = text.strip().lower().split("-then-")
    if not all(word in _WORDS for word in words) or len(set(words)) != len(words):
        raise InvalidParameter(
            "Invalid parameter. pool allowed values are shared, split and pin, joined by -then- in the order of "
            "their trying",
            parameter="pool",
        )
    return tuple(_WORDS[word] for word in words)
