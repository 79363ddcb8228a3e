"""The masking session: who may reach whom through which virtual number, until when, and how.

What it is: frozen values and the rules on them. What it is not: storage or an API shape; dialects translate.
Who uses it: workflows, stores, the engine (through a routing decision), webhook formats.
"""

from __future__ import annotations

from dataclasses import field, replace
from enum import StrEnum

from maskline.masking.e164 import Number
from maskline.values import dataclass


class SessionStatus(StrEnum):
    ACTIVE = "active"
    IN_PROGRESS = "in-progress"
    EXPIRED = "expired"


class PoolMode(StrEnum):
    """How a session holds its virtual numbers (competitors-and-pool-maths.md §5)."""

    SHARED = "shared"
    """One number, which both parties dial and see."""
    SPLIT = "split"
    """Each party has a number of its own."""
    PIN = "pin"
    """A number reserved for PINs: callers say by PIN who they are, so their own numbers claim nothing."""
    OPEN = "open"
    """A number for this session alone: anyone who calls it is connected (single party, no PIN)."""


class Role(StrEnum):
    """Which side of the session a party is; the other one is what the caller reaches."""

    FIRST = "first_party"
    SECOND = "second_party"

    @property
    def other(self) -> Role:
        return _OTHER[self]


_OTHER = {Role.FIRST: Role.SECOND, Role.SECOND: Role.FIRST}
"""By look-up: to name a member of an `Enum` is a Python call in 3.11, and every call asks."""


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """What the customer chose at creation or update; times in seconds, URLs empty when unset. These may hold secrets of
    the customer's, so no repr shows them."""

    session_expiry: int = 3600
    call_time_limit: int = 3600
    ring_timeout: int = 120
    callback_url: str = field(default="", repr=False)
    callback_method: str = "POST"
    record: bool = False
    record_file_format: str = "mp3"
    recording_callback_url: str = field(default="", repr=False)
    recording_callback_method: str = "POST"
    first_party_play_url: str = field(default="", repr=False)
    second_party_play_url: str = field(default="", repr=False)
    unknown_caller_play: str = field(default="", repr=False)
    initiate_call_to_first_party: bool = False
    virtual_number_cooloff_period: int = 0
    geomatch: bool = False
    """Whether the number was chosen by the party's country; what was asked for is in `NewSession`."""
    is_pin_authentication_required: bool = False
    force_pin_authentication: bool = False
    generate_pin: bool = False
    generate_pin_length: int = 4
    pin_prompt_play: str = field(default="", repr=False)
    pin_retry: int = 1
    pin_retry_wait: int = 5
    incorrect_pin_play: str = field(default="", repr=False)
    create_session_with_single_party: bool = False
    first_party_cooloff: int = 0
    """Seconds after the end during which the first party's key stays held; the account's policy and
    `virtual_number_cooloff_period`, whichever is longer, as of the creation."""
    second_party_cooloff: int = 0

    @property
    def prompt_sources(self) -> tuple[str, ...]:
        """What somebody may hear in a call of this session."""
        sources = (
            self.first_party_play_url, self.second_party_play_url, self.unknown_caller_play, self.pin_prompt_play,
            self.incorrect_pin_play,
        )  # fmt: skip
        return tuple(source for source in sources if source)

    def cooloff(self, role: Role) -> int:
        return self.first_party_cooloff if role is Role.FIRST else self.second_party_cooloff


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
    amount: int = 0
    """Charge of both legs in millionths of the currency unit."""
    recording_id: str | None = None
    """None: nothing was recorded."""


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
    pool_mode: PoolMode = PoolMode.SHARED
    second_virtual_number: Number | None = None
    """What the second party dials and sees, when it is not `virtual_number` (split mode)."""
    first_party_pin: str = field(default="", repr=False)
    second_party_pin: str = field(default="", repr=False)
    amount: int = 0
    """Fee of the session itself, in millionths of the currency unit."""
    total_call_amount: int = 0
    """Charge of all its calls, in millionths."""

    def is_live(self, wall: float) -> bool:
        """Whether a call may be matched at this moment; the second it expires, it may not."""
        return self.ended_at is None and wall < self.expires_at

    def status(self, wall: float) -> SessionStatus:
        if self.calls_in_progress:
            return SessionStatus.IN_PROGRESS
        return SessionStatus.ACTIVE if self.is_live(wall) else SessionStatus.EXPIRED

    def party(self, role: Role) -> Number | None:
        return self.first_party if role is Role.FIRST else self.second_party

    def pin(self, role: Role) -> str:
        """The PIN by which a caller says that it is this party; empty when there is none."""
        return self.first_party_pin if role is Role.FIRST else self.second_party_pin

    def number_of(self, role: Role) -> Number:
        """The virtual number that this party dials, and sees when it is called."""
        if role is Role.SECOND and self.second_virtual_number is not None:
            return self.second_virtual_number
        return self.virtual_number

    @property
    def numbers(self) -> tuple[Number, Number]:
        """The virtual numbers of the first and of the second party."""
        return self.number_of(Role.FIRST), self.number_of(Role.SECOND)

    @property
    def missing(self) -> Role | None:
        """The party that a single-party session does not know (yet)."""
        if self.first_party is None:
            return Role.FIRST
        return Role.SECOND if self.second_party is None else None

    def role_of(self, caller: Number) -> Role | None:
        if caller == self.first_party:
            return Role.FIRST
        return Role.SECOND if caller == self.second_party else None

    def changed(self, change: SessionChange) -> Session:
        """As an update leaves it."""
        return replace(
            self, options=change.options, first_party=change.first_party, second_party=change.second_party,
            expires_at=change.expires_at, modified_at=change.now,
            planned_duration=round(change.expires_at - self.created_at),
        )  # fmt: skip

    def ended(self, now: float) -> Session:
        """As its end at wall second `now` leaves it: the planned end moves to now, or stays when it is past."""
        return replace(self, ended_at=now, modified_at=now, expires_at=min(now, self.expires_at))


REQUEST_AGE = 60.0
"""Seconds after which a requested call is not started any more: nobody waits for it by then."""


@dataclass(frozen=True, slots=True)
class RequestedCall:
    """A call to the first party that a session asked for at its creation and that has not begun (click-to-call)."""

    session_id: str
    account_id: str
    requested_at: float
    """Wall seconds."""


@dataclass(frozen=True, slots=True)
class NewSession:
    """What a create asks for; numbers (and generated PINs) are chosen by `masking.pool` inside the store."""

    id: str
    account_id: str
    subaccount_id: str | None
    first_party: Number | None
    second_party: Number | None
    options: SessionOptions
    created_at: float
    geomatch: bool | None = None
    """True: only numbers of the party's country; False: any; None: of its country if the pool has one, else any
    (docs/decisions/0008)."""
    modes: tuple[PoolMode, ...] = (PoolMode.SHARED,)
    """Tried in this order; SHARED, SPLIT and PIN only (OPEN follows from a single party)."""
    first_party_pin: str = field(default="", repr=False)
    second_party_pin: str = field(default="", repr=False)
    pin_candidates: tuple[str, ...] = field(default=(), repr=False)
    """Random PINs, all different, to choose from where one has to be made; empty when none may be."""
    amount: int = 0
    """Fee of the session, in millionths of the currency unit."""

    @property
    def requested_call(self) -> RequestedCall | None:
        """What is kept with the session when it asks to be called at once."""
        if not self.options.initiate_call_to_first_party:
            return None
        return RequestedCall(self.id, self.account_id, self.created_at)

    def party(self, role: Role) -> Number | None:
        return self.first_party if role is Role.FIRST else self.second_party

    def pin(self, role: Role) -> str:
        return self.first_party_pin if role is Role.FIRST else self.second_party_pin


@dataclass(frozen=True, slots=True)
class SessionChange:
    """What an update makes of a live session; everything is the new value, changed or not."""

    options: SessionOptions
    expires_at: float
    now: float
    changed: tuple[str, ...]
    """Names of what changed, for the SessionUpdated fact."""
    first_party: Number | None
    second_party: Number | None
