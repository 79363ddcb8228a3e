"""Sealing: what may not be read from a stolen database file, and how it is looked up all the same.

What it is: AES-256-GCM for values that are only read back, a keyed hash for party numbers that are compared,
and the key file. What it is not: transport security, or password hashing. Who uses it: the stores' row codec;
`app.py` and the CLI load the key.

Threat: someone has the database (file, backup, SQL injection) but not the key file. Sealed: party numbers,
auth tokens, trunk passwords, webhook bodies and authorization values. The hash has a key of its own, since
all telephone numbers can be tried against an unkeyed one in minutes.

Nonces: at 1,000 calls/s random 96-bit nonces under one key would reach the 2^32 limit of NIST SP 800-38D §8.3
within days. Therefore each process seals under its own key, derived from the master key and a random run id
that is stored beside the value, and counts its nonces: no pair of key and nonce comes twice, and a seal costs
no system call.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
import os
import secrets
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from maskline.errors import ConfigurationError, StoreUnavailable
from maskline.masking.claims import Key, KeyKind
from maskline.masking.e164 import Number
from maskline.system_ids import process_mark

KEY_BYTES = 32
_HEADER = "# Maskline key: opens the numbers and secrets in the database. Back it up apart from the database.\n"
_VERSION = b"\x01"
_KEY_ID_BYTES = 4
_RUN_BYTES = 16
_COUNTER_BYTES = 8
_RUN_START = len(_VERSION) + _KEY_ID_BYTES
_COUNTER_START = _RUN_START + _RUN_BYTES
_CIPHERTEXT_START = _COUNTER_START + _COUNTER_BYTES
_NONCE_PADDING = bytes(12 - _COUNTER_BYTES)
_HASH_BYTES = 16
"""128 of HMAC-SHA-256's 256 bits: at 10^10 numbers the chance of any collision is below 10^-18, and the two
largest indexes are half as big."""
_SHA256_BLOCK = 64

_HASHES_KEPT = 1024
"""Look-ups whose hash is remembered; a create comes back to each of its own within a millisecond."""


class SealBroken(StoreUnavailable):
    """A stored value cannot be opened: it was changed, or sealed with another key file."""

    code = "seal_broken"


class Sealer:
    """Seals and opens values under one master key; safe to share between threads.

    `context` names the place of a value (`table.column:row id`) and is authenticated, so a sealed value that
    is moved to another row or column does not open.
    """

    __slots__ = (
        "_counter", "_hashes", "_inner", "_master", "_opened", "_outer", "_prefix", "_process", "_run_cipher", "key_id",
    )  # fmt: skip

    def __init__(self, master: bytes) -> None:
        if len(master) != KEY_BYTES:
            raise ConfigurationError(f"The key must have {KEY_BYTES} bytes.")
        self._master = master
        self._hashes: dict[str, bytes] = {}
        self._inner, self._outer = _hmac_states(_derive(master, b"maskline number look-up"))
        self.key_id = _derive(master, b"maskline key id")[:_KEY_ID_BYTES]
        """Names the key in each sealed value; says nothing about the key."""
        self._start_run()
        self._opened = (self._prefix, self._run_cipher)
        """How what was opened last begins, and its run's cipher: what is opened is mostly of few runs."""

    def _start_run(self) -> None:
        run = secrets.token_bytes(_RUN_BYTES)
        self._prefix = _VERSION + self.key_id + run
        self._run_cipher = _run_cipher(self._master, run)
        self._counter = itertools.count()
        self._process = process_mark()

    def derived(self, purpose: str) -> bytes:
        """A key of its own for what is not sealed here: other keys cannot be told from it."""
        return _derive(self._master, b"maskline " + purpose.encode())

    def seal(self, plain: bytes, context: str) -> bytes:
        """Version, key id, run id, counter, ciphertext and tag: 45 bytes more than `plain`."""
        if self._process != process_mark():
            # A forked child has the parent's counter: without a run of its own both would use the same nonces.
            self._start_run()
        counter = next(self._counter).to_bytes(_COUNTER_BYTES, "big")
        sealed = self._run_cipher.encrypt(_NONCE_PADDING + counter, plain, context.encode())
        return self._prefix + counter + sealed

    def unseal(self, sealed: bytes, context: str) -> bytes:
        """Raises `SealBroken`."""
        opened = self._opened
        if not sealed.startswith(opened[0]):
            opened = self._opened = self._run_of(sealed)
        cipher = opened[1]
        nonce = _NONCE_PADDING + sealed[_COUNTER_START:_CIPHERTEXT_START]
        try:
            return cipher.decrypt(nonce, sealed[_CIPHERTEXT_START:], context.encode())
        except (InvalidTag, ValueError):
            raise SealBroken from None

    def _run_of(self, sealed: bytes) -> tuple[bytes, AESGCM]:
        if not sealed.startswith(_VERSION + self.key_id) or len(sealed) < _CIPHERTEXT_START:
            raise SealBroken
        return sealed[:_COUNTER_START], _run_cipher(self._master, sealed[_RUN_START:_COUNTER_START])

    def number_hash(self, number: Number) -> bytes:
        """What a party's number is looked up by: 16 bytes, equal for equal numbers, useless without the key."""
        return self._hash(number.e164)

    def key_hash(self, key: Key) -> bytes:
        """What a claim is looked up by: a party's is its `number_hash`."""
        return self._hash("+" + key.text if key.kind is KeyKind.PARTY else f"{key.kind} {key.text}")

    def text_hash(self, text: str) -> bytes:
        """The same for a client's own words."""
        return self._hash(f"text {text}")

    def _hash(self, text: str) -> bytes:
        # Kept, because a create asks for each of its four up to three times.
        found = self._hashes.get(text)
        if found is None:
            if len(self._hashes) >= _HASHES_KEPT:
                self._hashes.clear()
            found = self._hashes[text] = self._hmac(text.encode())[:_HASH_BYTES]
        return found

    def _hmac(self, message: bytes) -> bytes:
        # `hmac.digest` reads the key again each time, which costs three times as much (measured: 4 µs to 1.2).
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(message)
        outer.update(inner.digest())
        return outer.digest()


def _hmac_states(key: bytes) -> tuple[hashlib._Hash, hashlib._Hash]:
    """HMAC-SHA-256 (RFC 2104) with the key already read: the inner and the outer hash behind their padded key."""
    padded = key.ljust(_SHA256_BLOCK, b"\0")
    inner, outer = bytes(byte ^ 0x36 for byte in padded), bytes(byte ^ 0x5C for byte in padded)
    return hashlib.sha256(inner), hashlib.sha256(outer)


def _derive(master: bytes, purpose: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose).derive(master)


@lru_cache(maxsize=1024)
def _run_cipher(master: bytes, run: bytes) -> AESGCM:
    return AESGCM(_derive(master, b"maskline sealing run" + run))


def load_key(path: Path, *, create: bool = True) -> bytes:
    """Read the key file; write a new one (mode 0600) when it is missing and `create` is set.

    Raises `ConfigurationError` when it cannot be read or written or holds no key. The sentences name the
    path, never the content.
    """
    try:
        if create and not path.exists():
            _create_key_file(path)
        text = path.read_text("ascii")
    except FileNotFoundError:
        raise ConfigurationError(f"The key file {path} is missing (MASKLINE_KEY_FILE).") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The key file {path} cannot be used: {_reason(error)}.") from None
    return _parse_key(path, text)


def _reason(error: OSError | UnicodeDecodeError) -> str:
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else "it is not a text file"


def _parse_key(path: Path, text: str) -> bytes:
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
    try:
        key = base64.b64decode(lines[0], validate=True) if len(lines) == 1 else b""
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigurationError(f"The key file {path} holds no key: one line of base64, {KEY_BYTES} bytes.")
    return key


def _create_key_file(path: Path) -> None:
    """Written beside and linked into place: of two processes that start at once both use the first one's key,
    and none ever reads half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(_HEADER + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            return
    finally:
        draft.unlink()
