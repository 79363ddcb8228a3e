"""The embedded media driver: relay workers of our own, installed with pip alone.

What it is: `MediaDriver` over one or more `WorkerLink`s; a new call goes to the worker with the fewest. What it is
not: in the path of audio; this is the engine's process, packets never come here. Who uses it: `app.py` builds it,
the engine calls it through the port.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from maskline.errors import ConfigurationError, MediaUnavailable
from maskline.masking.call_record import Quality
from maskline.masking.facts import LegName
from maskline.media.embedded import wire
from maskline.media.embedded.link import WorkerLink
from maskline.media.embedded.process import DEFAULT_COMMAND, WorkerSetup
from maskline.media.embedded.wanted import CallWanted, LegWanted, Playing, read_position
from maskline.media.port import Clip, FarMedia, HeldMedia, LocalMedia, MediaEvent, Spool
from maskline.sdp.session import Codec

_LONGEST_SOCKET_PATH = 100
"""Bytes; a unix socket address holds 108 on Linux and 104 elsewhere, the terminating zero included."""
_LEAST_PORTS = 4
"""One call."""


class EmbeddedDriver:
    def __init__(
        self,
        *,
        hosts: tuple[str, ...],
        ports: tuple[int, int],
        socket_dir: Path,
        workers: int = 1,
        timeout: float = 60.0,
        spool_dir: Path | None = None,
        command: Sequence[str] = DEFAULT_COMMAND,
    ) -> None:
        """`hosts`: one address, or one of each family; `ports` is the first and last one, shared out among `workers`;
        `socket_dir` is made with mode 0700, recordings are spooled in `spool_dir`, or in `spool` beside the sockets.
        `timeout` is seconds without a packet from either side. Raises `ConfigurationError`."""
        self._socket_dir = socket_dir.absolute()
        spool = (spool_dir or self._socket_dir / "spool").absolute()
        self._on_event: Callable[[MediaEvent], None] = _ignore
        self._links: list[WorkerLink] = []
        for index, share in enumerate(_share_out(ports, workers)):
            socket = self._socket_dir / f"media-{index}.sock"
            if len(str(socket).encode()) > _LONGEST_SOCKET_PATH:
                raise ConfigurationError(f"The path of the data directory is too long for a socket: {socket}.")
            setup = WorkerSetup(socket, ",".join(hosts), share, timeout, spool, command)
            self._links.append(WorkerLink(setup, self._emit))

    async def start(self, on_event: Callable[[MediaEvent], None]) -> None:
        self._on_event = on_event
        self._socket_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        await asyncio.gather(*(link.start() for link in self._links))

    async def stop(self) -> None:
        await asyncio.gather(*(link.stop() for link in self._links))

    async def leave(self) -> None:
        await asyncio.gather(*(link.stop(leave=True) for link in self._links))

    @property
    def available(self) -> bool:
        return any(link.up for link in self._links)

    @property
    def transcodes(self) -> bool:
        return False

    @property
    def encrypts(self) -> bool:
        return False

    def calls(self) -> set[str]:
        """What the workers hold, calls of an engine before this one included."""
        return set().union(*(link.calls for link in self._links))

    def worker_pids(self) -> list[int]:
        """Process ids of the workers last reached, for `maskline doctor` and tests."""
        return [link.pid for link in self._links if link.pid]

    async def open_leg(
        self, call_id: str, leg: LegName, far: FarMedia | None, *, codecs: tuple[Codec, ...], encrypted: bool = False,
        ipv6: bool = False,
    ) -> LocalMedia:  # fmt: skip
        if encrypted:
            raise MediaUnavailable("The embedded media driver does not encrypt, as this trunk demands.")
        held_by = self._link_of(call_id)
        link = held_by or self._least_busy()
        link.calls.add(call_id)
        try:
            reply = await link.request(
                "open", call=call_id, leg=leg.value, far=wire.write_far(far), codecs=wire.write_codecs(codecs),
                ipv6=ipv6,
            )  # fmt: skip
        except MediaUnavailable:
            if held_by is None and link.up:  # it answered, and refused: it holds nothing
                link.forget(call_id)
            raise
        local, position = wire.read_local(reply), read_position(reply["position"])
        wanted = link.wanted.setdefault(call_id, CallWanted(call_id))
        known = wanted.legs.setdefault(leg, LegWanted(local.port, codecs, position, ipv6=":" in local.address))
        known.codecs = codecs
        known.attached(far)
        return local

    async def adopt(self, call_id: str, held: HeldMedia, *, digits: bool = True) -> None:
        link = self._need_link(call_id)
        positions = await link.request("positions", call=call_id)
        wanted = CallWanted(call_id, recording=held.recording_id)
        for one in held.legs:
            position = read_position(positions[one.leg.value])
            leg = wanted.legs[one.leg] = LegWanted(one.local.port, one.codecs, position, ipv6=one.ipv6)
            leg.attached(one.far)
        if held.bridged:
            wanted.bridge(digits=digits)
        link.wanted[call_id] = wanted

    async def attach(self, call_id: str, leg: LegName, far: FarMedia) -> None:
        link = self._need_link(call_id)
        await link.request("attach", call=call_id, leg=leg.value, far=wire.write_far(far))
        if (known := link.leg(call_id, leg)) is not None:
            known.attached(far)

    async def bridge(self, call_id: str, *, digits: bool = True) -> None:
        link = self._need_link(call_id)
        await link.request("bridge", call=call_id, digits=digits)
        if (wanted := link.wanted.get(call_id)) is not None:
            wanted.bridge(digits=digits)

    async def unbridge(self, call_id: str) -> None:
        link = self._need_link(call_id)
        await link.request("unbridge", call=call_id)
        if (wanted := link.wanted.get(call_id)) is not None:
            wanted.unbridge()

    async def play(self, call_id: str, leg: LegName, clip: Clip, play_id: int, *, repeat: int = 1) -> None:
        link = self._need_link(call_id)
        known, before = link.leg(call_id, leg), None
        if known is not None:  # before it is asked for: a short clip may end before the answer is read
            before, known.playing = known.playing, Playing(clip.path, play_id, repeat, time.monotonic())
        try:
            await link.request("play", call=call_id, leg=leg.value, path=clip.path, play=play_id, repeat=repeat)
        except MediaUnavailable:
            if known is not None:
                known.playing = before
            raise

    async def stop_playing(self, call_id: str, leg: LegName) -> None:
        link = self._need_link(call_id)
        await link.request("stop_playing", call=call_id, leg=leg.value)
        if (wanted := link.wanted.get(call_id)) is not None:
            wanted.stopped(leg)

    async def collect(self, call_id: str, leg: LegName, on: bool) -> None:
        link = self._need_link(call_id)
        await link.request("collect", call=call_id, leg=leg.value, on=on)
        if (known := link.leg(call_id, leg)) is not None:
            known.collecting = on

    async def send_digit(self, call_id: str, leg: LegName, digit: str, *, duration_ms: int = 160) -> None:
        link = self._need_link(call_id)
        await link.request("send_digit", call=call_id, leg=leg.value, digit=digit, duration_ms=duration_ms)

    async def start_recording(self, call_id: str, recording_id: str) -> Spool:
        link = self._need_link(call_id)
        spool = wire.read_spool(await link.request("start_recording", call=call_id, recording=recording_id))
        if (wanted := link.wanted.get(call_id)) is not None:
            wanted.recording = recording_id
        return spool

    async def stop_recording(self, call_id: str) -> None:
        link = self._need_link(call_id)
        await link.request("stop_recording", call=call_id)
        if (wanted := link.wanted.get(call_id)) is not None:
            wanted.recording = ""

    async def stats(self, call_id: str) -> dict[LegName, Quality]:
        link = self._need_link(call_id)
        return link.with_earlier(call_id, _read_figures(await link.request("stats", call=call_id)))

    async def close(self, call_id: str) -> dict[LegName, Quality]:
        link = self._link_of(call_id)
        if link is None:
            if not self.available:
                raise MediaUnavailable
            return {}
        try:
            figures = _read_figures(await link.request("close", call=call_id))
        except MediaUnavailable:
            link.close_later(call_id)
            raise
        figures = link.with_earlier(call_id, figures)
        link.forget(call_id)
        return figures

    def _emit(self, event: MediaEvent) -> None:
        self._on_event(event)

    def _link_of(self, call_id: str) -> WorkerLink | None:
        for link in self._links:
            if call_id in link.calls:
                return link
        return None

    def _need_link(self, call_id: str) -> WorkerLink:
        link = self._link_of(call_id)
        if link is None:
            raise MediaUnavailable("The media of this call is gone." if self.available else None)
        return link

    def _least_busy(self) -> WorkerLink:
        living = [link for link in self._links if link.up]
        if not living:
            raise MediaUnavailable
        return min(living, key=lambda link: len(link.calls))


def _ignore(_event: MediaEvent) -> None:
    """Before `start` nobody listens and nothing happens."""


def _read_figures(reply: wire.Message) -> dict[LegName, Quality]:
    return {LegName(leg): wire.read_quality(figures) for leg, figures in reply.items()}


def _share_out(ports: tuple[int, int], workers: int) -> list[tuple[int, int]]:
    """Even, non-overlapping parts of the range."""
    low, high = ports
    low += low & 1
    pairs = (high - low + 1) // 2
    share = pairs // max(workers, 1)
    if workers < 1 or share * 2 < _LEAST_PORTS:
        raise ConfigurationError("The range of media ports is too small: a call needs four.")
    return [(low + 2 * share * index, low + 2 * share * (index + 1) - 1) for index in range(workers)]
