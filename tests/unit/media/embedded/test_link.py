"""The engine's end of a worker, where it can be seen without one; what it does with one is the contract suite's."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from maskline.media.embedded.link import WorkerLink
from maskline.media.embedded.process import WorkerSetup


class Sink:
    """Where a worker would read."""

    def write(self, data: bytes) -> None:
        assert data


async def test_who_asks_ends_when_it_is_cancelled_also_at_the_moment_of_the_answer(tmp_path: Path) -> None:
    """`asyncio.wait_for` of Python 3.11 forgets such a cancellation; `stop` then waited for ever."""
    link = WorkerLink(WorkerSetup(tmp_path / "0.sock", "127.0.0.1", (1, 2), 60.0, tmp_path), lambda _: None)
    link._writer = Sink()  # type: ignore[assignment]
    asking = asyncio.create_task(link._ask("ping", {}))
    await asyncio.sleep(0)
    (answer,) = link._waiting.values()
    answer.set_result({"ok": {}})
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert not link._waiting
