"""One call machine without SIP: ready-made parties, decisions and bodies, and a driver that remembers effects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.call import Call, CallPolicy
from maskline.engine.call_media import CallMedia
from maskline.engine.call_record_builder import CallRecordBuilder
from maskline.engine.leg import Leg
from maskline.masking.call_flow import Capture, PlayFile, Say
from maskline.masking.call_record import CallRecord
from maskline.masking.decision import (
    AskPin,
    Dial,
    Forward,
    PinRules,
    RunFlow,
    StartCall,
    StartFlow,
    Step,
    VirtualNumber,
)
from maskline.masking.e164 import Number
from maskline.masking.facts import Fact, LegName
from maskline.masking.prompt import Prompt
from maskline.masking.session import Role, Session, SessionOptions
from maskline.masking.trunk import Trunk
from maskline.media.port import LocalMedia

CALLER, CALLEE, VIRTUAL = Number("6591112222"), Number("6583334444"), Number("6531590001")
TRUNK_A = Trunk("trunk-a", "alpha", None, "192.0.2.10", 5060)
TRUNK_B = Trunk("trunk-b", "beta", None, "192.0.2.20", 5060)
NUMBER = VirtualNumber(VIRTUAL, "MA1", "SA1", "campaign-7", "SG")
WALL = 1_700_000_000.0
LOCAL_A, LOCAL_B = LocalMedia("203.0.113.1", 20_000, 20_001), LocalMedia("203.0.113.1", 20_002, 20_003)

E = TypeVar("E", bound=e.Effect)


def session(**options: Any) -> Session:
    return Session(
        "session-1", "MA1", "SA1", CALLER, CALLEE, VIRTUAL, SessionOptions(**options), WALL, WALL, WALL + 3600, 3600
    )  # type: ignore[arg-type]


CLIP, WELCOME, BRIEFING = (
    Prompt(option, url=f"https://h.example/{option}.mp3")
    for option in ("first_party_play_url", "consent", "second_party_play_url")
)


def with_prompts(*, caller: tuple[Prompt, ...] = (), callee: tuple[Prompt, ...] = (), **options: int) -> Forward:
    return replace(forward(**options), caller_prompts=caller, callee_prompts=callee)


def asking(**rules: object) -> AskPin:
    question, wrong = Prompt("pin_prompt_play", url="https://h.example/pin"), Prompt("incorrect_pin_play", url="x")
    return AskPin(NUMBER, PinRules(**({"prompt": question, "wrong": wrong, "longest": 6} | rules)))  # type: ignore[arg-type]


def requested(**options: object) -> StartCall:
    return StartCall(with_prompts(**options), CALLER, TRUNK_A)  # type: ignore[arg-type]


SAY = Say(Prompt("say", text="Please hold the line"))
PLAY_FILE = PlayFile(Prompt("play_file", url="https://h.example/a.mp3"), 2)
DIAL = Dial(CALLEE, VIRTUAL, "campaign-7", TRUNK_B)


def capture(**rules: Any) -> Capture:
    """With a question alone unless its other prompts are named."""
    return Capture(Prompt("say_and_capture", text="Your code, please"), **rules)


def flow(*steps: Step, action_id: str = "", asks: bool = True, **options: Any) -> RunFlow:
    return RunFlow(NUMBER, steps, SessionOptions(**options), action_id, asks)


def start_flow(*steps: Step, **changes: Any) -> StartFlow:
    """`POST callflows` for these steps; the first one calls the caller of other tests."""
    first = replace(DIAL, callee=CALLER, trunk=TRUNK_A)
    return StartFlow("call-1", flow(first, *steps, action_id=changes.pop("action_id", "")), **changes)


def forward(trunk: Trunk = TRUNK_B, **options: Any) -> Forward:
    inside = session(**options)
    return Forward(inside, Role.FIRST, CALLEE, NUMBER, trunk, NUMBER.number, inside.options)


def sdp(
    address: str = "198.51.100.7", port: int = 4000, codecs: str = "0 8 101", direction: str = "sendrecv",
    extra: str = "",
) -> bytes:  # fmt: skip
    return (
        f"v=0\r\no=alice 53 54 IN IP4 {address}\r\ns=secret\r\nc=IN IP4 {address}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP {codecs}\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
        f"a=ptime:20\r\na={direction}\r\n{extra}"
    ).encode()


A_SDP, B_SDP = sdp(), sdp("198.51.100.99", 6000, "0 101")


def received(body: bytes = A_SDP, max_forwards: int = 70, looped: bool = False) -> i.Received:
    return i.Received(CALLER, VIRTUAL, TRUNK_A, body, max_forwards, looped)


class Driven:
    """A call, its clock, and everything it asked for."""

    def __init__(self, relay: bool = True, policy: CallPolicy | None = None, inbound: bool = True) -> None:
        legs = Leg(LegName.A, "leg-a", inbound=inbound), Leg(LegName.B, "leg-b", inbound=False)
        record = CallRecordBuilder("call-1", "leg-a", "leg-b", WALL)
        media = CallMedia(relay, 11, 22)
        self.call = Call("call-1", legs, media, record, lambda: "recording-1", policy or CallPolicy())
        self.now = 0.0
        self.all: list[e.Effect] = []

    def feed(self, *inputs: i.Input | Callable[[], i.Input], after: float = 1.0) -> list[e.Effect]:
        """Each input `after` seconds after the one before, or made then; returns the effects of all."""
        began = len(self.all)
        for inp in inputs:
            self.now += after
            self.call.handle(inp if isinstance(inp, i.Input) else inp(), self.now, self.all)
        return self.all[began:]

    def every(self, kind: type[E]) -> list[E]:
        return [effect for effect in self.all if isinstance(effect, kind)]

    def only(self, kind: type[E]) -> E:
        (effect,) = self.every(kind)
        return effect

    def played(self) -> e.Play:
        """The latest thing that somebody was to hear."""
        return self.every(e.Play)[-1]

    def begun(self) -> i.PlayBegun:
        """Its audio was there, and plays."""
        return i.PlayBegun(self.played().leg, self.played().play_id)

    def heard(self) -> i.PlayDone:
        """It was heard to its end."""
        return i.PlayDone(self.played().leg, self.played().play_id)

    def unheard(self, reason: str = "timeout") -> i.PlayFailed:
        return i.PlayFailed(self.played().leg, self.played().play_id, reason)

    def running(self) -> set[i.TimerName]:
        """Timers that would still fire."""
        timers: set[i.TimerName] = set()
        for effect in self.all:
            if isinstance(effect, e.StartTimer):
                timers.add(effect.timer)
            elif isinstance(effect, e.StopTimer):
                timers.discard(effect.timer)
        return timers

    def none(self, kind: type[e.Effect]) -> bool:
        return not any(isinstance(effect, kind) for effect in self.all)

    @property
    def facts(self) -> list[Fact]:
        return [effect.fact for effect in self.all if isinstance(effect, e.Emit)]

    @property
    def record(self) -> CallRecord:
        return self.only(e.Finish).record

    @property
    def forgotten(self) -> bool:
        return sum(isinstance(effect, e.Forget) for effect in self.all) == 1

    # -- stations on the way ----------------------------------------------------------------------------------
    def dialled(self, decision: Forward | None = None, body: bytes = A_SDP) -> Driven:
        self.feed(received(body), i.Forwarded(decision or forward()))
        if self.call.media.relay:
            self.feed(i.MediaOpened(LOCAL_A, LOCAL_B))
        return self

    def ringing(self, decision: Forward | None = None) -> Driven:
        self.dialled(decision).feed(i.Progressed(180, "fork-1"))
        return self

    def talking(self, decision: Forward | None = None) -> Driven:
        self.ringing(decision).feed(i.Answered(B_SDP))
        if self.call.media.relay:
            self.feed(i.AnswerMediaReady())
        self.feed(i.Acked(LegName.A))
        return self
