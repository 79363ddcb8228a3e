"""storage.sqlite_threads: the writer gives way to the event loop until that costs too much."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from queue import SimpleQueue

import pytest

from maskline.storage import sqlite_threads
from maskline.storage.sqlite_threads import FIRST_PAUSE, HELPED, LONG_TURN, CommitThreads


class Field:
    """Jobs are how many seconds they take."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.told: SimpleQueue[tuple[float, tuple[str, int]]] = SimpleQueue()
        self.threads = CommitThreads(self.work, lambda job, result: self.told.put((job, result)), lambda: self.now)
        self.threads.start()

    def work(self, seconds: float) -> tuple[str, int]:
        self.now += seconds
        return threading.current_thread().name, os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    def run(self, seconds: float = 0.0) -> str:
        """The name of the thread that did it."""
        self.threads.put(seconds)
        job, (name, _) = self.told.get(timeout=60)
        assert job == seconds
        return name


MODEST, USUAL = "maskline-writer", "maskline-writer-2"


@pytest.fixture(autouse=True)
def _gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_threads, "GIVES_WAY", True)  # tests of other things do without


@pytest.fixture
def field() -> Iterator[Field]:
    field = Field()
    yield field
    field.threads.join()


def test_the_first_thread_is_behind_all_others_and_the_second_is_not(field: Field):
    ours = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    field.threads.put(LONG_TURN * 2)
    assert field.told.get(timeout=60)[1] == (MODEST, min(19, ours + sqlite_threads.NICE))
    field.threads.put(0.0)
    assert field.told.get(timeout=60)[1] == (USUAL, ours)
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == ours


def test_quick_turns_stay_with_the_first(field: Field):
    assert [field.run(0.9 * LONG_TURN) for _ in range(3)] == [MODEST] * 3


def test_after_a_long_turn_the_second_works_for_a_while(field: Field):
    assert field.run(LONG_TURN + 0.01) == MODEST
    assert field.run(3.0) == USUAL  # its own turns are judged by nobody
    assert field.run() == USUAL
    field.now += FIRST_PAUSE
    assert field.run() == MODEST


def test_the_while_doubles_up_to_a_bound_until_a_turn_is_quick_again(field: Field):
    pauses = []
    for _ in range(7):
        assert field.run(1.0) == MODEST
        began = field.now
        field.now += 1.0
        while field.threads._usual_until > field.now:
            field.now += 1.0
        pauses.append(field.now - began)
    assert pauses == [10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0]
    assert [field.run(), field.run(1.0)] == [MODEST] * 2
    assert field.threads._usual_until == field.now + FIRST_PAUSE


def test_a_system_that_refuses_has_two_threads_like_any_other(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object) -> None:
        raise PermissionError

    ours = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    monkeypatch.setattr(os, "setpriority", refuse)
    field = Field()
    field.threads.put(0.0)
    assert field.told.get(timeout=60)[1] == (MODEST, ours)
    field.threads.join()


def busy(threads: CommitThreads[threading.Event, None], job: threading.Event) -> None:
    """Put a job that takes the processor until the event is set, and wait until it does."""
    threads.put(job)
    while not threads.help(0.0) and not threads._is_ready():
        """The thread is on its way."""


class Spinning:
    def __init__(self) -> None:
        self.now = 1000.0
        self.told = threading.Event()
        self.threads = CommitThreads(self.spin, lambda *_: self.told.set(), lambda: self.now)
        self.threads.start()

    def spin(self, job: threading.Event) -> None:
        while not job.is_set():
            """As a commit does in the kernel."""


@pytest.fixture
def spinning() -> Iterator[Spinning]:
    spinning = Spinning()
    yield spinning
    spinning.threads.join()


def test_nobody_is_helped_without_a_job(spinning: Spinning):
    assert spinning.threads.help(10.0) is True


def test_a_thread_that_is_ready_to_run_is_waited_for_for_a_moment_and_as_long_as_it_has_its_job(spinning: Spinning):
    job = threading.Event()
    busy(spinning.threads, job)
    assert spinning.threads.help(0.001) is False
    job.set()
    assert spinning.told.wait(10)
    assert spinning.threads.help(10.0) is True


def test_a_job_that_takes_too_long_even_so_is_not_waited_for(spinning: Spinning):
    job = threading.Event()
    busy(spinning.threads, job)
    spinning.now += HELPED + 0.01
    assert spinning.threads.help(10.0) is True
    job.set()
    assert spinning.told.wait(10)


def test_a_thread_that_waits_is_not_waited_for():
    told = threading.Event()
    threads = CommitThreads(lambda job: job.wait(), lambda *_: told.set(), lambda: 1000.0)
    threads.start()
    job = threading.Event()
    threads.put(job)
    while threads._is_ready():
        """It has not begun to wait."""
    assert threads.help(10.0) is False
    job.set()
    assert told.wait(10)
    threads.join()


def test_where_the_kernel_tells_nothing_nobody_is_helped(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sqlite_threads, "GIVES_WAY", False)
    spinning = Spinning()
    job = threading.Event()
    spinning.threads.put(job)
    assert spinning.threads.help(10.0) is False
    job.set()
    assert spinning.told.wait(10)
    spinning.threads.join()
