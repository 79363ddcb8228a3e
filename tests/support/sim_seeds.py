"""How many seeds a simulation plays: a few in `make test`, ten thousand in `make nightly`."""

from __future__ import annotations

import os

SEEDS = int(os.environ.get("MASKLINE_SIM_SEEDS", "0"))


def blocks(usual: int, size: int) -> int:
    """Number of blocks of `size` seeds: `usual`, or as many as MASKLINE_SIM_SEEDS wants."""
    return max(1, SEEDS // size) if SEEDS else usual
