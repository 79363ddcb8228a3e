"""What one installation lays down for all calls: values that the routing order and the asking for PINs go by.

What it is: frozen values, made of settings. What it is not: a session's or an account's choice. Who uses it:
`match.py`, `workflows/route_call.py`; `rules.py` makes it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from maskline.masking.prompt import Prompt
from maskline.masking.session import SessionOptions


class Withheld(StrEnum):
    """What becomes of a call that does not say who calls."""

    PIN = "pin"
    """Routed like any other caller's whom no session knows."""
    REJECT = "reject"
    PROMPT = "prompt"
    """Hears `RoutingRules.withheld_prompt` and is rejected."""


@dataclass(frozen=True, slots=True)
class RoutingRules:
    fallback: SessionOptions = field(default_factory=SessionOptions)
    """Ring timeout and time limit of calls that go to a number's fallback."""
    withheld: Withheld = Withheld.PIN
    withheld_prompt: Prompt | None = None
    session_ended: Prompt | None = None
    """For a caller whose session is over."""
    consent: Prompt | None = None
    """For both sides of a call that is going to be recorded."""
    digit_timeout: float = 5.0
    """Seconds after a digit that end a PIN."""
    pin_timeout: float = 20.0
    """Seconds after the prompt within which a PIN must be complete."""
