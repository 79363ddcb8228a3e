"""Hold and resume by the button of a real telephone: silence while it lasts, and both voices afterwards.

What each telephone is sent is heard on the wire: once it was on hold, baresip 1.0.0 keeps nothing of what it hears any
more, also without us between (seen with two of them), though RTP goes both ways.
"""

from __future__ import annotations

import time

import pytest

from tests.support.baresip import Baresip
from tests.support.heard_field import Evening, together
from tests.support.pcap import Tap
from tests.support.sipp_field import until

pytestmark = pytest.mark.wire
SECOND = 8_000
"""Samples."""
QUIET = 0.4
"""Seconds: twenty packets of a voice."""


def _both_hear_what_is_said_now(phones: tuple[Baresip, Baresip], taps: tuple[Tap, Tap]) -> None:
    now = time.monotonic()
    # Its file of what it said is behind by a buffer of half a second.
    said = [(phone.voice, len(phone.said) + SECOND) for phone in phones]
    for (voice, start), tap in zip(said, reversed(taps), strict=True):
        tap.wait_to_hear(voice[start : start + SECOND], since=now)


def _nobody_hears_anything(taps: tuple[Tap, Tap]) -> None:
    def silent() -> bool:
        return all(time.monotonic() - tap.ear.voices[-1].at > QUIET for tap in taps)

    until(silent, 5.0, "silence")


@together
def test_whoever_presses_hold_and_resume_hears_and_is_heard_again(evening: Evening) -> None:
    phones = caller, callee = evening.baresip(31), evening.baresip(32)
    evening.session(caller.number, callee.number)
    evening.dial(caller)
    caller.wait_for("CALL_ESTABLISHED")
    callee.wait_for("CALL_ESTABLISHED")
    taps = Tap(caller.media_port), Tap(callee.media_port)
    try:
        _both_hear_what_is_said_now(phones, taps)
        for phone in phones:
            phone.hold()
            _nobody_hears_anything(taps)
            phone.resume()
            _both_hear_what_is_said_now(phones, taps)
    finally:
        for tap in taps:
            tap.close()
    caller.hang_up()
    callee.wait_for("CALL_CLOSED")
    record = evening.record(caller.number)
    assert (record.outcome, record.cause) == ("completed", "normal")
    assert [fact["leg"] for fact in evening.facts(record, "LegChanged")] == ["a", "a", "b", "b"]
