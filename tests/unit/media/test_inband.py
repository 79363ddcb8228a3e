"""Digits as tones: what ITU-T Q.24 wants to be taken, and what is speech."""

from __future__ import annotations

import math
import random

import pytest

from maskline.media.g711 import A_OF_LINEAR, A_TO_LINEAR, MU_OF_LINEAR, MU_TO_LINEAR
from maskline.media.inband import COLUMNS, ROWS, ToneReader

KEYS = ("123A", "456B", "789C", "*0#D")
FULL = 32124.0


def at(dbm0: float) -> float:
    """Peak of a tone of that level."""
    return FULL * 10 ** ((dbm0 - 3.14) / 20)


def pressed(
    key: str, ms: float, *, row: float = -8.0, column: float = -8.0, off: float = 1.0, noise: float = 0.0
) -> list[float]:
    row_index = next(index for index, keys in enumerate(KEYS) if key in keys)
    low, high = off * ROWS[row_index], off * COLUMNS[KEYS[row_index].index(key)]
    rng = random.Random(1)
    turn = 2.0 * math.pi / 8000.0
    return [
        at(row) * math.sin(turn * low * n) + at(column) * math.sin(turn * high * n + 0.7) + rng.gauss(0.0, noise)
        for n in range(round(8 * ms))
    ]


def silence(ms: float) -> list[float]:
    return [0.0] * round(8 * ms)


def keys(wanted: str, ms: float, *, off: float = 1.0, noise: float = 0.0) -> list[float]:
    """Each for `ms`, with pauses as long."""
    samples: list[float] = []
    for key in wanted:
        samples += pressed(key, ms, off=off, noise=noise) + silence(ms)
    return samples


def listen(samples: list[float], *, law: bytes = MU_OF_LINEAR, levels: tuple[int, ...] = MU_TO_LINEAR) -> str:
    reader = ToneReader()
    payload = bytes(law[max(-32768, min(32767, round(sample))) & 0xFFFF] for sample in samples)
    return "".join(reader.take(payload[start : start + 160], levels) for start in range(0, len(payload), 160))


def test_every_key_is_told_once_in_either_law() -> None:
    samples = keys("123A456B789C*0#D", 60)
    assert listen(samples) == "123A456B789C*0#D"
    assert listen(samples, law=A_OF_LINEAR, levels=A_TO_LINEAR) == "123A456B789C*0#D"


def test_the_shortest_digits_and_pauses_that_q24_knows() -> None:
    for shift in range(0, 13, 3):
        samples = silence(shift) + keys("5599", 40)
        assert listen(samples) == "5599"


def test_a_long_press_is_one_digit_and_a_click_is_none() -> None:
    assert listen(pressed("8", 3000)) == "8"
    assert listen(silence(5) + pressed("8", 12) + silence(100)) == ""


def test_a_gap_of_some_milliseconds_does_not_make_two_digits_of_one() -> None:
    assert listen(pressed("2", 60) + silence(9) + pressed("2", 60) + silence(60)) == "2"


@pytest.mark.parametrize("level", [0.0, -10.0, -20.0, -25.0])
def test_levels_from_0_to_minus_25_dbm_are_taken(level: float) -> None:
    assert listen(pressed("6", 60, row=level, column=level) + silence(60)) == "6"


def test_a_whisper_is_not() -> None:
    assert listen(pressed("6", 200, row=-38.0, column=-38.0)) == ""


@pytest.mark.parametrize(
    ("row", "column", "taken"),
    [(-10, -6.5, True), (-6, -13, True), (-14, -6, False), (-5, -17, False)],
)
def test_twist_of_4_db_one_way_and_8_the_other(row: float, column: float, taken: bool) -> None:
    assert listen(pressed("9", 80, row=row, column=column) + silence(60)) == ("9" if taken else "")


@pytest.mark.parametrize("off", [0.985, 1.015])
def test_frequencies_may_be_off_by_one_and_a_half_percent(off: float) -> None:
    assert listen(keys("1590D", 60, off=off)) == "1590D"


def test_line_noise_at_18_db_below_is_endured() -> None:
    assert listen(keys("123456789", 60, noise=at(-26))) == "123456789"


def test_single_tones_and_call_progress_are_no_digits() -> None:
    for frequency in (350.0, 425.0, 440.0, 697.0, 941.0, 1000.0, 1209.0, 1400.0, 2100.0):
        turn = 2.0 * math.pi * frequency / 8000.0
        assert listen([at(-6) * math.sin(turn * n) for n in range(8000)]) == ""
    dial = [at(-10) * (math.sin(n * 0.2749) + math.sin(n * 0.3456)) for n in range(8000)]
    assert listen(dial) == ""


def speech(seconds: float, seed: int) -> list[float]:
    """A voice as a model has it: pulses of a wandering pitch through three wandering formants, hiss, syllables."""
    rng = random.Random(seed)
    samples: list[float] = []
    pitch, phase = rng.uniform(80.0, 240.0), 0.0
    states = [[0.0, 0.0] for _ in range(3)]
    while len(samples) < 8000 * seconds:
        formants = (rng.uniform(250, 900), rng.uniform(850, 2400), rng.uniform(2200, 3400))
        loud, hiss = rng.uniform(0.2, 1.0), rng.random() < 0.25
        coefficients = []
        for formant in formants:
            radius = math.exp(-math.pi * rng.uniform(50, 120) / 8000.0)
            coefficients.append((2.0 * radius * math.cos(2.0 * math.pi * formant / 8000.0), -radius * radius))
        length = rng.randrange(600, 2400)
        for n in range(length):
            pitch = min(max(pitch + rng.gauss(0.0, 0.15), 70.0), 300.0)
            phase += pitch / 8000.0
            pulse = rng.gauss(0.0, 0.3) if hiss else 0.0
            if phase >= 1.0:
                phase -= 1.0
                pulse += 1.0
            for (one, two), state in zip(coefficients, states, strict=True):
                value = pulse + one * state[0] + two * state[1]
                state[1], state[0] = state[0], value
                pulse = value * 0.25
            samples.append(pulse * loud * math.sin(math.pi * n / length))
        samples += [0.0] * rng.randrange(0, 800)
    peak = max(map(abs, samples))
    return [sample * 20_000.0 / peak for sample in samples]


def test_a_voice_presses_no_key() -> None:
    told = "".join(listen(speech(15.0, seed)) for seed in range(3))
    assert told == ""
