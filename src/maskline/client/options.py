"""What a create, an update and a list may ask for: keyword arguments, as typed dictionaries.

What it is: names, types, and under each what it means; names and meanings are those of Plivo's and VTS' pages.
None stands for "not given", as in Plivo's client. What it is not: checks of values; the server says what it does not
like. Who uses it: `sync.py` and `aio.py` as signatures, `core.py` for the names.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypedDict

Method = Literal["GET", "POST"]


class SessionOptions(TypedDict, total=False):
    """What a create and an update have in common."""

    session_expiry: int | None
    """Seconds (60 to 86400) until the session ends; an update starts the clock anew."""
    call_time_limit: int | None
    """Seconds (60 to 86400) after which a call is ended."""
    ring_timeout: int | None
    """Seconds the called party may ring."""
    callback_url: str | None
    """Where session events are sent; an empty text takes it away again."""
    callback_method: Method | None
    """HTTP method of session events; POST unless given."""
    record: bool | None
    """Whether calls are to be recorded, from the moment both parties have answered; one file per call."""
    record_file_format: Literal["mp3", "wav"] | None
    """Format of recordings; mp3 unless given."""
    recording_callback_url: str | None
    """Where recording events are sent."""
    recording_callback_method: Method | None
    """HTTP method of recording events; POST unless given."""
    first_party_play_url: str | None
    """Audio (MP3 or WAV) for the first party before it is connected."""
    second_party_play_url: str | None
    """Audio (MP3 or WAV) for the second party before it is connected."""
    subaccount: str | None
    """Take the virtual number from this subaccount's; fixed once the session exists."""
    geomatch: bool | None
    """Whether the virtual number must be of the first party's country; fixed once the session exists."""
    create_session_with_single_party: bool | None
    """Open a session of one party; the other may be filled in by an update."""


class CreateOptions(SessionOptions, total=False):
    """Everything a create takes besides the two parties."""

    initiate_call_to_first_party: bool | None
    """Ring the first party at once and connect it with the second. Needs both parties."""
    is_pin_authentication_required: bool | None
    """Ask callers from unknown numbers for a PIN."""
    force_pin_authentication: bool | None
    """Ask registered callers for their PIN too; only with `is_pin_authentication_required`."""
    generate_pin: bool | None
    """Let the server make both PINs."""
    generate_pin_length: int | None
    """Digits (4 to 15) of a generated PIN; 4 unless given."""
    first_party_pin: str | None
    """PIN of the first party, 4 to 15 digits; must differ from the other one."""
    second_party_pin: str | None
    """PIN of the second party, 4 to 15 digits."""
    pin_prompt_play: str | None
    """Audio that asks for the PIN; needed with PIN authentication."""
    pin_retry: int | None
    """Further tries (0 to 5) after a wrong PIN; 1 unless given."""
    pin_retry_wait: int | None
    """Seconds (5 to 10) before a further try; 5 unless given."""
    incorrect_pin_play: str | None
    """Audio after a wrong PIN."""
    unknown_caller_play: str | None
    """Audio for a caller who belongs to no session, when no PIN is asked for."""
    virtual_number_cooloff_period: int | None
    """Seconds (0 to 3600) after the end during which the parties do not meet this virtual number again."""


class UpdateOptions(SessionOptions, total=False):
    """Everything an update takes."""

    first_party: str | None
    """Only in a session of a single party: the party that was missing."""
    second_party: str | None
    """Only in a session of a single party: the party that was missing."""


class ListFilters(TypedDict, total=False):
    """What a list is narrowed by. A time is an aware `datetime`, or text in UTC: `YYYY-MM-DD HH:MM[:SS[.ffffff]]`.

    Without a bound on a time the server lists the sessions created in the last 7 days; a window holds at most 30.
    """

    first_party: str | None
    """Sessions with this first party."""
    second_party: str | None
    """Sessions with this second party."""
    virtual_number: str | None
    """Sessions on this virtual number."""
    status: Literal["active", "in-progress", "expired", "all"] | None
    """Sessions in this state; all of them unless given."""
    subaccount: str | None
    """Sessions of this subaccount."""
    created_time: datetime | str | None
    """Created at this second."""
    created_time__lt: datetime | str | None
    """Created before."""
    created_time__lte: datetime | str | None
    """Created at or before."""
    created_time__gt: datetime | str | None
    """Created after."""
    created_time__gte: datetime | str | None
    """Created at or after."""
    expiry_time: datetime | str | None
    """Ending at this second; the operators mean the same as with `created_time`."""
    expiry_time__lt: datetime | str | None
    expiry_time__lte: datetime | str | None
    expiry_time__gt: datetime | str | None
    expiry_time__gte: datetime | str | None
    duration: int | None
    """Planned for this many seconds."""
    duration__lt: int | None
    duration__lte: int | None
    duration__gt: int | None
    duration__gte: int | None
    limit: int | None
    """Sessions per page (1 to 20); 20 unless given."""
    offset: int | None
    """Sessions to skip."""
