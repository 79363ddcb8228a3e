"""Shared by all suites: child processes (`maskline serve`, the CLI) run this tree, not an installed copy, and no
example of a property has a deadline: 200 ms on a machine with other work are luck (rates have tests of their own)."""

import os
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

_SRC = str(Path(__file__).resolve().parent.parent / "src")
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [_SRC, os.environ.get("PYTHONPATH", "")]))

settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

_SHARING = ("test_sipp_", "test_heard_")
"""Wire tests of such names have a platform in common."""


class ByFile(LoadScopeScheduling):
    """Each file is one process's, and so are files that share a platform."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return next((name for name in _SHARING if Path(path).name.startswith(name)), path)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile | None:
    """For `--dist loadfile`, which `make wire` uses."""
    return ByFile(config, log) if config.getvalue("dist") == "loadfile" else None
