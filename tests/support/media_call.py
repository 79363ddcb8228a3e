"""Answered calls with sound between lab phones, and a media driver that goes away, for wire tests over both drivers."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from maskline.lab.phone import Behaviour, Phone
from maskline.lab.tones import heard_tone
from tests.support.rig import Rig, happened
from tests.support.waiting import until

TONES = (440, 1000)
HEARD = 60
"""Packets of 20 ms after which a phone has heard enough to tell the tone."""


def hears(phone: Phone, packets: int = HEARD) -> bool:
    return phone.audio is not None and phone.audio.heard_packets >= packets


async def talk(rig: Rig) -> None:
    """An answered call up to the moment when both have heard enough."""
    await rig.prepare(Behaviour.ANSWER)
    rig.dial()
    assert await happened(rig.caller.answered)
    await until(lambda: hears(rig.caller) and hears(rig.callee), within=30, what="sound in both directions")


def has_report(phone: Phone) -> bool:
    """Whether an RTCP packet has come (types 200 to 204; as RTP that would be payload types 72 to 76, RFC 5761)."""
    return phone.audio is not None and any(200 <= packet[1] <= 204 for packet in phone.audio.received)


async def sounding_call(rig: Rig, *, with_reports: bool = False) -> dict[str, Any]:
    """One whole call with both tones, and until both have RTCP if wanted; returns its SESSION_SUMMARY."""
    await talk(rig)
    if with_reports:
        await until(
            lambda: has_report(rig.caller) and has_report(rig.callee), within=30, what="RTCP in both directions"
        )
    rig.caller.hang_up()
    assert await happened(rig.caller.ended)
    assert await happened(rig.callee.ended)
    for listener, speaker in ((rig.caller, rig.callee), (rig.callee, rig.caller)):
        assert listener.audio is not None
        assert heard_tone(listener.audio.heard, TONES) == speaker.tone
    rig.assert_nothing_leaked()
    payload = await rig.summary()
    assert payload["sessionStatus"] == "COMPLETED"
    return payload


async def refused_call(rig: Rig) -> None:
    """A call while there is no media: 503, and nobody is troubled."""
    await rig.prepare(Behaviour.ANSWER)
    rig.dial()
    assert await happened(rig.caller.ended)
    assert rig.caller.final_status == 503
    assert rig.callee.trace == []
    await rig.summary()  # the session is free again, and this does not come during the next call


def health(rig: Rig) -> tuple[int, bool]:
    """Status of /healthz, and what it says of media."""
    try:
        with urllib.request.urlopen(rig.platform.url + "/healthz", timeout=30) as answer:
            status, body = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, body = error.code, error.read()
    return status, bool(json.loads(body)["parts"]["media"]["ok"])


async def media_is(rig: Rig, up: bool, within: float = 30.0) -> None:
    deadline = time.monotonic() + within
    while (found := await asyncio.to_thread(health, rig)) != (200, up):
        assert time.monotonic() < deadline, f"media is {found}, not up={up}"
        await asyncio.sleep(0.05)


def said(rig: Rig, event: str) -> list[str]:
    """Log lines of one event."""
    return [line for line in rig.platform.log_path.read_text().splitlines() if f" {event} " in line]


def away_and_back(rig: Rig) -> list[int]:
    """How often the log said so."""
    return [len(said(rig, event)) for event in ("media_away", "media_back")]


def media_workers(rig: Rig) -> list[int]:
    """Pids of the relay processes that this platform started."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == rig.platform.pid and b"media" in command:
            found.append(int(entry.name))
    return found


def signal_workers(rig: Rig, number: signal.Signals) -> list[int]:
    pids = media_workers(rig)
    for pid in pids:
        os.kill(pid, number)
    return pids
