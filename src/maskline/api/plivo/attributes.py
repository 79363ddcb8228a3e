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
    """Seconds or a count; 0 means "unset", because typed SDKs send their zero values."""
    BOOLEAN = "boolean"
    CHOICE = "choice"
    URL = "url"
    SUBACCOUNT = "subaccount"
    SWITCH = "switch"
    """A boolean whose feature is not built: off is accepted, on is refused by name."""
    DEPENDENT = "dependent"
    """Has a meaning only beside a `SWITCH`, so it is accepted and ignored."""


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
    updatable: bool = False
    aliases: tuple[str, ...] = ()
    """Other spellings that official clients send (plivo-vts.md §2.3)."""


_RECORDING = " Accepted and shown; recording comes with a later release."
_PLAYING = " Accepted and shown; playing audio comes with a later release."
# Accepted, because official SDKs send them in their own examples: docs/decisions/0013.

ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute("first_party", Kind.NUMBER, "Number of the first party in E.164, + optional.", required=True),
    Attribute("second_party", Kind.NUMBER, "Number of the second party in E.164, + optional.", required=True),
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
    Attribute("callback_url", Kind.URL, "Where session events are sent.", updatable=True),
    Attribute(
        "callback_method", Kind.CHOICE, "HTTP method of session events.", choices=("GET", "POST"), updatable=True
    ),
    Attribute("record", Kind.BOOLEAN, "Whether calls are to be recorded." + _RECORDING, updatable=True),
    Attribute(
        "record_file_format", Kind.CHOICE, "Format of recordings." + _RECORDING, choices=("mp3", "wav"), updatable=True
    ),
    Attribute(
        "recording_callback_url", Kind.URL, "Where recording events are sent." + _RECORDING, updatable=True
    ),
    Attribute(
        "recording_callback_method", Kind.CHOICE, "HTTP method of recording events." + _RECORDING,
        choices=("GET", "POST"), updatable=True,
    ),
    Attribute(
        "first_party_play_url", Kind.URL, "Audio for the first party before it is connected." + _PLAYING, updatable=True
    ),
    Attribute(
        "second_party_play_url", Kind.URL, "Audio for the second party before it is connected." + _PLAYING,
        updatable=True,
    ),
    Attribute("unknown_caller_play", Kind.URL, "Audio for a caller who belongs to no session." + _PLAYING),
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
    Attribute("initiate_call_to_first_party", Kind.SWITCH, "Ring the first party at once."),
    Attribute(
        "is_pin_authentication_required", Kind.SWITCH, "Ask unknown callers for a PIN.",
        aliases=("is_pin_authentication", "pin_authentication_required"),
    ),
    Attribute("force_pin_authentication", Kind.SWITCH, "Ask registered callers for a PIN too."),
    Attribute("generate_pin", Kind.SWITCH, "Make PINs."),
    Attribute(
        "create_session_with_single_party", Kind.SWITCH, "Open a session of one party.",
        aliases=("create_session_with_single_Party",),
    ),
    Attribute("generate_pin_length", Kind.DEPENDENT, "Digits of a generated PIN."),
    Attribute("first_party_pin", Kind.DEPENDENT, "PIN of the first party."),
    Attribute("second_party_pin", Kind.DEPENDENT, "PIN of the second party."),
    Attribute("pin_prompt_play", Kind.DEPENDENT, "Audio that asks for the PIN."),
    Attribute("pin_retry", Kind.DEPENDENT, "Further tries after a wrong PIN."),
    Attribute("pin_retry_wait", Kind.DEPENDENT, "Seconds before a further try."),
    Attribute("incorrect_pin_play", Kind.DEPENDENT, "Audio after a wrong PIN."),
)  # fmt: skip

BY_KEY: dict[str, Attribute] = {
    key: attribute for attribute in ATTRIBUTES for key in (attribute.name, *attribute.aliases)
}
"""Attribute by each key a client may send."""

URL_LIMIT = 1_000
"""URLs must be shorter (plivo-vts.md §1.2)."""
