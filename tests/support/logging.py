"""Logging set up for one block of a test, and put back as it was."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import structlog

from maskline import logs


@contextmanager
def configured_logs(level: str = "info", form: str = "text", stream: TextIO | None = None) -> Iterator[TextIO]:
    """`logs.configure` inside the block; yields the stream lines go to (None: one in memory)."""
    stream = stream if stream is not None else io.StringIO()
    names = ("uvicorn", "uvicorn.error", "uvicorn.access", "asyncio", "aiohttp", "aiohttp.access")
    root = logging.getLogger()
    before = root.handlers[:], root.level, {name: logging.getLogger(name).level for name in names}
    disabled = {name: logging.getLogger(name).disabled for name in names}
    try:
        logs.configure(level, form, stream)
        yield stream
    finally:
        root.handlers[:], root.level = before[0], before[1]
        for name, old in before[2].items():
            logging.getLogger(name).setLevel(old)
            logging.getLogger(name).disabled = disabled[name]
        structlog.reset_defaults()
