"""Our own SDP: every line is written here, none is copied from a party.

What it is: `AudioDescription` (our address and port, codecs that went through `negotiate.filter_codecs`) ->
bytes. `o=` carries `-` as user and our own session id and version (RFC 4566 §5.2); `s=-`. What it is not: a
filter; a description parsed from one party must never be written to the other (its `refused` lines and fmtp
texts are that party's words): `refused` may only go back to the party that offered it. Who uses it: the
engine, the lab phones.
"""

from __future__ import annotations

from functools import lru_cache

from maskline.sdp.secure import lines as secure_lines
from maskline.sdp.session import AudioDescription, Codec


def write(local: AudioDescription, *, session_id: int, version: int) -> bytes:
    """The body that describes `local`. `version` must rise by one with each change (RFC 3264 §8)."""
    family = "IP6" if ":" in local.address else "IP4"
    media = _audio(local)
    if local.refused:
        streams = [f"m={stream.kind} 0 {stream.protocol} {stream.formats}\r\n" for stream in local.refused]
        streams.insert(local.audio_index, media)
        media = "".join(streams)
    return (
        f"v=0\r\no=- {session_id} {version} IN {family} {local.address}\r\ns=-\r\n"
        f"c=IN {family} {local.address}\r\nt=0 0\r\n{media}"
    ).encode("utf-8", "surrogateescape")


def _audio(local: AudioDescription) -> str:
    formats, lines = _codec_block(local.codecs)
    protocol = local.secure.protocol if local.secure else "RTP/AVP"
    if local.port == 0:
        return f"m=audio 0 {protocol} {formats or '0'}\r\n"
    rtcp = f"a=rtcp:{local.rtcp_port}\r\n" if local.rtcp_port != local.port + 1 else ""
    ptime = f"a=ptime:{local.ptime}\r\n" if local.ptime else ""
    secure = secure_lines(local.secure) if local.secure else ""
    return f"m=audio {local.port} {protocol} {formats}\r\n{lines}{rtcp}{ptime}{secure}a={local.direction}\r\n"


@lru_cache(maxsize=256)
def _codec_block(codecs: tuple[Codec, ...]) -> tuple[str, str]:
    """Formats of the m= line, and the lines that say what they are. Remembered: all calls of a trunk have the same."""
    return " ".join([str(codec.payload_type) for codec in codecs]), "".join([_codec_lines(codec) for codec in codecs])


def _codec_lines(codec: Codec) -> str:
    channels = f"/{codec.channels}" if codec.channels != 1 else ""
    rtpmap = f"a=rtpmap:{codec.payload_type} {codec.name}/{codec.clock_rate}{channels}\r\n"
    return f"{rtpmap}a=fmtp:{codec.payload_type} {codec.fmtp}\r\n" if codec.fmtp else rtpmap
