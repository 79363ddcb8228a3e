"""A recording sealed on the disk: AES-256-GCM in chunks, so that any part of it can be read alone.

What it is: the container, its writer and its reader. What it is not: where keys come from (`storage/crypto.py` derives
the one that all recordings share) or who may read. Who uses it: the conversion job writes, download and CLI read.

The file: MAGIC, 16 random bytes, then chunks of 64 KiB of the recording, each sealed with its 16-byte tag. The key is
the file's own: HKDF of the recordings' key, the random bytes and the recording's id, so a file under another
recording's name does not open. A chunk's nonce is its number and whether it is the last: chunks that were swapped,
repeated, cut off or put behind the end do not open (the STREAM construction of Hoang and others, CRYPTO 2015).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAGIC = b"MASKREC1"
CHUNK = 64 * 1024
_SALT, _TAG = 16, 16
_HEAD = len(MAGIC) + _SALT
_SEALED = CHUNK + _TAG


class VaultBroken(Exception):
    """A stored recording cannot be opened: it was changed or cut, or belongs to another key file."""


def _cipher(key: bytes, salt: bytes, recording_id: str) -> AESGCM:
    info = b"maskline recording " + recording_id.encode()
    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=salt, info=info).derive(key))


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes((last,))


def seal_file(plain: Path, sealed: Path, key: bytes, recording_id: str) -> int:
    """Write the sealed copy, whole on the disk when this returns; its size in bytes. Raises `OSError`."""
    salt = secrets.token_bytes(_SALT)
    cipher = _cipher(key, salt, recording_id)
    draft = sealed.with_name(f".{sealed.name}.{secrets.token_hex(4)}")
    try:
        with plain.open("rb") as source, open(draft, "xb", opener=_private) as target:
            target.write(MAGIC + salt)
            chunk, number = source.read(CHUNK), 0
            while True:
                following = source.read(CHUNK)
                target.write(cipher.encrypt(_nonce(number, not following), chunk, None))
                if not following:
                    break
                chunk, number = following, number + 1
            size = target.tell()
            target.flush()
            os.fsync(target.fileno())
        draft.replace(sealed)
    finally:
        draft.unlink(missing_ok=True)
    return size


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class SealedFile:
    """An open recording; `size` is that of the recording itself. Close it.

    Raises `VaultBroken` when it is no such file, and `OSError`. What is read was never changed by anybody."""

    def __init__(self, path: Path, key: bytes, recording_id: str) -> None:
        self._file: BinaryIO = path.open("rb")
        try:
            head = self._file.read(_HEAD)
            stored = os.fstat(self._file.fileno()).st_size - _HEAD
            full, rest = divmod(stored, _SEALED)
            if head[: len(MAGIC)] != MAGIC or stored < _TAG or 0 < rest < _TAG:
                raise VaultBroken("This is not a sealed recording.")
        except BaseException:
            self._file.close()
            raise
        self._cipher = _cipher(key, head[len(MAGIC) :], recording_id)
        self._last = full - (rest == 0)
        self.size = stored - (self._last + 1) * _TAG

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from `start` up to `stop`, in pieces of a chunk at most."""
        for number in range(start // CHUNK, -(-min(stop, self.size) // CHUNK)):
            first = number * CHUNK
            yield self._chunk(number)[max(start - first, 0) : stop - first]

    def _chunk(self, number: int) -> bytes:
        self._file.seek(_HEAD + number * _SEALED)
        try:
            return self._cipher.decrypt(_nonce(number, number == self._last), self._file.read(_SEALED), None)
        except InvalidTag:
            raise VaultBroken("A stored recording was changed, or sealed with another key file.") from None

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> SealedFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
