"""`maskline demo --scenario pin`: a call from a telephone nobody registered, asked for a PIN and led on by it.

Who uses it: `lab/demo`.
"""

from __future__ import annotations

import time

from maskline.lab import sound
from maskline.lab.demo.report import Check, leak_checks, print_checks, print_title, sounds_like
from maskline.lab.demo.stage import Stage, happened

PROMPT, WRONG = sound.speech(31, 1.5), sound.speech(32, 1.0)
PIN, WRONG_PIN = "2580#", "1111#"


async def play(stage: Stage) -> bool:
    """One call: a wrong PIN, the right one during the second prompt, and then the other party."""
    stage.inbox.files |= {"/enter-your-pin.wav": sound.wav(PROMPT), "/wrong-pin.wav": sound.wav(WRONG)}
    session = await stage.create_session(
        is_pin_authentication_required=True, first_party_pin=PIN[:4], second_party_pin="8520", pin_retry=1,
        pin_retry_wait=5, pin_prompt_play=stage.inbox.url("/enter-your-pin.wav"),
        incorrect_pin_play=stage.inbox.url("/wrong-pin.wav"),
    )  # fmt: skip
    await stage.prepare()
    print_title("PIN: the rider's second telephone calls", stage.say)
    checks = await _call(stage)
    hooks = await stage.hooks(session, "SessionSecondPartyHangup")
    told = [f"{item.values['PinAuthenticationStatus']} after {item.values['PinRetryCounter']} wrong"
            for item in hooks if item.event == "SessionPinAuthenticationStatus"]  # fmt: skip
    checks.append(Check("webhooks", told == ["success after 1 wrong"], ", ".join(item.event for item in hooks)))
    checks.append(Check("told of the PIN", told == ["success after 1 wrong"], ", ".join(told) or "nothing"))
    checks += leak_checks(stage.stranger, stage.driver)
    print_checks(checks, stage.say)
    await stage.end_session(session)
    return all(check.ok for check in checks)


async def _call(stage: Stage) -> list[Check]:
    caller, callee = stage.stranger, stage.driver
    stage.dial(caller)
    checks = [Check("answered at once", await happened(caller.answered), "200, and the driver's phone is quiet")]
    checks.append(sounds_like("stranger heard", "enter-your-pin.wav", await caller.ear.wait_for(PROMPT, 10.0)))
    caller.press(WRONG_PIN)
    since = time.monotonic()
    checks.append(
        sounds_like(
            "after a wrong PIN", f"{WRONG_PIN} pressed; wrong-pin.wav", await caller.ear.wait_for(WRONG, 10.0, since)
        )
    )
    half = PROMPT[: len(PROMPT) // 2]
    since = time.monotonic()
    checks.append(sounds_like("asked again", "half of it", await caller.ear.wait_for(half, 15.0, since)))
    checks.append(Check("not rung yet", not callee.ringing.is_set(), "no INVITE at the driver's phone so far"))
    caller.press(PIN)
    pressed = time.monotonic()
    checks.append(
        Check("right PIN, into the prompt", await happened(callee.answered), f"{PIN} pressed; the driver answers")
    )
    rest = caller.ear.find(PROMPT[-len(PROMPT) // 3 :], pressed)
    checks.append(Check("prompt stopped", not rest.heard, f"its end was not heard: likeness {rest.likeness:.2f}"))
    heard = await callee.ear.wait_for(sound.tone((stage.stranger.tone,), 0.5), 5.0)
    checks.append(sounds_like("driver heard", f"the stranger's {stage.stranger.tone} Hz", heard))
    caller.hang_up()
    await happened(caller.ended)
    await happened(callee.ended)
    return checks
