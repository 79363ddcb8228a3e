"""espeak-ng: small, quick, in a hundred languages, and plainly a machine. The default.

What it is: the program of Debian's package `espeak-ng`, started for each text. What it is not: a library in our
process, which its licence (GPL) and its C code both speak against. Who uses it: `prompts/build.py` picks it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from maskline.media.programs import Programs
from maskline.media.speech.voice import Voice, speak_by

PROGRAM = "espeak-ng"
_LIST_WITHIN, _SPEAK_WITHIN = 5.0, 8.0
"""Seconds; 3,000 characters take one."""
_WORDS_A_MINUTE = 150
"""espeak's own 175 are hard to follow on a telephone."""
_GENDERS = {"f": ("F", "+f2"), "m": ("M", "")}
"""Every language has one voice, a man's; the variant f2 makes it a woman's."""
# Priority, language, age and gender, name, file.
_LINE = re.compile(r"\s*\d+\s+(?P<language>[A-Za-z0-9-]+)\s+\S+\s+(?P<name>\S+)\s+\S+")


class Espeak:
    name = "espeak"

    def __init__(self, programs: Programs, program: str = PROGRAM) -> None:
        self._programs = programs
        self._program = program
        self._voices: tuple[Voice, ...] = ()

    async def voices(self) -> Sequence[Voice]:
        if not self._voices:
            listed = await self._run(["--voices"], b"", _LIST_WITHIN)
            self._voices = tuple(read_voices(listed.decode("utf-8", "replace")))
        return self._voices

    async def render(self, text: str, voice: Voice, speed: float) -> bytes:
        """The text goes by stdin: the command line of a program is seen by every user of the machine."""
        pace = str(round(_WORDS_A_MINUTE * speed))
        # The encoding is named, since espeak else takes a text that is no UTF-8 for Latin-1.
        options = ["--stdin", "--stdout", "-b", "1", "-s", pace, "-v", voice.name]
        return await self._run(options, text.encode("utf-8", "replace"), _SPEAK_WITHIN)

    async def _run(self, options: list[str], given: bytes, seconds: float) -> bytes:
        return await speak_by(self._programs, [self._program, *options], given, seconds)


def read_voices(listed: str) -> Iterator[Voice]:
    """What `espeak-ng --voices` prints, each language with both genders; a language that is listed twice (in two
    scripts) counts once."""
    seen = set()
    for line in listed.splitlines():
        match = _LINE.match(line)
        if match is None or match["language"].lower() in seen:
            continue
        language = match["language"].lower()
        seen.add(language)
        description = match["name"].strip("_").replace("_", " ")
        for letter, (gender, variant) in _GENDERS.items():
            yield Voice(f"{language}-{letter}", _locale(language), description, gender, language + variant)


def _locale(language: str) -> str:
    """en-us → en-US, cmn-latn-pinyin → cmn-Latn-pinyin (RFC 5646 §2.1.1)."""
    tag, singleton, private = language.partition("-x-")
    first, *rest = tag.split("-")
    shapes = {2: str.upper, 4: str.title}
    return "-".join([first, *(shapes.get(len(part), str)(part) for part in rest)]) + singleton + private
