"""Clips for the players: WAV files as `media/prompts` makes them."""

from __future__ import annotations

import math
import wave
from array import array
from collections.abc import Sequence
from pathlib import Path

from maskline.media.port import Clip


def tone(frequency: float, seconds: float, amplitude: float = 12_000.0) -> list[int]:
    turn = 2.0 * math.pi * frequency / 8000.0
    return [round(amplitude * math.sin(turn * n)) for n in range(round(8000 * seconds))]


def write_clip(path: Path, samples: Sequence[int], *, rate: int = 8000, channels: int = 1, width: int = 2) -> Clip:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(array("h", samples).tobytes())
    return Clip(str(path), len(samples) / 8000.0)
