"""Built-in tones: cadence, pitch, level, and no click at the seams."""

from __future__ import annotations

import numpy as np
import pytest

from maskline.masking.prompt import Tone
from maskline.media.prompts.tones import CADENCES, tone_wav
from tests.support.sounds import pitch_of, samples_of, shape_of


@pytest.mark.parametrize(
    ("tone", "seconds", "hertz"),
    [(Tone.RINGBACK, 5.0, 425), (Tone.BUSY, 3.0, 425), (Tone.CONGESTION, 3.0, 425), (Tone.BEEP, 0.5, 1000)],
)
def test_a_tone_has_its_length_and_pitch(tone, seconds, hertz):
    wav = tone_wav(tone)
    assert shape_of(wav) == (8000, 1, 2, seconds)
    assert pitch_of(wav) == pytest.approx(hertz, abs=3)


@pytest.mark.parametrize("tone", list(Tone))
def test_a_tone_follows_its_cadence_at_minus_10_dbm0(tone):
    cadence = CADENCES[tone]
    samples = samples_of(tone_wav(tone))
    period = round((cadence.on + cadence.off) * 8000)
    assert len(samples) == period * cadence.times
    for begin in range(0, len(samples), period):
        sounding = samples[begin + 80 : begin + round(cadence.on * 8000) - 80]
        silent = samples[begin + round(cadence.on * 8000) : begin + period]
        # A sine of full scale is +3.14 dBm0 in G.711.
        assert 20 * np.log10(np.sqrt(np.mean(sounding**2)) * np.sqrt(2)) + 3.14 == pytest.approx(-10.0, abs=0.1)
        assert not silent.any()


@pytest.mark.parametrize("tone", list(Tone))
def test_a_tone_swells_so_that_nothing_clicks(tone):
    samples = samples_of(tone_wav(tone))
    assert samples[0] == samples[-1] == 0.0
    assert np.abs(np.diff(samples)).max() < 0.2
