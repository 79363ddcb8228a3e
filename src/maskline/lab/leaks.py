"""The leak check: does anything a phone received name the other person?

What it is: a search of raw bytes for a number in every spelling we could think of. What it is not: a proof
against encodings nobody thought of; that is the non-interference test's work. Who uses it: the demo, wire tests.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable

from maskline.masking.e164 import Number


def spellings(number: Number) -> dict[str, bytes]:
    """Name → bytes of each way the number could stand on the wire."""
    digits = number.digits
    tail = digits[-8:] if len(digits) > 8 else digits
    found = {
        "digits": digits.encode(),
        "national digits": tail.encode(),
        "reversed digits": digits[::-1].encode(),
        "UTF-16": tail.encode("utf-16-le"),
        "hex": tail.encode().hex().encode(),
        "percent-encoded": "".join(f"%{ord(d):02X}" for d in tail).encode(),
        "packed digits": bytes.fromhex(tail if len(tail) % 2 == 0 else tail[1:]),
    }
    for shift in range(3):
        # Base64 depends on where the digits fall in its groups of three: cut what neighbours would change.
        coded = base64.b64encode(b"\0" * shift + digits.encode()).rstrip(b"=")
        found[f"base64 at offset {shift}"] = coded[4 if shift else 0 : len(coded) - 1]
    return found


def find_leaks(received: Iterable[bytes], number: Number, *, secrets: Iterable[bytes] = ()) -> list[str]:
    """Names of the spellings (or "identifier" for one of `secrets`, e.g. the other leg's Call-ID) found in any
    of the messages; an empty list is the good answer. Audio payloads are searched too: chance hits need 4 or
    more equal bytes in a row, which is why no shorter spelling is looked for."""
    blob = b"\xff\xff".join(received)
    hits = [name for name, spelling in spellings(number).items() if len(spelling) >= 4 and spelling in blob]
    hits += ["identifier" for secret in secrets if secret and secret in blob]
    return hits
