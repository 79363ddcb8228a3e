"""Every store and every media driver under one suite: a test that asks for `store` or `media` runs once per
implementation."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.memory import MemoryStore
from maskline.storage.postgres_connection import UnitConnection
from maskline.storage.sqlite import SqliteStore
from maskline.storage.store import Store
from tests.support.media_harness import EmbeddedHarness, Harness
from tests.support.postgres_server import postgres_store
from tests.support.store_values import ACCOUNT, OTHER, SUB, VN1, VN2, VN3, virtual_number


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def empty_store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    store: Store = MemoryStore()
    if request.param == "sqlite":
        store = SqliteStore(tmp_path / "maskline.db", Sealer(bytes(KEY_BYTES)))
    if request.param == "postgresql":
        store = postgres_store()
    await store.open()
    yield store
    await store.close()


@pytest.fixture
def our_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """On PostgreSQL leases last by the server's clock, which no test can turn: here by ours, as on SQLite."""
    monkeypatch.setattr(UnitConnection, "wall", lambda connection, ours: ours)


@pytest.fixture
async def store(empty_store: Store) -> Store:
    """Two accounts, one subaccount; Acme has the numbers VN1, VN2 and VN3."""
    for account in (ACCOUNT, OTHER, SUB):
        await empty_store.add_account(account)
    for number in (VN1, VN2, VN3):
        await empty_store.add_number(virtual_number(number), 0.0)
    return empty_store


@pytest.fixture(params=["embedded", "rtpengine"])
def make_harness(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Harness]:
    if request.param == "embedded":
        return lambda **options: EmbeddedHarness(tmp_path / "m", **options)
    if shutil.which("rtpengine") is None:
        pytest.skip("rtpengine is not installed (apt-get install rtpengine-daemon)")
    from tests.support.rtpengine_process import RtpengineHarness

    return lambda **options: RtpengineHarness(tmp_path, **options)


@pytest.fixture
async def media(make_harness: Callable[..., Harness]) -> AsyncIterator[Harness]:
    harness = make_harness()
    await harness.start()
    yield harness
    await harness.stop()
