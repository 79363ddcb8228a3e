"""The params of one action of a call flow, and the values around the actions: each checked, each fault with a place.

What it is: texts, numbers, flags and times as 8x8-wavecell.md §4 has them. What it is not: the actions; `eight_flow.py`
uses this for them. A fault names its place by JSONPath and quotes no value, since that may be somebody's number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from maskline.masking.prompt import Prompt
from maskline.webhooks.formats.eight_fault import FlowFault

LONGEST_TEXT = 3000
LONGEST_LABEL = 256
"""Characters of an id that is only given back."""
LONGEST_URL = 2048
_UNSPEAKABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
"""Control characters but tab and line ends, and what is no character."""
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.([0-9]{1,9}))?Z\Z")
_NO_INSTANT = "must be a time in UTC such as 2026-01-31T12:00:00.000Z"
_PLAIN_KEY = re.compile(r"[A-Za-z_-]{1,40}\Z")


@dataclass(frozen=True, slots=True)
class FlowRules:
    """What flows are judged by beside their own form."""

    voices: frozenset[str] | None = None
    """Codes that a `voiceProfile` may have, in small letters; None: not checked here."""
    strict: bool = False
    """MASKLINE_EIGHT_STRICT: -1005 for a lone digitTimeout, -1006 for one that equals overallTimeout."""


class Params:
    """The params of one action. Every complaint names the place by its JSONPath."""

    __slots__ = ("at", "given", "rules")

    def __init__(self, given: Mapping[str, Any], at: str, rules: FlowRules) -> None:
        self.given = given
        self.at = at
        self.rules = rules

    def wrong(self, key: str, what: str) -> FlowFault:
        return wrong(f"{self.at}.{key}", what)

    def required_text(self, key: str) -> str:
        value = self.given.get(key)
        if value is None:
            raise self.wrong(key, "is missing")
        if not isinstance(value, str):
            raise self.wrong(key, "must be text")
        return value

    def speech(self, key: str, option: str = "") -> Prompt:
        """A text to be spoken in the action's voice; facts call it `option`, or as the key."""
        text = self.required_text(key)
        if not text.strip():
            raise self.wrong(key, "is empty")
        if len(text) > LONGEST_TEXT:
            raise self.wrong(key, f"is longer than {LONGEST_TEXT} characters")
        if _UNSPEAKABLE.search(text):
            raise FlowFault(-1016, f"{self.at}.{key}")
        return Prompt(option or key, text=text, voice=self.voice(), speed=self.speed())

    def optional_speech(self, key: str) -> Prompt | None:
        text = self.given.get(key)
        return None if text is None or text == "" else self.speech(key)

    def voice(self) -> str:
        code = self.required_text("voiceProfile")
        if not code or (self.rules.voices is not None and code.lower() not in self.rules.voices):
            raise FlowFault(-1002, f"{self.at}.voiceProfile")
        if not isinstance(self.given.get("language") or "", str):
            raise FlowFault(-1002, f"{self.at}.language")
        return code

    def speed(self) -> float:
        value = self.given.get("speed")
        if value is None:
            return 1.0
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0.5 <= value <= 2.0:
            raise self.wrong("speed", "must be a number from 0.5 to 2.0")
        return float(value)

    def whole(self, key: str, low: int, high: int) -> int | None:
        """A whole number within both bounds; None when it is left out."""
        value = self.given.get(key)
        if value is None:
            return None
        number = int(value) if isinstance(value, float) and value.is_integer() else value
        if isinstance(number, bool) or not isinstance(number, int) or not low <= number <= high:
            raise self.wrong(key, f"must be a whole number from {low} to {high}")
        return number

    def flag(self, key: str, default: bool) -> bool:
        value = self.given.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.wrong(key, "must be true or false")
        return value


def wrong(place: str, what: str) -> FlowFault:
    return FlowFault(-1009, f"{place} {what}")


def shown(key: str) -> str:
    """A key that we do not know, as logs may show it: whatever is no plain word may be somebody's number."""
    return key if _PLAIN_KEY.match(key) else "(a key)"


def label(root: Mapping[str, Any], key: str) -> str:
    """An id of the customer's that is given back as it is; empty when left out."""
    value = root.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise wrong(f"$.{key}", "must be text")
    if len(value) > LONGEST_LABEL:
        raise wrong(f"$.{key}", f"is longer than {LONGEST_LABEL} characters")
    if not value.isprintable():
        raise FlowFault(-1016, f"$.{key}")
    return value


def valid_until(value: Any) -> tuple[str, float | None]:
    if value is None:
        return "", None
    match = _INSTANT.match(value) if isinstance(value, str) else None
    if match is None:
        raise wrong("$.validUntil", _NO_INSTANT)
    try:
        seconds = datetime.fromisoformat(value[:19]).replace(tzinfo=UTC).timestamp()
    except ValueError:  # 30 February
        raise wrong("$.validUntil", _NO_INSTANT) from None
    return value, seconds + float(f"0.{match[1] or 0}")


def is_url(text: str) -> bool:
    if len(text) > LONGEST_URL or not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False
