"""Which fact of a session's call is told as which Plivo event, in each generation of the published page.

What it is: the table of plivo-vts.md §7.1. What it is not: bodies (`plivo.py`). Who uses it: `plivo.py`,
`workflows/build_outbox.py`, the reference generator.

Decisions (docs/decisions/0022-plivo-event-generations.md): in event names "FirstParty" is the party that started the
call (leg A) and "SecondParty" the one dialled (leg B), see decision 0005. `SessionVirtualNumberReplaced` is sent in
every generation: it follows an operator's act only, and who is not told goes on showing a number that is being
given back. Nothing is told of a call that came after its session ended: such a call is no longer the session's (§6.1,
"no active session: not forwarded"), though its record is kept. A call that was the session's before is told to its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import product

from maskline.masking.facts import (
    CallEnded,
    CallNotStarted,
    CallRouted,
    Cause,
    Fact,
    LegAnswered,
    LegDialed,
    LegEnded,
    LegName,
    LegRinging,
    PinChecked,
)

SESSION_TIMEOUT = "SessionTimeout"
PARAM_UPDATE = "SessionParamUpdate"
PIN_STATUS = "SessionPinAuthenticationStatus"
NUMBER_REPLACED = "SessionVirtualNumberReplaced"
PARTIES_HANGUP = "SessionPartiesHangup"


class Generation(StrEnum):
    """Which edition of the event list a receiver was written for."""

    FIRST = "2023"
    SECOND = "2024"
    THIRD = "2025"
    CURRENT = "current"
    ALL = "all"
    """Every event of every edition: some things are told twice, under both names."""


_EVERY = frozenset(Generation)
_FIRST = frozenset({Generation.FIRST, Generation.ALL})
_LATER = _EVERY - {Generation.FIRST}
_CURRENT = frozenset({Generation.CURRENT, Generation.ALL})

SESSION_EVENTS: dict[str, frozenset[Generation]] = {
    SESSION_TIMEOUT: _LATER,
    PARAM_UPDATE: _LATER,
    PIN_STATUS: _LATER,
    NUMBER_REPLACED: _EVERY,
    PARTIES_HANGUP: _CURRENT,
}
"""Events that are not about one leg. `SessionParamUpdate` is named by the 2024 page in its note on SequenceNumber."""


@dataclass(frozen=True, slots=True)
class LegEvent:
    """One row: this fact of this leg is told as this event."""

    event: str
    fact: type[Fact]
    leg: str
    """Empty where the fact is about the whole call."""
    generations: frozenset[Generation]
    answered: bool | None = None
    """For `LegEnded`: of a leg that was answered, or that never was; None: both."""
    requested: bool | None = None
    """In calls that the platform starts (click-to-call), or in those of a caller; None: both."""


_ENDS = (LegEnded, CallEnded, CallNotStarted)
A, B = LegName.A, LegName.B
LEG_EVENTS = (
    LegEvent("SessionFirstPartyInitiated", CallRouted, "", _FIRST, requested=False),
    LegEvent("SessionVirtualNumberAnswer", CallRouted, "", _FIRST, requested=False),
    LegEvent("SessionFirstPartyInitiated", LegDialed, A, _FIRST),
    LegEvent("SessionFirstPartyRinging", LegRinging, A, _FIRST),
    LegEvent("SessionSecondPartyInitiated", LegDialed, B, _FIRST),
    LegEvent("SessionFirstPartyRinging", LegRinging, B, _FIRST, requested=False),
    LegEvent("SessionSecondPartyRing", LegRinging, B, _EVERY),
    LegEvent("SessionSecondPartyAnswer", LegAnswered, B, _EVERY),
    LegEvent("SessionFirstPartyAnswer", LegAnswered, A, _EVERY),
    LegEvent("SessionSecondPartyComplete", LegEnded, B, _FIRST, answered=True),
    LegEvent("SessionSecondPartyFailed", LegEnded, B, _FIRST, answered=False),
    LegEvent("SessionSecondPartyHangup", LegEnded, B, _LATER),
    LegEvent("SessionFirstPartyComplete", LegEnded, A, _FIRST, answered=True),
    LegEvent("SessionFirstPartyFailed", LegEnded, A, _FIRST, answered=False),
    LegEvent("SessionFirstPartyHangup", LegEnded, A, _LATER),
    LegEvent("SessionFirstPartyFailed", CallNotStarted, "", _FIRST),
    LegEvent("SessionFirstPartyHangup", CallNotStarted, "", _LATER),
    LegEvent(PARTIES_HANGUP, CallEnded, "", _CURRENT),
)
"""Several rows of one fact are told in this order. A caller's side rings when the callee's does: there is no ring of
its own. A first party that we call is initiated and rings by itself, and no virtual number answers. A leg that was
dialled and never answered ends with its Hangup event too; the cause tells."""


def _either(flag: bool | None) -> tuple[bool, ...]:
    return (False, True) if flag is None else (flag,)


class EventTable:
    """The table of one generation, ready for look-up."""

    __slots__ = ("_by_fact", "facts", "facts_with_pins", "generation")

    def __init__(self, generation: Generation) -> None:
        self.generation = generation
        by_fact: dict[tuple[type[Fact], str, bool, bool], tuple[str, ...]] = {}
        for row in LEG_EVENTS:
            if generation in row.generations:
                for answered, requested in product(_either(row.answered), _either(row.requested)):
                    key = (row.fact, str(row.leg), answered, requested)
                    by_fact[key] = (*by_fact.get(key, ()), row.event)
        self._by_fact = by_fact
        self.facts = frozenset(fact for fact, *_ in by_fact)
        """Kinds of facts that are told at all."""
        self.facts_with_pins = self.facts | {CallRouted, PinChecked}
        """The same for a session with PINs, where each call has its PIN status."""

    def names(
        self, fact: Fact, answered: bool, requested: bool = False, *, begun: bool = False
    ) -> tuple[str, ...]:  # fmt: skip
        """What this fact of a session's call is told as; `answered`: whether its leg ever was; `requested`: whether we
        started the call; `begun`: whether something was told of the call before, or one of its legs was dialled."""
        if not begun and isinstance(fact, _ENDS) and fact.cause is Cause.SESSION_EXPIRED:
            return ()
        leg = getattr(fact, "leg", "")
        return self._by_fact.get((type(fact), leg, answered, requested), ())

    def tells(self, event: str) -> bool:
        """Whether an event of `SESSION_EVENTS` is sent."""
        return self.generation in SESSION_EVENTS[event]
