"""The recording of one call in a worker: from the taps of its two legs into a spool file.

What it is: who writes, under which name, and what becomes of the call when the disk is full: nothing, the recording
ends. What it is not: the format (`media/spool.py`) or a file people can hear. Who uses it: `call.py`; `relay.py`
flushes.
"""

from __future__ import annotations

import re
from pathlib import Path

from maskline.masking.facts import LegName
from maskline.media.embedded.leg import Leg
from maskline.media.port import Spool, SpoolLeg
from maskline.media.spool import SpoolError, SpoolWriter

FLUSH_EVERY = 0.5
"""Seconds of audio that a killed worker takes along at most."""
_FORMAT = "maskline"
_SAFE_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,99}")


class Recording:
    """Runs from its making to `end`. Raises `SpoolError` when there can be no file."""

    __slots__ = ("_legs", "_writer", "id", "lost", "spool")

    def __init__(self, folder: Path, recording_id: str, legs: dict[LegName, Leg], *, now: float, wall: float) -> None:
        if not _SAFE_NAME.fullmatch(recording_id):
            raise SpoolError("This is no name of a recording.")
        self.id = recording_id
        self._legs = dict(sorted(legs.items()))
        path = folder / f"{recording_id}.spool"
        codecs = [leg.codecs for leg in self._legs.values()]
        self._writer = SpoolWriter(path, recording_id, codecs, clock=now, wall=wall)
        sides = tuple(SpoolLeg(name, leg.port, leg.codecs) for name, leg in self._legs.items())
        self.spool = Spool(str(path), _FORMAT, sides)
        self.lost = False
        for side, leg in enumerate(self._legs.values()):
            leg.side, leg.tap = side, self._writer.append

    def codecs_changed(self, name: LegName, now: float) -> None:
        leg = self._legs[name]
        self._writer.change_codecs(leg.side, now, leg.codecs)

    def flush(self) -> bool:
        """False: the recording ended just now, because nothing more can be written."""
        if self.lost or self._writer.flush():
            return True
        self._let_go()
        return False

    def end(self, now: float) -> bool:
        """Complete the file. False: it ended before."""
        whole = self._writer.close(now)
        lost_now = not whole and not self.lost
        self._let_go()
        return not lost_now

    def _let_go(self) -> None:
        self.lost = True
        for leg in self._legs.values():
            leg.tap = None
