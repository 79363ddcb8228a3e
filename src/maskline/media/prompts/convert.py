"""From an audio file to a clip's bytes, by `decode.py` in a process of its own.

What it is: starting it with limits, and its end as a reason. What it is not: decoding. Who uses it: `store.py`,
which `build.py` gives it to.
"""

from __future__ import annotations

import sys

from maskline.media.port import PromptUnavailable
from maskline.media.programs import Programs, ProgramTooSlow

COMMAND = (sys.executable, "-m", "maskline.media.prompts.decode")
WITHIN = 8.0
"""Seconds by the wall clock; the longest prompt takes one on an idle machine."""
_REASONS = {3: "not_audio", 4: "too_long"}
"""By exit status; `decode.py` is not imported for its names, since it imports numpy."""


async def convert(programs: Programs, audio: bytes, *, longest: float) -> bytes:
    """`audio` (mp3 or wav, as its content says) as WAV, 8 kHz, mono, 16 bit. `longest` in seconds. Raises
    `PromptUnavailable`: not_audio, too_long, timeout, or decoder_failed when the decoder died of the file."""
    try:
        ended = await programs.run([*COMMAND, str(longest)], audio, seconds=WITHIN)
    except ProgramTooSlow:
        raise PromptUnavailable("timeout") from None
    if ended.status == 0:
        return ended.output
    raise PromptUnavailable(_REASONS.get(ended.status, "decoder_failed"))
