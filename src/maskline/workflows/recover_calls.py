"""Calls that an engine left when it died, read from the store for the one that comes after it.

What it is: of each call what was kept, its session as it is now, what was written of it; and the recorder told how far
its webhooks were numbered. What it is not: what becomes of a call (`engine/revival.py`). Who uses it: `app.py`, before
the engine hears anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import structlog

from maskline.engine.call_keep import context_of
from maskline.engine.call_kept_read import UnreadableCall, read_call
from maskline.engine.call_unread import dialled_number, kept_of_facts
from maskline.engine.ports import CutOff
from maskline.errors import NotFound
from maskline.masking.decision import VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.facts import Fact
from maskline.masking.session import Session
from maskline.storage.crypto import SealBroken
from maskline.storage.kept import LiveCall
from maskline.storage.store import Store
from maskline.workflows.record_call import CallRecording

_log = structlog.get_logger("maskline.recover_calls")
_NOBODYS = Number("000")
"""In the record of a call of which not even a fact is left."""


async def recover_calls(store: Store, recorder: CallRecording, calls: Sequence[LiveCall]) -> list[CutOff]:
    """What was kept of calls that are ours from now on, in their order; of one that cannot be read what its facts
    tell, so that it ends and has its record. Raises `StoreUnavailable`."""
    found = []
    for live in calls:
        session, facts = await _session_of(store, live), tuple(await store.facts(live.call_id))
        try:
            kept = read_call(live.state)
        except UnreadableCall:
            _log.error("call_not_recovered", call_id=live.call_id)
            number = await _number_of(store, live, session, facts)
            kept = kept_of_facts(live.call_id, live.kept_at, number, session, facts)
        past = CutOff(kept, context_of(kept, session), facts, live.taken, live.end_asked)
        await recorder.resume(past)
        found.append(past)
    if found:
        talking = sum(1 for past in found if past.kept.talk is not None)
        _log.warning("calls_recovered", talking=talking, ended=len(found) - talking)
    return found


async def _number_of(
    store: Store, live: LiveCall, session: Session | None, facts: Sequence[Fact]
) -> VirtualNumber:  # fmt: skip
    """What was dialled, as it is now, or was when it is another one's by now."""
    dialled = dialled_number(facts)
    if dialled is not None:
        number = Number(dialled.removeprefix("+"))
    else:
        number = _NOBODYS if session is None else session.virtual_number
    found = await store.number(number)
    if found is not None and found.account_id == live.account_id:
        return found
    return VirtualNumber(number, live.account_id, None if session is None else session.subaccount_id)


async def _session_of(store: Store, live: LiveCall) -> Session | None:
    """Without its earlier calls, as a call is routed. None for one that was deleted or damaged, too: its call goes on
    as what was kept of it says."""
    if live.session_id is None:
        return None
    try:
        session = await store.session(live.account_id, live.session_id)
    except (NotFound, SealBroken):
        return None
    return replace(session, interactions=())
