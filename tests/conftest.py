"""Shared by all suites: child processes (`maskline serve`, the CLI) run this tree, not an installed copy."""

import os
from pathlib import Path

_SRC = str(Path(__file__).resolve().parent.parent / "src")
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [_SRC, os.environ.get("PYTHONPATH", "")]))
