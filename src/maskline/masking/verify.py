"""The replay behind `maskline pool verify`: whether a fact log shows that no caller could reach a stranger.

What it is: the claims, sessions and calls of the whole log again, fact by fact in order of commit, held against the
rules; it shares no code with what allocates or matches, only the shape of facts. It ends at the first violation, or
with a certificate. What it is not: the guarantee itself (the stores' unique index), or a look at what is not in
the log. Who uses it: `workflows/verify_pool`, which reads the log in pages.

Memory is bounded by what is live or in cool-off at one moment, not by the length of the log. Numbers of parties
never appear: facts hold keyed hashes.
"""

from __future__ import annotations

import heapq
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import blake2b
from typing import NamedTuple

from maskline.masking.call_record import CallParties
from maskline.masking.facts import (
    CallEnded,
    CallNotStarted,
    CallReceived,
    CallRequested,
    CallRouted,
    ClaimNote,
    Fact,
    LegDialed,
    RecordingCompleted,
    RecordingFailed,
    SessionCreated,
    SessionExpired,
    SessionFact,
    fact_details,
)
from maskline.masking.holdings import Holding, Holdings, Pair

GRACE = 5.0
"""Seconds for which a call may still be matched with what a request has just ended or changed: the match reads the
store while that request waits for its commit. The claims are still the session's, so nobody else can be meant."""
KEEP = 600.0
"""Seconds that sessions are remembered after they are over: calls are written behind the answers to their callers."""
_ROUNDING = 1e-3
_to_json = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


class Rule(StrEnum):
    """What a log can violate."""

    POSITION = "position"
    """Positions in the log rise."""
    SEQUENCE = "sequence"
    """The facts of a call or session are numbered from 1 without a gap, and a session's begin with its creation."""
    CLAIM = "claim"
    """No two sessions hold one claim (a party on a virtual number) at one moment, cool-off included. Only the same
    two parties may have their own claims back before."""
    PIN = "pin"
    """The same for a PIN on a virtual number."""
    OPEN = "open"
    """The number of a single-party session without PIN is no other session's while it is held."""
    COOLOFF = "cooloff"
    """A claim stays held for the cool-off that it was taken with, and is not dropped."""
    ENDED = "ended"
    """Nothing happens to a session after its end."""
    ROUTE = "route"
    """A call goes to a session that is live at that moment and has a claim of the caller's role on the dialled
    number."""
    UNROUTED = "unrouted"
    """Nobody is dialled for a caller who was not matched."""
    PARTY = "party"
    """The numbers that a call record holds are the parties of its session."""


@dataclass(frozen=True, slots=True)
class Violation:
    """The first thing that must not be."""

    rule: Rule
    position: int
    """Of the fact in the log."""
    sentence: str
    """Ids and virtual numbers only."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was replayed, when nothing was wrong in it."""

    facts: int
    first_position: int
    last_position: int
    first_at: float
    """Wall seconds of the earliest and of the latest fact."""
    last_at: float
    sessions: int
    claims: int
    """Claims that were ever taken."""
    calls: int
    routed: int
    """Calls that were matched with a session."""
    records: int
    """Call records whose numbers were held against the session's parties."""
    late: int
    """Calls matched within `GRACE` of a request that ended or changed their session."""
    unfinished: int
    """Calls of which the log does not have the end (yet)."""
    held: int
    """Claims held at the end of the log."""
    most_on_number: int
    """The most sessions on one virtual number at one moment, live or in cool-off."""
    most_of_party: int
    """The most virtual numbers that one party held at one moment: D of the planner."""
    digest: str
    """BLAKE2b over all facts, each chained to those before it: the same log gives the same, any change another."""


class _Broken(Exception):
    def __init__(self, rule: Rule, sentence: str) -> None:
        super().__init__(sentence)
        self.rule = rule


class _State(NamedTuple):
    """What a session was from a moment on."""

    at: float
    live_until: float
    claims: tuple[ClaimNote, ...]

    def party(self, role: str) -> str | None:
        return next((note.key for note in self.claims if note.kind == "party" and note.role == role), None)


class _Session:
    __slots__ = ("cooloffs", "ended", "sequence", "states")

    def __init__(self) -> None:
        self.states: list[_State] = []
        self.cooloffs: dict[Pair, tuple[str, float]] = {}
        """Role and seconds, of every claim it has now."""
        self.ended = False
        self.sequence = 0

    def parties(self) -> set[str]:
        return {note.key for note in self.states[-1].claims if note.kind == "party"}

    def states_at(self, at: float) -> Iterator[tuple[_State, bool]]:
        """The one in force at a moment, and before it (True) those that were changed less than `GRACE` ago."""
        following = None
        for state in reversed(self.states):
            if state.at <= at and (following is None or at < following.at + GRACE):
                yield state, following is not None and at >= following.at
            following = state

    def add(self, state: _State) -> None:
        while len(self.states) > 1 and self.states[1].at < state.at - KEEP:
            del self.states[0]
        self.states.append(state)


class _Call:
    __slots__ = ("expected", "routed", "sequence", "virtual_number")

    def __init__(self) -> None:
        self.sequence = 0
        self.virtual_number = ""
        self.routed = False
        self.expected = CallParties(None, None)
        """Whom its record must name, where the session's claims tell."""


class Replay:
    """Feed it the whole log in order; it says what the first violation is."""

    def __init__(self) -> None:
        self._sessions: dict[str, _Session] = {}
        self._over: list[tuple[float, str]] = []
        """A heap of when ended sessions may be forgotten."""
        self._calls: dict[str, _Call] = {}
        self._holdings = Holdings()
        self._digest = b""
        self._first_position = self._last_position = 0
        self._first_at = self._last_at = 0.0
        self._counts: Counter[str] = Counter()

    def feed(self, position: int, fact: Fact, record: CallParties | None = None) -> Violation | None:
        """The next fact of the log, with the parties in the call record when it is the end of a call that has one.
        After a violation nothing more may be fed."""
        try:
            self._follow(position, fact)
            if isinstance(fact, SessionFact):
                self._session_fact(fact)
            elif not isinstance(fact, _OF_NO_CALL):
                self._call_fact(fact, record)
        except _Broken as broken:
            return Violation(broken.rule, position, f"{broken} (fact {position}, rule {broken.rule}).")
        return None

    def certificate(self) -> Certificate:
        """Of all that was fed."""
        counts, holdings = self._counts, self._holdings
        return Certificate(
            facts=counts["facts"], first_position=self._first_position, last_position=self._last_position,
            first_at=self._first_at, last_at=self._last_at, sessions=counts["sessions"], claims=counts["claims"],
            calls=counts["calls"], routed=counts["routed"], records=counts["records"], late=counts["late"],
            unfinished=len(self._calls), held=holdings.held, most_on_number=holdings.most_on_number,
            most_of_party=holdings.most_of_party, digest=self._digest.hex(),
        )  # fmt: skip

    def _follow(self, position: int, fact: Fact) -> None:
        if self._counts["facts"] and position <= self._last_position:
            raise _Broken(Rule.POSITION, f"Position {position} comes after position {self._last_position}")
        if not self._counts["facts"]:
            self._first_position, self._first_at, self._last_at = position, fact.at, fact.at
        self._counts["facts"] += 1
        self._last_position = position
        self._first_at, self._last_at = min(self._first_at, fact.at), max(self._last_at, fact.at)
        told = [position, fact.name, fact.subject, fact.sequence, fact.at, fact_details(fact)]
        self._digest = blake2b(self._digest + _to_json(told).encode(), digest_size=32).digest()
        self._holdings.advance(fact.at)
        while self._over and self._over[0][0] < self._holdings.now:
            self._sessions.pop(heapq.heappop(self._over)[1], None)

    # -- sessions --------------------------------------------------------------------------------------------------
    def _session_fact(self, fact: SessionFact) -> None:
        session = self._sessions.get(fact.subject)
        if session is None:
            session = self._sessions[fact.subject] = _Session()
            self._counts["sessions"] += 1
        if session.ended:
            raise _Broken(Rule.ENDED, f"{fact.name} of session {fact.subject} comes after its end")
        if fact.sequence != session.sequence + 1 or (fact.sequence == 1) != isinstance(fact, SessionCreated):
            raise _Broken(
                Rule.SEQUENCE, f"{fact.name} {fact.sequence} of session {fact.subject} comes after {session.sequence}"
            )
        session.sequence = fact.sequence
        released: tuple[ClaimNote, ...] = getattr(fact, "released", ())
        self._check_cooloffs(session, fact, released)
        session.add(_State(fact.at, fact.live_until, fact.claims))
        for note in (*released, *fact.claims):
            self._take(session, fact, note)
        if isinstance(fact, SessionExpired):
            session.ended, session.cooloffs = True, {}
            over = max((note.held_until for note in fact.claims), default=fact.at)
            heapq.heappush(self._over, (max(over, fact.at) + KEEP, fact.subject))

    def _check_cooloffs(self, session: _Session, fact: SessionFact, released: tuple[ClaimNote, ...]) -> None:
        """Every claim it had is still there with its cool-off, or released with it, or another session's by now. A
        party that an update moved to the other role has that role's cool-off from then on."""
        ends = {_pair(note): note.held_until - fact.live_until for note in fact.claims}
        roles = {_pair(note): note.role for note in fact.claims}
        freed_at = min(fact.at, session.states[-1].live_until) if session.states else fact.at
        freed = {_pair(note): note.held_until - freed_at for note in released}
        for pair, (role, cooloff) in session.cooloffs.items():
            if roles.get(pair, role) != role:
                continue
            lasting = ends.get(pair, freed.get(pair))
            if lasting is None:
                one = self._holdings.of(pair)
                if one is not None and one.session_id == fact.subject and one.until > fact.at:
                    raise _Broken(Rule.COOLOFF, f"{_name(pair, fact.subject)} is dropped before its cool-off is over")
            elif lasting < cooloff - _ROUNDING:
                raise _Broken(
                    Rule.COOLOFF, f"{_name(pair, fact.subject)} is held for {lasting:.3f} s instead of {cooloff:.3f} s"
                )
        for pair, lasting in ends.items():
            if lasting < -_ROUNDING:
                raise _Broken(Rule.COOLOFF, f"{_name(pair, fact.subject)} is free before the session's end")
            self._counts["claims"] += pair not in session.cooloffs
        session.cooloffs = {pair: self._longest(session, pair, roles[pair], lasting) for pair, lasting in ends.items()}

    @staticmethod
    def _longest(session: _Session, pair: Pair, role: str, lasting: float) -> tuple[str, float]:
        before_role, before = session.cooloffs.get(pair, (role, 0.0))
        return role, max(lasting, before) if before_role == role else lasting

    def _take(self, session: _Session, fact: SessionFact, note: ClaimNote) -> None:
        pair, at = _pair(note), fact.at
        one = self._holdings.of(pair)
        if note.held_until <= at:
            # Free from now on, or since long when the end is written late: then it may be another session's.
            if one is not None and one.session_id == fact.subject:
                self._holdings.hold(pair, fact.subject, note.held_until)
            return
        if one is not None and one.session_id != fact.subject and one.until > at and not self._gives(one, session, at):
            rule = Rule.PIN if pair.kind == "pin" else Rule.OPEN if pair.kind == "anyone" else Rule.CLAIM
            raise _Broken(
                rule, f"{_name(pair, fact.subject)} is held by session {one.session_id} until {_utc(one.until)}"
            )
        alone = self._holdings.anyone_on(pair.virtual_number)
        if alone is not None and alone.session_id != fact.subject and alone.until > at:
            raise _Broken(Rule.OPEN, f"{_name(pair, fact.subject)} is on the open number of session {alone.session_id}")
        if pair.kind == "anyone":
            other = self._holdings.another_on(pair.virtual_number, fact.subject, at)
            if other is not None:
                raise _Broken(
                    Rule.OPEN, f"{_name(pair, fact.subject)} is on a number that session {other.session_id} holds"
                )
        self._holdings.hold(pair, fact.subject, note.held_until)

    def _gives(self, one: Holding, session: _Session, at: float) -> bool:
        """Whether the holder's parties are these same two, and it is over: then they have their claims back."""
        holder = self._sessions.get(one.session_id)
        if holder is None or holder.states[-1].live_until > at:
            return False
        parties = session.parties()
        return len(parties) == 2 and holder.parties() == parties

    # -- calls -----------------------------------------------------------------------------------------------------
    def _call_fact(self, fact: Fact, record: CallParties | None) -> None:
        call = self._calls.get(fact.subject)
        if call is None:
            call = self._calls[fact.subject] = _Call()
        if fact.sequence != call.sequence + 1:
            raise _Broken(
                Rule.SEQUENCE, f"{fact.name} {fact.sequence} of call {fact.subject} comes after {call.sequence}"
            )
        call.sequence = fact.sequence
        if isinstance(fact, (CallReceived, CallRequested)):
            self._counts["calls"] += 1
            call.virtual_number = fact.virtual_number.removeprefix("+")
        elif isinstance(fact, CallRouted):
            call.routed = True
            if fact.session_id:
                self._route(call, fact)
        elif isinstance(fact, LegDialed):
            if not call.routed:
                raise _Broken(Rule.UNROUTED, f"Call {fact.subject} dials somebody although its caller was not matched")
        elif isinstance(fact, CallEnded):
            self._check_record(fact.subject, call, record)
            del self._calls[fact.subject]

    def _route(self, call: _Call, fact: CallRouted) -> None:
        self._counts["routed"] += 1
        session = self._sessions.get(fact.session_id)
        if session is None:
            raise _Broken(Rule.ROUTE, f"Call {fact.subject} goes to session {fact.session_id}, which is not there")
        kind = _KINDS.get(fact.matched_by, fact.matched_by)
        # Whom we call because its session asks for it brings nothing: that the session holds the number is all.
        kinds = {"party", "pin"} if fact.matched_by == "request" else {kind}
        why = "is not there yet"
        for state, late in session.states_at(fact.at):
            numbers = [
                note.virtual_number.removeprefix("+")
                for note in state.claims
                if note.kind in kinds and note.role == fact.caller
            ]
            if fact.at >= state.live_until:
                why = f"is over since {_utc(state.live_until)}"
            elif call.virtual_number not in numbers:
                why = f"has no {kind} claim of its {fact.caller} on +{call.virtual_number}"
            else:
                self._counts["late"] += late
                call.expected = _expected(state, fact)
                return
        raise _Broken(Rule.ROUTE, f"Call {fact.subject} goes to session {fact.session_id}, which {why}")

    def _check_record(self, call_id: str, call: _Call, record: CallParties | None) -> None:
        if record is None:
            return
        self._counts["records"] += 1
        for role, found, expected in zip(CallParties._fields, record, call.expected, strict=True):
            if expected is not None and found is not None and found != expected:
                raise _Broken(Rule.PARTY, f"The record of call {call_id} names another {role} than its session has")


_OF_NO_CALL = (CallNotStarted, RecordingCompleted, RecordingFailed)
"""Facts of calls that never were, and of what happens after one."""
_KINDS = {"open": "anyone"}
"""Kind of the claim by `CallRouted.matched_by`, where the words differ."""


def _expected(state: _State, fact: CallRouted) -> CallParties:
    """Who has a PIN or calls an open number may do so from any telephone; the other side may not be anybody."""
    free = "" if fact.matched_by in ("party", "request") else fact.caller
    return CallParties(*(None if role == free else state.party(role) for role in CallParties._fields))


def _pair(note: ClaimNote) -> Pair:
    return Pair(note.kind, note.key, note.virtual_number)


def _name(pair: Pair, session_id: str) -> str:
    return f"The {pair.kind} claim of session {session_id} on {pair.virtual_number}"


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
