"""Option tags: which extensions a message names, and what our INVITEs say of ours (RFC 3261 §19.2).

What it is: look-ups and header lines. What it is not: the extensions (`reliable`, `session_timer`). Who uses it: those
two, and both halves of the agent.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from maskline.sip.message import Message

RELIABLE, TIMER = "100rel", "timer"
OFF: Final = "off"
SUPPORTED: Final = "supported"
REQUIRED: Final = "required"
"""How an INVITE of ours stands to 100rel."""
SHORTEST = 90
"""Seconds: RFC 4028 §5, the least anybody may ask for, and what we insist on."""


def names(message: Message, header: str, tag: str) -> bool:
    """Whether a header of tags has this one (lower case)."""
    text = message.headers.get(header)
    return text is not None and tag in text.lower() and tag in [value.lower() for value in message.values(header)]


@lru_cache(maxsize=256)
def invite_lines(reliable: str, seconds: int, shortest: int = SHORTEST) -> str:
    """What an INVITE of ours says of extensions. Remembered: a platform has few kinds of trunks."""
    supported = TIMER if reliable == OFF else f"{RELIABLE}, {TIMER}"
    required = f"Require: {RELIABLE}\r\n" if reliable == REQUIRED else ""
    session = f"Session-Expires: {seconds}\r\nMin-SE: {shortest}\r\n" if seconds else ""
    return f"Supported: {supported}\r\n{required}{session}"
