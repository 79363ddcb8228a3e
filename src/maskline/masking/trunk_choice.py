"""Which trunk may carry a call to a destination, and in which order they are tried.

What it is: the rule. What it is not: whether they live or have room (`trunk_state.py`), or who a call came from
(`trunk.match_inbound`). Who uses it: `workflows/trunk_table.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from maskline.masking.e164 import Number
from maskline.masking.trunk import Trunk
from maskline.sip.locate import Chance, by_weight

_Rank = tuple[bool, int, int]


def trunks_for(trunks: Iterable[Trunk], account_id: str, destination: Number, chance: Chance) -> list[Trunk]:
    """Those that may call `destination` for this account, best first: its own before shared ones, the longer prefix,
    the lower priority, and among equals by their weights."""
    found: list[tuple[_Rank, Trunk]] = []
    number = destination.e164
    for trunk in trunks:
        if trunk.account_id is None or trunk.account_id == account_id:
            length = _prefix_length(trunk, number)
            if length is not None:
                found.append(((trunk.account_id is None, -length, trunk.priority), trunk))
    if len(found) < 2:
        return [trunk for _, trunk in found]
    found.sort(key=_rank)
    ordered: list[Trunk] = []
    for _, equals in groupby(found, key=_rank):
        equal = [trunk for _, trunk in equals]
        ordered += by_weight(equal, [trunk.weight for trunk in equal], chance)
    return ordered


def _rank(found: tuple[_Rank, Trunk]) -> _Rank:
    return found[0]


def _prefix_length(trunk: Trunk, number: str) -> int | None:
    """Of the longest that fits; None: none does."""
    if not trunk.prefixes:
        return 0
    longest = -1
    for prefix in trunk.prefixes:
        if len(prefix) > longest and number.startswith(prefix):
            longest = len(prefix)
    return None if longest < 0 else longest
