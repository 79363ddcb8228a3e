"""Sessions with times that neither API nor command line give: tests cannot wait a minute."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path


def end_soon(folder: Path, session_id: str, seconds: float) -> None:
    """Move the planned end of a session in a running platform's database to `seconds` from now."""
    _write(folder, "UPDATE sessions SET expires_at = ? WHERE id = ?", time.time() + seconds, session_id)


def limit_calls(folder: Path, session_id: str, seconds: int) -> None:
    """Let the calls of a session last no longer than `seconds`."""
    text = "UPDATE sessions SET options = json_set(options, '$.call_time_limit', ?) WHERE id = ?"
    _write(folder, text, seconds, session_id)


def _write(folder: Path, text: str, *values: float | str) -> None:
    with closing(sqlite3.connect(folder / "maskline.db", timeout=10)) as connection, connection:
        assert connection.execute(text, values).rowcount == 1
