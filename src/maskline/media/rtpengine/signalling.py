"""The offers and answers that make a call in rtpengine.

What it is: the recipe. Leg A's port is won by an offer and an answer from nobody (tag `v`); leg B is an offer with a
to-tag of its own, its attach the answer: A's port never changes. What it is not: what parties are told; the engine
writes that, and the daemon is shown no party's SDP (`synthetic_sdp.py`; docs/decisions/0011 says what crosses). Who
uses it: `driver.py`, and `sound.py` where a digit needs another mode.
"""

from __future__ import annotations

from typing import Any

from maskline.errors import MediaUnavailable
from maskline.masking.facts import LegName
from maskline.media.port import FarMedia, LocalMedia
from maskline.media.rtpengine import synthetic_sdp
from maskline.media.rtpengine.call_state import CallState
from maskline.media.rtpengine.client import NgRefused
from maskline.sdp.secure import Secure

_NOBODY = "v"
_PLAIN: dict[str, Any] = {"ICE": "remove", "rtcp-mux": ["demux"], "transport protocol": "RTP/AVP"}
# Without port-latching the second answer changes A's port; without generate-RTCP the far side's RTCP, and with it
# its CNAME, would be passed on.
_FLAGS = ["trust-address", "port-latching", "generate-RTCP"]


async def open_a(call: CallState) -> LocalMedia:
    """Offer A's side; the answer that comes back to A carries its port. Also A's new offer in a call."""
    far_b = call.far.get(LegName.B)
    dialled = LegName.B in call.local
    await _offer(call, to_tag=LegName.B.value if dialled else None)
    if dialled and far_b is None:
        return call.local[LegName.A]
    if far_b is not None:
        return await answer_b(call, far_b)
    return await _answer(call, _NOBODY, synthetic_sdp.nobody(call.codecs[LegName.A]))


async def open_b(call: CallState) -> LocalMedia:
    local = await _offer(call, to_tag=LegName.B.value)
    far = call.far.get(LegName.B)
    if far is not None:
        await answer_b(call, far)
    return local


async def answer_b(call: CallState, far: FarMedia) -> LocalMedia:
    return await _answer(call, LegName.B.value, far)


async def _offer(call: CallState, *, to_tag: str | None) -> LocalMedia:
    far = call.far.get(LegName.A) or synthetic_sdp.nobody(call.codecs[LegName.A])
    fields: dict[str, Any] = {"label": "a"}
    if to_tag is not None:
        fields["to-tag"] = to_tag
        transcode = synthetic_sdp.missing_voice(far.codecs, call.codecs.get(LegName.B, ()))
        if transcode:
            fields["codec"] = {"transcode": transcode}
    return await _signal(call, "offer", far, {**_PLAIN, **fields})


async def _answer(call: CallState, to_tag: str, far: FarMedia) -> LocalMedia:
    listener = call.far.get(LegName.A)
    way = _PLAIN if listener is None or listener.secure is None else _encrypted(listener.secure)
    return await _signal(call, "answer", far, {**way, "to-tag": to_tag, "label": to_tag})


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
        "flags": [*_FLAGS, *_sources(far), *(["inject-DTMF"] if call.injects else ())],
        "replace": ["origin"],
        "DTLS": "passive",
        **fields,
    }
    try:
        return synthetic_sdp.read_local((await call.node.request(command, message))["sdp"])
    except (NgRefused, KeyError, synthetic_sdp.UnreadableReply) as error:
        raise MediaUnavailable("rtpengine refused the media of this call.") from error


def _sources(far: FarMedia) -> list[str]:
    """Whose packets are believed. Behind NAT the first sender is; a trunk's SDP address is true, and a window in which
    anybody is learned from (the daemon's default: 3 s after each offer and answer) would let strangers in. With ICE the
    checks say where packets come from, and what is not encrypted with the leg's keys is dropped anyway."""
    if far.secure is not None and far.secure.ice is not None:
        return []
    return ["strict-source", "endpoint-learning-immediate" if far.nat else "endpoint-learning-off"]
