"""The published description of the dialect (OpenAPI 3.1), put together from one part for each resource.

Who uses it: `routes.py` serves it at `/api/v1/openapi.json`; tests hold the answers against it. A new resource's part
is added to `_PARTS`.
"""

from __future__ import annotations

from typing import Any

import maskline
from maskline.api.eight.openapi_callflows import CALLFLOWS
from maskline.api.eight.openapi_exports import EXPORTS
from maskline.api.eight.openapi_numbers import NUMBERS
from maskline.api.eight.openapi_parts import ERRORS, Part
from maskline.api.eight.openapi_recordings import RECORDINGS
from maskline.api.eight.openapi_speech import SPEECH
from maskline.api.eight.openapi_webhooks import WEBHOOKS

_PARTS: tuple[Part, ...] = (CALLFLOWS, SPEECH, WEBHOOKS, NUMBERS, RECORDINGS, EXPORTS)


def openapi_document() -> dict[str, Any]:
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = dict(ERRORS)
    for part in _PARTS:
        paths |= part.paths
        schemas |= part.schemas
    return {
        "openapi": "3.1.0",
        "info": {"title": "Maskline, 8x8 dialect", "version": maskline.__version__},
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}, "schemas": schemas},
    }
