"""Which codecs somebody is offered, out of those that a call can have.

What it is: pure choices among codecs. What it is not: SDP, or a say in what was agreed. Who uses it: `call_media*.py`.
"""

from __future__ import annotations

from collections.abc import Container

from maskline.sdp.negotiate import TELEPHONE_EVENTS, has_audio
from maskline.sdp.session import Codec

OUR_OFFER: tuple[Codec, ...] = (
    Codec(0, "PCMU"),
    Codec(8, "PCMA"),
    Codec(9, "G722"),
    Codec(101, "telephone-event", fmtp=TELEPHONE_EVENTS),
)
"""What we offer to a callee whose caller made no offer."""

G711 = {codec.name: codec for codec in OUR_OFFER[:2]}


def preferred(codecs: tuple[Codec, ...], names: tuple[str, ...]) -> tuple[Codec, ...]:
    """Of `codecs` those of these names, in the names' order, and what is no audio. All of them when none has such a
    name: then it is for the far side to refuse, and to say so."""
    if not names:
        return codecs
    voices = [codec for name in names for codec in codecs if codec.name == name and has_audio((codec,))]
    return (*voices, *[codec for codec in codecs if not has_audio((codec,))]) if voices else codecs


def g711_of(codecs: tuple[Codec, ...]) -> tuple[Codec, ...]:
    return tuple([codec for codec in codecs if codec.name in G711 or not has_audio((codec,))])


def with_laws(codecs: tuple[Codec, ...]) -> tuple[Codec, ...]:
    """With both laws of G.711, behind the audio codecs that are there."""
    names = [codec.name for codec in codecs]
    taken = {codec.payload_type for codec in codecs}
    missing = [codec for name, codec in G711.items() if name not in names and codec.payload_type not in taken]
    at = sum(name not in ("telephone-event", "CN") for name in names)
    return (*codecs[:at], *missing, *codecs[at:])


def voice_and_events(codecs: tuple[Codec, ...], preferred: Container[str]) -> tuple[Codec, ...]:
    """Of a caller's codecs the one to talk to it in, a preferred one if it has that, and its telephone events."""
    voices = [codec for codec in codecs if has_audio((codec,))]
    voice = next((codec for codec in voices if codec.name in preferred), voices[0])
    return (voice, *[codec for codec in codecs if codec.is_telephone_event])
