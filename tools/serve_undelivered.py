"""`maskline` whose webhooks are written and not sent: the rows "records" and "compiled" of `make bench`.

What it is: the product with a deliverer that takes nothing from the outbox, as if it were away: a call costs what it
takes to carry it and to write its record, facts and webhook, and what sending costs is measured by itself (`make
bench-vca`, `tools/bench_webhooks.py`). What it is not: a setting.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), os.environ.get("PYTHONPATH") or str(ROOT / "src")]

from maskline.cli.main import run  # noqa: E402
from maskline.webhooks.deliver import Deliverer  # noqa: E402


async def wait(self: Deliverer) -> None:
    """In the place of `Deliverer.run`."""
    while not self._stopping:
        self._wake.clear()
        await self._wake.wait()


def hold_webhooks() -> None:
    Deliverer.run = wait  # type: ignore[method-assign]


if __name__ == "__main__":
    hold_webhooks()
    run()
