"""What is kept of a call, as JSON and back."""

from __future__ import annotations

import dataclasses
import json
import marshal
from dataclasses import replace
from enum import Enum
from typing import Any, get_args, get_type_hints

import pytest

from maskline.engine.call_kept import (
    VERSION,
    KeptCall,
    KeptContext,
    KeptLegMedia,
    KeptMedia,
    KeptRecord,
    KeptTalk,
    KeptTrack,
    write_call,
)
from maskline.engine.call_kept_read import KINDS, UnreadableCall, read_call, read_value
from maskline.masking.call_record import FlowRecord
from maskline.masking.e164 import Number
from maskline.masking.session import Role
from maskline.media.port import LocalMedia
from maskline.sdp.secure import Candidate, Crypto, Ice, Secure
from maskline.sdp.session import AudioDescription, Codec, RefusedStream
from maskline.sip.flow import Flow
from maskline.sip.kept_usage import KeptInvite, KeptSession, KeptUsage
from tests.support.call_machine import CALLEE, CALLER, NUMBER, VIRTUAL

TRACK = KeptTrack("leg-a", True, "trunk-1", 10.5, None, 12.25)
KEPT = KeptCall(
    VERSION, "call-1", 1234.5, KeptContext(NUMBER, "session-1", Role.SECOND, VIRTUAL, "ref"),
    KeptRecord(3, 10.5, CALLER, CALLEE, FlowRecord("PLAY_TTS"), "r-1", True, TRACK, TRACK),
)  # fmt: skip


def test_what_was_written_is_read_again() -> None:
    assert read_call(write_call(KEPT)) == KEPT
    assert read_call(write_call(KEPT)).record.caller == CALLER


def test_invites_that_wait_are_kept() -> None:
    invite = KeptInvite(Flow("tls", "192.0.2.9", 5061, "b"), "sip:1@x", "", "<sip:a>;tag=1", "<sip:b>", "c", 2, "z9hG4")
    kept = KEPT._replace(ringing=(invite, invite._replace(flow=Flow("udp", "192.0.2.8", 5060))))
    assert read_call(write_call(kept)) == kept


def test_a_value_that_is_of_a_kind_of_its_own_is_written_as_a_plain_one() -> None:
    usage = KeptUsage("tag", True, Flow("udp", "192.0.2.9", 5060), {"state": Role.FIRST, "hop": ("a",)}, "", None)
    leg = KeptLegMedia(7, 2, 1, None, (), False, True, None, False, None, True, (), Role.SECOND)
    talk = KeptTalk(usage, usage, KeptMedia(True, (), (), False, False, leg, leg), 99.5, True)
    read = read_call(write_call(KEPT._replace(talk=talk))).talk
    assert read is not None
    assert read.a.dialog == {"state": Role.FIRST.value, "hop": ("a",)}
    assert read.media.a.wish == Role.SECOND.value


def test_what_was_written_as_json_is_read() -> None:
    version, *values = marshal.loads(write_call(KEPT))
    assert version == VERSION
    assert read_call(json.dumps([1, *values]).encode()) == KEPT._replace(version=1)


def test_keys_and_candidates_of_an_encrypted_leg_are_kept() -> None:
    ice = Ice("ufrag", "password", (Candidate("1", 1, 7, "192.0.2.1", 9, "srflx", ("192.0.2.2", 10)),))
    secure = Secure("RTP/SAVP", (Crypto(1, "AES", "inline:x"),), ("sha-256", "AB:CD"), "active", ice, True, "0")
    codecs = (Codec(0, "PCMU"), Codec(101, "telephone-event", fmtp="0-16"))
    said = AudioDescription(
        "192.0.2.9", 6000, 6001, codecs, "sendonly", 20, (RefusedStream("video", "x", "96"),), 1, secure
    )
    local = LocalMedia("192.0.2.1", 4000, 4001, secure)
    leg = KeptLegMedia(7, 2, 1, said, codecs, False, True, said, False, local, True, codecs, "sendrecv")
    bare = leg._replace(written=None, far=None, local=None, voice=())
    dialog = {"call_id": "c", "route_set": ["<sip:p>"], "remote_cseq": None}
    usage = KeptUsage(
        "tag", True, Flow("udp", "192.0.2.9", 5060), dialog, "r", KeptSession(600, True, "v=0", True, 90), 2
    )
    media = KeptMedia(True, codecs, codecs, False, False, leg, bare)
    kept = KEPT._replace(talk=KeptTalk(usage, usage._replace(session=None), media, 99.5, True))
    assert read_call(write_call(kept)) == kept


def test_a_call_without_what_may_be_missing_is_kept() -> None:
    number = replace(NUMBER, fallback=CALLEE)
    record = KEPT.record._replace(caller=None, callee=None, flow=None, recording=None)
    kept = KEPT._replace(context=KeptContext(number, None, None, VIRTUAL, ""), record=record)
    assert read_call(write_call(kept)) == kept


def test_a_later_version_may_add_fields_at_the_end() -> None:
    values = marshal.loads(write_call(KEPT))
    assert read_call(marshal.dumps((*values, "new"))) == KEPT
    assert read_call(marshal.dumps(values[:-1])) == KEPT


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[1,2]",
        *[marshal.dumps(one) for one in ({}, (), None, (1,), (1, 2, 3, 4, 5), (9, "x"))],
        write_call(KEPT)[:-3],
        write_call(KEPT._replace(version=9)),
    ],
)
def test_what_is_none_of_ours_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableCall):
        read_call(data)


def test_a_number_of_the_wrong_kind_is_refused() -> None:
    with pytest.raises(TypeError):
        read_value(int, "7")
    assert read_value(float, 7) == 7.0


def test_the_kinds_that_are_read_are_those_of_the_annotations() -> None:
    plain = {int, str, float, bool, type(None), Any, Ellipsis, Number}
    met, reached = set(), [KeptCall]
    while reached:
        kind = reached.pop()
        if kind not in KINDS:
            assert get_args(kind) or kind in plain or issubclass(kind, Enum), kind
            reached.extend(get_args(kind))
        elif kind not in met:
            met.add(kind)
            hints = get_type_hints(kind)
            names = getattr(kind, "_fields", None) or tuple(field.name for field in dataclasses.fields(kind))
            assert tuple(hints[name] for name in names) == KINDS[kind], kind
            reached.extend(KINDS[kind])
    assert met == set(KINDS)
