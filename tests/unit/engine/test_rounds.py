"""Rounds of the loop: calls in progress first, new ones last, nobody for long."""

from __future__ import annotations

import pytest

from maskline.clock import VirtualClock
from maskline.engine.admission import Admission
from maskline.engine.counters import EngineCounters
from maskline.engine.rounds import FIRST, MAX_BYTES, MAX_MESSAGES, PATIENCE, ROUND, TAKEN_AT_ONCE, Rounds
from maskline.sip.flow import Flow

PEER = Flow("udp", "192.0.2.7", 5060)


class Desk:
    """Rounds on a clock that each message moves by `cost`."""

    def __init__(self, cost: float = 0.0) -> None:
        self.clock = VirtualClock()
        self.cost = cost
        self.done: list[str] = []
        self.admission = Admission(lambda *_: True, lambda: False, lambda: 0, EngineCounters())
        self.rounds = Rounds(self.admission, self.take, lambda: self.done.append("flush"), self.clock.now)

    def take(self, data: bytes, flow: Flow) -> None:
        self.done.append(data.decode())
        self.clock.advance(self.cost)

    def put(self, old: int = 0, new: int = 0, waited: float = 0.0) -> None:
        for _ in range(old):
            self.rounds.put(b"old", PEER)
        for _ in range(new):
            self.admission.put(b"new", PEER, self.clock.now() - waited)

    def serve(self, *, behind: bool = False) -> tuple[list[str], float | None]:
        self.done.clear()
        more = self.rounds.serve(behind)
        return list(self.done), more


def test_nothing_waits_for_nothing() -> None:
    assert Desk().serve() == ([], None)


def test_messages_of_calls_in_progress_come_before_new_calls_and_some_are_answered_at_once() -> None:
    desk = Desk()
    desk.put(old=TAKEN_AT_ONCE + 1, new=2)
    done, more = desk.serve()
    assert done == ["old"] * TAKEN_AT_ONCE + ["flush", "old", "flush", "new", "new", "flush"] and more is None


def test_a_round_ends_after_its_time_and_new_calls_wait_for_all_that_is_left() -> None:
    desk = Desk(cost=ROUND)
    desk.put(old=TAKEN_AT_ONCE + 1, new=1)
    assert desk.serve() == (["old"] * TAKEN_AT_ONCE + ["flush"], 0.0)
    assert desk.serve() == (["old", "flush", "new", "flush"], None)


def test_new_calls_have_less_time_than_the_others() -> None:
    desk = Desk(cost=FIRST)
    desk.put(new=3)
    assert desk.serve() == (["new", "flush"], 0.0)


def test_new_calls_wait_while_the_socket_may_hold_messages_of_others() -> None:
    desk = Desk()
    desk.put(new=1)
    assert desk.serve(behind=True) == ([], 0.0)
    assert desk.serve() == (["new", "flush"], None)


def test_one_new_call_that_has_waited_for_long_gets_its_turn_though_others_wait() -> None:
    desk = Desk(cost=ROUND)
    desk.put(old=2 * TAKEN_AT_ONCE, new=2, waited=PATIENCE)
    assert desk.serve() == (["old"] * TAKEN_AT_ONCE + ["flush", "new", "flush"], 0.0)


def test_what_is_there_can_be_taken_whole() -> None:
    desk = Desk(cost=1.0)
    desk.put(old=3 * TAKEN_AT_ONCE, new=1)
    desk.rounds.take_messages()
    assert desk.done.count("old") == 3 * TAKEN_AT_ONCE and not desk.rounds.messages and not desk.rounds.full


@pytest.mark.parametrize("size", [700, 65_000])
def test_what_waits_is_bounded_in_messages_and_in_bytes(size: int) -> None:
    desk, data = Desk(), bytes(size)
    held = 0
    while not desk.rounds.full:
        desk.rounds.put(data, PEER)
        held += 1
    assert held == min(MAX_MESSAGES, -(-MAX_BYTES // size))
    desk.rounds.take_messages()
    assert not desk.rounds.full and not desk.rounds.messages
    desk.put(old=MAX_MESSAGES - 1)
    assert not desk.rounds.full, "what was read is held no more"
