"""The loops go on after the store was away, and say so once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TextIO

import pytest
from structlog.testing import capture_logs

from maskline import chores as chores_module
from maskline.chores import Chores, pass_on
from maskline.clock import SystemClock
from maskline.errors import ConfigurationError, StoreUnavailable
from maskline.storage.topics import read_topic
from tests.support.logging import configured_logs
from tests.support.waiting import until


@pytest.fixture
def log() -> Iterator[TextIO]:
    with configured_logs() as lines:
        yield lines


class Away:
    """Answers in turn, the store's absence first, and `after` once they are used up."""

    batch = 3

    def __init__(self, *answers: Any, after: Any = False) -> None:
        self.answers: list[Any] = [StoreUnavailable(), StoreUnavailable(), *answers]
        self.after = after
        self.done: list[Any] = []

    async def __call__(self) -> Any:
        answer = self.answers.pop(0) if self.answers else self.after
        if isinstance(answer, Exception):
            raise answer
        self.done.append(answer)
        return answer


async def nothing() -> bool:
    return False


def chores(**parts: Any) -> Chores:
    wanted: dict[str, Any] = {
        "sweep": Away(), "forget": nothing, "refresh": nothing, "swept": lambda: None, "guard": nothing,
        "is_busy": lambda: False, "certificates": None, **parts
    }  # fmt: skip
    return Chores(clock=SystemClock(), **wanted)


async def run(chore: Coroutine[Any, Any, None], condition: Callable[[], Any]) -> None:
    task = asyncio.create_task(chore)
    await until(condition, pause=0.001)
    task.cancel()


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SWEEP_SECONDS", "FORGET_SECONDS", "RELOAD_SECONDS", "COLLECT_SECONDS"):
        monkeypatch.setattr(chores_module, name, 0.0)


async def test_the_sweeper_goes_on_after_the_store_was_away_and_tells_of_what_it_ended(log: TextIO):
    told: list[bool] = []
    some = chores(sweep=Away(3, after=0), swept=lambda: told.append(True))
    await run(some.sweep_sessions(), lambda: some.sessions_swept == 3)
    assert told == [True]
    written = log.getvalue()
    assert (written.count("sweep_failed"), written.count("sessions_expired")) == (1, 1)


async def test_forgetting_goes_on_after_the_store_was_away(log: TextIO):
    forget = Away(True, True)
    await run(chores(forget=forget).forget_old(), lambda: len(forget.done) > 2)
    assert forget.done[:3] == [True, True, False]
    assert log.getvalue().count("forgetting_failed") == 1


async def test_trunks_are_read_again_and_a_store_that_is_away_is_survived(log: TextIO):
    refresh = Away()
    some = chores(refresh=refresh)
    await run(some.reload_trunks(), lambda: len(refresh.done) > 1)
    assert log.getvalue().count("trunks_reload_failed") == 1
    assert some.loop_lag >= 0.0


@pytest.mark.parametrize("busy", [True, False])
async def test_garbage_is_collected_only_while_no_call_is_in_progress(monkeypatch: pytest.MonkeyPatch, busy: bool):
    looked: list[bool] = []
    collected: list[bool] = []

    def is_busy() -> bool:
        looked.append(True)
        return busy

    monkeypatch.setattr(chores_module.gc, "collect", lambda: collected.append(True))
    await run(chores(is_busy=is_busy).collect_garbage(), lambda: len(looked) > 3)
    assert bool(collected) is not busy


async def test_a_server_that_is_never_without_calls_collects_now_and_then(monkeypatch: pytest.MonkeyPatch):
    collected: list[bool] = []
    monkeypatch.setattr(chores_module.gc, "collect", lambda: collected.append(True))
    monkeypatch.setattr(chores_module, "COLLECT_AT_LATEST", 0.001)
    await run(chores(is_busy=lambda: True).collect_garbage(), lambda: len(collected) > 1)


class Renewals:
    """Certificates that change at each look; the first renewal is broken."""

    def __init__(self) -> None:
        self.reloads = 0

    def has_changed(self) -> bool:
        return self.reloads < 2

    def reload(self) -> None:
        self.reloads += 1
        if self.reloads == 1:
            raise ConfigurationError("The key does not fit")


async def test_certificates_that_changed_are_read_and_broken_ones_are_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("maskline.chores.CERTIFICATE_SECONDS", 0.001)
    renewals = Renewals()
    with capture_logs() as lines:
        await run(chores(certificates=renewals).reload_certificates(), lambda: renewals.reloads == 2)
    assert [line["event"] for line in lines] == ["certificates_unusable", "certificates_reloaded"]
    assert lines[0]["reason"] == "The key does not fit"


class Woken:
    def __init__(self) -> None:
        self.times = 0

    def notify(self) -> None:
        self.times += 1


class Ended:
    def __init__(self) -> None:
        self.sessions: list[str] = []
        self.calls: list[str] = []

    def session_ended(self, session_id: str) -> None:
        self.sessions.append(session_id)

    def end_call(self, call_id: str) -> None:
        self.calls.append(call_id)


def test_what_another_process_did_reaches_whom_it_concerns() -> None:
    deliverer, calls, flows, owning = Woken(), Woken(), Woken(), Woken()
    engine = Ended()
    hear = pass_on(deliverer, (calls, flows), owning, engine)
    for text in ("outbox", "requested", "session one", "call two", "owners", "facts", "configuration 7"):
        hear(read_topic(text))
    assert (deliverer.times, calls.times, flows.times, owning.times) == (1, 1, 1, 1)
    assert (engine.sessions, engine.calls) == (["one"], ["two"])
