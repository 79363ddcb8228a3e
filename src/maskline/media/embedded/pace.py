"""The beat of what a worker says itself: a frame every 20 ms for each clip and digit.

What it is: four slots of 5 ms that everybody who speaks is shared out to, so that 200 clips wake the loop 200 times a
second and not 10,000 times, and no slot holds up relayed packets for longer than a quarter of them takes. Beats are
counted from the first one on the monotonic clock: no drift. What it is not: a thread or a timer; the worker's loop
asks `next_beat` and calls `tick`. Who uses it: `relay.py`.
"""

from __future__ import annotations

import math
from typing import Protocol

PERIOD = 0.020
_SLOTS = 4
_SOONEST = 0.010
"""A first frame is sent at once; the second follows 10 to 30 ms later, wherever there is most room."""
_CATCH_UP = 10
"""Frames sent late at once after a stall; a longer one is a pause."""


class Speaker(Protocol):
    def step(self, now: float) -> bool:
        """Send the next frame; False: there is none, and this was the last step."""
        ...

    def skip(self, frames: int) -> None:
        """So many beats did not take place."""
        ...


class _Slot:
    __slots__ = ("due", "speakers")

    def __init__(self) -> None:
        self.due = 0.0
        self.speakers: dict[Speaker, None] = {}


class Pace:
    __slots__ = ("_slots", "next_beat")

    def __init__(self) -> None:
        self._slots = [_Slot() for _ in range(_SLOTS)]
        self.next_beat = math.inf
        """Monotonic seconds; infinite while nobody speaks."""

    def __len__(self) -> int:
        return sum(len(slot.speakers) for slot in self._slots)

    def add(self, speaker: Speaker, now: float) -> None:
        """Step it from now on; the caller has sent its first frame."""
        for index, slot in enumerate(self._slots):
            if not slot.speakers:
                offset = PERIOD * index / _SLOTS
                slot.due = offset + PERIOD * math.ceil((now + _SOONEST - offset) / PERIOD)
        # A slot that comes sooner than the second frame may would send it too early.
        room = [slot for slot in self._slots if slot.due >= now + _SOONEST] or self._slots
        least = min(len(slot.speakers) for slot in room)
        choice = min(
            (slot for slot in room if len(slot.speakers) == least), key=lambda slot: abs(slot.due - now - PERIOD)
        )
        choice.speakers[speaker] = None
        self._look_ahead()

    def remove(self, speaker: Speaker) -> None:
        for slot in self._slots:
            slot.speakers.pop(speaker, None)
        self._look_ahead()

    def tick(self, now: float) -> None:
        """Call when `next_beat` has come."""
        for slot in self._slots:
            if slot.speakers and slot.due <= now:
                self._run(slot, now)
        self._look_ahead()

    def _run(self, slot: _Slot, now: float) -> None:
        missed = int((now - slot.due) / PERIOD)
        if missed > _CATCH_UP:
            slot.due += PERIOD * missed
            for speaker in slot.speakers:
                speaker.skip(missed)
        while slot.due <= now:
            slot.due += PERIOD  # first: whatever happens in a step happens once
            for speaker in list(slot.speakers):
                if speaker in slot.speakers and not speaker.step(now):
                    slot.speakers.pop(speaker, None)

    def _look_ahead(self) -> None:
        self.next_beat = min((slot.due for slot in self._slots if slot.speakers), default=math.inf)
