"""The published description of the native API (OpenAPI 3.1), with the events that its endpoints are sent.

What it is: data, and the few builders that keep it short. Who uses it: `routes.py` serves it at
`/maskline/v1/openapi.json`; tests hold the answers against it.
"""

from __future__ import annotations

from typing import Any

import maskline
from maskline.masking.destinations import REFUSED_KINDS
from maskline.masking.facts import Outcome
from maskline.masking.limits import Alarm
from maskline.storage.store import OUTBOX_STATES
from maskline.storage.webhook_store import FINISHED_STATES
from maskline.webhooks.formats.native import EVENTS

_TEXT = {"type": "string"}
_WORD = {"type": ["string", "null"]}
_COUNT = {"type": "integer", "minimum": 0}
_TIME = {"type": "string", "format": "date-time"}
_TIME_OR_NOT = {"type": ["string", "null"], "format": "date-time"}
_SECONDS = {"type": "number", "description": "Wall seconds since 1970."}

_DELIVERY = {
    "id": _TEXT, "subaccountId": _WORD, "subject": _TEXT, "dialect": _TEXT, "event": _TEXT, "url": _TEXT,
    "createdAt": _TIME, "dueAt": _TIME, "state": {"type": "string", "enum": list(OUTBOX_STATES)}, "attempts": _COUNT,
    "replayed": _COUNT, "lastStatus": {"type": ["integer", "null"]}, "lastError": _WORD,
}  # fmt: skip
_TRY = {
    "number": _COUNT, "at": _TIME, "milliseconds": _COUNT, "status": {"type": ["integer", "null"]}, "fault": _WORD,
    "answer": _TEXT,
}  # fmt: skip
_FAILING = {
    "id": _TEXT, "subaccountId": _WORD, "url": _TEXT, "failingSince": _TIME, "failures": _COUNT, "lastFailureAt": _TIME,
    "disabledAt": _TIME_OR_NOT, "reason": _WORD,
}  # fmt: skip

_WORDS = {"type": "array", "items": _TEXT}
_RATE = {"type": "number", "minimum": 0, "description": "0: no limit."}
_LIMITS: dict[str, Any] = {
    "callsPerSecond": _RATE, "concurrent": _COUNT, "numberCallsPerSecond": _RATE, "numberConcurrent": _COUNT,
    "attemptsPerSession": _COUNT, "minutesPerDay": _COUNT,
    "spendPerDay": _TEXT | {"description": "An amount, such as 250."},
    "prefixMinutes": {"type": "object", "additionalProperties": _COUNT}, "timeZone": _TEXT,
    "destinations": {
        "type": ["object", "null"], "additionalProperties": False, "description": "Null: anywhere.",
        "properties": {
            "countries": {"anyOf": [_WORDS, {"const": "anywhere"}]}, "allow": _WORDS, "deny": _WORDS,
            "refuse": {"type": "array", "items": {"enum": [kind.value for kind in REFUSED_KINDS]}},
        },
    },
    "nightCalls": _COUNT, "shortCalls": _COUNT, "newCountry": {"type": "boolean"},
    "stopOn": {"type": "array", "items": {"enum": [alarm.value for alarm in Alarm]}},
}  # fmt: skip


def _object(fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    """All fields are there."""
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False, **more}


def _named(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(name: str) -> dict[str, Any]:
    return {"type": "array", "items": _named(name)}


_SCHEMAS: dict[str, Any] = {
    "Delivery": _object(_DELIVERY),
    "DeliveryWithTries": _object({**_DELIVERY, "tries": _list("Try")}),
    "Deliveries": _object({"deliveries": _list("Delivery")}),
    "Try": _object(_TRY),
    "FailingEndpoint": _object(_FAILING),
    "FailingEndpoints": _object({"endpoints": _list("FailingEndpoint")}),
    "Replayed": _object({"replayed": _COUNT}),
    "Enabled": _object({"enabled": _TEXT, "replayed": _COUNT}),
    "EndOfCall": _object({
        "callId": _TEXT, "status": {"enum": ["ending", "ended"]}, "endedAt": _TIME_OR_NOT,
        "outcome": {"enum": [*Outcome, None], "description": "As in `call.ended`; null while it is ending."},
        "cause": _WORD,
    }),
    "Error": _object({"error": _object({"code": _TEXT, "message": _TEXT}), "requestId": _TEXT}),
    "Replay": {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "states": {"type": "array", "items": {"enum": list(FINISHED_STATES)}, "minItems": 1},
            "endpoint": _TEXT | {"description": "A URL without its query; left out: any."},
            "since": _SECONDS,
            "until": _SECONDS,
        },
        "description": "Without fields: all that failed or are held.",
    },
    "Enable": {
        "type": "object",
        "properties": {"replay": {"type": "boolean", "default": False, "description": "What was held, too."}},
    },
    "AccountLimits": _object({
        "accountId": _TEXT, "stopped": _WORD, "limits": {"anyOf": [_named("Limits"), {"type": "null"}]},
        "countriesSeen": _WORDS,
    }),
    "Limits": _object(_LIMITS),
    "LimitsChange": {
        "type": "object", "additionalProperties": False,
        "properties": {**_LIMITS, "reset": {"enum": ["safe", "unlimited"], "description": "Done before the rest."}},
    },
    "Event": _object({"type": {"enum": list(EVENTS)}, "timestamp": _TIME, "data": {"type": "object"}}),
}  # fmt: skip
_ID = {"name": "id", "in": "path", "required": True, "schema": _TEXT}
_STATE = {"name": "state", "in": "query", "schema": {"type": "string", "enum": list(OUTBOX_STATES)}}


def openapi_document() -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {"title": "Maskline", "version": maskline.__version__},
        "security": [{"bearer": []}],
        "paths": {
            f"/maskline/v1{path}": operations
            for path, operations in (_call_paths() | _paths() | _operator_paths()).items()
        },
        "webhooks": {event: {"post": _event(sentence)} for event, sentence in EVENTS.items()},
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "A key of an account or subaccount."},
                "operator": {"type": "http", "scheme": "bearer", "description": "MASKLINE_OPERATOR_KEY."},
            },
            "schemas": _SCHEMAS,
        },
    }


def _paths() -> dict[str, Any]:
    one = "/webhooks/deliveries/{id}"
    there = {404: "There is none of this id."}
    return {
        "/webhooks/deliveries": {
            "get": _operation("list_deliveries", "List the newest 200", "Deliveries", parameters=[_STATE]),
        },
        one: {"get": _operation("get_delivery", "One, with its tries", "DeliveryWithTries", there, parameters=[_ID])},
        f"{one}/replay": {
            "post": _operation("replay_delivery", "Send it again", "Replayed", there, status=202, parameters=[_ID]),
        },
        "/webhooks/replay": {
            "post": _operation("replay_deliveries", "Send many again", "Replayed", status=202, body="Replay"),
        },
        "/webhooks/endpoints": {
            "get": _operation("list_endpoints", "List those that fail or are disabled", "FailingEndpoints"),
        },
        "/webhooks/endpoints/{id}/enable": {
            "post": _operation(
                "enable_endpoint", "Send there again", "Enabled", there, body="Enable", parameters=[_ID]
            ),
        },
    }  # fmt: skip


def _call_paths() -> dict[str, Any]:
    there = {404: "There is no such call, or it is another account's."}
    described = _operation("end_call", "End a call, whatever it is doing", "EndOfCall", there, parameters=[_ID])
    described["responses"] = {
        "200": _answer("It was over already.", "EndOfCall"), "202": _answer("It is being ended.", "EndOfCall"),
        **{status: answer for status, answer in described["responses"].items() if status != "200"},
    }  # fmt: skip
    return {"/calls/{id}/end": {"post": described}}


def _operator_paths() -> dict[str, Any]:
    one = "/operator/accounts/{id}"
    there = {404: "There is no such account.", 409: "It was changed meanwhile, or is not stopped."}

    def operation(name: str, summary: str, body: str = "") -> dict[str, Any]:
        described = _operation(name, summary, "AccountLimits", there, body=body, parameters=[_ID])
        return described | {"security": [{"operator": []}]}

    return {
        "/limits": {"get": _operation("get_own_limits", "What the account of this key may use", "AccountLimits")},
        f"{one}/limits": {
            "get": operation("get_limits", "What an account may use"),
            "patch": operation("set_limits", "Change what is named", "LimitsChange"),
        },
        f"{one}/stop": {"post": operation("stop_account", "Refuse its calls from now on")},
        f"{one}/resume": {"post": operation("resume_account", "Take its calls again")},
    }


def _operation(
    name: str, summary: str, answer: str, refusals: dict[int, str] | None = None, *, status: int = 200, body: str = "",
    parameters: list[Any] | None = None,
) -> dict[str, Any]:  # fmt: skip
    wrong = {
        400: "A value is wrong.", 401: "The key is missing or unknown.", 413: "The body is too large.",
        429: "Too many requests.", 503: "The database does not answer.", **(refusals or {}),
    }  # fmt: skip
    described: dict[str, Any] = {
        "operationId": name, "summary": summary, "parameters": parameters or [],
        "responses": {str(status): _answer("Done.", answer)}
        | {str(code): _answer(sentence, "Error") for code, sentence in sorted(wrong.items())},
    }  # fmt: skip
    if body:
        described["requestBody"] = {"content": {"application/json": {"schema": _named(body)}}}
    return described


def _answer(sentence: str, schema: str) -> dict[str, Any]:
    return {"description": sentence, "content": {"application/json": {"schema": _named(schema)}}}


def _event(sentence: str) -> dict[str, Any]:
    return {
        "summary": sentence,
        "requestBody": {"content": {"application/json": {"schema": _named("Event")}}},
        "responses": {"2XX": {"description": "Taken. Anything else is tried again."}},
    }
