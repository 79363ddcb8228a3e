"""Clips as frames of G.711, encoded once for all who hear them.

What it is: WAV files (8 kHz, 16 bit, mono; they never change) read whole and encoded in pieces of a quarter of a
second when somebody first comes to hear them, and a cache of them by path, bounded in bytes. A piece takes 0.1 to 0.2
ms, so the start of a long clip holds up no packet. What it is not: a converter (`media/prompts` made the file). Who
uses it: `relay.py` and `player.py`.
"""

from __future__ import annotations

import sys
import wave
from array import array
from collections import OrderedDict
from operator import itemgetter

from maskline.media.embedded.outgoing import FRAME
from maskline.media.g711 import A_OF_LINEAR, MU_OF_LINEAR

FRAMES_PER_PIECE = 13
"""Frames that are encoded at once: 0.26 s."""
CACHE_BYTES = 64 * 1024 * 1024
"""At four bytes a sample (16 bit, and both laws) half an hour of prompts."""
_BYTES_PER_SAMPLE = 4
_LONGEST = 130 * 8000
"""Samples: MASKLINE_PROMPT_LENGTH at most, and something to spare."""

_ENCODERS = {"PCMU": MU_OF_LINEAR, "PCMA": A_OF_LINEAR}


class UnplayableClip(Exception):
    """The file is not there, or not 8 kHz, 16 bit, mono."""


class EncodedClip:
    __slots__ = ("_pieces", "_samples", "frames", "size")

    def __init__(self, samples: array[int]) -> None:
        """`samples` as unsigned 16-bit values in native order."""
        self._samples = samples
        self._pieces: dict[tuple[str, int], bytes] = {}
        self.frames = -(-len(samples) // FRAME)
        self.size = _BYTES_PER_SAMPLE * len(samples)

    def piece(self, law: str, number: int) -> bytes:
        """So many frames, from `number` times FRAMES_PER_PIECE on; a clip's last frame is filled up with silence."""
        piece = self._pieces.get((law, number))
        if piece is None:
            step = FRAMES_PER_PIECE * FRAME
            samples = self._samples[number * step : (number + 1) * step]
            samples.extend([0] * (-len(samples) % FRAME))
            # One C call for the whole piece: 50 ns a sample, half of what a generator or `map` takes (measured).
            piece = self._pieces[law, number] = bytes(itemgetter(*samples)(_ENCODERS[law]))
        return piece


def read_clip(path: str) -> EncodedClip:
    """Raises `UnplayableClip`."""
    try:
        with wave.open(path, "rb") as file:
            if (file.getnchannels(), file.getsampwidth(), file.getframerate()) != (1, 2, 8000):
                raise UnplayableClip
            samples = array("H", file.readframes(_LONGEST))
    except (OSError, EOFError, ValueError, wave.Error) as error:
        raise UnplayableClip from error
    if not samples:
        raise UnplayableClip
    if sys.byteorder == "big":
        samples.byteswap()
    return EncodedClip(samples)


class ClipCache:
    __slots__ = ("_clips", "_limit", "_size")

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self._clips: OrderedDict[str, EncodedClip] = OrderedDict()
        self._limit = limit
        self._size = 0

    def get(self, path: str) -> EncodedClip:
        """Raises `UnplayableClip`. Those used longest ago make room; who still plays one keeps it."""
        clip = self._clips.get(path)
        if clip is None:
            clip = self._clips[path] = read_clip(path)
            self._size += clip.size
        self._clips.move_to_end(path)
        while self._size > self._limit and len(self._clips) > 1:
            _, oldest = self._clips.popitem(last=False)
            self._size -= oldest.size
        return clip
