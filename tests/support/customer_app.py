"""A customer's application for 8x8's number masking, as somebody would write it from the vendor's pages alone.

What it is: a program of its own on the standard library. It knows who is booked with whom and answers Voice Call Action
from that, or as a test has scripted it for a caller; it keeps every webhook, and holds each against the documented
fields (8x8-wavecell.md §2, §3, §5, §6). What it is not: anything that imports the platform, or knows a word of it that
the vendor has not. Who uses it: `tests/support/customer.py` starts it and talks to it.

    PUT /book    {"bookings": [[party, virtual number, party]], "scripts": {number: [answer, …]}, "secret": "whsec_…"}
    GET /log     {"received": [{path, headers, body}, …], "faults": [sentence, …]}
    PUT /x.wav   a file, to be had by GET

An answer is {"flow": {…}} or {"body": text}, with "status" (200), "wait" seconds before it, "after": the clientActionId
it is for.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

VOICE = "en-us-f"
NOBODY = "Sorry, we do not know you. Please book again in the app."
Body = dict[str, Any]
Check = Callable[[Any], bool]


# -- what the vendor's pages say of each body ------------------------------------------------------------------------
def _like(pattern: str) -> Check:
    compiled = re.compile(pattern)
    return lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None


def _one_of(*words: Any) -> Check:
    return lambda value: value in words and type(value) in {type(word) for word in words}


def _whole(value: Any) -> bool:
    return type(value) is int and value >= 0


UUID = _like(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NUMBER = _like(r"\+[1-9][0-9]{6,14}")
COUNTRY = _like(r"[A-Z]{2}")
SECONDS = _like(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
MILLISECONDS = _like(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
SUBACCOUNT = _like(r"[A-Za-z0-9\-._&]{3,50}")
LABEL = _like(r".+")
ENDS = {
    "callType": _one_of("PSTN"), "callDirection": _one_of("INBOUND", "OUTBOUND"), "source": NUMBER,
    "destination": NUMBER, "sourceFormat": _one_of("MSISDN"), "destinationFormat": _one_of("MSISDN"),
    "sourceCountryCode": COUNTRY, "destinationCountryCode": COUNTRY,
}  # fmt: skip
EVENT = {
    "eventId": UUID, "callId": UUID, "sessionId": UUID, "subAccountId": SUBACCOUNT, "timestamp": MILLISECONDS,
    "callDuration": _whole, "sipCode": _whole, **ENDS,
}  # fmt: skip
REFS = {"sourceRefId": LABEL, "destinationRefId": LABEL}
ACTION = EVENT | {"callStatus": _one_of("CALL_RECEIVED", "ACTION_COMPLETED"), "sipCode": _one_of(200)}
ACTION_MORE = REFS | {"clientActionId": LABEL, "eventData": lambda value: isinstance(value, dict)}
STATUS = EVENT | {
    "callStatus": _one_of(
        "CALL_INITIATED", "CALL_RECEIVED", "CALL_CONNECTED", "CALL_DISCONNECTED", "CALL_UPDATED", "DTMF_RECEIVED"
    )
}
STATUS_MORE = REFS | {"eventData": lambda value: isinstance(value, dict)}
LEG_STATUSES = ("COMPLETED", "NO_ANSWER", "BUSY", "CANCELED", "FAILED", "ERROR")
SUMMARY = {
    "sessionId": UUID, "subAccountId": SUBACCOUNT, "sessionStatus": _one_of(*LEG_STATUSES), "startTime": SECONDS,
    "endTime": SECONDS, "callCount": _one_of(1, 2), "details": lambda value: isinstance(value, dict),
}  # fmt: skip
SUMMARY_MORE = {
    "lastAction": _one_of("MAKE_CALL", "PLAY_TTS", "PLAY_FILE", "SAY_AND_CAPTURE", "HANGUP"),
    "errorDetails": lambda value: isinstance(value, dict), "clientRequestId": LABEL,
}  # fmt: skip
LEG = ENDS | {
    "callId": UUID, "initiatedTimestamp": SECONDS, "disconnectedTimestamp": SECONDS,
    "callStatus": _one_of(*LEG_STATUSES), "callDuration": _whole,
}  # fmt: skip
LEG_MORE = REFS | {"connectedTimestamp": SECONDS, "callQuality": lambda value: isinstance(value, dict)}
TYPES = {
    "CALL_ACTION": ("Action request of a call", ACTION, ACTION_MORE),
    "CALL_STATUS": ("Status update of a call", STATUS, STATUS_MORE),
    "SESSION_SUMMARY": ("Summary of a completed call session", SUMMARY, SUMMARY_MORE),
}


def faults_of(body: Any) -> Iterator[str]:
    """What is not as documented, by the name of the field."""
    if not isinstance(body, dict) or "payload" not in body:
        return
    kind = body.get("eventType")
    if kind not in TYPES:
        return
    description, fields, more = TYPES[kind]
    if (body.get("namespace"), body.get("description")) != ("VOICE", description):
        yield f"{kind}: envelope"
    payload = body["payload"]
    yield from _unlike(kind, payload, fields, more)
    if kind == "SESSION_SUMMARY":
        yield from _summary_faults(payload)
    elif payload.get("callStatus") == "CALL_RECEIVED" and payload.get("callDuration") != 0:
        yield f"{kind}: callDuration of CALL_RECEIVED"


def _unlike(where: str, given: Body, fields: dict[str, Check], more: dict[str, Check]) -> Iterator[str]:
    for name, fits in fields.items():
        if name not in given:
            yield f"{where}: {name} is missing"
        elif not fits(given[name]):
            yield f"{where}: {name} is {type(given[name]).__name__} of another form"
    for name, value in given.items():
        if name not in fields and not (name in more and more[name](value)):
            yield f"{where}: {name} is not documented so"


def _summary_faults(payload: Body) -> Iterator[str]:
    legs = payload.get("details", {})
    if set(legs) != {"callA", "callB"}.intersection(legs) or payload.get("callCount") != len(legs):
        yield "SESSION_SUMMARY: callCount and details"
    if ("errorDetails" in payload) != (payload.get("sessionStatus") == "ERROR"):
        yield "SESSION_SUMMARY: errorDetails belong to ERROR"
    for name, leg in legs.items():
        yield from _unlike(name, leg, LEG, LEG_MORE)
        connected = leg.get("connectedTimestamp")
        times = [leg["initiatedTimestamp"], *([connected] if connected else []), leg["disconnectedTimestamp"]]
        if times != sorted(times):
            yield f"{name}: times go backwards"
        if connected is None and (leg["callDuration"] or "callQuality" in leg):
            yield f"{name}: never connected, yet has a duration or quality"
        side = "destinationRefId" if leg["callDirection"] == "INBOUND" else "sourceRefId"
        if not {"sourceRefId", "destinationRefId"}.intersection(leg) <= {side}:
            yield f"{name}: reference on the wrong side"


# -- the application ---------------------------------------------------------------------------------------------------
class Application:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._routes: dict[tuple[str, str], str] = {}
        self._scripts: dict[str, list[Body]] = {}
        self._received: list[Body] = []
        self._faults: list[str] = []
        self._secret = ""
        """With one, each request has to be signed with it (Standard Webhooks)."""

    def book(self, wanted: Body) -> None:
        with self._lock:
            self._secret = wanted.get("secret", self._secret)
            for first, virtual, second in wanted.get("bookings", []):
                self._routes[first, virtual] = second
                self._routes[second, virtual] = first
            self._scripts |= wanted.get("scripts", {})

    def take(self, path: str, headers: Body, data: bytes, body: Any) -> None:
        with self._lock:
            self._received.append({"path": path, "headers": headers, "body": body})
            self._faults.extend(faults_of(body))
            if self._secret and not is_signed(self._secret, headers, data):
                self._faults.append(f"{path}: signature")

    def log(self) -> Body:
        with self._lock:
            return {"received": list(self._received), "faults": list(self._faults)}

    def answer(self, payload: Body) -> Body:
        """By the test's script of this caller, else by the bookings."""
        with self._lock:
            for number in (payload.get("source"), payload.get("destination")):
                for answer in self._scripts.get(str(number), []):
                    if answer.get("after") == payload.get("clientActionId"):
                        return answer
            callee = self._routes.get((str(payload.get("source")), str(payload.get("destination"))))
        if payload.get("callStatus") != "CALL_RECEIVED":
            return {"flow": {"callflow": [{"action": "hangup"}]}}
        if callee is None:
            say = {"action": "say", "params": {"text": NOBODY, "voiceProfile": VOICE}}
            return {"flow": {"callflow": [say, {"action": "hangup"}]}}
        numbers = {"source": payload["destination"].lstrip("+"), "destination": callee.lstrip("+")}
        return {"flow": {"callflow": [{"action": "makeCall", "params": numbers}]}}


def parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode("utf-8", "replace")


def is_signed(secret: str, headers: Body, data: bytes) -> bool:
    """As Standard Webhooks has it, and not older than a minute."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    told = f"{headers.get('webhook-id')}.{headers.get('webhook-timestamp')}.".encode() + data
    good = "v1," + base64.b64encode(hmac.digest(key, told, hashlib.sha256)).decode()
    fresh = abs(time.time() - int(headers.get("webhook-timestamp", 0))) < 60
    return fresh and good in headers.get("webhook-signature", "").split()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    application: Application
    files: dict[str, bytes] = {}

    def do_POST(self) -> None:
        data = self._data()
        body = parsed(data)
        self.application.take(self.path, dict(self.headers), data, body)
        if not (isinstance(body, dict) and body.get("eventType") == "CALL_ACTION"):
            self._reply(200, b"")
            return
        answer = self.application.answer(body["payload"])
        time.sleep(answer.get("wait", 0.0))  # an application that is slow
        text = answer["body"] if "body" in answer else json.dumps(answer.get("flow", {}))
        self._reply(answer.get("status", 200), text.encode())

    def do_PUT(self) -> None:
        if self.path == "/book":
            self.application.book(parsed(self._data()))
        else:
            self.files[self.path] = self._data()
        self._reply(200, b"")

    def do_GET(self) -> None:
        if self.path == "/log":
            self._reply(200, json.dumps(self.application.log()).encode())
        elif self.path in self.files:
            self._reply(200, self.files[self.path], "audio/wav")
        else:
            self._reply(404, b"")

    def _data(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _reply(self, status: int, body: bytes, kind: str = "application/json") -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except ConnectionError:
            self.close_connection = True  # who asked has given up meanwhile

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the log is asked for."""


def main() -> None:
    Handler.application = Application()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    print(server.server_address[1], flush=True)
    # The one who started us holds the other end: its end is ours.
    threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
    server.serve_forever(0.2)


if __name__ == "__main__":
    main()
