"""Stolen time is read as a share, and nobody is excused on a machine that keeps its CPU."""

from pathlib import Path

import pytest

from tests.support import hypervisor
from tests.support.hypervisor import StolenTime, Taken


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


def tries(monkeypatch: pytest.MonkeyPatch, *shares: tuple[float, float]) -> Taken:
    """One for each share of the CPU that was stolen, and of the time in which somebody waited for one."""
    taken = Taken()
    for stolen, waited in shares:
        ticks, seconds, clock = iter([(0, 1000), (round(stolen * 1000), 2000)]), iter([0.0, waited]), iter([5.0, 6.0])
        monkeypatch.setattr(hypervisor, "_ticks", lambda ticks=ticks: next(ticks))
        monkeypatch.setattr(hypervisor, "_waited", lambda seconds=seconds: next(seconds))
        monkeypatch.setattr(hypervisor.time, "monotonic", lambda clock=clock: next(clock))
        with taken:
            pass
    return taken


@pytest.mark.parametrize(
    ("shares", "excused"),
    [
        ([(0.0, 0.3)], False),
        ([(0.05, 0.3)], True),
        ([(0.0, 0.9), (0.05, 0.1)], True),
        ([(0.0, 0.9), (0.0, 0.1)], False),
    ],
)
def test_one_fair_try_is_enough_to_judge(
    monkeypatch: pytest.MonkeyPatch, shares: list[tuple[float, float]], excused: bool
) -> None:
    taken = tries(monkeypatch, *shares)
    assert taken.always == excused
    assert f"{shares[-1][0]:.0%} and {shares[-1][1]:.0%}" in str(taken)
