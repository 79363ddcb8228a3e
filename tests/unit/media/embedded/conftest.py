"""A relay worker's parts between two parties; a module whose parties differ has fixtures of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.relay_bench import Bench
from tests.support.rtp_party import Party


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(spool=tmp_path / "spool")
    yield made
    made.relay.close_all(0.0)
    made.selector.close()


@pytest.fixture
def alice() -> Iterator[Party]:
    with Party(0x0A0A0A0A) as party:
        yield party


@pytest.fixture
def bob() -> Iterator[Party]:
    with Party(0x0B0B0B0B) as party:
        yield party
