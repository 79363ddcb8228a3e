"""Identifiers as an injected source.

What it is: the only place randomness enters ids, tags, branches and nonces, so that a seeded source makes a
whole simulated call repeatable byte for byte. What it is not: key material for encryption (`storage/crypto`
asks the operating system). Who uses it: the SIP agent, the engine, workflows; tests pass `SeededIds`.
"""

from __future__ import annotations

import random
import uuid
from typing import Protocol

from maskline.system_ids import CREDENTIAL_ALPHABET, SystemIds, process_mark

__all__ = ["Ids", "SeededIds", "SystemIds", "process_mark"]


class Ids(Protocol):
    def token(self, nbytes: int = 8) -> str:
        """`2 * nbytes` lower-case hex digits; for Call-IDs, tags, branches (RFC 3261 §19.3 asks ≥ 32 bits)."""
        ...

    def uuid(self) -> str:
        """A UUID in text form that cannot be guessed; for sessions, calls, legs, events."""
        ...

    def credential_id(self, prefix: str) -> str:
        """`prefix` + 18 of [A-Z0-9]: 20 characters, as Plivo's clients demand (plivo-vts.md §1.1)."""
        ...

    def secret(self) -> str:
        """40 URL-safe characters; for auth tokens."""
        ...


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
        return prefix + "".join(self._random.choices(CREDENTIAL_ALPHABET, k=18))

    def secret(self) -> str:
        return self._random.randbytes(20).hex()
