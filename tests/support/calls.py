"""Builders of sessions, call contexts and call records for tests: sensible defaults, named changes."""

from __future__ import annotations

from typing import Any

from maskline.engine.ports import CallContext
from maskline.masking.call_record import CallRecord, LegRecord, Quality
from maskline.masking.decision import VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause, HungUpBy, LegName, Outcome
from maskline.masking.session import Role, Session, SessionOptions

T0 = 1_711_346_488.0
"""2024-03-25 06:01:28 UTC."""
CALLER = Number("12314377870")
CALLEE = Number("6591178965")
VIRTUAL = Number("6568332048")
ACCOUNT = "MA" + "X" * 18
SUBACCOUNT = "SA" + "Y" * 18
SESSION_ID = "5c1e1f2e-0000-4000-8000-000000000001"
CALL_ID = "1f048a84-ea6d-11ee-911b-078f7290bf52"


def make_leg(name: LegName, **changes: Any) -> LegRecord:
    """An answered leg of 13 s, in (A) or out (B)."""
    inbound = name is LegName.A
    values: dict[str, Any] = {
        "leg": name,
        "id": f"leg-{name}",
        "inbound": inbound,
        "source": CALLER if inbound else VIRTUAL,
        "destination": VIRTUAL if inbound else CALLEE,
        "trunk_id": "trunk",
        "initiated_at": T0,
        "ringing_at": T0 + 3,
        "answered_at": T0 + 9,
        "ended_at": T0 + 22,
        "outcome": Outcome.COMPLETED,
        "cause": Cause.NORMAL,
        "sip_status": 200,
        "hung_up_by": HungUpBy.CALLER,
        "quality": None,
        "reference_id": "PSTN1",
    }
    return LegRecord(**(values | changes))


def make_record(*legs: LegRecord, **changes: Any) -> CallRecord:
    legs = legs or (make_leg(LegName.A), make_leg(LegName.B))
    values: dict[str, Any] = {
        "id": CALL_ID,
        "account_id": ACCOUNT,
        "subaccount_id": None,
        "session_id": SESSION_ID,
        "caller": Role.FIRST,
        "virtual_number": VIRTUAL,
        "reference_id": "PSTN1",
        "started_at": legs[0].initiated_at,
        "ended_at": max(leg.ended_at for leg in legs),
        "outcome": legs[0].outcome,
        "cause": legs[0].cause,
        "hung_up_by": legs[0].hung_up_by,
        "legs": legs,
    }
    return CallRecord(**(values | changes))


def make_session(callback_url: str = "https://hooks.example/masking", **changes: Any) -> Session:
    options = changes.pop("options", SessionOptions(callback_url=callback_url))
    values: dict[str, Any] = {
        "id": SESSION_ID,
        "account_id": ACCOUNT,
        "subaccount_id": None,
        "first_party": CALLER,
        "second_party": CALLEE,
        "virtual_number": VIRTUAL,
        "options": options,
        "created_at": T0 - 60,
        "modified_at": T0 - 60,
        "expires_at": T0 + 3540,
        "planned_duration": 3600,
    }
    return Session(**(values | changes))


def make_context(session: Session | None = None, **changes: Any) -> CallContext:
    values: dict[str, Any] = {
        "call_id": CALL_ID,
        "account_id": ACCOUNT,
        "subaccount_id": None,
        "virtual_number": VirtualNumber(VIRTUAL, ACCOUNT, None, "PSTN1", "SG"),
        "session": session,
        "caller_role": Role.FIRST if session else None,
        "caller": CALLER,
        "callee": CALLEE if session else None,
        "shown": VIRTUAL,
        "leg_a_id": "leg-a",
        "leg_b_id": "leg-b",
        "shown_reference_id": "PSTN1",
    }
    return CallContext(**(values | changes))


def make_quality(**changes: Any) -> Quality:
    values: dict[str, Any] = {
        "mos": 4.5,
        "packet_loss": 0.0,
        "jitter_ms": 19.4,
        "packets_received": 650,
        "packets_lost": 0,
    }
    return Quality(**(values | changes))
