"""What the carrier says of its check of the caller's number (STIR/SHAKEN), read from an INVITE.

What it is: the `verstat` parameter of the identity we believe (3GPP TS 24.229 §7.2A.20, ATIS-1000074) and the
P-Attestation-Indicator header, in closed words. What it is not: a check of our own; an `Identity` header (RFC 8224) is
neither read nor passed on. Who uses it: `core.py`, for the fact `CallReceived`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from maskline.sip.grammar import ParseError
from maskline.sip.headers import Address
from maskline.sip.message import Request

_VERSTAT = re.compile(r";verstat=(TN-Validation-Passed|TN-Validation-Failed|No-TN-Validation)(?:-([ABC]))?(?=[;@]|\Z)")
_WORDS = {"TN-Validation-Passed": "passed", "TN-Validation-Failed": "failed", "No-TN-Validation": "none"}
_LEVELS = frozenset("ABC")


class Vouched(NamedTuple):
    """Both empty: the carrier says nothing."""

    verification: str
    """`passed`, `failed`, or `none`: there was nothing to be checked."""
    attestation: str
    """`A` (full), `B` (partial) or `C` (gateway): how far the caller's own carrier vouches for the number."""


UNSAID = Vouched("", "")


def vouched(request: Request) -> Vouched:
    """Of asserted identities the first that says something counts. What From says does not: a phone writes it, and a
    carrier that checks nothing passes it on."""
    level = request.header("p-attestation-indicator")
    for text in request.values("p-asserted-identity"):
        match = _VERSTAT.search(_uri(text).partition("?")[0]) if "verstat" in text else None
        if match is not None:
            return Vouched(_WORDS[match[1]], match[2] or _level(level))
    return Vouched("", _level(level)) if level else UNSAID


def _level(text: str | None) -> str:
    return text if text in _LEVELS else ""


def _uri(text: str) -> str:
    """Nothing of a display name, which a caller may choose."""
    try:
        return Address(text).uri_text
    except ParseError:
        return ""
