"""`maskline demo`, or `--scenario call`: three masked calls, answered, refused and given up.

What it is: the story of each call, and its judgement by what arrived. What it is not: a mock; SIP, RTP, HTTP and the
database are the real ones. Who uses it: `lab/demo`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from maskline.lab.demo.report import CallReport, judge, print_report
from maskline.lab.demo.stage import Stage, happened
from maskline.lab.phone import Behaviour
from maskline.masking.e164 import Number, parse_number

TALK_SECONDS = 3.0
HOOKS = ("/plivo", "/8x8", "/wavecell")


@dataclass(frozen=True, slots=True)
class Story:
    """One of the demo's calls: what the callee does, what the caller does, what must be reported."""

    title: str
    behaviour: Behaviour
    caller_cancels: bool
    final_status: int
    eight_status: str
    wavecell_status: str
    plivo_events: frozenset[str]


_BOTH_HANGUPS = frozenset({"SessionFirstPartyHangup", "SessionSecondPartyHangup"})
STORIES = (
    Story(
        "answered", Behaviour.ANSWER, False, 200, "COMPLETED", "Completed",
        _BOTH_HANGUPS | {"SessionSecondPartyRing", "SessionSecondPartyAnswer", "SessionFirstPartyAnswer"},
    ),
    Story("busy", Behaviour.REFUSE, False, 486, "BUSY", "Busy", _BOTH_HANGUPS),
    Story(
        "abandoned by the caller", Behaviour.RING, True, 487, "CANCELED", "Canceled",
        _BOTH_HANGUPS | {"SessionSecondPartyRing"},
    ),
)  # fmt: skip


async def play(stage: Stage) -> bool:
    """True when every check of every call held."""
    for kind, path in (("eight.session_summary", "/8x8"), ("wavecell.call_status", "/wavecell")):
        await stage.cli("webhook", "set", kind, stage.inbox.url(path), "--account", stage.account["auth_id"])
    session = await stage.create_session()
    number, good = parse_number(session["virtual_number"]), True
    for index, story in enumerate(STORIES):
        report = await _tell(stage, index, story, number)
        print_report(report, stage.say)
        good = good and all(check.ok for check in report.checks)
    await stage.end_session(session)
    return good


async def _tell(stage: Stage, index: int, story: Story, virtual_number: Number) -> CallReport:
    await stage.prepare(driver=story.behaviour)
    before = {path: _hooks(stage, path) for path in HOOKS}
    stage.dial(stage.rider, virtual_number)
    await _conduct(stage, story)
    expected = {"/plivo": len(story.plivo_events), "/8x8": 1, "/wavecell": 1}
    for path in HOOKS:
        await stage.inbox.wait_for(before[path] + expected[path], path, within=5.0)
    hooks = {path: [r for r in stage.inbox.received if r.path == path][before[path] :] for path in HOOKS}
    report = CallReport(
        number=index + 1, title=story.title, caller=stage.rider, callee=stage.driver,
        virtual_number=virtual_number, hooks=hooks,
        auth_token=stage.account["auth_token"], callback_url=stage.inbox.url("/plivo"),
    )  # fmt: skip
    judge(report, story.final_status, story.eight_status, story.wavecell_status, story.plivo_events)
    return report


def _hooks(stage: Stage, path: str) -> int:
    return sum(1 for item in stage.inbox.received if item.path == path)


async def _conduct(stage: Stage, story: Story) -> None:
    """Do what the caller does; every wait is bounded, and what did not happen shows in the checks."""
    if story.behaviour is Behaviour.ANSWER and await happened(stage.rider.answered):
        await asyncio.sleep(TALK_SECONDS)
        stage.rider.hang_up()
    elif story.caller_cancels and await happened(stage.rider.ringing):
        await asyncio.sleep(0.5)
        stage.rider.cancel()
    await happened(stage.rider.ended)
    await happened(stage.driver.ended)
