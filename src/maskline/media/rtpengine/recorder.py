"""Recording by rtpengine's `recording-method=pcap`: where its files are, and whose.

What it is: start and end of one recording, and the claim of its file. The daemon says no name, so the file is found
by the call's id under `recording-dir` as seen from here, and renamed at once: the daemon goes on writing to it, and a
restarted one, which would open the old name again and cut it off, begins another. Further files of a recording are
NAME.2, NAME.3 … (as `media/spool.py` has them). What it is not: a reader (`spool.read_pcap`). Who uses it:
`driver.py`.
"""

from __future__ import annotations

import asyncio
import glob
from contextlib import suppress
from pathlib import Path

import structlog

from maskline.errors import MediaUnavailable
from maskline.media.port import Spool, SpoolLeg
from maskline.media.rtpengine.call_state import CallState, Recording
from maskline.media.rtpengine.client import NgRefused

_log = structlog.get_logger()


class Recorder:
    def __init__(self, folder: Path) -> None:
        """`folder` is the daemons' `recording-dir`, as seen from here."""
        self._folder = folder

    async def start(self, call: CallState, recording_id: str) -> Spool:
        """Raises `MediaUnavailable`; then nothing is recorded."""
        path = self._folder / "pcaps" / f"{recording_id}.pcap"
        await _ask(call, "start recording")
        claimed = await asyncio.to_thread(self._claim, call.id, path)
        if claimed is None:
            _log.error("media_recording_astray", driver="rtpengine", worker=call.node.name)
            await _ask(call, "stop recording")
            raise MediaUnavailable("rtpengine's recordings are not where they are looked for.")
        call.recording = Recording(recording_id, claimed)
        legs = tuple(SpoolLeg(leg, local.port, call.codecs[leg]) for leg, local in call.local.items())
        return Spool(str(claimed.absolute()), "pcap", legs)

    async def adopt(self, call: CallState, recording_id: str) -> None:
        """Go on with one that a process before this one began."""
        path = self._folder / "pcaps" / f"{recording_id}.pcap"
        parts = await asyncio.to_thread(lambda: len(list(path.parent.glob(f"{path.name}*"))))
        call.recording = Recording(recording_id, path, max(1, parts))

    async def stop(self, call: CallState) -> None:
        """The daemon has closed the file when it answers. Raises `MediaUnavailable`."""
        if call.recording is None:
            return
        call.recording = None
        await _ask(call, "stop recording")
        await asyncio.to_thread(self._tidy, call.id)

    async def go_on(self, call: CallState) -> bool:
        """Into another file, after a restart of the daemon, which may have begun one by itself. False: it did not."""
        recording = call.recording
        if recording is None:
            return True
        try:
            await _ask(call, "start recording")
        except MediaUnavailable:
            return False
        part = recording.path.with_name(f"{recording.path.name}.{recording.parts + 1}")
        if await asyncio.to_thread(self._claim, call.id, part) is None:
            return False
        recording.parts += 1
        return True

    def _claim(self, call_id: str, wanted: Path) -> Path | None:
        """The file the daemon just opened, under a name of ours if the directory lets us."""
        found = sorted((self._folder / "pcaps").glob(f"{glob.escape(call_id)}-*.pcap"), key=_changed)
        if not found:
            return None
        try:
            return found[-1].rename(wanted)
        except OSError:
            return found[-1]

    def _tidy(self, call_id: str) -> None:
        """The daemon's notes on a recording name addresses and serve nobody."""
        for folder in ("metadata", "tmp"):
            for note in (self._folder / folder).glob(f"*{glob.escape(call_id)}-*"):
                with suppress(OSError):
                    note.unlink()


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


async def _ask(call: CallState, command: str) -> None:
    try:
        await call.node.request(command, {"call-id": call.id})
    except NgRefused as error:
        raise MediaUnavailable("rtpengine refused to record.") from error
