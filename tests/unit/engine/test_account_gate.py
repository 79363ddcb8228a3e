"""engine.account_gate: what calls use of their accounts' limits, from their beginning to their end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskline.clock import VirtualClock
from maskline.engine import inputs as i
from maskline.engine.account_gate import AccountGate
from maskline.engine.call_kept import VERSION, KeptCall, KeptContext, KeptRecord, KeptTrack, write_call
from maskline.engine.call_kept_read import read_call
from maskline.masking.decision import Dial, RunFlow
from maskline.masking.facts import Cause, HungUpBy, LegAnswered, LegEnded, LegName, LegRinging, Outcome
from maskline.masking.limits import Limits, PrefixLimit
from maskline.masking.permit import Dialled, Permit
from maskline.masking.price import Direction, Price
from maskline.masking.session import SessionOptions
from maskline.masking.usage import Usage
from maskline.masking.usage_book import UsageBook
from tests.support.call_machine import CALLEE, CALLER, NUMBER, SAY, TRUNK_B, forward

A, B = LegName.A, LegName.B
PERMIT = Permit("MA1", "+6531590001", "s", (Dialled(B),))
DEAR = Permit(
    "MA1", "+6531590001", "s",
    (Dialled(B, ("+65",), Price("p", None, Direction.OUTBOUND, "+", 60_000, 10_000, 6), "SG"),),
)  # fmt: skip
TRACK = KeptTrack("leg-a", True, "trunk-1", 10.5, None, None)
KEPT = KeptCall(
    VERSION, "call-1", 1234.5, KeptContext(NUMBER, "s", None, CALLEE, ""),
    KeptRecord(3, 10.5, CALLER, CALLEE, None, None, False, TRACK, TRACK),
)  # fmt: skip


class World:
    def __init__(self, limits: Limits) -> None:
        clock = self.clock = VirtualClock()
        self.book = UsageBook()
        self.usage: Usage = self.book.usage("MA1", limits, 0.0, clock.wall())
        self.gate = AccountGate(self.book, clock)
        self.ended: list[tuple[str, i.Input, float]] = []

    def look(self, now: float) -> list[tuple[str, i.Input, float]]:
        self.ended.clear()
        self.gate.look(lambda *one: self.ended.append(one), now)
        return self.ended

    def answered(self, call_id: str, leg: LegName, now: float) -> None:
        self.gate.note(call_id, [LegRinging(call_id, 1, now, leg, False), LegAnswered(call_id, 2, now, leg)], now)

    def over(self, call_id: str, leg: LegName, now: float) -> None:
        fact = LegEnded(call_id, 3, now, leg, Outcome.COMPLETED, Cause.NORMAL, 200, HungUpBy.CALLEE)
        self.gate.note(call_id, [fact], now)


@pytest.fixture
def world() -> World:
    return World(Limits(concurrent=1, minutes_per_day=1))


def dial(**changes: object) -> Dial:
    return replace(Dial(CALLEE, NUMBER.number, trunk=TRUNK_B, permit=PERMIT), **changes)  # type: ignore[arg-type]


def test_a_call_without_a_permit_enters_and_is_not_counted(world: World) -> None:
    forwarded = i.Forwarded(forward())
    assert world.gate.admit("c", forwarded, 0.0) is forwarded
    world.answered("c", B, 0.0)
    world.gate.leave("c", 1.0)
    assert not world.book.calls


def test_a_call_that_comes_too_late_for_the_last_place_is_refused(world: World) -> None:
    forwarded = i.Forwarded(replace(forward(), permit=PERMIT))
    assert world.gate.admit("c", forwarded, 0.0) is forwarded
    refused = world.gate.admit("d", forwarded, 0.0)
    assert isinstance(refused, i.Refused)
    assert (refused.decision.cause, refused.decision.session) == (Cause.ACCOUNT_FULL, forwarded.decision.session)
    assert world.book.refused[Cause.ACCOUNT_FULL] == 1
    world.gate.leave("c", 1.0)
    assert world.gate.admit("d", forwarded, 0.0) is forwarded


def test_minutes_run_from_the_answer_to_the_end_of_a_leg(world: World) -> None:
    world.gate.take("c", PERMIT, 0.0)
    world.answered("c", A, 5.0)
    world.answered("c", B, 10.0)
    world.over("c", B, 40.0)
    world.gate.leave("c", 50.0)
    assert world.usage.seconds(50.0) == 30


def test_a_call_whose_minutes_are_used_up_is_ended(world: World) -> None:
    world.gate.take("c", PERMIT, 0.0)
    world.answered("c", B, 0.0)
    assert world.look(59.0) == []
    assert world.look(60.0) == [("c", i.Stopped(Cause.ACCOUNT_SPENT), 60.0)]


def test_a_call_flow_dials_what_its_limits_allow_and_fails_at_the_rest(world: World) -> None:
    flow = RunFlow(NUMBER, (SAY, dial()), SessionOptions())
    assert world.gate.admit_flow("c", flow, 0.0) == flow
    said, refused = world.gate.admit_flow("d", flow, 0.0).steps
    assert said is SAY
    assert isinstance(refused, Dial)
    assert (refused.refused, refused.trunk) == (Cause.ACCOUNT_FULL, None)


def test_a_call_flow_that_dials_nothing_or_without_limits_is_left_alone(world: World) -> None:
    for step in (SAY, dial(permit=None)):
        flow = RunFlow(NUMBER, (step,), SessionOptions())
        assert world.gate.admit_flow("c", flow, 0.0) is flow


def test_the_first_leg_of_a_flow_by_api_counts_as_such(world: World) -> None:
    flow = RunFlow(NUMBER, (dial(), dial()), SessionOptions())
    world.gate.admit_flow("c", flow, 0.0, A)
    world.answered("c", A, 0.0)
    world.answered("c", B, 10.0)
    assert world.usage.seconds(20.0) == 30


def test_a_call_counts_by_what_it_dials_and_not_by_what_stands_behind_that() -> None:
    """A leg is dialled once: a cheap number behind a dear one in the same flow must not hide it."""
    price = Price("p", None, Direction.OUTBOUND, "+", 60_000, 0, 1)
    world = World(Limits(prefixes=(PrefixLimit("+882", 1),), spend_per_day=1_000_000))
    dear = dial(permit=replace(PERMIT, dialled=(Dialled(B, ("+882",), price),)))
    world.gate.admit_flow("c", RunFlow(NUMBER, (SAY, dear, dial(), dial()), SessionOptions()), 0.0)
    world.answered("c", B, 0.0)
    assert world.usage.spent(30.0) >= 30_000
    assert world.look(61.0) == [("c", i.Stopped(Cause.ACCOUNT_SPENT), 61.0)]


def test_a_call_of_an_engine_that_died_uses_what_it_used_before(world: World) -> None:
    world.gate.take("c", DEAR, 0.0)
    assert world.gate.permit_of(KEPT.call_id) is None, "another call"
    kept = KEPT._replace(call_id="c", permit=world.gate.permit_of("c"))
    assert kept.permit == DEAR
    assert read_call(write_call(kept)) == kept
    at = world.clock.wall(0.0)
    answered = kept._replace(
        record=kept.record._replace(started_at=at, b=kept.record.b._replace(answered_at=at + 10.0))
    )  # fmt: skip
    after = World(Limits(concurrent=1, minutes_per_day=1))
    after.gate.restore(KEPT, 0.0)
    assert not after.book.calls
    after.gate.restore(answered, 40.0)
    assert (after.usage.concurrent, after.usage.seconds(40.0)) == (1, 30)
    assert after.gate.take("d", PERMIT, 40.0) is Cause.ACCOUNT_FULL
    assert after.look(70.0) == [("c", i.Stopped(Cause.ACCOUNT_SPENT), 70.0)]


def test_of_an_account_that_has_no_limits_any_more_nothing_is_restored() -> None:
    world = World(Limits())
    world.gate.restore(KEPT._replace(permit=replace(PERMIT, account_id="MA2")), 0.0)
    assert not world.book.calls
