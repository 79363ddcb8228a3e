"""Fixtures that unit tests of several rooms ask for by name (`pytest.mark.usefixtures`)."""

from __future__ import annotations

import gc
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.memory import MemoryStore
from maskline.storage.sqlite import SqliteStore
from maskline.storage.store import Store
from tests.support.api_world import World


@pytest.fixture(params=["memory", "sqlite"])
async def each_store(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> AsyncIterator[None]:
    """Every `World` of the test has a store of this kind."""
    opened: list[Store] = []

    def make_store() -> Store:
        path = tmp_path / f"{len(opened)}.db"
        opened.append(MemoryStore() if request.param == "memory" else SqliteStore(path, Sealer(bytes(KEY_BYTES))))
        return opened[-1]

    monkeypatch.setattr(World, "make_store", make_store)
    yield
    for store in opened:
        await store.close()


@pytest.fixture
def tuned_interpreter() -> Iterator[None]:
    """A server's start freezes the heap and tunes the interpreter, which is not for a test run."""
    before, interval = gc.get_threshold(), sys.getswitchinterval()
    yield
    gc.set_threshold(*before)
    sys.setswitchinterval(interval)
    gc.unfreeze()
