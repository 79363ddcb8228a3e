"""A call of which nothing can be read that was kept: what its facts tell, for its record.

What it is: the values that `call_keep.end_begun` makes a record of, from facts, the session and the number alone. What
it is not: a way for such a call to go on; nobody has its dialogs. Who uses it: `workflows/recover_calls.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import NAMESPACE_OID, uuid5

from maskline.engine.call_kept import VERSION, KeptCall, KeptContext, KeptRecord, KeptTrack
from maskline.masking.call_record import FlowRecord
from maskline.masking.decision import VirtualNumber
from maskline.masking.facts import CallReceived, CallRequested, CallRouted, Fact, FlowGiven, LegName
from maskline.masking.session import Role, Session


def dialled_number(past: Sequence[Fact]) -> str | None:
    """The virtual number that the call began with, as E.164 digits with a plus; None: the facts do not tell."""
    first = past[0] if past else None
    return first.virtual_number if isinstance(first, CallReceived | CallRequested) else None


def kept_of_facts(
    call_id: str, at: float, number: VirtualNumber, session: Session | None, past: Sequence[Fact]
) -> KeptCall:
    """`at`: wall seconds of its last keeping. Whom a call without a session connected only the lost part knew: its
    record names neither. The legs' ids are new ones, the same whenever they are made."""
    requested = isinstance(past[0], CallRequested) if past else False
    role = Role.FIRST if requested else _role(past)
    caller = callee = None
    shown = number.number
    if session is not None and role is not None:
        caller, callee, shown = session.party(role), session.party(role.other), session.number_of(role.other)
    started = past[0].at if past else at
    trunk = past[0].trunk_id if past and isinstance(past[0], CallReceived) else ""
    record = KeptRecord(
        0, started, caller, callee, _flow(past, requested and session is None), None, False,
        # An outbound leg has somebody at its far end: where nobody knows whom, it counts as inbound and withheld.
        KeptTrack(_leg_id(call_id, LegName.A), not requested or caller is None, trunk, started, None, None),
        KeptTrack(_leg_id(call_id, LegName.B), False, "", None, None, None),
    )  # fmt: skip
    whose = KeptContext(number, None if session is None else session.id, role, shown, "")
    return KeptCall(VERSION, call_id, at, whose, record)


def _leg_id(call_id: str, leg: LegName) -> str:
    return str(uuid5(NAMESPACE_OID, f"{call_id} {leg._value_}"))


def _role(past: Sequence[Fact]) -> Role | None:
    for fact in past:
        if isinstance(fact, CallRouted) and fact.caller:
            return Role(fact.caller)
    return None


def _flow(past: Sequence[Fact], requested: bool) -> FlowRecord | None:
    if requested or any(isinstance(fact, FlowGiven) for fact in past):
        return FlowRecord(requested=requested)
    return None
