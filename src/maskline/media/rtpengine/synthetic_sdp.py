"""The SDP that rtpengine is shown: written from `FarMedia`, never a party's own.

What it is: the smallest body rtpengine needs to know one far side, and the reading of the ports it answers with.
rtpengine keeps user, session ids, tool and cname lines of what it is given, so it is given none. What it is not: what
parties receive; the engine writes that. Who uses it: `signalling.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

from maskline.media.port import FarMedia, LocalMedia
from maskline.sdp.errors import SdpError
from maskline.sdp.parse import parse
from maskline.sdp.secure import lines as secure_lines
from maskline.sdp.session import Codec


class UnreadableReply(ValueError):
    """rtpengine answered with an SDP that has no audio port."""


def nobody(codecs: tuple[Codec, ...], *, ipv6: bool = False) -> FarMedia:
    """A far side that is not there yet: the discard port of this very host."""
    return FarMedia("::1" if ipv6 else "127.0.0.1", 9, 10, codecs)


def write(far: FarMedia) -> str:
    family = "IP6" if ":" in far.address else "IP4"
    numbers = " ".join(str(codec.payload_type) for codec in far.codecs)
    lines = [
        "v=0",
        f"o=- 0 0 IN {family} {far.address}",
        "s=-",
        f"c=IN {family} {far.address}",
        "t=0 0",
        f"m=audio {far.port} {far.secure.protocol if far.secure else 'RTP/AVP'} {numbers}",
        *(_rtpmap(codec) for codec in far.codecs),
        *(f"a=fmtp:{codec.payload_type} {codec.fmtp}" for codec in far.codecs if codec.fmtp),
        f"a=rtcp:{far.rtcp_port}",
        f"a={far.direction}",
    ]
    return "\r\n".join(lines) + "\r\n" + (secure_lines(far.secure) if far.secure else "")


def _rtpmap(codec: Codec) -> str:
    channels = f"/{codec.channels}" if codec.channels > 1 else ""
    return f"a=rtpmap:{codec.payload_type} {codec.name}/{codec.clock_rate}{channels}"


def read_local(sdp: str) -> LocalMedia:
    """Address, ports and what encrypts of rtpengine's answer; raises `UnreadableReply`."""
    try:
        local = parse(sdp.encode())
    except SdpError as error:
        raise UnreadableReply("no audio port") from error
    if not local.port:
        raise UnreadableReply("no audio port")
    return LocalMedia(local.address, local.port, local.rtcp_port, local.secure)


def missing_voice(offered: Sequence[Codec], wanted: Sequence[Codec]) -> list[str]:
    """Names of the codecs rtpengine must offer beside those `offered`; it transcodes only if one of them is taken."""
    voices = [codec for codec in wanted if not codec.is_telephone_event]
    return [voice.name for voice in voices if not any(voice.matches(codec) for codec in offered)]
