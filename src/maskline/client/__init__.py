"""A thin client for the masking-session API: `RestClient`, and `AsyncRestClient` for asyncio.

What it is: the methods of Plivo's and VTS' Python clients (`client.masking_sessions.create_masking_session(…)`) with
typed results, and with repeats that never open a second session. What it is not: a part of the platform; it imports
nothing else of Maskline, and nothing of Maskline's server imports it.

    errors   what goes wrong, one class per family of statuses
    options  keyword arguments, documented under each
    results  what comes back
    values, reading  from JSON of either flavour (Plivo's types, VTS' flat strings) to results
    retries  how often, how long apart
    core     requests out, answers in: no socket, no clock
    sync     threads and `http.client`
    aio      asyncio and aiohttp, imported at the first use of `AsyncRestClient`
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from maskline.client.errors import (
    AuthenticationFailed,
    BadRequest,
    Conflict,
    ConnectFailed,
    ConnectionLost,
    Forbidden,
    NoAnswer,
    NotFound,
    RequestRefused,
    RestError,
    ServerFailed,
    TimedOut,
    TooManyRequests,
    Unavailable,
    UnreadableAnswer,
)
from maskline.client.options import CreateOptions, ListFilters, UpdateOptions
from maskline.client.results import Interaction, Message, Meta, Session, SessionPage, SessionReply
from maskline.client.retries import Retries
from maskline.client.sync import RestClient

if TYPE_CHECKING:
    from maskline.client.aio import AsyncRestClient

__all__ = [
    "AsyncRestClient",
    "AuthenticationFailed",
    "BadRequest",
    "Conflict",
    "ConnectFailed",
    "ConnectionLost",
    "CreateOptions",
    "Forbidden",
    "Interaction",
    "ListFilters",
    "Message",
    "Meta",
    "NoAnswer",
    "NotFound",
    "RequestRefused",
    "RestClient",
    "RestError",
    "Retries",
    "ServerFailed",
    "Session",
    "SessionPage",
    "SessionReply",
    "TimedOut",
    "TooManyRequests",
    "Unavailable",
    "UnreadableAnswer",
    "UpdateOptions",
]


def __getattr__(name: str) -> Any:
    # aiohttp takes most of the import time, and a program without asyncio never needs it.
    if name == "AsyncRestClient":
        from maskline.client.aio import AsyncRestClient

        return AsyncRestClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
