"""What comes back: frozen values, the same for both flavours of the API.

What it is: fields and types of the session object, its interactions, lists and messages. Numbers are E.164 with `+`,
times are aware and in UTC, amounts are decimals. Fields this client does not know, and known ones with a value of
another type, are kept in `extra` as they came. What it is not: how they are read (`reading.py`).

None is "not told": Plivo's flavour tells all but what is said below; VTS' leaves out whatever may be None here. Numbers
of people and PINs stay out of `repr`, and so does what may hold one: programs print their objects into logs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlsplit

E164: TypeAlias = str
"""A telephone number with `+`; empty when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interaction:
    """One call inside a session."""

    start_time: datetime | None = None
    end_time: datetime | None = None
    first_party_resource_url: str = ""
    """Address of the first party's leg; empty when it never started."""
    second_party_resource_url: str = ""
    recording_resource_url: str = ""
    first_party_status: str = ""
    second_party_status: str = ""
    type: str = "call"
    total_call_amount: Decimal = Decimal(0)
    call_billed_duration: int = 0
    """Seconds."""
    total_call_count: int = 0
    """Legs: 1 when the second party was never dialled, else 2."""
    duration: int = 0
    """Seconds, of both legs together."""
    auth_id: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A masking session."""

    session_uuid: str
    first_party: E164 = field(default="", repr=False)
    """Empty in a session of a single party, while it is the missing one."""
    second_party: E164 = field(default="", repr=False)
    virtual_number: E164 = ""
    status: str = ""
    """`active`, `in-progress` or `expired`."""
    initiate_call_to_first_party: bool = False
    session_expiry: int | None = None
    """Planned length in seconds as last asked for; Plivo's own service leaves it out."""
    duration: int | None = None
    """Seconds from creation to the planned end; the VTS flavour leaves it out."""
    call_time_limit: int = 0
    ring_timeout: int = 0
    callback_url: str = ""
    callback_method: str | None = None
    record: bool = False
    record_file_format: str = ""
    recording_callback_url: str = ""
    recording_callback_method: str | None = None
    first_party_play_url: str = ""
    second_party_play_url: str = ""
    unknown_caller_play: str | None = None
    is_pin_authentication_required: bool | None = None
    force_pin_authentication: bool | None = None
    generate_pin: bool | None = None
    """This and the other PIN fields are None when no PIN is asked for."""
    generate_pin_length: int | None = None
    first_party_pin: str | None = field(default=None, repr=False)
    second_party_pin: str | None = field(default=None, repr=False)
    pin_prompt_play: str | None = None
    pin_retry: int | None = None
    pin_retry_wait: int | None = None
    incorrect_pin_play: str | None = None
    create_session_with_single_party: bool | None = None
    virtual_number_cooloff_period: int | None = None
    geomatch: bool | None = None
    subaccount: str | None = None
    created_time: datetime | None = None
    modified_time: datetime | None = None
    expiry_time: datetime | None = None
    last_interaction_time: datetime | None = None
    """End of the latest interaction; None when there was none."""
    amount: Decimal | None = None
    """Fee for the session itself."""
    total_call_amount: Decimal = Decimal(0)
    total_session_amount: Decimal | None = None
    total_call_count: int = 0
    """Call legs, not interactions."""
    total_call_billed_duration: int = 0
    interaction: tuple[Interaction, ...] = ()
    pool_mode: str | None = None
    """How it holds its numbers: `shared`, `split`, `pin` or `open`."""
    first_party_virtual_number: E164 | None = None
    """What the first party dials and sees."""
    second_party_virtual_number: E164 | None = None
    resource_uri: str | None = None
    """Only in lists."""
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionReply(Session):
    """A session as create, get and update answer with it.

    Code written for VTS finds the fields here, code written for Plivo under `session` or `response`.
    """

    api_id: str = ""
    """The server's name for this request."""
    message: str = ""
    replayed: bool = False
    """Whether the server had done this before, for the same `idempotency_key` or an identical request just sent, and
    answers with what came of it then."""

    @property
    def session(self) -> Session:
        return self

    @property
    def response(self) -> Session:
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """Where a page lies in its list."""

    limit: int = 0
    offset: int = 0
    total_count: int = 0
    """Sessions that match, on all pages."""
    next: str | None = field(default=None, repr=False)
    """Path and query of the following page; None on the last."""
    previous: str | None = field(default=None, repr=False)
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPage:
    """One page of a list, newest session first: iterate it, take its length, index it."""

    meta: Meta
    objects: tuple[Session, ...]
    api_id: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    @property
    def response(self) -> SessionPage:
        return self

    @property
    def next_query(self) -> dict[str, str] | None:
        """Query of the following page; None on the last."""
        if not self.meta.next:
            return None
        return dict(parse_qsl(urlsplit(self.meta.next).query, keep_blank_values=True))

    def __iter__(self) -> Iterator[Session]:
        return iter(self.objects)

    def __len__(self) -> int:
        return len(self.objects)

    def __getitem__(self, index: int) -> Session:
        return self.objects[index]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What the server says when there is nothing to show."""

    message: str = ""
    api_id: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)
