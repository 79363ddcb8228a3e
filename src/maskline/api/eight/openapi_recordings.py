"""The published description of recordings and where they are pushed; a part of `openapi.py`."""

from __future__ import annotations

from maskline.api.eight.errors import ErrorShape
from maskline.api.eight.openapi_parts import (
    ACCOUNT,
    FLAG,
    TEXT,
    TIME,
    WHOLE,
    Part,
    operation,
    path_item,
    path_parameter,
    reference,
    structure,
)
from maskline.workflows.push_configs import LONGEST_PATH, LONGEST_SECRET, PROTOCOLS
from maskline.workflows.recording_status import STATUSES

_CONFIG = {
    "protocol": {"enum": list(PROTOCOLS)}, "host": TEXT, "port": WHOLE, "username": TEXT, "path": TEXT,
    "passwordSet": FLAG, "privateKeySet": FLAG | {"description": "Ours."}, "statusCode": {"const": 0},
}  # fmt: skip
_PORT = {"type": ["integer", "null"], "minimum": 1024, "maximum": 65535, "description": "Also 22 and 443."}
_FOLDER = {
    "type": ["string", "null"], "pattern": "^[A-Za-z0-9_/-]*$", "maxLength": LONGEST_PATH,
    "description": "From the root with a slash in front.",
}  # fmt: skip
_WORD = {"type": "string", "pattern": "^[a-z0-9-]{2,32}$"}

RECORDINGS = Part(
    {
        f"{ACCOUNT}/recordings/{{sessionId}}": path_item(
            {"get": operation("list_recordings", "List a session's recordings", ErrorShape.SERVICE, "RecordingList")},
            path_parameter("sessionId", "`sessionId` of the session summary."),
        ),
        f"{ACCOUNT}/recording-push-config": path_item(
            {
                "get": operation("get_push_config", "Show where recordings go", ErrorShape.SERVICE, "PushConfig"),
                "post": operation(
                    "set_push_config", "Say where recordings go", ErrorShape.SERVICE, "PushConfig",
                    body="SetPushConfig",
                    refusals={400: "No JSON object.", 422: "A value is wrong; statusCode is 1001."},
                ),
                "delete": operation(
                    "remove_push_config", "Let recordings go where the operator says", ErrorShape.SERVICE,
                    "PushConfigRemoved",
                ),
            }
        ),
    },
    {
        "Recording": structure(
            {
                "recordingId": TEXT, "sessionId": TEXT, "subAccountId": TEXT,
                "status": {
                    "enum": list(STATUSES),
                    "description": "UPLOAD_COMPLETED also when the file stays here. UNKNOWN: it was deleted.",
                },
                "duration": WHOLE | {"description": "Seconds."}, "startRecordingTime": TIME,
            },
            {"externalFileUrl": TEXT | {"description": "Where it was pushed, or a signed link that expires."}},
        ),
        "RecordingList": structure(
            {
                "recordings": {"type": "array", "items": reference("Recording")}, "statusCode": {"const": 0},
                "statusMessage": {"const": "ok"},
            }
        ),
        "PushConfig": structure({**_CONFIG, "statusMessage": {"const": "ok"}}),
        "PushConfigRemoved": structure({**_CONFIG, "statusMessage": {"const": "deleted"}}),
        "SetPushConfig": {
            "oneOf": [
                structure(
                    {
                        "protocol": {"const": "S3"},
                        "host": _WORD | {"description": "The region, such as ap-southeast-1."},
                        "username": _WORD | {"pattern": "^[!-~]{1,128}$", "description": "Id of the access key."},
                        "password": {
                            "type": "string", "minLength": 1, "maxLength": LONGEST_SECRET, "writeOnly": True,
                            "description": "Secret access key.",
                        },
                        "path": {
                            "type": "string", "pattern": "^[a-z0-9][a-z0-9-]{1,60}[a-z0-9](/[A-Za-z0-9_-]{1,50}){0,5}$",
                            "description": "The bucket, then the folder in it.",
                        },
                    },
                    {"port": _PORT},
                ),
                structure(
                    {
                        "protocol": {"const": "SFTP"},
                        "host": {"type": "string", "pattern": "^[A-Za-z0-9.-]{1,253}$"},
                        "username": {"type": "string", "pattern": "^[!-~]{1,128}$"},
                        "password": {
                            "type": "string", "minLength": 1, "maxLength": LONGEST_SECRET, "writeOnly": True,
                        },
                    },
                    {
                        "port": _PORT, "path": _FOLDER,
                    },
                ),
                structure(
                    {
                        "protocol": {"const": "SFTP"},
                        "host": {"type": "string", "pattern": "^[A-Za-z0-9.-]{1,253}$"},
                        "username": {"type": "string", "pattern": "^[!-~]{1,128}$"},
                        "privateKey": {
                            "type": "string", "minLength": 1, "maxLength": LONGEST_SECRET, "writeOnly": True,
                            "description": "Ours: an OpenSSH private key, instead of a password.",
                        },
                    },
                    {"port": _PORT, "path": _FOLDER},
                ),
            ]
        },
    },
)  # fmt: skip
