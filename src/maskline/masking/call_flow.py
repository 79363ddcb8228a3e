"""What a customer's application wants done with a call: a call flow, its actions, and what the application is told.

What it is: the product's own form of a call flow (8x8-wavecell.md §4), with everything checked that an action shows
by itself. What it is not: JSON (`webhooks/formats/eight_flow.py` reads it), or the look-ups behind a `MakeCall`, which
turn an `Action` into a `Step` (`decision.py`). Who uses it: the router asks for flows, the engine runs their steps.
"""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum

from maskline.masking.e164 import Number
from maskline.masking.prompt import Prompt
from maskline.values import dataclass


class ActionName(StrEnum):
    """Names of actions as summaries tell the last one (`lastAction`)."""

    MAKE_CALL = "MAKE_CALL"
    SAY = "PLAY_TTS"
    PLAY_FILE = "PLAY_FILE"
    CAPTURE = "SAY_AND_CAPTURE"
    HANGUP = "HANGUP"


@dataclass(frozen=True, slots=True)
class MakeCall:
    """Dial `destination`, showing it `source`; whoever is on the line already is connected with it."""

    source: Number
    """A virtual number; of whom, and whether of this subaccount, is looked up."""
    destination: Number
    record: bool = False
    """`callRecording`."""


@dataclass(frozen=True, slots=True)
class Say:
    """Speak a text to whoever is on the line."""

    prompt: Prompt
    repetition: int = 1
    """Plays, 1 to 3."""


@dataclass(frozen=True, slots=True)
class PlayFile:
    """Play the file at a URL to whoever is on the line."""

    prompt: Prompt
    repetition: int = 1


@dataclass(frozen=True, slots=True)
class Capture:
    """Ask for digits, then tell the application (`sayAndCapture`). Times in seconds."""

    prompt: Prompt
    success: Prompt | None = None
    failure: Prompt | None = None
    """Heard after each try in which too few digits came, or none."""
    min_digits: int = 1
    max_digits: int = 25
    complete_on_hash: bool = True
    digit_timeout: float | None = None
    """Pause after a digit that ends the entry; None: only its length, `#` or the overall time end it."""
    overall_timeout: float = 30.0
    """After the prompt."""
    tries: int = 3


@dataclass(frozen=True, slots=True)
class Hangup:
    """End the call, all legs of it."""


Action = MakeCall | Say | PlayFile | Capture | Hangup

NAMES: dict[type[Action], ActionName] = {
    MakeCall: ActionName.MAKE_CALL,
    Say: ActionName.SAY,
    PlayFile: ActionName.PLAY_FILE,
    Capture: ActionName.CAPTURE,
    Hangup: ActionName.HANGUP,
}


@dataclass(frozen=True, slots=True)
class CallFlow:
    """Actions in order; none at all is a flow too, and ends the call."""

    actions: tuple[Action, ...]
    client_action_id: str = ""
    """Given by the application, and told to it when it is asked again; empty: it gave none."""


@dataclass(frozen=True, slots=True)
class ActionDone:
    """Why the application is asked again: its flow asked for digits, or the bridge is over and the first leg is still
    on the line."""

    call_id: str
    """8x8 `sessionId`."""
    leg_id: str
    """Of leg A; 8x8 `callId`."""
    inbound: bool
    """Leg A is a caller's; False: we dialled it because the API asked for the call."""
    party: Number | None
    """Who is on leg A; None: withheld."""
    number: Number
    """The virtual number of leg A: the one it dialled, or that it was shown."""
    client_action_id: str
    duration: float
    """Seconds since leg A was answered."""
    digits: str | None = field(default=None, repr=False)
    """What was captured, empty when all tries failed; None: a bridge is over."""
    bridged: bool = False
    """The two have talked. A reply that cannot be used then just ends the call, and nothing has failed."""
    client_request_id: str = ""


def third_leg(index: int) -> str:
    """Why the action at `index` of an answer ends a call whose two have talked: it is another `MakeCall`."""
    return (
        f"Some actions are provided beyond the allowed count: $.callflow[{index}].action: "
        "makeCall is not allowed, since both legs have been called"
    )
