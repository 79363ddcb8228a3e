"""Which payload type a packet leaves with, and whether its bytes must be re-coded on the way.

What it is: the table a leg looks up once per packet, built when a call is bridged or a far side changes. The two
legs of a call negotiate on their own, so telephone-event may be 101 on one and 96 on the other, and one leg may
have agreed on PCMU where the other has PCMA. What it is not: negotiation (the engine's). Who uses it: `relay.py`.
"""

from __future__ import annotations

from maskline.media.g711 import A_TO_MU, MU_TO_A
from maskline.sdp.session import Codec

REFUSED = -1
"""A payload type the receiving side never agreed to: it would play it as noise."""

_STATIC = (Codec(0, "PCMU"), Codec(8, "PCMA"))
"""Taken as what RFC 3551 says even when a sender uses one it did not negotiate."""
_OTHER_LAW = {"PCMU": ("PCMA", MU_TO_A), "PCMA": ("PCMU", A_TO_MU)}

Routes = list[int]
"""By the second header byte (marker and payload type): the byte to send, or REFUSED."""
Recodings = dict[int, bytes]
"""By the same byte: a table for `bytes.translate`, where the laws differ."""


def routes_between(sent: tuple[Codec, ...], understood: tuple[Codec, ...]) -> tuple[Routes, Recodings]:
    """From what one leg may send us (the codecs in our SDP to it) to what the other leg's far side understands."""
    routes: Routes = [REFUSED] * 256
    recodings: Recodings = {}
    for codec in (*_STATIC, *sent):
        found = _find(codec, understood)
        if found is None:
            continue
        target, table = found
        for marker in (0, 0x80):
            routes[codec.payload_type | marker] = target | marker
            if table is not None:
                recodings[codec.payload_type | marker] = table
            else:
                recodings.pop(codec.payload_type | marker, None)
    return routes, recodings


def _find(codec: Codec, understood: tuple[Codec, ...]) -> tuple[int, bytes | None] | None:
    for other in understood:
        if codec.matches(other):
            return other.payload_type, None
    if codec.name in _OTHER_LAW and codec.clock_rate == 8000 and codec.channels == 1:
        name, table = _OTHER_LAW[codec.name]
        for other in understood:
            if other.name == name and other.clock_rate == 8000 and other.channels == 1:
                return other.payload_type, table
    return None
