"""Everything that platforms of wire tests say, brought before the judge: SIP by all taps, logs, metrics.

What it is: which platforms there are, where each writes, and how far that was read. What it is not: a rule of what may
be said (`wire_judge.py`). Who uses it: tests/wire/conftest.py.
"""

from __future__ import annotations

import contextlib
import os
import urllib.error
import urllib.request
from pathlib import Path

from maskline.lab.platform import Platform
from tests.support.wire_judge import Judge
from tests.support.wire_tap import STREAM_TAP, End, StreamTap, WireTap


class Court:
    def __init__(self, folder: Path, tap: WireTap | None) -> None:
        """`tap`: None where nobody may listen; then streams alone are judged."""
        self._folder = folder
        self._tap = tap
        self._streams: dict[Path, StreamTap] = {}
        self._logs: dict[Path, tuple[End, int]] = {}
        self._metrics: list[tuple[End, bytes]] = []
        self.judged: set[End] = set()
        """Where platforms are."""
        self.judge = Judge(self.judged)

    def attend(self, platform: Platform) -> None:
        """It is about to start, perhaps once more."""
        address = platform.sip_address
        self.judged.add(address)
        self._logs.setdefault(platform.log_path, (address, 0))
        environment = platform.environment
        if "STREAM_TAP" not in environment:
            path = self._folder / f"streams-{len(self._streams)}"
            self._streams[path] = StreamTap(path, address)
            environment["STREAM_TAP"] = str(path)
            environment["PYTHONPATH"] = os.pathsep.join([str(STREAM_TAP), environment["PYTHONPATH"]])

    def read_metrics(self, platform: Platform) -> None:
        """It is about to stop."""
        with (
            contextlib.suppress(urllib.error.URLError, OSError),
            urllib.request.urlopen(f"{platform.url}/metrics", timeout=30.0) as answer,
        ):
            self._metrics.append((platform.sip_address, answer.read()))

    def look(self) -> list[str]:
        """What crossed, or was written down, since the last time."""
        messages = [] if self._tap is None else self._tap.messages()
        for stream in self._streams.values():
            messages += stream.messages()
        found = self.judge.look(messages)
        for path, (address, offset) in self._logs.items():
            if path.exists() and path.stat().st_size > offset:
                with path.open("rb") as file:
                    file.seek(offset)
                    text = file.read()
                self._logs[path] = address, offset + len(text)
                found += [f"in the log: {line}" for line in self.judge.find_persons(address, text)]
        metrics, self._metrics = self._metrics, []
        for address, text in metrics:
            found += [f"in the metrics: {line}" for line in self.judge.find_persons(address, text)]
        return found

    def close(self) -> None:
        if self._tap is not None:
            self._tap.close()
