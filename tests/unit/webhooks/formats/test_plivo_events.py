"""Which fact is told as which event, in each generation (plivo-vts.md §7.1)."""

from __future__ import annotations

import pytest

from maskline.masking.facts import (
    CallEnded,
    CallNotStarted,
    CallReceived,
    CallRouted,
    Cause,
    Fact,
    HungUpBy,
    LegAnswered,
    LegDialed,
    LegEnded,
    LegName,
    LegRinging,
    Outcome,
)
from maskline.webhooks.formats.plivo_events import LEG_EVENTS, SESSION_EVENTS, EventTable, Generation

A, B = LegName.A, LegName.B
FIRST, SECOND, THIRD, CURRENT, ALL = Generation


def ended(leg: LegName, cause: Cause = Cause.NORMAL) -> LegEnded:
    return LegEnded("call", 7, 0.0, leg, Outcome.COMPLETED, cause, 200, HungUpBy.CALLER)


FACTS: dict[str, Fact] = {
    "received": CallReceived("call", 1, 0.0, "trunk", "+1"),
    "routed": CallRouted("call", 2, 0.0, "session", "first_party"),
    "dialled": LegDialed("call", 3, 0.0, B, "trunk"),
    "rings": LegRinging("call", 4, 0.0, B, False),
    "b answered": LegAnswered("call", 5, 0.0, B),
    "a answered": LegAnswered("call", 6, 0.0, A),
    "b ended": ended(B),
    "a ended": ended(A),
    "call ended": CallEnded("call", 9, 0.0, Outcome.COMPLETED, Cause.NORMAL, HungUpBy.CALLER),
}
ANSWERED_CALL = {
    FIRST: [
        "SessionFirstPartyInitiated", "SessionVirtualNumberAnswer", "SessionSecondPartyInitiated",
        "SessionFirstPartyRinging", "SessionSecondPartyRing", "SessionSecondPartyAnswer", "SessionFirstPartyAnswer",
        "SessionSecondPartyComplete", "SessionFirstPartyComplete",
    ],
    SECOND: [
        "SessionSecondPartyRing", "SessionSecondPartyAnswer", "SessionFirstPartyAnswer", "SessionSecondPartyHangup",
        "SessionFirstPartyHangup",
    ],
}  # fmt: skip
ANSWERED_CALL[THIRD] = ANSWERED_CALL[SECOND]
ANSWERED_CALL[CURRENT] = [*ANSWERED_CALL[SECOND], "SessionPartiesHangup"]


@pytest.mark.row("7.1/ring and answer", "7.1/hangup", "6.1/virtual number leg", "7.1/the default set")
@pytest.mark.row("7.1/events of the first generation", "7.1/SessionPartiesHangup")
@pytest.mark.parametrize("generation", ANSWERED_CALL)
def test_an_answered_call_is_told_as_its_generation_does(generation: Generation) -> None:
    table = EventTable(generation)
    told = [name for fact in FACTS.values() for name in table.names(fact, isinstance(fact, LegEnded))]
    assert told == ANSWERED_CALL[generation]


@pytest.mark.row("7.1/events of the first generation")
def test_the_first_generation_says_failed_of_a_leg_that_was_never_answered() -> None:
    table = EventTable(FIRST)
    assert table.names(ended(B, Cause.BUSY), False) == ("SessionSecondPartyFailed",)
    assert table.names(ended(A, Cause.BUSY), False) == ("SessionFirstPartyFailed",)
    assert EventTable(SECOND).names(ended(B, Cause.BUSY), False) == ("SessionSecondPartyHangup",)


def test_all_tells_everything_that_any_generation_tells() -> None:
    every = {row.event for row in LEG_EVENTS}
    table = EventTable(ALL)
    told = {name for fact in FACTS.values() for answered in (True, False) for name in table.names(fact, answered)}
    assert told == every
    assert all(table.tells(event) for event in SESSION_EVENTS)


@pytest.mark.row("7.1/SessionTimeout", "7.1/SessionVirtualNumberReplaced", "7.1/SessionParamUpdate")
@pytest.mark.row("7.1/SessionPinAuthenticationStatus", "7.1/SessionPartiesHangup")
@pytest.mark.parametrize(
    ("event", "generations"),
    [
        ("SessionTimeout", {SECOND, THIRD, CURRENT, ALL}),
        ("SessionParamUpdate", {SECOND, THIRD, CURRENT, ALL}),
        ("SessionPinAuthenticationStatus", {SECOND, THIRD, CURRENT, ALL}),
        ("SessionVirtualNumberReplaced", set(Generation)),
        ("SessionPartiesHangup", {CURRENT, ALL}),
    ],
)
def test_events_of_no_leg_are_sent_by_generation(event: str, generations: set[Generation]) -> None:
    assert {generation for generation in Generation if EventTable(generation).tells(event)} == generations


@pytest.mark.parametrize("generation", Generation)
def test_a_call_refused_because_its_session_was_over_is_not_told(generation: Generation) -> None:
    table = EventTable(generation)
    assert table.names(ended(A, Cause.SESSION_EXPIRED), False) == ()
    over = CallEnded("call", 3, 0.0, Outcome.REJECTED, Cause.SESSION_EXPIRED, HungUpBy.PLATFORM)
    assert table.names(over, False) == ()


@pytest.mark.parametrize("generation", Generation)
def test_a_call_that_had_begun_is_told_to_its_end_when_its_session_is_over(generation: Generation) -> None:
    table = EventTable(generation)
    over = CallEnded("call", 3, 0.0, Outcome.FAILED, Cause.SESSION_EXPIRED, HungUpBy.PLATFORM)
    normal = CallEnded("call", 3, 0.0, Outcome.COMPLETED, Cause.NORMAL, HungUpBy.CALLER)
    assert table.names(over, False, begun=True) == table.names(normal, False)
    for leg in (A, B):
        for answered in (False, True):
            told = table.names(ended(leg, Cause.SESSION_EXPIRED), answered, True, begun=True)
            assert told == table.names(ended(leg), answered, True) != ()


@pytest.mark.parametrize("generation", Generation)
def test_a_requested_call_that_never_began_is_not_told_when_its_session_is_over(generation: Generation) -> None:
    table = EventTable(generation)
    assert table.names(CallNotStarted("call", 1, 0.0, "s", Cause.SESSION_EXPIRED), False) == ()
    assert table.names(CallNotStarted("call", 1, 0.0, "s", Cause.SHUTDOWN), False) != ()


def test_a_first_party_that_we_call_is_initiated_and_rings_by_itself_where_a_caller_does_with_the_callee() -> None:
    ring, routed = LegRinging("call", 3, 0.0, B, False), CallRouted("call", 2, 0.0, "s", "first_party", "request")
    first, later = EventTable(Generation.FIRST), EventTable(Generation.SECOND)
    assert first.names(ring, False) == ("SessionFirstPartyRinging", "SessionSecondPartyRing")
    assert first.names(ring, False, True) == ("SessionSecondPartyRing",)
    assert first.names(routed, False) == ("SessionFirstPartyInitiated", "SessionVirtualNumberAnswer")
    assert first.names(routed, False, True) == ()
    assert first.names(LegDialed("call", 3, 0.0, A, "t"), False, True) == ("SessionFirstPartyInitiated",)
    own = LegRinging("call", 3, 0.0, A, False)
    assert (first.names(own, False, True), later.names(own, False, True)) == (("SessionFirstPartyRinging",), ())
