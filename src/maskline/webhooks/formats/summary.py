"""What a summary of one call says, before a vendor's spelling: leg statuses, session status, clean times.

What it is: the status matrix of 8x8-wavecell.md §6.1 as a table, the last action, and the rules on times (truncate,
never go backwards) and durations (round) that hold for both summary dialects. What it is not: a body; `eight` and
`wavecell` spell it. Who uses it: those two.

How a call that never got a leg B is told (the vendors know no sessions that expire, §1.1, so this is ours):
- refused by us (unknown or withheld caller, expired session, no route, no media): leg A ERROR, session ERROR,
  the published row "the inbound leg had an error while processing the call";
- session busy with another call: leg A BUSY, session BUSY (the D row "first leg fails: same as A");
- the caller gave up before leg B was dialled: CANCELED;
- a first party that we called (click-to-call) and did not reach: that leg's status, as of any outbound one.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

from pydantic_core import to_json

from maskline.masking.call_flow import ActionName
from maskline.masking.call_record import CallRecord, LegRecord
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause, LegName, Outcome
from maskline.masking.redaction import Redactor
from maskline.values import dataclass


class Status(StrEnum):
    COMPLETED = "COMPLETED"
    NO_ANSWER = "NO_ANSWER"
    BUSY = "BUSY"
    CANCELED = "CANCELED"
    FAILED = "FAILED"
    ERROR = "ERROR"


_C, _N, _B, _X, _F, _E = Status  # short names keep the table readable

MATRIX: dict[Status, dict[Status | None, Status]] = {
    _C: {_C: _C, _N: _N, _B: _B, _F: _F, _X: _X, _E: _E, None: _C},
    # The caller left: whatever leg B was about to become no longer matters to them.
    _X: {_C: _X, _N: _X, _B: _X, _F: _X, _X: _X, _E: _E, None: _X},
    _E: {_C: _E, _N: _E, _B: _E, _F: _E, _X: _E, _E: _E, None: _E},
    _N: {None: _N},
    _B: {None: _B},
    _F: {None: _F},
}
"""Leg A's status, leg B's status (None: never dialled) → session status (8x8-wavecell.md §6.1)."""

UNANSWERED: dict[Cause, Status] = {
    Cause.NORMAL: _X,
    Cause.CANCELED: _X,
    Cause.ENDED_BY_REQUEST: _X,
    Cause.BUSY: _B,
    Cause.BUSY_EVERYWHERE: _B,
    Cause.NO_ANSWER: _N,
    Cause.RING_TIMEOUT: _N,
    Cause.CALL_TIME_LIMIT: _N,
    Cause.DECLINED: _B,
    Cause.FORBIDDEN: _F,
    Cause.UNALLOCATED: _F,
    Cause.INVALID_DESTINATION: _F,
    Cause.OUT_OF_SERVICE: _F,
    Cause.NOT_ACCEPTABLE: _F,
    Cause.REDIRECTED: _F,
    Cause.REQUEST_TIMEOUT: _F,
    Cause.CARRIER_ERROR: _F,
    Cause.CONGESTION: _F,
    Cause.DOES_NOT_EXIST: _F,
    Cause.NETWORK_ERROR: _F,
    Cause.LOOP: _F,
    Cause.MEDIA_TIMEOUT: _F,
    Cause.ACK_TIMEOUT: _F,
    Cause.SESSION_NOT_RENEWED: _F,
    Cause.SESSION_BUSY: _B,
    Cause.PIN_REQUIRED: _E,
    Cause.WRONG_PIN: _E,
    Cause.NO_OTHER_PARTY: _E,
    Cause.NO_ROUTE: _E,
    Cause.TRUNK_FULL: _E,
    Cause.COUNTRY_BARRED: _E,
    Cause.DESTINATION_BARRED: _E,
    Cause.ACCOUNT_FULL: _E,
    Cause.ACCOUNT_SPENT: _E,
    Cause.ACCOUNT_STOPPED: _E,
    Cause.UNKNOWN_NUMBER: _E,
    Cause.UNKNOWN_CALLER: _E,
    Cause.WITHHELD_CALLER: _E,
    Cause.SESSION_EXPIRED: _E,
    Cause.FLOW_ENDED: _C,
    Cause.CALL_ACTION_FAILED: _E,
    Cause.CALL_FLOW_INVALID: _E,
    Cause.SPEECH_FAILED: _E,
    Cause.FILE_FAILED: _E,
    Cause.FLOW_EXPIRED: _E,
    Cause.CALLER_ID_NOT_ALLOWED: _E,
    Cause.SCENARIO_UNKNOWN: _E,
    Cause.STORE_UNAVAILABLE: _E,
    Cause.MEDIA_UNAVAILABLE: _E,
    Cause.SHUTDOWN: _E,
    Cause.ENGINE_RESTARTED: _E,
    Cause.INTERNAL_ERROR: _E,
}
"""What a leg that was never answered is called; the SIP rows behind it are in the paragraph after §6.1's table."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One call, judged. `b` is None when leg B was never dialled."""

    session: Status
    a: Status
    b: Status | None
    error: Cause | None
    """Why, when the session is ERROR: the failing leg's cause."""


def summarize(record: CallRecord) -> Summary:
    """Statuses of both legs and of the session."""
    leg_a, leg_b = record.legs[0], record.leg(LegName.B)
    if leg_b is None:
        a = _status_alone(leg_a)
        session = MATRIX[a][None]
        return Summary(session, a, None, leg_a.cause if session is _E else None)
    b = _leg_status(leg_b)
    a = _status_beside_b(leg_a, b)
    session = MATRIX[a][b]
    failing = leg_b if b is _E else leg_a
    return Summary(session, a, b, failing.cause if session is _E else None)


def _status_alone(leg: LegRecord) -> Status:
    status = _leg_status(leg)
    if leg.outcome is Outcome.CANCELED:
        return _X  # who was asked for a PIN, or heard a prompt, and left: nobody talked, though it was answered
    # A refusal is our own act: congestion or a loop here is an error of this platform, not of a callee.
    return _E if leg.outcome is Outcome.REJECTED and status is _F else status


def _status_beside_b(leg: LegRecord, b: Status) -> Status:
    # "A is COMPLETED in the NO_ANSWER/BUSY/FAILED rows even if it was never answered" (§6.1): leg A itself went
    # well, it is leg B that tells why nobody talked. A fault that ends both legs is told once, of leg B: the
    # published rows are COMPLETED+ERROR and ERROR alone.
    status = _leg_status(leg)
    return status if status is _X or (status is _E and b is not _E) else _C


def _leg_status(leg: LegRecord) -> Status:
    if leg.outcome is Outcome.ERROR:
        return _E
    # Answered and FAILED or REJECTED: a 200 that never became a conversation (lost ACK, no common codec, wrong PIN).
    if leg.answered_at is not None and leg.outcome not in (Outcome.FAILED, Outcome.REJECTED):
        return _C
    # 480 without prior ringing means switched off or unreachable, which the comment column files under FAILED.
    if leg.cause is Cause.NO_ANSWER and leg.ringing_at is None:
        return _F
    return UNANSWERED[leg.cause]


def last_action(record: CallRecord) -> ActionName:
    """The last action that was begun. A call of a session or a fallback had no flow: it was told to dial, or to go."""
    if record.flow is not None:
        return ActionName(record.flow.last_action or ActionName.HANGUP)
    dialled = record.leg(LegName.B) is not None or not record.legs[0].inbound
    return ActionName.MAKE_CALL if dialled else ActionName.HANGUP


def shown_numbers(
    inbound: bool, source: Number | None, destination: Number, redactor: Redactor
) -> tuple[str | None, str | None]:
    """Both numbers of a leg as text. The party, whom the receiver may see as `redactor` says, calls on an inbound leg
    and is called on an outbound one; the other number is ours. None: withheld, or left out."""
    if inbound:
        return None if source is None else redactor(source), destination.e164
    return None if source is None else source.e164, redactor(destination)


@dataclass(frozen=True, slots=True)
class LegTimes:
    """A leg's times as shown: initiated ≤ connected ≤ disconnected even after a step of the wall clock (C17)."""

    initiated: str
    connected: str | None
    disconnected: str
    duration: int
    """Seconds from answer to end, of the exact times, rounded half up; 0 when never connected."""


def leg_times(leg: LegRecord) -> LegTimes:
    connected = None if leg.answered_at is None else max(leg.initiated_at, leg.answered_at)
    ended = max(leg.initiated_at, connected or 0.0, leg.ended_at)
    duration = 0 if connected is None else rounded(ended - connected)
    shown = None if connected is None else iso_seconds(connected)
    return LegTimes(iso_seconds(leg.initiated_at), shown, iso_seconds(ended), duration)


def rounded(seconds: float) -> int:
    """Whole seconds of a duration, half up; never below 0, whatever the wall clock did."""
    return max(0, math.floor(seconds + 0.5))


def session_times(record: CallRecord) -> tuple[str, str]:
    """Start of the session = leg A initiated (C1), end = last disconnect (C2)."""
    start = end = record.legs[0].initiated_at
    for leg in record.legs:
        if leg.ended_at > end:
            end = leg.ended_at
    return iso_seconds(start), iso_seconds(end)


def iso_seconds(at: float) -> str:
    """`2024-03-25T06:01:30Z`; truncated, not rounded (8x8-wavecell.md §2 "Time, VSS")."""
    return _iso(math.floor(at))


@lru_cache(maxsize=1024)  # the two legs of a call share most of their seconds, and calls share them too
def _iso(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def compact_json(body: dict[str, Any]) -> bytes:
    """As sent: no blanks, keys in the order given, UTF-8."""
    return to_json(body)
