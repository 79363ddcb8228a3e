"""Offer and answer across two legs (RFC 3264), as pure helpers.

What it is: which codecs may cross, with which payload types, and whether an answer can be used. Encoding
names and format parameters are the one thing in an SDP that a far side's words could ride on, so both are
held to allow-lists here: a party could otherwise spell a phone number in them. What it is not: a transcoder;
both legs speak the same codec. Who uses it: the engine, the lab phones.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from functools import lru_cache

from maskline.sdp.session import Codec

DEFAULT_CODECS = ("PCMU", "PCMA", "G722", "G729", "OPUS", "AMR", "AMR-WB", "ILBC", "GSM", "CN", "telephone-event")
CLOCK_RATES = frozenset((8000, 16000, 24000, 32000, 44100, 48000))
DYNAMIC = 96
"""The first payload type that means what its a=rtpmap says (RFC 3551 §6)."""
STATIC = {0: "PCMU", 3: "GSM", 8: "PCMA", 9: "G722", 13: "CN", 18: "G729"}
"""Of the payload types below, those whose encoding may cross."""
TELEPHONE_EVENTS = "0-15"
"""The events we write (RFC 4733 §2.4.1): the sixteen DTMF digits."""

_FLAG = re.compile(r"[01]")
_SMALL = re.compile(r"[0-9]{1,2}")
_RATE = re.compile(r"(?:8|12|16|24|32|48|64|128)000")
_MODES = re.compile(r"[0-8](?:,[0-8]){0,8}")
_AMR = {"octet-align": _FLAG, "crc": _FLAG, "robust-sorting": _FLAG, "mode-set": _MODES,
        "mode-change-period": _FLAG, "mode-change-capability": _FLAG, "mode-change-neighbor": _FLAG,
        "max-red": _SMALL}  # fmt: skip
FORMAT_PARAMETERS: dict[str, dict[str, re.Pattern[str]]] = {
    "G729": {"annexb": re.compile("yes|no")},
    "ILBC": {"mode": re.compile("20|30")},
    "AMR": _AMR,
    "AMR-WB": _AMR,
    "OPUS": {"useinbandfec": _FLAG, "usedtx": _FLAG, "stereo": _FLAG, "sprop-stereo": _FLAG, "cbr": _FLAG,
             "maxplaybackrate": _RATE, "sprop-maxcapturerate": _RATE, "maxaveragebitrate": _RATE,
             "minptime": _SMALL},
}  # fmt: skip
"""Encoding name -> format parameters that may cross, with the values they may have."""

_NO_AUDIO = frozenset(("telephone-event", "CN"))
_WAYS = {"sendrecv": (True, True), "sendonly": (True, False), "recvonly": (False, True), "inactive": (False, False)}
_DIRECTIONS = {ways: direction for direction, ways in _WAYS.items()}
"""Direction: whether it sends, whether it receives."""
_MIRROR = {"sendonly": "recvonly", "recvonly": "sendonly"}


def filter_codecs(codecs: Iterable[Codec], allowed: Collection[str] = DEFAULT_CODECS) -> tuple[Codec, ...]:
    """Codecs that may be offered to the other leg, order and payload types kept, format parameters rewritten
    from the allow-list. Without any audio codec among them the result is empty (answer 488)."""
    return _filtered(tuple(codecs), tuple(allowed))


# A carrier offers the same few rows of codecs in every call, and the same answers come back.
@lru_cache(maxsize=256)
def _filtered(codecs: tuple[Codec, ...], allowed: tuple[str, ...]) -> tuple[Codec, ...]:
    kept = tuple([_rewritten(codec, codec.fmtp) for codec in codecs if codec.name in allowed and _is_plausible(codec)])
    return kept if has_audio(kept) else ()


def answer_codecs(offered: Iterable[Codec], answered: Iterable[Codec]) -> tuple[Codec, ...]:
    """What to answer party A: A's own payload types (`offered`, from A's SDP) for the codecs B took
    (`answered`, from B's SDP), in B's order. Parameters come from B, through the allow-list."""
    return _answered(tuple(offered), tuple(answered))


@lru_cache(maxsize=256)
def _answered(offered: tuple[Codec, ...], answered: tuple[Codec, ...]) -> tuple[Codec, ...]:
    available = list(offered)
    result = []
    for theirs in answered:
        ours = next((codec for codec in available if codec.matches(theirs)), None)
        if ours is not None:
            available.remove(ours)
            result.append(_rewritten(ours, theirs.fmtp))
    return tuple(result) if has_audio(result) else ()


@lru_cache(maxsize=256)
def shared_codecs(codecs: tuple[Codec, ...], others: tuple[Codec, ...]) -> tuple[Codec, ...]:
    """Those of `codecs` that are among `others`, whatever the payload types."""
    return tuple([codec for codec in codecs if any(codec.matches(other) for other in others)])


def has_audio(codecs: Iterable[Codec]) -> bool:
    """Whether there is more than telephone events and comfort noise."""
    for codec in codecs:  # noqa: SIM110 - a generator costs three times as much, five times a call
        if codec.name not in _NO_AUDIO:
            return True
    return False


def mirror_direction(direction: str) -> str:
    """The far side's direction seen from here: its sendonly is our recvonly (RFC 3264 §6.1)."""
    return _MIRROR.get(direction, direction)


def answered_direction(direction: str, offered: str) -> str:
    """`direction` is what we would say, or say for somebody; an answer may not go beyond the offer (RFC 3264 §6.1)."""
    sends, receives = _WAYS[direction]
    they_send, they_receive = _WAYS[offered]
    return _DIRECTIONS[sends and they_receive, receives and they_send]


def _is_plausible(codec: Codec) -> bool:
    """The payload type too: RFC 3551 §6 gives most below 96 to one encoding or to none, and a row of two digits of
    one's own choice is a telephone number."""
    named = codec.payload_type >= DYNAMIC or STATIC.get(codec.payload_type) == codec.name
    return named and codec.clock_rate in CLOCK_RATES and codec.channels <= 2


def _rewritten(codec: Codec, fmtp: str) -> Codec:
    """The codec with `fmtp` instead of its own parameters, as far as the allow-list lets it through."""
    if codec.is_telephone_event:
        fmtp = TELEPHONE_EVENTS
    elif fmtp:
        fmtp = _safe_parameters(codec.name, fmtp)
    if fmtp == codec.fmtp:
        return codec
    return Codec(codec.payload_type, codec.name, codec.clock_rate, codec.channels, fmtp)


def _safe_parameters(encoding: str, fmtp: str) -> str:
    """Each once and a mode set in order: repeated or in an order of their own, values are a number's digits."""
    allowed = FORMAT_PARAMETERS.get(encoding, {})
    kept: dict[str, str] = {}
    for parameter in fmtp.split(";"):
        name, _, value = parameter.strip().partition("=")
        name, value = name.strip().lower(), value.strip().lower()
        pattern = allowed.get(name)
        if pattern is not None and pattern.fullmatch(value):
            kept.setdefault(name, ",".join(sorted(set(value.split(",")))))
    return ";".join([f"{name}={value}" for name, value in kept.items()])
