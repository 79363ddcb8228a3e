"""The published description of exports; a part of `openapi.py`."""

from __future__ import annotations

from maskline.api.eight.errors import ErrorShape
from maskline.api.eight.fields import TIME as TIME_PATTERN
from maskline.api.eight.openapi_parts import (
    ACCOUNT,
    TEXT,
    TIME,
    UUID,
    Part,
    operation,
    path_item,
    path_parameter,
    structure,
)
from maskline.storage.kept import EXPORT_STATES

_BOUND = {"type": ["string", "null"], "format": "date-time", "pattern": TIME_PATTERN}

EXPORTS = Part(
    {
        f"{ACCOUNT}/messages/exports": path_item(
            {
                "post": operation(
                    "request_export", "Ask for a table of calls", ErrorShape.PLATFORM, "ExportRequested", status=202,
                    body="RequestExport",
                    refusals={400: "No JSON object.", 422: "A value is wrong; code is 1001."},
                )
            }
        ),
        f"{ACCOUNT}/messages/exports/{{jobId}}": path_item(
            {
                "get": operation("get_export", "Show an export", ErrorShape.PLATFORM, "Export"),
                "delete": operation("cancel_export", "Cancel or remove an export", ErrorShape.PLATFORM, "", status=204),
            },
            path_parameter("jobId", "As it was answered; another is 404 with code 4018."),
        ),
    },
    {
        "RequestExport": structure(
            {},
            {
                "from": _BOUND | {"description": "Start of the first call; a day before `to` where it is left out."},
                "to": _BOUND | {"description": "Calls that start earlier; now where it is left out. 92 days at most."},
            },
        ),
        "ExportRequested": structure({"jobId": UUID}),
        "Export": structure(
            {
                "status": {"enum": list(EXPORT_STATES)},
                "data": {"type": "array", "items": TEXT, "description": "Signed links to CSV files."},
                "expires": TIME | {"description": "When the job and its file are gone."},
            }
        ),
    },
)  # fmt: skip
