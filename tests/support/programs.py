"""Programs of Debian's packages that a test starts. What it is not: their set-up (tools/setup_env.py)."""

from __future__ import annotations

import shutil

import pytest


def need(*programs: str) -> None:
    """Skips the test, naming what is not installed."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} not installed (tools/apt-packages.txt)")
