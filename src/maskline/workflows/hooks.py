"""What workflows tell the rest of the process once something is committed.

What it is: the types of callables that `app.py` passes in, and those that do nothing, for processes without that part.
What it is not: a way to other processes; these look for themselves.
"""

from __future__ import annotations

from collections.abc import Callable

from maskline.masking.session import Session

Notify = Callable[[], None]
SessionHook = Callable[[Session], None]
CallHook = Callable[[str], None]
"""Takes a call's id."""


def nobody_waits() -> None:
    """For processes without a deliverer, or without an engine."""


def nobody_asks(session: Session) -> None:
    """The same, for what is told of a session."""


def nobody_carries(call_id: str) -> None:
    """The same, for what is told of a call."""
