"""What lists are asked for: sessions and recordings, each narrowed by what its API lets a customer ask.

What it is: values of domain words. What it is not: SQL (`session_list.py`, `sql_recordings.py`), or a vendor's names
for them (`api/`). Who uses it: the store and those who ask it for lists.
"""

from __future__ import annotations

from maskline.masking.e164 import Number
from maskline.values import dataclass


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """List filters; None: not asked. Times are wall seconds; bounds as (operator, value), operator one of
    `eq gt gte lt lte`."""

    first_party: Number | None = None
    second_party: Number | None = None
    virtual_number: Number | None = None
    status: str = "all"
    """active: all that are not expired, with a call up or without; in-progress: with a call up; expired; all."""
    subaccount_id: str | None = None
    created: tuple[tuple[str, float], ...] = ()
    expires: tuple[tuple[str, float], ...] = ()
    duration: tuple[tuple[str, float], ...] = ()


LATEST = 1e15
"""Wall seconds: later than any recording."""


@dataclass(frozen=True, slots=True)
class RecordingFilter:
    """What a list is asked for; None: anything."""

    subaccount_id: str | None = None
    call_id: str | None = None
    """A call's id, or that of its first leg."""
    session_id: str | None = None
    since: float = 0.0
    until: float = LATEST
    """Wall seconds of the start, both included."""
