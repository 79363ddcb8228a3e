"""`maskline api`: one part of `maskline serve` as a process of its own. What runs it: `serve.py`."""

from __future__ import annotations

from maskline.cli.output import JsonFlag
from maskline.cli.serve import run_parts
from maskline.parts import Part


def api(as_json: JsonFlag = False) -> None:
    """Answer the REST API, one of several processes on one PostgreSQL database, until a signal ends it."""
    run_parts({Part.API}, as_json)
