"""The published description of numbers and subaccounts, beside that of sessions (`openapi.py`).

What it is: paths and schemas as data; a test holds the schemas against what `numbers.py` and `subaccounts.py` answer.
Who uses it: `openapi.py` merges them into its document; `openapi_recordings.py` takes its builders.
"""

from __future__ import annotations

from typing import Any

from maskline.api.plivo.filters import MAX_LIMIT
from maskline.api.plivo.numbers import TYPES
from maskline.api.plivo.subaccounts import LONGEST_NAME
from maskline.masking.decision import NumberState
from maskline.workflows.update_number import LONGEST_ALIAS

_TEXT = {"type": "string"}
_FLAG = {"type": "boolean"}
_MAYBE = {"type": ["string", "null"]}
_NULL = {"type": "null"}
_NEVER = {"const": False}
_ACCOUNT = "/v1/Account/{auth_id}/"

NUMBER_FIELDS: dict[str, dict[str, Any]] = {
    "added_on": _MAYBE, "alias": _MAYBE, "application": _NULL, "carrier": _TEXT, "city": _NULL, "cnam": _NULL,
    "cnam_lookup": _NULL, "country": _MAYBE, "mms_enabled": _NEVER, "mms_rate": _NULL, "monthly_rental_rate": _TEXT,
    "number": _TEXT, "number_type": {"type": "string", "enum": sorted(set(TYPES.values()))}, "reference_id": _TEXT,
    "region": _MAYBE, "renewal_date": _NULL, "resource_uri": _TEXT, "sms_enabled": _NEVER, "sms_rate": _NULL,
    "state": {"type": "string", "enum": [state.value for state in NumberState if state is not NumberState.RETIRED]},
    "sub_account": _MAYBE, "subaccount": _MAYBE, "tendlc_campaign_id": _NULL, "tendlc_registration_status": _NULL,
    "toll_free_sms_verification": _NULL, "voice_enabled": {"const": True}, "voice_rate": _TEXT,
}  # fmt: skip
SUBACCOUNT_FIELDS: dict[str, dict[str, Any]] = {
    "account": _TEXT, "auth_id": _TEXT, "auth_token": _TEXT, "created": _TEXT, "enabled": _FLAG, "modified": _MAYBE,
    "name": _TEXT, "new_auth_token": _TEXT, "resource_uri": _TEXT,
}  # fmt: skip


def account_paths() -> dict[str, Any]:
    account = path_parameter("auth_id")
    number, subaccount = [account, path_parameter("number")], [account, path_parameter("subauth_id")]
    filters = ["type", "number_startswith", "subaccount", "alias", "services"]
    return {
        _ACCOUNT + "Number/": {
            "parameters": [path_parameter("auth_id")],
            "get": operation("list_numbers", "List virtual numbers", "NumberList", query=filters),
        },
        _ACCOUNT + "Number/{number}/": {
            "parameters": number,
            "get": operation("get_number", "Show a virtual number", "NumberRetrieved"),
            "post": operation("update_number", "Rename or move a virtual number", "Message", 202, "UpdateNumber"),
            "delete": operation("retire_number", "Give a virtual number back", "", 204),
        },
        _ACCOUNT + "PhoneNumber/": {
            "parameters": [path_parameter("auth_id")],
            "get": operation("search_numbers", "Search numbers to rent: there are none", "NothingFound", query=[]),
        },
        _ACCOUNT + "Subaccount/": {
            "parameters": [path_parameter("auth_id")],
            "get": operation("list_subaccounts", "List subaccounts", "SubaccountList", query=[]),
            "post": operation("create_subaccount", "Open a subaccount", "SubaccountCreated", 201, "Subaccounts"),
        },
        _ACCOUNT + "Subaccount/{subauth_id}/": {
            "parameters": subaccount,
            "get": operation("get_subaccount", "Show a subaccount", "SubaccountRetrieved"),
            "post": operation("update_subaccount", "Rename, enable or disable", "Message", 202, "Subaccounts"),
            "delete": operation("remove_subaccount", "Close a subaccount", "", 204),
        },
    }


def account_schemas() -> dict[str, Any]:
    name = {**_TEXT, "maxLength": LONGEST_NAME}
    switch = {**_FLAG, "description": "Whether its credentials are taken. Left out of a create: false."}
    alias = {**_TEXT, "maxLength": LONGEST_ALIAS, "description": "A name for people; empty takes it away."}
    move = {**_TEXT, "description": "Move it to this subaccount; empty: back to the main account."}
    return {
        "Number": _object(NUMBER_FIELDS),
        "NumberRetrieved": answer(NUMBER_FIELDS),
        "NumberList": listing({"$ref": "#/components/schemas/Number"}),
        "NothingFound": listing({}, most=0),
        "UpdateNumber": {"type": "object", "properties": {"alias": alias, "subaccount": move}},
        "Subaccount": _object(SUBACCOUNT_FIELDS),
        "SubaccountRetrieved": answer(SUBACCOUNT_FIELDS),
        "SubaccountList": listing({"$ref": "#/components/schemas/Subaccount"}),
        "SubaccountCreated": answer({"auth_id": _TEXT, "auth_token": _TEXT, "message": _TEXT}),
        "Subaccounts": {"type": "object", "properties": {"name": name, "enabled": switch}},
    }


def path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": _TEXT}


def operation(
    name: str, summary: str, answer: str, status: int = 200, body: str = "", query: list[str] | None = None
) -> dict[str, Any]:
    done = {"description": "Done."} | ({"content": _json_of(answer)} if answer else {})
    refused = {"description": "Refused.", "content": _json_of("Error")}
    described: dict[str, Any] = {
        "summary": summary, "operationId": name, "responses": {str(status): done, "default": refused},
    }  # fmt: skip
    if body:
        described["requestBody"] = {"content": _json_of(body)}
    if query is not None:
        limit = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": MAX_LIMIT}
        names = {**dict.fromkeys(query, _TEXT), "limit": limit, "offset": {"type": "integer", "minimum": 0}}
        described["parameters"] = [{"name": key, "in": "query", "schema": schema} for key, schema in names.items()]
    return described


def _json_of(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}


def _object(fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(fields)}


def answer(fields: dict[str, Any]) -> dict[str, Any]:
    return _object({"api_id": {"type": "string", "format": "uuid"}, **fields})


def listing(item: dict[str, Any], most: int = MAX_LIMIT) -> dict[str, Any]:
    whole = {"type": "integer"}
    meta = {"limit": whole, "next": _MAYBE, "offset": whole, "previous": _MAYBE, "total_count": whole}
    return answer({"meta": _object(meta), "objects": {"type": "array", "items": item, "maxItems": most}})
