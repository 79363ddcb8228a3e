"""How often a PIN may be tried: by one caller, and on one number.

What it is: the pure rules on tallies of wrong PINs. What it is not: their keeping (`storage`), or the look-up of a PIN
(`match.py`). Who uses it: the stores, inside a transaction; `workflows/check_pin.py`.

A try is counted *before* anybody looks whether it is right, and taken back when it is: callers who try at the same
moment cannot all look first. A locked caller's PIN is not looked up at all: a right one and a wrong one are the same.

- **A caller** (its number within the account; all who withhold theirs on one virtual number are one caller) has some
  wrong PINs in a day, then it is locked, each time for twice as long, up to a day.
- **A number** has more of them in a day, by whomever. Then it takes PINs only from callers it knows: those who gave a
  right one lately, and parties whose own telephone calls. One caller alone cannot get it there, because it is locked
  itself long before (docs/decisions/0027-guessing-a-pin.md has the arithmetic).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from maskline.masking.e164 import Number

DAY = 86_400.0
KNOWN_FOR = 30 * DAY
"""Seconds for which a caller who gave a right PIN is known to the number."""
_CALM = 7 * DAY
"""Seconds after a lock after which a caller's next one is as short as the first."""


@dataclass(frozen=True, slots=True)
class PinLimits:
    caller: int = 5
    """Wrong PINs of one caller within `window` that lock it."""
    number: int = 100
    """Wrong PINs on one number within `window` after which strangers are not heard for the rest of it."""
    window: float = DAY
    """Seconds; it begins with the first wrong PIN."""
    lock: float = 900.0
    """Seconds of a caller's first lock; each further one lasts twice as long."""


class Tally(NamedTuple):
    """Wrong PINs under one key; wall seconds."""

    tries: int
    since: float
    """When the first of them was counted."""
    locks: int = 0
    locked_until: float = 0.0
    forget_at: float = 0.0
    """When the row says nothing any more."""


class Subject(StrEnum):
    """Whose tally it is."""

    CALLER = "caller"
    NUMBER = "number"
    KNOWN = "known"
    """No tally, but a mark that this caller gave a right PIN on this number."""


@dataclass(frozen=True, slots=True)
class PinTry:
    """Who tries, where."""

    account_id: str
    caller: Number | None
    number: Number
    trusted: bool = False
    """The caller's own number names the session, so it is known without a mark."""

    @property
    def keys(self) -> dict[Subject, str]:
        """What the tallies are kept under; stores hash it."""
        who = f"{self.account_id} {self.caller.digits}" if self.caller else f"withheld {self.number.digits}"
        keys = {Subject.CALLER: f"pin caller {who}", Subject.NUMBER: f"pin number {self.number.digits}"}
        if self.caller is not None:
            keys[Subject.KNOWN] = f"pin known {self.number.digits} {self.caller.digits}"
        return keys


class Counted(NamedTuple):
    """What became of a try before its PIN was looked at."""

    heard: bool
    """False: locked, and nothing was counted."""
    locks: tuple[Subject, ...] = ()
    """Who is locked if this PIN is wrong."""


Tallies = Mapping[Subject, Tally]


def count(one: PinTry, tallies: Tallies, limits: PinLimits, now: float) -> tuple[Counted, dict[Subject, Tally]]:
    """Count a try at wall second `now` as a wrong one; returns the tallies that changed."""
    caller, number = tallies.get(Subject.CALLER), tallies.get(Subject.NUMBER)
    known = one.trusted or (Subject.KNOWN in tallies and tallies[Subject.KNOWN].forget_at > now)
    if _is_locked(caller, now) or (_is_locked(number, now) and not known):
        return Counted(False), {}
    changed = {Subject.CALLER: _of_caller(caller, limits, now), Subject.NUMBER: _of_number(number, limits, now)}
    newly = tuple(
        subject
        for subject, tally in changed.items()
        if _is_locked(tally, now) and not _is_locked(tallies.get(subject), now)
    )
    return Counted(True, newly), changed


def take_back(one: PinTry, tallies: Tallies, limits: PinLimits, now: float) -> dict[Subject, Tally]:
    """The counted try was right: undo what `count` did, and know the caller from now on."""
    changed = {}
    for subject, most in ((Subject.CALLER, limits.caller), (Subject.NUMBER, limits.number)):
        tally = tallies.get(subject)
        if tally is not None and tally.tries:
            changed[subject] = _less(tally, most, now)
    if Subject.KNOWN in one.keys:
        changed[Subject.KNOWN] = Tally(0, now, forget_at=now + KNOWN_FOR)
    return changed


def _is_locked(tally: Tally | None, now: float) -> bool:
    return tally is not None and now < tally.locked_until


def _of_caller(tally: Tally | None, limits: PinLimits, now: float) -> Tally:
    tries, since, locks, locked_until, _ = tally or Tally(0, now)
    if now >= since + limits.window or tries >= limits.caller:
        tries, since = 0, now  # the window is over, or the lock
    if now >= locked_until + _CALM:
        locks = 0
    tries += 1
    if tries >= limits.caller:
        locked_until = now + min(limits.lock * 2**locks, DAY)
        locks += 1
    return Tally(tries, since, locks, locked_until, max(since + limits.window, locked_until + _CALM))


def _of_number(tally: Tally | None, limits: PinLimits, now: float) -> Tally:
    tries, since = (0, now) if tally is None or now >= tally.since + limits.window else tally[:2]
    tries += 1
    over = since + limits.window
    return Tally(tries, since, 0, over if tries >= limits.number else 0.0, over)


def _less(tally: Tally, most: int, now: float) -> Tally:
    if tally.tries != most:
        return tally._replace(tries=tally.tries - 1)
    # It was this try that locked.
    return tally._replace(tries=most - 1, locks=max(0, tally.locks - 1), locked_until=now)
