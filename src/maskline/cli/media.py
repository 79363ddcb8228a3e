"""`maskline media`: the embedded relay as a process of its own; `serve` starts it, people do not.

What it is: the door to `media/embedded/worker`, which reads its own arguments.
"""

from __future__ import annotations

import typer


def media(context: typer.Context) -> None:
    """Run one embedded media relay (started by `maskline serve`)."""
    from maskline.media.embedded.__main__ import read_arguments
    from maskline.media.embedded.worker import main

    code = main(read_arguments(context.args))
    if code:
        raise typer.Exit(code)
