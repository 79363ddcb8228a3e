"""`maskline demo --scenario say`: a text is spoken to a caller whose session is over.

Who uses it: `lab/demo`.
"""

from __future__ import annotations

from pathlib import Path

from maskline.lab import sound
from maskline.lab.demo.report import Check, print_checks, print_title, sounds_like
from maskline.lab.demo.stage import Stage, happened
from maskline.lab.phone import Behaviour

PROGRAM = "espeak-ng"
TEXT = "This call has ended. Please open a new one in the app."
SETTINGS = {"MASKLINE_SESSION_ENDED_PROMPT": f"say:{TEXT}"}


async def play(stage: Stage) -> bool:
    """One call after the end of its session: the text as early media, then the refusal."""
    print_title("Speech: the rider calls after the session ended", stage.say)
    spoken = await stage.cli("prompt", "say", TEXT)
    (clip,) = sound.read_wav(Path(spoken["path"]))
    session = await stage.create_session()
    await stage.end_session(session)
    await stage.prepare(driver=Behaviour.SILENT)
    stage.dial(stage.rider)
    heard = await stage.rider.ear.wait_for(clip, len(clip) / sound.RATE + 10.0)
    checks = [sounds_like("rider heard", f"“{TEXT}”", heard)]
    checks.append(Check("for nothing", not stage.rider.answered.is_set(), "as early media, before any 200"))
    ended = await happened(stage.rider.ended)
    status = stage.rider.final_status
    checks.append(Check("and then", ended and 400 <= status < 700, f"refused with {status}"))
    checks.append(Check("driver", not stage.driver.trace, "not a byte reached the driver's phone"))
    print_checks(checks, stage.say)
    return all(check.ok for check in checks)
