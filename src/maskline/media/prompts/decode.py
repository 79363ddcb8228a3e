"""The program that makes a clip of an audio file: mp3 or wav on stdin, 8 kHz mono 16-bit WAV on stdout.

What it is: decoding, mixing and resampling of bytes from strangers, in a process of its own that can do little else:
limits on CPU time, memory and files are set before the first byte is looked at. What it is not: imported by anything;
numpy and the libraries are not to enter the engine's process. Who uses it: `convert.py` starts it.

The kind of file is told by its content. One that was cut off is played as far as it goes, as players do; what gives
less than a tenth of a second is no audio.
"""

from __future__ import annotations

import io
import resource
import sys
import wave
from collections.abc import Sequence

import numpy as np
import soundfile
import soxr

RATE = 8000
NOT_AUDIO, TOO_LONG = 3, 4
"""Exit statuses; 0: a clip was written."""

_FORMATS = frozenset({"MP3", "WAV", "WAVEX"})
_LOWEST_RATE, _HIGHEST_RATE = 4_000, 192_000
_MOST_CHANNELS = 8
_SHORTEST = 0.1
"""Seconds."""
_CPU_SECONDS = 10
_MEMORY = 1 << 30
"""Bytes of address space: 600 s of stereo at 48 kHz take a third of it."""
_FILES = 64
_FRAME = 160
"""Samples of one packet. rtpengine plays whole frames only: up to 20 ms of a clip's end would be missing."""


class _Refused(Exception):
    """Carries the exit status."""


def main(arguments: Sequence[str]) -> int:
    """`arguments`: the seconds a clip may last."""
    _limit()
    try:
        sys.stdout.buffer.write(make_clip(sys.stdin.buffer.read(), float(arguments[0])))
    except _Refused as refused:
        return int(refused.args[0])
    except (soundfile.LibsndfileError, MemoryError):
        return NOT_AUDIO
    return 0


def _limit() -> None:
    for kind, value in (
        (resource.RLIMIT_CPU, _CPU_SECONDS),
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_NOFILE, _FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        most = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (most, most))


def make_clip(audio: bytes, longest: float) -> bytes:
    """`longest` in seconds. Raises `_Refused`, `soundfile.LibsndfileError`."""
    with soundfile.SoundFile(io.BytesIO(audio)) as file:
        rate = file.samplerate
        if file.format not in _FORMATS or file.channels > _MOST_CHANNELS or not _LOWEST_RATE <= rate <= _HIGHEST_RATE:
            raise _Refused(NOT_AUDIO)
        samples = _read_mono(file, int(longest * rate))
    if len(samples) < _SHORTEST * rate:
        raise _Refused(NOT_AUDIO)
    if rate != RATE:
        samples = soxr.resample(samples, rate, RATE)
    samples = np.pad(samples, (0, -len(samples) % _FRAME))
    return _write(np.clip(np.rint(samples * 32768.0), -32768, 32767).astype(np.int16))


def _read_mono(file: soundfile.SoundFile, most: int) -> np.ndarray:
    """All channels averaged. Read at once: soundfile seeks behind every read, and an mp3 in which one seeks is decoded
    wrongly after it (measured: errors as large as the signal)."""
    samples: np.ndarray = file.read(most + 1, dtype="float32", always_2d=True)
    if len(samples) > most:
        raise _Refused(TOO_LONG)
    mono: np.ndarray = np.nan_to_num(samples.mean(axis=1))
    return mono


def _write(samples: np.ndarray) -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.tobytes())
    return made.getvalue()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
