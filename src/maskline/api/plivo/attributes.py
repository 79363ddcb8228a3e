"""The one table of what a create or update may say: names, types, ranges, aliases.

What it is: data. `schemas.py` derives the readers from it, `openapi.py` the published description. What it is
not: domain rules (`workflows/create_session.py`, `workflows/update_session.py`). Attribute names equal the
field names of `masking.session.SessionOptions` wherever such a field exists.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    NUMBER = "number"
    """A telephone number."""
    INTEGER = "integer"
    """Seconds or a length; 0 means "unset", because typed SDKs send their zero values."""
    COUNT = "count"
    """A whole number of which 0 is a value like any other."""
    BOOLEAN = "boolean"
    CHOICE = "choice"
    URL = "url"
    SUBACCOUNT = "subaccount"
    PIN = "pin"
    """Digits a caller types, 4 to 15 of them; a JSON number is read as its digits."""


URL_LIMIT = 1_000
"""URLs must be shorter (plivo-vts.md §1.2)."""
PIN_DIGITS = (4, 15)
"""Fewest and most."""


@dataclass(frozen=True, slots=True)
class Attribute:
    name: str
    kind: Kind
    about: str
    """One sentence for the published description."""
    minimum: int = 0
    maximum: int = 0
    choices: tuple[str, ...] = ()
    required: bool = False
    """Unless the session is to have a single party."""
    updatable: bool = False
    fillable: bool = False
    """May change in a session that was made with a single party."""
    pin_detail: bool = False
    """Has a meaning only with PIN authentication; ignored without it."""
    aliases: tuple[str, ...] = ()
    """Other spellings that official clients send (plivo-vts.md §2.3)."""


_VERBS = ("GET", "POST")

_PARTIES = (
    Attribute(
        "first_party", Kind.NUMBER, "Number of the first party in E.164, + optional.", required=True, fillable=True
    ),
    Attribute(
        "second_party", Kind.NUMBER, "Number of the second party in E.164, + optional.", required=True, fillable=True
    ),
    Attribute(
        "create_session_with_single_party", Kind.BOOLEAN,
        "One of the two parties may be left out and filled in later; until then any caller is connected.",
        aliases=("create_session_with_single_Party",),
    ),
)  # fmt: skip
_TIMES = (
    Attribute(
        "session_expiry", Kind.INTEGER, "Seconds until the session ends; an update restarts the clock.",
        minimum=60, maximum=86_400, updatable=True,
    ),
    Attribute(
        "call_time_limit", Kind.INTEGER, "Seconds after which a call is ended.",
        minimum=60, maximum=86_400, updatable=True,
    ),
    # No page gives a range; an hour of ringing is longer than any carrier allows.
    Attribute(
        "ring_timeout", Kind.INTEGER, "Seconds the called party may ring.", minimum=1, maximum=3_600, updatable=True
    ),
)  # fmt: skip
_CALLBACKS = (
    Attribute("callback_url", Kind.URL, "Where session events are sent.", updatable=True),
    Attribute("callback_method", Kind.CHOICE, "HTTP method of session events.", choices=_VERBS, updatable=True),
    Attribute(
        "record", Kind.BOOLEAN, "Whether calls are recorded, from when both parties are connected.", updatable=True
    ),
    Attribute(
        "record_file_format", Kind.CHOICE, "Format of recordings.", choices=("mp3", "wav"), updatable=True
    ),
    Attribute(
        "recording_callback_url", Kind.URL, "Where recording events are sent.", updatable=True
    ),
    Attribute(
        "recording_callback_method", Kind.CHOICE, "HTTP method of recording events.",
        choices=_VERBS, updatable=True,
    ),
    Attribute(
        "first_party_play_url", Kind.URL, "Audio (mp3 or wav) for the first party before it is connected.",
        updatable=True,
    ),
    Attribute(
        "second_party_play_url", Kind.URL, "Audio (mp3 or wav) for the second party before it is connected.",
        updatable=True,
    ),
    Attribute(
        "unknown_caller_play", Kind.URL,
        "Audio for a caller who belongs to no session; ignored with PIN authentication.",
    ),
)  # fmt: skip
_NUMBERS = (
    Attribute(
        "virtual_number_cooloff_period", Kind.INTEGER,
        "Seconds after the end during which the parties do not meet this virtual number again.", maximum=3_600,
    ),
    Attribute(
        "geomatch", Kind.BOOLEAN,
        "Whether the virtual number must be of the first party's country. Left out: it must, if the pool has one.",
        aliases=("geo_match",),
    ),
    Attribute(
        "subaccount", Kind.SUBACCOUNT, "Take the virtual number from this subaccount's.", aliases=("sub_account",)
    ),
    Attribute(
        "initiate_call_to_first_party", Kind.BOOLEAN,
        "Ring the first party at once, with the virtual number as caller, and connect it with the second.",
    ),
)  # fmt: skip
_PINS = (
    Attribute(
        "is_pin_authentication_required", Kind.BOOLEAN, "Ask unknown callers for a PIN.",
        aliases=("is_pin_authentication", "pin_authentication_required"),
    ),
    Attribute(
        "force_pin_authentication", Kind.BOOLEAN,
        "Ask registered callers for a PIN too; only with is_pin_authentication_required.",
    ),
    Attribute("generate_pin", Kind.BOOLEAN, "Make the PINs that are not given.", pin_detail=True),
    Attribute(
        "generate_pin_length", Kind.INTEGER, "Digits of a generated PIN.", minimum=PIN_DIGITS[0],
        maximum=PIN_DIGITS[1], pin_detail=True,
    ),
    Attribute(
        "first_party_pin", Kind.PIN,
        "PIN of the first party, also of one that is missing yet; needed with PIN authentication unless generate_pin.",
        pin_detail=True,
    ),
    Attribute(
        "second_party_pin", Kind.PIN,
        "PIN of the second party, also of one that is missing yet; needed with PIN authentication unless generate_pin.",
        pin_detail=True,
    ),
    Attribute(
        "pin_prompt_play", Kind.URL, "Audio that asks for the PIN; needed with PIN authentication.",
        pin_detail=True,
    ),
    Attribute("pin_retry", Kind.COUNT, "Further tries after a wrong PIN.", maximum=5, pin_detail=True),
    Attribute(
        "pin_retry_wait", Kind.INTEGER, "Seconds before a further try.", minimum=5, maximum=10, pin_detail=True
    ),
    Attribute("incorrect_pin_play", Kind.URL, "Audio after a wrong PIN.", pin_detail=True),
)  # fmt: skip

ATTRIBUTES: tuple[Attribute, ...] = (*_PARTIES, *_TIMES, *_CALLBACKS, *_NUMBERS, *_PINS)

BY_KEY: dict[str, Attribute] = {
    key: attribute for attribute in ATTRIBUTES for key in (attribute.name, *attribute.aliases)
}
"""Attribute by each key a client may send."""
