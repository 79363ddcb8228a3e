"""Audio files as customers have them, and a look at what became of them."""

from __future__ import annotations

import io
import wave

import numpy as np
import soundfile


def sound_file(
    *, seconds: float = 1.0, rate: int = 8000, channels: int = 1, kind: str = "WAV", subtype: str | None = None,
    hertz: float = 440.0, level: float = 0.5,
) -> bytes:  # fmt: skip
    """A sine in every channel, as a file of `kind`."""
    times = np.arange(int(seconds * rate)) / rate
    samples = np.repeat((level * np.sin(2 * np.pi * hertz * times))[:, None], channels, axis=1)
    made = io.BytesIO()
    soundfile.write(made, samples, rate, format=kind, subtype=subtype)
    return made.getvalue()


def shape_of(wav: bytes) -> tuple[int, int, int, float]:
    """Rate, channels, bytes a sample, seconds."""
    with wave.open(io.BytesIO(wav)) as file:
        seconds = file.getnframes() / file.getframerate()
        return file.getframerate(), file.getnchannels(), file.getsampwidth(), seconds


def samples_of(wav: bytes) -> np.ndarray:
    with wave.open(io.BytesIO(wav)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), dtype="<i2") / 32768.0


def level_of(wav: bytes, *, edge: int = 2400) -> float:
    """Root mean square without the edges, where filters ring; a sine of amplitude 0.5 has 0.354."""
    inner = samples_of(wav)[edge:-edge]
    return float(np.sqrt(np.mean(inner**2)))


def pitch_of(wav: bytes) -> float:
    """The strongest frequency, in Hz."""
    samples = samples_of(wav)
    return float(np.argmax(np.abs(np.fft.rfft(samples))) * 8000 / len(samples))
