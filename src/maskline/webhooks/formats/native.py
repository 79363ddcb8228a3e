"""Maskline's own events: JSON as Standard Webhooks advises, `{"type", "timestamp", "data"}`.

What it is: the event types and their bodies. What it is not: signatures (`webhooks/sign.py`) or who hears of what
(`workflows/native_outbox.py`). Who uses it: that module and `workflows/tell_operator.py`.

Numbers of parties are shown as the (sub)account's redaction says; ids, virtual numbers and times always. What does not
apply is null, so that a receiver's code finds every key. Times are UTC with milliseconds, durations seconds, money
millionths of the currency unit.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from maskline.masking.call_record import CallRecord, LegRecord
from maskline.masking.decision import VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.facts import AccountAlarmed, Fact
from maskline.masking.recording import Recording
from maskline.masking.redaction import Redactor
from maskline.masking.session import Session
from maskline.storage.webhook_store import FailingEndpoint
from maskline.webhooks.formats.summary import compact_json

KIND = "native"
"""Endpoint kind, and dialect, of these events."""

CALL_RECEIVED, CALL_REQUESTED, CALL_ROUTED = "call.received", "call.requested", "call.routed"
CALL_ENDED = "call.ended"
LEG_DIALED, LEG_RINGING, LEG_ANSWERED, LEG_ENDED = "leg.dialed", "leg.ringing", "leg.answered", "leg.ended"
SESSION_CREATED, SESSION_UPDATED, SESSION_EXPIRED = "session.created", "session.updated", "session.expired"
SESSION_NUMBERS_REPLACED = "session.numbers_replaced"
RECORDING_COMPLETED, RECORDING_FAILED = "recording.completed", "recording.failed"
NUMBER_UPDATED = "number.updated"
ENDPOINT_DISABLED = "endpoint.disabled"
ACCOUNT_ALARMED, ACCOUNT_STOPPED, ACCOUNT_RESUMED = "account.alarmed", "account.stopped", "account.resumed"

EVENTS: dict[str, str] = {
    CALL_RECEIVED: "A call came to a virtual number. Only with `updates` `on`.",
    CALL_REQUESTED: "The platform begins a call that a session or a request asked for. Only with `updates` `on`.",
    CALL_ROUTED: "It is known whom to connect: by a session, a fallback or a flow. Only with `updates` `on`.",
    LEG_DIALED: "A party is called. Only with `updates` `on`.",
    LEG_RINGING: "That party's telephone rings. Only with `updates` `on`.",
    LEG_ANSWERED: "A leg is connected; the call is, once both are. Only with `updates` `on`.",
    LEG_ENDED: "A leg is over. Only with `updates` `on`.",
    CALL_ENDED: "A call is over: its whole record, refused calls included.",
    SESSION_CREATED: "A masking session was made.",
    SESSION_UPDATED: "A request changed a masking session.",
    SESSION_EXPIRED: "A masking session is over, by time or by request.",
    SESSION_NUMBERS_REPLACED: "A masking session has other virtual numbers.",
    RECORDING_COMPLETED: "The file of a recording is there.",
    RECORDING_FAILED: "A recording has no file and will have none.",
    NUMBER_UPDATED: "A virtual number was added or changed.",
    ENDPOINT_DISABLED: "To the operator (`MASKLINE_OPERATOR_WEBHOOK`): an endpoint gets nothing any more.",
    ACCOUNT_ALARMED: "An account's calls look like fraud, or have used up the day. To the operator too.",
    ACCOUNT_STOPPED: "All calls of an account are refused, by an alarm or by the operator. To the operator too.",
    ACCOUNT_RESUMED: "The operator takes its calls again. To the operator too.",
}
"""Every event type; docs/reference/events.md is generated from it."""


class Step(NamedTuple):
    """Of a call that goes on."""

    call_id: str
    session_id: str | None
    number: VirtualNumber
    at: float
    leg: str | None
    leg_id: str | None
    sip_status: int | None = None
    """Of a leg that is over."""


def native_event(event: str, at: float, data: dict[str, Any]) -> bytes:
    """The body. `at`: wall seconds of what happened."""
    return compact_json({"type": event, "timestamp": iso_time(at), "data": data})


def iso_time(at: float | None) -> str | None:
    """`2026-11-22T07:52:12.250Z`; None stays None."""
    if at is None:
        return None
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def call_step(event: str, step: Step) -> bytes:
    """Whom it called and who calls is in the record, when the call is over."""
    return native_event(
        event, step.at,
        {
            "callId": step.call_id, "sessionId": step.session_id, "virtualNumber": step.number.number.e164,
            "referenceId": step.number.reference_id or None, "leg": step.leg, "legId": step.leg_id,
            "sipStatus": step.sip_status,
        },
    )  # fmt: skip


def call_ended(record: CallRecord, redactor: Redactor) -> bytes:
    """The whole record."""
    return native_event(
        CALL_ENDED, record.ended_at,
        {
            "callId": record.id, "sessionId": record.session_id,
            "virtualNumber": record.virtual_number.e164, "referenceId": record.reference_id or None,
            "caller": record.caller.value if record.caller else None,
            "startedAt": iso_time(record.started_at), "endedAt": iso_time(record.ended_at),
            "outcome": record.outcome.value, "cause": record.cause.value, "hungUpBy": record.hung_up_by.value,
            "recovered": record.recovered, "legs": [_leg(leg, redactor) for leg in record.legs],
        },
    )  # fmt: skip


def _leg(leg: LegRecord, redactor: Redactor) -> dict[str, Any]:
    # One side of each leg is a virtual number: inbound the dialled one, outbound the shown one.
    source = _shown(leg.source, redactor) if leg.inbound else leg.source.e164 if leg.source else None
    destination = leg.destination.e164 if leg.inbound else _shown(leg.destination, redactor)
    return {
        "legId": leg.id, "leg": leg.leg.value, "direction": "inbound" if leg.inbound else "outbound",
        "source": source, "destination": destination, "initiatedAt": iso_time(leg.initiated_at),
        "ringingAt": iso_time(leg.ringing_at), "answeredAt": iso_time(leg.answered_at),
        "endedAt": iso_time(leg.ended_at), "duration": round(leg.duration, 3),
        "billedDuration": leg.billed_duration, "amount": leg.amount, "outcome": leg.outcome.value,
        "cause": leg.cause.value, "sipStatus": leg.sip_status, "mos": leg.quality.mos if leg.quality else None,
    }  # fmt: skip


def session_event(event: str, session: Session, at: float) -> bytes:
    """A masking session as it is from wall second `at` on; whose it is, its customer knows by its id."""
    second = session.second_virtual_number
    return native_event(
        event, at,
        {
            "sessionId": session.id, "virtualNumber": session.virtual_number.e164,
            "secondVirtualNumber": second.e164 if second else None, "createdAt": iso_time(session.created_at),
            "expiresAt": iso_time(session.expires_at), "endedAt": iso_time(session.ended_at),
            "calls": session.total_call_count,
        },
    )  # fmt: skip


def recording_event(event: str, recording: Recording, at: float, reason: str = "") -> bytes:
    """Its audio is fetched by the API; a link would outlive what it is for in the outbox."""
    return native_event(
        event, at,
        {
            "recordingId": recording.id, "callId": recording.call_id, "sessionId": recording.session_id or None,
            "virtualNumber": recording.virtual_number.e164, "format": recording.format,
            "startedAt": iso_time(recording.started_at), "endedAt": iso_time(recording.ended_at),
            "durationMs": recording.duration_ms, "partial": recording.partial, "error": reason or None,
        },
    )  # fmt: skip


def number_updated(number: VirtualNumber, at: float, *, gone: bool = False) -> bytes:
    """`gone`: it is another (sub)account's now."""
    return native_event(
        NUMBER_UPDATED, at,
        {
            "number": number.number.e164, "referenceId": number.reference_id or None, "country": number.country,
            "state": "removed" if gone else number.state.value,
        },
    )  # fmt: skip


def endpoint_disabled(endpoint: FailingEndpoint, at: float) -> bytes:
    """To the operator."""
    return native_event(
        ENDPOINT_DISABLED, at,
        {
            "endpointId": endpoint.id, "accountId": endpoint.account_id, "subaccountId": endpoint.subaccount_id,
            "url": endpoint.url, "reason": endpoint.reason, "failingSince": iso_time(endpoint.since),
            "failures": endpoint.failures,
        },
    )  # fmt: skip


def account_event(event: str, account_id: str, fact: Fact) -> bytes:
    """An alarm, or the end or beginning of a stop with its reason."""
    alarm = fact if isinstance(fact, AccountAlarmed) else None
    return native_event(
        event, fact.at,
        {
            "accountId": account_id, "alarm": alarm and alarm.alarm,
            "country": (alarm and alarm.country) or None, "reason": getattr(fact, "reason", None),
        },
    )  # fmt: skip


def _shown(number: Number | None, redactor: Redactor) -> str | None:
    return None if number is None else redactor(number)
