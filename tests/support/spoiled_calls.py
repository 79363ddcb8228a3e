"""Calls over networks of a known badness, all at the same time: what tells one media driver's figures from another's.

What it is: parties that send on a schedule made beforehand (packets lost, packets late; the same ones for every
driver) and report what they hear every two seconds, as a telephone does. Everything runs for the same seconds in one
loop: 7 calls through 2 drivers are 1,400 packets/s each way. What it is not: an E-model; the rating is what tests
compare.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from maskline.masking.call_record import Quality
from maskline.masking.facts import LegName
from maskline.media.embedded.reports import Reports
from maskline.media.rtp import RtpPacket, build, parse
from maskline.media.rtpengine.driver import RtpengineDriver
from tests.support.media_harness import Harness
from tests.support.rtp_party import VOICE, Party

_PACKETS_PER_SECOND = 50
_BLOCK = 100
_REPORT_EVERY = 2.0
"""A block; of reports within a second rtpengine keeps one, which would make its mean one of few samples."""


@dataclass(frozen=True)
class Way:
    """What becomes of the packets of one direction before they reach the relay."""

    loss: float = 0.0
    delay_ms: float = 0.0
    """At random from none to this; packets may overtake each other."""


CLEAN, LATE = Way(), Way(delay_ms=40.0)


@dataclass(frozen=True)
class Plan:
    """One call: how each party's packets travel, and who sends RTCP."""

    name: str
    from_a: Way
    from_b: Way
    reporting: frozenset[LegName] = frozenset(LegName)


@dataclass
class Told:
    """What is known of one call at its end."""

    figures: dict[LegName, Quality]
    theirs: dict[LegName, float]
    """MOS in rtpengine's own reply of what each leg's far side sent; empty for the embedded driver, or if it knows
    none."""
    sent: dict[LegName, int]
    """Packets that were not lost."""


@dataclass
class _Speaker:
    party: Party
    way: Way
    reports: Reports
    sent: int = 0
    schedule: list[tuple[float, bytes]] = field(default_factory=list)

    def plan(self, seconds: float, seed: int) -> None:
        rng = random.Random(seed)
        count = int(seconds * _PACKETS_PER_SECOND)
        # Exactly the share in every block, at random places: figures are compared, not the luck of a short call.
        lost = {
            start + place
            for start in range(0, count, _BLOCK)
            for place in rng.sample(range(1, _BLOCK - 1), round(_BLOCK * self.way.loss))
        }
        for index in range(count):
            packet = RtpPacket(0, (7000 + index) & 0xFFFF, 160 * index, self.party.ssrc, b"\xff" * 160)
            if index not in lost:
                late = rng.uniform(0.0, self.way.delay_ms) / 1000.0
                self.schedule.append((index / _PACKETS_PER_SECOND + late, build(packet)))
        self.schedule.sort()

    def send_due(self, elapsed: float) -> None:
        while self.sent < len(self.schedule) and self.schedule[self.sent][0] <= elapsed:
            self.party.rtp.sendto(self.schedule[self.sent][1], self.party.to)
            self.sent += 1

    def hears_all_of(self, other: _Speaker) -> bool:
        return self.party.counts.received == len(other.schedule)

    def on_rtp(self) -> None:
        try:
            packet = parse(self.party.rtp.recv(2048))
        except BlockingIOError:
            return
        assert packet is not None
        self.party.counts.count(packet.ssrc, packet.sequence, packet.timestamp, time.monotonic())

    def on_rtcp(self) -> None:
        try:
            data = self.party.rtcp.recv(2048)
        except BlockingIOError:
            return
        self.reports.take(data, time.monotonic(), time.time())

    def report(self, elapsed: float) -> None:
        now, wall = time.monotonic(), time.time()
        timestamp = int(elapsed * 8000)
        data = self.reports.make(
            self.party.counts, now, wall, sent=self.sent, octets=160 * self.sent, rtp_timestamp=timestamp
        )
        self.party.rtcp.sendto(data, self.party.rtcp_to)


async def run(media: Harness, plans: Sequence[Plan], seconds: float) -> dict[str, Told]:
    """All calls at once through one driver."""
    with ExitStack() as stack:
        pairs = [_pair(stack, plan, number, seconds) for number, plan in enumerate(plans)]
        for plan, (a, b) in zip(plans, pairs, strict=True):
            await _connect(media, plan.name, a.party, b.party)
        listeners = [speaker for pair in pairs for speaker in pair]
        loop = asyncio.get_running_loop()
        for speaker in listeners:
            loop.add_reader(speaker.party.rtp, speaker.on_rtp)
            loop.add_reader(speaker.party.rtcp, speaker.on_rtcp)
        try:
            await _speak(plans, pairs, seconds)
            return {plan.name: await _told(media, plan.name, a, b) for plan, (a, b) in zip(plans, pairs, strict=True)}
        finally:
            for speaker in listeners:
                loop.remove_reader(speaker.party.rtp)
                loop.remove_reader(speaker.party.rtcp)


def _pair(stack: ExitStack, plan: Plan, number: int, seconds: float) -> tuple[_Speaker, _Speaker]:
    def speaker(way: Way, side: int) -> _Speaker:
        ssrc = 0xA0000 + 16 * number + side
        made = _Speaker(stack.enter_context(Party(ssrc)), way, Reports(ssrc))
        made.plan(seconds, seed=ssrc)
        return made

    return speaker(plan.from_a, 1), speaker(plan.from_b, 2)


async def _connect(media: Harness, call_id: str, alice: Party, bob: Party) -> None:
    driver = media.driver
    alice.aim(await driver.open_leg(call_id, LegName.A, alice.far, codecs=VOICE))
    bob.aim(await driver.open_leg(call_id, LegName.B, None, codecs=VOICE))
    await driver.attach(call_id, LegName.B, bob.far)
    await driver.bridge(call_id)


async def _speak(plans: Sequence[Plan], pairs: Sequence[tuple[_Speaker, _Speaker]], seconds: float) -> None:
    started = time.monotonic()
    reporters: list[Callable[[float], None]] = [
        speaker.report
        for plan, pair in zip(plans, pairs, strict=True)
        for leg, speaker in zip(LegName, pair, strict=True)
        if leg in plan.reporting
    ]
    next_report = _REPORT_EVERY
    while (elapsed := time.monotonic() - started) < seconds + 3.0:
        for pair in pairs:
            for speaker in pair:
                speaker.send_due(elapsed)
        if elapsed >= next_report:
            next_report += _REPORT_EVERY
            for report in reporters:
                report(elapsed)
        if elapsed >= seconds and all(a.hears_all_of(b) and b.hears_all_of(a) for a, b in pairs):
            return
        await asyncio.sleep(0.004)  # the pace of the load itself


async def _told(media: Harness, call_id: str, a: _Speaker, b: _Speaker) -> Told:
    theirs: dict[LegName, float] = {}
    if isinstance(media.driver, RtpengineDriver):
        reply = await media.driver.calls[call_id].node.request("query", {"call-id": call_id})
        for leg, listener in ((LegName.A, b), (LegName.B, a)):
            score = _own_mos(reply, listener.party.ssrc)
            if score is not None:
                theirs[leg] = score
    figures = await media.driver.close(call_id)
    return Told(figures, theirs, {LegName.A: len(a.schedule), LegName.B: len(b.schedule)})


def _own_mos(reply: dict[str, Any], listener: int) -> float | None:
    """The daemon's own rating of what the owner of this SSRC heard."""
    average = (reply.get("SSRC") or {}).get(str(listener), {}).get("average MOS", {})
    return average["MOS"] / 10.0 if "MOS" in average else None
