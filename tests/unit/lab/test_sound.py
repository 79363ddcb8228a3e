"""The lab's sounds: both laws as ITU-T G.711 has them, made-up speech, WAV files."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from maskline.lab import sound
from maskline.media import g711


@pytest.mark.parametrize(("law", "levels"), [(sound.PCMU, g711.MU_TO_LINEAR), (sound.PCMA, g711.A_TO_LINEAR)])
def test_each_code_means_what_the_products_own_table_says(law: int, levels: tuple[int, ...]) -> None:
    assert tuple(sound.decode(bytes(range(256)), law).tolist()) == levels


@pytest.mark.parametrize("law", [sound.PCMU, sound.PCMA])
def test_every_level_is_written_as_itself_and_what_lies_between_as_a_neighbour(law: int) -> None:
    levels = sound.decode(bytes(range(256)), law)
    assert (sound.decode(sound.encode(levels, law), law) == levels).all()
    ramp = np.arange(-32768, 32768, dtype=np.int16)
    error = np.abs(sound.decode(sound.encode(ramp, law), law).astype(int) - ramp)
    # A step of the coarsest segment is 1,024; nothing inside the range is further off than half of it.
    assert error[np.abs(ramp.astype(int)) <= 32000].max() <= 512


def test_the_same_seed_says_the_same_and_keeps_within_full_scale() -> None:
    first, again, other = sound.speech(7, 0.5), sound.speech(7, 0.5), sound.speech(8, 0.5)
    assert (first == again).all()
    assert len(first) == sound.RATE // 2
    assert not (first == other).all()
    assert 0.3 < np.abs(first).max() / 32767 <= 0.36


def test_a_key_sounds_with_its_two_frequencies() -> None:
    spectrum = np.abs(np.fft.rfft(sound.digit_tone("9", 1.0)))
    assert set(np.argsort(spectrum)[-2:].tolist()) == {852, 1477}


def test_channels_come_back_from_a_wav_file_and_the_shorter_is_filled_up(tmp_path: Path) -> None:
    long, short = sound.speech(1, 0.3), sound.speech(2, 0.2)
    sound.write_wav(tmp_path / "call.wav", long, short)
    left, right = sound.read_wav(tmp_path / "call.wav")
    assert (left == long).all()
    assert (right[: len(short)] == short).all()
    assert not right[len(short) :].any()


def test_another_rate_is_refused_by_name(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "cd.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(44_100)
    with pytest.raises(ValueError, match=r"cd\.wav is not a WAV file of 8 kHz and 16 bit"):
        sound.read_wav(tmp_path / "cd.wav")
