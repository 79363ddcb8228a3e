"""A daemon that speaks the ng protocol and does as it is told."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.ng_daemon import NgDaemon


@pytest.fixture
async def daemon() -> AsyncIterator[NgDaemon]:
    made = await NgDaemon().start()
    yield made
    await made.stop()
