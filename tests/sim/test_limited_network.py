"""Whole calls of an account with limits, through the engine: what they use, give back, and what a kill leaves of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from maskline.engine.ports import Shared
from maskline.masking.decision import Forward
from maskline.masking.facts import Cause, LegName, Outcome
from maskline.masking.limits import Limits, PrefixLimit
from maskline.masking.permit import Dialled, Permit
from maskline.masking.price import Direction, Price, charge
from maskline.masking.trunk_state import TrunkState
from maskline.masking.usage import Usage
from maskline.masking.usage_book import UsageBook
from maskline.masking.usage_day import Spoken
from tests.support.sim_restart import RestartedWorld
from tests.support.sim_scenario import Scenario

B = LegName.B
ACCOUNT = "MA1"
NEVER = 800.0
"""Seconds after which every call is over."""
PRICE = Price("p", None, Direction.OUTBOUND, "+", 60_000, 10_000, 6)
LIMITS = Limits(
    concurrent=1, number_concurrent=1, calls_per_second=1, attempts_per_session=2, minutes_per_day=600,
    spend_per_day=10**9, prefixes=(PrefixLimit("+65", 600),),
)  # fmt: skip
PERMIT = Permit(ACCOUNT, "+6531590001", "session-1", (Dialled(B, ("+65",), PRICE, "SG"),))


@dataclass
class LimitedWorld(RestartedWorld):
    dies_at: float = NEVER
    limits: Limits = LIMITS
    book: UsageBook = field(default_factory=UsageBook)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.core = self.empty_core()

    def kill(self, now: float) -> None:
        if self.dies_at < NEVER:
            super().kill(now)

    def shared(self) -> Shared:
        self.book = UsageBook()
        self.book.usage(ACCOUNT, self.limits, self.clock.now(), self.clock.wall())
        return Shared(TrunkState(), self.book)

    def way(self) -> Forward:
        return replace(super().way(), permit=PERMIT)

    @property
    def usage(self) -> Usage:
        usage = self.book.find(ACCOUNT)
        assert usage is not None
        return usage

    def looks(self, seconds: int) -> None:
        """As a server does once a second: end what has no minutes left."""
        for at in range(seconds):
            self.schedule(float(at), lambda now: (self.core.accounts.look(self.core.deliver, now), self.pump(now)))

    def next_call(self) -> Cause | None:
        return self.book.look(PERMIT, self.clock.now(), self.clock.wall())


def run(scenario: Scenario, seed: int = 1, **network: float) -> LimitedWorld:
    world = LimitedWorld(seed, scenario, compares=False, **network)  # type: ignore[arg-type]
    world.run()
    world.check_nothing_left()
    assert [str(fault) for fault in world.core.faults()] == []
    return world


def assert_used_as_recorded(world: LimitedWorld) -> None:
    leg = world.record.leg(B)
    talked = 0.0 if leg is None else leg.duration
    assert (world.usage.concurrent, world.book.calls) == (0, {})
    assert world.usage.seconds(world.clock.now()) == pytest.approx(talked, abs=0.002)
    spent = charge(PRICE, talked).amount if talked else 0
    assert world.usage.spent(world.clock.now()) == pytest.approx(spent, abs=1)


CALLS: dict[str, Scenario] = {
    "caller hangs up": Scenario(),
    "callee hangs up": Scenario(bob_bye=8.0, alice_bye=None),
    "time limit": Scenario(alice_bye=None),
    "caller gives up": Scenario(cancel_after=2.0),
    "callee dies": Scenario(bob_dies=4.0),
    "session ends while it rings": Scenario(session_ends=0.7),
    "prompts before": Scenario(caller_prompts=1, callee_prompts=1, alice_bye=8.0),
    "click to call": Scenario(click=True),
    "fallback": Scenario(kind="fallback"),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_uses_what_its_record_says_and_gives_its_place_back(name: str) -> None:
    world = run(CALLS[name])
    assert_used_as_recorded(world)
    assert world.next_call() is None, "one more try is left to the session"


@pytest.mark.parametrize("seed", range(12))
def test_on_a_bad_network_too(seed: int) -> None:
    world = run([*CALLS.values()][seed % len(CALLS)], seed, loss=0.15, duplication=0.1, jitter=0.05)
    assert_used_as_recorded(world)


def test_a_call_that_is_in_takes_its_place_and_another_gets_none() -> None:
    world = LimitedWorld(1, Scenario(), compares=False)
    found: list[Cause | None] = []
    for at in (0.3, 5.0):
        world.schedule(at, lambda _now: found.append(world.next_call()))
    world.run()
    assert found == [Cause.ACCOUNT_FULL, Cause.ACCOUNT_FULL]
    assert world.next_call() is None


def test_of_a_session_no_more_tries_are_begun_than_are_allowed() -> None:
    world = LimitedWorld(1, Scenario(), compares=False, limits=replace(LIMITS, attempts_per_session=1))
    world.run()
    assert world.next_call() is Cause.ACCOUNT_SPENT


@pytest.mark.parametrize("seconds", [2, 7])
def test_a_conversation_ends_when_the_minutes_are_used_up(seconds: int) -> None:
    limits = replace(LIMITS, minutes_per_day=1)
    world = LimitedWorld(1, Scenario(alice_bye=None), compares=False, limits=limits)
    world.usage.recall(world.clock.wall(), "", [Spoken(Dialled(B), 60.0 - seconds, 0, world.clock.wall())])
    world.looks(40)
    world.run()
    leg = world.record.leg(B)
    assert leg is not None
    assert world.record.cause is Cause.ACCOUNT_SPENT
    assert seconds <= leg.duration <= seconds + 1.5
    assert world.next_call() is Cause.ACCOUNT_SPENT


@pytest.mark.parametrize("dies_at", [0.7, 3.0, 6.5])
@pytest.mark.parametrize("outage", [0.0, 3.0])
def test_an_engine_that_was_killed_goes_on_counting_where_it_was(dies_at: float, outage: float) -> None:
    world = LimitedWorld(1, Scenario(alice_bye=None), dies_at=dies_at, outage=outage, compares=False)
    found: list[tuple[int, Cause | None]] = []
    world.schedule(dies_at + outage + 0.2, lambda _now: found.append((world.usage.concurrent, world.next_call())))
    world.run()
    assert [str(fault) for fault in world.core.faults()] == []
    talks = world.record.outcome is Outcome.COMPLETED
    assert found == [(1, Cause.ACCOUNT_FULL) if talks else (0, None)]
    assert_used_as_recorded(world)
    assert world.next_call() is None, "its one try counts once"
