"""Legs that speak different laws of G.711, through the whole server: what is heard is as loud as what was said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from maskline.lab.offer import EVENTS, PCMA, PCMU
from maskline.lab.phone import Behaviour, Phone
from maskline.lab.sound import Samples, decode
from maskline.lab.tones import heard_tone, tone_second
from tests.support.media_call import TONES, hears
from tests.support.rig import Rig, happened
from tests.support.waiting import until

pytestmark = pytest.mark.wire


def loudness(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples.astype(np.float64)))))


def steady(phone: Phone) -> Samples:
    """Half a second of what it hears, from the middle."""
    return phone.ear.samples()[4000:8000]


async def test_laws_are_translated_in_both_directions_and_nothing_gets_louder(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    try:
        await rig.open()
        for caller, callee in (((PCMU, EVENTS), (PCMA, EVENTS)), ((PCMA, EVENTS), (PCMU, EVENTS))):
            rig.caller.codecs, rig.callee.codecs = caller, callee
            await rig.prepare(Behaviour.ANSWER)
            rig.dial()
            assert await happened(rig.caller.answered)
            await until(lambda: hears(rig.caller) and hears(rig.callee), within=30, what="sound in both directions")
            rig.caller.press("5")
            await until(lambda: rig.callee.ear.digits == "5", within=30, what="the digit")
            rig.caller.hang_up()
            assert await happened(rig.callee.ended)
            for listener, speaker, kind in ((rig.caller, rig.callee, caller), (rig.callee, rig.caller, callee)):
                assert {item.kind for item in listener.ear.voices} == {kind[0].payload_type}
                assert heard_tone(listener.ear.mu_law, TONES) == speaker.tone
                # One law's step is a twentieth of a level at most: 0.4 dB of the whole.
                said = loudness(decode(tone_second(speaker.tone)))
                assert loudness(steady(listener)) == pytest.approx(said, rel=0.03)
    finally:
        await rig.close()
