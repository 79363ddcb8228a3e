"""What a leg hears and whether its digits count: the daemon's commands for one call.

What it is: keeping two attached legs apart until the bridge, clips, tones in the audio, digits we press. What it is
not: timers or events (`driver.py` has them). Every function raises `MediaUnavailable`, also when the daemon refuses.

Measured with 10.5.3.5: `block media` stops audio but lets telephone events pass, so both kinds are blocked; a clip is
played to a blocked leg all the same, and events of a blocked leg are still reported. Who uses it: `driver.py`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

from maskline.errors import MediaUnavailable
from maskline.masking.facts import LegName
from maskline.media.port import Clip
from maskline.media.rtpengine import signalling
from maskline.media.rtpengine.call_state import OTHER, CallState
from maskline.media.rtpengine.client import NgRefused

_FOR_EVER = 1_000_000_000
_AUDIO_AGAIN = 0.7
"""Seconds of audio behind a party's last key until its stream takes a digit of ours: 17 packets of up to 40 ms. The
daemon presses into the payload type that most of the last 32 packets had. After two or three keys that is
telephone-event, whose packets it passes by, and a digit pressed there is answered with ok and never heard."""
_LOUDNESS = -10
"""dBm0 of digits we press. The daemon's own choice is -63, which receivers have to pass by (RFC 4733 §2.5.2.3)."""
_ALL = {"flags": ["all"]}


async def keep_apart(call: CallState) -> None:
    """The daemon relays from the answer on; the legs are to hear each other only when they are bridged."""
    await asyncio.gather(_ask(call, "block media", _ALL), _ask(call, "block DTMF", _ALL))


async def join(call: CallState) -> None:
    """The legs hear each other; their digits cross if they may."""
    digits = "unblock DTMF" if call.digits else "block DTMF"
    await asyncio.gather(_ask(call, "unblock media", _ALL), _ask(call, digits, _ALL))


async def mute(call: CallState, leg: LegName, on: bool) -> None:
    """What this leg's far side says goes no further."""
    await _ask(call, "block media" if on else "unblock media", {"from-tag": leg.value})


async def play(call: CallState, leg: LegName, clip: Clip, passes: int) -> None:
    """By path if the daemon can read it, else in the message: it may be another user's, or on another host."""
    fields = {"from-tag": leg.value, "repeat-times": passes or _FOR_EVER}
    if call.node.reads_files:
        with suppress(NgRefused):
            await call.node.request("play media", {"call-id": call.id, "file": clip.path, **fields})
            return
    try:
        sound = await asyncio.to_thread(Path(clip.path).read_bytes)
    except OSError as error:
        raise MediaUnavailable("The clip cannot be read.") from error
    await _ask(call, "play media", {"blob": sound, **fields})
    call.node.reads_files = False


async def stop(call: CallState, leg: LegName) -> None:
    await _ask(call, "stop media", {"from-tag": leg.value})


async def listen_for_tones(call: CallState, leg: LegName, on: bool) -> None:
    """Puts the leg through the daemon's transcoder; switched off, it leaves it with the next offer and answer."""
    flags = {"flags": ["detect-DTMF"], "delay-buffer": 0} if on else {}
    await _ask(call, "unblock DTMF", {"from-tag": leg.value, **flags})


async def be_ready_to_press(call: CallState) -> None:
    """Being ready for it costs the transcoder and 20 ms, so a call is made ready at its first digit and stays so: more
    will follow."""
    if call.injects:
        return
    call.injects = True
    try:
        await signalling.open_a(call)
    except MediaUnavailable:
        call.injects = False
        raise


async def press(call: CallState, leg: LegName, digit: str, duration_ms: int) -> None:
    """A telephone event toward this leg's far side, in the stream of the other one, as soon as that takes it."""
    async with call.pressing:
        keyed_at = call.keyed_at.get(OTHER[leg])
        if keyed_at is not None:
            await asyncio.sleep(keyed_at + _AUDIO_AGAIN - asyncio.get_running_loop().time())
        fields = {"from-tag": OTHER[leg].value, "code": digit, "volume": _LOUDNESS, "duration": duration_ms}
        call.pressed.append((OTHER[leg], digit))
        try:
            await call.node.request("play DTMF", {"call-id": call.id, **fields})
        except NgRefused:
            call.pressed.pop()  # over, or the other side has not sent a packet yet: there is no stream to press it in


async def _ask(call: CallState, command: str, fields: dict[str, Any]) -> None:
    try:
        await call.node.request(command, {"call-id": call.id, **fields})
    except NgRefused as error:
        raise MediaUnavailable("rtpengine refused the media of this call.") from error
