"""`maskline demo --scenario click`: the application asks for a call, and both telephones ring.

Who uses it: `lab/demo`.
"""

from __future__ import annotations

from maskline.lab import sound
from maskline.lab.demo.report import Check, leak_checks, print_checks, print_title, sounds_like
from maskline.lab.demo.stage import VIRTUAL, Stage, happened
from maskline.lab.phone import Phone

FIRST_PROMPT, SECOND_PROMPT = sound.speech(33, 1.2), sound.speech(34, 1.2)


async def play(stage: Stage) -> bool:
    """One requested call with a prompt for each party."""
    stage.inbox.files |= {"/please-hold.wav": sound.wav(FIRST_PROMPT), "/ride-call.wav": sound.wav(SECOND_PROMPT)}
    await stage.prepare()
    print_title("Click to call: the application asks, the rider rings first", stage.say)
    session = await stage.create_session(
        initiate_call_to_first_party=True, first_party_play_url=stage.inbox.url("/please-hold.wav"),
        second_party_play_url=stage.inbox.url("/ride-call.wav"),
    )  # fmt: skip
    checks = await _call(stage)
    hooks = await stage.hooks(session, "SessionSecondPartyHangup")
    events = [item.event for item in hooks]
    wanted = {"SessionFirstPartyAnswer", "SessionSecondPartyAnswer", "SessionSecondPartyHangup"}
    checks.append(Check("webhooks", wanted <= set(events), ", ".join(events) or "nothing"))
    checks += leak_checks(stage.rider, stage.driver)
    print_checks(checks, stage.say)
    await stage.end_session(session)
    return all(check.ok for check in checks)


async def _call(stage: Stage) -> list[Check]:
    rider, driver = stage.rider, stage.driver
    checks = [Check("rider rings first", await happened(rider.ringing), "INVITE from the platform")]
    checks.append(_shows(rider))
    checks.append(Check("rider answers", await happened(rider.answered), "200"))
    checks.append(sounds_like("rider heard", "please-hold.wav", await rider.ear.wait_for(FIRST_PROMPT, 10.0)))
    checks.append(Check("then the driver rings", await happened(driver.answered), "answered after 0.3 s"))
    checks.append(_shows(driver))
    checks.append(sounds_like("driver heard", "ride-call.wav", await driver.ear.wait_for(SECOND_PROMPT, 10.0)))
    for listener, speaker in ((rider, driver), (driver, rider)):
        match = await listener.ear.wait_for(sound.tone((speaker.tone,), 0.5), 5.0)
        checks.append(sounds_like(f"{listener.name} heard", f"the {speaker.name}'s {speaker.tone} Hz", match))
    driver.hang_up()
    await happened(rider.ended)
    await happened(driver.ended)
    return checks


def _shows(phone: Phone) -> Check:
    invite = next((item.data for item in phone.trace if not item.sent and item.data.startswith(b"INVITE ")), b"")
    shown = next((line for line in invite.split(b"\r\n") if line.lower().startswith(b"from:")), b"")
    ok = VIRTUAL.encode() in shown
    return Check(f"{phone.name}'s phone shows", ok, VIRTUAL if ok else "not the virtual number")
