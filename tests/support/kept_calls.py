"""A call that was begun, as its engine keeps it."""

from __future__ import annotations

from maskline.engine.call_kept import VERSION, KeptCall, KeptContext, KeptRecord, KeptTrack, write_call
from maskline.masking.facts import CallReceived
from maskline.storage.kept import LiveCall
from maskline.storage.store import RecordedCall
from tests.support.calls import CALLEE, CALLER, T0, VIRTUAL, make_context


def keeping(call_id: str, engine_id: str) -> RecordedCall:
    context = make_context()
    track = KeptTrack("leg-a", True, "trunk", T0, None, None)
    record = KeptRecord(1, T0, CALLER, CALLEE, None, None, False, track, track._replace(id="leg-b", inbound=False))
    whose = KeptContext(context.virtual_number, None, None, VIRTUAL, "")
    state = write_call(KeptCall(VERSION, call_id, T0, whose, record))
    live = LiveCall(call_id, engine_id, context.account_id, None, T0, state)
    return RecordedCall((CallReceived(call_id, 1, T0, "trunk", VIRTUAL.digits),), context.account_id, live=live)
