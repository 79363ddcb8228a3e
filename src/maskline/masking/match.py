"""Matching an incoming call with its session: the first step of the routing order (architecture decision 7).

What it is: the pure decision on what the store found for (caller, virtual number). What it is not: the look-up
or the choice of a trunk. Who calls it: `workflows/route_call`. PIN, single-party, Voice Call Action and
fallback follow here, in that order, with their issues.
"""

from __future__ import annotations

from dataclasses import dataclass

from maskline.masking.decision import Refuse, VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause
from maskline.masking.session import Role, Session


@dataclass(frozen=True, slots=True)
class Matched:
    """The caller is a party of this live, idle session and reaches `callee`."""

    session: Session
    caller_role: Role
    callee: Number


def match_call(
    session: Session | None, caller: Number | None, virtual_number: VirtualNumber, wall: float
) -> Matched | Refuse:
    """Decide on a call from `caller` (None: withheld) to one of our numbers at `wall` (seconds since 1970).

    `session` is what the store holds for that pair. It is checked again here, so that a store that answers
    with another session's row cannot connect strangers.
    """
    if caller is None:
        return Refuse(Cause.WITHHELD_CALLER, virtual_number)
    role = None if session is None else session.role_of(caller)
    callee = session.party(role.other) if session and role else None
    if session is None or role is None or callee is None or not _belongs(session, role, virtual_number):
        return Refuse(Cause.UNKNOWN_CALLER, virtual_number)
    if not session.is_live(wall):
        return Refuse(Cause.SESSION_EXPIRED, virtual_number, session)
    if session.calls_in_progress:
        # A session carries one call at a time (plivo-vts.md §6): the second one hears busy.
        return Refuse(Cause.SESSION_BUSY, virtual_number, session)
    return Matched(session, role, callee)


def _belongs(session: Session, role: Role, virtual_number: VirtualNumber) -> bool:
    return session.number_of(role) == virtual_number.number and session.account_id == virtual_number.account_id
