"""The published description of speech profiles; a part of `openapi.py`."""

from __future__ import annotations

from maskline.api.eight.errors import ErrorShape
from maskline.api.eight.openapi_parts import ACCOUNT, TEXT, WHOLE, Part, operation, path_item, reference, structure

_LIST = operation(
    "list_speech_profiles", "List the voices that texts may be spoken with", ErrorShape.PLATFORM, "Voices"
)

SPEECH = Part(
    {f"{ACCOUNT}/speech-profiles": path_item({"get": _LIST})},
    {
        "SpeechProfile": structure(
            {
                "speechProfileCode": TEXT | {"description": "What `voiceProfile` names."},
                "localeCode": TEXT | {"description": "BCP 47."},
                "localeDescription": TEXT,
                "gender": {"enum": ["M", "F"]},
            }
        ),
        "Voices": structure(
            {
                "speechProfiles": {"type": "array", "items": reference("SpeechProfile")},
                "count": WHOLE,
                "statusCode": {"const": 0},
                "statusMessage": {"const": "ok"},
            }
        ),
    },
)
