"""The lab's ear: it must hear what is there and nothing else, or the demo's verdict is worth nothing."""

import random

import pytest

from maskline.lab.sound import FRAME, RATE
from maskline.lab.tones import decode, heard_tone, share_of, tone_second

TONES = (440, 1000)


@pytest.mark.parametrize("frequency", TONES)
def test_a_pure_tone_is_heard_as_itself(frequency: int) -> None:
    assert heard_tone(tone_second(frequency), TONES) == frequency


def test_silence_is_no_tone() -> None:
    assert heard_tone(b"\xff" * RATE, TONES) is None
    assert share_of([0] * 100, 440) == 0.0


def test_noise_is_no_tone() -> None:
    noise = random.Random(7).randbytes(RATE)
    assert heard_tone(noise, TONES) is None


def test_another_tone_is_not_taken_for_a_candidate() -> None:
    assert heard_tone(tone_second(700), TONES) is None


def test_a_tone_survives_lost_packets() -> None:
    second = tone_second(440)
    kept = [second[start : start + FRAME] for start in range(0, RATE, FRAME) if start % (7 * FRAME)]
    assert heard_tone(b"".join(kept), TONES) == 440


def test_less_than_a_window_is_too_short_to_judge() -> None:
    assert heard_tone(tone_second(440)[:700], TONES) is None


def test_decoding_restores_the_amplitude_that_was_encoded() -> None:
    samples = decode(tone_second(440, level=0.3))
    assert abs(max(samples) / 32767 - 0.3) < 0.02
    assert abs(max(samples) + min(samples)) < 0.01 * 32767
