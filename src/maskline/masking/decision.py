"""What to do with an incoming call: forward it inside a session, or refuse it.

What it is: the closed answer of `workflows/route_call` to the engine. What it is not: SIP; the engine turns
a refusal's cause into its status. The order of routing is in `match.py`; collecting a PIN, playing a prompt and
Voice Call Action join here with their issues.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from maskline.masking.e164 import Number
from maskline.masking.facts import Cause
from maskline.masking.session import Role, Session, SessionOptions
from maskline.masking.trunk import Trunk


class NumberState(StrEnum):
    ACTIVE = "active"
    RESTING = "resting"
    """Gets no new sessions; its calls go on. An unhealthy number rests."""
    RETIRED = "retired"
    """Given back: no new sessions, not listed any more; its live sessions run to their end."""


class NumberUse(StrEnum):
    SHARED = "shared"
    PIN = "pin"
    """Reserved: every caller says by PIN which session is meant."""


@dataclass(frozen=True, slots=True)
class VirtualNumber:
    """A number that carriers deliver to us."""

    number: Number
    account_id: str
    subaccount_id: str | None
    reference_id: str = ""
    country: str | None = None
    state: NumberState = NumberState.ACTIVE
    use: NumberUse = NumberUse.SHARED
    alias: str = ""
    """A name for people."""
    fallback: Number | None = None
    """Where a call goes that belongs to no session: a support desk, say. None: it is refused."""
    added_at: float = 0.0


class MatchedBy(StrEnum):
    """What told whose call it is."""

    PARTY = "party"
    PIN = "pin"
    OPEN = "open"
    """The number is a single-party session's, and anyone who calls is connected."""
    FALLBACK = "fallback"
    """No session: the number's fallback takes the call."""


@dataclass(frozen=True, slots=True)
class Forward:
    """Dial `callee` through `trunk`, showing it the number it knows."""

    session: Session | None
    """None: the number's fallback takes the call."""
    caller_role: Role | None
    callee: Number
    virtual_number: VirtualNumber
    """The dialled one."""
    trunk: Trunk
    shown: Number
    """Caller id of the callee's leg: a virtual number, never a party's."""
    options: SessionOptions
    """Ring timeout and time limit of this call."""
    matched_by: MatchedBy = MatchedBy.PARTY


@dataclass(frozen=True, slots=True)
class Refuse:
    """End the call; `virtual_number` is None when the dialled number is not ours (facts, but no record)."""

    cause: Cause
    virtual_number: VirtualNumber | None
    session: Session | None = None
    """Whose call it was; None when nobody can tell."""
    prompt: str = ""
    """Name of the option whose audio the caller should have heard; it is told as a fact that it was not."""
    prompted_by: Session | None = None
    """Whose option that is. Sessions share a number, so the call need not be meant for this one."""


Decision = Forward | Refuse
