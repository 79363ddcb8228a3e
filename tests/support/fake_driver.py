"""A media driver that moves nothing: notes what it is asked, and fails when told to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from maskline.errors import MediaUnavailable
from maskline.masking.call_record import Quality
from maskline.masking.facts import LegName
from maskline.media.port import Clip, FarMedia, HeldMedia, LocalMedia, MediaEvent, Spool
from maskline.sdp.session import Codec
from tests.support.call_machine import LOCAL_A, LOCAL_B

SPOOL = Spool("/spool/recording", "maskline", ())


class FakeDriver:
    """Notes what it is asked; `away` makes it raise, `bug` raises something it should not."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.away = False
        self.available = True
        self.transcodes = False
        self.encrypts = False
        self.bug: Exception | None = None
        self.on_event: Callable[[MediaEvent], None] | None = None
        self._changed = asyncio.Event()

    async def start(self, on_event: Callable[[MediaEvent], None]) -> None:
        self.on_event = on_event

    async def stop(self) -> None:
        self.asked.append(("stop",))

    async def leave(self) -> None:
        self.asked.append(("leave",))

    async def until(self, what: str) -> None:
        """Wait until it has been asked for this."""
        async with asyncio.timeout(30):
            while not any(asked[0] == what for asked in self.asked):
                self._changed.clear()
                await self._changed.wait()

    async def _note(self, *what: Any) -> None:
        self.asked.append(what)
        self._changed.set()
        await asyncio.sleep(0)
        if self.bug is not None:
            raise self.bug
        if self.away:
            raise MediaUnavailable

    async def open_leg(
        self, call_id: str, leg: LegName, far: FarMedia | None, *, codecs: tuple[Codec, ...], encrypted: bool = False,
        ipv6: bool = False,
    ) -> LocalMedia:  # fmt: skip
        await self._note("open", call_id, leg)
        return LOCAL_A if leg is LegName.A else LOCAL_B

    async def adopt(self, call_id: str, held: HeldMedia, *, digits: bool = True) -> None:
        await self._note("adopt", call_id, held, digits)

    async def attach(self, call_id: str, leg: LegName, far: FarMedia) -> None:
        await self._note("attach", call_id, leg)

    async def bridge(self, call_id: str, *, digits: bool = True) -> None:
        await self._note("bridge", call_id, digits)

    async def unbridge(self, call_id: str) -> None:
        await self._note("unbridge", call_id)

    async def play(self, call_id: str, leg: LegName, clip: Clip, play_id: int, *, repeat: int = 1) -> None:
        await self._note("play", call_id, leg, clip, play_id, repeat)

    async def stop_playing(self, call_id: str, leg: LegName) -> None:
        await self._note("stop playing", call_id, leg)

    async def collect(self, call_id: str, leg: LegName, on: bool) -> None:
        await self._note("collect", call_id, leg, on)

    async def send_digit(self, call_id: str, leg: LegName, digit: str, *, duration_ms: int = 160) -> None:
        await self._note("send digit", call_id, leg, digit)

    async def start_recording(self, call_id: str, recording_id: str) -> Spool:
        await self._note("record", call_id, recording_id)
        return SPOOL

    async def stop_recording(self, call_id: str) -> None:
        await self._note("stop recording", call_id)

    async def stats(self, call_id: str) -> dict[LegName, Quality]:
        return {}

    async def close(self, call_id: str) -> dict[LegName, Quality]:
        await self._note("close", call_id)
        return {LegName.A: Quality(4.4, 0.0, 0.0, 1, 0)}
