"""Shared by all suites: child processes (`maskline serve`, the CLI) run this tree, not an installed copy, and no
example of a property has a deadline: 200 ms on a machine with other work are luck (rates have tests of their own)."""

import os
from pathlib import Path

from hypothesis import settings

_SRC = str(Path(__file__).resolve().parent.parent / "src")
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [_SRC, os.environ.get("PYTHONPATH", "")]))

settings.register_profile("suite", deadline=None)
settings.load_profile("suite")
