"""What `storage/memory.py` does to single sessions: whether one is of a list, and what a call makes of one.

What it is: the conditions of `session_list.py` and the moves of `queries.sql`, in Python. What it is not: a store.
"""

from __future__ import annotations

import operator
from dataclasses import replace

from maskline.masking.session import Session, SessionStatus
from maskline.storage.filters import SessionFilter
from maskline.storage.store import RecordedCall

_COMPARE = {"eq": operator.eq, "gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}


def matches(session: Session, wanted: SessionFilter, wall: float) -> bool:
    return (
        wanted.first_party in (None, session.first_party)
        and wanted.second_party in (None, session.second_party)
        and wanted.virtual_number in (None, *session.numbers)
        and wanted.subaccount_id in (None, session.subaccount_id)
        and _has_status(session, wanted.status, wall)
        and all(_COMPARE[op](session.created_at, bound) for op, bound in wanted.created)
        and all(_COMPARE[op](session.expires_at, bound) for op, bound in wanted.expires)
        and all(_COMPARE[op](session.planned_duration, bound) for op, bound in wanted.duration)
    )


def _has_status(session: Session, wanted: str, wall: float) -> bool:
    status = session.status(wall)
    if wanted == SessionStatus.ACTIVE:
        return status is not SessionStatus.EXPIRED
    return wanted in ("all", status)


def with_call(session: Session, call: RecordedCall) -> Session:
    in_progress = max(0, session.calls_in_progress + call.calls_in_progress_delta)
    done = call.interaction
    if done is None:
        return replace(session, calls_in_progress=in_progress)
    interactions = sorted((*session.interactions, done), key=lambda i: (i.started_at, i.call_id))
    return replace(
        session,
        calls_in_progress=in_progress,
        interactions=tuple(interactions),
        last_interaction_at=max(done.ended_at, session.last_interaction_at or 0.0),
        total_call_count=session.total_call_count + done.legs,
        total_call_billed_duration=session.total_call_billed_duration + done.billed_duration,
        total_call_amount=session.total_call_amount + done.amount,
    )
