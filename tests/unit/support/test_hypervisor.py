"""Stolen time is read as a share, and nobody is excused on a machine that keeps its CPU."""

from pathlib import Path

import pytest

from tests.support import hypervisor
from tests.support.hypervisor import StolenTime


def test_the_share_is_stolen_over_all(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter(["cpu 100 0 0 100 0 0 0 0 0 0\n", "cpu 150 0 0 130 0 0 0 20 0 0\n"])
    monkeypatch.setattr(Path, "read_text", lambda self: next(readings))
    with StolenTime() as taken:
        pass
    assert taken.share == pytest.approx(0.2)


def test_no_time_is_no_theft(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hypervisor, "_ticks", lambda: (5, 100))
    with StolenTime() as taken:
        pass
    assert taken.share == 0.0
