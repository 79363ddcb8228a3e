"""What somebody is to hear: a prompt by the option that asks for it, and where its audio comes from.

What it is: a value, and which prompts the parties of a call hear before they are connected. What it is not: audio
(`media/prompts` makes a clip of it) or an order of events (`engine/`). Who uses it: decisions carry prompts, the
engine plays them, facts name them.
"""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum

from maskline.masking.session import Role, SessionOptions
from maskline.values import dataclass


class Tone(StrEnum):
    """Built in; cadences of ITU-T E.180."""

    RINGBACK = "ringback"
    """Looped until it is stopped."""
    BUSY = "busy"
    CONGESTION = "congestion"
    BEEP = "beep"
    """Short, where a prompt could not be had and input is expected."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """One of `url`, `text` and `tone` is set."""

    option: str
    """Name of what asks for it, for facts: `first_party_play_url`, `pin_prompt_play`, `consent`, `ringback` …"""
    url: str = field(default="", repr=False)
    """May hold a customer's secret in its query."""
    text: str = field(default="", repr=False)
    voice: str = ""
    """For `text`; empty: the default voice."""
    speed: float = 1.0
    """For `text`: 0.5 to 2.0 of the voice's own."""
    tone: Tone | None = None


RINGBACK = Prompt("ringback", tone=Tone.RINGBACK)
BUSY = Prompt("busy", tone=Tone.BUSY)
CONGESTION = Prompt("congestion", tone=Tone.CONGESTION)
BEEP = Prompt("beep", tone=Tone.BEEP)


def before_bridge(options: SessionOptions, role: Role, consent: Prompt | None) -> tuple[Prompt, ...]:
    """What this side of a session's call hears before the two are connected, in order. `consent`: the installation's
    words to whoever is about to be recorded."""
    first = role is Role.FIRST
    url = options.first_party_play_url if first else options.second_party_play_url
    if not url and not options.record:
        return ()
    own = optional_url("first_party_play_url" if first else "second_party_play_url", url)
    return tuple([prompt for prompt in (own, consent if options.record else None) if prompt is not None])


def optional_url(option: str, url: str) -> Prompt | None:
    """The prompt at this URL; None when it is empty."""
    return Prompt(option, url=url) if url else None


def said_or_fetched(option: str, source: str) -> Prompt | None:
    """A prompt as settings write it: a URL, `say:TEXT` or `say@VOICE:TEXT`; None when empty."""
    if not source:
        return None
    scheme, _, text = source.partition(":")
    if scheme == "say" or scheme.startswith("say@"):
        return Prompt(option, text=text, voice=scheme[4:])
    return Prompt(option, url=source)
