"""piper: neural voices, one file each, that sound like people and take longer.

What it is: the program of the optional extra (`pip install maskline[piper]`), started for each text with a voice that
MASKLINE_PIPER_VOICES names. What it is not: imported; its licence (GPL) and its 200 MB both speak against that. Who
uses it: `prompts/build.py` picks it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from maskline.media.port import PromptUnavailable
from maskline.media.programs import Programs
from maskline.media.speech.voice import Voice, speak_by

COMMAND = (sys.executable, "-m", "piper")
_SPEAK_WITHIN = 9.0
_LONGEST_DESCRIPTION = 1 << 20
"""Bytes of a voice's .json; those that exist have a few thousand."""


class Piper:
    name = "piper"

    def __init__(self, programs: Programs, files: Iterable[Path], command: Sequence[str] = COMMAND) -> None:
        self._programs = programs
        self._files = {_code(file): file.absolute() for file in files}
        self._command = command

    async def voices(self) -> Sequence[Voice]:
        """Those whose two files can be read; a missing one is told by `maskline doctor`."""
        return [voice for code, file in self._files.items() if (voice := read_voice(code, file)) is not None]

    async def render(self, text: str, voice: Voice, speed: float) -> bytes:
        if self._command == COMMAND and find_spec("piper") is None:
            raise PromptUnavailable("no_speech")
        file = self._files[voice.code]
        # One line: piper takes each for a text of its own.
        line = " ".join(text.split()).encode("utf-8", "replace") + b"\n"
        command = [*self._command, "-m", str(file), "--length-scale", f"{1 / speed:.3f}", "-f", "-"]
        return await speak_by(self._programs, command, line, _SPEAK_WITHIN)


def _code(file: Path) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", file.stem)


def read_voice(code: str, file: Path) -> Voice | None:
    """The voice in FILE.onnx as FILE.onnx.json tells it; None when either cannot be read."""
    try:
        with open(f"{file}.json", "rb") as description:
            told: dict[str, Any] = json.loads(description.read(_LONGEST_DESCRIPTION))
        language = told["language"]
        locale = str(language["code"]).replace("_", "-")
        words = f"{language['name_english']} ({language['country_english']})"
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return Voice(code, locale, words, "M", file.stem) if file.is_file() else None
