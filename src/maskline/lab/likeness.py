"""Whether a known sound is in what was heard, and where: normalised cross-correlation.

What it is: one number between -1 and 1 for every place where the sound could be, and the best of them. A sound that
went through G.711 once is found with 0.99 and more. What it is not: speech recognition. Who uses it: `lab/ear.py`,
the demo's checks, wire tests.

Chance: two unlike sounds of N independent samples correlate with a spread of 1/sqrt(N). Speech of one second has some
hundred such samples, so 0.8 is more than ten spreads away from chance at any one place, and a call has at most a few
hundred thousand places. Measured in tests/unit/lab/test_likeness.py over other speech, noise and the network's tones:
the best wrong match stays below 0.3. A pure tone is the exception: it is like any other of its frequency, so prompts
that are to be told apart must not be tones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maskline.lab.sound import RATE, Samples

ENOUGH = 0.8
"""From this likeness on a sound counts as heard."""
_QUIET = 0.01
"""Places with less than this share of the sound's energy are silence, whatever their shape."""


@dataclass(frozen=True, slots=True)
class Match:
    likeness: float
    """-1 … 1."""
    start: int
    """Index of the sample where the sound begins."""

    @property
    def heard(self) -> bool:
        return self.likeness >= ENOUGH

    @property
    def seconds(self) -> float:
        return self.start / RATE


def find(sound: Samples, heard: Samples) -> Match:
    """The place in `heard` that is most like the whole of `sound`."""
    likeness = everywhere(sound, heard)
    if not len(likeness):
        return Match(0.0, 0)
    start = int(np.argmax(likeness))
    return Match(float(likeness[start]), start)


class Search:
    """Looks for one sound in what is heard and grows; what was searched is not searched again."""

    def __init__(self, sound: Samples) -> None:
        self._sound = sound
        self._searched = 0
        self.best = Match(0.0, 0)

    def look(self, heard: Samples) -> Match:
        """The best match up to now; `heard` begins as it did before."""
        start = max(0, self._searched - len(self._sound) + 1)
        found = find(self._sound, heard[start:])
        if found.likeness > self.best.likeness:
            self.best = Match(found.likeness, found.start + start)
        self._searched = max(self._searched, len(heard))
        return self.best


def agreement(kept: Samples, sent: Samples) -> Match:
    """How like a recording is to what was sent, over all of it that overlaps when both are laid on each other as well
    as they can be; `start` is where the recording begins in `sent`, negative when it began earlier."""
    if not len(kept) or not len(sent):
        return Match(0.0, 0)
    size = 1 << (len(kept) + len(sent)).bit_length()
    product = np.fft.irfft(np.fft.rfft(sent, size) * np.conj(np.fft.rfft(kept, size)), size)
    start = int(np.argmax(product))
    start -= size if start > size // 2 else 0
    end = min(start + len(kept), len(sent))
    first, second = kept[max(-start, 0) : end - start], sent[max(start, 0) : end]
    energy = np.sqrt(float(np.dot(first, first.astype(np.float64))) * float(np.dot(second, second.astype(np.float64))))
    return Match(float(np.dot(first, second.astype(np.float64))) / energy if energy else 0.0, start)


def everywhere(sound: Samples, heard: Samples) -> NDArray[np.float64]:
    """The likeness at each place; empty when `heard` is shorter than `sound`."""
    wanted = sound.astype(np.float64) - sound.mean()
    places = len(heard) - len(sound) + 1
    energy = float(wanted @ wanted)
    if places <= 0 or not energy:
        return np.zeros(0)
    there = heard.astype(np.float64)
    size = 1 << (len(there) + len(wanted)).bit_length()
    product = np.fft.irfft(np.fft.rfft(there, size) * np.conj(np.fft.rfft(wanted, size)), size)[:places]
    sums, squares = (np.concatenate(([0.0], np.cumsum(values))) for values in (there, there * there))
    ends = len(sound)
    local = squares[ends:] - squares[:-ends] - (sums[ends:] - sums[:-ends]) ** 2 / ends
    loud = local > _QUIET * energy
    return np.where(loud, product / np.sqrt(np.where(loud, local, 1.0) * energy), 0.0)
