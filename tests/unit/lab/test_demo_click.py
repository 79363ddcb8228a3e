"""When `maskline demo --scenario click` gives up: judged here with a stage that is told what arrives."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest

from maskline.lab.demo import click
from maskline.lab.demo.report import Check, Checks, Pointless

SESSION = {"session_uuid": "5c1e1f2e"}
EVENT = SimpleNamespace(
    event="SessionFirstPartyHangup", values={"PlivoHangupCause": "Routing Error", "PlivoHangupCauseCode": "5020"}
)
LINES = (
    "2026-11-22 15:00:00 [warning  ] call_not_started               cause=no_route session=5c1e1f2e",
    '{"session": "5c1e1f2e", "cause": "no_route", "event": "call_not_started", "level": "warning"}',
)


class Stage:
    """What `_rings` asks a stage."""

    def __init__(self, *heard: Any, lines: tuple[str, ...] = ()) -> None:
        self.rider = SimpleNamespace(ringing=asyncio.Event())
        self.platform = SimpleNamespace(log_lines=lambda event: [line for line in lines if event in line])
        self.heard = list(heard)

    def heard_of(self, session: dict[str, Any]) -> list[Any]:
        return self.heard


async def rings(stage: Any) -> Check:
    return await click._rings(stage, SESSION)


async def test_a_phone_that_rings_is_a_call_from_the_platform() -> None:
    stage = Stage()
    stage.rider.ringing.set()
    assert (await rings(stage)).ok


@pytest.mark.parametrize("line", LINES)
async def test_a_call_that_the_platform_did_not_start_is_not_waited_for_and_its_cause_is_told(line: str) -> None:
    began = time.monotonic()
    check = await rings(Stage(EVENT, lines=("call_not_started session=other cause=busy", line)))
    assert (check.ok, check.detail) == (False, "no INVITE: CallNotStarted, no_route (Routing Error, 5020)")
    assert time.monotonic() - began < click.RING_WITHIN / 2


async def test_without_the_line_the_event_tells_it() -> None:
    assert (await rings(Stage(EVENT))).detail == "no INVITE: Routing Error, 5020"


async def test_silence_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click, "RING_WITHIN", 0.01)
    check = await rings(Stage(SimpleNamespace(event="SessionTimeout", values={})))
    assert (check.ok, check.detail) == (False, "no INVITE from the platform within 0 s")


async def test_who_is_asked_after_the_deadline_says_no_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click, "RING_WITHIN", -1.0)
    assert not (await rings(Stage())).ok


class Theatre(Stage):
    """What `play` asks a stage whose platform calls nobody."""

    def __init__(self) -> None:
        super().__init__(EVENT)
        self.driver = self.rider
        self.inbox = SimpleNamespace(files={}, url=lambda path: f"http://inbox{path}")
        self.said: list[str] = []
        self.ended: list[Any] = []

    def say(self, line: str) -> None:
        self.said.append(line)

    async def prepare(self) -> None:
        """Nobody calls here."""

    async def create_session(self, **_options: Any) -> dict[str, Any]:
        return SESSION

    async def end_session(self, session: dict[str, Any]) -> None:
        self.ended.append(session)


async def test_a_call_that_never_comes_is_given_up_and_its_session_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silence(_event: asyncio.Event, _seconds: float) -> bool:
        return False

    monkeypatch.setattr(click, "happened", silence)
    stage: Any = Theatre()
    assert not await click.play(stage)
    assert stage.said[-1].strip().startswith("Nothing of what follows can hold")
    assert stage.ended == [SESSION]


def test_checks_are_printed_as_they_fall_up_to_the_one_that_makes_the_rest_pointless() -> None:
    said: list[str] = []
    checks = Checks(said.append)
    checks.add(Check("one", True, "well"))
    checks.need(Check("two", True, "well"))
    assert (len(said), checks.good) == (2, True)
    checks.add(Check("three", False, "not heard"))
    with pytest.raises(Pointless):
        checks.need(Check("four", False, "no INVITE"))
    assert [line.split()[0] for line in said] == ["ok", "ok", "FAIL", "FAIL"]
    assert not checks.good
