"""A customer's application for 8x8 webhooks: it answers Voice Call Action from a table, and hears of the calls.

What it is: one HTTP server whose every path takes every webhook; what a request is, its body says. What it is not: part
of the platform, or fit for production; it speaks to the platform over HTTP alone. Who uses it: `maskline lab vca`, the
demo.
"""

from __future__ import annotations

import hmac
import json
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from aiohttp import web

from maskline.errors import InvalidParameter
from maskline.lab.vca_map import Map, NotAnAction, answer, answer_handle
from maskline.masking.e164 import parse_number

KEPT = 1_000
"""Events that the inbox remembers."""
_NUMBERS_TOLD = 5
"""As many of a VIRTUAL_NUMBER_UPDATE are in its line."""
INBOX = "/inbox"
_ACTION = "CALL_ACTION"
_QUESTIONS = (_ACTION, "CALL_RECEIVED", "DTMF_RECEIVED")
"""The latter two are Wavecell's call handle: 8x8's own have them as `callStatus`."""


class SampleApplication:
    """`tell` gets one line for each request, its numbers masked. `authorization`: the value that requests must have."""

    def __init__(
        self, table: Map, tell: Callable[[str], None], *, authorization: str = "", keeps_events: bool = False
    ) -> None:
        self._table, self._tell, self._authorization = table, tell, authorization
        self._kept: deque[dict[str, Any]] | None = deque(maxlen=KEPT) if keeps_events else None
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def open(self, host: str, port: int) -> None:
        """Raises `OSError`."""
        app = web.Application()
        app.router.add_get(INBOX, self._show)
        app.router.add_post("/{tail:.*}", self._take)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        self.url = f"http://{host}:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _show(self, _request: web.Request) -> web.Response:
        """The events so far, oldest first, with the numbers in clear: it is the application's own view."""
        if self._kept is None:
            return _refusal(404, "The inbox is off (--inbox).")
        return web.json_response({"events": list(self._kept)})

    async def _take(self, request: web.Request) -> web.Response:
        given = request.headers.get("Authorization", "")
        if self._authorization and not hmac.compare_digest(given.encode(), self._authorization.encode()):
            self._tell(_line("refused", "another Authorization than the one of --authorization-file"))
            return _refusal(401, "The Authorization header is not the expected one.")
        try:
            body = json.loads(await request.read())
        except ValueError:
            self._tell(_line("refused", "the body is no JSON"))
            return _refusal(400, "The body is no JSON.")
        if isinstance(body, dict) and body.get("eventType") in _QUESTIONS:
            return self._act(body)
        self._keep(request.path, body)
        return web.Response()

    def _act(self, body: dict[str, Any]) -> web.Response:
        handle = body["eventType"] != _ACTION
        try:
            reply = answer_handle(self._table, body) if handle else answer(self._table, body)
        except NotAnAction as error:
            self._tell(_line("refused", str(error)))
            return _refusal(400, str(error))
        (actions,) = (value for key, value in reply.items() if key in ("callflow", "commands"))
        told = _handle(body) if handle else _call(body["payload"])
        self._tell(_line(_ACTION, f"{told}: {' + '.join(step['action'] for step in actions)}"))
        return web.json_response(reply)

    def _keep(self, path: str, body: Any) -> None:
        if self._kept is not None:
            self._kept.append({"receivedAt": round(time.time(), 3), "path": path, "body": body})
        self._tell(describe(body))


def describe(body: Any) -> str:
    """One line on an event of any of the dialects, without the parties' numbers."""
    if not isinstance(body, dict):
        return _line("?", "not an object")
    payload = body.get("payload")
    if not isinstance(payload, dict):
        # Wavecell's bodies have no envelope.
        return _line(str(body.get("eventType", "call status")), _summary(body, "status", "status"))
    if "details" in payload:
        return _line(str(body.get("eventType")), _summary(payload, "sessionStatus", "callStatus"))
    if "destination" in payload:
        told = _call(payload)
    elif "updateEventType" in payload:
        told = _numbers(payload)
    else:
        told = str(payload.get("status"))
    return _line(str(body.get("eventType")), told)


def _numbers(payload: dict[str, Any]) -> str:
    """Of a Virtual Number Updated."""
    given = payload.get("virtualNumbers")
    entries = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    told = [f"{_masked(one.get('msisdn'))} {one.get('operationalStatus')}" for one in entries[:_NUMBERS_TOLD]]
    if len(entries) > _NUMBERS_TOLD:
        told.append("…")
    return f"{payload['updateEventType']} of {payload.get('totalNumbers', 0)}: {', '.join(told)}"


def _summary(payload: dict[str, Any], session_key: str, leg_key: str) -> str:
    told = [str(payload.get(session_key, ""))]
    details = payload.get("details")
    for name, leg in sorted(details.items()) if isinstance(details, dict) else ():
        leg = leg if isinstance(leg, dict) else {}
        seconds = leg.get("callDuration", leg.get("duration", 0))
        told.append(f"{name} {leg.get(leg_key)} {seconds} s")
    error = payload.get("errorDetails")
    if isinstance(error, dict):
        told.append(f"{error.get('errorCode')} {error.get('errorMsg')}")
    return ", ".join(told)


def _call(payload: dict[str, Any]) -> str:
    direction = f"{_masked(payload.get('source'))} to {_masked(payload.get('destination'))}"
    return f"{payload.get('callStatus')} {payload.get('callDirection')} {direction}"


def _handle(body: dict[str, Any]) -> str:
    return f"{body['eventType']} {_masked(body.get('sourceMsisdn'))} to {_masked(body.get('targetMsisdn'))}"


def _masked(number: Any) -> str:
    if number is None:
        return "a withheld number"
    try:
        return parse_number(str(number)).masked
    except InvalidParameter:
        return "••••"  # redacted already


def _line(what: str, told: str) -> str:
    return f"{time.strftime('%H:%M:%S')}  {what:<15}  {told}"


def _refusal(status: int, sentence: str) -> web.Response:
    return web.json_response({"error": sentence}, status=status)
