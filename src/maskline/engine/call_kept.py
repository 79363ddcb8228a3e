"""What of a call is kept in the store while it lasts: the values, and how they are written.

Two sizes. A call that is *begun* keeps whose it is and what its record says so far, so that it gets its record when the
engine dies. One whose parties *talk* keeps in `talk` what it needs to go on: both dialogs, the media, the end of its
time. What it is not: how they are read again (`call_kept_read.py`), how they are taken from a call and put back
(`call_keep.py`), or where they are written. They hold real numbers and keys: seal them.

A value is written as the list of its fields. A later version may add fields with a default at the end, and then reads
what an earlier one wrote; what a later one wrote is read as far as it is known.
"""

from __future__ import annotations

import dataclasses
import marshal
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple

from maskline.masking.call_record import FlowRecord
from maskline.masking.decision import VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.permit import Permit
from maskline.masking.price import Price
from maskline.masking.session import Role
from maskline.media.port import LocalMedia
from maskline.sdp.secure import Secure
from maskline.sdp.session import AudioDescription, Codec
from maskline.sip.kept_usage import KeptInvite, KeptUsage

VERSION = 2
"""Of the form: one that cannot be read by adding and leaving out fields has another. 1 was the same values as JSON."""

MARSHAL = 4
"""The form of `marshal`, which every Python since 3.4 reads."""
Plain = tuple[Any, ...]
"""Tuples of plain values: nothing that has a class of ours."""


class KeptTrack(NamedTuple):
    """What happened on one leg; wall seconds."""

    id: str
    inbound: bool
    trunk_id: str
    initiated_at: float | None
    ringing_at: float | None
    answered_at: float | None


class KeptContext(NamedTuple):
    """Whose call it is: `ports.CallContext`, with its session by id."""

    number: VirtualNumber
    session_id: str | None
    role: Role | None
    shown: Number
    shown_label: str


class KeptRecord(NamedTuple):
    """What the call's record says so far."""

    sequence: int
    started_at: float
    caller: Number | None
    callee: Number | None
    flow: FlowRecord | None
    recording: str | None
    recording_on: bool
    a: KeptTrack
    b: KeptTrack


class KeptLegMedia(NamedTuple):
    """`call_media.LegMedia`."""

    session_id: int
    version: int
    tag: int
    written: AudioDescription | None
    agreed: tuple[Codec, ...]
    awaits_answer: bool
    demands_keys: bool
    far: AudioDescription | None
    ipv6: bool
    local: LocalMedia | None
    nat: bool
    voice: tuple[Codec, ...]
    wish: str


class KeptMedia(NamedTuple):
    """`call_media.CallMedia` of a call whose parties talk."""

    relay: bool
    caller_has: tuple[Codec, ...]
    offered: tuple[Codec, ...]
    only_g711: bool
    late: bool
    a: KeptLegMedia
    b: KeptLegMedia


class KeptTalk(NamedTuple):
    """What a conversation needs to go on."""

    a: KeptUsage
    b: KeptUsage
    media: KeptMedia
    ends_at: float | None
    """Wall seconds at which its time is over."""
    records: bool
    """What is said is to be recorded."""


class KeptCall(NamedTuple):
    version: int
    call_id: str
    at: float
    """Wall seconds at which it was kept."""
    context: KeptContext
    record: KeptRecord
    talk: KeptTalk | None = None
    permit: Permit | None = None
    """What it uses of its account's limits; None: these are none."""
    ringing: tuple[KeptInvite, ...] = ()
    """INVITEs of ours that nobody had answered, to be taken back when the call does not go on."""


# -- plain values -------------------------------------------------------------------------------------------------


def write_call(kept: KeptCall) -> bytes:
    """Each call writes this twice. As JSON, which it was before, it took 151,000 of a call's 2.7 million instructions,
    nearly all of them to tell of what kind each value is (docs/decisions, "Kept calls are marshalled")."""
    talk = kept.talk
    values = (
        kept.version, kept.call_id, kept.at, _of_context(kept.context), _of_record(kept.record),
        None if talk is None else _of_talk(talk), None if kept.permit is None else _of_permit(kept.permit),
        tuple([_of_invite(one) for one in kept.ringing]),
    )  # fmt: skip
    try:
        return marshal.dumps(values, MARSHAL)
    except ValueError:
        return marshal.dumps(_of_fields(values), MARSHAL)  # one of them is a value's own kind: no reason to lose a call


def _of_invite(kept: KeptInvite) -> Plain:
    return (tuple(kept.flow), *kept[1:])


def _of_permit(permit: Permit) -> Plain:
    dialled = [
        (one.leg._value_, one.prefixes, None if one.price is None else _of_price(one.price), one.country)
        for one in permit.dialled
    ]
    return permit.account_id, permit.number, permit.session_id, tuple(dialled)


@lru_cache(maxsize=1024)
def _of_price(price: Price) -> Any:
    return _of_fields(price)


def _of_context(whose: KeptContext) -> Plain:
    number = whose.number
    fallback, role = number.fallback, whose.role
    return (
        (
            number.number.digits, number.account_id, number.subaccount_id, number.reference_id, number.country,
            number.state._value_, number.use._value_, number.alias, None if fallback is None else fallback.digits,
            number.added_at, number.changed_at,
        ),
        whose.session_id, None if role is None else role._value_, whose.shown.digits, whose.shown_label,
    )  # fmt: skip


def _of_record(record: KeptRecord) -> Plain:
    caller, callee, flow = record.caller, record.callee, record.flow
    return (
        record.sequence, record.started_at, None if caller is None else caller.digits,
        None if callee is None else callee.digits, None if flow is None else _of_fields(flow), record.recording,
        record.recording_on, tuple(record.a), tuple(record.b),
    )  # fmt: skip


def _of_talk(talk: KeptTalk) -> Plain:
    media = talk.media
    return (
        _of_usage(talk.a), _of_usage(talk.b),
        (
            media.relay, _of_codecs(media.caller_has), _of_codecs(media.offered), media.only_g711, media.late,
            _of_leg(media.a), _of_leg(media.b),
        ),
        talk.ends_at, talk.records,
    )  # fmt: skip


# Named tuples are read by place below: in compiled code a field by name is ten times the work, a slice twenty.
def _of_usage(usage: KeptUsage) -> Plain:
    of: Plain = usage
    session = usage.session
    return (of[0], of[1], tuple(usage.flow), of[3], of[4], None if session is None else tuple(session), of[6])


def _of_leg(leg: KeptLegMedia) -> Plain:
    of: Plain = leg
    local: LocalMedia | None = of[9]
    return (
        of[0], of[1], of[2], _of_description(of[3]), _of_codecs(of[4]), of[5], of[6], _of_description(of[7]), of[8],
        None if local is None else (local.address, local.port, local.rtcp_port, _of_secure(local.secure)), of[10],
        _of_codecs(of[11]), of[12],
    )  # fmt: skip


def _of_description(said: AudioDescription | None) -> Plain | None:
    if said is None:
        return None
    of: Plain = said
    refused = tuple(map(tuple, of[6])) if of[6] else ()
    secure = None if of[8] is None else _of_secure(of[8])
    return (of[0], of[1], of[2], _of_codecs(of[3]), of[4], of[5], refused, of[7], secure)


@lru_cache(maxsize=1024)
def _of_codecs(codecs: tuple[Codec, ...]) -> Plain:
    return tuple(map(tuple, codecs))


def _of_secure(secure: Secure | None) -> Plain | None:
    return None if secure is None else _of_fields(secure)


def _of_fields(value: Any) -> Any:
    """Of what is rare."""
    if isinstance(value, tuple):
        return tuple(map(_of_fields, value))
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {name: _of_fields(each) for name, each in value.items()}
    if not dataclasses.is_dataclass(value):
        return value
    return tuple([_of_fields(getattr(value, name)) for name in _fields(value.__class__)])


@lru_cache
def _fields(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))
