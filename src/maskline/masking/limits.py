"""What an account may use: calls at a time and a second, minutes and money a day, destinations; and what is suspicious.

What it is: the values an operator lays down for a main account, which holds for its subaccounts together, and the day
they are counted by. What it is not: counting (`usage.py`), or a trunk's limits (`trunk.py`). Who uses it: the stores,
`workflows/check_limits`, the command line.

Zero is no limit throughout, but for the minutes of a prefix. An account without `Limits` may do anything: that is what
accounts are that existed before there were limits. New ones get `SAFE_LIMITS`.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, tzinfo
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from maskline.errors import InvalidParameter
from maskline.masking.destinations import Destinations
from maskline.values import dataclass

MINUTE = 60
HOUR = 3_600


class Alarm(StrEnum):
    """What an operator is told of; each once a local day and account, a new country once for ever."""

    NEW_COUNTRY = "new_country"
    """The first call to a country that is none of the account's own or named ones."""
    NIGHT_PEAK = "night_peak"
    """More calls within an hour of the night than `night_calls`."""
    SHORT_CALLS = "short_calls"
    """Many answered calls within an hour, and most of them short: the mark of artificial traffic."""
    DAY_SPENT = "day_spent"
    """The day's minutes or money are used up."""


@dataclass(frozen=True, slots=True)
class PrefixLimit:
    """For numbers of a prefix, together."""

    prefix: str
    """E.164 with `+`."""
    minutes_per_day: int
    """0: none at all."""


@dataclass(frozen=True, slots=True)
class Watch:
    """When an alarm is raised, and which of them stop the account."""

    new_country: bool = False
    night_calls: int = 0
    """Calls within one hour of the night."""
    night_from: int = 0
    """Local hour, 0 to 23."""
    night_until: int = 6
    """Local hour, 1 to 24, not included."""
    short_calls: int = 0
    """Answered calls within an hour, at the least."""
    short_share: int = 80
    """Per cent of them that are short."""
    short_seconds: int = 10
    """What is short."""
    stop_on: tuple[Alarm, ...] = ()
    """These refuse all further calls of the account until an operator lifts that."""

    def is_night(self, hour: int) -> bool:
        first, end = self.night_from, self.night_until
        return first <= hour < end if first < end else hour >= first or hour < end


@dataclass(frozen=True, slots=True)
class Limits:
    calls_per_second: float = 0.0
    """Of the account; each second, and as many at once."""
    concurrent: int = 0
    """Calls at a time of the account."""
    number_calls_per_second: float = 0.0
    """Of each of its virtual numbers."""
    number_concurrent: int = 0
    attempts_per_session: int = 0
    """Calls in one session within a day."""
    minutes_per_day: int = 0
    """Of the legs that we dial, together; begun with their answer."""
    spend_per_day: int = 0
    """Millionths of the currency unit; what these legs cost by the price table."""
    prefixes: tuple[PrefixLimit, ...] = ()
    """A number counts for every prefix that it begins with."""
    time_zone: str = "UTC"
    """IANA name: whose midnight ends the day, whose night it is."""
    destinations: Destinations | None = None
    """None: anywhere."""
    watch: Watch = Watch()

    @property
    def is_counted(self) -> bool:
        """Whether anything but destinations is to be looked at."""
        return self._plain() != _UNCOUNTED

    def _plain(self) -> tuple[object, ...]:
        return (
            self.calls_per_second, self.concurrent, self.number_calls_per_second, self.number_concurrent,
            self.attempts_per_session, self.minutes_per_day, self.spend_per_day, self.prefixes, self.watch.new_country,
            self.watch.night_calls, self.watch.short_calls,
        )  # fmt: skip


_UNCOUNTED = Limits()._plain()
SAFE_LIMITS = Limits(
    attempts_per_session=500, destinations=Destinations(),
    watch=Watch(new_country=True, night_calls=500, short_calls=100, stop_on=(Alarm.SHORT_CALLS,)),
)  # fmt: skip
"""What a new account has: nowhere but the countries of its own numbers, no number of a dear kind, an alarm or a stop
where traffic looks artificial. Ceilings for calls, minutes and money are for the operator to know."""


class Day(NamedTuple):
    """A local day by the wall clock."""

    key: int
    """Of days, in their order."""
    start: float
    end: float


def day_of(wall: float, time_zone: str) -> Day:
    """The local day that a wall second is in. A day of a change of the clock has 23 or 25 hours."""
    zone = find_zone(time_zone) or UTC
    date = datetime.fromtimestamp(wall, zone).date()
    midnights = (datetime.combine(one, time(), zone).timestamp() for one in (date, date + timedelta(days=1)))
    return Day(date.toordinal(), *midnights)


@lru_cache(maxsize=64)
def find_zone(name: str) -> tzinfo | None:
    """None: this machine knows no such time zone."""
    if name == "UTC":
        return UTC  # also where no table of time zones is installed
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


_AMOUNTS = (
    "calls_per_second", "concurrent", "number_calls_per_second", "number_concurrent", "attempts_per_session",
    "minutes_per_day", "spend_per_day",
)  # fmt: skip


def check_limits(limits: Limits) -> Limits:
    """The same; raises `InvalidParameter` for what cannot be meant."""
    watch = limits.watch
    amounts = {name: getattr(limits, name) for name in _AMOUNTS}
    amounts |= {name: getattr(watch, name) for name in ("night_calls", "short_calls", "short_seconds")}
    amounts["prefix_minutes"] = max((one.minutes_per_day for one in limits.prefixes), default=0)
    for name, amount in amounts.items():
        if not 0 <= amount < 1e15:  # NaN is none of these, either
            raise InvalidParameter(f"Invalid parameter. {name} is outside the allowed range", parameter=name)
    if find_zone(limits.time_zone) is None:
        raise InvalidParameter(
            "Invalid parameter. time_zone is not known, such as Asia/Singapore", parameter="time_zone"
        )
    if not (0 <= watch.night_from < 24 and 1 <= watch.night_until <= 24 and 1 <= watch.short_share <= 100):
        raise InvalidParameter("Invalid parameter. The night or the share is out of range", parameter="watch")
    return limits
