"""What the writers of both databases do with units of work besides SQL: outcomes, and the answers to who waits.

What it is: how a unit's failure travels from where it ran to the task that submitted it. What it is not: transactions.
Who uses it: `storage/sqlite_writer.py` and `storage/postgres_writer.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, NamedTuple


class Failed(NamedTuple):
    """In the place of a unit's answer: what it raised, or what its transaction met."""

    error: Exception


class MustUndo(Exception):
    """A unit failed after it had changed something, and there is no savepoint to go back to."""


def tell(waiting: Iterable[asyncio.Future[Any]], answers: Iterable[Any]) -> None:
    """Each gets its own answer, unless it does not wait any more; `ValueError` when there are not as many of each."""
    for future, answer in zip(waiting, answers, strict=True):
        if future.done():
            continue
        if isinstance(answer, Failed):
            future.set_exception(answer.error)
        else:
            future.set_result(answer)
