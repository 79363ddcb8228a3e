"""When a webhook is tried again, and when it is given up: one pure function over three schedules.

What it is: (attempt, result) → Done, RetryAt or GiveUp, and the time-outs of one try. What it is not: sending
(`deliver.py`), or a judgement on whole endpoints. Who uses it: the deliverer; it passes the random number.

- default (reliability.md §1): 10 tries over about 3 days, pauses ±20 % so that receivers that come back are
  not hit by everything at once.
- `eight`, `wavecell`: pauses of 1, 10, 30 and 90 s (8x8-wavecell.md §11), then failed; replay by hand.
- `plivo`: one quick retry as the vendor makes, then the default schedule, so nothing is lost; unless the URL
  names `rc` or `rp`: then the vendor's rule alone (plivo-vts.md §7.4; docs/decisions/0006-plivo-callback-retries.md).
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from enum import StrEnum
from urllib.parse import parse_qsl

from maskline.values import dataclass


class Fault(StrEnum):
    """Why there was no answer."""

    CONNECT = "connect"
    """No connection: refused, unreachable, name unknown, TLS failed, 3 s over."""
    READ = "read"
    """Connected, but no complete answer in time."""
    FORBIDDEN = "forbidden"
    """An address webhooks may not reach; retried, since DNS and MASKLINE_EGRESS_ALLOW can change."""
    INVALID = "invalid"
    """Nothing that can be sent, or not there; never tried again."""
    STOPPED = "stopped"
    """The deliverer was stopped; it may have arrived."""
    LOST = "lost"
    """Who was to send it died, and so did those before."""


@dataclass(frozen=True, slots=True)
class TryResult:
    """How one try ended: a status, or a fault."""

    status: int | None = None
    fault: Fault | None = None
    retry_after: float | None = None
    """Seconds the receiver asks for; None when it does not."""


@dataclass(frozen=True, slots=True)
class Done:
    """Answered 2xx."""


@dataclass(frozen=True, slots=True)
class RetryAt:
    at: float
    """Wall seconds."""


@dataclass(frozen=True, slots=True)
class GiveUp:
    reason: str
    """A few words for `last_error`."""


@dataclass(frozen=True, slots=True)
class CallbackRules:
    """What a callback URL's fragment asks for (plivo-vts.md §7.4)."""

    connect: float = 3.0
    """Seconds; Maskline's own default, the vendor's is 2."""
    total: float = 15.0
    """Seconds for the whole try; with `rt` or `tt` the smaller of both."""
    retries: int | None = None
    """None: the URL leaves retrying to us."""
    policy: frozenset[str] = frozenset({"ct", "rt"})
    """Which results the customer wants retried, when `retries` is set."""


DEFAULT_PAUSES = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Standard Webhooks' table: now, then 5 s, 5 min, 30 min, 2, 5, 10, 14, 20, 24 h: about 3 days."""
EIGHT_PAUSES = (1.0, 10.0, 30.0, 90.0)
QUICK_RETRY = 1.0
PLIVO_PAUSES = (QUICK_RETRY, *DEFAULT_PAUSES)
PAUSES: dict[str, tuple[float, ...]] = {"plivo": PLIVO_PAUSES, "eight": EIGHT_PAUSES, "wavecell": EIGHT_PAUSES}
"""Dialect → pauses after the first, second … try; a dialect not named has the default."""

_EXACT = frozenset({"eight", "wavecell"})  # published pauses; spreading them would break the promise
_JITTER = 0.2
_LONGEST_RETRY_AFTER = 86_400.0  # a receiver can slow us down, not silence us for weeks
_SLOW_DOWN = frozenset({429, 502, 504})  # Standard Webhooks: the receiver is overloaded
_LIMITS_MS = {"ct": (100, 10_000), "rt": (100, 40_000), "tt": (100, 55_000)}
_NO_RULES = CallbackRules()


def next_try(
    attempt: int, result: TryResult, dialect: str, spread: float, now: float, rules: CallbackRules = _NO_RULES
) -> Done | RetryAt | GiveUp:
    """What follows try number `attempt` (from 1). `spread` is a random number from [0, 1)."""
    if result.status is not None and 200 <= result.status < 300:
        return Done()
    if result.status == 410:
        return GiveUp("gone: the receiver wants no more of this (410)")
    if result.fault is Fault.INVALID:
        return GiveUp("another try would end the same")
    if rules.retries is not None:
        return _by_customer(attempt, result, rules, now)
    pauses = PAUSES.get(dialect, DEFAULT_PAUSES)
    if attempt > len(pauses):
        return GiveUp("all tries used up")
    pause = pauses[attempt - 1]
    if dialect not in _EXACT:
        pause *= 1 - _JITTER + 2 * _JITTER * spread
    return RetryAt(now + _as_asked(pause, result))


def most_tries(dialect: str, rules: CallbackRules = _NO_RULES) -> int:
    """Tries of a row, the first and all retries."""
    return 1 + (len(PAUSES.get(dialect, DEFAULT_PAUSES)) if rules.retries is None else rules.retries)


def _by_customer(attempt: int, result: TryResult, rules: CallbackRules, now: float) -> RetryAt | GiveUp:
    if attempt > (rules.retries or 0):
        return GiveUp("all tries that the callback URL allows used up")
    if "all" in rules.policy or _kind(result) in rules.policy:
        return RetryAt(now + _as_asked(QUICK_RETRY, result))
    return GiveUp("a result that the callback URL does not want retried")


def _kind(result: TryResult) -> str:
    """The vendor's word for a failure, as in `rp`; a redirect has none but `all`."""
    if result.status is not None:
        return f"{result.status // 100}xx"
    return "rt" if result.fault is Fault.READ else "ct"


def _as_asked(pause: float, result: TryResult) -> float:
    """Obey `retry-after` upwards within a day; without it an overloaded receiver gets twice the pause."""
    if result.retry_after is not None:
        return max(pause, min(result.retry_after, _LONGEST_RETRY_AFTER))
    return 2 * pause if result.status in _SLOW_DOWN else pause


def read_rules(url: str) -> CallbackRules:
    """The rules in a URL's fragment (`#ct=2000&rc=3&rp=5xx,ct`); unknown, broken or out-of-range values are
    ignored, each by itself, as a fragment may also be an ordinary page anchor."""
    fragment = url.partition("#")[2]
    if "=" not in fragment:
        return _NO_RULES
    values = dict(parse_qsl(fragment))
    connect = _seconds(values, "ct", _NO_RULES.connect)
    total = min(_seconds(values, "rt", _NO_RULES.total), _seconds(values, "tt", 55.0))
    retries = _count(values.get("rc", ""))
    policy = frozenset(values.get("rp", "").split(",")) & {"4xx", "5xx", "ct", "rt", "all"}
    if retries is None and policy:
        retries = 1  # the vendor's default count
    return CallbackRules(connect, max(connect, total), retries, policy or _NO_RULES.policy)


def read_retry_after(text: str, now: float) -> float | None:
    """Seconds from a `Retry-After` value, which is seconds or an HTTP date (RFC 9110 §10.2.3); None for neither."""
    seconds = _number(text.strip())
    if seconds is not None:
        return float(seconds)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _seconds(values: dict[str, str], key: str, default: float) -> float:
    low, high = _LIMITS_MS[key]
    number = _number(values.get(key, ""))
    return default if number is None or not low <= number <= high else number / 1000


def _count(text: str) -> int | None:
    number = _number(text)
    return number if number is not None and number <= 5 else None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else None
