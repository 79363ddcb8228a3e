"""An offer inside a leg that the other leg has to agree to: what is offered to it, and what its answer makes of both.

What it is: offer and answer of a bridged change on the two `LegMedia` of a call (RFC 3264 §8), and those of a callee
before there is a bridge. What it is not: the requests that carry them (`call_change.py`), or other changes that stay on
one leg (`call_media.py`).

What crosses is direction, codecs and packet time, always in our own SDP (architecture decision 2). Nothing of a
`CallMedia` is changed before the other side's answer is there, but for what an offer of ours binds us to.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from maskline.engine.call_codecs import preferred, voice_and_events
from maskline.engine.call_media import (
    CallMedia,
    LegMedia,
    as_local,
    audible,
    common,
)
from maskline.masking.facts import LegName
from maskline.media.port import LocalMedia
from maskline.sdp.negotiate import answer_codecs, answered_direction, filter_codecs, has_audio, shared_codecs
from maskline.sdp.secure import Secure
from maskline.sdp.session import AudioDescription, Codec

_G711 = ("PCMU", "PCMA")
OTHER = {LegName.A: LegName.B, LegName.B: LegName.A}


@dataclass(slots=True)
class MediaChange:
    """What the other leg was offered for the sake of this one."""

    body: bytes
    """Our offer to it."""
    said: AudioDescription | None
    """The offer that is behind it; None: the other side is told what is so already, and nobody waits for its answer."""
    codecs: tuple[Codec, ...]
    """Of `said` those that may pass, in its own payload types."""
    offered: tuple[Codec, ...]
    switches: bool
    """Other codecs than those in use; else direction, or without relay an address."""
    local_before: LocalMedia | None
    """What the other leg's SDP named."""
    before: tuple[Any, ...] = ()
    """How this leg was."""


def crosses(media: CallMedia, name: LegName, said: AudioDescription) -> bool:
    """Whether the other side has to be told of this offer, or answer. Raises `SdpError` (488) when no codec of it may
    pass at all."""
    leg = media.leg(name)
    return said.direction != leg.wish or _switches(media, name, said) or (not media.relay and _moves(leg, said))


def _switches(media: CallMedia, name: LegName, said: AudioDescription) -> bool:
    """Nothing that was agreed is left, or not what the other side speaks; or what it now likes best it never named
    before, so the other side had no say. A list that is shorter in another way, or in another order, changes nothing
    that the other side would have to know."""
    leg = media.leg(name)
    assert leg.far is not None, "a leg that changes had media"
    best = next(codec for codec in _passing(media, said) if has_audio((codec,)))
    if not any(codec.matches(best) for codec in leg.far.codecs):
        return True
    return not has_audio(shared_codecs(leg.agreed, said.codecs)) or is_lost(media, name, leg.far, said)


def is_lost(media: CallMedia, name: LegName, before: AudioDescription, said: AudioDescription) -> bool:
    """Whether what the other side speaks was understood on this one `before`, and is not any more as it is `said` now.
    A relay makes one law of G.711 of the other."""
    return any(
        shared_codecs((codec,), before.codecs) and not _understands(media, said, codec)
        for codec in _spoken(media, OTHER[name])
    )


def _spoken(media: CallMedia, name: LegName) -> tuple[Codec, ...]:
    """What this one speaks, as far as it can be known."""
    leg = media.leg(name)
    now = next(codec for codec in leg.agreed if has_audio((codec,)))
    return (now,) if name is LegName.B else (now, *promised_voice(media))


def promised_voice(media: CallMedia) -> tuple[Codec, ...]:
    """The codec that the caller speaks if it goes by our answer before the 200."""
    caller = media.leg(LegName.A)
    if not media.promised:
        return ()
    assert caller.far is not None, "what was answered was an offer of its own"
    return tuple([codec for codec in shared_codecs(media.promised, caller.far.codecs) if has_audio((codec,))][:1])


def _understands(media: CallMedia, said: AudioDescription, codec: Codec) -> bool:
    if shared_codecs((codec,), said.codecs):
        return True
    return media.relay and codec.name in _G711 and any(other.name in _G711 for other in said.codecs)


def _heard(media: CallMedia, codecs: tuple[Codec, ...], said: AudioDescription) -> tuple[Codec, ...]:
    """Of these those that who said so understands: by its last word that may be less than was agreed once. All of them
    where it is none: then the driver translates."""
    kept = tuple([codec for codec in codecs if not has_audio((codec,)) or _understands(media, said, codec)])
    return kept if has_audio(kept) else codecs


def _moves(leg: LegMedia, said: AudioDescription) -> bool:
    assert leg.far is not None, "a leg that changes had media"
    return as_local(leg.far) != as_local(said)


def _passing(media: CallMedia, said: AudioDescription) -> tuple[Codec, ...]:
    return audible(media.recordable(filter_codecs(said.codecs)))


def propose_offer(media: CallMedia, name: LegName, said: AudioDescription) -> MediaChange:
    """The offer to the other side for this one. Raises `SdpError` (488)."""
    leg, other = media.leg(name), media.leg(OTHER[name])
    switches = _switches(media, name, said)
    codecs = _passing(media, said) if switches else common(leg.agreed, said.codecs)
    return _offer(media, other, said, codecs, said.direction, to=said, switches=switches)


def tell(media: CallMedia, name: LegName, *, direction: str = "", switches: bool = False) -> MediaChange:
    """The offer that tells the other side how this one is now; with a `direction` of its own, that it is gone."""
    leg = media.leg(name)
    codecs = leg.agreed
    if switches:
        assert leg.far is not None, "it has another codec than before"
        codecs = common(codecs, leg.far.codecs)
    other, to = media.leg(OTHER[name]), None if direction else leg.far
    made = _offer(media, other, leg.far, codecs, direction or leg.wish, to=to, switches=switches)
    return replace(made, said=None)


def offer_again(media: CallMedia, name: LegName, *, bridged: bool) -> bytes:
    """Our offer for a re-INVITE that came without one: what it has, as far as the other side wants it."""
    leg, other = media.leg(name), media.leg(OTHER[name])
    leg.awaits_answer = True
    if not bridged or other.far is None:
        return leg.offer(leg.agreed, "sendrecv")
    return leg.offer(_heard(media, leg.agreed, other.far), other.wish)


def _offer(
    media: CallMedia, other: LegMedia, said: AudioDescription | None, codecs: tuple[Codec, ...], direction: str, *,
    to: AudioDescription | None, switches: bool,
) -> MediaChange:  # fmt: skip
    """`to`: whom `other` is to talk to then, if to anybody."""
    local_before = other.local
    if switches:
        offered = _on(other, _preferred_by(other, media, codecs))
    else:
        offered = other.agreed if to is None else _heard(media, other.agreed, to)
    if not media.relay and said is not None:
        other.local = as_local(said)
    body = other.offer(offered, direction, None if said is None else said.ptime)
    return MediaChange(body, said, codecs, offered, switches, local_before)


def _preferred_by(other: LegMedia, media: CallMedia, codecs: tuple[Codec, ...]) -> tuple[Codec, ...]:
    return preferred(media.beside(codecs) if media.relay else codecs, other.prefers)


def _on(leg: LegMedia, codecs: tuple[Codec, ...]) -> tuple[Codec, ...]:
    """In the payload types that this leg has for them, since a number keeps its meaning (RFC 3264 §8.3.2). What it has
    already, when no number is left for others."""
    known, result = leg.agreed, []
    taken = {codec.payload_type for codec in known}
    for codec in codecs:
        same = next((one for one in known if one.matches(codec)), None)
        if same is not None:
            result.append(Codec(same.payload_type, codec.name, codec.clock_rate, codec.channels, codec.fmtp))
        elif codec.payload_type not in taken:
            result.append(codec)
    return tuple(result) if has_audio(result) else known


def take_early(media: CallMedia, name: LegName, offer: AudioDescription, fork: str) -> tuple[bytes, bool]:
    """An offer of somebody whom we dialled and who did not answer yet. It stays on its leg: our answer, and whether
    there is something new to attach. Of a fork that nobody hears nothing is kept: all of it comes with its 2xx. Raises
    `SdpError`."""
    leg = media.leg(name)
    codecs = common(leg.agreed or preferred(media.offered, leg.prefers), offer.codecs)
    ours = "sendrecv" if media.greeted else media.leg(LegName.A).wish
    answer = leg.write(codecs, answered_direction(ours, offer.direction), offer.ptime, offer)
    if fork != media.early_fork:
        return answer, False
    leg.wish = offer.direction
    return answer, media.move(leg, offer)


def is_as_before(leg: LegMedia, answer: AudioDescription) -> bool:
    """Whether its answer to what we said before is in place, direction, keys and what is spoken what its far side said
    last. That may have been an offer, with more codecs and more keys than any answer to us has."""
    far = leg.far
    assert far is not None, "a session that is renewed had media"
    return (
        (as_local(far), far.direction) == (as_local(answer), answer.direction)
        and _of_those(far.codecs, leg.agreed) == _of_those(answer.codecs, leg.agreed)
        and _has_same_keys(far.secure, answer.secure)
    )


def _of_those(codecs: tuple[Codec, ...], agreed: tuple[Codec, ...]) -> set[Codec]:
    return {codec._replace(fmtp="") for codec in shared_codecs(codecs, agreed)}


def _has_same_keys(before: Secure | None, now: Secure | None) -> bool:
    if before is None or now is None:
        return before is now
    known = (before.fingerprint, before.ice) == (now.fingerprint, now.ice)
    return known and set(now.cryptos) <= set(before.cryptos)


def renew(media: CallMedia, name: LegName, answer: AudioDescription, *, is_free: bool) -> bool:
    """An answer to what we had said before, of a far side that is elsewhere now or speaks otherwise: whether to attach
    it. Not `is_free`: what we wrote last is another offer, which waits for this answer. Raises `SdpError`."""
    leg = media.leg(name)
    assert leg.written is not None, "that was repeated"
    codecs = audible(answer_codecs(leg.written.codecs, answer.codecs))
    if is_free:
        leg.note_answer(answer)
    return media.move(leg, answer, () if has_audio(shared_codecs(leg.agreed, answer.codecs)) else codecs)


def withdraw(media: CallMedia, name: LegName, change: MediaChange) -> None:
    """The other side did not agree, and has its old media."""
    media.leg(OTHER[name]).local = change.local_before


def agree(media: CallMedia, name: LegName, change: MediaChange, body: bytes) -> tuple[bytes, list[LegName]]:
    """The other side's answer: our answer to this one, empty when nobody waits for it; and whose far side has to be
    attached, in that order. Raises `SdpError`, and then nothing has changed."""
    leg, other = media.leg(name), media.leg(OTHER[name])
    answer = other.read_answer(body)
    agreed = audible(answer_codecs(change.offered, answer.codecs))
    other.note_answer(answer)
    if name is LegName.B:
        media.promised = ()
    moved = {OTHER[name]: media.move(other, answer, agreed if change.switches else ())}
    ours, said = b"", change.said
    if said is not None:
        change.before = keep(leg)
        codecs = _for(media, change.codecs, agreed)
        if not media.relay:
            leg.local = as_local(answer)
        leg.wish = said.direction
        ours = leg.write(codecs, answered_direction(answer.direction, said.direction), answer.ptime, said)
        moved[name] = media.move(leg, said, codecs if change.switches else ())
    # B first: A's attachment is an offer and an answer in rtpengine, which settles what B's answer alone cannot.
    return ours, [each for each in (LegName.B, LegName.A) if moved.get(each)]


def keep(leg: LegMedia) -> tuple[Any, ...]:
    """All of it that a change may have to be taken back from."""
    return leg.far, leg.agreed, leg.voice, leg.wish, leg.local, leg.written


def restore(leg: LegMedia, before: tuple[Any, ...]) -> None:
    """What was agreed to already was taken back by this side, or could not be attached."""
    leg.far, leg.agreed, leg.voice, leg.wish, leg.local, leg.written = before


def _for(media: CallMedia, codecs: tuple[Codec, ...], agreed: tuple[Codec, ...]) -> tuple[Codec, ...]:
    both = tuple([codec for codec in codecs if any(codec.matches(other) for other in agreed)])
    return both if has_audio(both) else voice_and_events(codecs, () if media.transcodes else _G711)
