"""The voices that a text can be spoken with. Called by the 8x8 API."""

from __future__ import annotations

from collections.abc import Sequence

from maskline.media.port import PromptUnavailable
from maskline.media.speech.voice import SpeechEngine, Voice


async def list_voices(engine: SpeechEngine) -> Sequence[Voice]:
    """None at all where nothing can be spoken: no engine is chosen, or it is not installed."""
    try:
        return await engine.voices()
    except PromptUnavailable:
        return ()


async def voice_codes(engine: SpeechEngine) -> frozenset[str]:
    """What prompts may name, in small letters."""
    return frozenset([voice.code.lower() for voice in await list_voices(engine)])
