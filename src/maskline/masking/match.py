"""Whose call is it? The routing order of an incoming call (architecture decision 7), as questions and checks.

What it is: pure generators that ask for what the store holds, only as far as they need to, and end in a decision.
Every answer is checked again here, so that a store that answers with another session's row cannot connect strangers.
What it is not: the look-ups, the choice of a trunk, or how often a PIN may be tried (`pin.py`). Who calls it:
`workflows/route_call`, `workflows/check_pin`.

A virtual number of ours, of whatever account, is nobody's telephone. As caller it is a leg of ours that came back
(the carrier dropped what marks it, and somebody's party turned into a virtual number): the call would reach a session
that nobody in it knows. As callee it would make such a leg. Either is a loop and refused, before and after all else.

The order, each step only if the ones before did not settle it:
1. the live session in which this caller dials this number (with `force_pin_authentication`: PIN first);
2. sessions with PINs on the number: the caller must give one;
3. the single-party session that has the number for itself: any caller, a withheld one too;
4. the application of the (sub)account that has the number: whatever it says, the steps below are for numbers without;
5. `unknown_caller_play` of a session on the number: played, then refused;
6. the number's fallback;
7. refused.
A caller whose session is over skips step 5, which is for strangers, and not step 4: the application may know more. One
who withholds the number never gets to step 1, and where the installation says so not to the others either.
"""

from __future__ import annotations

import hmac
from collections.abc import Generator, Sequence
from dataclasses import field
from enum import Enum, auto
from typing import Any, NamedTuple

from maskline.masking.decision import AskPin, MatchedBy, NumberUse, PinRules, Refuse, VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause
from maskline.masking.prompt import optional_url
from maskline.masking.routing_rules import RoutingRules, Withheld
from maskline.masking.session import PoolMode, Role, Session, SessionOptions
from maskline.values import dataclass

_LONGEST_PIN = 15


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


@dataclass(frozen=True, slots=True)
class ToApplication:
    """The customer's application says what becomes of the call."""

    number: VirtualNumber


class Entries(NamedTuple):
    """How a number lets callers in whom their own number does not."""

    longest_pin: int
    """The most digits that a PIN ever had on it; 0: there never was one."""
    open_until: float
    """Wall seconds until which it is, at most, anybody's way into one session."""


NO_ENTRIES = Entries(0, 0.0)


class Ask(Enum):
    """Answered with a session or None, but for the last two."""

    PARTY = auto()
    """Who holds (caller, number); never asked for a withheld caller."""
    PIN = auto()
    """The session with a PIN on the number that ends last."""
    OPEN = auto()
    """Who has the number for anybody's calls."""
    ON_NUMBER = auto()
    """Answered with live sessions on the number."""
    ENTRIES = auto()
    """Answered with `Entries`: most numbers have none, and what follows need not be asked."""


# To name a member of an `Enum` is a Python call in 3.11.
_PARTY, _PIN, _OPEN, _ENTRIES = Ask.PARTY, Ask.PIN, Ask.OPEN, Ask.ENTRIES


@dataclass(frozen=True, slots=True)
class AskLastOutside:
    """Who was on the other side of this single-party session last; answered with a number or None."""

    session: Session


@dataclass(frozen=True, slots=True)
class AskOurs:
    """Whether this is a virtual number of any account here, in any state; answered with a bool."""

    number: Number


@dataclass(frozen=True, slots=True)
class AskApplication:
    """Whether the (sub)account that has this number has an application to be asked; answered with a bool."""

    number: VirtualNumber


@dataclass(frozen=True, slots=True)
class AskHolder:
    """Who holds (PIN, number); answered with a session or None."""

    pin: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class AskAgain:
    """The same session as it is by now; answered with it, or None when it is there no more."""

    session: Session


Question = Ask | AskLastOutside | AskOurs | AskApplication | AskHolder | AskAgain
Found = Matched | AskPin | ToApplication | Refuse
Steps = Generator[Question, Any, Found]
PinSteps = Generator[Question, Any, Matched | Refuse | None]
RequestSteps = Generator[Question, Any, Matched | Refuse]


def match_call(caller: Number | None, number: VirtualNumber, wall: float, rules: RoutingRules) -> Steps:
    """Decide on a call from `caller` (None: withheld) to one of our numbers at `wall` (seconds since 1970)."""
    if caller is None and rules.withheld is not Withheld.PIN:
        return _refuse_withheld(number, rules)
    if caller is not None and (yield AskOurs(caller)):
        return Refuse(Cause.LOOP, number)
    found: Found = yield from _find(caller, number, wall, rules)
    if isinstance(found, Matched) and (yield AskOurs(found.callee)):
        return Refuse(Cause.LOOP, number, found.session)
    return found


def match_nowhere(caller: Number | None, rules: RoutingRules) -> Refuse:
    """What becomes of a call to a number that is none of ours: what a stranger gets on one that is, so that nobody
    tells them apart."""
    return _refuse_withheld(None, rules) if caller is None else Refuse(Cause.UNKNOWN_NUMBER, None)


def _refuse_withheld(number: VirtualNumber | None, rules: RoutingRules) -> Refuse:
    prompt = rules.withheld_prompt if rules.withheld is Withheld.PROMPT else None
    return Refuse(Cause.WITHHELD_CALLER, number, None, prompt)


def match_pin(
    pin: str, caller: Number | None, number: VirtualNumber, known: Session | None, wall: float, rules: RoutingRules
) -> PinSteps:
    """Decide on a PIN that the caller typed; None: it is wrong. `known`: the session that the caller's number names,
    whose PIN of that very role it must be. A session that is over meanwhile is said to be so: what opens nothing any
    more is no secret, and its party would else try again and again."""
    session: Session | None = yield AskHolder(pin) if known is None else AskAgain(known)
    role = None if session is None else _role_by_pin(session, pin, caller, number, known)
    if session is None or role is None:
        return None
    if not session.is_live(wall):
        return Refuse(Cause.SESSION_EXPIRED, number, session, rules.session_ended, session)
    found: Matched | Refuse = yield from _to_other_party(session, role, caller, number, MatchedBy.PIN)
    if isinstance(found, Matched) and (yield AskOurs(found.callee)):
        return Refuse(Cause.LOOP, number, session)
    return found


def _role_by_pin(
    session: Session, pin: str, caller: Number | None, number: VirtualNumber, known: Session | None
) -> Role | None:
    """Which party the PIN says the caller is; None: neither. Compared in a time that does not tell how much of it is
    right."""
    own = None if known is None or caller is None else session.role_of(caller)
    roles = tuple(Role) if known is None else () if own is None or session.id != known.id else (own,)
    fitting = [
        role
        for role in roles
        if hmac.compare_digest(pin.encode(), session.pin(role).encode())
        and session.pin(role) and _belongs(session, role, number)
    ]  # fmt: skip
    return fitting[0] if fitting else None


def match_request(session: Session, number: VirtualNumber, wall: float) -> RequestSteps:
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


def _find(caller: Number | None, number: VirtualNumber, wall: float, rules: RoutingRules) -> Steps:
    over = None
    session: Session | None
    if caller is not None:
        session = yield _PARTY
        role = None if session is None else session.role_of(caller)
        if session is not None and role is not None and _belongs(session, role, number):
            if session.is_live(wall):
                return (yield from _from_party(session, role, caller, number, rules))
            over = session
    entries: Entries = yield _ENTRIES
    session = (yield _PIN) if entries.longest_pin else None
    if session is not None and _asks_pin(session, number, wall):
        return AskPin(number, _pin_rules(session, entries.longest_pin, rules), None, session)
    session = (yield _OPEN) if entries.open_until > wall else None
    if session is not None and _is_open(session, number, wall):
        return _from_anyone(session, caller, number)
    if (yield AskApplication(number)):
        return ToApplication(number)
    if over is None:
        on_number: Sequence[Session] = yield Ask.ON_NUMBER
        for session in on_number:
            prompt = optional_url("unknown_caller_play", session.options.unknown_caller_play)
            if prompt is not None and _is_on(session, number, wall):
                return Refuse(_unknown(caller), number, None, prompt, session)
    if number.fallback is not None and number.fallback != caller:
        return Matched(None, None, number.fallback, number.number, rules.fallback, MatchedBy.FALLBACK)
    if over is not None:
        return Refuse(Cause.SESSION_EXPIRED, number, over, rules.session_ended, over)
    # One that calls without a number is told so whatever it dialled (`match_nowhere`).
    asked = number.use is NumberUse.PIN and caller is not None
    return Refuse(Cause.PIN_REQUIRED if asked else _unknown(caller), number)


def _from_party(session: Session, role: Role, caller: Number, number: VirtualNumber, rules: RoutingRules) -> Steps:
    options = session.options
    if options.is_pin_authentication_required and options.force_pin_authentication:
        return AskPin(number, _pin_rules(session, len(session.pin(role)) or _LONGEST_PIN, rules), session, session)
    return (yield from _to_other_party(session, role, caller, number, MatchedBy.PARTY))


def _to_other_party(
    session: Session, role: Role, caller: Number | None, number: VirtualNumber, by: MatchedBy
) -> RequestSteps:
    """`caller` is this party, by its number or because it has the PIN."""
    if session.calls_in_progress:
        # A session carries one call at a time (plivo-vts.md §6): the second one hears busy.
        return Refuse(Cause.SESSION_BUSY, number, session)
    callee = session.party(role.other)
    if callee is None:
        callee = yield AskLastOutside(session)
    if callee is None or callee in (caller, session.party(role)):
        return Refuse(Cause.NO_OTHER_PARTY, number, session)
    return Matched(session, role, callee, session.number_of(role.other), session.options, by)


def _from_anyone(session: Session, caller: Number | None, number: VirtualNumber) -> Matched | Refuse:
    if session.calls_in_progress:
        return Refuse(Cause.SESSION_BUSY, number, session)
    role = session.missing
    callee = None if role is None else session.party(role.other)
    if role is None or callee is None or callee == caller:
        return Refuse(Cause.NO_OTHER_PARTY, number, session)
    return Matched(session, role, callee, session.number_of(role.other), session.options, MatchedBy.OPEN)


def _pin_rules(session: Session, longest: int, rules: RoutingRules) -> PinRules:
    options = session.options
    return PinRules(
        optional_url("pin_prompt_play", options.pin_prompt_play),
        optional_url("incorrect_pin_play", options.incorrect_pin_play),
        options.pin_retry, options.pin_retry_wait, longest, rules.digit_timeout, rules.pin_timeout,
    )  # fmt: skip


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
