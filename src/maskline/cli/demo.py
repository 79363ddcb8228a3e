"""`maskline demo`: phones, a carrier and a customer's web server around a real server, in one terminal.

Who uses it: newcomers and `make demo`. The lab is imported inside the command: no other command needs it.
"""

from __future__ import annotations

import contextlib
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from maskline.cli.output import JsonFlag, emit


class Scenario(StrEnum):
    """What is shown: the names of `lab.demo.SCENARIOS`, and all of them."""

    CALL = "call"
    PIN = "pin"
    CLICK = "click"
    RECORD = "record"
    SAY = "say"
    VCA = "vca"
    ALL = "all"


def demo(
    scenario: Annotated[
        Scenario,
        typer.Option(
            "--scenario", help="What to show: calls, a PIN, click-to-call, a recording, speech, 8x8's call action."
        ),
    ] = Scenario.CALL,
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="DIR", help="Leave the demo's database and log here.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Watch masked calls over real SIP and RTP; exit 0 only if every check holds."""
    from maskline.lab.demo import everything, run

    # With --json stdout belongs to the one document; the story is still told, on stderr.
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        code = run(keep=keep, scenarios=everything() if scenario is Scenario.ALL else [scenario.value])
    if as_json:
        emit(True, {"passed": code == 0}, "")
    if code:
        raise typer.Exit(code)
