"""The published description of virtual numbers; a part of `openapi.py`."""

from __future__ import annotations

from maskline.api.eight.errors import ErrorShape
from maskline.api.eight.numbers import NUMBER_TYPES, PATTERN, STATUSES
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

_PRICE = {"const": 0.0, "description": "Nobody rents numbers here."}
_LABELS = {
    "referenceId": TEXT | {"description": "Label of the number's range, the same for many."},
    "countryCode": TEXT | {"description": "ISO 3166-1 alpha-2."},
}

NUMBERS = Part(
    {
        f"{ACCOUNT}/numbers": path_item(
            {"get": operation("list_numbers", "List virtual numbers", ErrorShape.NUMBER, "NumberList")}
        ),
        f"{ACCOUNT}/numbers/{{number}}": path_item(
            {"get": operation("get_number", "Show a virtual number", ErrorShape.NUMBER, "NumberShown")},
            path_parameter("number", "E.164, with or without +.", {"type": "string", "pattern": PATTERN}),
        ),
    },
    {
        "Number": structure(
            {
                "msisdn": TEXT, "dateCreated": TIME, "dateUpdated": TIME,
                "operationalStatus": {
                    "enum": list(STATUSES),
                    "description": "Expiring: no new sessions. An unhealthy number is Active, see numberHealth.",
                },
                "rentalPrice": _PRICE, "incomingRate": _PRICE, "billingUnit": TEXT, "billingCurrency": TEXT,
                "uri": TEXT,
                "numberHealthCheckEnabled": {"const": False},
                "numberType": {"enum": sorted(set(NUMBER_TYPES.values()))},
                "numberHealth": structure(
                    {
                        "isHealthy": FLAG | {"description": "As the operator says; nothing is probed."},
                        "status": {"enum": ["Healthy", "Unhealthy"]}, "lastCheckedTime": TIME,
                    }
                ),
            },
            _LABELS,
        ),
        "NumberList": structure(
            {
                "totalNumbers": WHOLE, "lastUpdatedAt": TIME,
                "numbers": {"type": "array", "items": reference("Number")},
                "statusCode": {"const": 0}, "statusMessage": {"const": "ok"},
            }
        ),
        "NumberShown": structure(
            {
                "statusCode": {"const": 0}, "statusMessage": {"const": "ok"}, "timestamp": TIME,
                "payload": structure({"msisdn": TEXT}, _LABELS),
            }
        ),
    },
)  # fmt: skip
