"""The voices that call flows may speak with: GET `/speech-profiles`.

What it is: the speech engine's voices in 8x8's words. What it is not: the engine (`media/speech`). Who uses it:
`routes.py`.
"""

from __future__ import annotations

from maskline.api.eight.errors import ErrorShape
from maskline.api.eight.exchange import Exchange, Reply, Resource
from maskline.api.services import ApiServices
from maskline.workflows.list_voices import list_voices


class SpeechProfiles:
    __slots__ = ("_services",)

    def __init__(self, services: ApiServices) -> None:
        self._services = services

    def resources(self) -> tuple[Resource, ...]:
        return (Resource("/speech-profiles", ErrorShape.PLATFORM, {"GET": ("list_speech_profiles", self._list)}),)

    async def _list(self, exchange: Exchange) -> Reply:
        profiles = [
            {
                "speechProfileCode": voice.code, "localeCode": voice.locale, "localeDescription": voice.description,
                "gender": voice.gender,
            }
            for voice in await list_voices(self._services.speech)
        ]  # fmt: skip
        return Reply(200, {"speechProfiles": profiles, "count": len(profiles), "statusCode": 0, "statusMessage": "ok"})
