"""Which payload type a packet leaves with, and whether its bytes must be re-coded on the way.

What it is: the table a leg looks up once per packet, built when a call is bridged or a far side changes. The two
legs of a call negotiate on their own, so telephone-event may be 101 on one and 96 on the other, and one leg may
have agreed on PCMU where the other has PCMA. What it is not: negotiation (the engine's). Who uses it: `leg.py`.
"""

from __future__ import annotations

from maskline.media.g711 import A_TO_MU, MU_TO_A
from maskline.sdp.session import Codec

REFUSED = -1
"""A payload type that this side never agreed to."""
KEPT = -2
"""Agreed to, and not for the other side: it has no such codec and would play it as noise, or digits shall not cross."""
HEARD = -3
"""Somebody listens for digits; the route it has besides is kept elsewhere (`leg.py`)."""

_STATIC = (Codec(0, "PCMU"), Codec(8, "PCMA"))
"""Taken as what RFC 3551 says even when a sender uses one it did not negotiate."""
_OTHER_LAW = {"PCMU": ("PCMA", MU_TO_A), "PCMA": ("PCMU", A_TO_MU)}

Routes = list[int]
"""By the second header byte (marker and payload type): the byte to send, or one of the above."""
Recodings = dict[int, bytes]
"""By the same byte: a table for `bytes.translate`, where the laws differ."""


def mark(payload_type: int) -> int:
    """The second header byte of a packet with marker."""
    return payload_type | 0x80


def routes_between(
    sent: tuple[Codec, ...], understood: tuple[Codec, ...], *, digits: bool = True
) -> tuple[Routes, Recodings]:
    """From what one leg may send us (the codecs in our SDP to it) to what the other leg's far side understands.
    `digits` False: telephone events are kept."""
    routes: Routes = [REFUSED] * 256
    recodings: Recodings = {}
    for agreed, codecs in ((False, _STATIC), (True, sent)):
        for codec in codecs:
            found = _find(codec, understood) if digits or not codec.is_telephone_event else None
            if found is None and not agreed:
                continue
            target, table = found or (KEPT, None)
            for marker in (0, 0x80):
                byte = codec.payload_type | marker
                routes[byte] = target if target < 0 else target | marker
                recodings.pop(byte, None)
                if table is not None:
                    recodings[byte] = table
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
