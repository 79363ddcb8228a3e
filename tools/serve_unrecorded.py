"""`maskline` whose calls leave no record: the row "no records" of `make bench`.

What it is: the product with a recorder that drops what it gets: no facts, no records, no webhooks, no totals. What it
is not: a setting; nobody runs this for calls that matter.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))

from maskline.cli.main import run
from maskline.engine.ports import CallCommit
from maskline.workflows.record_call import CallRecording


def drop(recording: CallRecording, commit: CallCommit) -> None:
    """In the place of `CallRecording.record`."""


if __name__ == "__main__":
    CallRecording.record = drop  # type: ignore[assignment,method-assign]
    run()
