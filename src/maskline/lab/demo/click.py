"""`maskline demo --scenario click`: the application asks for a call, and both telephones ring.

Who uses it: `lab/demo`.
"""

from __future__ import annotations

import re
import time
from typing import Any

from maskline.lab import sound
from maskline.lab.demo.report import Check, Checks, Pointless, leak_checks, print_title, shows_number, sounds_like
from maskline.lab.demo.stage import VIRTUAL, Stage, happened

FIRST_PROMPT, SECOND_PROMPT = sound.speech(33, 1.2), sound.speech(34, 1.2)
RING_WITHIN = 10.0
"""Seconds for the first INVITE; the server looks at once, and once a second for what other processes asked for."""


async def play(stage: Stage) -> bool:
    """One requested call with a prompt for each party."""
    stage.inbox.files |= {"/please-hold.wav": sound.wav(FIRST_PROMPT), "/ride-call.wav": sound.wav(SECOND_PROMPT)}
    await stage.prepare()
    print_title("Click to call: the application asks, the rider rings first", stage.say)
    session = await stage.create_session(
        initiate_call_to_first_party=True, first_party_play_url=stage.inbox.url("/please-hold.wav"),
        second_party_play_url=stage.inbox.url("/ride-call.wav"),
    )  # fmt: skip
    checks = Checks(stage.say)
    try:
        await _call(stage, session, checks)
    except Pointless:
        stage.say("  Nothing of what follows can hold: the call is given up here.")
    else:
        events = [item.event for item in await stage.hooks(session, "SessionSecondPartyHangup")]
        wanted = {"SessionFirstPartyAnswer", "SessionSecondPartyAnswer", "SessionSecondPartyHangup"}
        checks.add(Check("webhooks", wanted <= set(events), ", ".join(events) or "nothing"))
        checks.add(*leak_checks(stage.rider, stage.driver))
    await stage.end_session(session)
    return checks.good


async def _call(stage: Stage, session: dict[str, Any], checks: Checks) -> None:
    rider, driver = stage.rider, stage.driver
    checks.need(await _rings(stage, session))
    checks.add(shows_number(rider, VIRTUAL))
    checks.need(Check("rider answers", await happened(rider.answered), "200"))
    checks.add(sounds_like("rider heard", "please-hold.wav", await rider.ear.wait_for(FIRST_PROMPT, 10.0)))
    checks.need(Check("then the driver rings", await happened(driver.answered), "answered after 0.3 s"))
    checks.add(shows_number(driver, VIRTUAL))
    checks.add(sounds_like("driver heard", "ride-call.wav", await driver.ear.wait_for(SECOND_PROMPT, 10.0)))
    for listener, speaker in ((rider, driver), (driver, rider)):
        match = await listener.ear.wait_for(sound.tone((speaker.tone,), 0.5), 5.0)
        checks.add(sounds_like(f"{listener.name} heard", f"the {speaker.name}'s {speaker.tone} Hz", match))
    driver.hang_up()
    await happened(rider.ended)
    await happened(driver.ended)


async def _rings(stage: Stage, session: dict[str, Any]) -> Check:
    """Whether the first party is called; where the platform says that it will not, nobody waits for the deadline."""
    name, deadline = "rider rings first", time.monotonic() + RING_WITHIN
    while time.monotonic() < deadline:
        if await happened(stage.rider.ringing, 0.2):
            return Check(name, True, "INVITE from the platform")
        if cause := _not_started(stage, session):
            return Check(name, False, f"no INVITE: {cause}")
    return Check(name, False, f"no INVITE from the platform within {RING_WITHIN:.0f} s")


def _not_started(stage: Stage, session: dict[str, Any]) -> str:
    """What the platform says of a call that it did not start: the fact's cause as the log has it, and the event; empty
    so far as nothing is told."""
    event = next((item.values for item in stage.heard_of(session) if item.event == "SessionFirstPartyHangup"), None)
    if event is None:
        return ""
    told = f"{event['PlivoHangupCause']}, {event['PlivoHangupCauseCode']}"
    line = next((line for line in stage.platform.log_lines("call_not_started") if session["session_uuid"] in line), "")
    cause = re.search(r"\bcause\W+(\w+)", line)
    return f"CallNotStarted, {cause[1]} ({told})" if cause else told
