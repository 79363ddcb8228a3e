"""masking.verify: a good log gets its certificate, and one wrong place in it is found, whatever it is."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import pytest

from maskline.masking.call_record import CallParties
from maskline.masking.facts import (
    CallEnded,
    CallNotStarted,
    CallReceived,
    CallRequested,
    CallRouted,
    Cause,
    ClaimNote,
    Fact,
    HungUpBy,
    LegDialed,
    LegRinging,
    Outcome,
    RecordingCompleted,
    RecordingFailed,
    SessionCreated,
    SessionExpired,
    SessionFact,
    SessionUpdated,
)
from maskline.masking.verify import GRACE, KEEP, Certificate, Replay, Rule, Violation
from maskline.storage.memory import MemoryStore
from tests.support.fact_log import Entry, FactLog
from tests.support.store_values import T0

SEEDS = range(6)
A, B, C, D = ("aa" * 16, "bb" * 16, "cc" * 16, "dd" * 16)
VN, OTHER_VN = "+6531000001", "+6531000002"


@lru_cache
def good_log(seed: int) -> tuple[Entry, ...]:
    async def walk() -> list[Entry]:
        log = FactLog(MemoryStore(), seed)
        await log.walk(400)
        return await log.entries()

    return tuple(asyncio.run(walk()))


def replay(entries: Iterable[Entry]) -> Violation | Certificate:
    replayed = Replay()
    for entry in entries:
        violation = replayed.feed(*entry)
        if violation is not None:
            return violation
    return replayed.certificate()


def certified(entries: Iterable[Entry]) -> Certificate:
    found = replay(entries)
    assert isinstance(found, Certificate), found
    return found


# -- whole logs ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("seed", SEEDS)
def test_a_log_that_a_store_made_is_certified(seed: int) -> None:
    log = good_log(seed)
    found = certified(log)
    names = [entry.fact.name for entry in log]
    assert (found.facts, found.first_position, found.last_position) == (len(log), 1, len(log))
    assert found.sessions == names.count("SessionCreated") > 20
    assert found.calls == found.routed == found.records == names.count("CallEnded") > 20
    assert {"SessionUpdated", "SessionExpired", "VirtualNumberReplaced"} <= set(names)
    assert found.claims > found.sessions
    assert found.unfinished == 0


def test_the_digest_is_of_every_byte_of_every_fact() -> None:
    log = good_log(1)
    digest = certified(log).digest
    assert certified(log).digest == digest
    assert certified(log[:-1]).digest != digest
    last = log[-1]
    assert certified([*log[:-1], last._replace(fact=replace(last.fact, at=last.fact.at + 0.001))]).digest != digest


def test_an_empty_log_is_certified() -> None:
    found = certified([])
    assert (found.facts, found.sessions, found.digest) == (0, 0, "")


# -- one wrong place -----------------------------------------------------------------------------------------------
Mutation = Callable[[list[Entry], random.Random], list[Entry] | None]
"""The log with one thing wrong, or None when this log has no place for it."""


def places(log: list[Entry], kind: type[Fact]) -> list[int]:
    return [index for index, entry in enumerate(log) if isinstance(entry.fact, kind)]


def with_fact(log: list[Entry], index: int, **changes: Any) -> list[Entry]:
    entry = log[index]
    return [*log[:index], entry._replace(fact=replace(entry.fact, **changes)), *log[index + 1 :]]


def last_state(log: list[Entry], before: int) -> dict[str, SessionFact]:
    """Each session's latest fact."""
    return {entry.fact.subject: entry.fact for entry in log[:before] if isinstance(entry.fact, SessionFact)}


def swapped_positions(log: list[Entry], draw: random.Random) -> list[Entry]:
    index = draw.randrange(len(log) - 1)
    one, two = log[index : index + 2]
    return [*log[:index], one._replace(position=two.position), two._replace(position=one.position), *log[index + 2 :]]


def lost_fact(log: list[Entry], draw: random.Random) -> list[Entry] | None:
    """Any but the last one of its subject."""
    last = {entry.fact.subject: index for index, entry in enumerate(log)}
    index = draw.choice([index for index, entry in enumerate(log) if last[entry.fact.subject] != index])
    return [*log[:index], *log[index + 1 :]]


def wrong_number(log: list[Entry], draw: random.Random) -> list[Entry] | None:
    index = draw.randrange(len(log))
    return with_fact(log, index, sequence=log[index].fact.sequence + draw.choice([-1, 1, 7]))


def stolen_claim(log: list[Entry], draw: random.Random, kind: str = "party") -> list[Entry] | None:
    """A new session takes a claim that another one holds."""
    found = []
    for index in places(log, SessionCreated):
        new = log[index].fact
        assert isinstance(new, SessionCreated)
        mine = {note.key for note in new.claims if note.kind == "party"}
        for session, state in last_state(log, index).items():
            theirs = {note.key for note in state.claims if note.kind == "party"}
            held = [note for note in state.claims if note.kind == kind and note.held_until > new.at + 1]
            if session != new.subject and mine != theirs and mode_of(log, session) != "open":
                found += [(index, note) for note in held]
    if not found:
        return None
    index, note = draw.choice(found)
    new = log[index].fact
    assert isinstance(new, SessionCreated)
    return with_fact(log, index, claims=(*new.claims, note._replace(held_until=new.live_until)))


def mode_of(log: list[Entry], session: str) -> str:
    return next(e.fact.mode for e in log if e.fact.subject == session and isinstance(e.fact, SessionCreated))


def stolen_pin(log: list[Entry], draw: random.Random) -> list[Entry] | None:
    return stolen_claim(log, draw, "pin")


def shared_open_number(log: list[Entry], draw: random.Random) -> list[Entry] | None:
    """A new session is put on a number that a single-party session has for itself."""
    found = []
    for index in places(log, SessionCreated):
        at = log[index].fact.at
        for session, state in last_state(log, index).items():
            found += [
                (index, note.virtual_number)
                for note in state.claims
                if note.kind == "anyone" and note.held_until > at and session != log[index].fact.subject
            ]
    if not found:
        return None
    index, number = draw.choice(found)
    new = log[index].fact
    assert isinstance(new, SessionCreated)
    return with_fact(log, index, claims=tuple(note._replace(virtual_number=number) for note in new.claims))


def opened_shared_number(log: list[Entry], draw: random.Random) -> list[Entry] | None:
    """A single-party session gets a number on which others are."""
    found = []
    for index in places(log, SessionCreated):
        new = log[index].fact
        assert isinstance(new, SessionCreated)
        if new.mode == "open":
            for session, state in last_state(log, index).items():
                if mode_of(log, session) != "open":
                    found += [(index, n.virtual_number) for n in state.claims if n.held_until > new.at]
    if not found:
        return None
    index, number = draw.choice(found)
    new = log[index].fact
    assert isinstance(new, SessionCreated)
    fresh = [note._replace(virtual_number=number) for note in new.claims if note.kind == "anyone"]
    return with_fact(log, index, claims=tuple(fresh))


def short_cooloff(log: list[Entry], draw: random.Random) -> list[Entry] | None:
    found = [
        (index, place)
        for index in places(log, SessionExpired)
        for place, note in enumerate(session_fact(log[index]).claims)
        if note.held_until > session_fact(log[index]).live_until + 1
    ]
    if not found:
        return None
    index, place = draw.choice(found)
    claims = list(session_fact(log[index]).claims)
    claims[place] = claims[place]._replace(held_until=claims[place].held_until - 0.5)
    return with_fact(log, index, claims=tuple(claims))


def dropped_claim(log: list[Entry], draw: random.Random) -> list[Entry] | None:
    found = [
        (index, place)
        for index in [*places(log, SessionExpired), *places(log, SessionUpdated)]
        for place, note in enumerate(session_fact(log[index]).claims)
        if note.held_until > session_fact(log[index]).at
        and any(note[:4] == old[:4] for old in last_state(log, index)[log[index].fact.subject].claims)
    ]
    if not found:
        return None
    index, place = draw.choice(found)
    claims = list(session_fact(log[index]).claims)
    del claims[place]
    return with_fact(log, index, claims=tuple(claims))


def early_freedom(log: list[Entry], draw: random.Random) -> list[Entry] | None:
    """A claim that is free before the session's end."""
    index = draw.choice(places(log, SessionCreated))
    new = session_fact(log[index])
    claims = list(new.claims)
    claims[-1] = claims[-1]._replace(held_until=new.live_until - 1)
    return with_fact(log, index, claims=tuple(claims))


def session_fact(entry: Entry) -> SessionFact:
    assert isinstance(entry.fact, SessionFact)
    return entry.fact


def update_after_the_end(log: list[Entry], draw: random.Random) -> list[Entry] | None:
    index = draw.choice(places(log, SessionExpired))
    end = session_fact(log[index])
    again = SessionUpdated(end.subject, end.sequence + 1, end.at + 1, end.at + 9, end.claims, ("expiry",))
    shifted = [entry._replace(position=entry.position + 1) for entry in log[index + 1 :]]
    return [*log[: index + 1], Entry(log[index].position + 1, again), *shifted]


def call_of_another_session(log: list[Entry], draw: random.Random) -> list[Entry] | None:
    index = draw.choice(places(log, CallRouted))
    routed = log[index].fact
    assert isinstance(routed, CallRouted)
    others = [s for s in last_state(log, index) if s != routed.session_id]
    number = next(e.fact.virtual_number for e in log if isinstance(e.fact, CallReceived) and
                  e.fact.subject == routed.subject)  # fmt: skip
    kind = {"open": "anyone"}.get(routed.matched_by, routed.matched_by)
    strangers = [
        other
        for other in others
        if not any(
            (note.kind, note.role, note.virtual_number[1:]) == (kind, routed.caller, number)
            for entry in log
            if entry.fact.subject == other and isinstance(entry.fact, SessionFact)
            for note in entry.fact.claims
        )
    ]
    return with_fact(log, index, session_id=draw.choice(strangers)) if strangers else None


def call_of_nobodys_session(log: list[Entry], draw: random.Random) -> list[Entry] | None:
    return with_fact(log, draw.choice(places(log, CallRouted)), session_id="session-of-nobody")


def call_by_the_other_role(log: list[Entry], draw: random.Random) -> list[Entry] | None:
    """In split mode the other party dials another number; in open mode it has no claim of that kind."""
    found = [
        index
        for index in places(log, CallRouted)
        if mode_of(log, log[index].fact.session_id) in ("split", "open")  # type: ignore[attr-defined]
    ]
    found = [index for index in found if not numbers_of_both_roles_agree(log, index)]
    if not found:
        return None
    index = draw.choice(found)
    caller = log[index].fact.caller  # type: ignore[attr-defined]
    return with_fact(log, index, caller="second_party" if caller == "first_party" else "first_party")


def numbers_of_both_roles_agree(log: list[Entry], index: int) -> bool:
    routed = log[index].fact
    assert isinstance(routed, CallRouted)
    kind = {"open": "anyone"}.get(routed.matched_by, routed.matched_by)
    by_role: dict[str, set[str]] = {}
    for entry in log:
        if isinstance(entry.fact, SessionFact) and entry.fact.subject == routed.session_id:
            for note in entry.fact.claims:
                if note.kind == kind:
                    by_role.setdefault(note.role, set()).add(note.virtual_number)
    return len(by_role) == 2 and bool(set.intersection(*by_role.values()))


def call_before_the_session(log: list[Entry], draw: random.Random) -> list[Entry] | None:
    index = draw.choice(places(log, CallRouted))
    created = next(e.fact.at for e in log if e.fact.subject == log[index].fact.session_id)  # type: ignore[attr-defined]
    return with_fact(log, index, at=created - 0.001)


def call_after_the_session(log: list[Entry], draw: random.Random) -> list[Entry] | None:
    index = draw.choice(places(log, CallRouted))
    session_id = log[index].fact.session_id  # type: ignore[attr-defined]
    return with_fact(log, index, at=last_state(log, index)[session_id].live_until + GRACE)


def dialled_for_nobody(log: list[Entry], draw: random.Random) -> list[Entry] | None:
    """The call was not matched, and yet somebody's telephone rings."""
    index = draw.choice(places(log, CallRouted))
    call = log[index].fact.subject
    found = []
    for entry in [*log[:index], *log[index + 1 :]]:
        later = entry.fact.subject == call and entry.fact.sequence > 2
        fact = replace(entry.fact, sequence=entry.fact.sequence - 1) if later else entry.fact
        found.append(entry._replace(fact=fact))
    return found


def record_of_a_stranger(log: list[Entry], draw: random.Random) -> list[Entry] | None:
    by_call = {e.fact.subject: e.fact for e in log if isinstance(e.fact, CallRouted) and e.fact.matched_by == "party"}
    found = [
        index for index in places(log, CallEnded)
        if (routed := by_call.get(log[index].fact.subject)) and mode_of(log, routed.session_id) in ("shared", "split")
    ]  # fmt: skip
    index = draw.choice(found)
    side = draw.choice(CallParties._fields)
    record = log[index].record
    assert record is not None
    return [*log[:index], log[index]._replace(record=record._replace(**{side: D})), *log[index + 1 :]]


MUTATIONS: list[tuple[Mutation, set[Rule]]] = [
    (swapped_positions, {Rule.POSITION}),
    (lost_fact, {Rule.SEQUENCE, Rule.ROUTE}),
    (wrong_number, {Rule.SEQUENCE}),
    (stolen_claim, {Rule.CLAIM}),
    (stolen_pin, {Rule.PIN}),
    (shared_open_number, {Rule.OPEN, Rule.CLAIM}),
    (opened_shared_number, {Rule.OPEN}),
    (short_cooloff, {Rule.COOLOFF}),
    (dropped_claim, {Rule.COOLOFF}),
    (early_freedom, {Rule.COOLOFF}),
    (update_after_the_end, {Rule.ENDED}),
    (call_of_another_session, {Rule.ROUTE}),
    (call_of_nobodys_session, {Rule.ROUTE}),
    (call_by_the_other_role, {Rule.ROUTE}),
    (call_before_the_session, {Rule.ROUTE}),
    (call_after_the_session, {Rule.ROUTE}),
    (dialled_for_nobody, {Rule.UNROUTED}),
    (record_of_a_stranger, {Rule.PARTY}),
]


@pytest.mark.parametrize(("mutation", "rules"), MUTATIONS, ids=lambda value: getattr(value, "__name__", ""))
def test_one_wrong_place_in_a_good_log_is_found(mutation: Mutation, rules: set[Rule]) -> None:
    tried = 0
    for seed in SEEDS:
        for again in range(2):
            log = mutation(list(good_log(seed)), random.Random(100 * seed + again))
            if log is not None:
                found = replay(log)
                assert isinstance(found, Violation), (seed, again)
                assert found.rule in rules, (seed, again, found)
                tried += 1
    assert tried >= 4


def test_every_rule_is_violated_by_some_mutation() -> None:
    assert set.union(*(rules for _, rules in MUTATIONS)) == set(Rule)


# -- the edges of the rules ----------------------------------------------------------------------------------------
def note(key: str, until: float, number: str = VN, kind: str = "party", role: str = "first_party") -> ClaimNote:
    return ClaimNote(key, kind, role, number, until)


def both(first: str, second: str, until: float, number: str = VN) -> tuple[ClaimNote, ...]:
    return note(first, until, number), note(second, until, number, role="second_party")


def from_t0(claims: Iterable[ClaimNote]) -> tuple[ClaimNote, ...]:
    return tuple(one._replace(held_until=T0 + one.held_until) for one in claims)


def created(session: str, at: float, live: float, claims: Iterable[ClaimNote], mode: str = "shared") -> SessionCreated:
    return SessionCreated(session, 1, T0 + at, T0 + live, from_t0(claims), mode)


def expired(session: str, at: float, claims: Iterable[ClaimNote], sequence: int = 2) -> SessionExpired:
    return SessionExpired(session, sequence, T0 + at, T0 + at, from_t0(claims), True)


def call(at: float, session: str = "s1", caller: str = "first_party", matched_by: str = "party") -> list[Fact]:
    return [
        CallReceived("call", 1, T0 + at, "trunk", VN[1:]),
        CallRouted("call", 2, T0 + at, session, caller, matched_by),
        LegDialed("call", 3, T0 + at, "b", "trunk"),
        LegRinging("call", 4, T0 + at, "b", False),
        CallEnded("call", 5, T0 + at, Outcome.BUSY, Cause.BUSY, HungUpBy.CALLEE),
    ]


def replay_facts(*facts: Fact, record: CallParties | None = None) -> Violation | Certificate:
    return replay(Entry(7 + i, fact, record if isinstance(fact, CallEnded) else None) for i, fact in enumerate(facts))


def rule_of(found: Violation | Certificate) -> Rule | None:
    return found.rule if isinstance(found, Violation) else None


@pytest.mark.parametrize(("at", "rule"), [(129.999, Rule.CLAIM), (130.0, None)])
def test_a_claim_is_free_at_the_moment_its_cooloff_ends(at: float, rule: Rule | None) -> None:
    first = created("s1", 0, 100, both(A, B, 130))
    assert rule_of(replay_facts(first, created("s2", at, 900, both(A, C, 900)))) is rule


def test_the_same_two_have_their_claims_back_when_their_session_is_over_and_not_before() -> None:
    first = created("s1", 0, 100, both(A, B, 500))
    assert rule_of(replay_facts(first, created("s2", 100, 200, both(B, A, 200)))) is None
    assert rule_of(replay_facts(first, created("s2", 99, 200, both(B, A, 200)))) is Rule.CLAIM


def test_a_party_that_was_replaced_does_not_count_as_one_of_the_two() -> None:
    first = created("s1", 0, 100, both(A, B, 500))
    changed = SessionUpdated(
        "s1", 2, T0 + 10, T0 + 110, from_t0(both(A, C, 510)), ("second_party",),
        (note(B, T0 + 410, role="second_party"),),
    )  # fmt: skip
    for parties, rule in (((A, B), Rule.CLAIM), ((A, C), None)):
        assert rule_of(replay_facts(first, changed, created("s2", 200, 300, both(*parties, 300)))) is rule


@pytest.mark.parametrize(("role", "rule"), [("first_party", None), ("second_party", Rule.COOLOFF)])
def test_a_party_that_changes_sides_has_the_cooloff_of_its_new_side(role: str, rule: Rule | None) -> None:
    alone = created("s1", 0, 100, (note(B, 130, role="second_party"),))
    changed = SessionUpdated("s1", 2, T0 + 10, T0 + 110, from_t0((note(B, 110, role=role),)), ("first_party",))
    assert rule_of(replay_facts(alone, changed)) is rule


def test_a_single_partys_claims_are_given_to_nobody() -> None:
    alone = (note(A, 200), note("", 200, kind="anyone", role="second_party"))
    again = created("s2", 150, 300, (note(A, 300),), "open")
    assert rule_of(replay_facts(created("s1", 0, 100, alone, "open"), again)) is Rule.CLAIM
    opened = created("s2", 150, 300, (note("", 300, kind="anyone", role="second_party"),), "open")
    found = replay_facts(created("s1", 0, 100, alone, "open"), opened)
    assert rule_of(found) is Rule.OPEN


def test_an_end_that_is_written_late_may_tell_of_claims_that_are_another_sessions_by_then() -> None:
    late = SessionExpired(
        "s1", 2, T0 + 400, T0 + 100, tuple(n._replace(held_until=T0 + 100) for n in both(A, B, 0)), False
    )
    assert rule_of(replay_facts(
        created("s1", 0, 100, both(A, B, 100)), created("s2", 200, 900, both(A, C, 900)), late,
    )) is None  # fmt: skip
    assert rule_of(replay_facts(created("s1", 0, 100, both(A, B, 100)), late)) is None


@pytest.mark.parametrize(("at", "rule"), [(0.0, None), (99.999, None), (100.0, Rule.ROUTE), (-0.001, Rule.ROUTE)])
def test_a_call_goes_to_a_session_that_is_live_to_the_millisecond(at: float, rule: Rule | None) -> None:
    assert rule_of(replay_facts(created("s1", 0, 100, both(A, B, 130)), *call(at))) is rule


@pytest.mark.parametrize(("after", "rule", "late"), [(GRACE - 0.001, None, 1), (GRACE, Rule.ROUTE, 0)])
def test_a_call_may_cross_the_request_that_ends_its_session(after: float, rule: Rule | None, late: int) -> None:
    found = replay_facts(created("s1", 0, 100, both(A, B, 100)), expired("s1", 50, both(A, B, 50)), *call(50 + after))
    assert rule_of(found) is rule
    if isinstance(found, Certificate):
        assert found.late == late


def test_a_call_that_is_written_after_its_sessions_end_was_matched_before_it() -> None:
    found = replay_facts(created("s1", 0, 100, both(A, B, 100)), expired("s1", 50, both(A, B, 50)), *call(49))
    assert isinstance(found, Certificate)
    assert found.late == 0


def test_a_fallback_goes_to_no_session() -> None:
    assert rule_of(replay_facts(*call(0, session="", caller="", matched_by="fallback"))) is None


def test_a_record_is_held_against_the_state_at_its_moment() -> None:
    first = created("s1", 0, 100, both(A, B, 100))
    for record, rule in (
        (CallParties(A, B), None), (CallParties(A, None), None), (CallParties(None, B), None),
        (CallParties(A, C), Rule.PARTY), (CallParties(C, B), Rule.PARTY),
    ):  # fmt: skip
        assert rule_of(replay_facts(first, *call(10), record=record)) is rule


def test_who_has_the_pin_may_call_from_any_telephone_but_reaches_no_other() -> None:
    pins = (note("9" * 32, 100, kind="pin"), note("8" * 32, 100, kind="pin", role="second_party"))
    first = created("s1", 0, 100, (*both(A, B, 100), *pins))
    assert rule_of(replay_facts(first, *call(10, matched_by="pin"), record=CallParties(D, B))) is None
    assert rule_of(replay_facts(first, *call(10, matched_by="pin"), record=CallParties(D, C))) is Rule.PARTY


def test_a_call_without_record_is_certified_without_it() -> None:
    found = replay_facts(created("s1", 0, 100, both(A, B, 100)), *call(10))
    assert isinstance(found, Certificate)
    assert (found.calls, found.records) == (1, 0)


def test_a_call_whose_end_is_not_written_yet_is_unfinished() -> None:
    found = replay_facts(created("s1", 0, 100, both(A, B, 100)), *call(10)[:4])
    assert isinstance(found, Certificate)
    assert found.unfinished == 1


def test_a_session_is_forgotten_when_no_call_can_come_any_more() -> None:
    facts = [created("s1", 0, 100, both(A, B, 130)), expired("s1", 90, both(A, B, 120))]
    tick = created("s9", 120 + KEEP + 1, 10_000, both(C, D, 10_000, OTHER_VN))
    found = replay_facts(*facts, tick, *call(60))
    assert isinstance(found, Violation)
    assert "which is not there" in found.sentence


def test_old_states_of_a_long_session_are_forgotten() -> None:
    replayed = Replay()
    assert replayed.feed(1, created("s1", 0, 10_000, both(A, B, 10_000))) is None
    for number in range(2, 40):
        at = T0 + 100.0 * number
        claims = tuple(n._replace(held_until=at + 10_000) for n in both(A, B, 0))
        assert replayed.feed(number, SessionUpdated("s1", number, at, at + 10_000, claims, ("expiry",))) is None
    assert len(replayed._sessions["s1"].states) <= KEEP / 100 + 2


def test_the_largest_numbers_at_one_moment_are_told() -> None:
    found = replay_facts(
        created("s1", 0, 100, both(A, B, 100)), created("s2", 1, 100, both(A, C, 150, OTHER_VN)),
        created("s3", 2, 100, both(C, D, 100)), expired("s1", 50, both(A, B, 50)),
        created("s4", 60, 100, both(A, B, 100)),
    )  # fmt: skip
    assert isinstance(found, Certificate)
    assert (found.most_on_number, found.most_of_party, found.held, found.claims) == (2, 2, 6, 8)


def test_a_violation_names_the_fact_and_no_number_of_a_party() -> None:
    found = replay_facts(created("s1", 0, 100, both(A, B, 100)), created("s2", 50, 100, both(A, C, 100)))
    assert found == Violation(
        Rule.CLAIM, 8,
        "The party claim of session s2 on +6531000001 is held by session s1 until 2023-11-14T22:15:00.000Z "
        "(fact 8, rule claim).",
    )  # fmt: skip


def test_a_session_is_made_once() -> None:
    again = replace(created("s1", 50, 100, ()), sequence=2)
    assert rule_of(replay_facts(created("s1", 0, 100, both(A, B, 100)), again)) is Rule.SEQUENCE
    assert rule_of(replay_facts(expired("s1", 0, (), sequence=1))) is Rule.SEQUENCE


def requested(at: float, number: str = VN) -> list[Fact]:
    return [
        CallRequested("c1", 1, T0 + at, "s1", number),
        CallRouted("c1", 2, T0 + at, "s1", "first_party", "request"),
        LegDialed("c1", 3, T0 + at, "a", "t"),
        CallEnded("c1", 4, T0 + at + 1, Outcome.COMPLETED, Cause.NORMAL, HungUpBy.CALLER),
    ]


@pytest.mark.parametrize("kind", ["party", "pin"])
def test_a_call_that_a_session_asks_for_goes_from_its_own_number(kind: str) -> None:
    claims = (note("a", 60, kind=kind), note("b", 60, kind=kind, role="second_party"))
    session = created("s1", 0, 60, claims)
    good = replay_facts(session, *requested(1))
    assert isinstance(good, Certificate) and (good.calls, good.routed, good.unfinished) == (1, 1, 0)
    assert rule_of(replay_facts(session, *requested(60))) is Rule.ROUTE
    assert rule_of(replay_facts(session, *requested(1, "+6599999999"))) is Rule.ROUTE
    unasked = [fact for fact in requested(1) if not isinstance(fact, CallRouted)]
    unasked[1] = LegDialed("c1", 2, T0 + 1, "a", "t")
    assert rule_of(replay_facts(session, *unasked)) is Rule.UNROUTED


def test_a_requested_call_names_both_parties_of_its_session() -> None:
    session = created("s1", 0, 60, both("a", "b", 60))
    assert rule_of(replay_facts(session, *requested(1), record=CallParties("a", "b"))) is None
    assert rule_of(replay_facts(session, *requested(1), record=CallParties("x", "b"))) is Rule.PARTY


def test_what_belongs_to_no_call_is_none_that_is_missing_its_end() -> None:
    found = replay_facts(
        CallNotStarted("c9", 1, T0, "s1", Cause.SHUTDOWN), RecordingCompleted("r", 1, T0, "c", 30, False),
        RecordingFailed("r2", 1, T0, "c", "lost"),
    )  # fmt: skip
    assert isinstance(found, Certificate) and (found.facts, found.calls, found.unfinished) == (3, 0, 0)
