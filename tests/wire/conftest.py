"""What tests/wire shares: one platform between SIPps for test_sipp_*.py, and one for each media driver between foreign
telephones for test_heard_*.py; starting one for each test would take minutes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.heard_field import DRIVERS, STORIES, Evening
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
    for call in made:
        call.assert_nothing_crossed()


@pytest.fixture(scope="session")
def evenings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Evening]]:
    """The wanted drivers' platforms with all wanted calls on their way: nearly all of their time is waiting."""
    missing = [program for program in ("baresip", "sipp", "rtpengine") if shutil.which(program) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed (tools/apt-packages.txt)")
    if os.geteuid() != 0:
        pytest.skip("SIPp plays captures, and they are listened to, over raw sockets: root alone may")
    wanted = [(_parameter(item), getattr(item, "originalname", "")) for item in request.session.items]
    wanted = [(driver, story) for driver, story in wanted if driver in DRIVERS and story in STORIES]
    made = {driver: Evening(driver, tmp_path_factory.mktemp(driver)) for driver in dict(wanted)}
    with ThreadPoolExecutor(len(made)) as pool:
        try:
            list(pool.map(Evening.open, made.values()))
            for driver, story in wanted:
                made[driver].begin(story, STORIES[story])
            yield made
        finally:
            list(pool.map(Evening.close, made.values()))


def _parameter(item: Any) -> str:
    specification = getattr(item, "callspec", None)
    return str(specification.params.get("evening", "")) if specification else ""


@pytest.fixture(params=DRIVERS)
def evening(request: pytest.FixtureRequest, evenings: dict[str, Evening]) -> Evening:
    return evenings[request.param]
