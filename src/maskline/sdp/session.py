"""SDP values: the little of RFC 4566 that a masked audio call needs.

What it is: immutable values for one audio stream, as a party offered or answered it, and as we write it. What it
is not: a container that carries a party's other lines along; `o= s= i= u= e= p=` and unknown `a=` lines have
no field here, so they cannot cross to the other leg (architecture decision 2). Who uses it: `sdp.parse`,
`sdp.write`, the engine, the lab phones.
"""

from __future__ import annotations

from typing import NamedTuple

from maskline.sdp.secure import Secure


# Tuples and not dataclasses: a frozen one is built, compared and hashed in Python, field by field, ten times a call.
class Codec(NamedTuple):
    """One payload type of the audio line, with its rtpmap and fmtp (static types filled from RFC 3551)."""

    payload_type: int
    name: str
    """Encoding name as registered, upper case except `telephone-event`."""
    clock_rate: int = 8000
    channels: int = 1
    fmtp: str = ""

    @property
    def is_telephone_event(self) -> bool:
        return self.name == "telephone-event"

    def matches(self, other: Codec) -> bool:
        """Same encoding, whatever the payload type (RFC 3264 §6.1)."""
        return (
            self.name == other.name and self.clock_rate == other.clock_rate and self.channels == other.channels
        )  # fmt: skip


class RefusedStream(NamedTuple):
    """An m= line we do not take; the answer must list it again with port 0 (RFC 3264 §6)."""

    kind: str
    protocol: str
    formats: str


class AudioDescription(NamedTuple):
    """The audio stream of one SDP body."""

    address: str
    """IP address of c=; media level beats session level."""
    port: int
    """RTP port; 0: stream refused."""
    rtcp_port: int
    """From a=rtcp (RFC 3605), else port + 1."""
    codecs: tuple[Codec, ...]
    direction: str = "sendrecv"
    """sendrecv, sendonly, recvonly or inactive, as the sender of this SDP says it."""
    ptime: int | None = None
    refused: tuple[RefusedStream, ...] = ()
    """Other m= lines, in order; `audio_index` is the place of the audio line among all."""
    audio_index: int = 0
    secure: Secure | None = None
    """Of a stream that is encrypted; None: RTP/AVP."""
