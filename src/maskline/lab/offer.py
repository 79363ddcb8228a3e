"""What a lab phone says of its media, and what two phones then have in common (RFC 3264).

What it is: the SDP of one phone, and the reading of the far side's. What it is not: the product's negotiation
(`sdp/negotiate.py`); a phone has two codecs and no far leg. Who uses it: `lab/phone.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from maskline.lab.sound import PCMA as LAW_A
from maskline.lab.sound import PCMU as LAW_MU
from maskline.sdp.parse import parse
from maskline.sdp.session import AudioDescription, Codec
from maskline.sdp.write import write

PCMU, PCMA = Codec(LAW_MU, "PCMU"), Codec(LAW_A, "PCMA")
EVENTS = Codec(101, "telephone-event", fmtp="0-15")
CODECS = (PCMU, EVENTS)


@dataclass(frozen=True, slots=True)
class Agreed:
    """What to send, and where."""

    address: str
    port: int
    law: int
    """Payload type of the voice."""
    event_type: int | None
    """Payload type of telephone-event; None: the far side takes none."""
    listening: bool
    """False while the far side holds."""


def describe(host: str, port: int, codecs: tuple[Codec, ...], direction: str, version: int) -> bytes:
    """The SDP of a phone at this RTP port."""
    description = AudioDescription(host, port, port + 1, codecs, direction, ptime=20)
    return write(description, session_id=port, version=version)


def common(offer: bytes, codecs: tuple[Codec, ...]) -> tuple[Codec, ...]:
    """What of `codecs` is in the offer, with the offer's payload types, in the order of `codecs`."""
    offered = parse(offer).codecs
    matches = [next((theirs for theirs in offered if theirs.matches(own)), None) for own in codecs]
    return tuple(codec for codec in matches if codec is not None)


def agree(far_sdp: bytes, codecs: tuple[Codec, ...]) -> Agreed:
    """Read the far side's SDP; its first voice codec that is one of `codecs` is spoken, the phone's own if none is."""
    far = parse(far_sdp)
    voices = [codec for codec in codecs if not codec.is_telephone_event]
    shared = [theirs for theirs in far.codecs if any(theirs.matches(own) for own in voices)]
    events = [theirs for theirs in far.codecs if theirs.is_telephone_event]
    takes_events = bool(events) and any(codec.is_telephone_event for codec in codecs)
    return Agreed(
        far.address, far.port, (shared or voices)[0].payload_type, events[0].payload_type if takes_events else None,
        far.direction in ("sendrecv", "recvonly"),
    )  # fmt: skip
