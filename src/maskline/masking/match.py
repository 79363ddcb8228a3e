"""Whose call is it? The routing order of an incoming call (architecture decision 7), as questions and checks.

What it is: a pure generator that asks for what the store holds, only as far as it needs to, and ends in a decision.
Every answer is checked again here, so that a store that answers with another session's row cannot connect strangers.
What it is not: the look-ups or the choice of a trunk. Who calls it: `workflows/route_call`.

A virtual number of ours, of whatever account, is nobody's telephone. As caller it is a leg of ours that came back
(the carrier dropped what marks it, and somebody's party turned into a virtual number): the call would reach a session
that nobody in it knows. As callee it would make such a leg. Either is a loop and refused, before and after all else.

The order, each step only if the ones before did not settle it:
1. the live session in which this caller dials this number (with `force_pin_authentication`: PIN first);
2. sessions with PINs on the number: the caller must give one;
3. the single-party session that has the number for itself: any caller, a withheld one too;
4. `unknown_caller_play` of a session on the number: played, then refused;
5. the number's fallback;
6. refused.
PIN and play need audio, which comes with a later issue: until then such calls are refused, and the fact says which
prompt was not played. A caller whose session is over skips step 4, which is for strangers.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from maskline.masking.decision import MatchedBy, NumberUse, Refuse, VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause
from maskline.masking.prompt import Prompt
from maskline.masking.session import PoolMode, Role, Session, SessionOptions

PIN_PROMPT = "pin_prompt_play"
UNKNOWN_CALLER_PROMPT = "unknown_caller_play"


def _prompt_of(session: Session, option: str) -> Prompt | None:
    url: str = getattr(session.options, option)
    return Prompt(option, url=url) if url else None


@dataclass(frozen=True, slots=True)
class Matched:
    """This caller reaches `callee`, who sees `shown`."""

    session: Session | None
    """None: the number's fallback."""
    caller_role: Role | None
    callee: Number
    shown: Number
    options: SessionOptions
    matched_by: MatchedBy = MatchedBy.PARTY


class Ask(Enum):
    """Answered with a session or None, but for the last one."""

    PARTY = auto()
    """Who holds (caller, number); never asked for a withheld caller."""
    PIN = auto()
    """The session with a PIN on the number that ends last."""
    OPEN = auto()
    """Who has the number for anybody's calls."""
    ON_NUMBER = auto()
    """Answered with live sessions on the number."""


@dataclass(frozen=True, slots=True)
class AskLastOutside:
    """Who was on the other side of this single-party session last; answered with a number or None."""

    session: Session


@dataclass(frozen=True, slots=True)
class AskOurs:
    """Whether this is a virtual number of any account here, in any state; answered with a bool."""

    number: Number


Question = Ask | AskLastOutside | AskOurs
Steps = Generator[Question, Any, Matched | Refuse]


def match_call(caller: Number | None, number: VirtualNumber, wall: float, fallback: SessionOptions) -> Steps:
    """Decide on a call from `caller` (None: withheld) to one of our numbers at `wall` (seconds since 1970). `fallback`
    are the time limits of a call that goes to the number's fallback."""
    if caller is not None and (yield AskOurs(caller)):
        return Refuse(Cause.LOOP, number)
    found: Matched | Refuse = yield from _find(caller, number, wall, fallback)
    if isinstance(found, Matched) and (yield AskOurs(found.callee)):
        return Refuse(Cause.LOOP, number, found.session)
    return found


def match_request(session: Session, number: VirtualNumber, wall: float) -> Steps:
    """Decide on a call that a session asks for: `number` is what its first party sees. Nobody is asked for a PIN: it is
    us who call, and we call the number that the session names."""
    if not session.is_live(wall):
        return Refuse(Cause.SESSION_EXPIRED, number, session)
    if session.calls_in_progress:
        return Refuse(Cause.SESSION_BUSY, number, session)
    callee = session.second_party
    if session.first_party is None or callee is None:
        return Refuse(Cause.NO_OTHER_PARTY, number, session)
    for party in (session.first_party, callee):
        if (yield AskOurs(party)):
            return Refuse(Cause.LOOP, number, session)
    shown = session.number_of(Role.SECOND)
    return Matched(session, Role.FIRST, callee, shown, session.options, MatchedBy.REQUEST)


def _find(caller: Number | None, number: VirtualNumber, wall: float, fallback: SessionOptions) -> Steps:
    over = None
    if caller is not None:
        session: Session | None = yield Ask.PARTY
        role = None if session is None else session.role_of(caller)
        if session is not None and role is not None and _belongs(session, role, number):
            if session.is_live(wall):
                return (yield from _from_party(session, role, number))
            over = session
    session = yield Ask.PIN
    if session is not None and _asks_pin(session, number, wall):
        return Refuse(Cause.PIN_REQUIRED, number, None, _prompt_of(session, PIN_PROMPT), session)
    session = yield Ask.OPEN
    if session is not None and _is_open(session, number, wall):
        return _from_anyone(session, caller, number)
    if over is None:
        on_number: Sequence[Session] = yield Ask.ON_NUMBER
        for session in on_number:
            if session.options.unknown_caller_play and _is_on(session, number, wall):
                return Refuse(_unknown(caller), number, None, _prompt_of(session, UNKNOWN_CALLER_PROMPT), session)
    if number.fallback is not None and number.fallback != caller:
        return Matched(None, None, number.fallback, number.number, fallback, MatchedBy.FALLBACK)
    if over is not None:
        return Refuse(Cause.SESSION_EXPIRED, number, over)
    return Refuse(Cause.PIN_REQUIRED if number.use is NumberUse.PIN else _unknown(caller), number)


def _from_party(session: Session, role: Role, number: VirtualNumber) -> Steps:
    options = session.options
    if options.is_pin_authentication_required and options.force_pin_authentication:
        return Refuse(Cause.PIN_REQUIRED, number, session, _prompt_of(session, PIN_PROMPT), session)
    if session.calls_in_progress:
        # A session carries one call at a time (plivo-vts.md §6): the second one hears busy.
        return Refuse(Cause.SESSION_BUSY, number, session)
    callee = session.party(role.other)
    if callee is None:
        callee = yield AskLastOutside(session)
    if callee is None or callee == session.party(role):
        return Refuse(Cause.NO_OTHER_PARTY, number, session)
    return Matched(session, role, callee, session.number_of(role.other), options)


def _from_anyone(session: Session, caller: Number | None, number: VirtualNumber) -> Matched | Refuse:
    if session.calls_in_progress:
        return Refuse(Cause.SESSION_BUSY, number, session)
    role = session.missing
    callee = None if role is None else session.party(role.other)
    if role is None or callee is None or callee == caller:
        return Refuse(Cause.NO_OTHER_PARTY, number, session)
    return Matched(session, role, callee, session.number_of(role.other), session.options, MatchedBy.OPEN)


def _asks_pin(session: Session, number: VirtualNumber, wall: float) -> bool:
    """Whether a caller may come into this session by PIN."""
    return session.is_live(wall) and any(session.pin(role) and _belongs(session, role, number) for role in Role)


def _is_open(session: Session, number: VirtualNumber, wall: float) -> bool:
    """Whether anyone who calls the number is to reach this session's only party."""
    missing = session.missing
    is_open = session.pool_mode is PoolMode.OPEN and missing is not None and _belongs(session, missing, number)
    return is_open and session.is_live(wall)


def _is_on(session: Session, number: VirtualNumber, wall: float) -> bool:
    return session.is_live(wall) and any(_belongs(session, role, number) for role in Role)


def _belongs(session: Session, role: Role, number: VirtualNumber) -> bool:
    return session.number_of(role) == number.number and session.account_id == number.account_id


def _unknown(caller: Number | None) -> Cause:
    return Cause.WITHHELD_CALLER if caller is None else Cause.UNKNOWN_CALLER
