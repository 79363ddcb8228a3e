"""The decoder by itself: what becomes a clip, and what is refused. As a process it is tested in test_convert.py."""

from __future__ import annotations

import random
import struct

import numpy as np
import pytest
import soundfile

from maskline.media.prompts import decode
from tests.support.sounds import level_of, pitch_of, samples_of, shape_of, sound_file


def make(audio: bytes, longest: float = 120.0) -> bytes:
    return decode.make_clip(audio, longest)


def refusal(audio: bytes, longest: float = 120.0) -> int:
    with pytest.raises(decode._Refused) as caught:
        make(audio, longest)
    return caught.value.args[0]


@pytest.mark.parametrize(
    ("kind", "subtype", "rate", "channels"),
    [
        ("MP3", None, 44100, 2), ("MP3", None, 16000, 1), ("MP3", None, 8000, 1), ("MP3", None, 48000, 2),
        ("WAV", "ULAW", 8000, 1), ("WAV", "ALAW", 8000, 1), ("WAV", "PCM_16", 8000, 1), ("WAV", "PCM_16", 22050, 1),
        ("WAV", "PCM_24", 44100, 2), ("WAV", "FLOAT", 48000, 2), ("WAV", "PCM_U8", 11025, 1),
        ("WAVEX", "PCM_16", 96000, 6),
    ],
)  # fmt: skip
def test_every_kind_keeps_its_length_level_and_pitch(kind, subtype, rate, channels):
    wav = make(sound_file(kind=kind, subtype=subtype, rate=rate, channels=channels, seconds=2.0))
    hertz, count, width, seconds = shape_of(wav)
    assert (hertz, count, width) == (8000, 1, 2)
    assert seconds == pytest.approx(2.0, abs=0.06)
    assert level_of(wav) == pytest.approx(0.3535, rel=0.03)
    assert pitch_of(wav) == pytest.approx(440, abs=2)


def test_every_second_of_an_mp3_sounds_the_same():
    samples = samples_of(make(sound_file(kind="MP3", rate=44100, channels=2, seconds=5.0)))
    levels = [float(np.sqrt(np.mean(block**2))) for block in np.split(samples[: 8000 * 5 - 800], 49)]
    assert min(levels[1:]) > 0.34
    assert max(levels) < 0.37


@pytest.mark.parametrize("rate", [8000, 11025, 44100])
def test_a_clip_is_made_of_whole_frames_and_its_last_sound_is_in_it(rate):
    """Of a clip's end, rtpengine plays no part of a frame."""
    made = samples_of(make(sound_file(rate=rate, seconds=0.507)))
    sounding = round(0.507 * 8000)
    assert len(made) == 26 * 160
    assert np.abs(made[sounding - 40 : sounding]).max() > 0.45
    assert np.abs(made[sounding + 8 :]).max() < 0.05


def test_what_telephones_cannot_carry_is_filtered_and_does_not_come_back_as_another_tone():
    wav = make(sound_file(rate=44100, hertz=6000.0))
    assert level_of(wav) < 0.002


def test_a_loud_file_is_cut_at_full_scale_and_does_not_wrap():
    wav = make(sound_file(subtype="FLOAT", level=1.5, rate=8000))
    assert 0.8 < level_of(wav) < 1.0


def test_a_cut_off_mp3_is_played_as_far_as_it_goes():
    audio = sound_file(kind="MP3", rate=44100, channels=2, seconds=3.0)
    *_, seconds = shape_of(make(audio[: len(audio) // 2]))
    assert 1.2 < seconds < 1.8


def test_a_cut_off_wav_is_played_as_far_as_it_goes():
    *_, seconds = shape_of(make(sound_file(seconds=2.0)[:16_044]))
    assert seconds == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("audio", [
    b"", b"RIFF", random.Random(4).randbytes(100_000),
    b"<!DOCTYPE html><html>" + b"not here " * 9_000, b"ID3\x03\0\0\0\0\x0fv" + b"x" * 9_000,
    b"\xff\xfb\x90\x00" + bytes(range(256)) * 400, sound_file(kind="MP3")[:100],
    b"RIFF\xff\xff\xff\xffWAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 65535, 4_000_000_000, 1000, 2, 16),
])  # fmt: skip
def test_what_is_no_audio_is_refused(audio):
    with pytest.raises((soundfile.LibsndfileError, decode._Refused)):
        make(audio)


def test_other_formats_are_refused_though_the_library_reads_them():
    assert refusal(sound_file(kind="FLAC")) == decode.NOT_AUDIO
    assert refusal(sound_file(kind="OGG")) == decode.NOT_AUDIO


def test_odd_rates_and_many_channels_are_refused():
    assert refusal(sound_file(rate=1000)) == decode.NOT_AUDIO
    assert refusal(sound_file(rate=400_000)) == decode.NOT_AUDIO
    assert refusal(sound_file(channels=9)) == decode.NOT_AUDIO


def test_next_to_nothing_is_no_audio():
    assert refusal(sound_file(seconds=0.05)) == decode.NOT_AUDIO
    assert refusal(sound_file(seconds=0.0)) == decode.NOT_AUDIO


def test_the_length_is_counted_and_not_believed():
    assert refusal(sound_file(seconds=3.1), longest=3.0) == decode.TOO_LONG
    assert refusal(sound_file(kind="MP3", rate=44100, seconds=3.2), longest=3.0) == decode.TOO_LONG
    assert shape_of(make(sound_file(seconds=3.0), longest=3.0))[3] == 3.0
