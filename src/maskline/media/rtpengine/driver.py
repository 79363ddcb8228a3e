"""The rtpengine media driver.

What it is: `MediaDriver` over one or more rtpengine daemons. A call lives on the daemon its id hashes to among those
that answer; what was asked for a call is kept, and asked for again when the daemon was restarted with its calls
(Redis). What it is not: configuration of the daemon (docs/howto/rtpengine.md). Who uses it: `app.py`.

The daemon has no event for the end of a clip: a timer of its length stands for it. Digits come over TCP
(`stream.py`).
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from maskline.errors import MediaUnavailable
from maskline.masking.call_record import Quality
from maskline.masking.facts import LegName
from maskline.media.port import (
    Clip,
    DigitPressed,
    FarMedia,
    HeldMedia,
    LocalMedia,
    MediaEvent,
    PlayDone,
    RecordingLost,
    Spool,
)
from maskline.media.rtpengine import signalling, sound
from maskline.media.rtpengine.adoption import adopted, read_notice
from maskline.media.rtpengine.call_state import OTHER, CallState, Playing
from maskline.media.rtpengine.choice import by_preference, holder, open_leg
from maskline.media.rtpengine.client import NgNode, NgRefused
from maskline.media.rtpengine.figures import read_figures
from maskline.media.rtpengine.ng_codec import Dictionary
from maskline.media.rtpengine.recorder import Recorder
from maskline.media.rtpengine.supervision import PROBE_EVERY, Supervision
from maskline.sdp.session import Codec

_CLIP_TAIL = 0.06
"""Seconds by which a clip may end after its length: it starts up to 7 ms late; 5 passes of 0.3 s took 1.43 s."""


class RtpengineDriver:
    transcodes = True
    encrypts = True

    def __init__(
        self,
        nodes: Sequence[tuple[str, int]],
        *,
        timeout: float = 60.0,
        recordings: Path = Path("/var/spool/rtpengine"),
    ) -> None:
        """`nodes` are ng addresses; `timeout` is seconds without a packet from either side; `recordings` is the
        daemons' recording-dir as seen from here."""
        self._nodes = [NgNode(host, port, self._on_notice) for host, port in nodes]
        self.calls: dict[str, CallState] = {}
        self._supervision = Supervision(self._nodes, self, timeout)
        self._recorder = Recorder(recordings)
        self._on_event: Callable[[MediaEvent], None] = _ignore
        self._tasks: set[asyncio.Task[None]] = set()
        self.renewed = 0
        """Calls that lived on in a restarted daemon, and for which all was asked again."""

    # --- life ---------------------------------------------------------------------------------------------------

    async def start(self, on_event: Callable[[MediaEvent], None]) -> None:
        self._on_event = on_event
        await self._supervision.start()

    async def stop(self) -> None:
        await self._supervision.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for call_id in list(self.calls):
            self.forget(call_id)
        for node in self._nodes:
            node.close()

    leave = stop  # calls are the daemon's: it is told of none of this

    @property
    def available(self) -> bool:
        return any(node.up for node in self._nodes)

    def living(self) -> list[str]:
        """Addresses of the daemons that answer."""
        return [node.name for node in self._nodes if node.up]

    # --- legs ---------------------------------------------------------------------------------------------------

    async def open_leg(
        self, call_id: str, leg: LegName, far: FarMedia | None, *, codecs: tuple[Codec, ...], encrypted: bool = False,
        ipv6: bool = False,
    ) -> LocalMedia:  # fmt: skip
        call = self.calls.get(call_id)
        if call is None:
            call = self.calls[call_id] = CallState(call_id, by_preference(self._nodes, call_id)[0])
        known, call.codecs[leg] = call.local.get(leg), codecs
        if far is not None:
            call.meet(leg, far)
        if known is not None and far is None:
            return known
        if encrypted:
            call.encrypted.add(leg)
        if ipv6:
            call.ipv6.add(leg)
        try:
            local = await open_leg(call, leg, self._nodes)
        except MediaUnavailable:
            if not call.local:
                del self.calls[call_id]
            raise
        call.local[leg] = local
        return local

    async def adopt(self, call_id: str, held: HeldMedia, *, digits: bool = True) -> None:
        node = await holder(self._nodes, call_id)
        call = self.calls[call_id] = await adopted(call_id, node, held, self._recorder, digits=digits)
        self._supervision.watch(call)

    async def attach(self, call_id: str, leg: LegName, far: FarMedia) -> None:
        call = self._known(call_id)
        call.meet(leg, far)
        if leg is LegName.A:
            await signalling.open_a(call)
            return
        # Before the answer, from which on the daemon relays: a packet of A's that slips through makes a phone take
        # the clip that follows for late packets of the same stream (seen: baresip hears nothing of it). The answer
        # is what Redis keeps, so a restarted daemon has the call blocked until `renew` joins it.
        if not call.bridged:
            call.apart = True
            await sound.keep_apart(call)
        await signalling.attach_b(call, far)

    async def bridge(self, call_id: str, *, digits: bool = True) -> None:
        """The daemon relays from the answer on, unless it is told not to; from here the silence is watched."""
        call = self._known(call_id)
        if not call.node.up:
            raise MediaUnavailable
        if call.bridged:
            return
        call.digits = digits
        heard = {*call.playing, *call.astray}
        for leg in heard:
            self._silence(call, leg)
        await asyncio.gather(*(_tolerant(sound.stop(call, leg)) for leg in heard))
        call.astray.clear()
        if call.apart or not digits:
            await sound.join(call)
        call.apart, call.bridged = False, True
        self._supervision.watch(call)

    async def unbridge(self, call_id: str) -> None:
        """The daemon frees a call by its own time-out when its first leg is silent too; that is a lost call then."""
        call = self._known(call_id)
        if not call.bridged:
            return
        call.apart, call.bridged = True, False
        self._supervision.forget(call_id)
        await sound.keep_apart(call)

    async def stats(self, call_id: str) -> dict[LegName, Quality]:
        call = self._known(call_id)
        try:
            return read_figures(await call.node.request("query", {"call-id": call_id}))
        except NgRefused as error:
            raise MediaUnavailable("The media of this call is gone.") from error

    async def close(self, call_id: str) -> dict[LegName, Quality]:
        call = self.calls.get(call_id)
        if call is None:
            if not self.available:
                raise MediaUnavailable
            return {}
        try:
            with suppress(MediaUnavailable):  # refused: the call is gone, and with it the recording ended
                await self._recorder.stop(call)
            reply = await call.node.request("delete", {"call-id": call_id, "from-tag": LegName.A.value})
        except NgRefused:  # freed by its own timeout, or by a restart
            reply = {}
        except MediaUnavailable:
            call.over = True
            self._supervision.watch_soon(call)
            raise
        self.forget(call_id)
        return read_figures(reply)

    # --- clips --------------------------------------------------------------------------------------------------

    async def play(self, call_id: str, leg: LegName, clip: Clip, play_id: int, *, repeat: int = 1) -> None:
        call = self._known(call_id)
        try:
            if call.bridged and leg not in call.playing:
                await sound.mute(call, OTHER[leg], True)
            self._silence(call, leg)
            await signalling.wait_for_keys(call, leg)
            await self._play(call, leg, Playing(clip, play_id, repeat))
        except MediaUnavailable:
            call.astray.add(leg)
            self._unmute(call, leg)
            raise

    async def _play(self, call: CallState, leg: LegName, playing: Playing) -> None:
        await sound.play(call, leg, playing.clip, playing.passes)
        self._silence(call, leg)
        call.playing[leg] = playing
        if playing.passes:
            loop = asyncio.get_running_loop()
            playing.until = loop.time() + playing.clip.duration * playing.passes + _CLIP_TAIL
            playing.timer = loop.call_at(playing.until, self._played, call, leg, playing)

    def _played(self, call: CallState, leg: LegName, playing: Playing) -> None:
        if call.playing.get(leg) is playing:
            self._silence(call, leg)
            self._unmute(call, leg)
            self.tell(PlayDone(call.id, leg, playing.play_id))

    async def stop_playing(self, call_id: str, leg: LegName) -> None:
        call = self._known(call_id)
        if leg not in call.playing:
            return
        self._silence(call, leg)
        self._unmute(call, leg)
        await sound.stop(call, leg)

    def _unmute(self, call: CallState, leg: LegName) -> None:
        """Whatever became of the clip, the two are to hear each other again."""
        if call.bridged:
            self._spawn(self._unmute_at_last(call, leg))

    async def _unmute_at_last(self, call: CallState, leg: LegName) -> None:
        """A daemon that stalls now is asked again, for as long as the call lasts and nothing else plays."""
        while self.calls.get(call.id) is call and leg not in call.playing:
            with suppress(MediaUnavailable):
                await sound.mute(call, OTHER[leg], False)
                return
            await asyncio.sleep(PROBE_EVERY)

    @staticmethod
    def _silence(call: CallState, leg: LegName) -> None:
        """No `PlayDone` for what plays to this leg now."""
        playing = call.playing.pop(leg, None)
        if playing is not None and playing.timer is not None:
            playing.timer.cancel()

    # --- digits -------------------------------------------------------------------------------------------------

    async def collect(self, call_id: str, leg: LegName, on: bool) -> None:
        call = self._known(call_id)
        if on == (leg in call.collecting):
            return
        (call.collecting.add if on else call.collecting.discard)(leg)
        if not call.has_events(leg):
            await sound.listen_for_tones(call, leg, on)

    async def send_digit(self, call_id: str, leg: LegName, digit: str, *, duration_ms: int = 160) -> None:
        call = self._known(call_id)
        if call.bridged and call.has_events(leg):
            await sound.be_ready_to_press(call)
            self._spawn(sound.press(call, leg, digit, duration_ms))

    def _on_notice(self, notice: Dictionary) -> None:
        """A digit ended in a call of this daemon, ours or not, collecting or not."""
        call_id, leg, digit = read_notice(notice)
        call = self.calls.get(call_id)
        if call is None or not digit or call.is_our_digit(leg, digit):
            return
        call.keyed_at[leg] = asyncio.get_running_loop().time()
        if leg in call.collecting:
            self.tell(DigitPressed(call.id, leg, digit))

    # --- recording ----------------------------------------------------------------------------------------------

    async def start_recording(self, call_id: str, recording_id: str) -> Spool:
        call = self._known(call_id)
        return await self._recorder.start(call, recording_id)

    async def stop_recording(self, call_id: str) -> None:
        call = self._known(call_id)
        await self._recorder.stop(call)

    # --- after a restart of the daemon (`Supervision` asks) --------------------------------------------------

    async def renew(self, call: CallState) -> None:
        """The daemon has the call from Redis, which holds offers and answers only. Raises `MediaUnavailable`."""
        await signalling.believe_anew(call)
        if call.apart:
            await sound.keep_apart(call)
        elif call.bridged:
            await sound.join(call)
        for leg, playing in list(call.playing.items()):
            await self._play_again(call, leg, playing)
        for leg in call.collecting:
            if not call.has_events(leg):
                await sound.listen_for_tones(call, leg, True)
        if not await self._recorder.go_on(call):
            call.recording = None
            self.tell(RecordingLost(call.id))
        self.renewed += 1

    async def _play_again(self, call: CallState, leg: LegName, playing: Playing) -> None:
        """The pass that was cut short is played from its start."""
        left = playing.until - asyncio.get_running_loop().time()
        passes = max(1, math.ceil(left / playing.clip.duration)) if playing.passes else 0
        if call.bridged:
            await sound.mute(call, OTHER[leg], True)
        await self._play(call, leg, Playing(playing.clip, playing.play_id, passes))

    async def close_late(self, call_id: str) -> None:
        with suppress(MediaUnavailable):
            await self.close(call_id)

    def forget(self, call_id: str) -> None:
        call = self.calls.pop(call_id, None)
        self._supervision.forget(call_id)
        for leg in LegName if call is not None else ():
            assert call is not None
            self._silence(call, leg)

    def tell(self, event: MediaEvent) -> None:
        self._on_event(event)

    # --- helpers --------------------------------------------------------------------------------------------------

    def _known(self, call_id: str) -> CallState:
        call = self.calls.get(call_id)
        if call is None:
            raise MediaUnavailable("The media of this call is gone." if self.available else None)
        return call

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(_tolerant(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _ignore(_event: MediaEvent) -> None:
    """Before `start` nobody listens and nothing happens."""


async def _tolerant(work: Coroutine[Any, Any, None]) -> None:
    """What the daemon does not do because it is away or lost the call is found by `Supervision`."""
    with suppress(MediaUnavailable):
        await work
