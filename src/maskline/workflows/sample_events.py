"""Made-up calls, told in the real formats: one event of each kind, to try a receiver with.

What it is: the domain records of a masked call that nobody made, handed to the same functions that write the webhooks
of real ones. What it is not: text with holes, or anything that is kept. Who uses it: `trigger_event.py`.

The numbers are nobody's: a caller and a callee of the lab, and the (sub)account's first virtual number if it has one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from maskline.ids import Ids
from maskline.masking.call_flow import ActionName
from maskline.masking.call_record import CallRecord, FlowRecord, LegRecord, Quality
from maskline.masking.decision import VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause, HungUpBy, LegName, Outcome
from maskline.media.recordings.job import Destination, s3_url, stored_key, stored_name, stored_path
from maskline.storage.store import Account
from maskline.webhooks.formats import (
    eight,
    eight_action,
    eight_number,
    eight_recording,
    eight_status,
    native,
    wavecell,
    wavecell_handle,
)
from maskline.webhooks.formats.eight_action import CallFacts
from maskline.webhooks.formats.eight_parts import StepLeg
from maskline.webhooks.formats.eight_status import CallStatus, Step
from maskline.webhooks.formats.shape import Shape

CALLER, CALLEE = Number("6591110042"), Number("6598760007")
VIRTUAL = Number("6531580001")
_RANG, _TALKED = 7.4, 13.2
"""Seconds."""
_STORAGE = Destination("s3", "recordings", bucket="sample")
_QUALITY = Quality(mos=4.4, packet_loss=0.0, jitter_ms=2.0, packets_received=660, packets_lost=0)


@dataclass(frozen=True, slots=True)
class Scene:
    """Whose sample it is."""

    account_id: str
    number: VirtualNumber
    shape: Shape
    ids: Ids
    now: float
    """Wall seconds: when the call ended."""


Body = Callable[[Scene, str], bytes]
"""With the event's id."""


def scene_number(account: Account, known: list[VirtualNumber], now: float) -> VirtualNumber:
    """The first one that the (sub)account has, or one that it could have got at wall second `now`."""
    if known:
        return known[0]
    subaccount_id = account.id if account.parent_id else None
    return VirtualNumber(
        VIRTUAL, account.owner_id, subaccount_id, "sample-pool", VIRTUAL.country, added_at=now, changed_at=now
    )


def sample_call(scene: Scene) -> CallRecord:
    """A caller and a callee talked for 13 seconds, because an application said so."""
    number, ids, ended = scene.number, scene.ids, scene.now
    answered = ended - _TALKED
    initiated = answered - _RANG

    def leg(name: LegName, source: Number, destination: Number, at: float) -> LegRecord:
        return LegRecord(
            name, ids.uuid(), name is LegName.A, source, destination, "", at, at + 1.0, answered, ended,
            Outcome.COMPLETED, Cause.NORMAL, 200, HungUpBy.CALLER, _QUALITY, reference_id=number.reference_id,
        )  # fmt: skip

    legs = (
        leg(LegName.A, CALLER, number.number, initiated),
        leg(LegName.B, number.number, CALLEE, initiated + 0.2),
    )
    return CallRecord(
        ids.uuid(), scene.account_id, number.subaccount_id, None, None, number.number, number.reference_id, initiated,
        ended, Outcome.COMPLETED, Cause.NORMAL, HungUpBy.CALLER, legs, FlowRecord(ActionName.MAKE_CALL),
    )  # fmt: skip


def _facts(scene: Scene) -> CallFacts:
    number = scene.number
    return CallFacts(
        scene.ids.uuid(), scene.ids.uuid(), True, CALLER, number.number, number.reference_id, scene.now
    )  # fmt: skip


def _action(scene: Scene, event_id: str) -> bytes:
    return eight_action.call_action(event_id, _facts(scene), scene.shape)


def _status(scene: Scene, event_id: str) -> bytes:
    """The called party has hung up."""
    record = sample_call(scene)
    leg = record.legs[-1]
    whose = StepLeg(leg.id, leg.inbound, leg.source, leg.destination, leg.reference_id)
    step = Step(CallStatus.DISCONNECTED, leg.ended_at, leg.duration, leg.sip_status)
    return eight_status.call_status(event_id, record.id, whose, step, scene.shape)


def _recording(scene: Scene, _event_id: str) -> bytes:
    """In a bucket of the customer's own."""
    record, recording = sample_call(scene), scene.ids.uuid()
    name = stored_name(record.id, recording, record.legs[0].answered_at or record.started_at, "mp3")
    path = stored_path(s3_url(_STORAGE, stored_key(_STORAGE, name)))
    milliseconds = round(record.legs[0].duration * 1000)
    return eight_recording.recording_uploaded(scene.shape.sub_account_id, record.id, recording, milliseconds, path)


def _number(scene: Scene, _event_id: str) -> bytes:
    """Of one number, that it is active."""
    changed = [(scene.number, eight_number.STATUS[scene.number.state])]
    return eight_number.numbers_updated(scene.shape.sub_account_id, changed)


BODIES: Mapping[str, tuple[str, Body]] = {
    eight_action.KIND: ("VCA", _action),
    eight_status.KIND: ("VCS", _status),
    eight.KIND: ("VSS", lambda scene, _: eight.session_summary(sample_call(scene), scene.shape)),
    eight_recording.KIND: ("VRU", _recording),
    eight_number.KIND: ("VNU", _number),
    wavecell.KIND: ("wavecell-status", lambda scene, _: wavecell.call_status(sample_call(scene), scene.shape)),
    wavecell_handle.KIND: ("wavecell-handle", lambda scene, _: wavecell_handle.call_handle(_facts(scene))),
    native.KIND: ("native", lambda scene, _: native.call_ended(sample_call(scene), scene.shape.redactor)),
}
"""By the kind of endpoint: what the event is called at the command line, and its body."""
TYPES = {name.lower(): kind for kind, (name, _) in BODIES.items()} | {kind: kind for kind in BODIES}
"""What may be asked for, in small letters."""
