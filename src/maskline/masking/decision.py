"""What to do with an incoming call: forward it inside a session, or refuse it.

What it is: the closed answer of `workflows/route_call` to the engine. What it is not: SIP; the engine turns
a refusal's cause into its status. The order of routing is architecture.md decision 7; PIN, single-party,
Voice Call Action and fallback join here with their issues.
"""

from __future__ import annotations

from dataclasses import dataclass

from maskline.masking.e164 import Number
from maskline.masking.facts import Cause
from maskline.masking.session import Role, Session
from maskline.masking.trunk import Trunk


@dataclass(frozen=True, slots=True)
class VirtualNumber:
    """A number that carriers deliver to us."""

    number: Number
    account_id: str
    subaccount_id: str | None
    reference_id: str = ""
    country: str | None = None


@dataclass(frozen=True, slots=True)
class Forward:
    """Dial `callee` through `trunk`, showing the virtual number."""

    session: Session
    caller_role: Role
    callee: Number
    virtual_number: VirtualNumber
    trunk: Trunk


@dataclass(frozen=True, slots=True)
class Refuse:
    """End the call; `virtual_number` is None when the dialled number is not ours (facts, but no record)."""

    cause: Cause
    virtual_number: VirtualNumber | None
    session: Session | None = None


Decision = Forward | Refuse
