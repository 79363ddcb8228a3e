"""The masking session: who may reach whom through which virtual number, until when, and how.

What it is: frozen values and the rules on them. What it is not: storage or an API shape; dialects translate.
Who uses it: workflows, stores, the engine (through a routing decision), webhook formats.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from maskline.masking.e164 import Number


class SessionStatus(StrEnum):
    ACTIVE = "active"
    IN_PROGRESS = "in-progress"
    EXPIRED = "expired"


class Role(StrEnum):
    """Which side of the session a party is; the other one is what the caller reaches."""

    FIRST = "first_party"
    SECOND = "second_party"

    @property
    def other(self) -> Role:
        return Role.SECOND if self is Role.FIRST else Role.FIRST


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """What the customer chose at creation or update; times in seconds, URLs empty when unset."""

    session_expiry: int = 3600
    call_time_limit: int = 3600
    ring_timeout: int = 120
    callback_url: str = ""
    callback_method: str = "POST"
    record: bool = False
    record_file_format: str = "mp3"
    recording_callback_url: str = ""
    recording_callback_method: str = "POST"
    first_party_play_url: str = ""
    second_party_play_url: str = ""
    unknown_caller_play: str = ""
    initiate_call_to_first_party: bool = False
    virtual_number_cooloff_period: int = 0
    geomatch: bool = False
    """Only numbers of the first party's country; the dialect's default applies, not this one."""


@dataclass(frozen=True, slots=True)
class Interaction:
    """One call inside a session, as the session object lists it (plivo-vts.md §5.1). Times: wall seconds."""

    call_id: str
    started_at: float
    ended_at: float
    caller: Role
    first_party_leg_id: str | None
    second_party_leg_id: str | None
    duration: int
    """Seconds, both legs summed."""
    billed_duration: int
    legs: int


@dataclass(frozen=True, slots=True)
class Session:
    """One masking session. Times are wall seconds (UTC)."""

    id: str
    account_id: str
    subaccount_id: str | None
    first_party: Number | None
    second_party: Number | None
    virtual_number: Number
    options: SessionOptions
    created_at: float
    modified_at: float
    expires_at: float
    """Planned end; manual expiry moves it to that moment (plivo-vts.md §4 DERIVED)."""
    planned_duration: int
    """Seconds from creation to the planned end; manual expiry leaves it."""
    ended_at: float | None = None
    """Set once, when the end was carried out and its fact written."""
    last_interaction_at: float | None = None
    total_call_count: int = 0
    """Legs, not interactions (plivo-vts.md §5)."""
    total_call_billed_duration: int = 0
    calls_in_progress: int = 0
    interactions: tuple[Interaction, ...] = field(default=())

    def is_live(self, wall: float) -> bool:
        """Whether a call may be matched at this moment; the second it expires, it may not."""
        return self.ended_at is None and wall < self.expires_at

    def status(self, wall: float) -> SessionStatus:
        if self.calls_in_progress:
            return SessionStatus.IN_PROGRESS
        return SessionStatus.ACTIVE if self.is_live(wall) else SessionStatus.EXPIRED

    def party(self, role: Role) -> Number | None:
        return self.first_party if role is Role.FIRST else self.second_party

    def role_of(self, caller: Number) -> Role | None:
        if caller == self.first_party:
            return Role.FIRST
        return Role.SECOND if caller == self.second_party else None


@dataclass(frozen=True, slots=True)
class NewSession:
    """What a create asks for; the store adds the virtual number, the id is given by the workflow."""

    id: str
    account_id: str
    subaccount_id: str | None
    first_party: Number
    second_party: Number
    options: SessionOptions
    created_at: float
