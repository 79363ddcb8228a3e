"""Made-up events of our own, one of each type: what a receiver is tried with, and what the reference shows.

What it is: bodies written by the very code that writes real ones. What it is not: sending. Who uses it:
`trigger_event.py`, and `make docs`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial

from maskline.ids import SeededIds
from maskline.masking.decision import VirtualNumber
from maskline.masking.facts import AccountAlarmed, AccountResumed, AccountStopped, Fact, LegName
from maskline.masking.limits import Alarm
from maskline.masking.recording import Recording, RecordingStatus
from maskline.masking.session import Session, SessionOptions
from maskline.storage.webhook_store import EndpointNote, FailingEndpoint
from maskline.webhooks.formats import native
from maskline.webhooks.formats.shape import Shape
from maskline.workflows.sample_events import CALLEE, CALLER, VIRTUAL, Scene, sample_call

_DAY = 86_400.0
_AT = 1_795_400_000.0
"""Wall seconds of what the reference shows."""


def _ended(scene: Scene) -> bytes:
    return native.call_ended(sample_call(scene), scene.shape.redactor)


def _step(event: str, leg: LegName | None, status: int | None, scene: Scene) -> bytes:
    ids = scene.ids
    leg_id = None if leg is None else ids.uuid()
    name = None if leg is None else leg.value
    return native.call_step(
        event, native.Step(ids.uuid(), ids.uuid(), scene.number, scene.now, name, leg_id, status)
    )  # fmt: skip


def _session(event: str, scene: Scene) -> bytes:
    over = event == native.SESSION_EXPIRED
    made = scene.now - (_DAY if over else 0.0)
    session = Session(
        scene.ids.uuid(), scene.account_id, scene.number.subaccount_id, CALLER, CALLEE, scene.number.number,
        SessionOptions(), made, made, made + _DAY, round(_DAY), scene.now if over else None,
    )  # fmt: skip
    return native.session_event(event, session, scene.now)


def _recording(event: str, scene: Scene) -> bytes:
    call, ids = sample_call(scene), scene.ids
    done = event == native.RECORDING_COMPLETED
    recording = Recording(
        ids.uuid(), scene.account_id, call.subaccount_id, ids.uuid(), call.id, call.legs[0].id, "mp3",
        RecordingStatus.COMPLETED if done else RecordingStatus.FAILED, call.virtual_number, CALLER, CALLEE,
        call.legs[0].answered_at or call.started_at, call.ended_at, round(1000 * call.legs[0].duration) if done else 0,
    )  # fmt: skip
    return native.recording_event(event, recording, scene.now, "" if done else "the disk is full")


def _number(scene: Scene) -> bytes:
    return native.number_updated(scene.number, scene.now)


def _disabled(scene: Scene) -> bytes:
    note = EndpointNote(scene.account_id, scene.number.subaccount_id, "https://hooks.example/maskline", scene.now, 12)
    endpoint = FailingEndpoint(
        note.id, note.account_id, note.subaccount_id, note.url, scene.now - 5 * _DAY, note.failures, scene.now,
        scene.now, "failing",
    )  # fmt: skip
    return native.endpoint_disabled(endpoint, scene.now)


def _account(event: str, told: Callable[..., Fact], details: tuple[str, ...], scene: Scene) -> bytes:
    owner = scene.number.account_id
    return native.account_event(event, owner, told(owner, 1, scene.now, *details))


SAMPLES: Mapping[str, Callable[[Scene], bytes]] = {
    native.CALL_RECEIVED: partial(_step, native.CALL_RECEIVED, None, None),
    native.CALL_REQUESTED: partial(_step, native.CALL_REQUESTED, None, None),
    native.CALL_ROUTED: partial(_step, native.CALL_ROUTED, None, None),
    native.LEG_DIALED: partial(_step, native.LEG_DIALED, LegName.B, None),
    native.LEG_RINGING: partial(_step, native.LEG_RINGING, LegName.B, None),
    native.LEG_ANSWERED: partial(_step, native.LEG_ANSWERED, LegName.B, None),
    native.LEG_ENDED: partial(_step, native.LEG_ENDED, LegName.B, 200),
    native.CALL_ENDED: _ended,
    native.SESSION_CREATED: partial(_session, native.SESSION_CREATED),
    native.SESSION_UPDATED: partial(_session, native.SESSION_UPDATED),
    native.SESSION_EXPIRED: partial(_session, native.SESSION_EXPIRED),
    native.SESSION_NUMBERS_REPLACED: partial(_session, native.SESSION_NUMBERS_REPLACED),
    native.RECORDING_COMPLETED: partial(_recording, native.RECORDING_COMPLETED),
    native.RECORDING_FAILED: partial(_recording, native.RECORDING_FAILED),
    native.NUMBER_UPDATED: _number,
    native.ENDPOINT_DISABLED: _disabled,
    native.ACCOUNT_ALARMED: partial(_account, native.ACCOUNT_ALARMED, AccountAlarmed, (Alarm.NEW_COUNTRY.value, "GB")),
    native.ACCOUNT_STOPPED: partial(_account, native.ACCOUNT_STOPPED, AccountStopped, (Alarm.SHORT_CALLS.value,)),
    native.ACCOUNT_RESUMED: partial(_account, native.ACCOUNT_RESUMED, AccountResumed, (Alarm.SHORT_CALLS.value,)),
}
"""By event type."""


def sample_text(event: str) -> str:
    """For people; the same each time."""
    number = VirtualNumber(VIRTUAL, "MA" + "A" * 18, None, "sample-pool", VIRTUAL.country)
    scene = Scene(number.account_id, number, Shape("sample"), SeededIds(1), _AT)
    return json.dumps(json.loads(SAMPLES[event](scene)), indent=1)
