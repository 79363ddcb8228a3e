"""`maskline demo`: a masked call for real, on this machine alone, in under a minute.

What it is: the story told from start to end - a platform as a child process, a carrier and two phones in this
one, three calls, and a judgement of each by what arrived. What it is not: a mock; SIP, RTP, HTTP and the
database are the real ones. Who uses it: `cli/demo.py`, `make demo`.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maskline.lab.carrier import Carrier
from maskline.lab.demo_report import CallReport, judge, print_report
from maskline.lab.inbox import Inbox
from maskline.lab.phone import Behaviour, Phone
from maskline.lab.platform import LabError, Platform
from maskline.masking.e164 import parse_number

HOST = "127.0.0.1"
RIDER, DRIVER, VIRTUAL = "+6591110042", "+6598760007", "+6531580001"
TONES = {"rider": 440, "driver": 1000}
TALK_SECONDS = 3.0
HOOKS = ("/plivo", "/8x8", "/wavecell")


@dataclass(frozen=True, slots=True)
class Scenario:
    """One of the demo's calls: what the callee does, what the caller does, what must be reported."""

    title: str
    behaviour: Behaviour
    caller_cancels: bool
    final_status: int
    eight_status: str
    wavecell_status: str
    plivo_events: frozenset[str]


_BOTH_HANGUPS = frozenset({"SessionFirstPartyHangup", "SessionSecondPartyHangup"})
SCENARIOS = (
    Scenario(
        "answered", Behaviour.ANSWER, False, 200, "COMPLETED", "Completed",
        _BOTH_HANGUPS | {"SessionSecondPartyRing", "SessionSecondPartyAnswer", "SessionFirstPartyAnswer"},
    ),
    Scenario("busy", Behaviour.REFUSE, False, 486, "BUSY", "Busy", _BOTH_HANGUPS),
    Scenario(
        "abandoned by the caller", Behaviour.RING, True, 487, "CANCELED", "Canceled",
        _BOTH_HANGUPS | {"SessionSecondPartyRing"},
    ),
)  # fmt: skip


class Demo:
    """Everything the demo starts, and ends again."""

    def __init__(self, folder: Path, say: Callable[[str], None], settings: dict[str, str]) -> None:
        self.say = say
        self.platform = Platform(folder, HOST, **settings)
        self.carrier = Carrier(self.platform.sip_address)
        self.rider = Phone("rider", parse_number(RIDER), TONES["rider"])
        self.driver = Phone("driver", parse_number(DRIVER), TONES["driver"])
        self.inbox = Inbox(HOST)
        self.account: dict[str, Any] = {}

    async def run(self) -> bool:
        """Play all scenarios; True when every check of every call held."""
        try:
            await self._open()
            session = await self._provision()
            good = True
            for index, scenario in enumerate(SCENARIOS):
                report = await self._play(index, scenario, session)
                print_report(report, self.say)
                good = good and all(check.ok for check in report.checks)
            return good
        finally:
            await self._close()

    async def _open(self) -> None:
        self.say("Starting `maskline serve` (SIP, HTTP, media relay) as a process of its own …")
        await self.platform.start()
        await self.carrier.open(HOST)
        for phone in (self.rider, self.driver):
            await phone.open(HOST)
            self.carrier.add_line(phone.number, phone.address)
        await self.inbox.open()
        self.say(
            f"  SIP {HOST}:{self.platform.sip_port}, HTTP {self.platform.url}, carrier {HOST}:{self.carrier.address[1]}"
        )

    async def _close(self) -> None:
        self.rider.close()
        self.driver.close()
        self.carrier.close()
        await self.inbox.close()
        await asyncio.to_thread(self.platform.stop)

    # -- provisioning: only public doors ------------------------------------------------------------------------

    async def _cli(self, *arguments: str) -> Any:
        self.say("  $ maskline " + " ".join(arguments))
        return await asyncio.to_thread(self.platform.cli, *arguments)

    async def _provision(self) -> str:
        self.say("Setting up through the command line:")
        self.account = await self._cli("account", "create", "demo")
        account_id = self.account["auth_id"]
        await self._cli("number", "add", VIRTUAL, "--account", account_id, "--reference-id", "demo-pool")
        trunk_host, trunk_port = self.carrier.address
        await self._cli("trunk", "add", "lab-carrier", "--host", trunk_host, "--port", str(trunk_port))
        for kind, path in (("eight.session_summary", "/8x8"), ("wavecell.call_status", "/wavecell")):
            await self._cli("webhook", "set", kind, self.inbox.url(path), "--account", account_id)
        self.say("Creating the masking session over REST, as a Plivo customer does:")
        self.say(f"  POST /v1/Account/{account_id}/Masking/Session/  first_party=rider second_party=driver")
        status, body = await self.platform.rest(
            "POST",
            f"/v1/Account/{account_id}/Masking/Session/",
            (account_id, self.account["auth_token"]),
            {"first_party": RIDER, "second_party": DRIVER, "callback_url": self.inbox.url("/plivo")},
        )
        if status != 201:
            raise LabError(f"creating the session answered {status}: {body}")
        self.say(f"  201 {body['message']}: virtual number {body['virtual_number']}")
        return str(body["virtual_number"])

    # -- one call --------------------------------------------------------------------------------------------

    async def _play(self, index: int, scenario: Scenario, virtual_number: str) -> CallReport:
        await self.rider.reset(Behaviour.ANSWER)
        await self.driver.reset(scenario.behaviour)
        hooks_before = {path: self._hooks(path) for path in HOOKS}
        self.rider.dial(parse_number(virtual_number), self.carrier.address)
        await self._conduct(scenario)
        expected = {"/plivo": len(scenario.plivo_events), "/8x8": 1, "/wavecell": 1}
        for path in HOOKS:
            await self.inbox.wait_for(hooks_before[path] + expected[path], path, within=5.0)
        hooks = {path: [r for r in self.inbox.received if r.path == path][hooks_before[path] :] for path in HOOKS}
        report = CallReport(
            number=index + 1, title=scenario.title, caller=self.rider, callee=self.driver,
            virtual_number=parse_number(virtual_number), hooks=hooks,
            auth_token=self.account["auth_token"], callback_url=self.inbox.url("/plivo"),
        )  # fmt: skip
        judge(report, scenario.final_status, scenario.eight_status, scenario.wavecell_status, scenario.plivo_events)
        return report

    def _hooks(self, path: str) -> int:
        return sum(1 for item in self.inbox.received if item.path == path)

    async def _conduct(self, scenario: Scenario) -> None:
        """Do what the caller does; every wait is bounded, and what did not happen shows in the checks."""
        if scenario.behaviour is Behaviour.ANSWER and await _within(self.rider.answered, 10):
            await asyncio.sleep(TALK_SECONDS)
            self.rider.hang_up()
        elif scenario.caller_cancels and await _within(self.rider.ringing, 10):
            await asyncio.sleep(0.5)
            self.rider.cancel()
        await _within(self.rider.ended, 10)
        await _within(self.driver.ended, 10)


async def _within(event: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True


def run(settings: dict[str, str] | None = None, keep: Path | None = None) -> int:
    """Run the demo with extra MASKLINE_ settings; 0 only when every check holds. `keep`: a new or empty folder
    to leave the database and log in, else a temporary one that is removed."""
    if keep and keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        print(f"demo: {keep} is in use; name a new or empty folder.", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="maskline-demo-") as temporary:
        folder = keep.resolve() if keep else Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        return _run_in(folder, settings or {})


def _run_in(folder: Path, settings: dict[str, str]) -> int:
    demo = Demo(folder, lambda line: print(line, flush=True), settings)
    try:
        good = asyncio.run(demo.run())
    except LabError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    print("\nEvery check held." if good else "\nA check failed; the platform's log:\n" + demo.platform.log_tail(40))
    return 0 if good else 1
