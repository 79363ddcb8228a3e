"""A prompt store as the settings want it. Called by `app.py` and by the commands of `maskline prompt`."""

from __future__ import annotations

from functools import partial

from maskline.clock import Clock
from maskline.media.programs import Programs
from maskline.media.prompts.convert import convert
from maskline.media.prompts.fetch import Fetcher
from maskline.media.prompts.files import ClipFiles
from maskline.media.prompts.store import PromptStore
from maskline.media.speech.espeak import Espeak
from maskline.media.speech.piper import Piper
from maskline.media.speech.voice import NoSpeech, SpeechEngine
from maskline.net.egress import Egress
from maskline.setting_values import SpeechChoice
from maskline.settings import Settings

_SLOTS = 3
"""Programs at a time: two that work ahead, and one for a caller who waits."""
_MEGABYTE = 1024 * 1024
_LONGEST_SPEECH = 900.0
"""Seconds that a text may take. Measured at half speed (espeak-ng 1.51): 3,000 characters of English 320, of figures
650."""


def build_prompts(settings: Settings, egress: Egress, clock: Clock) -> PromptStore:
    """The store, not opened yet; `egress` is its owner's to open and close."""
    programs = Programs(_SLOTS)
    most = int(settings.prompt_cache_size * _MEGABYTE)
    size = int(settings.prompt_size * _MEGABYTE)
    return PromptStore(
        ClipFiles(settings.engine_dir / "prompts", clock, most=most),
        Fetcher(egress, timeout=settings.prompt_timeout, size=size),
        partial(convert, programs, longest=settings.prompt_length),
        build_speech(settings, programs),
        clock,
        fresh_for=settings.prompt_cache_time,
        convert_speech=partial(convert, programs, longest=_LONGEST_SPEECH),
        voice=settings.speech_voice,
        on_close=programs.close,
    )


def build_speech(settings: Settings, programs: Programs) -> SpeechEngine:
    """Who speaks, as MASKLINE_SPEECH says; `maskline doctor` asks it for a word."""
    match settings.speech:
        case SpeechChoice.ESPEAK:
            return Espeak(programs)
        case SpeechChoice.PIPER:
            return Piper(programs, settings.piper_voice_files)
    return NoSpeech()
