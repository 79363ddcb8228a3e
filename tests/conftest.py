"""Shared by all suites: child processes (`maskline serve`, the CLI) run this tree, not an installed copy, and keep what
they compile; no example of a property has a deadline: 200 ms on a machine with other work are luck (rates have tests of
their own); no store in the tests' own process commits in a thread that gives way to all others on the machine."""

import gc
import os
import signal
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

from maskline.storage import sqlite_threads

_SRC = str(Path(__file__).resolve().parent.parent / "src")
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [_SRC, os.environ.get("PYTHONPATH", "")]))

# Some images set it, and then each of hundreds of processes compiles the product anew: a second of CPU at each start.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

sqlite_threads.GIVES_WAY = False

settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

# By default SIGTERM ends Python without a `finally`, and would leave behind each `maskline serve`, which has a session
# of its own: whoever ends a run by `timeout` or a tool's limit gets what Ctrl-C gets.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # What a shell runs in the background ignores Ctrl-C, and so would all that is started from here.
    signal.signal(signal.SIGINT, signal.default_int_handler)

_SHARING = ("test_sipp_", "test_heard_")
"""Wire tests of such names have a platform in common."""


_UNCOVERED = (
    "test_bad_network.py", "test_bad_flow_network.py", "test_bad_heard_network.py", "test_changes.py",
    "test_crossed_changes.py", "test_every_transition.py", "test_identity_interference.py", "test_identity_hidden.py",
)  # fmt: skip
"""Their thousands of simulated calls reach no line that other tests leave, and coverage doubles what they take
(decision 0071)."""

_LONGEST = ("test_heard_", "test_demo.py", "test_sipp_", "test_serve.py", "test_call_action_statuses.py")
"""Begun first, so that no process is left with one of them when the others have nothing more to do."""


class ByFile(LoadScopeScheduling):
    """Each file is one process's, and so are files that share a platform."""

    def _assign_work_unit(self, node: WorkerController) -> None:
        if not self.assigned_work.get(node):
            for name in reversed(_LONGEST):
                for scope in [scope for scope in self.workqueue if Path(scope).name == name]:
                    self.workqueue.move_to_end(scope, last=False)
        super()._assign_work_unit(node)

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return next((name for name in _SHARING if Path(path).name.startswith(name)), path)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile | None:
    """For `--dist loadfile`, which `make wire` uses."""
    return ByFile(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_finish() -> None:
    """Thousands of collected tests stay to the end: who looks for garbage need not look through them each time, which
    took a twelfth of the unit suite's CPU."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.name in _UNCOVERED:
            item.add_marker(pytest.mark.no_cover)
