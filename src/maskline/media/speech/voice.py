"""What a speech engine is: voices, and a text that becomes audio.

What it is: the interface that `espeak.py` and `piper.py` fulfil, what both share, and the choice of a voice. What it is
not: a cache; `prompts/store.py` renders ahead and keeps what was spoken. Who uses it: the store, and `maskline
prompt`; the voices have what a vendor's list of speech profiles shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from maskline.media.port import PromptUnavailable
from maskline.media.programs import ProgramMissing, Programs, ProgramTooSlow

LONGEST_TEXT = 3000
"""Characters (8x8-wavecell.md §4, `say`)."""
SLOWEST, FASTEST = 0.5, 2.0


@dataclass(frozen=True, slots=True)
class Voice:
    code: str
    """Stable, letters, digits, `-` and `_`: what a prompt names. 8x8's `speechProfileCode`."""
    locale: str
    """BCP 47, such as en-US. 8x8's `localeCode`."""
    description: str
    """The language for people, such as `English (America)`. 8x8's `localeDescription`."""
    gender: str
    """M or F; M where the voice does not say."""
    name: str
    """What the engine calls the voice."""


class SpeechEngine(Protocol):
    name: str

    async def voices(self) -> Sequence[Voice]:
        """All voices, in a stable order. Raises `PromptUnavailable`: no_speech when the engine is not installed."""
        ...

    async def render(self, text: str, voice: Voice, speed: float) -> bytes:
        """`text` spoken, as a WAV of any rate. `speed`: 1.0 is the voice's own. Raises `PromptUnavailable`."""
        ...


class NoSpeech:
    """MASKLINE_SPEECH=none."""

    name = "none"

    async def voices(self) -> Sequence[Voice]:
        raise PromptUnavailable("no_speech")

    async def render(self, text: str, voice: Voice, speed: float) -> bytes:
        raise PromptUnavailable("no_speech")


async def speak_by(programs: Programs, command: Sequence[str], given: bytes, seconds: float) -> bytes:
    """What a speech program prints when it is given these bytes. Raises `PromptUnavailable`: no_speech, timeout,
    speech_failed."""
    try:
        ended = await programs.run(command, given, seconds=seconds)
    except ProgramMissing:
        raise PromptUnavailable("no_speech") from None
    except ProgramTooSlow:
        raise PromptUnavailable("timeout") from None
    if ended.status:
        raise PromptUnavailable("speech_failed")
    return ended.output


async def choose_voice(engine: SpeechEngine, code: str) -> Voice:
    """The voice with this code, written in any case; with an empty one American English, else the first English voice,
    else the first. Raises `PromptUnavailable`: no_speech, unknown_voice."""
    voices = await engine.voices()
    if code:
        found = [voice for voice in voices if voice.code.lower() == code.lower()]
    else:
        found = sorted(voices, key=lambda voice: (voice.locale != "en-US", not voice.locale.startswith("en")))
    if not found:
        raise PromptUnavailable("unknown_voice" if code else "no_speech")
    return found[0]


def check_speech(text: str, speed: float) -> None:
    """Raises `PromptUnavailable`: no_text, text_too_long, bad_speed."""
    if not text.strip():
        raise PromptUnavailable("no_text")
    if len(text) > LONGEST_TEXT:
        raise PromptUnavailable("text_too_long")
    if not SLOWEST <= speed <= FASTEST:
        raise PromptUnavailable("bad_speed")
