"""From facts about recordings to their rows and webhooks. Pure; called by `build_outbox.py` while a call is up and by
`process_recordings.py` when its file is there.

What it is: which row and which event a fact becomes, and the numbers its later event will bear. What it is not: bodies
(`webhooks/formats/plivo_recordings.py`) or files. The events go to the session's `recording_callback_url`; they are
numbered with the call's other events (plivo-vts.md §7.2 REC), so the number of the last one, which comes when the call
is long over, is set aside with the call's record.
"""

from __future__ import annotations

from collections.abc import Callable

from maskline.engine.ports import CallContext
from maskline.ids import Ids
from maskline.masking.facts import Fact, RecordingNotStarted, RecordingStarted, RecordingStopped
from maskline.masking.recording import Recording, RecordingEnd, RecordingStatus
from maskline.masking.session import Session, SessionOptions
from maskline.storage.store import OutboxRow
from maskline.values import dataclass, leaf
from maskline.webhooks.formats import plivo, plivo_recordings
from maskline.webhooks.formats.plivo_recordings import RecordingTold
from maskline.workflows.recording_links import RecordingLinks

TOLD_FACTS = frozenset({RecordingStarted, RecordingNotStarted, RecordingStopped})
_NO_SESSION = SessionOptions()


@leaf
class RecordingProgress:
    """What must be remembered of a call's recording between its commits."""

    __slots__ = ("begun", "stopped")

    def __init__(self) -> None:
        self.begun: str | None = None
        """Id of the recording that goes on, or went on."""
        self.stopped: RecordingStopped | None = None


@dataclass(frozen=True, slots=True)
class Teller:
    """What it takes to make a row of one call: `take` gives the next (SequenceNumber, place among the call's rows)."""

    links: RecordingLinks
    ids: Ids
    now: float
    take: Callable[[], tuple[int, int]]


def take_fact(
    fact: Fact, context: CallContext, session: Session | None, progress: RecordingProgress, teller: Teller,
    rows: list[OutboxRow],
) -> Recording | None:  # fmt: skip
    """The row that the fact brings about, if any; appends its webhook."""
    if isinstance(fact, RecordingStarted):
        progress.begun = fact.recording_id
        recording = _born(fact, context, session, RecordingStatus.RECORDING, fact.spool, "")
        event = plivo_recordings.INITIATED
    elif isinstance(fact, RecordingNotStarted):
        recording = _born(fact, context, session, RecordingStatus.FAILED, "", fact.reason)
        event = plivo_recordings.FAILED
    else:
        progress.stopped = fact if isinstance(fact, RecordingStopped) else None
        return None
    if recording.callback_url:
        sequence, position = teller.take()
        rows.append(recording_row(recording, event, fact.at, sequence, position, teller.links, teller.ids, teller.now))
    return recording


def _born(
    fact: RecordingStarted | RecordingNotStarted, context: CallContext, session: Session | None,
    status: RecordingStatus, spool: str, error: str,
) -> Recording:  # fmt: skip
    # A call flow has no session: nobody is told by the Plivo dialect, and the file is an mp3.
    options = session.options if session else _NO_SESSION
    return Recording(
        id=fact.recording_id, account_id=context.account_id,
        subaccount_id=session.subaccount_id if session else context.subaccount_id,
        session_id=session.id if session else "", call_id=context.call_id, leg_id=context.leg_a_id,
        format=options.record_file_format, status=status, virtual_number=context.virtual_number.number,
        caller=context.caller, callee=context.callee, started_at=fact.at, spool=spool,
        callback_url=options.recording_callback_url, callback_method=options.recording_callback_method.upper(),
        error=error,
    )  # fmt: skip


def recording_end(
    progress: RecordingProgress | None, ended_at: float, sequence: int, position: int, now: float
) -> RecordingEnd | None:
    """With the call's record, if it was recorded: `sequence` and `position` are the next ones of the call."""
    if progress is None or progress.begun is None:
        return None
    stopped = progress.stopped
    if stopped is None:
        return RecordingEnd(progress.begun, ended_at, False, sequence, position, now)
    return RecordingEnd(progress.begun, stopped.at, stopped.lost, sequence, position, now)


def recording_row(
    recording: Recording, event: str, at: float, sequence: int, position: int, links: RecordingLinks, ids: Ids,
    now: float,
) -> OutboxRow:  # fmt: skip
    """The webhook of one event at wall second `at`."""
    done = event == plivo_recordings.COMPLETED
    told = RecordingTold(
        recording.id, recording.format, links.resource(recording.account_id, recording.id),
        url=file_url(recording, links, now) if done else "",
        duration_ms=recording.duration_ms if done else None,
        started_at=None if event == plivo_recordings.FAILED and not recording.duration_ms else recording.started_at,
        ended_at=recording.ended_at if done else None,
        partial=done and recording.partial,
    )  # fmt: skip
    who = plivo.Parties(
        recording.session_id, recording.caller.digits if recording.caller else "",
        recording.callee.digits if recording.callee else "", recording.virtual_number.digits,
    )  # fmt: skip
    return OutboxRow(
        id=ids.uuid(),
        account_id=recording.account_id,
        subaccount_id=recording.subaccount_id,
        subject=recording.call_id,
        sequence=position,
        dialect="plivo",
        event=event,
        method=recording.callback_method,
        url=recording.callback_url,
        content_type=plivo.CONTENT_TYPE,
        body=plivo_recordings.recording_event(who, event, at, sequence, told),
        created_at=now,
        due_at=now,
    )


def file_url(recording: Recording, links: RecordingLinks, now: float, base_url: str = "") -> str:
    """A signed link to us, or where the only copy was pushed to; empty when there is no file."""
    if recording.downloadable:
        return links.download(recording.id, recording.format, now, base_url)
    return recording.pushed
