"""The published description of the dialect (OpenAPI 3.1), derived from the attribute table.

Who uses it: `routes.py` serves it at `/v1/openapi.json`; the reference generator and tests read it.
"""

from __future__ import annotations

from typing import Any

import maskline
from maskline.api.plivo.attributes import ATTRIBUTES, URL_LIMIT, Attribute, Kind
from maskline.api.plivo.filters import MAX_LIMIT, NUMBERS, OPERATORS, RANGES, STATUSES
from maskline.masking.session import SessionOptions

_PATH = "/v1/Account/{auth_id}/Masking/Session/"
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
    "duration": _WHOLE, "amount": _WHOLE,
    "total_call_amount": {"type": "number"}, "total_session_amount": {"type": "number"},
    "total_call_count": _WHOLE, "total_call_billed_duration": _WHOLE,
    "interaction": {"type": ["array", "null"], "items": {"$ref": "#/components/schemas/Interaction"}},
}  # fmt: skip
"""The session object's fields in the order they are written."""

INTERACTION_FIELDS: dict[str, dict[str, Any]] = {
    "start_time": _TIME, "end_time": _TIME,
    "first_party_resource_url": _nullable("string"), "second_party_resource_url": _nullable("string"),
    "recording_resource_url": _nullable("string"), "type": {"const": "call"},
    "total_call_amount": {"type": "number"}, "call_billed_duration": _WHOLE, "total_call_count": _WHOLE,
    "duration": {"type": "number"}, "auth_id": _TEXT,
}  # fmt: skip


def openapi_document(defaults: SessionOptions) -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {"title": "Maskline, Plivo and VTS dialect", "version": maskline.__version__},
        "security": [{"basic": []}],
        "paths": {
            _PATH: {
                "parameters": [_path_parameter("auth_id")],
                "get": _operation("List sessions", "SessionList", parameters=_list_parameters()),
                "post": _operation("Create a session", "SessionCreated", status=201, body="CreateSession"),
            },
            _PATH + "{session_uuid}/": {
                "parameters": [_path_parameter("auth_id"), _path_parameter("session_uuid")],
                "get": _operation("Retrieve a session", "SessionRetrieved"),
                "post": _operation("Update a session", "SessionUpdated", body="UpdateSession"),
                "delete": _operation("Expire a session", "Message"),
            },
        },
        "components": {
            "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
            "schemas": _schemas(defaults),
        },
    }


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
    meta = {"limit": _WHOLE, "offset": _WHOLE, "total_count": _WHOLE}
    meta |= {"next": _nullable("string"), "previous": _nullable("string")}
    page = _object({"meta": _object(meta), "objects": {"type": "array", "items": listed}})
    return {
        "Session": _object(SESSION_FIELDS),
        "Interaction": _object(INTERACTION_FIELDS),
        "CreateSession": _request(ATTRIBUTES, defaults),
        "UpdateSession": _request([attribute for attribute in ATTRIBUTES if attribute.updatable], None),
        "SessionCreated": _answer(created),
        "SessionRetrieved": _answer({"response": session}),
        "SessionList": _answer({"response": page}),
        "SessionUpdated": _answer({"message": _TEXT, "session": session}),
        "Message": _answer({"message": _TEXT}),
        "Error": {**_answer({"error": _TEXT}), "description": "`detail` may say more about the cause."},
    }


def _object(fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(fields)}


def _answer(fields: dict[str, Any]) -> dict[str, Any]:
    return _object({"api_id": {"type": "string", "format": "uuid"}, **fields})


def _request(attributes: tuple[Attribute, ...] | list[Attribute], defaults: SessionOptions | None) -> dict[str, Any]:
    properties = {attribute.name: _attribute(attribute, defaults) for attribute in attributes}
    required = [attribute.name for attribute in attributes if attribute.required]
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    return schema | ({"required": required} if required else {})


def _attribute(attribute: Attribute, defaults: SessionOptions | None) -> dict[str, Any]:
    schema: dict[str, Any] = {"description": attribute.about}
    match attribute.kind:
        case Kind.INTEGER:
            schema |= {"type": "integer", "minimum": attribute.minimum, "maximum": attribute.maximum}
        case Kind.BOOLEAN:
            schema["type"] = "boolean"
        case Kind.SWITCH:
            schema |= {"type": "boolean", "const": False}
            schema["description"] += " Not supported yet: true is refused."
        case Kind.DEPENDENT:
            schema["description"] += " Ignored while PIN authentication is not supported."
        case Kind.CHOICE:
            schema |= {"type": "string", "enum": list(attribute.choices)}
        case Kind.URL:
            schema |= {"type": "string", "format": "uri", "maxLength": URL_LIMIT - 1}
        case Kind.NUMBER | Kind.SUBACCOUNT:
            schema["type"] = "string"
    if defaults is not None and attribute.name != "geomatch" and hasattr(defaults, attribute.name):
        schema["default"] = getattr(defaults, attribute.name)
    return schema
