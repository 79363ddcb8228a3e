"""What was kept of a call, read again: each value as the kind it was.

What it is: the kinds of all fields in one table, and one function that follows it. The table repeats what annotations
say, which a test holds it to: a package that mypyc has compiled has lost them. What it is not: the values and their
writing (`call_kept.py`). Who uses it: the recovery of calls.
"""

from __future__ import annotations

import json
import marshal
import types
from enum import Enum
from typing import Any, get_args, get_origin

from maskline.engine.call_kept import (
    VERSION,
    KeptCall,
    KeptContext,
    KeptLegMedia,
    KeptMedia,
    KeptRecord,
    KeptTalk,
    KeptTrack,
)
from maskline.masking.call_record import FlowRecord
from maskline.masking.decision import NumberState, NumberUse, VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.facts import LegName
from maskline.masking.permit import Dialled, Permit
from maskline.masking.price import Direction, Price
from maskline.masking.session import Role
from maskline.media.port import LocalMedia
from maskline.sdp.secure import Candidate, Crypto, Ice, Secure
from maskline.sdp.session import AudioDescription, Codec, RefusedStream
from maskline.sip.flow import Flow
from maskline.sip.kept_usage import KeptInvite, KeptSession, KeptUsage


class UnreadableCall(Exception):
    """Written by another version, or not by us."""


_Codecs = tuple[Codec, ...]
_Time = float | None
_Text = str | None

KINDS: dict[Any, tuple[Any, ...]] = {
    KeptCall: (int, str, float, KeptContext, KeptRecord, KeptTalk | None, Permit | None, tuple[KeptInvite, ...]),
    KeptInvite: (Flow, str, str, str, str, str, int, str),
    KeptContext: (VirtualNumber, _Text, Role | None, Number, str),
    VirtualNumber: (
        Number, str, _Text, str, _Text, NumberState, NumberUse, str, Number | None, float, float,
    ),
    KeptRecord: (int, float, Number | None, Number | None, FlowRecord | None, _Text, bool, KeptTrack, KeptTrack),
    FlowRecord: (str, str, bool),
    KeptTrack: (str, bool, str, _Time, _Time, _Time),
    KeptTalk: (KeptUsage, KeptUsage, KeptMedia, _Time, bool),
    KeptUsage: (str, bool, Flow, dict[str, Any], str, KeptSession | None, int),
    Flow: (str, str, int, str),
    KeptSession: (int, bool, str, bool, int),
    KeptMedia: (bool, _Codecs, _Codecs, bool, bool, KeptLegMedia, KeptLegMedia),
    KeptLegMedia: (
        int, int, int, AudioDescription | None, _Codecs, bool, bool, AudioDescription | None, bool, LocalMedia | None,
        bool, _Codecs, str,
    ),
    Codec: (int, str, int, int, str),
    AudioDescription: (str, int, int, _Codecs, str, int | None, tuple[RefusedStream, ...], int, Secure | None),
    RefusedStream: (str, str, str),
    Secure: (str, tuple[Crypto, ...], tuple[str, str] | None, str, Ice | None, bool, str),
    Crypto: (int, str, str),
    Ice: (str, str, tuple[Candidate, ...], bool),
    Candidate: (str, int, int, str, int, str, tuple[str, int] | None),
    LocalMedia: (str, int, int, Secure | None),
    Permit: (str, str, str, tuple[Dialled, ...]),
    Dialled: (LegName, tuple[str, ...], Price | None, _Text),
    Price: (str, _Text, Direction, str, int, int, int),
}  # fmt: skip
"""Of each kind those of its fields, in order. Fields that a later version adds have defaults."""


def read_call(data: bytes) -> KeptCall:
    """Raises `UnreadableCall`."""
    try:
        # The seal says that nobody but us has written it.
        values = json.loads(data) if data[:1] == b"[" else marshal.loads(data)
        if values[0] not in (1, VERSION):
            raise UnreadableCall
        call: KeptCall = read_value(KeptCall, values)
    except (AttributeError, EOFError, IndexError, KeyError, TypeError, ValueError) as error:
        raise UnreadableCall from error
    return call


def read_value(kind: Any, value: Any) -> Any:
    """`value`, as it was written, as the `kind` of a field. Raises what a value that is none of it raises."""
    if isinstance(kind, types.UnionType):
        return None if value is None else read_value(next(each for each in get_args(kind) if each is not _NONE), value)
    if get_origin(kind) is tuple:
        inner = get_args(kind)
        each = inner[:1] * len(value) if inner[-1] is Ellipsis else inner
        return tuple([read_value(one, part) for one, part in zip(each, value, strict=True)])
    if get_origin(kind) is dict:
        return value
    fields = KINDS.get(kind)
    if fields is not None:
        return kind(*[read_value(one, part) for one, part in zip(fields, value, strict=False)])
    if kind is Number or issubclass(kind, Enum):
        return kind(value)
    if not isinstance(value, (kind, int) if kind is float else kind):
        raise TypeError(kind)
    return value


_NONE = type(None)
