"""The SDP that rtpengine is shown: written from `FarMedia`, never a party's own.

What it is: the smallest body rtpengine needs to know one far side, and the reading of the ports it answers with.
rtpengine keeps user, session ids, tool and cname lines of what it is given, so it is given none. What it is not: what
parties receive; the engine writes that. Who uses it: `driver.py`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from maskline.media.port import FarMedia, LocalMedia
from maskline.sdp.session import Codec

_CONNECTION = re.compile(r"^c=IN IP[46] (\S+)", re.MULTILINE)
_AUDIO = re.compile(r"^m=audio (\d+) ", re.MULTILINE)
_RTCP = re.compile(r"^a=rtcp:(\d+)", re.MULTILINE)


class UnreadableReply(ValueError):
    """rtpengine answered with an SDP that has no audio port."""


def nobody(codecs: tuple[Codec, ...]) -> FarMedia:
    """A far side that is not there yet: the discard port of this very host."""
    return FarMedia("127.0.0.1", 9, 10, codecs)


def write(far: FarMedia) -> str:
    family = "IP6" if ":" in far.address else "IP4"
    numbers = " ".join(str(codec.payload_type) for codec in far.codecs)
    lines = [
        "v=0",
        f"o=- 0 0 IN {family} {far.address}",
        "s=-",
        f"c=IN {family} {far.address}",
        "t=0 0",
        f"m=audio {far.port} RTP/AVP {numbers}",
        *(_rtpmap(codec) for codec in far.codecs),
        *(f"a=fmtp:{codec.payload_type} {codec.fmtp}" for codec in far.codecs if codec.fmtp),
        f"a=rtcp:{far.rtcp_port}",
        "a=sendrecv",
    ]
    return "\r\n".join(lines) + "\r\n"


def _rtpmap(codec: Codec) -> str:
    channels = f"/{codec.channels}" if codec.channels > 1 else ""
    return f"a=rtpmap:{codec.payload_type} {codec.name}/{codec.clock_rate}{channels}"


def read_local(sdp: str) -> LocalMedia:
    """Address and ports of rtpengine's answer; raises `UnreadableReply`."""
    connection, audio, rtcp = _CONNECTION.search(sdp), _AUDIO.search(sdp), _RTCP.search(sdp)
    if connection is None or audio is None:
        raise UnreadableReply("no audio port")
    port = int(audio.group(1))
    return LocalMedia(connection.group(1), port, int(rtcp.group(1)) if rtcp else port + 1)


def missing_voice(offered: Sequence[Codec], wanted: Sequence[Codec]) -> list[str]:
    """Names of the codecs rtpengine must offer beside those `offered`; it transcodes only if one of them is taken."""
    voices = [codec for codec in wanted if not codec.is_telephone_event]
    return [voice.name for voice in voices if not any(voice.matches(codec) for codec in offered)]
