"""The published description of recordings, beside that of sessions (`openapi.py`).

What it is: paths and schemas as data; a test holds the schema against what `recordings.py` answers. Who uses it:
`openapi.py` merges them into its document.
"""

from __future__ import annotations

from typing import Any

from maskline.api.plivo.openapi_account import answer, listing, operation, path_parameter
from maskline.masking.recording import FORMATS, RecordingStatus

_TEXT = {"type": "string"}
_NULL = {"type": "null"}
_WHOLE = {"type": "integer"}
_ACCOUNT = "/v1/Account/{auth_id}/"

RECORDING_FIELDS: dict[str, dict[str, Any]] = {
    "add_time": _TEXT, "call_uuid": _TEXT, "conference_name": _NULL, "conference_uuid": _NULL, "from_number": _TEXT,
    "monthly_recording_storage_amount": {"const": 0}, "mpc_name": _NULL, "mpc_uuid": _NULL,
    "recording_duration_ms": _TEXT, "recording_end_ms": _TEXT,
    "recording_format": {"type": "string", "enum": list(FORMATS)}, "recording_id": _TEXT, "recording_start_ms": _TEXT,
    "recording_storage_duration": {"const": 0}, "recording_storage_rate": {"const": 0},
    "recording_type": {"const": "call"}, "recording_url": _TEXT, "resource_uri": _TEXT,
    "rounded_recording_duration": _WHOLE, "to_number": _TEXT, "call_id": _TEXT, "partial": {"type": "boolean"},
    "session_uuid": _TEXT, "status": {"type": "string", "enum": [status.value for status in RecordingStatus]},
    "subaccount": _TEXT,
}  # fmt: skip
FILTERS = [
    "call_uuid", "session_uuid", "subaccount", "add_time", "add_time__gt", "add_time__gte", "add_time__lt",
    "add_time__lte",
]  # fmt: skip


def recording_paths() -> dict[str, Any]:
    return {
        _ACCOUNT + "Recording/": {
            "parameters": [path_parameter("auth_id")],
            "get": operation("list_recordings", "List recordings of calls", "RecordingList", query=FILTERS),
        },
        _ACCOUNT + "Recording/{recording_id}/": {
            "parameters": [path_parameter("auth_id"), path_parameter("recording_id")],
            "get": operation("get_recording", "Show a recording", "RecordingRetrieved"),
            "delete": operation("delete_recording", "Delete a recording's file", "", 204),
        },
    }


def recording_schemas() -> dict[str, Any]:
    return {
        "Recording": {"type": "object", "properties": RECORDING_FIELDS, "required": list(RECORDING_FIELDS)},
        "RecordingRetrieved": answer(RECORDING_FIELDS),
        "RecordingList": listing({"$ref": "#/components/schemas/Recording"}),
    }
