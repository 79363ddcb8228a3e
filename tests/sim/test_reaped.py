"""Calls whose other side vanished are always reaped: whoever falls silent, and whatever the call was doing.

Each row takes somebody away for good at one moment of a call: a phone, its connection, one kind of message, the
customer's application, the store, the media driver. After a bounded time no call, leg, transaction, timer or port is
left, the session is free, and there is one record with one end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from maskline.engine.reaper import EVERY, LONGEST, StuckCall
from maskline.masking.facts import Cause, Outcome
from maskline.sip.events import Flow
from tests.support.engine_world import World
from tests.support.sim_scenario import B_SDP, RIGHT_PIN, Scenario

DIAL = Scenario(kind="flow", flow=("dial",), alice_bye=None, bob_bye=10.0)
LONG = Scenario(alice_bye=None, bob_bye=None)
PATIENT = 64 * 0.5
"""Seconds after which SIP gives up on a message."""
STUCK = LONGEST + 2 * EVERY
"""Until a call without any timer is found."""


class Vanishing(World):
    """A world from which things disappear."""

    idle_at = 0.0
    """When the engine had last anything to do with a call."""

    def without(self, gone: Callable[[bytes, Flow, Flow], bool]) -> None:
        """Messages that are lost from now on."""
        carry = self.carry

        def lose(data: bytes, source: Flow, target: Flow, now: float) -> None:
            if not gone(data, source, target):
                carry(data, source, target, now)

        self.carry = lose  # type: ignore[method-assign]

    def mute(self, *names: str) -> Callable[[float], None]:
        """Takes phones away."""

        def now_gone(now: float) -> None:
            flows = [getattr(self, name).flow for name in names]
            self.without(lambda data, source, target: source in flows or target in flows)

        return now_gone

    def lose_connection(self, name: str) -> Callable[[float], None]:
        """The same, and the system says so, as of a TCP connection that is reset."""

        def now_gone(now: float) -> None:
            self.mute(name)(now)
            self.core.flow_failed(getattr(self, name).flow, now)
            self.pump(now)

        return now_gone

    def lose_method(self, method: bytes) -> Callable[[float], None]:
        """Requests of this method, from anybody to anybody."""
        return lambda now: self.without(lambda data, source, target: data.startswith(method + b" "))

    def lose_answers(self, method: bytes) -> Callable[[float], None]:
        end = b" " + method + b"\r\n"
        return lambda now: self.without(
            lambda data, source, target: (
                data.startswith(b"SIP/2.0 ") and end in data.partition(b"\r\n\r\n")[0] + b"\r\n"
            )
        )

    def lose_router(self, now: float) -> None:
        """Whatever is asked from now on, and what is being asked."""
        self.ask = lambda *_: None  # type: ignore[method-assign]
        self.asked.clear()
        self.withdraw = lambda call_id: None  # type: ignore[method-assign]

    def lose_driver(self, now: float) -> None:
        """It takes everything and says nothing any more, nor does what it is asked."""
        self.desk.take = lambda call_id, effect: None  # type: ignore[method-assign]
        self.desk._result = lambda call_id, effect, fails: None  # type: ignore[assignment, method-assign, return-value]
        self.desk.open.clear()

    def step(self, now: float) -> None:
        super().step(now)
        if self.core.calls or any(self.core.agent.sizes().values()):
            self.idle_at = now


@dataclass(frozen=True)
class Row:
    scenario: Scenario
    at: float
    """When it happens."""
    what: Callable[[Vanishing], Callable[[float], None]]
    within: float
    """Seconds after it until all is over: what SIP, the session or the call allow at most."""
    cause: Cause | None
    """None: it depends on who gives up first, or there is no record, since nobody could tell whose call it was."""
    stuck: bool = False
    """Only the last resort finds it."""


def muted(*names: str) -> Callable[[Vanishing], Callable[[float], None]]:
    return lambda world: world.mute(*names)


def cut(name: str) -> Callable[[Vanishing], Callable[[float], None]]:
    return lambda world: world.lose_connection(name)


def unheard(method: bytes) -> Callable[[Vanishing], Callable[[float], None]]:
    return lambda world: world.lose_method(method)


def unanswered(method: bytes) -> Callable[[Vanishing], Callable[[float], None]]:
    return lambda world: world.lose_answers(method)


RING, LIMIT = 20.0, 60.0
ROWS = {
    # -- phones ---------------------------------------------------------------------------------------------------
    "the callee before anything": Row(LONG, 0.0, muted("bob"), RING + 2 * PATIENT, Cause.RING_TIMEOUT),
    "the callee while it rings": Row(LONG, 2.0, muted("bob"), RING + 2 * PATIENT, Cause.RING_TIMEOUT),
    "the callee in early media": Row(
        replace(LONG, rings=((1.0, 183, B_SDP),), verdict=None), 2.0, muted("bob"), RING + 2 * PATIENT,
        Cause.RING_TIMEOUT,
    ),
    "the callee while they talk": Row(LONG, 6.0, muted("bob"), LIMIT + PATIENT, Cause.CALL_TIME_LIMIT),
    "the caller at once": Row(
        replace(LONG, verdict=None), 0.02, muted("alice"), RING + 2 * PATIENT, Cause.RING_TIMEOUT
    ),
    "the caller while it rings": Row(LONG, 2.0, muted("alice"), 3 * PATIENT, Cause.ACK_TIMEOUT),
    "the caller while they talk": Row(LONG, 6.0, muted("alice"), LIMIT + PATIENT, Cause.CALL_TIME_LIMIT),
    "both while they talk": Row(LONG, 6.0, muted("alice", "bob"), LIMIT + PATIENT, Cause.CALL_TIME_LIMIT),
    "both, and the media tell": Row(
        replace(LONG, media_event=10.0), 6.0, muted("alice", "bob"), 4 + PATIENT, None
    ),
    "the callee while a hold is agreed": Row(
        replace(LONG, presses=((3.0, "alice", "sendonly"),)), 6.06, muted("bob"), 2 * PATIENT + 1, Cause.REQUEST_TIMEOUT
    ),
    "the first party of a click": Row(replace(LONG, click=True), 0.5, muted("alice"), RING + 2 * PATIENT, None),
    "a caller that enters a PIN": Row(
        replace(LONG, pins=("1", RIGHT_PIN)), 1.0, muted("alice"), LIMIT + 2 * PATIENT, None
    ),
    "a caller that an application talks to": Row(
        replace(DIAL, flow=("say", "dial")), 1.0, muted("alice"), LIMIT + 2 * PATIENT, None
    ),
    # -- connections ----------------------------------------------------------------------------------------------
    "the callee's connection while it rings": Row(LONG, 2.0, cut("bob"), RING + 2 * PATIENT, None),
    "the callee's connection while they talk": Row(LONG, 6.0, cut("bob"), LIMIT + PATIENT, None),
    "the caller's connection while it rings": Row(LONG, 2.0, cut("alice"), 3 * PATIENT, None),
    "the caller's connection while they talk": Row(LONG, 6.0, cut("alice"), LIMIT + PATIENT, None),
    # -- messages -------------------------------------------------------------------------------------------------
    "the ACK": Row(LONG, 0.0, unheard(b"ACK"), 4.0 + 2 * PATIENT, None),
    "the PRACK": Row(replace(LONG, reliable=True), 0.0, unheard(b"PRACK"), 4 * PATIENT, None),
    "the BYE": Row(Scenario(), 0.0, unheard(b"BYE"), LIMIT + 2 * PATIENT, Cause.CALL_TIME_LIMIT),
    "answers to a BYE": Row(Scenario(), 0.0, unanswered(b"BYE"), 12.0 + PATIENT, Cause.NORMAL),
    "the CANCEL": Row(replace(LONG, cancel_after=2.0), 0.0, unheard(b"CANCEL"), LIMIT + 3 * PATIENT, None),
    "answers to a CANCEL": Row(
        replace(LONG, cancel_after=2.0), 0.0, unanswered(b"CANCEL"), 2.0 + 2 * PATIENT, Cause.CANCELED
    ),
    "the callee, that is cancelled then": Row(
        replace(LONG, cancel_after=2.5), 2.0, muted("bob"), 3 * PATIENT, Cause.CANCELED
    ),
    "renewals of the session": Row(
        replace(LONG, session=90), 0.0, unheard(b"UPDATE"), LIMIT + 2 * PATIENT, None
    ),
    # -- ours -----------------------------------------------------------------------------------------------------
    "the router": Row(LONG, 0.0, lambda world: world.lose_router, STUCK + PATIENT, None, stuck=True),
    "the router, and the caller leaves": Row(
        replace(LONG, cancel_after=2.0), 0.0, lambda world: world.lose_router, STUCK + PATIENT, None, stuck=True
    ),
    "the application": Row(
        replace(DIAL, flow=("say",), replies=(("dial",),), action_id="x"), 3.0, lambda world: world.lose_router,
        LIMIT + STUCK + PATIENT, None,
    ),
    "the media driver before it has ports": Row(
        LONG, 0.0, lambda world: world.lose_driver, 2 * STUCK + PATIENT, Cause.INTERNAL_ERROR, stuck=True
    ),
    "the media driver while it rings": Row(
        LONG, 2.0, lambda world: world.lose_driver, 2 * STUCK + 2 * PATIENT, Cause.INTERNAL_ERROR, stuck=True
    ),
    "the media driver while they talk": Row(
        Scenario(), 6.0, lambda world: world.lose_driver, 12.0 + STUCK + PATIENT, Cause.NORMAL, stuck=True
    ),
    "the media driver while a change is attached": Row(
        replace(LONG, alice_hold=2.0, bob_bye=20.0), 4.0, lambda world: world.lose_driver, 20.0 + STUCK + PATIENT,
        None, stuck=True,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
@pytest.mark.parametrize("seed", [1, 2])
def test_whoever_vanishes_the_call_is_over_in_bounded_time(name: str, seed: int) -> None:
    row = ROWS[name]
    world = Vanishing(seed, row.scenario)
    vanish = row.what(world)
    world.schedule(row.at, vanish)
    for second in range(600):
        world.schedule(float(second), world.core.reaper.look)
    world.run(until=4000.0)
    assert world.idle_at <= row.at + row.within, (world.idle_at, world.facts[-1:])
    check_nothing_left(world, row)


def check_nothing_left(world: Vanishing, row: Row) -> None:
    core = world.core
    faults = core.faults()
    assert [type(fault) for fault in faults] == [StuckCall] * len(faults) and bool(faults) == row.stuck, faults
    assert not core.calls and core.next_deadline() is None and not any(core.agent.sizes().values())
    assert not world.desk.open
    assert not core._book._in_session and not core._book._session_of and not core._book._alike and not core.gate._places
    names = [fact.name for fact in world.facts]
    records = [commit.record for commit in world.commits if commit.record is not None]
    known = "CallReceived" in names or "CallRequested" in names
    assert names.count("CallEnded") == len(records) == known
    if row.cause is not None:
        assert records[0].cause is row.cause, records[0].cause
    if records:
        legs = 1 + (("LegDialed" in names and not row.scenario.click) or names.count("LegDialed") == 2)
        assert names.count("LegEnded") == len(records[0].legs) == legs
        assert records[0].outcome in Outcome and (records[0].session_id in (None, "session-1"))


def test_a_call_that_is_in_order_is_not_found() -> None:
    """Hours of a conversation, and the longest end there is."""
    world = Vanishing(1, Scenario(alice_bye=50.0))
    world.schedule(0.0, world.lose_answers(b"BYE"))
    for second in range(600):
        world.schedule(float(second), world.core.reaper.look)
    world.run()
    assert world.core.faults() == [] and world.record.cause is Cause.NORMAL
