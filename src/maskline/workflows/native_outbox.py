"""Who hears of Maskline's own events, and the rows: endpoints of kind `native` of a subaccount, or of the account.

What it is: which facts of a call are events, and the events of sessions, recordings and numbers. What it is not: bodies
(`webhooks/formats/native.py`). Who uses it: `build_outbox.py` for calls, and the workflows that change the others.
"""

from __future__ import annotations

from collections.abc import Sequence

from maskline.engine.ports import CallContext
from maskline.ids import Ids, SystemIds
from maskline.masking.decision import VirtualNumber
from maskline.masking.facts import (
    CallReceived,
    CallRequested,
    CallRouted,
    Fact,
    LegAnswered,
    LegDialed,
    LegEnded,
    LegName,
    LegRinging,
)
from maskline.masking.recording import Recording, RecordingStatus
from maskline.masking.session import Session
from maskline.storage.store import OutboxRow, Store
from maskline.webhooks.formats import native
from maskline.workflows.call_progress import CallProgress
from maskline.workflows.receivers import About, Receiver, call_row, outbox_row, read_receiver

_IDS = SystemIds()
"""A change of a session or number is no part of a simulated call: its webhooks need not be the same in every run."""
STEPS: dict[type[Fact], str] = {
    CallReceived: native.CALL_RECEIVED,
    CallRequested: native.CALL_REQUESTED,
    CallRouted: native.CALL_ROUTED,
    LegDialed: native.LEG_DIALED,
    LegRinging: native.LEG_RINGING,
    LegAnswered: native.LEG_ANSWERED,
    LegEnded: native.LEG_ENDED,
}
"""Facts that are told while a call goes on."""


def append_native(
    fact: Fact, context: CallContext, progress: CallProgress, receivers: Sequence[Receiver], now: float, ids: Ids,
    rows: list[OutboxRow],
) -> None:  # fmt: skip
    """Append what one fact tells each native endpoint that wants to hear of steps."""
    event = STEPS.get(type(fact))
    if event is None:
        return
    leg: str | None = getattr(fact, "leg", None)
    leg_id = None if leg is None else context.leg_a_id if leg == LegName.A else context.leg_b_id
    session_id = context.session.id if context.session else None
    status = fact.sip_status if isinstance(fact, LegEnded) else None
    step = native.Step(context.call_id, session_id, context.virtual_number, fact.at, leg, leg_id, status)
    body = native.call_step(event, step)
    rows += [call_row(one, context, ids.uuid(), event, body, progress.next_row(), now) for one in receivers]


async def native_session_rows(
    store: Store, session: Session, event: str, at: float, ids: Ids = _IDS
) -> list[OutboxRow]:
    """Of a session as it is from wall second `at` on. Raises `StoreUnavailable`."""
    receiver = await session_receiver(store, session)
    return [] if receiver is None else [session_row(receiver, session, event, at, ids)]


async def session_receiver(store: Store, session: Session) -> Receiver | None:
    """Who hears of it, if anybody. Raises `StoreUnavailable`."""
    return await read_receiver(store, session.subaccount_id or session.account_id, native.KIND)


class FindSessionReceiver:
    """Who hears of a (sub)account's sessions, if anybody: asked at each create, hence kept until anything is
    configured."""

    __slots__ = ("_found", "_store", "_version")

    def __init__(self, store: Store) -> None:
        self._store = store
        self._found: dict[str, Receiver | None] = {}
        self._version: int | None = None

    async def __call__(self, owner: str) -> Receiver | None:
        """Raises `StoreUnavailable`."""
        version = await self._store.configuration_version()
        if version != self._version:
            self._found = {}  # not cleared: see `FindLimits.at`
            self._version = version
        known = self._found
        if owner not in known:
            known[owner] = await read_receiver(self._store, owner, native.KIND)
        return known[owner]


def session_row(receiver: Receiver, session: Session, event: str, at: float, ids: Ids = _IDS) -> OutboxRow:
    about = About(session.account_id, session.subaccount_id, session.id, round(at * 1000))
    return outbox_row(receiver, about, ids.uuid(), event, native.session_event(event, session, at), at)


async def native_recording_rows(
    store: Store, recording: Recording, now: float, ids: Ids, reason: str = ""
) -> list[OutboxRow]:
    """Of a recording whose file is there, or that was given up. Raises `StoreUnavailable`."""
    receiver = await read_receiver(store, recording.subaccount_id or recording.account_id, native.KIND)
    if receiver is None:
        return []
    done = recording.status is RecordingStatus.COMPLETED
    event = native.RECORDING_COMPLETED if done else native.RECORDING_FAILED
    about = About(recording.account_id, recording.subaccount_id, recording.call_id, recording.position)
    body = native.recording_event(event, recording, now, "" if done else reason)
    return [outbox_row(receiver, about, ids.uuid(), event, body, now)]


async def native_number_rows(
    store: Store, numbers: Sequence[VirtualNumber], owner: str, now: float, ids: Ids, *, gone: bool = False
) -> list[OutboxRow]:
    """To the (sub)account `owner`, of numbers of one account as they are to be. Raises `StoreUnavailable`."""
    receiver = await read_receiver(store, owner, native.KIND)
    if receiver is None:
        return []
    rows = []
    for place, number in enumerate(numbers):
        subaccount_id = None if owner == number.account_id else owner
        about = About(number.account_id, subaccount_id, owner, round(now * 1000) + place)
        body = native.number_updated(number, now, gone=gone)
        rows.append(outbox_row(receiver, about, ids.uuid(), native.NUMBER_UPDATED, body, now))
    return rows
