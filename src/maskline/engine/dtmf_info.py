"""Keys pressed as SIP INFO: what a request says, and how it is answered.

What it is: a reader of the two bodies that phones send, application/dtmf-relay (`Signal=5`, `Duration=160`; Cisco's,
the usual one) and application/dtmf (`5`). Neither was ever a standard. What it is not: telephone events in RTP
(`media/dtmf.py`). Who uses it: `sip_requests.py`, for every INFO inside a leg.

What it answers: 200 to all it can take for a key or for nothing, since phones of both habits send things like
`Signal=flash`. 469 to an Info Package, since we offered none (RFC 6086 §4.2.2). 415 to any other body that must be
understood, which is every body that does not say `handling=optional` (RFC 3261 §8.2.3 and §20.11; RFC 6086 keeps it):
a 200 would tell a sender of, say, a picture request that it had been carried out. Neither status ends a call
(RFC 5057 §5.1), and nothing of an INFO ever crosses to the other side as such.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from maskline.sip.message import Request

LONGEST_BODY = 256
"""Bytes; the longest seen is some 30, and more than this is nothing a phone would send for a key."""
_RELAY, _PLAIN = "application/dtmf-relay", "application/dtmf"
_SIGNAL = re.compile(rb"^[ \t]*Signal[ \t]*=[ \t]*([0-9A-D*#]|1[0-5])[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_KEY = re.compile(rb"\s*([0-9A-D*#]|1[0-5])\s*\Z", re.IGNORECASE)
_KEYS = "0123456789*#ABCD"
"""By event number (RFC 4733 §3.2), which some write in place of the key: 11 for `#`."""


class Reading(NamedTuple):
    """How to answer, and the key that was pressed."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    digit: str | None = None


_TAKEN = Reading(200)
_NO_PACKAGES = Reading(469, (("Recv-Info", ""),))
_UNREADABLE = Reading(415, (("Accept", f"{_RELAY}, {_PLAIN}"),))


def read_info(request: Request) -> Reading:
    if request.header("info-package"):
        return _NO_PACKAGES
    body = request.body
    if not body:
        return _TAKEN
    kind = request.content_type
    if kind not in (_RELAY, _PLAIN):
        return _TAKEN if request.may_be_ignored else _UNREADABLE
    return Reading(200, digit=_digit(body)) if len(body) <= LONGEST_BODY else _TAKEN


def _digit(body: bytes) -> str | None:
    # Some send either body under either name.
    found = _SIGNAL.search(body) or _KEY.match(body)
    if found is None:
        return None
    said = found[1].decode("ascii").upper()
    return said if len(said) == 1 else _KEYS[int(said)]
