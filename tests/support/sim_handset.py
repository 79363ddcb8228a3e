"""What a simulated phone says of its media: on hold or not, with which codecs, and what it was told of the other side.

Its answers are by RFC 3264 alone, so that the engine's reading of it is not its own judge.
"""

from __future__ import annotations

from typing import NamedTuple

from maskline.sdp.negotiate import has_audio
from maskline.sdp.parse import parse
from tests.support.call_machine import sdp

_WAYS = {"sendrecv": (True, True), "sendonly": (True, False), "recvonly": (False, True), "inactive": (False, False)}
_NAMES = {ways: name for name, ways in _WAYS.items()}
_KNOWN = ("9", "0", "8", "101")


class Said(NamedTuple):
    direction: str
    codecs: str
    address: str


class Handset:
    def __init__(self, address: str, port: int, codecs: str) -> None:
        self.address, self.port = address, port
        self.wish = Said("sendrecv", codecs, address)
        self.said = "sendrecv"
        """Direction in our last SDP that counts."""
        self.told = "sendrecv"
        """Direction in theirs."""
        self._asked: Said | None = None
        self.knows = _audio(codecs)
        """Names of the codecs that it can be spoken to in."""
        self.speaks = self.knows[0] if self.knows else ""
        """The favourite of the last answer, theirs or ours."""
        self._offered = self.knows

    def begins(self, ours: bytes, theirs: bytes = b"") -> None:
        """An offer of ours has its answer."""
        self.knows, self.speaks = _names(ours), _names(theirs)[0]

    def answers(self, theirs: bytes, ours: bytes) -> None:
        """An offer of theirs has ours; what they never offered does not count."""
        self.knows = tuple([name for name in _names(ours) if name in _names(theirs)])
        self.speaks = self.knows[0] if self.knows else ""

    def offer(self, button: str) -> bytes:
        wish = self.wish
        if button.isdigit():
            self._asked = wish._replace(codecs=f"{button} {' '.join(c for c in ('0', '101') if c != button)}")
        elif button == "0.0.0.0":
            self._asked = wish._replace(direction="sendonly", address=button)
        else:
            self._asked = Said(button, wish.codecs, self.address)
        self._offered = _audio(self._asked.codecs)
        return self._write(self._asked, self._asked.direction)

    def means(self, body: bytes) -> None:
        """An offer of ours that no button made."""
        offer = parse(body)
        codecs = " ".join(str(codec.payload_type) for codec in offer.codecs)
        self._asked = Said(offer.direction, codecs, offer.address)
        self._offered = _names(body)

    def agreed(self, body: bytes) -> bytes:
        """The 200 to an offer of ours, or theirs if we asked for one: then what goes into the ACK."""
        if not body:
            return b""
        asked, self._asked = self._asked, None
        if asked is None:
            return self.answer(body)
        self.wish, self.said, self.told = asked, asked.direction, parse(body).direction
        self.knows, self.speaks = self._offered, _names(body)[0]
        return b""

    def refused(self) -> None:
        self._asked = None

    def answer(self, body: bytes) -> bytes:
        """To their offer; without one, ours."""
        if not body:
            self.said = self.wish.direction
            self._offered = _audio(self.wish.codecs)
            return self._write(self.wish, self.said)
        offer = parse(body)
        (send, receive), (they_send, they_receive) = _WAYS[self.wish.direction], _WAYS[offer.direction]
        self.told, self.said = offer.direction, _NAMES[send and they_receive, receive and they_send]
        known = [str(codec.payload_type) for codec in offer.codecs if str(codec.payload_type) in _KNOWN]
        answer = self._write(self.wish._replace(codecs=" ".join(known)), self.said)
        self.answers(body, answer)
        return answer

    def hear(self, body: bytes) -> None:
        """The ACK that answers our offer."""
        if body:
            self.told = parse(body).direction
            self.knows, self.speaks = self._offered, _names(body)[0]

    def _write(self, said: Said, direction: str) -> bytes:
        return sdp(said.address, self.port, said.codecs, direction)


def _audio(codecs: str) -> tuple[str, ...]:
    return _names(sdp("192.0.2.1", 4000, codecs))


def _names(body: bytes) -> tuple[str, ...]:
    return tuple([codec.name for codec in parse(body).codecs if has_audio((codec,))])


def understands(one: Handset, other: Handset, *, relay: bool) -> bool:
    """Whether `one` knows what `other` speaks; a relay makes one law of G.711 of the other."""
    laws = {"PCMU", "PCMA"} if relay else set()
    return other.speaks in one.knows or (other.speaks in laws and bool(laws.intersection(one.knows)))


def agree(one: Handset, other: Handset) -> bool:
    """Whether `one` was told what `other` says, as far as it concerns it."""
    will_speak, will_listen = _WAYS[one.told]
    speaks, listens = _WAYS[other.said]
    i_speak, i_listen = _WAYS[one.said]
    return (not i_listen or will_speak == speaks) and (not i_speak or will_listen == listens)
