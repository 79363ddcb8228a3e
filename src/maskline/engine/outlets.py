"""What the engine hands out: outside work, commits and bugs, each in order and once.

What it is: three lists and their draining. What it is not: the engine. Who uses it: `core.py` builds on it.
"""

from __future__ import annotations

from maskline.engine import effects as e
from maskline.engine.ports import CallCommit

Outside = (
    e.Route | e.CheckPin | e.AskNext | e.StopAsking | e.OpenMedia | e.AdoptMedia | e.AttachMedia | e.BridgeMedia
    | e.UnbridgeMedia | e.Play | e.StopPlaying | e.Collect | e.SendDigit | e.StartRecording
    | e.StopRecording | e.CloseMedia
)  # fmt: skip
"""Effects the runner performs."""


class Outlets:
    def __init__(self) -> None:
        self._work: list[tuple[str, Outside]] = []
        self._commits: list[CallCommit] = []
        self._faults: list[Exception] = []

    def work(self) -> list[tuple[str, Outside]]:
        """(call id, effect) pairs since the last time, in order; drains."""
        work, self._work = self._work, []
        return work

    def commits(self) -> list[CallCommit]:
        """Facts and records since the last time, in order; drains."""
        commits, self._commits = self._commits, []
        return commits

    def faults(self) -> list[Exception]:
        """Bugs met since the last time, each already survived; drains."""
        faults, self._faults = self._faults, []
        return faults
