"""What tests/wire shares: one platform between SIPps for test_sipp_*.py, and one for each media driver between foreign
telephones for test_heard_*.py; starting one for each test would take minutes. And a judge that reads all SIP of all
tests: nothing of one side reaches another."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from maskline.lab.platform import Platform
from tests.support.heard_field import DRIVERS, STORIES, Evening
from tests.support.programs import need
from tests.support.sipp_field import TCP_SLOT, Field, FieldCall, ended
from tests.support.wire_court import Court
from tests.support.wire_tap import WireTap


@pytest.fixture(scope="session")
def judge(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], list[str]]]:
    """Says what crossed since it was asked last; it does not listen beside tests that measure."""
    if all(item.get_closest_marker("load") for item in request.session.items):
        yield list
        return
    listening = os.geteuid() == 0
    assert not (listening and WireTap.missing()), f"without it no datagram is judged: {WireTap.missing()}"
    folder = tmp_path_factory.mktemp("tap")
    court = Court(folder, WireTap(folder) if listening else None)
    begin, end = Platform._spawn, Platform.stop
    Platform._spawn = lambda self: (court.attend(self), begin(self))[1]  # type: ignore[method-assign]
    Platform.stop = lambda self, *args, **more: (court.read_metrics(self), end(self, *args, **more))[1]  # type: ignore[method-assign]
    try:
        yield court.look
        assert court.look() == []
        assert court.judge.read or not (listening and court.judged), "tcpdump heard nothing"
    finally:
        Platform._spawn, Platform.stop = begin, end  # type: ignore[method-assign]
        court.close()


@pytest.fixture(autouse=True)
def _nothing_crosses(judge: Callable[[], list[str]]) -> Iterator[None]:
    yield
    crossed = judge()
    assert not crossed, "\n".join(crossed[:20])


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
def new_call(request: pytest.FixtureRequest, field: Field) -> Iterator[Callable[..., FieldCall]]:
    """Makes calls, and ends what is left of them."""
    over_tcp = getattr(request, "param", "udp") == "tcp"
    with ended() as made:

        def make(slot: int = 0, **options: int) -> FieldCall:
            made.append(field.call(TCP_SLOT if over_tcp else slot, **options))
            if over_tcp:
                made[-1].call_over_tcp()
            return made[-1]

        yield make


@pytest.fixture(scope="session")
def evenings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Evening]]:
    """The wanted drivers' platforms with all wanted calls on their way: nearly all of their time is waiting."""
    need("baresip", "sipp", "rtpengine")
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
