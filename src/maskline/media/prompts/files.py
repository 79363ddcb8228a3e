"""The clips on disk: one WAV file each, named by hashes, never changed, removed when nobody wants them.

What it is: the folder and what is known of it in memory. What it is not: a way to make clips, or the age at which one
is fetched anew (`store.py`). Who uses it: the store.

A name is KEY-CONTENT.wav: the hash of what the clip was made of (a URL, a text with its voice) and of its samples. So
a path always means the same audio, a driver may keep what it read from it, and nobody reads a URL or a number in the
folder. The file's modification time says when its source was last asked, its access time when it was last wanted:
both survive a restart, nothing else has to.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from maskline.clock import Clock
from maskline.media.port import Clip

GRACE = 60.0
"""Seconds after its last use in which a file is never removed: somebody may be about to open it."""
_UNUSED_FOR = 30 * 86_400.0
_STRAY_FOR = 3_600.0
"""Half-written files of a process that died."""
_NAME = re.compile(r"(?P<key>[0-9a-f]{40})-[0-9a-f]{16}\.wav")
_HEAD = 44
"""Bytes of a WAV's head as `decode.py` and `tones.py` write it."""
_BYTES_A_SECOND = 16_000


def key_of(*source: str) -> str:
    """The name of what a clip is made of."""
    return hashlib.sha256("\0".join(source).encode("utf-8", "surrogatepass")).hexdigest()[:40]


@dataclass(slots=True)
class Kept:
    clip: Clip
    size: int
    """Bytes."""
    asked: float
    """Wall seconds at which its source was last asked for it."""
    used: float
    """Wall seconds; moves on with each use."""


class Listed(NamedTuple):
    """One file, as the disk has it; the least used sorts first."""

    used: float
    path: Path
    key: str
    size: int
    asked: float


class ClipFiles:
    """`most`: bytes in all, above which those unused for longest go. `write` and `listed` may run in threads."""

    def __init__(self, folder: Path, clock: Clock, *, most: int) -> None:
        self._folder = folder.absolute()
        self._clock = clock
        self._most = most
        self._kept: dict[str, Kept] = {}

    @property
    def total(self) -> int:
        """Bytes."""
        return sum(kept.size for kept in self._kept.values())

    def open(self) -> None:
        """Make the folder, or find what an earlier process left in it. Raises `OSError`."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._adopt(self.listed())

    def find(self, key: str) -> Kept | None:
        """What is kept, marked as used now; None also when somebody removed the file."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        if not os.path.exists(kept.clip.path):
            del self._kept[key]
            return None
        kept.used = self._clock.wall()
        return kept

    def peek(self, key: str) -> Kept | None:
        """What is known, without a look at the disk and without counting as a use."""
        return self._kept.get(key)

    def write(self, key: str, wav: bytes) -> Path:
        """Put a clip's bytes into their file; may run in a thread. Raises `OSError`."""
        path = self._folder / f"{key}-{hashlib.sha256(wav).hexdigest()[:16]}.wav"
        half = path.with_suffix(f".{os.getpid()}.part")
        try:
            with open(half, "wb", opener=_private) as file:
                file.write(wav)
                file.flush()
                os.fsync(file.fileno())
            os.replace(half, path)
        finally:
            half.unlink(missing_ok=True)
        return path

    def keep(self, key: str, path: Path) -> Kept:
        """From now the file at `path` (by `write`) is the clip of `key`, and its source was asked now. The one before
        stays on disk until the sweep."""
        now = self._clock.wall()
        os.utime(path, (now, now))
        size = path.stat().st_size
        kept = self._kept[key] = Kept(_clip(path, size), size, now, now)
        return kept

    def listed(self) -> list[Listed]:
        """What is in the folder; may run in a thread."""
        found = []
        for path in self._folder.glob("*.wav"):
            match = _NAME.fullmatch(path.name)
            stat = _stat(path)
            if match is not None and stat is not None and stat.st_size > _HEAD:
                found.append(Listed(stat.st_atime, path, match["key"], stat.st_size, stat.st_mtime))
        return found

    def sweep(self, listed: Sequence[Listed], at_most: int) -> int:
        """Remove up to `at_most` of the `listed` files that nobody wants; returns how many. Also takes up what other
        processes (the command line) made, and notes on disk what was used."""
        now = self._clock.wall()
        self._adopt(listed)
        for kept in self._kept.values():
            if now - kept.used < 2 * GRACE:
                _note_use(kept)
        removed = 0
        for path in self._unwanted(listed, now):
            if removed == at_most:
                break
            path.unlink(missing_ok=True)
            removed += 1
        return removed

    def _adopt(self, listed: Iterable[Listed]) -> None:
        for one in listed:
            known = self._kept.get(one.key)
            if known is None or known.asked < one.asked:
                self._kept[one.key] = Kept(_clip(one.path, one.size), one.size, one.asked, one.used)

    def _unwanted(self, listed: Iterable[Listed], now: float) -> Iterator[Path]:
        for part in self._folder.glob("*.part"):
            stat = _stat(part)
            if stat is not None and now - stat.st_mtime > _STRAY_FOR:
                yield part
        oldest_first = sorted(listed)
        left = sum(one.size for one in oldest_first)
        for one in oldest_first:
            kept = self._kept.get(one.key)
            current = kept is not None and kept.clip.path == str(one.path)
            used = max(one.used, kept.used) if kept is not None and current else one.used
            if now - used <= GRACE or (current and left <= self._most and now - used <= _UNUSED_FOR):
                continue
            if current:
                del self._kept[one.key]
            left -= one.size
            yield one.path


def _clip(path: Path, size: int) -> Clip:
    return Clip(str(path), (size - _HEAD) / _BYTES_A_SECOND)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _note_use(kept: Kept) -> None:
    try:
        os.utime(kept.clip.path, (kept.used, kept.asked))
    except FileNotFoundError:
        return


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None
