"""masking.trunk_choice: who may call that, and who first."""

from __future__ import annotations

from collections import Counter
from random import Random

from maskline.masking.e164 import Number
from maskline.masking.trunk import Trunk
from maskline.masking.trunk_choice import trunks_for

SINGAPORE = Number("6581234567")


def trunk(name: str, account_id: str | None = None, **more: object) -> Trunk:
    return Trunk(name, name, account_id, "192.0.2.1", 5060, **more)  # type: ignore[arg-type]


def names(*trunks: Trunk, chance: float = 0.0) -> list[str]:
    return [one.name for one in trunks_for(trunks, "MA", SINGAPORE, lambda: chance)]


def test_the_longest_prefix_goes_first_and_shorter_ones_follow() -> None:
    assert names(trunk("any"), trunk("sg", prefixes=("+6", "+65")), trunk("six", prefixes=("+6",))) == [
        "sg",
        "six",
        "any",
    ]


def test_an_own_trunk_goes_before_shared_ones_of_longer_prefix() -> None:
    assert names(trunk("shared", prefixes=("+65",)), trunk("own", "MA")) == ["own", "shared"]


def test_a_lower_priority_goes_first_among_equal_prefixes() -> None:
    assert names(trunk("second", priority=2), trunk("first", priority=1)) == ["first", "second"]


def test_equals_share_by_weight() -> None:
    random = Random(1)
    heavy, light = trunk("heavy", weight=3), trunk("light")
    first = Counter(trunks_for([heavy, light], "MA", SINGAPORE, random.random)[0].name for _ in range(1_000))
    assert 700 < first["heavy"] < 800


def test_a_foreign_trunk_and_one_without_the_prefix_are_not_used() -> None:
    assert names(trunk("theirs", "MB"), trunk("uk", prefixes=("+44",))) == []
