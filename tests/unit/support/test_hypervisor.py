"""Stolen time is read as a share, and nobody is excused on a machine that keeps its CPU."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Self

import pytest

from tests.support import hypervisor
from tests.support.hypervisor import StolenTime, Taken
from tests.support.stalls import Stalls

HOLD = """
import os, time
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(60))
until = time.monotonic() + 0.2
while time.monotonic() < until:
    pass
"""


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


class Stalled:
    """A bystander that was kept waiting for so long, in milliseconds."""

    def __init__(self, longest_ms: float) -> None:
        self.longest_ms = longest_ms

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


def tries(monkeypatch: pytest.MonkeyPatch, *each: tuple[float, float, float]) -> Taken:
    """One for each share of the CPU that was stolen, of the time in which somebody waited, and longest stall."""
    taken = Taken()
    for stolen, waited, stall in each:
        ticks, seconds, clock = iter([(0, 1000), (round(stolen * 1000), 2000)]), iter([0.0, waited]), iter([5.0, 6.0])
        monkeypatch.setattr(hypervisor, "_ticks", lambda ticks=ticks: next(ticks))
        monkeypatch.setattr(hypervisor, "_waited", lambda seconds=seconds: next(seconds))
        monkeypatch.setattr(hypervisor.time, "monotonic", lambda clock=clock: next(clock))
        monkeypatch.setattr(hypervisor, "Stalls", lambda stall=stall: Stalled(stall))
        with taken:
            pass
    return taken


FAIR, STOLEN, CROWDED, STALLED = (0.0, 0.3, 1.0), (0.05, 0.3, 1.0), (0.0, 0.9, 1.0), (0.0, 0.1, 400.0)


@pytest.mark.parametrize(
    ("each", "excused"),
    [
        ([FAIR], False),
        ([STOLEN], True),
        ([STALLED], True),
        ([CROWDED, STOLEN], True),
        ([CROWDED, FAIR], False),
    ],
)
def test_one_fair_try_is_enough_to_judge(
    monkeypatch: pytest.MonkeyPatch, each: list[tuple[float, float, float]], excused: bool
) -> None:
    taken = tries(monkeypatch, *each)
    assert taken.always == excused
    assert taken.now == (each[-1] is not FAIR)
    assert f"{each[-1][0]:.0%}, {each[-1][1]:.0%} and {each[-1][2]:.0f} ms" in str(taken)


@pytest.mark.parametrize(("one", "outcome"), [(FAIR, AssertionError), (STALLED, pytest.skip.Exception)])
def test_a_failure_of_a_fair_try_stays_one(
    monkeypatch: pytest.MonkeyPatch, one: tuple[float, float, float], outcome: type[BaseException]
) -> None:
    taken = tries(monkeypatch, one)
    with pytest.raises(outcome), taken.judged("late"):
        raise AssertionError


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may go before all others")
def test_a_cpu_that_another_program_holds_before_all_others_is_a_stall() -> None:
    """The same to the bystander as a hypervisor that takes it away."""
    with Stalls() as quiet:
        pass
    with Stalls() as held:
        subprocess.run([sys.executable, "-S", "-c", HOLD], check=True, timeout=30)
    assert held.longest_ms >= 150.0
    assert quiet.longest_ms < held.longest_ms
