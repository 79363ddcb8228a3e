"""`maskline …` beside a lab platform, in this process: a Python of its own is a second of CPU, hundreds of times."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

from maskline.cli import main
from maskline.lab.platform import Platform
from tests.support.command_line import Result

_ONE_AT_A_TIME = threading.Lock()


def typed(platform: Platform, *arguments: str) -> Any:
    """The document that a command prints with --json; it must succeed."""
    result = told(platform, *arguments, "--json")
    assert result.code == 0, (arguments, result.err)
    return result.document


def told(platform: Platform, *arguments: str, **settings: str) -> Result:
    """What a command prints and returns. `settings`: over the platform's."""
    out, err = io.StringIO(), io.StringIO()
    with (
        _ONE_AT_A_TIME,
        _environment({**platform.environment, **settings}),
        _signals(),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        code = main.execute(arguments)
    return Result(code, out.getvalue(), err.getvalue())


async def ask_of_the_stopped(platform: Platform, call: str) -> None:
    """Stop an engine, so that it can do nothing about any wish, and ask for a call's end. One that was stopped while it
    wrote goes on until it has written, since nobody else can write before."""
    for _ in range(10):
        os.kill(platform.pid, signal.SIGSTOP)
        result = await asyncio.to_thread(told, platform, "call", "end", call, "--json")
        if result.code == 0:
            assert result.document["status"] == "ending"
            return
        os.kill(platform.pid, signal.SIGCONT)
        await asyncio.sleep(0.2)
    raise AssertionError(result.err)


@contextlib.contextmanager
def _environment(wanted: dict[str, str]) -> Iterator[None]:
    kept = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("MASKLINE_")]:
        del os.environ[name]
    os.environ.update({name: value for name, value in wanted.items() if name.startswith("MASKLINE_")})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    """`serve` gives SIGINT and SIGTERM back as Python has them by default, which is not what a test run has."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
