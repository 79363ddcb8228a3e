"""From a session to the JSON of Plivo's pages, with the types its strictest SDK (Go) accepts.

What it is: field names, order, types and formats of plivo-vts.md §5, and the wrappers of §1. Three traps are built
in here: integers are never `0.0`, `interaction` is null or an array, and the `+` stands only in the top-level
`virtual_number` of a create. What it is not: the flat flavour (`vts.py`). Who uses it: `sessions.py`.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache
from math import floor
from typing import Any

from maskline.api.plivo.exchange import Exchange
from maskline.api.plivo.filters import ListQuery, page_meta
from maskline.masking.e164 import Number
from maskline.masking.price import MILLIONTHS
from maskline.masking.session import Interaction, Role, Session, SessionOptions

# Null while PIN authentication is off (JAVA and RB fixtures).
_PIN_OFF: dict[str, Any] = {
    "is_pin_authentication_required": False,
    "generate_pin": None,
    "generate_pin_length": None,
    "first_party_pin": None,
    "second_party_pin": None,
    "pin_prompt_play": None,
    "pin_retry": None,
    "pin_retry_wait": None,
    "incorrect_pin_play": None,
}


class PlivoBodies:
    """The bodies of the operations, nested, with real JSON types."""

    __slots__ = ()

    def created(self, exchange: Exchange, session: Session, wall: float) -> dict[str, Any]:
        return {
            "api_id": exchange.api_id,
            "session_uuid": session.id,
            "virtual_number": session.virtual_number.e164,
            "message": "Session created",
            "session": session_object(session, exchange.base_url, wall),
        }

    def retrieved(self, exchange: Exchange, session: Session, wall: float) -> dict[str, Any]:
        return {"api_id": exchange.api_id, "response": session_object(session, exchange.base_url, wall)}

    def updated(self, exchange: Exchange, session: Session, wall: float) -> dict[str, Any]:
        return {
            "api_id": exchange.api_id,
            "message": "Session updated",
            "session": session_object(session, exchange.base_url, wall),
        }

    def listed(
        self, exchange: Exchange, sessions: Sequence[Session], query: ListQuery, total: int, wall: float
    ) -> dict[str, Any]:
        path = exchange.path + "/"
        objects = [
            session_object(session, exchange.base_url, wall) | {"resource_uri": f"{path}{session.id}/"}
            for session in sessions
        ]
        return {"api_id": exchange.api_id, "response": {"meta": page_meta(query, path, total), "objects": objects}}


def session_object(session: Session, base_url: str, wall: float) -> dict[str, Any]:
    """The session as get, create and update show it at wall second `wall`.

    `base_url` (scheme and host) begins the absolute URLs of calls.
    """
    options = session.options
    return {
        "session_uuid": session.id,
        "first_party": _digits(session.first_party),
        "second_party": _digits(session.second_party),
        "virtual_number": session.virtual_number.digits,
        "status": session.status(wall).value,
        "initiate_call_to_first_party": options.initiate_call_to_first_party,
        "session_expiry": options.session_expiry,
        "call_time_limit": options.call_time_limit,
        "ring_timeout": options.ring_timeout,
        "callback_url": options.callback_url,
        "callback_method": options.callback_method,
        "record": options.record,
        "record_file_format": options.record_file_format,
        "recording_callback_url": options.recording_callback_url,
        "recording_callback_method": options.recording_callback_method,
        "first_party_play_url": options.first_party_play_url,
        "second_party_play_url": options.second_party_play_url,
        "unknown_caller_play": options.unknown_caller_play,
        **(_pin_object(session, options) if options.is_pin_authentication_required else _PIN_OFF),
        "create_session_with_single_party": options.create_session_with_single_party,
        "force_pin_authentication": options.force_pin_authentication,
        "virtual_number_cooloff_period": options.virtual_number_cooloff_period,
        "subaccount": session.subaccount_id or "",
        "created_time": time_text(session.created_at),
        "modified_time": time_text(session.modified_at),
        "expiry_time": time_text(session.expires_at),
        "last_interaction_time": time_text(session.last_interaction_at),
        "duration": session.planned_duration,
        # Go's client reads this one into an int64 and fails on any fraction; total_session_amount has the exact fee.
        "amount": session.amount // MILLIONTHS,
        "total_call_amount": money(session.total_call_amount),
        "total_session_amount": money(session.amount + session.total_call_amount),
        "total_call_count": session.total_call_count,
        "total_call_billed_duration": session.total_call_billed_duration,
        "interaction": [interaction_object(i, session.account_id, base_url) for i in session.interactions] or None,
        "pool_mode": session.pool_mode.value,
        "first_party_virtual_number": session.number_of(Role.FIRST).digits,
        "second_party_virtual_number": session.number_of(Role.SECOND).digits,
    }


def _pin_object(session: Session, options: SessionOptions) -> dict[str, Any]:
    return {
        "is_pin_authentication_required": True,
        "generate_pin": options.generate_pin,
        "generate_pin_length": options.generate_pin_length,
        "first_party_pin": session.first_party_pin,
        "second_party_pin": session.second_party_pin,
        "pin_prompt_play": options.pin_prompt_play,
        "pin_retry": options.pin_retry,
        "pin_retry_wait": options.pin_retry_wait,
        "incorrect_pin_play": options.incorrect_pin_play,
    }


def interaction_object(interaction: Interaction, account_id: str, base_url: str) -> dict[str, Any]:
    account = f"{base_url}/v1/Account/{account_id}"
    calls = f"{account}/Call/"
    first, second = interaction.first_party_leg_id, interaction.second_party_leg_id
    recording = interaction.recording_id
    return {
        "start_time": time_text(interaction.started_at),
        "end_time": time_text(interaction.ended_at),
        "first_party_resource_url": calls + first if first else None,
        "second_party_resource_url": calls + second if second else None,
        "recording_resource_url": f"{account}/Recording/{recording}/" if recording else None,
        "type": "call",
        "total_call_amount": money(interaction.amount),
        "call_billed_duration": interaction.billed_duration,
        "total_call_count": interaction.legs,
        "duration": interaction.duration,
        "auth_id": account_id,
    }


def _digits(number: Number | None) -> str:
    return "" if number is None else number.digits


def money(millionths: int) -> int | float:
    """An amount as JSON number; whole ones without a fraction."""
    whole, rest = divmod(millionths, MILLIONTHS)
    return millionths / MILLIONTHS if rest else whole


def time_text(at: float | None) -> str:
    """`YYYY-MM-DD HH:MM:SS +0000 UTC` of a wall second, or nothing for None; fractions are cut off."""
    return "" if at is None else plain_time(floor(at)) + " +0000 UTC"


@lru_cache(maxsize=8192)
def plain_time(second_of_epoch: int) -> str:
    """`YYYY-MM-DD HH:MM:SS`, UTC. Cached, because the sessions of one moment share their times, and most of an
    account's last equally long."""
    year, month, day, hour, minute, second, *_ = time.gmtime(second_of_epoch)
    return f"{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"
