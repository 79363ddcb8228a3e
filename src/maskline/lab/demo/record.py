"""`maskline demo --scenario record`: a recorded call, and its file against what each party said.

Who uses it: `lab/demo`.
"""

from __future__ import annotations

import asyncio

import aiohttp

from maskline.lab import sound
from maskline.lab.demo.report import Check, leak_checks, print_checks, print_title
from maskline.lab.demo.stage import Stage, happened
from maskline.lab.likeness import agreement

RIDER_SAYS, DRIVER_SAYS = sound.speech(35, 6.0), sound.speech(36, 6.0)
ENOUGH = 0.95


async def play(stage: Stage) -> bool:
    """One recorded call in which both talk at the same time."""
    session = await stage.create_session(
        record=True, record_file_format="wav", recording_callback_url=stage.inbox.url("/plivo")
    )
    print_title("Recording: both talk, each on its own channel", stage.say)
    stage.rider.line, stage.driver.line = RIDER_SAYS, DRIVER_SAYS
    await stage.prepare()
    checks = await _call(stage)
    hooks = await stage.hooks(session, "SessionRecordingCompleted", within=30.0)
    done = next((item.values for item in hooks if item.event == "SessionRecordingCompleted"), None)
    checks.append(Check("webhooks", done is not None, ", ".join(item.event for item in hooks) or "nothing"))
    if done:
        checks += await _file(stage, done["RecordingURL"])
    checks += leak_checks(stage.rider, stage.driver)
    print_checks(checks, stage.say)
    stage.rider.line = stage.driver.line = None
    await stage.end_session(session)
    return all(check.ok for check in checks)


async def _call(stage: Stage) -> list[Check]:
    stage.dial(stage.rider)
    talking = await happened(stage.rider.answered)
    if talking:
        await asyncio.sleep(len(RIDER_SAYS) / sound.RATE + 0.5)
    stage.rider.hang_up()
    await happened(stage.rider.ended)
    await happened(stage.driver.ended)
    return [Check("talked", talking, f"{len(stage.rider.mouth.said) / sound.RATE:.1f} s")]


async def _file(stage: Stage, link: str) -> list[Check]:
    path = stage.folder / "recording.wav"
    async with aiohttp.ClientSession() as http, http.get(link) as response:
        path.write_bytes(await response.read())
    channels = sound.read_wav(path)
    checks = [Check("file", len(channels) == 2, f"{len(channels)} channels of {len(channels[0]) / sound.RATE:.1f} s")]
    for name, channel, phone in zip(("left", "right"), channels, (stage.rider, stage.driver), strict=False):
        match = agreement(channel, phone.mouth.said)
        detail = f"the {phone.name}: {match.likeness:.3f} like what was sent ({ENOUGH} wanted)"
        checks.append(Check(f"{name} channel", match.likeness >= ENOUGH, detail))
    return checks
