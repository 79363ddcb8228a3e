"""From a session to the flat JSON of the VTS pages: one object, no wrapper, every value a text.

What it is: field names, their order and the texts for what is absent, as on the page "Update a number masking
session", which the golden test compares byte by byte. What it is not: other rules; VTS sessions are read, kept and
called like any other (docs/decisions/0020). Who uses it: `sessions.py`, for what comes in at `/vts/v1` or
under a host of MASKLINE_VTS_HOSTS.

Two oddities of that page are kept: `record_file_format` is a real null while it is the default, and `expiry_time` is
"null" while the session is not over.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import floor
from typing import Any

from maskline.api.plivo.exchange import Exchange
from maskline.api.plivo.filters import ListQuery, page_meta
from maskline.api.plivo.serializer import interaction_object, money, plain_time
from maskline.masking.e164 import Number
from maskline.masking.session import PoolMode, Role, Session, SessionOptions, SessionStatus

NULL = "null"
_TEXTS = {False: "false", True: "true"}
_DEFAULT_FORMAT = SessionOptions().record_file_format


class VtsBodies:
    """The bodies of the operations: the session itself, or a page of them."""

    __slots__ = ()

    def created(self, exchange: Exchange, session: Session, wall: float) -> Mapping[str, Any]:
        return flat_session(session, exchange.base_url, wall)

    retrieved = updated = created

    def listed(
        self, exchange: Exchange, sessions: Sequence[Session], query: ListQuery, total: int, wall: float
    ) -> Mapping[str, Any]:
        """`meta` is ours: no VTS page tells how to ask for more."""
        return {
            "sessions": [flat_session(session, exchange.base_url, wall) for session in sessions],
            "meta": page_meta(query, exchange.path + "/", total),
        }


def flat_session(session: Session, base_url: str, wall: float) -> dict[str, str | None]:
    """The session as it is shown at wall second `wall`."""
    options, status = session.options, session.status(wall)
    file_format = options.record_file_format
    return {
        "session_uuid": session.id,
        "virtual_number": session.virtual_number.e164,
        "status": status.value,
        "first_party": _number(session.first_party),
        "second_party": _number(session.second_party),
        "record": _TEXTS[options.record],
        "recording_callback_url": options.recording_callback_url or NULL,
        "record_file_format": None if file_format == _DEFAULT_FORMAT else file_format,
        "session_expiry": str(options.session_expiry),
        "call_time_limit": str(options.call_time_limit),
        "initiate_call_to_first_party": _TEXTS[options.initiate_call_to_first_party],
        "callback_url": options.callback_url or NULL,
        "ring_timeout": str(options.ring_timeout),
        "first_party_play_url": options.first_party_play_url or NULL,
        "second_party_play_url": options.second_party_play_url or NULL,
        "created_time": _time(session.created_at),
        "modified_time": _time(session.modified_at),
        "expiry_time": _time(session.expires_at if status is SessionStatus.EXPIRED else None),
        "last_interaction_time": _time(session.last_interaction_at),
        "total_call_count": str(session.total_call_count),
        "total_call_amount": str(money(session.total_call_amount)),
        "total_call_billed_duration": str(session.total_call_billed_duration),
        "interaction": _interactions(session, base_url),
        **_more(session),
    }


def _more(session: Session) -> dict[str, str | None]:
    """What no VTS page has and nobody could do without: who dials which number, and by which PIN. Nothing for an
    ordinary session."""
    by_pin = session.options.is_pin_authentication_required
    if session.pool_mode is PoolMode.SHARED and not by_pin:
        return {}
    numbers = {
        "pool_mode": session.pool_mode.value,
        "first_party_virtual_number": session.number_of(Role.FIRST).e164,
        "second_party_virtual_number": session.number_of(Role.SECOND).e164,
    }
    return {**numbers, **(_pins(session, session.options) if by_pin else {})}


def _pins(session: Session, options: SessionOptions) -> dict[str, str | None]:
    return {
        "is_pin_authentication_required": _TEXTS[True],
        "force_pin_authentication": _TEXTS[options.force_pin_authentication],
        "generate_pin": _TEXTS[options.generate_pin],
        "generate_pin_length": str(options.generate_pin_length),
        "first_party_pin": session.first_party_pin or NULL,
        "second_party_pin": session.second_party_pin or NULL,
        "pin_prompt_play": options.pin_prompt_play or NULL,
        "pin_retry": str(options.pin_retry),
        "pin_retry_wait": str(options.pin_retry_wait),
        "incorrect_pin_play": options.incorrect_pin_play or NULL,
    }


def _number(number: Number | None) -> str:
    return NULL if number is None else number.e164


def _time(at: float | None) -> str:
    return NULL if at is None else plain_time(floor(at))


def _interactions(session: Session, base_url: str) -> str:
    """JSON inside a text: `{}` without interactions, as on the page, else the array that Plivo's body has."""
    if not session.interactions:
        return "{}"
    shown = [interaction_object(interaction, session.account_id, base_url) for interaction in session.interactions]
    return json.dumps(shown, separators=(",", ":"))
