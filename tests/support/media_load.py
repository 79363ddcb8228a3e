"""One load on one media driver: calls set up through the port, audio from another process, figures of both."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass

from maskline.masking.call_record import Quality
from maskline.masking.facts import LegName
from maskline.media.port import FarMedia
from tests.support.media_harness import Harness
from tests.support.rtp_load import PYTHON_LOAD, Load, Outcome
from tests.support.rtp_party import VOICE


@dataclass(frozen=True)
class Measured:
    outcome: Outcome
    figures: list[dict[LegName, Quality]]
    """Per call, what `close` said."""
    cpu_seconds: float
    """Of the media process while the audio ran."""

    @property
    def cpu_per_call(self) -> float:
        """Share of one core that a call needs."""
        seconds = self.outcome.sent / self.outcome.calls / 100.0
        return self.cpu_seconds / self.outcome.calls / seconds


def cpu_seconds(pid: int) -> float:
    with open(f"/proc/{pid}/stat", "rb") as stat:
        fields = stat.read().rpartition(b")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(
    media: Harness, calls: int, seconds: float, *, recorded: bool = False, generator: Sequence[str] = PYTHON_LOAD
) -> Measured:
    load = await asyncio.to_thread(Load, calls, seconds, generator)
    try:
        targets = [port for index in range(calls) for port in await set_up(media, load, index)]
        if recorded:
            for index in range(calls):
                await media.driver.start_recording(f"load-{index}", f"load-{index}")
        before = cpu_seconds(media.pid)
        outcome = await asyncio.to_thread(load.run, targets)
        spent = cpu_seconds(media.pid) - before
        figures = [await media.driver.close(f"load-{index}") for index in range(calls)]
    finally:
        load.end()
    return Measured(outcome, figures, spent)


async def set_up(media: Harness, load: Load, index: int) -> tuple[int, int]:
    """One bridged call of the load; where its two sides send."""
    call_id, driver = f"load-{index}", media.driver
    a, b = (FarMedia("127.0.0.1", load.ports[2 * index + side], 9, VOICE) for side in (0, 1))
    leg_a = await driver.open_leg(call_id, LegName.A, a, codecs=VOICE)
    leg_b = await driver.open_leg(call_id, LegName.B, None, codecs=VOICE)
    await driver.attach(call_id, LegName.B, b)
    await driver.bridge(call_id)
    return leg_a.port, leg_b.port
