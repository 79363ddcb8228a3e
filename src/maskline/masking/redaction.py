"""How much of a party's number a (sub)account's webhooks and exports say.

What it is: the four ways and the text that each makes of a number. What it is not: masking in logs, which is always
on (`Number` itself), or a treatment of virtual numbers, which are shown in full whatever is chosen. Who uses it: the
bodies of the 8x8 and Wavecell dialects (`webhooks/formats`) and exports. The reasons, and why call actions are left
alone, are in docs/decisions/0034-redaction.md.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256

from maskline.masking.e164 import Number

_HASH_DIGITS = 32
"""128 bits in hex, as many as the store's look-ups have."""
_SHORT = 8
"""Digits below which four are half of a number: the last two are kept then, as in logs."""


class Redaction(StrEnum):
    """What a (sub)account may choose."""

    FULL = "full"
    """`+6591178965`."""
    LAST4 = "last4"
    """`******8965`: as many characters as the number has digits."""
    HASH = "hash"
    """32 hex digits: the same for the same number, whatever webhook tells it; useless without the installation's
    key."""
    OMIT = "omit"
    """No key at all, as for a withheld number; its country is still told."""


@dataclass(frozen=True, slots=True)
class Redactor:
    """Call it with a party's number for what a receiver may see of it; None: nothing."""

    how: Redaction = Redaction.FULL
    key: bytes = field(default=b"", repr=False)
    """Of the installation, derived for this purpose alone; used by `hash`."""

    def __call__(self, number: Number) -> str | None:
        return redacted(number, self.how, self.key)


def redacted(number: Number, how: Redaction, key: bytes) -> str | None:
    """What `how` leaves of a party's number; None: nothing, its key is left out. `key` is used by `HASH` only."""
    if how is Redaction.FULL:
        return number.e164
    if how is Redaction.LAST4:
        kept = number.digits[-4:] if len(number.digits) >= _SHORT else number.digits[-2:]
        return kept.rjust(len(number.digits), "*")
    if how is Redaction.HASH:
        return hmac.digest(key, number.e164.encode(), sha256).hex()[:_HASH_DIGITS]
    return None


IN_FULL = Redactor()
