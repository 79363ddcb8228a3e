"""`maskline demo --scenario vca`: an 8x8 customer's application says, call by call, who is connected with whom.

What it is: the sample application of `maskline lab vca` as a process of its own, two people who reach each other
through it, and a third it does not know. What it is not: a masking session; there is none. Who uses it: `lab/demo`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from maskline.lab import sound
from maskline.lab.demo import say
from maskline.lab.demo.report import Check, Checks, Pointless, leak_checks, print_title, shows_number, sounds_like
from maskline.lab.demo.stage import DRIVER, HOST, RIDER, Stage, happened
from maskline.lab.phone import Phone
from maskline.lab.platform import LabError
from maskline.masking.e164 import parse_number

PROGRAM = say.PROGRAM
VIRTUAL = "+6531580088"
"""Of its own, so that no session's number is answered by the application."""
UNKNOWN = "There is no booking for this number. Goodbye."
VOICE = "en-us-f"
_START_WITHIN, _END_WITHIN = 30.0, 5.0


class Application:
    """`maskline lab vca` as a child process; what it prints is told as its own words."""

    def __init__(self, stage: Stage, process: asyncio.subprocess.Process) -> None:
        self._stage, self._process = stage, process
        self.url = ""

    async def read_url(self) -> None:
        """Raises `LabError`."""
        assert self._process.stdout is not None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_START_WITHIN):
                line = await self._process.stdout.readline()
            self.url = next((word.rstrip(";") for word in line.decode().split() if word.startswith("http")), "")
        if not self.url:
            raise LabError("the sample application did not start")

    async def tell(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self._stage.say(f"    application: {line.decode().rstrip()}")

    async def end(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_WITHIN):
                return await self._process.wait()
        self._process.kill()
        return await self._process.wait()

    async def summaries(self, count: int, within: float = 10.0) -> list[dict[str, Any]]:
        """The session summaries so far, once there are so many or the time is over."""
        deadline = asyncio.get_running_loop().time() + within
        async with aiohttp.ClientSession() as http:
            while True:
                async with http.get(f"{self.url}/inbox") as response:
                    events = [event["body"] for event in (await response.json())["events"]]
                found = [event["payload"] for event in events if event.get("eventType") == "SESSION_SUMMARY"]
                if len(found) >= count or asyncio.get_running_loop().time() > deadline:
                    return found
                await asyncio.sleep(0.1)


@contextlib.asynccontextmanager
async def running(stage: Stage, table: Path) -> AsyncIterator[Application]:
    """The application; ended with the block, whatever happens in it."""
    command = ("lab", "vca", "--map", str(table), "--listen", f"{HOST}:0", "--inbox")
    stage.say(f"  $ maskline {' '.join(command[:3])} {table.name} {' '.join(command[4:])} &")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "maskline", *command, env=stage.platform.environment, cwd=stage.folder,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, start_new_session=True,
    )  # fmt: skip
    application = Application(stage, process)
    teller = None
    try:
        await application.read_url()
        teller = asyncio.create_task(application.tell())
        yield application
    finally:
        await application.end()
        if teller is not None:
            await teller


async def play(stage: Stage) -> bool:
    """Two calls through the application in either direction, and one that it turns away."""
    print_title("8x8: the application is asked whom to call", stage.say)
    table = stage.folder / "vca-map.json"
    pairs = [{"virtual": VIRTUAL, "parties": [RIDER, DRIVER]}]
    table.write_text(json.dumps({"voice": VOICE, "unknown": UNKNOWN, "pairs": pairs}), encoding="utf-8")
    checks = Checks(stage.say)
    async with running(stage, table) as application:
        await _provision(stage, application)
        try:
            await _connected(stage, application, checks, stage.rider, stage.driver, 1)
            await _connected(stage, application, checks, stage.driver, stage.rider, 2)
            await _turned_away(stage, application, checks)
        except Pointless:
            stage.say("  Nothing of what follows can hold: the calls are given up here.")
    return checks.good


async def _provision(stage: Stage, application: Application) -> None:
    owner = await stage.cli("subaccount", "create", "rides", "--account", stage.account["auth_id"])
    await stage.cli("number", "add", VIRTUAL, "--account", owner["auth_id"], "--reference-id", "rides-pool")
    for kind in ("eight.call_action", "eight.session_summary"):
        await stage.cli("webhook", "set", kind, application.url, "--subaccount", owner["auth_id"])


async def _connected(
    stage: Stage, application: Application, checks: Checks, caller: Phone, callee: Phone, calls: int
) -> None:
    await stage.prepare()
    stage.dial(caller, parse_number(VIRTUAL))
    checks.need(Check(f"{caller.name} calls", await happened(callee.answered), f"the {callee.name} answers"))
    checks.add(shows_number(callee, VIRTUAL))
    for listener, speaker in ((caller, callee), (callee, caller)):
        match = await listener.ear.wait_for(sound.tone((speaker.tone,), 0.5), 5.0)
        checks.add(sounds_like(f"{listener.name} heard", f"the {speaker.name}'s {speaker.tone} Hz", match))
    caller.hang_up()
    await happened(callee.ended)
    await _summarized(stage, application, checks, calls, "COMPLETED", "COMPLETED", "COMPLETED")
    checks.add(*leak_checks(caller, callee))


async def _turned_away(stage: Stage, application: Application, checks: Checks) -> None:
    spoken = await stage.cli("prompt", "say", UNKNOWN, "--voice", VOICE)
    (clip,) = sound.read_wav(Path(spoken["path"]))
    await stage.prepare()
    stage.dial(stage.stranger, parse_number(VIRTUAL))
    match = await stage.stranger.ear.wait_for(clip, len(clip) / sound.RATE + 10.0)
    checks.add(sounds_like("stranger heard", f"“{UNKNOWN}”", match))
    checks.add(Check("and is hung up", await happened(stage.stranger.ended), "nobody else's phone rang"))
    await _summarized(stage, application, checks, 3, "COMPLETED", "COMPLETED", None)


async def _summarized(
    stage: Stage, application: Application, checks: Checks, calls: int, session: str, a: str, b: str | None
) -> None:
    """The `calls`-th session summary, printed and held against the statuses of the call and its legs."""
    found = await application.summaries(calls)
    payload = found[calls - 1] if len(found) >= calls else {}
    details = payload.get("details", {})
    legs = [details.get(name, {}).get("callStatus") for name in ("callA", "callB")]
    for line in _shown(payload):
        stage.say(f"    {line}")
    told = f"{payload.get('sessionStatus', 'nothing')}, lastAction {payload.get('lastAction', '-')}"
    checks.add(Check("8x8 SESSION_SUMMARY", [payload.get("sessionStatus"), *legs] == [session, a, b], told))


def _shown(payload: dict[str, Any]) -> list[str]:
    """A session summary for people, the parties' numbers masked."""
    whole = ", ".join(f"{key} {value}" for key, value in payload.items() if key not in ("details", "errorDetails"))
    return [whole, *(f"{name}: {_leg(leg)}" for name, leg in sorted(payload.get("details", {}).items()))]


def _leg(leg: dict[str, Any]) -> str:
    source, destination = (
        number if number == VIRTUAL else parse_number(number).masked for number in (leg["source"], leg["destination"])
    )
    quality = leg.get("callQuality")
    heard = f", MOS {quality['mos']}" if quality else ""
    return f"{leg['callDirection']} {source} to {destination}, {leg['callStatus']}, {leg['callDuration']} s{heard}"
