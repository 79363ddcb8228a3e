"""The recording of one call, from its start to the deletion of its file.

What it is: frozen values and the states a recording goes through. What it is not: audio (`media/recordings`), or who
hears of it (webhook formats). Who uses it: workflows write, storage keeps (parties sealed), API and CLI show.
"""

from __future__ import annotations

from dataclasses import field, replace
from enum import StrEnum

from maskline.masking.e164 import Number
from maskline.values import dataclass


class RecordingStatus(StrEnum):
    RECORDING = "recording"
    """The call is up, and packets are spooled."""
    STOPPED = "stopped"
    """The call is over; its file is to be made, now or again at `due_at`."""
    PROCESSING = "processing"
    """The file is being made, by whoever has the lease until `due_at`."""
    COMPLETED = "completed"
    FAILED = "failed"
    """It could not start, or no file could be made or stored, and nobody tries again."""
    DELETED = "deleted"
    """There was a file; it was deleted by request or by its age."""


FORMATS = ("mp3", "wav")


@dataclass(frozen=True, slots=True)
class Recording:
    id: str
    account_id: str
    subaccount_id: str | None
    session_id: str
    call_id: str
    leg_id: str
    """Of leg A; what the Plivo dialect calls the call's uuid."""
    format: str
    """`mp3` or `wav`."""
    status: RecordingStatus
    virtual_number: Number
    caller: Number | None
    """Who called, or whom we called first; with `callee` as the webhooks of the call name them."""
    callee: Number | None
    started_at: float
    ended_at: float | None = None
    """None while it lasts, and when a crash ended it: then the spool's last packet tells."""
    duration_ms: int = 0
    partial: bool = False
    """Cut short by a crash, a full disk or a lost driver: what is there is not all that was said."""
    spool: str = field(default="", repr=False)
    """`media.port.Spool` as JSON; empty once it is removed, or when there never was one."""
    file: str = ""
    """Where the sealed file is, below the data directory; empty: not here."""
    pushed: str = ""
    """URL of the copy in other storage, without credentials; empty: none."""
    size: int = 0
    """Bytes of the file as people download it."""
    callback_url: str = field(default="", repr=False)
    callback_method: str = "POST"
    sequence: int = 0
    """SequenceNumber of its next webhook, counted with those of the call."""
    position: int = 0
    """Place of that webhook among all of the call's."""
    attempts: int = 0
    due_at: float = 0.0
    """When to (re)try; of one that is being processed the end of the lease."""
    error: str = ""
    """Why it failed, or what the last try failed of; names no number and no credential."""
    upload_failed: bool = False
    """The file was made; it is its way to other storage that `error` is about."""

    @property
    def downloadable(self) -> bool:
        return self.status is RecordingStatus.COMPLETED and bool(self.file)

    def stopped(self, end: RecordingEnd) -> Recording:
        return replace(
            self, status=RecordingStatus.STOPPED, ended_at=end.ended_at, partial=self.partial or end.partial,
            sequence=end.sequence, position=end.position, due_at=end.due_at,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class RecordingEnd:
    """The call of a recording is over; its file can be made."""

    recording_id: str
    ended_at: float | None
    partial: bool
    sequence: int
    position: int
    due_at: float


@dataclass(frozen=True, slots=True)
class RecordingResult:
    """What a try to make the file came to."""

    recording_id: str
    status: RecordingStatus
    """`completed`, `failed`, or `stopped` to be tried again at `due_at`."""
    due_at: float = 0.0
    started_at: float = 0.0
    ended_at: float | None = None
    duration_ms: int = 0
    partial: bool = False
    file: str = ""
    pushed: str = ""
    size: int = 0
    error: str = ""
    upload_failed: bool = False
