"""Identifiers as an injected source.

What it is: the only place randomness enters ids, tags, branches and nonces, so that a seeded source makes a
whole simulated call repeatable byte for byte. What it is not: key material for encryption (`storage/crypto`
asks the operating system). Who uses it: the SIP agent, the engine, workflows; tests pass `SeededIds`.
"""

from __future__ import annotations

import random
import secrets
import string
import uuid
from typing import Protocol

_CREDENTIAL_ALPHABET = string.ascii_uppercase + string.digits


class Ids(Protocol):
    def token(self, nbytes: int = 8) -> str:
        """`2 * nbytes` lower-case hex digits; for Call-IDs, tags, branches (RFC 3261 §19.3 asks ≥ 32 bits)."""
        ...

    def uuid(self) -> str:
        """A random UUID in text form; for sessions, calls, legs, events."""
        ...

    def credential_id(self, prefix: str) -> str:
        """`prefix` + 18 of [A-Z0-9]: 20 characters, as Plivo's clients demand (plivo-vts.md §1.1)."""
        ...

    def secret(self) -> str:
        """40 URL-safe characters; for auth tokens."""
        ...


class SystemIds:
    """Ids from the operating system's random source."""

    __slots__ = ("_bits",)

    def __init__(self) -> None:
        # SystemRandom costs a syscall per id (about 1 µs each, ten per call); a Mersenne twister seeded from
        # the system is not fit here, because a tag that can be predicted lets a stranger forge a BYE.
        self._bits = random.SystemRandom()

    def token(self, nbytes: int = 8) -> str:
        return secrets.token_hex(nbytes)

    def uuid(self) -> str:
        return str(uuid.uuid4())

    def credential_id(self, prefix: str) -> str:
        return prefix + "".join(self._bits.choices(_CREDENTIAL_ALPHABET, k=18))

    def secret(self) -> str:
        return secrets.token_urlsafe(30)


class SeededIds:
    """Repeatable ids for tests and the simulation; never for production."""

    __slots__ = ("_random",)

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)

    def token(self, nbytes: int = 8) -> str:
        return self._random.randbytes(nbytes).hex()

    def uuid(self) -> str:
        return str(uuid.UUID(bytes=self._random.randbytes(16), version=4))

    def credential_id(self, prefix: str) -> str:
        return prefix + "".join(self._random.choices(_CREDENTIAL_ALPHABET, k=18))

    def secret(self) -> str:
        return self._random.randbytes(20).hex()
