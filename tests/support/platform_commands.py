"""`maskline …` beside a lab platform, in this process: a Python of its own is a second of CPU, hundreds of times."""

from __future__ import annotations

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
