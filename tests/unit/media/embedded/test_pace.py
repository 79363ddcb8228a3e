"""The beat, with a clock of our own."""

from __future__ import annotations

import math
from itertools import pairwise

from maskline.media.embedded.pace import PERIOD, Pace


class Voice:
    def __init__(self, frames: int = 1000) -> None:
        self.steps: list[float] = []
        self.frames = frames
        self.skipped = 0

    def step(self, now: float) -> bool:
        self.steps.append(now)
        return len(self.steps) < self.frames

    def skip(self, frames: int) -> None:
        self.skipped += frames


def run(pace: Pace, start: float, seconds: float) -> float:
    """Wake up when there is reason to, a little late as loops do."""
    now = start
    while pace.next_beat <= start + seconds:
        now = max(now, pace.next_beat) + 0.0004
        pace.tick(now)
    return now


def test_one_voice_speaks_every_20_ms_without_drift() -> None:
    pace, voice = Pace(), Voice()
    pace.add(voice, 1000.003)
    run(pace, 1000.003, 10.0)
    gaps = [later - sooner for sooner, later in pairwise(voice.steps)]
    assert max(gaps) < 0.0205
    assert abs((voice.steps[-1] - voice.steps[0]) / len(gaps) - PERIOD) < 1e-4
    assert 0.010 <= voice.steps[0] - 1000.003 <= 0.031


def test_many_that_begin_at_once_are_spread_evenly() -> None:
    pace, voices = Pace(), [Voice() for _ in range(200)]
    for voice in voices:
        pace.add(voice, 50.0)
    assert len(pace) == 200
    run(pace, 50.0, 1.0)
    assert len({voice.steps[0] for voice in voices}) == 4
    assert all(0.010 <= voice.steps[0] - 50.0 <= 0.031 for voice in voices)
    assert all(48 <= len(voice.steps) <= 50 for voice in voices)


def test_who_has_no_more_to_say_is_not_asked_again() -> None:
    pace, voice = Pace(), Voice(frames=3)
    pace.add(voice, 1.0)
    run(pace, 1.0, 1.0)
    assert len(voice.steps) == 3
    assert len(pace) == 0
    assert pace.next_beat == math.inf


def test_who_is_removed_is_silent_also_when_another_removes_it() -> None:
    pace, second = Pace(), Voice()

    class Killer(Voice):
        def step(self, now: float) -> bool:
            pace.remove(second)
            return super().step(now)

    for _ in range(4):
        pace.add(Killer(), 1.0)
    pace.add(second, 1.0)
    run(pace, 1.0, 0.2)
    assert len(second.steps) <= 1
    pace.remove(second)


def test_a_short_stall_is_caught_up_and_a_long_one_is_a_pause() -> None:
    pace, voice = Pace(), Voice()
    pace.add(voice, 1.0)
    first = pace.next_beat
    pace.tick(first + 0.1)
    assert (len(voice.steps), voice.skipped) == (6, 0)
    pace.tick(first + 0.1 + 2.0)
    assert (len(voice.steps), voice.skipped) == (7, 99)
    assert pace.next_beat > first + 2.1
