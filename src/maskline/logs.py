"""Logging: one set-up, one list of event names, and the rule that no telephone number reaches a line.

What it is: structlog configured once (text or JSON lines on stderr), the same for lines of other libraries, and
the processor that masks. What it is not: a place for facts or metrics. Who uses it: `app.py` and the CLI call
`configure`; modules at the edge write `structlog.get_logger().info("call_committed", ...)` with a name from
`EVENTS`; pure modules (architecture decision 11) do not log.

The masking works on what is about to be written, whatever module or library wrote it: a rule that relies on
every author remembering it would not hold. It would rather mask an id too much than a number too little.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, TextIO

import structlog

EVENTS: dict[str, str] = {
    "lease_over": "The database could not be told in time that this process lives; it takes no new calls until it can.",
    "leases_freed": "What a dead process had taken, such as webhooks to send, is free again; others go on with it.",
    "calls_lost": "Another engine has calls that were ours; they are forgotten here, and go on there.",
    "engine_id_in_use": "The engine's id was another machine's a moment ago; the start waits up to 16 s for its end.",
    "engine_id_shared": "Two engines have one id: each takes the other's calls. Give each a MASKLINE_ENGINE_ID.",
    "server_started": "All parts run; calls and requests are accepted.",
    "server_stopping": "A signal or a failing part began the stop; new calls are refused.",
    "server_stopped": "All parts have ended.",
    "calls_abandoned": "The drain time was over, or a second signal came; this many calls were hung up.",
    "part_failed": "A part of the server ended with an error; the process stops.",
    "trunk_not_proved": "Requests from the address of a trunk had a wrong name or password: 403; one line in 10 s.",
    "source_banned": "An address of no trunk knocked too often and is not heard for `seconds`; made for fail2ban.",
    "flood_not_filtered": "The kernel does not drop what banned sources send; we read and drop it. Said once.",
    "stranger_dropped": "Datagrams or connections from an address of no trunk were dropped; one line in 10 s, counted.",
    "connection_failed": "A connection to a trunk did not come about, or its certificate was refused; one in 10 s.",
    "certificates_reloaded": "The files of SIP over TLS were read again; new connections use them.",
    "certificates_unusable": "The files of SIP over TLS changed and cannot be used; the ones read before stay in use.",
    "unknown_number": "Calls to a number that the trunk's account has not in this form got a 404; one line in 10 s.",
    "route_failed": "A call was refused because the store could not be asked whose it is.",
    "no_route": "No trunk may call a party of this account; the call was refused with 404; at most one line a minute.",
    "trunks_full": "All trunks that may call a party of this account are full (500); at most one line a minute.",
    "trunks_down": "No trunk that may call a party of this account answers (500); at most one line a minute.",
    "trunk_not_looked_up": "Name servers did not answer for a trunk's host; it keeps its addresses. Once per outage.",
    "trunk_not_found": "DNS says that a trunk's host has no such server: nothing is sent there.",
    "call_not_started": "A call that a session asked for at its creation was not started; the cause says why.",
    "call_flow_ignored": "A call flow has parts that nobody knows, at these places; they are ignored.",
    "call_flow_unreadable": "A call flow that another version of Maskline took cannot be read, and was not begun.",
    "requested_flows_delayed": "The store is away: call flows that the API took wait, and end unbegun when too old.",
    "requested_calls_delayed": "The store is away: calls that sessions ask for wait, and end unstarted after 60 s.",
    "ends_delayed": "The store is away: calls whose end was asked for in another process go on until it is back.",
    "calls_refused_by_limits": "Calls refused by an account's limits, by cause; at most one line a minute for each.",
    "account_alarm": "An account's calls look like fraud, or used up the day: new country, night peak, short calls.",
    "account_stopped": "All calls of an account are refused from now on; lift it with: maskline account resume.",
    "pin_caller_locked": "Callers entered too many wrong PINs and are not heard for a while; one line in 10 s.",
    "pin_number_locked": "Too many wrong PINs on a virtual number: up to a day it takes PINs of callers it knows only.",
    "call_action_failed": "A customer's application gave no call flow; one line in 10 s per (sub)account and fault.",
    "call_action_off": "Nobody was asked about a call: its number's webhook is disabled; one line per account in 10 s.",
    "calls_recovered": "The engine had died: `talking` of its calls go on, `ended` were not connected yet.",
    "endpoints_unreadable": "An endpoint of this account was damaged: its calls are kept, webhooks not. Set it anew.",
    "call_not_recovered": "What was kept of a call cannot be read; it ends here, with a record of what its facts tell.",
    "calls_unread": "A newer version of Maskline left calls that this one cannot read; they wait for one that can.",
    "engine_fault": "A datagram, timer or step of a call met a bug; the engine goes on.",
    "media_is_off": "MASKLINE_MEDIA=none: SDP addresses are left as sent, parties see each other's media address.",
    "media_digits_unheard": "rtpengine takes no TCP connection (`listen-tcp-ng`): calls work, but no digit is heard.",
    "media_recording_astray": "rtpengine records, but not where MASKLINE_RTPENGINE_RECORDINGS says: recordings fail.",
    "recording_made": "The file of a recorded call is there.",
    "recording_retried": "The file of a recorded call could not be made or pushed; it is tried again.",
    "recording_failed": "The file of a recorded call could not be made or pushed, and nobody tries again by itself.",
    "recording_job_failed": "A recording met a bug or a full disk on its way; it is taken up again.",
    "recording_lease_lost": "A recording took so long that it was taken up again meanwhile; its result was dropped.",
    "recording_spool_orphaned": "A spool of no recording that is known was deleted at the start.",
    "recording_not_deleted": "A file of a recording could not be deleted; it is tried again.",
    "recording_cut": "A full disk, or a media driver that began anew, ended a recording, partial; the call goes on.",
    "recording_not_begun": "A call that is to be recorded is not; `reason` says why.",
    "recordings_recovered": "Recordings that a killed server left are made into files, the cut ones marked partial.",
    "exports_delayed": "The store is away: tables of calls that were asked for wait.",
    "export_made": "A table of calls is ready to be fetched.",
    "export_failed": "A table of calls could not be made.",
    "recordings_delayed": "The store is away: finished calls wait for their recordings' files.",
    "recordings_deleted": "Files older than MASKLINE_RECORDING_RETENTION_DAYS were deleted.",
    "media_away": "A media worker or node does not answer; it gets no new calls, and with none left calls get a 503.",
    "media_back": "It answers again; Maskline needed no restart.",
    "media_restored": "A relay worker died; that of this `pid` (`--standby` in `ps` or not) has so many of its calls.",
    "media_refused": "A media driver that answers would not take a step of a call; once until it takes one.",
    "unknown_setting": "A MASKLINE_ variable is set that no setting reads.",
    "metrics_failed": "A part's counters could not be read; its metrics are missing from this scrape.",
    "sessions_expired": "The sweeper ended sessions whose time was over.",
    "forgetting_failed": "What is older than MASKLINE_RETENTION_DAYS could not be deleted; it is tried again.",
    "sweep_failed": "The sweeper could not reach the store; it tries again.",
    "trunks_reload_failed": "Trunks could not be read again; the last known ones stay.",
    "request_failed": "An API request met a bug; the answer was 500 and carries the same api_id.",
    "unhandled_error": "A library reported an error of a task or request; the text has no bodies.",
    "call_commit_delayed": "The store is away; facts and records of calls wait in memory and are written in order.",
    "call_commit_resumed": "The store is back; what waited has been written.",
    "call_commit_failed": "The store refused a group of calls; each is tried by itself.",
    "call_facts_dropped": "Facts of a call were lost: the store refused them, or was away for too long.",
    "webhook_failed": "A webhook was given up; `maskline webhook replay` sends it again.",
    "endpoint_disabled": "An endpoint gets nothing any more (`reason`: gone, failing) until `maskline webhook enable`.",
    "webhook_retried": "A try of a webhook failed, the next is at the time given; one warning per receiver and minute.",
    "webhook_lease_lost": "Results came after their lease was over; those webhooks are sent once more.",
    "webhook_try_broken": "A try of a webhook met a bug; it counts as failed and is retried.",
    "deliverer_delayed": "The store is away; results of webhooks wait in memory.",
    "deliverer_resumed": "The store is back; webhooks are sent again.",
    "prompt_unavailable": "A prompt could not be fetched or spoken; `reason` says why.",
    "prompts_swept": "Converted prompts that nobody used were removed.",
    "prompt_sweep_failed": "The folder of prompts could not be read or cleared; tried again in a minute.",
    "library": "A line of a library that logs by itself (uvicorn, asyncio).",
}
"""Every event name a line may carry, with its sentence; docs/reference/events.md is generated from it."""

_MASK = "••••"
# One pass over a text, first match wins:
#   uuid      kept: its last group may be twelve digits
#   plus      `+` (or its URL form) and digits with the separators people use: always a number
#   word      letters and digits without a gap; looked at by _mask_word
_TOKENS = re.compile(
    r"(?P<uuid>(?<![0-9A-Za-z])[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?![0-9A-Za-z]))"
    r"|(?P<plus>(?:\+|%2[Bb])\(?[0-9][0-9 ().\-]{1,24}[0-9](?![0-9•]))"
    r"|(?P<word>[0-9A-Za-z]{7,})"
)
_RUN = re.compile(r"[0-9]{7,17}")
_HEX = re.compile(r"[0-9a-f]+\Z|[0-9A-F]+\Z")
_CREDENTIAL = re.compile(r"(?:MA|SA)[A-Z0-9]{18}\Z")
_BRANCH = re.compile(r"z9hG4bK[0-9a-zA-Z]*\Z")


def mask_text(text: str) -> str:
    """`text` with everything that looks like a telephone number reduced to its last digits.

    Masked: runs of 7 to 17 digits, and 3 or more digits after a `+`. Kept: UUIDs, our hex tokens (a multiple of
    eight digits, at least one letter), credential ids, branches, and longer runs of digits. ISO timestamps, ports
    and IP addresses have no such run.
    """
    return _TOKENS.sub(_mask_token, text)


def _mask_token(match: re.Match[str]) -> str:
    if match["uuid"]:
        return match["uuid"]
    if match["plus"]:
        return _mask_run(re.sub(r"[^0-9]", "", match["plus"].removeprefix("%2B").removeprefix("%2b")), "+")
    return _mask_word(match["word"])


def _mask_word(word: str) -> str:
    if word.isdecimal():
        return _mask_run(word) if len(word) <= 17 else word
    if _CREDENTIAL.match(word) or _BRANCH.match(word) or (len(word) % 8 == 0 and _HEX.match(word)):
        return word
    return _RUN.sub(lambda run: _mask_run(run[0]), word)


def _mask_run(digits: str, sign: str = "") -> str:
    return sign + _MASK + digits[-4:] if len(digits) >= 8 else sign + _MASK + digits[-2:]


def mask_value(value: Any) -> Any:
    """A log line's value, masked; what is not JSON by nature becomes masked text (`Number` masks itself)."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        # Counters and byte sums above 10 million are rare in a line; an int that is a number is not worth it.
        return mask_text(str(value)) if abs(value) >= 1_000_000 else value
    if isinstance(value, str):
        return mask_text(str(value))
    if isinstance(value, bytes | bytearray):
        return mask_text(bytes(value).decode("latin-1"))
    if isinstance(value, Mapping):
        return {mask_text(str(key)): mask_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [mask_value(item) for item in value]
    return mask_text(str(value))


def mask_numbers(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: keys, values and the rendered exception."""
    # `_record` and `_from_structlog` belong to structlog's bridge and are removed before rendering.
    return {
        key if key.startswith("_") else mask_text(key): value if key.startswith("_") else mask_value(value)
        for key, value in event.items()
    }


@contextmanager
def log_context(**values: Any) -> Iterator[None]:
    """Add ids (`call=…`, `session=…`) to every line written inside, in this task and those it starts."""
    with structlog.contextvars.bound_contextvars(**values):
        yield


def configure(level: str = "info", form: str = "text", stream: TextIO | None = None) -> None:
    """Set up structlog and the standard library's logging; calling it again replaces the set-up.

    `level` is the least severe level written, `form` is `text` or `json`; `stream` defaults to stderr, because
    stdout belongs to what commands print.
    """
    stream = stream or sys.stderr
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.format_exc_info,
        mask_numbers,
        # After masking: the line's own time must stay readable.
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_name_library_lines, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(form, stream)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Their access lines carry query strings (filters with numbers) and double what metrics count.
    for name in ("uvicorn.access", "aiohttp.access"):
        logging.getLogger(name).disabled = True
    for name in ("uvicorn", "uvicorn.error", "asyncio", "aiohttp"):
        logging.getLogger(name).setLevel("WARNING")
    # Anybody who reaches the port could else write a line with each byte sent.
    logging.getLogger("uvicorn.error").addFilter(_is_no_garbage)


def _is_no_garbage(record: logging.LogRecord) -> bool:
    """Lines on requests that are no HTTP are for debugging only."""
    return not record.getMessage().startswith("Invalid HTTP request") or logging.getLogger().isEnabledFor(logging.DEBUG)


def _name_library_lines(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if event["_record"].name.startswith("maskline."):
        return event
    event["message"] = event["event"]
    event["event"] = "unhandled_error" if event.get("exc_info") else "library"
    return event


def _renderers(form: str, stream: TextIO) -> list[Any]:
    if form == "json":
        return [structlog.processors.JSONRenderer(ensure_ascii=False)]
    plain = structlog.dev.plain_traceback
    return [_write_times, structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=plain)]


def _write_times(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Seconds since 1970 under `at` as a time that people read; JSON lines keep the number."""
    at = event.get("at")
    if isinstance(at, float):
        event["at"] = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return event
