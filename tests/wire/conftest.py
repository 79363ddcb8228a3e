"""One platform between SIPps for all of tests/wire/test_sipp_*.py: starting one for each test would take minutes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator

import pytest

from tests.support.sipp_field import Field, FieldCall


@pytest.fixture(scope="session")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    if shutil.which("sipp") is None:
        pytest.skip("sipp is not installed (Debian: sip-tester)")
    made = Field(tmp_path_factory.mktemp("field"))
    try:
        made.open()
        yield made
    finally:
        made.close()


@pytest.fixture
def new_call(field: Field) -> Iterator[Callable[..., FieldCall]]:
    """Makes calls, and ends what is left of them."""
    made: list[FieldCall] = []

    def make(slot: int = 0, **options: int) -> FieldCall:
        made.append(field.call(slot, **options))
        return made[-1]

    yield make
    for call in made:
        call.stop()
