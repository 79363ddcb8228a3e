"""Ids from the operating system's random source.

What it is: `SystemIds`, and what tells a forked child from its parent. It is a module of its own because each call
asks for a dozen ids, so that `make compile` compiles it, and no class of Python's can inherit from a compiled one, as
those of tests do from `SeededIds`. What it is not: the interface (`ids.py`, by which everybody else has it).
"""

from __future__ import annotations

import itertools
import os
import random
import secrets
import string
import time
from collections.abc import Iterator

_forks = itertools.count(1)
_MARK = [0]
"""In a list, since compiled code finds what is bound once without a look-up."""


def process_mark() -> int:
    """Another number in a forked child than in its parent: what must not be used by both is made anew when it changes.
    `os.getpid` would tell the same by a system call, eleven times a call."""
    return _MARK[0]


def _note_fork() -> None:
    _MARK[0] = next(_forks)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)

CREDENTIAL_ALPHABET = string.ascii_uppercase + string.digits
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
"""Of a random digit the one that says which kind of UUID it is."""
_PIECE = 16
_BLOCK = 256 * _PIECE


class SystemIds:
    """Ids from the operating system's random source, read in blocks.

    Each read of that source lets go of the interpreter's lock; beside a busy writer thread getting it back was
    measured at 100 µs, ten times a call. Pieces are handed out by a C iterator, so two threads never get the
    same one; a fork starts with a block of its own.
    """

    __slots__ = ("_bits", "_moment", "_moment_text", "_pieces", "_process")

    def __init__(self) -> None:
        # Not a Mersenne twister: a tag that can be predicted lets a stranger forge a BYE.
        self._bits = random.SystemRandom()
        self._process = process_mark()
        self._pieces: Iterator[str] = iter(())
        self._moment, self._moment_text = 0, ""
        """The millisecond of the newest UUID, and how all of that begin: under load it has several."""

    def _piece(self) -> str:
        """32 random hexadecimal digits, handed out once."""
        if self._process == _MARK[0]:
            for piece in self._pieces:  # the next one, if one is left: `next` compiled is a look-up and a call
                return piece
        digits = os.urandom(_BLOCK).hex()
        pieces = iter([digits[at : at + 2 * _PIECE] for at in range(0, 2 * _BLOCK, 2 * _PIECE)])
        first = next(pieces)
        self._pieces, self._process = pieces, _MARK[0]
        return first

    def token(self, nbytes: int = 8) -> str:
        return self._piece()[: 2 * nbytes] if nbytes <= _PIECE else secrets.token_hex(nbytes)

    def uuid(self) -> str:
        """Version 7 (RFC 9562 §5.7): milliseconds since 1970, then 74 random bits.

        Ids of one moment are neighbours in the store's indexes: with random ones every row of a call lands on a
        page of its own (measured: 148 against 41 KiB written and twice the CPU per call). The time is read
        here and not from `Clock`, because it only has to sort.
        """
        moment = time.time_ns() // 1_000_000
        if moment != self._moment:
            text = moment.to_bytes(6, "big").hex()
            self._moment, self._moment_text = moment, f"{text[:8]}-{text[8:]}-7"
        text = self._piece()
        return f"{self._moment_text}{text[:3]}-{_VARIANTS[text[3]]}{text[4:7]}-{text[7:19]}"

    def credential_id(self, prefix: str) -> str:
        return prefix + "".join(self._bits.choices(CREDENTIAL_ALPHABET, k=18))

    def secret(self) -> str:
        return secrets.token_urlsafe(30)
