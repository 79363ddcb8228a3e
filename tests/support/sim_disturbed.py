"""The simulated call with one thing happening in the middle of it, in each of its states in turn.

What it is: `DISTURBANCES`, name -> what happens; `DisturbedWorld`, a world whose driver, router and prompts take long
enough for a state to be met in its middle; `states_of`, when a story is in which state. What it is not: stories
(tests/sim/test_every_transition.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from maskline.engine.call_states import CallState
from maskline.sip.events import Flow
from maskline.sip.invite_usage import UsageState
from tests.support.call_machine import CALLEE, CALLER, sdp
from tests.support.engine_world import World
from tests.support.fuzz_targets import Live
from tests.support.sim_media import SimMedia
from tests.support.sim_scenario import ALICE, BOB, ENGINE


class SlowMedia(SimMedia):
    """Each step of the driver takes `pace` seconds."""

    pace = 0.5

    def _step(self, call_id: str, effect: object) -> None:
        self._free_at = max(self._world.clock.now(), self._free_at) + self.pace
        super()._step(call_id, effect)


@dataclass
class DisturbedWorld(World):
    pace: float = 0.5
    things: tuple[tuple[float, str], ...] = ()
    """(moment, name of a disturbance)."""
    states: list[tuple[float, CallState]] = field(default_factory=list)
    """When the call came into which."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.desk = SlowMedia(self, ENGINE.host)
        self.desk.pace = self.pace
        self.live = {
            flow: Live(number.digits.encode(), flow.host.encode()) for flow, number in ((ALICE, CALLER), (BOB, CALLEE))
        }
        self.deaf: set[tuple[Flow, bytes]] = set()
        """(who, beginning of a message) that never reaches it."""
        self.dull: tuple[tuple[float, str], ...] = ()
        """How BYE, INFO and re-INVITE of ours are answered in place of the phone: after how long, with what."""
        for moment, name in self.things:
            self.schedule(moment, lambda now, name=name: (DISTURBANCES[name](self, now), self.pump(now)))  # type: ignore[misc]

    def pump_engine(self, now: float) -> bool:
        busy = super().pump_engine(now)
        for call in list(self.core.calls.values())[:1]:
            if not self.states or self.states[-1][1] is not call.state:
                self.states.append((now, call.state))
        return busy

    def note(self, data: bytes, source: Flow, target: Flow) -> None:
        super().note(data, source, target)
        if target in self.live:
            self.live[target].note(data)

    def arrive(self, data: bytes, source: Flow, target: Flow, now: float) -> None:
        if any(target == who and data.startswith(word) for who, word in self.deaf):
            return
        if self.dull and target in self.live and data.startswith(b"BYE"):
            live = Live(b"x", target.host.encode())
            live.note(data)
            for after, status in self.dull:
                raw = live.fill(_ANSWER.replace(b"$status", status.encode()))
                self.schedule(after, lambda now, raw=raw: self.say(target, raw, now))  # type: ignore[misc]
            return
        super().arrive(data, source, target, now)

    def say(self, flow: Flow, text: bytes, now: float) -> None:
        """A message that no phone of ours would send."""
        self.core.receive(self.live[flow].fill(text), flow, now)
        self.pump(now)


_ANSWER = (
    b"SIP/2.0 $status\r\nVia: $via\r\nFrom: $from\r\nTo: $to\r\nCall-ID: $callid\r\nCSeq: $cseq\r\n"
    b"Content-Length: 0\r\n\r\n"
)
_REQUEST = (
    b"%s sip:x@203.0.113.1 SIP/2.0\r\nVia: SIP/2.0/UDP $host;branch=z9hG4bKraw%s%d\r\nFrom: %s\r\nTo: %s\r\n"
    b"Call-ID: $callid\r\nCSeq: %d %s\r\nContact: <sip:x@$host>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)
_OWN_BRANCH = (
    b"ACK sip:x@203.0.113.1 SIP/2.0\r\nVia: $via\r\nFrom: $from\r\nTo: $to\r\nCall-ID: $callid\r\nCSeq: $n ACK\r\n"
    b"Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


def _raw(
    flow: Flow, method: bytes, number: int = 900, *, ours: bool = False
) -> Callable[[DisturbedWorld, float], object]:
    """`ours`: the last we sent to this side was a response, so its From is the side's own."""

    def act(world: DisturbedWorld, now: float) -> None:
        ends = (b"$from", b"$to") if ours else (b"$to", b"$from")
        world.say(flow, _REQUEST % (method, method, number, *ends, number, method), now)

    return act


def _early_bye(who: str) -> Callable[[DisturbedWorld, float], object]:
    """By one that was called, before it answered."""

    def act(world: DisturbedWorld, now: float) -> None:
        phone = getattr(world, who)
        tag = phone.usage.id.encode() if phone.usage is not None else b"?"
        ends = b"$to;tag=" + tag, b"$from"
        world.say(phone.flow, _REQUEST % (b"BYE", b"BYE", 950, *ends, 950, b"BYE"), now)

    return act


def _after(delay: float, name: str) -> Callable[[DisturbedWorld, float], object]:
    def act(world: DisturbedWorld, now: float) -> None:
        world.schedule(delay, lambda now: (DISTURBANCES[name](world, now), world.pump(now)))

    return act


def _hang_up(who: str) -> Callable[[DisturbedWorld, float], object]:
    return lambda world, now: getattr(world, who).bye(now)


def _move(who: str, method: str, body: bytes) -> Callable[[DisturbedWorld, float], object]:
    def act(world: DisturbedWorld, now: float) -> None:
        phone = getattr(world, who)
        usage = phone.usage
        if (
            usage is not None
            and not usage.is_over
            and usage.dialog is not None
            and usage.state is not UsageState.CALLING
        ):
            phone.agent.request(usage, method, now, body=body, content_type="application/sdp" if body else "")

    return act


def _in_turn(*acts: Callable[[DisturbedWorld, float], object]) -> Callable[[DisturbedWorld, float], object]:
    def act(world: DisturbedWorld, now: float) -> None:
        for one in acts:
            one(world, now)

    return act


def _deaf(flow: Flow, word: bytes) -> Callable[[DisturbedWorld, float], object]:
    return lambda world, now: world.deaf.add((flow, word))


def _dull(*answers: tuple[float, str]) -> Callable[[DisturbedWorld, float], object]:
    def act(world: DisturbedWorld, now: float) -> None:
        world.dull = answers

    return act


def _end_the_process(world: DisturbedWorld, now: float) -> None:
    world.core.stop_calls(False, now)


def _fail_next_step(world: DisturbedWorld, now: float) -> None:
    world.scenario = type(world.scenario)(**{**vars(world.scenario), "media_fails_at": world.desk.steps})


_MOVED = sdp("198.51.100.7", 4012)
DISTURBANCES: dict[str, Callable[[DisturbedWorld, float], object]] = {
    "the process ends": _end_the_process,
    "the session ends": lambda world, now: world.core.session_ended("session-1", now),
    "the media is lost": lambda world, now: world.desk.lose(now),
    "the next media step fails": _fail_next_step,
    "the caller gives up": lambda world, now: world.alice.give_up(now),
    "the caller hangs up": _hang_up("alice"),
    "the callee hangs up": _hang_up("bob"),
    "BYE of the caller": _raw(ALICE, b"BYE"),
    "BYE of the caller, early": _raw(ALICE, b"BYE", 2, ours=True),
    "BYE of the callee": _raw(BOB, b"BYE"),
    "BYE of the callee, early": _raw(BOB, b"BYE", 2, ours=True),
    "the caller moves": _move("alice", "INVITE", _MOVED),
    "the caller moves by UPDATE": _move("alice", "UPDATE", _MOVED),
    "UPDATE of the caller, early": _raw(ALICE, b"UPDATE", 3, ours=True),
    "the caller asks for an offer": _move("alice", "INVITE", b""),
    "the caller moves and is not heard of": _in_turn(_move("alice", "INVITE", _MOVED), _deaf(ALICE, b"SIP/2.0 200")),
    "the callee moves": _move("bob", "INVITE", _MOVED),
    "the callee moves and is not heard of": _in_turn(_move("bob", "INVITE", _MOVED), _deaf(BOB, b"SIP/2.0 200")),
    "the caller presses a key": lambda world, now: world.alice.inform("7", now),
    "the caller asks what we refuse": _raw(ALICE, b"REFER"),
    "ACK under the INVITE's branch": lambda world, now: world.say(ALICE, _OWN_BRANCH, now),
    "nobody at the caller's": lambda world, now: world.core.flow_failed(ALICE, now),
    "nobody at the callee's": lambda world, now: world.core.flow_failed(BOB, now),
    "BYE is trying, then done": _dull((0.1, "100 x"), (0.2, "100 x"), (9.0, "200 x")),
    "BYE is trying, then refused": _dull((0.1, "100 x"), (1.0, "481 x")),
    "BYE is refused": _dull((0.1, "481 x")),
    "BYE is trying for ever": _dull((0.1, "100 x")),
    "the caller's phone hangs up early": _early_bye("alice"),
    "the callee's phone hangs up early": _early_bye("bob"),
    "the caller gives up as the callee's phone hangs up": _in_turn(
        lambda world, now: world.alice.give_up(now), _after(0.015, "the callee's phone hangs up early")
    ),
    "nobody at the callee's for our BYE": _in_turn(
        _dull((0.1, "100 x")),
        _hang_up("alice"),
        _after(0.05, "nobody at the callee's"),
    ),
    "nobody at the callee's, who tries": _in_turn(
        _dull((0.01, "100 x")),
        _hang_up("alice"),
        _after(0.5, "nobody at the callee's"),
    ),
    "both hang up": _in_turn(_hang_up("alice"), _after(0.015, "the callee hangs up")),
    "the callee hangs up while we do": _in_turn(_end_the_process, _hang_up("bob")),
    "the caller hangs up while we do": _in_turn(_end_the_process, _hang_up("alice")),
    "the caller moves while we hang up": _in_turn(
        _deaf(ALICE, b"BYE"), _end_the_process, _move("alice", "INVITE", _MOVED)
    ),
    "the caller moves as the next media step fails": _in_turn(_fail_next_step, _move("alice", "INVITE", _MOVED)),
    "our BYE crosses theirs": _in_turn(_deaf(ALICE, b"BYE"), _deaf(BOB, b"BYE")),
}


def states_of(world: DisturbedWorld) -> list[tuple[float, CallState]]:
    """The middle of each state that lasted, in order."""
    if not world.states:
        return []
    ends = [*[at for at, _ in world.states[1:]], world.clock.now()]
    return [((at + end) / 2, state) for (at, state), end in zip(world.states, ends, strict=True) if end - at > 0.02]
