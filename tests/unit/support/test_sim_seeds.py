"""Every network of seeds in tests/sim is among those that `make nightly` plays ten thousand of."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_each_seeded_network_is_played_at_night() -> None:
    found = re.search(r'tests/sim -k "(\w+)"', (ROOT / "Makefile").read_text())
    assert found is not None
    for path in (ROOT / "tests" / "sim").glob("test_*.py"):
        seeded = re.findall(r"range\(\w*BLOCKS\)\)\n(?:async )?def (\w+)", path.read_text())
        assert bool(seeded) is ("import blocks" in path.read_text()), path.name
        assert all(found[1] in name for name in seeded), (path.name, seeded)
