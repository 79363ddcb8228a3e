"""The published description of the dialect (OpenAPI 3.1), derived from the attribute table.

Who uses it: `routes.py` serves it at `/v1/openapi.json`; the reference generator and tests read it.
"""

from __future__ import annotations

from typing import Any

import maskline
from maskline.api.once import LONGEST_KEY
from maskline.api.plivo.attributes import ATTRIBUTES, PIN_DIGITS, URL_LIMIT, Attribute, Kind
from maskline.api.plivo.filters import MAX_LIMIT, NUMBERS, OPERATORS, RANGES, STATUSES
from maskline.api.plivo.openapi_account import account_paths, account_schemas
from maskline.api.plivo.openapi_recordings import recording_paths, recording_schemas
from maskline.masking.session import PoolMode, SessionOptions

_PATH = "/v1/Account/{auth_id}/Masking/Session/"
_VTS_PATH = "/vts" + _PATH
_TEXT = {"type": "string"}
_WHOLE = {"type": "integer"}
_FLAG = {"type": "boolean"}
_TIME = {"type": "string", "description": "UTC, `YYYY-MM-DD HH:MM:SS +0000 UTC`; empty when there is none."}


def _nullable(kind: str) -> dict[str, Any]:
    return {"type": [kind, "null"]}


SESSION_FIELDS: dict[str, dict[str, Any]] = {
    "session_uuid": {"type": "string", "format": "uuid"},
    "first_party": _TEXT, "second_party": _TEXT, "virtual_number": _TEXT,
    "status": {"type": "string", "enum": list(STATUSES[:-1])},
    "initiate_call_to_first_party": _FLAG,
    "session_expiry": _WHOLE, "call_time_limit": _WHOLE, "ring_timeout": _WHOLE,
    "callback_url": _TEXT, "callback_method": _TEXT,
    "record": _FLAG, "record_file_format": _TEXT,
    "recording_callback_url": _TEXT, "recording_callback_method": _TEXT,
    "first_party_play_url": _TEXT, "second_party_play_url": _TEXT, "unknown_caller_play": _TEXT,
    "is_pin_authentication_required": _FLAG,
    "generate_pin": _nullable("boolean"), "generate_pin_length": _nullable("integer"),
    "first_party_pin": _nullable("string"), "second_party_pin": _nullable("string"),
    "pin_prompt_play": _nullable("string"), "pin_retry": _nullable("integer"),
    "pin_retry_wait": _nullable("integer"), "incorrect_pin_play": _nullable("string"),
    "create_session_with_single_party": _FLAG, "force_pin_authentication": _FLAG,
    "virtual_number_cooloff_period": _WHOLE, "subaccount": _TEXT,
    "created_time": _TIME, "modified_time": _TIME, "expiry_time": _TIME, "last_interaction_time": _TIME,
    "duration": _WHOLE,
    "amount": _WHOLE | {
        "description": "Fee for the session itself without its fraction, which Go's client could not read; "
        "the whole fee is total_session_amount less total_call_amount."
    },
    "total_call_amount": {"type": "number"}, "total_session_amount": {"type": "number"},
    "total_call_count": _WHOLE, "total_call_billed_duration": _WHOLE,
    "interaction": {"type": ["array", "null"], "items": {"$ref": "#/components/schemas/Interaction"}},
    "pool_mode": {"type": "string", "enum": [mode.value for mode in PoolMode]},
    "first_party_virtual_number": _TEXT, "second_party_virtual_number": _TEXT,
}  # fmt: skip
"""The session object's fields in the order they are written."""

INTERACTION_FIELDS: dict[str, dict[str, Any]] = {
    "start_time": _TIME, "end_time": _TIME,
    "first_party_resource_url": _nullable("string"), "second_party_resource_url": _nullable("string"),
    "recording_resource_url": _nullable("string"), "type": {"const": "call"},
    "total_call_amount": {"type": "number"}, "call_billed_duration": _WHOLE, "total_call_count": _WHOLE,
    "duration": {"type": "number"}, "auth_id": _TEXT,
}  # fmt: skip


_FLAT_NAMES = (
    "session_uuid", "virtual_number", "status", "first_party", "second_party", "record", "recording_callback_url",
    "record_file_format", "session_expiry", "call_time_limit", "initiate_call_to_first_party", "callback_url",
    "ring_timeout", "first_party_play_url", "second_party_play_url", "created_time", "modified_time", "expiry_time",
    "last_interaction_time", "total_call_count", "total_call_amount", "total_call_billed_duration", "interaction",
)  # fmt: skip
FLAT_FIELDS: dict[str, dict[str, Any]] = dict.fromkeys(_FLAT_NAMES, _TEXT) | {"record_file_format": _nullable("string")}
"""The same in the flavour of the VTS pages: texts, "null" where there is nothing."""
FLAT_NUMBERS = ("pool_mode", "first_party_virtual_number", "second_party_virtual_number")
"""Behind them where a session holds its numbers in another way than the pages know."""
FLAT_PINS = (
    "is_pin_authentication_required", "force_pin_authentication", "generate_pin", "generate_pin_length",
    "first_party_pin", "second_party_pin", "pin_prompt_play", "pin_retry", "pin_retry_wait", "incorrect_pin_play",
)  # fmt: skip
"""Behind those with PIN authentication."""


def openapi_document(defaults: SessionOptions) -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {"title": "Maskline, Plivo and VTS dialect", "version": maskline.__version__},
        "security": [{"basic": []}],
        "paths": _paths(_PATH, "", _PLIVO_ANSWERS)
        | _paths(_VTS_PATH, "_vts", _VTS_ANSWERS)
        | account_paths()
        | recording_paths(),
        "components": {
            "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
            "schemas": _schemas(defaults) | account_schemas() | recording_schemas(),
        },
    }


_PLIVO_ANSWERS = ("SessionList", "SessionCreated", "SessionRetrieved", "SessionUpdated")
_VTS_ANSWERS = ("FlatSessionList", "FlatSession", "FlatSession", "FlatSession")


def _paths(path: str, suffix: str, answers: tuple[str, str, str, str]) -> dict[str, Any]:
    """The five operations of one flavour; `suffix` tells its operation ids apart."""
    listed, created, retrieved, updated = answers
    once = [_KEY_PARAMETER]
    paths: dict[str, Any] = {
        path: {
            "parameters": [_path_parameter("auth_id")],
            "get": _operation("List sessions", listed, parameters=_list_parameters()),
            "post": _operation("Create a session", created, status=201, body="CreateSession", parameters=once),
        },
        path + "{session_uuid}/": {
            "parameters": [_path_parameter("auth_id"), _path_parameter("session_uuid")],
            "get": _operation("Retrieve a session", retrieved),
            "post": _operation("Update a session", updated, body="UpdateSession", parameters=once),
            "delete": _operation("Expire a session", "Message"),
        },
    }
    for operations in paths.values():
        for operation in operations.values():
            if isinstance(operation, dict):
                operation["operationId"] += suffix
    return paths


_KEY_PARAMETER = {
    "name": "Idempotency-Key", "in": "header", "schema": {"type": "string", "maxLength": LONGEST_KEY},
    "description": "Makes a repeat of this request harmless for 24 hours: it gets the session that the first one made.",
}  # fmt: skip


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": _TEXT}


def _operation(
    summary: str, answer: str, *, status: int = 200, body: str = "", parameters: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": summary,
        "operationId": summary.lower().replace(" a ", " ").replace(" ", "_"),
        "responses": {str(status): _content(answer, "Done."), "default": _content("Error", "Refused.")},
    }
    if body:
        operation["requestBody"] = {"content": _json_of(body)}
    if parameters:
        operation["parameters"] = parameters
    return operation


def _content(schema: str, description: str) -> dict[str, Any]:
    return {"description": description, "content": _json_of(schema)}


def _json_of(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _list_parameters() -> list[dict[str, Any]]:
    names: dict[str, dict[str, Any]] = dict.fromkeys((*NUMBERS, "subaccount"), _TEXT)
    names["status"] = {"type": "string", "enum": list(STATUSES), "default": "all"}
    names["limit"] = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": MAX_LIMIT}
    names["offset"] = {"type": "integer", "minimum": 0, "default": 0}
    for name in RANGES:
        for suffix in ("", *(f"__{operator}" for operator in OPERATORS)):
            names[name + suffix] = _WHOLE if name == "duration" else _TEXT
    return [{"name": name, "in": "query", "schema": schema} for name, schema in names.items()]


def _schemas(defaults: SessionOptions) -> dict[str, Any]:
    session = {"$ref": "#/components/schemas/Session"}
    created = {"session_uuid": _TEXT, "virtual_number": _TEXT, "message": _TEXT, "session": session}
    listed = {"allOf": [session, _object({"resource_uri": _TEXT})]}
    flat = {"$ref": "#/components/schemas/FlatSession"}
    meta = {"limit": _WHOLE, "offset": _WHOLE, "total_count": _WHOLE}
    meta |= {"next": _nullable("string"), "previous": _nullable("string")}
    page = _object({"meta": _object(meta), "objects": {"type": "array", "items": listed}})
    flat_page = _object({"sessions": {"type": "array", "items": flat}, "meta": _object(meta)})
    return {
        "Session": _object(SESSION_FIELDS),
        "Interaction": _object(INTERACTION_FIELDS),
        "CreateSession": _request(ATTRIBUTES, defaults),
        "UpdateSession": _request([each for each in ATTRIBUTES if each.updatable or each.fillable], None),
        "SessionCreated": _answer(created),
        "SessionRetrieved": _answer({"response": session}),
        "SessionList": _answer({"response": page}),
        "SessionUpdated": _answer({"message": _TEXT, "session": session}),
        "FlatSession": _object(FLAT_FIELDS, dict.fromkeys((*FLAT_NUMBERS, *FLAT_PINS), _TEXT)),
        "FlatSessionList": flat_page,
        "Message": _answer({"message": _TEXT}),
        "Error": {**_answer({"error": _TEXT}), "description": "`detail` may say more about the cause."},
    }


def _object(fields: dict[str, Any], more: dict[str, Any] | None = None) -> dict[str, Any]:
    """`more` may be missing."""
    return {"type": "object", "properties": fields | (more or {}), "required": list(fields)}


def _answer(fields: dict[str, Any]) -> dict[str, Any]:
    return _object({"api_id": {"type": "string", "format": "uuid"}, **fields})


def _request(attributes: tuple[Attribute, ...] | list[Attribute], defaults: SessionOptions | None) -> dict[str, Any]:
    properties = {attribute.name: _attribute(attribute, defaults) for attribute in attributes}
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if defaults is not None:
        # Both, or with create_session_with_single_party one of them.
        schema["anyOf"] = [{"required": [each.name]} for each in attributes if each.required]
    return schema


def _attribute(attribute: Attribute, defaults: SessionOptions | None) -> dict[str, Any]:
    about = attribute.about + (" Ignored without is_pin_authentication_required." if attribute.pin_detail else "")
    if defaults is None and attribute.fillable:
        about += " Only in a session that was made with create_session_with_single_party."
    schema: dict[str, Any] = {"description": about}
    match attribute.kind:
        case Kind.INTEGER | Kind.COUNT:
            schema |= {"type": "integer", "minimum": attribute.minimum, "maximum": attribute.maximum}
        case Kind.BOOLEAN:
            schema["type"] = "boolean"
        case Kind.PIN:
            schema |= {"type": "string", "pattern": f"^[0-9]{{{PIN_DIGITS[0]},{PIN_DIGITS[1]}}}$"}
        case Kind.CHOICE:
            schema |= {"type": "string", "enum": list(attribute.choices)}
        case Kind.URL:
            schema |= {"type": "string", "format": "uri", "maxLength": URL_LIMIT - 1}
        case Kind.NUMBER | Kind.SUBACCOUNT:
            schema["type"] = "string"
    if defaults is not None and attribute.name != "geomatch" and hasattr(defaults, attribute.name):
        schema["default"] = getattr(defaults, attribute.name)
    return schema
