"""The published description of webhooks; a part of `openapi.py`."""

from __future__ import annotations

from maskline.api.eight.errors import ErrorShape
from maskline.api.eight.openapi_parts import (
    ACCOUNT,
    FLAG,
    TEXT,
    WHOLE,
    Part,
    operation,
    path_item,
    path_parameter,
    reference,
    structure,
)
from maskline.api.eight.webhooks import TYPES
from maskline.workflows.set_webhook import LONGEST_HEADER

_TYPE = {"type": "string", "enum": list(TYPES)}
_FIELDS = {
    "type": _TYPE, "url": TEXT, "enabled": FLAG,
    "httpAuthHeaderAvailable": FLAG | {"description": "Whether a value for the Authorization header is set."},
}  # fmt: skip
_WRONG = {400: "No JSON object.", 422: "A value is wrong; statusCode is 1001."}

WEBHOOKS = Part(
    {
        f"{ACCOUNT}/webhooks": path_item(
            {
                "get": operation("list_webhooks", "List webhooks", ErrorShape.SERVICE, "WebhookList"),
                "post": operation(
                    "set_webhook", "Set the webhook of a type; replaces the one that is there", ErrorShape.SERVICE,
                    "WebhookList", body="SetWebhook", refusals=_WRONG,
                ),
            }
        ),
        f"{ACCOUNT}/webhooks/{{type}}": path_item(
            {
                "delete": operation(
                    "remove_webhook", "Remove the webhook of a type", ErrorShape.SERVICE, "WebhookRemoved",
                    refusals={422: "No such type; statusCode is 1001."},
                )
            },
            path_parameter("type", "The type of the webhook.", _TYPE),
        ),
    },
    {
        "Webhook": structure(_FIELDS),
        "WebhookList": structure(
            {
                "subAccountId": TEXT, "count": WHOLE, "webhooks": {"type": "array", "items": reference("Webhook")},
                "statusCode": {"const": 0}, "statusMessage": {"const": "ok"},
            }
        ),
        "WebhookRemoved": structure(
            {**_FIELDS, "statusCode": {"const": 0}, "statusMessage": {"const": "deleted"}}
        ),
        "SetWebhook": structure(
            {
                "type": _TYPE,
                "url": {
                    "type": "string", "pattern": r"^https?://[A-Za-z0-9.-]+(/[!-~]*)?$", "maxLength": 2048,
                    "description": "Absolute; a port is 80, 443 or 1024 and above.",
                },
            },
            {
                "httpAuthHeader": {
                    "type": ["string", "null"], "pattern": r"^[ -~]*$", "maxLength": LONGEST_HEADER,
                    "writeOnly": True,
                    "description": "Sent verbatim as the Authorization header of every body.",
                },
                "enabled": FLAG | {"default": True},
                "active": FLAG | {"description": "Another name of `enabled`, which counts if both are there."},
            },
        ),
    },
)  # fmt: skip
