"""The tones that are built in, as samples: what a caller hears while a phone rings, is busy or cannot be reached.

What it is: pure arithmetic over a table of cadences. What it is not: files (`store.py` writes them once). Who uses it:
the store at its start.

425 Hz and the cadences are those ITU-T E.180 recommends, as most of the world has them; the level is -10 dBm0, which
is its nominal one.
"""

from __future__ import annotations

import io
import math
import wave
from array import array
from dataclasses import dataclass

from maskline.masking.prompt import Tone

RATE = 8000
_LEVEL = 32767 * 10 ** ((-10.0 - 3.14) / 20)
"""G.711 takes a sine of full scale for +3.14 dBm0 (ITU-T G.711 §6)."""
_EDGE = 40
"""Samples over which a tone swells and fades: without them each edge clicks."""


@dataclass(frozen=True, slots=True)
class Cadence:
    hertz: float
    on: float
    """Seconds."""
    off: float
    times: int
    """Periods in one pass of the clip."""


CADENCES = {
    Tone.RINGBACK: Cadence(425.0, 1.0, 4.0, 1),
    Tone.BUSY: Cadence(425.0, 0.5, 0.5, 3),
    Tone.CONGESTION: Cadence(425.0, 0.25, 0.25, 6),
    Tone.BEEP: Cadence(1000.0, 0.25, 0.25, 1),
}


def tone_wav(tone: Tone) -> bytes:
    """One pass of the tone: 8 kHz, mono, 16 bit. It begins and ends in silence, so passes join without a click."""
    cadence = CADENCES[tone]
    sounding, silent = round(cadence.on * RATE), round(cadence.off * RATE)
    step = 2 * math.pi * cadence.hertz / RATE
    samples = array("h", [round(_edge(n, sounding) * math.sin(step * n)) for n in range(sounding)])
    samples.extend([0] * silent)
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((samples * cadence.times).tobytes())
    return made.getvalue()


def _edge(n: int, length: int) -> float:
    return _LEVEL * min(1.0, n / _EDGE, (length - 1 - n) / _EDGE)
