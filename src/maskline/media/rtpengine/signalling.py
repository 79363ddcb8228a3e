"""The offers and answers that make a call in rtpengine.

What it is: the recipe. Leg A's port is won by an offer and an answer from nobody (tag `v`); leg B is an offer with a
to-tag of its own, its attach the answer: A's port never changes. What it is not: what parties are told; the engine
writes that, and the daemon is shown no party's SDP (`synthetic_sdp.py`; docs/decisions/0011 says what crosses). Who
uses it: `driver.py`, and `sound.py` where a digit needs another mode.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
from dataclasses import replace
from typing import Any

from maskline.errors import MediaUnavailable
from maskline.masking.facts import LegName
from maskline.media.port import FarMedia, LocalMedia
from maskline.media.rtpengine import synthetic_sdp
from maskline.media.rtpengine.call_state import CallState
from maskline.media.rtpengine.client import NgRefused
from maskline.media.rtpengine.figures import has_keys, learned
from maskline.media.rtpengine.ng_codec import Dictionary
from maskline.sdp.secure import Crypto, Secure
from maskline.sdp.session import Codec

_NOBODY = "v"
_KEY_LOOKS, _KEY_PAUSE = 50, 0.03
"""How often, and how many seconds apart, we look whether DTLS is done: on one host it takes 20 ms, and a lost message
is repeated after 1 s (RFC 6347 §4.2.4.1). The last pause is for what remains after the certificate."""
_TRANSCODED = frozenset(("PCMU", "PCMA", "G722", "CN", "telephone-event"))
_SUITE, _OTHER_SUITE = "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"
"""Who is dialled is offered one kind of key, which everybody has (RFC 4568 §6.2), so that no second answer takes
another and changes our own key. Of kinds that the caller offers the daemon would pass on the caller's key itself (seen
with 10.5.3.5): it is told of one key of the caller, of another kind if there is one, the callee of the rest."""
_BETTER = frozenset(("AEAD_AES_256_GCM", "AEAD_AES_128_GCM", "AES_256_CM_HMAC_SHA1_80"))
_PROTOCOL = "RTP/SAVP"
_KEY_BYTES = 30
_PLAIN: dict[str, Any] = {"ICE": "remove", "rtcp-mux": ["demux"], "transport protocol": "RTP/AVP"}
_KEYS: dict[str, Any] = {**_PLAIN, "transport protocol": "RTP/SAVP", "DTLS": "off"}
# Without port-latching the second answer changes A's port; without generate-RTCP the far side's RTCP, and with it
# its CNAME, would be passed on.
_FLAGS = ["trust-address", "port-latching", "generate-RTCP"]


async def open_a(call: CallState) -> LocalMedia:
    """Offer A's side; the answer that comes back to A carries its port. Also A's new offer in a call."""
    await _find_latched(call)
    far_b = call.far.get(LegName.B)
    dialled = LegName.B in call.local
    await _offer(call, to_tag=LegName.B.value if dialled else None)
    if dialled and far_b is None:
        return call.local[LegName.A]
    if far_b is not None:
        return await answer_b(call, far_b)
    nobody = synthetic_sdp.nobody(call.codecs[LegName.A], ipv6=LegName.A in call.ipv6)
    return _with_one_key(call, LegName.A, await _answer(call, _NOBODY, nobody))


async def believe_anew(call: CallState) -> None:
    """After a restart with Redis, which does not hold whose packets are believed: until it is told, a restored call
    follows whoever sends (seen with 10.5.3.5), and an address that it was told before does not bring it back. So both
    legs are moved away and back. Not with an encrypted one, whose keys would be agreed anew, nor where the other party
    has not answered: the daemon refuses to offer a lone leg again after a restart."""
    if len(call.far) < 2 or any(far.secure is not None for far in call.far.values()):
        if call.injects:
            await open_a(call)
        return
    nobody = {leg: synthetic_sdp.nobody(call.codecs[leg], ipv6=leg in call.ipv6) for leg in call.local}
    kept, call.latched = call.latched, nobody
    try:
        await open_a(call)
    finally:
        call.latched = kept
    await open_a(call)


async def open_b(call: CallState) -> LocalMedia:
    await _find_latched(call)
    local = _with_one_key(call, LegName.B, await _offer(call, to_tag=LegName.B.value))
    # Nobody answers at once: a port without an answer is open to every source, and who sent to it while the other
    # party's telephone rings was heard by the caller (seen with 10.5.3.5, in spite of strict-source).
    await answer_b(call, call.far.get(LegName.B) or _nobody(call, LegName.B, local.secure))
    return local


def _with_one_key(call: CallState, leg: LegName, local: LocalMedia) -> LocalMedia:
    if leg not in call.encrypted:
        return local
    caller = call.far.get(LegName.A)
    taken = LegName.A in call.encrypted or _has(caller.secure if caller is not None else None, _SUITE)
    suite = _OTHER_SUITE if leg is LegName.B and taken else _SUITE
    for crypto in local.secure.cryptos if local.secure is not None else ():
        if crypto.suite == suite:
            return replace(local, secure=Secure(_PROTOCOL, (crypto,)))
    raise MediaUnavailable("rtpengine offered no key of the usual kind.")


def _has(secure: Secure | None, suite: str) -> bool:
    """Whether that is the key the daemon is shown."""
    return secure is not None and any(crypto.suite == suite for crypto in _one_of(secure).cryptos)


def _one_of(secure: Secure) -> Secure:
    """With one of its SDES keys, if it has any that we know."""
    found = [crypto for crypto in secure.cryptos if crypto.suite in _BETTER]
    found += [crypto for crypto in secure.cryptos if crypto.suite == _SUITE]
    return replace(secure, cryptos=tuple(found[:1])) if found else secure


def _nobody(call: CallState, leg: LegName, ours: Secure | None = None) -> FarMedia:
    """With a key that nobody has where the leg is to be encrypted: what a stranger sends is noise then."""
    nobody = synthetic_sdp.nobody(call.codecs[leg], ipv6=leg in call.ipv6)
    if leg not in call.encrypted:
        return nobody
    key = base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()
    tag, suite = (ours.cryptos[0].tag, ours.cryptos[0].suite) if ours is not None else (1, _SUITE)
    return replace(nobody, secure=Secure(_PROTOCOL, (Crypto(tag, suite, f"inline:{key}"),)))


async def attach_b(call: CallState, far: FarMedia) -> LocalMedia:
    """The answer of B's side, or another one in a call."""
    if _foreign_events(call):
        return await open_a(call)
    await _find_latched(call)
    return await answer_b(call, far)


async def answer_b(call: CallState, far: FarMedia) -> LocalMedia:
    return await _answer(call, LegName.B.value, call.latched.get(LegName.B, far))


async def wait_for_keys(call: CallState, leg: LegName) -> None:
    """Until DTLS with this leg's far side is done, or takes too long: what the daemon plays before is lost, since
    nobody can decrypt it."""
    far = call.far.get(leg)
    if far is None or far.secure is None or far.secure.fingerprint is None or leg in call.keyed:
        return
    for _ in range(_KEY_LOOKS):
        if has_keys(await _query(call), leg):
            call.keyed.add(leg)
        await asyncio.sleep(_KEY_PAUSE)
        if leg in call.keyed:
            return


async def _query(call: CallState) -> Dictionary:
    try:
        return await call.node.request("query", {"call-id": call.id})
    except NgRefused as error:
        raise MediaUnavailable("The media of this call is gone.") from error


async def _find_latched(call: CallState) -> None:
    """Where far sides behind NAT were found to send from. With each offer and answer the daemon would believe anybody's
    first packet again, and follow a stranger; so from then on it is told that address, as a true one."""
    seeking = [leg for leg, far in call.far.items() if far.nat and leg in call.local and leg not in call.latched]
    if not seeking:
        return
    reply = await _query(call)
    for leg in seeking:
        rtp, rtcp = (learned(reply, leg, component) for component in (0, 1))
        if rtp is not None:
            far = call.far[leg]
            rtcp_port = rtcp[1] if rtcp is not None else rtp[1] + 1
            call.latched[leg] = replace(far, address=rtp[0], port=rtp[1], rtcp_port=rtcp_port, nat=False)


async def _offer(call: CallState, *, to_tag: str | None) -> LocalMedia:
    far = call.latched.get(LegName.A) or call.far.get(LegName.A) or _nobody(call, LegName.A)
    if far.secure is not None and far.secure.cryptos:
        far = replace(far, secure=_one_of(far.secure))
    fields: dict[str, Any] = {"label": "a", **_family(call, LegName.B)}
    if to_tag is not None:
        far = replace(far, codecs=far.codecs + _foreign_events(call))
        fields["to-tag"] = to_tag
        transcode = synthetic_sdp.missing_voice(far.codecs, call.codecs.get(LegName.B, ()))
        if transcode:
            fields["codec"] = {"transcode": transcode}
    return await _signal(
        call, "offer", far, {**(_KEYS if to_tag and LegName.B in call.encrypted else _PLAIN), **fields}
    )


async def _answer(call: CallState, to_tag: str, far: FarMedia) -> LocalMedia:
    listener = call.far.get(LegName.A)
    if LegName.A in call.encrypted:
        way = _KEYS
    else:
        way = _PLAIN if listener is None or listener.secure is None else _encrypted(listener.secure)
    return await _signal(call, "answer", far, {**way, **_family(call, LegName.A), "to-tag": to_tag, "label": to_tag})


def _family(call: CallState, listener: LegName) -> dict[str, Any]:
    """Of our address in what this leg is told. The daemon would take that of whoever speaks."""
    if not call.ipv6:
        return {}
    return {"address family": "IP6" if listener in call.ipv6 else "IP4"}


def _encrypted(listener: Secure) -> dict[str, Any]:
    """How the SDP for an encrypted leg is to be: as that leg's own offer."""
    return {
        "ICE": "force" if listener.ice else "remove",
        "rtcp-mux": ["accept"] if listener.rtcp_mux else ["demux"],
        "transport protocol": listener.protocol,
    }


async def _signal(call: CallState, command: str, far: FarMedia, fields: dict[str, Any]) -> LocalMedia:
    message = {
        "call-id": call.id,
        "from-tag": LegName.A.value,
        "sdp": synthetic_sdp.write(far),
        "flags": [*_FLAGS, *_sources(far), *_effort(call)],
        "replace": ["origin"],
        "DTLS": "passive",
        **fields,
    }
    try:
        return synthetic_sdp.read_local((await call.node.request(command, message))["sdp"])
    except (NgRefused, KeyError, synthetic_sdp.UnreadableReply) as error:
        raise MediaUnavailable("rtpengine refused the media of this call.") from error


def _foreign_events(call: CallState) -> tuple[Codec, ...]:
    """B's telephone-event, where A has another payload type for it. The daemon drops from an answer what was not
    offered, and then passes A's events on under A's number. Offered with A's own in front of it, and with the
    transcoder, each side gets its own number (seen with 10.5.3.5). Only where the transcoder knows the voice."""
    a, b = (call.far[leg].codecs if leg in call.far else () for leg in LegName)
    if not all(codec.name in _TRANSCODED for codec in b):
        return ()
    events = [codec for codec in a if codec.is_telephone_event]
    other = [codec for codec in b if any(codec.matches(event) for event in events)]
    taken = {codec.payload_type for codec in a}
    return tuple([codec for codec in other if codec.payload_type not in taken])


def _effort(call: CallState) -> list[str]:
    """What needs the daemon's transcoder."""
    digits = ["inject-DTMF"] if call.injects else []
    return [*digits, "always-transcode"] if _foreign_events(call) else digits


def _sources(far: FarMedia) -> list[str]:
    """Whose packets are believed. Behind NAT the first sender is; a trunk's SDP address is true, and a window in which
    anybody is learned from (the daemon's default: 3 s after each offer and answer) would let strangers in. With ICE the
    checks say where packets come from, and what is not encrypted with the leg's keys is dropped anyway."""
    if far.secure is not None and far.secure.ice is not None:
        return []
    return ["strict-source", "endpoint-learning-immediate" if far.nat else "endpoint-learning-off"]
