"""Sounds as the lab knows them: 16-bit samples at 8 kHz, either law of G.711, WAV files, made-up speech and tones.

What it is: pure functions over numpy arrays, and the files they are kept in. What it is not: the product's own codec
(`media/g711.py`) or converter; the lab judges those and therefore reads the recommendations for itself. Who uses it:
the lab's phones, its demo and wire tests.
"""

from __future__ import annotations

import io
import wave
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]

RATE = 8000
"""Samples per second."""
FRAME = 160
"""Samples in a 20 ms packet."""
PCMU, PCMA = 0, 8
"""The two laws, by their payload types (RFC 3551 §6)."""
_ROWS, _COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
_KEYS = "123A456B789C*0#D"
DIGITS = "0123456789*#ABCD"
"""By event number (RFC 4733 §3.2)."""


def _mu_levels() -> NDArray[np.int32]:
    """ITU-T G.711 µ-law: sign, 3 exponent bits, 4 mantissa bits, inverted."""
    byte = ~np.arange(256) & 0xFF
    magnitude = (((byte & 0x0F) << 3) + 0x84 << (byte >> 4 & 7)) - 0x84
    return np.where(byte & 0x80, -magnitude, magnitude).astype(np.int32)


def _a_levels() -> NDArray[np.int32]:
    """ITU-T G.711 A-law: every second bit inverted, no exponent in the lowest segment."""
    byte = np.arange(256) ^ 0x55
    segment = byte >> 4 & 7
    magnitude = ((byte & 0x0F) << 4) + 8
    magnitude = np.where(segment, magnitude + 0x100 << np.maximum(segment - 1, 0), magnitude)
    return np.where(byte & 0x80, magnitude, -magnitude).astype(np.int32)


class _Law:
    """One table to read, and the borders between neighbouring levels to write by."""

    def __init__(self, levels: NDArray[np.int32]) -> None:
        self.levels = levels.astype(np.int16)
        order = np.argsort(levels, kind="stable")
        self.bytes = order.astype(np.uint8)
        self.borders = (levels[order][1:] + levels[order][:-1]) / 2


_LAWS = {PCMU: _Law(_mu_levels()), PCMA: _Law(_a_levels())}


def encode(samples: Samples, law: int = PCMU) -> bytes:
    """The nearest code of `law` for each sample; of µ-law's two zeros the positive one, as telephones send it."""
    table = _LAWS[law]
    return table.bytes[np.searchsorted(table.borders, samples, side="right")].tobytes()


def decode(payload: bytes, law: int = PCMU) -> Samples:
    samples: Samples = _LAWS[law].levels[np.frombuffer(payload, np.uint8)]
    return samples


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.int16)


def tone(frequencies: tuple[float, ...], seconds: float, level: float = 0.3) -> Samples:
    """Sines of these Hertz, added; `level` is the peak of the sum, 1.0 being full scale."""
    at = np.arange(round(seconds * RATE)) / RATE
    waves = sum(np.sin(2 * np.pi * frequency * at) for frequency in frequencies)
    return np.asarray(waves * (level * 32767 / len(frequencies))).astype(np.int16)


def digit_tone(digit: str, seconds: float = 0.1) -> Samples:
    """What a telephone without telephone-event sends for a key (ITU-T Q.23)."""
    row, column = divmod(_KEYS.index(digit), 4)
    return tone((_ROWS[row], _COLUMNS[column]), seconds, 0.5)


def speech(seed: int, seconds: float, level: float = 0.35) -> Samples:
    """Nobody's voice, but built like one: syllables with a gliding pitch, three formants, pauses and some hiss.

    The same seed gives the same sound; two seeds are as unlike as two sentences, which is what recognition needs.
    """
    draw = np.random.default_rng(seed)
    parts: list[NDArray[np.float64]] = []
    length = 0
    while length < seconds * RATE:
        parts.append(_syllable(draw) if draw.random() < 0.85 else np.zeros(int(draw.uniform(0.03, 0.12) * RATE)))
        length += len(parts[-1])
    whole = np.concatenate(parts)[: round(seconds * RATE)]
    return np.asarray(whole * (level * 32767 / np.abs(whole).max())).astype(np.int16)


def _syllable(draw: np.random.Generator) -> NDArray[np.float64]:
    count = int(draw.uniform(0.1, 0.24) * RATE)
    pitch = np.linspace(draw.uniform(95, 230), draw.uniform(95, 230), count)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    formants = (draw.uniform(300, 800), draw.uniform(900, 1900), draw.uniform(2100, 3000))
    voice = np.zeros(count)
    for harmonic in range(1, int(3300 / pitch.max()) + 1):
        weight = sum(np.exp(-(((harmonic * pitch.mean() - middle) / 170) ** 2)) for middle in formants)
        voice += (weight + 0.02) * np.sin(harmonic * phase + draw.uniform(0, 2 * np.pi))
    hiss = draw.standard_normal(count) * draw.uniform(0.02, 0.3)
    return np.asarray((voice + hiss) * np.hanning(count) * draw.uniform(0.5, 1.0))


def read_wav(path: Path) -> list[Samples]:
    """The channels of an 8 kHz, 16-bit file; raises `ValueError` for another format."""
    with wave.open(str(path), "rb") as file:
        channels = file.getnchannels()
        if (file.getframerate(), file.getsampwidth()) != (RATE, 2):
            raise ValueError(f"{path.name} is not a WAV file of 8 kHz and 16 bit.")
        samples = np.frombuffer(file.readframes(file.getnframes()), np.dtype("<i2")).astype(np.int16)
    return [samples[index::channels] for index in range(channels)]


def write_wav(target: Path | BinaryIO, *channels: Samples) -> None:
    """One 8 kHz, 16-bit file; shorter channels are filled with silence."""
    length = max(map(len, channels), default=0)
    table = np.zeros((length, len(channels)), np.dtype("<i2"))
    for index, samples in enumerate(channels):
        table[: len(samples), index] = samples
    with wave.open(str(target) if isinstance(target, Path) else target, "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(table.tobytes())


def wav(*channels: Samples) -> bytes:
    """The file as bytes, to be served."""
    written = io.BytesIO()
    write_wav(written, *channels)
    return written.getvalue()
