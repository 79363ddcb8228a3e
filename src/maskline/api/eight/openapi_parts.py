"""What the parts of the published description share: parameters, operations, answers, and the schemas of errors.

What it is: small builders of OpenAPI 3.1 values. What it is not: the document (`openapi.py`). Who uses it: the modules
`openapi_*.py`, each of which is a `Part`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from maskline.api.eight.errors import ErrorShape

TEXT = {"type": "string"}
WHOLE = {"type": "integer"}
FLAG = {"type": "boolean"}
UUID = {"type": "string", "format": "uuid"}
TIME = {"type": "string", "format": "date-time", "description": "UTC."}
ACCOUNT = "/api/v1/subaccounts/{subAccountId}"


class Part(NamedTuple):
    """One resource's share of the document."""

    paths: Mapping[str, Any]
    schemas: Mapping[str, Any]


def path_item(operations: Mapping[str, Any], *parameters: dict[str, Any]) -> dict[str, Any]:
    """What is at one path below `ACCOUNT`; `parameters`: of its further segments."""
    return {"parameters": [_SUBACCOUNT, *parameters], **operations}


def path_parameter(name: str, about: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema or TEXT, "description": about}


def operation(
    name: str, summary: str, shape: ErrorShape, answer: str, *, status: int = 200, body: str = "",
    parameters: Iterable[dict[str, Any]] = (), refusals: Mapping[int, str] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """`answer`, `body`: names of schemas; an empty answer is none. `refusals`: statuses beside 401, 404 and 429 with
    what they mean."""
    done: dict[str, Any] = {"description": "Done."}
    if answer:
        done["content"] = json_of(answer)
    responses = {str(status): done}
    for number, about in {**_REFUSALS, **(refusals or {})}.items():
        responses[str(number)] = {"description": about, "content": json_of(shape.value)}
    responses["default"] = {"description": "Failed.", "content": json_of(shape.value)}
    described: dict[str, Any] = {"summary": summary, "operationId": name, "responses": responses}
    if body:
        described["requestBody"] = {"required": True, "content": json_of(body)}
    if parameters:
        described["parameters"] = list(parameters)
    return described


def json_of(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": reference(schema)}}


def reference(schema: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{schema}"}


def structure(fields: Mapping[str, Any], optional: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """An object; what is `optional` may be missing."""
    return {"type": "object", "properties": {**fields, **(optional or {})}, "required": list(fields)}


_REFUSALS = {
    401: "No key, or not one that is valid.",
    404: "No such subaccount for this key, or nothing there.",
    429: "Too many requests; Retry-After says when to try again.",
}
_SUBACCOUNT = path_parameter("subAccountId", "The external id or the auth id of the account or subaccount.")

ERRORS: dict[str, Any] = {
    ErrorShape.FLOW.value: structure(
        {
            "sessionStatus": {"const": "NOT_CREATED"}, "callFlowRequestId": UUID,
            "statusCode": WHOLE | {"description": "-1001 to -1020, -9999, or the HTTP status."}, "statusMessage": TEXT,
        }
    ),
    ErrorShape.SERVICE.value: structure(
        {"errorId": UUID, "statusCode": TEXT, "statusMessage": TEXT, "timestamp": TIME}
    ),
    ErrorShape.NUMBER.value: structure({"statusCode": WHOLE, "statusMessage": TEXT, "timestamp": TIME}),
    ErrorShape.PLATFORM.value: structure({"code": WHOLE, "message": TEXT, "errorId": UUID, "timestamp": TIME}),
}  # fmt: skip
"""One schema for each of the four shapes."""
