"""Parts of the platform killed -9 under load, on either database, in one process, in several, and with two engines.

All fields stand beside each other, since most of a run is waiting; the first test waits for all of them. More seeds:
`make crash`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.crash.conftest import Campaign

pytestmark = [pytest.mark.wire, pytest.mark.timeout(900)]
SEEDS = {
    "sqlite": range(1, 8),
    "postgresql": range(101, 107),
    "processes": range(201, 206),
    # One engine dies in each, and another one has its calls.
    "fleet": (301, 304),
}


@pytest.mark.parametrize(("kind", "seed"), [(kind, seed) for kind, seeds in SEEDS.items() for seed in seeds])
def test_nothing_acknowledged_is_lost(campaign: Campaign, kind: str, seed: int) -> None:
    campaign.run_all(SEEDS)
    verdict = campaign.verdict(kind, seed)
    print(verdict.line)
    assert not verdict.wrong, "\n".join([*verdict.wrong[-20:], f"again: {verdict.again}"])
