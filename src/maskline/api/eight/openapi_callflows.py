"""The published description of call flows; a part of `openapi.py`. Limits are those of the reader of flows."""

from __future__ import annotations

from typing import Any

from maskline.api.eight.errors import ErrorShape
from maskline.api.eight.openapi_parts import ACCOUNT, TEXT, UUID, Part, operation, path_item, reference, structure
from maskline.api.once import LONGEST_KEY
from maskline.webhooks.formats.eight_flow import LONGEST_TIMEOUT_MS, MOST_ACTIONS, MOST_DIGITS, MOST_TRIES
from maskline.webhooks.formats.eight_params import LONGEST_LABEL, LONGEST_TEXT, LONGEST_URL

_SHOWN = {"type": "string", "pattern": r"^\+?[1-9][0-9]{6,16}$"}
_CALLED = {"type": "string", "pattern": r"^\+?[1-9][0-9]{6,14}$"}
_TELL = {"type": "string", "pattern": r"\S", "maxLength": LONGEST_TEXT}
_VOICE = TEXT | {"description": "A `speechProfileCode` of GET /speech-profiles."}
_SPEED = {"type": ["number", "null"], "minimum": 0.5, "maximum": 2.0, "default": 1}
_SWITCH = {"type": ["boolean", "null"]}
_UNTIL = {
    "type": ["string", "null"], "format": "date-time",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z$",
    "description": "UTC. A flow that is not begun by then is not begun at all, and its summary says -2007.",
}  # fmt: skip
_KEY = {
    "name": "Idempotency-Key", "in": "header", "schema": {"type": "string", "maxLength": LONGEST_KEY},
    "description": "Makes a repeat of this request harmless for 24 hours: it gets the answer of the first one.",
}  # fmt: skip


def _whole(low: int, high: int, default: int, about: str = "") -> dict[str, Any]:
    schema = {"type": ["integer", "null"], "minimum": low, "maximum": high, "default": default}
    return schema | ({"description": about} if about else {})


_PLAYS = _whole(1, 3, 1, "Plays in all.")


def _action(name: str, params: dict[str, Any] | None) -> dict[str, Any]:
    fields: dict[str, Any] = {"action": {"const": name}}
    return structure(fields | {"params": params}) if params is not None else structure(fields, {"params": _NO_PARAMS})


_NO_PARAMS = {"type": ["object", "null"]}
_SAY = structure(
    {"text": _TELL, "voiceProfile": _VOICE},
    {"repetition": _PLAYS, "speed": _SPEED, "language": {"type": ["string", "null"], "description": "Ignored."}},
)
_CAPTURE = structure(
    {"promptMessage": _TELL, "voiceProfile": _VOICE},
    {
        "successMessage": {"type": ["string", "null"], "maxLength": LONGEST_TEXT},
        "failureMessage": {"type": ["string", "null"], "maxLength": LONGEST_TEXT},
        "speed": _SPEED,
        "minDigits": _whole(1, MOST_DIGITS, 1, "Needs maxDigits (-1003)."),
        "maxDigits": _whole(1, MOST_DIGITS, MOST_DIGITS, "Needed when completeOnHash is false (-1008)."),
        "completeOnHash": _SWITCH | {"default": True},
        "digitTimeout": {
            "type": ["integer", "null"], "minimum": 1, "maximum": LONGEST_TIMEOUT_MS, "description": "Milliseconds.",
        },
        "overallTimeout": _whole(1, LONGEST_TIMEOUT_MS, 30_000, "Milliseconds."),
        "noOfTries": _whole(1, MOST_TRIES, 3),
    },
)  # fmt: skip
_SCHEMAS: dict[str, Any] = {
    "MakeCall": _action(
        "makeCall",
        structure(
            {
                "source": _SHOWN | {"description": "A virtual number of the subaccount, else -1014."},
                "destination": _CALLED,
            },
            {"callRecording": _SWITCH | {"default": False}},
        ),
    ),
    "Say": _action("say", _SAY),
    "PlayFile": _action(
        "playFile",
        structure(
            {"fileUrl": {"type": "string", "pattern": "^https?://[^/?#]", "maxLength": LONGEST_URL}},
            {"repetition": _PLAYS},
        ),
    ),
    "SayAndCapture": _action("sayAndCapture", _CAPTURE),
    "Hangup": _action("hangup", None),
    "Action": {"oneOf": [reference(name) for name in ("MakeCall", "Say", "PlayFile", "SayAndCapture", "Hangup")]},
    "CallFlow": structure(
        {
            "callflow": {
                "type": "array", "prefixItems": [reference("MakeCall")], "items": reference("Action"),
                "minItems": 1, "maxItems": MOST_ACTIONS,
                "description": "At most two makeCall: the second one is connected with the first. hangup comes last.",
            }
        },
        {
            "validUntil": _UNTIL,
            "clientRequestId": {
                "type": ["string", "null"], "maxLength": LONGEST_LABEL,
                "description": "Told again in the session summary.",
            },
        },
    ),
    "CallFlowCreated": structure(
        {
            "sessionId": UUID, "sessionStatus": {"const": "CREATED"}, "callFlowRequestId": UUID,
            "statusCode": {"const": 1}, "statusMessage": {"const": "Created"},
        },
        {"validUntil": TEXT | {"description": "As it was sent."}},
    ),
}  # fmt: skip

CALLFLOWS = Part(
    {
        f"{ACCOUNT}/callflows": path_item(
            {
                "post": operation(
                    "request_call_flow", "Start a session by a call flow", ErrorShape.FLOW, "CallFlowCreated",
                    body="CallFlow", parameters=[_KEY],
                    refusals={
                        400: "No JSON, or not a call flow: -1001, -1007, -1009, -1011, -1016, -1017, -1019.",
                        422: "A call flow that cannot be carried out, or another request under the same key.",
                    },
                )
            }
        )
    },
    _SCHEMAS,
)  # fmt: skip
