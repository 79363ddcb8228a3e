"""Plivo's recording callbacks, form-encoded, for `recording_callback_url`; VTS publishes the older edition.

What it is: the form bodies of plivo-vts.md §7.3. What it is not: links (made by the caller) or the request. Who uses
it: `workflows/recording_outbox.py`.

Every event carries every attribute, empty where it does not apply, as the session's events do. The parties come under
both editions' names: From and To, FirstParty and SecondParty; numbers are digits without `+` (decision 0005). One is
ours, and only there when it has something to say: `RecordingPartial=true`, last, of a file that lacks its call's end.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from urllib.parse import quote_plus

from maskline.webhooks.formats.plivo import Parties, session_time

INITIATED = "SessionRecordingInitiated"
COMPLETED = "SessionRecordingCompleted"
FAILED = "SessionRecordingFailed"


@dataclass(frozen=True, slots=True)
class RecordingTold:
    """What an event says of the recording; empty or None: not known, or there is none."""

    recording_id: str
    format: str
    """`mp3` or `wav`."""
    resource_url: str
    """Where the API shows it."""
    url: str = ""
    """Where the file is."""
    duration_ms: int | None = None
    started_at: float | None = None
    ended_at: float | None = None
    partial: bool = False


def recording_event(who: Parties, event: str, at: float, sequence: int, told: RecordingTold) -> bytes:
    """One event at wall second `at`; `sequence` counts on from the call's other events (§7.2)."""
    seconds = "" if told.duration_ms is None else str(math.floor(told.duration_ms / 1000 + 0.5))
    return (
        f"EventName={event}&EventTimestamp={_time(at)}&SessionUUID={who.session_id}"
        f"&From={who.from_}&To={who.to}&FirstParty={who.from_}&SecondParty={who.to}"
        f"&VirtualNumber={who.virtual_number}&RecordingUUID={quote_plus(told.recording_id)}"
        f"&RecordingURL={quote_plus(told.url)}&RecordingResourceURL={quote_plus(told.resource_url)}"
        f"&RecordingDuration={seconds}&RecordingStartTime={_time(told.started_at)}"
        f"&RecordingEndTime={_time(told.ended_at)}&RecordingFormat=.{told.format}&SequenceNumber={sequence}"
        f"{'&RecordingPartial=true' if told.partial else ''}"
    ).encode()


def _time(at: float | None) -> str:
    return "" if at is None else quote_plus(session_time(at))
