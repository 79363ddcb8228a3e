"""The SDP of a call: what each side said, what we write to the other.

What it is: one `CallMedia` per call, with one `LegMedia` per leg; reads bodies, chooses codecs, writes bodies
from our own values, and says which far side the media driver should attach. What it is not: an order of events
(`call.py`) or a media driver. Nothing of one side's SDP reaches the other but codec, payload type, direction
and packet time (architecture decision 2).

Each side keeps its own payload types (RFC 3264 §6.1): what a leg may send us is what we wrote to it, what it
understands is what it said, and the media driver maps the one to the other.

A caller that is to hear something before the callee has spoken gets its answer at once (`greeting`), with one codec of
G.711; the callee is then offered both laws of it, since the media driver translates. The same holds for the first
party of a call that we start, and for a caller without offer that acknowledges our first 18x (RFC 3262 §5).

A callee is offered both laws of G.711 also when its caller has but one, or none and the driver transcodes; when it
takes none of the caller's codecs, the caller is answered with one of its own.
Without relay (`MASKLINE_MEDIA=none`) our SDP names the other side's own address and port.
"""

from __future__ import annotations

from dataclasses import replace

from maskline.engine.call_codecs import G711, OUR_OFFER, g711_of, preferred, voice_and_events, with_laws
from maskline.masking.facts import LegName
from maskline.masking.trunk import Trunk, TrunkMedia, Way
from maskline.media.port import FarMedia, LocalMedia
from maskline.sdp.errors import SdpError
from maskline.sdp.negotiate import (
    answer_codecs,
    answered_direction,
    filter_codecs,
    has_audio,
    mirror_direction,
    shared_codecs,
)
from maskline.sdp.parse import parse
from maskline.sdp.secure import Secure
from maskline.sdp.session import AudioDescription, Codec
from maskline.sdp.write import write
from maskline.values import leaf

OFFER_TO_HEAR: tuple[Codec, ...] = tuple([codec for codec in OUR_OFFER if codec.name != "G722"])
"""What we offer to somebody who is to hear us before there is another party: what prompts are played in, and what any
second party can be brought together with."""

_A = LegName.A
_PACKET_TIMES = frozenset({10, 20, 30, 40, 60})


def common(codecs: tuple[Codec, ...], others: tuple[Codec, ...]) -> tuple[Codec, ...]:
    """Those of `codecs` that `others` have too. Raises `SdpError` (488) when no audio codec is among them."""
    return audible(shared_codecs(codecs, others))


def audible(codecs: tuple[Codec, ...]) -> tuple[Codec, ...]:
    if not has_audio(codecs):
        raise SdpError(488, "no audio codec in common")
    return codecs


@leaf
class LegMedia:
    """One leg's side of it."""

    __slots__ = (
        "_session_id", "_tag", "_version", "agreed", "awaits_answer", "demands_keys", "far", "ipv6", "local", "nat",
        "prefers", "told", "voice", "wish", "written",
    )  # fmt: skip

    def __init__(self, session_id: int) -> None:
        self._session_id = session_id
        self._version = 0
        self._tag = 0
        """Of our key in the SDP of a leg that demands keys, when its far side gave it another one than the driver."""
        self.written: AudioDescription | None = None
        self.agreed: tuple[Codec, ...] = ()
        """What this leg may speak until another codec is agreed with the other side."""
        self.voice: tuple[Codec, ...] = ()
        """What we speak on this leg, when that is less than what the far side knows; else empty."""
        self.far: AudioDescription | None = None
        self.wish = "sendrecv"
        """The direction that its far side asks for by itself; what it answers to a hold is none of its wishes."""
        self.told = ""
        """Which of its wishes the other side heard first; empty: none yet."""
        self.local: LocalMedia | None = None
        self.nat = False
        self.prefers: tuple[str, ...] = ()
        """Names of the codecs that its trunk is offered, when we dial it; empty: any."""
        self.demands_keys = False
        """We dial it and offer RTP/SAVP; it is encrypted or there is no call."""
        self.ipv6 = False
        """Its far side is reached over IPv6: what its offer names, or else where its signalling goes."""
        self.awaits_answer = False
        """We made an offer in a 2xx; the ACK brings the answer."""

    def dial_by(self, trunk: Trunk, ways: tuple[Way, ...]) -> None:
        """What this trunk is offered, and from where: an address of the family of the first way."""
        self.ipv6 = ":" in (ways[0].target.host if ways else trunk.host)
        self.nat, self.prefers, self.demands_keys = trunk.nat, trunk.codecs, trunk.media is TrunkMedia.SRTP

    def write(
        self, codecs: tuple[Codec, ...], direction: str, ptime: int | None, like: AudioDescription | None = None
    ) -> bytes:
        """Our SDP for this leg; the version in `o=` moves when the content does (RFC 3264 §8). `like` is the
        offer we answer: its refused streams are listed again."""
        assert self.local is not None, "SDP is written once the ports are known"
        description = AudioDescription(
            self.local.address,
            self.local.port,
            self.local.rtcp_port,
            codecs,
            direction,
            ptime if ptime in _PACKET_TIMES else None,
            like.refused if like else (),
            like.audio_index if like else 0,
            self._secure(self.local.secure),
        )
        if description != self.written:
            self.written = description
            self._version += 1
        return write(description, session_id=self._session_id, version=self._version)

    def _secure(self, secure: Secure | None) -> Secure | None:
        if secure is None or not self._tag:
            return secure
        return replace(secure, cryptos=(replace(secure.cryptos[0], tag=self._tag),))

    def read_answer(self, body: bytes) -> AudioDescription:
        """Of a leg that demands keys only that with the key for ours. Raises `SdpError`."""
        answer = _audio(body, encrypted=self.encrypted)
        return self._with_its_key(answer) if self.demands_keys else answer

    def read_offer(self, body: bytes) -> AudioDescription:
        """The far side's offer inside the dialog; its tag is what we answer with (RFC 4568 §5.1.2)."""
        offer = _audio(body, encrypted=self.encrypted)
        return self._with_its_key(offer, offered=True) if self.demands_keys else offer

    def _with_its_key(self, said: AudioDescription, *, offered: bool = False) -> AudioDescription:
        assert self.local is not None, "ports come before SDP"
        secure, ours = said.secure, self.local.secure
        assert secure is not None, "checked before"
        assert ours is not None, "the driver made a key for this leg"
        for its in secure.cryptos if secure.protocol == ours.protocol else ():
            if its.suite == ours.cryptos[0].suite and (offered or its.tag == (self._tag or ours.cryptos[0].tag)):
                self._tag = its.tag
                key = replace(its, tag=ours.cryptos[0].tag)
                return said._replace(secure=Secure(secure.protocol, (key,)))
        raise SdpError(488, "not our kind of key")

    def offer(self, codecs: tuple[Codec, ...], direction: str, ptime: int | None = None) -> bytes:
        """An offer of ours inside the dialog, with the streams of our last SDP (RFC 3264 §8)."""
        last = self.written
        assert last is not None, "a leg without SDP has no re-INVITE"
        return self.write(codecs, direction, ptime or last.ptime, last)

    def is_held(self) -> bool:
        assert self.written is not None, "who is on hold has heard from us"
        return self.written.direction != "sendrecv" and self.wish == "sendrecv"

    def note_answer(self, answer: AudioDescription) -> None:
        """To our last SDP. Only one that left it free tells what its far side wants."""
        if self.written is not None and self.written.direction == "sendrecv":
            self.wish = answer.direction

    def speak(self, codecs: tuple[Codec, ...]) -> None:
        """Other codecs were agreed."""
        self.agreed = codecs
        if self.voice:
            self.voice = codecs

    def far_media(self) -> FarMedia:
        """Where the far side of this leg receives."""
        far = self.far
        assert far is not None, "attached only after its SDP was read"
        codecs = common(far.codecs, self.voice) if self.voice else far.codecs
        return FarMedia(far.address, far.port, far.rtcp_port, codecs, self.nat, far.secure, far.direction)

    @property
    def encrypted(self) -> bool:
        """Decided by the first offer, for the whole call."""
        return self.demands_keys or (self.far is not None and self.far.secure is not None)


@leaf
class CallMedia:
    """Both legs. Every `take_*` raises `SdpError`, and then the media stays as it was."""

    __slots__ = (
        "_a", "_asked", "_b", "_caller_has", "_encrypts", "_greeting", "_only_g711", "early_fork", "is_open",
        "late", "offered", "offers_early", "promised", "relay", "taken", "transcodes", "untold",
    )  # fmt: skip

    def __init__(
        self, relay: bool, session_id_a: int, session_id_b: int, *, transcodes: bool = False, encrypts: bool = False
    ) -> None:
        self.relay = relay
        self.transcodes = transcodes
        self._encrypts = encrypts
        self._caller_has: tuple[Codec, ...] = OUR_OFFER
        """What the caller offered, as far as it may pass; with a late offer what we offer to it."""
        self._a, self._b = LegMedia(session_id_a), LegMedia(session_id_b)
        self.offered = OUR_OFFER
        """What we offer to the callee: of the caller's codecs those that may pass."""
        self._asked, self.taken = "sendrecv", b""
        """The direction in that offer, and its answer."""
        self._only_g711 = False
        self._greeting: bytes | None = None
        self.late = False
        """The caller's INVITE had no offer."""
        self.offers_early = False
        """The caller gets our offer in the first 18x, and its PRACK brings the answer."""
        self.untold: tuple[LegName, ...] = ()
        """Legs that the other has still to be told of: they hold since before the bridge, or moved during a change."""
        self.promised: tuple[Codec, ...] = ()
        """What our first answer named: the caller speaks that, or what the 200 names, until it answers an offer."""
        self.early_fork: str | None = None
        """The fork whose early media the caller hears; first come, until the 200."""
        self.is_open = False
        """The driver has been asked for ports."""

    def leg(self, name: LegName) -> LegMedia:
        return self._a if name is _A else self._b

    def over_ipv6(self, *names: LegName) -> tuple[LegName, ...]:
        """Of these legs those that are."""
        return tuple([name for name in names if self.leg(name).ipv6])

    def with_keys(self, name: LegName) -> tuple[LegName, ...]:
        """This leg, if it is one that we offer keys to."""
        return (name,) if self.leg(name).demands_keys else ()

    @property
    def greeted(self) -> bool:
        """Leg A has our SDP, so it can be played to."""
        return self._greeting is not None

    # -- leg A before there is a callee -----------------------------------------------------------------------

    def take_offer(self, body: bytes) -> None:
        """The caller's offer, or b"" when it wants ours."""
        if not body:
            if not self.relay:
                raise SdpError(488, "without relay there is no address to offer")
            self.late = True
            return
        offer = _audio(body, encrypted=None if self._encrypts else False)
        self.offered = self._caller_has = audible(filter_codecs(offer.codecs))
        self._a.far = offer
        self._a.wish = offer.direction
        self._a.ipv6 = ":" in offer.address
        if self.relay:
            self.offered = self.beside(self.offered)
            self._a.voice = self._caller_has
        else:
            self._b.local = as_local(offer)

    def keep_to_g711(self) -> None:
        """A recorded call speaks what recordings are made of, if its caller can (docs/decisions/0028)."""
        if any(codec.name in G711 for codec in self._caller_has):
            self._only_g711 = True
            self.offered, self._caller_has = g711_of(self.offered), g711_of(self._caller_has)
            if self.relay:
                self._a.voice = self._caller_has

    def recordable(self, codecs: tuple[Codec, ...]) -> tuple[Codec, ...]:
        """Those that a recording can be made of, if there is to be one."""
        return g711_of(codecs) if self._only_g711 else codecs

    def caller_far(self) -> FarMedia | None:
        return None if self.late else self._a.far_media()

    def prepare_early_offer(self) -> None:
        """A caller without offer acknowledges 18x: the first of them has to have ours."""
        self.offers_early = True
        self.prepare_greeting()

    def prepare_greeting(self) -> None:
        """The caller is to hear us before anybody else: settle the codecs, before ports are opened."""
        leg = self._a
        leg.agreed = leg.voice = OFFER_TO_HEAR if self.late else voice_and_events(self._caller_has, G711)
        self.offered = self.beside(leg.agreed)

    def greeting(self) -> bytes:
        """SDP for that caller, once; from then on `sdp_for_caller` says the same, since a 200 has to repeat what a 183
        said (RFC 3261 §13.2.1). With a late offer it is ours, and the ACK brings the answer."""
        leg = self._a
        offer = leg.far
        leg.awaits_answer = self.late
        direction, ptime = (mirror_direction(offer.direction), offer.ptime) if offer else ("sendrecv", None)
        self._greeting = leg.write(leg.agreed, direction, ptime, offer)
        self._b.told = "sendrecv"
        return self._greeting

    def offer_to_first(self) -> bytes:
        """For the first party of a call that we start."""
        leg = self._a
        leg.agreed = self.offered = preferred(OFFER_TO_HEAR, leg.prefers)
        self._greeting = leg.write(leg.agreed, "sendrecv", None)
        return self._greeting

    def take_first(self, body: bytes) -> None:
        """The first party's answer."""
        leg = self._a
        answer = leg.read_answer(body)
        leg.agreed = leg.voice = audible(answer_codecs(leg.agreed, answer.codecs))
        leg.far = answer
        leg.note_answer(answer)
        self.offered = self.beside(leg.agreed)

    def beside(self, codecs: tuple[Codec, ...]) -> tuple[Codec, ...]:
        """What somebody may speak who is to be brought together with one who speaks these."""
        has_g711 = any(codec.name in G711 for codec in codecs)
        return with_laws(codecs) if has_g711 or self.transcodes else codecs

    # -- the callee -------------------------------------------------------------------------------------------

    def offer_to_callee(self) -> bytes:
        # What a caller that was greeted says of direction is between it and us.
        offer = None if self.greeted else self._a.far
        leg, caller = self._b, self._a
        caller.told, leg.told = caller.wish, "sendrecv" if self.greeted else ""
        self._asked = offer.direction if offer else "sendrecv"
        return leg.write(preferred(self.offered, leg.prefers), self._asked, offer.ptime if offer else None)

    def take_callee(self, body: bytes, *, offered: bool = False) -> None:
        """The callee's SDP in a 18x or 2xx, or what it `offered` since. An empty 2xx stands for the early one (a
        reliable 18x had it)."""
        leg, caller = self._b, self._a
        if body in (b"", self.taken) and leg.far is not None:
            return  # a change since then may be on its way to be attached
        answer = leg.read_answer(body)
        leg.agreed = audible(answer_codecs(preferred(self.offered, leg.prefers), answer.codecs))
        if not self.greeted:
            caller.agreed = self._for_caller(leg.agreed)
        leg.far, self.taken = answer, body
        leg.wish = answer.direction if offered or self._asked == "sendrecv" else "sendrecv"
        if not self.relay:
            caller.local = as_local(answer)

    def _for_caller(self, agreed: tuple[Codec, ...]) -> tuple[Codec, ...]:
        """Of what the callee took that which the caller has; if nothing, the first of the caller's own, which is what a
        driver transcodes to (seen with rtpengine), or the caller's law of G.711, which every relay translates to."""
        both = shared_codecs(agreed, self._caller_has)
        return both if has_audio(both) else voice_and_events(self._caller_has, () if self.transcodes else G711)

    def sdp_for_caller(self) -> bytes:
        """Answer to the caller's offer, or our late offer, from the callee's SDP; a caller that has our SDP gets it
        once more."""
        if self._greeting is not None:
            return self._greeting
        leg, callee = self._a, self._b
        assert callee.far is not None, "written after the callee's SDP"
        leg.awaits_answer = self.late
        callee.told = callee.told or callee.wish
        return leg.write(leg.agreed, callee.far.direction, callee.far.ptime, leg.far)

    # -- changes ----------------------------------------------------------------------------------------------

    def take_answer(self, name: LegName, body: bytes) -> bool:
        """The answer in an ACK; False when there is nothing new to attach."""
        leg = self.leg(name)
        leg.awaits_answer = False
        answer = leg.read_answer(body)
        common(leg.agreed, answer.codecs)
        leg.note_answer(answer)
        return self.move(leg, answer)

    def take_change(self, name: LegName, offer: AudioDescription, other: LegName | None = None) -> tuple[bytes, bool]:
        """An offer that stays on its leg: our answer, and whether to attach something. `other`: whom it talks to."""
        leg = self.leg(name)
        codecs = common(leg.agreed, offer.codecs)
        theirs = None if other is None else self.leg(other).far
        ours = answered_direction("sendrecv" if theirs is None else theirs.direction, offer.direction)
        answer = leg.write(codecs, ours, offer.ptime, offer)
        leg.wish = offer.direction
        self.promised = codecs if name is _A and self.promised else self.promised
        return answer, self.move(leg, offer)

    def move(self, leg: LegMedia, said: AudioDescription, speaking: tuple[Codec, ...] = ()) -> bool:
        """Its far side is as `said` now, with other codecs if `speaking`; whether there is something to attach."""
        before = None if leg.far is None else leg.far_media()
        if speaking:
            leg.speak(speaking)
        leg.far = said
        return self.relay and leg.far_media() != before


def _audio(body: bytes, *, encrypted: bool | None = False) -> AudioDescription:
    """`encrypted`: whether it must be; None: as it likes."""
    description = parse(body)
    if description.port == 0:
        raise SdpError(488, "the audio stream is refused")
    if encrypted is not None and encrypted != (description.secure is not None):
        raise SdpError(488, "not the encryption of this leg")
    return description


def as_local(far: AudioDescription) -> LocalMedia:
    return LocalMedia(far.address, far.port, far.rtcp_port)
