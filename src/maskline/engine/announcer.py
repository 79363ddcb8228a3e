"""What one leg hears from us: prompts one after the other, or a tone until something better comes.

What it is: a machine over `HEARING`, one per leg that hears anything, composed by `call.py`. It numbers the plays,
keeps the longest wait, and has the facts written. What it is not: audio (the runner gets clips, the driver plays them),
or what follows (`over` says when the last one is over). A plain call has none.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.call_record_builder import CallRecordBuilder
from maskline.masking.facts import LegName
from maskline.masking.prompt import Prompt

LONGEST_PROMPT = 130.0
"""Seconds for one prompt: the longest that MASKLINE_PROMPT_LENGTH allows, and the ten within which it is had or given
up. So this is for a driver that never says that it has finished."""
SLOWEST_SPEECH = 2.0
"""Characters of a text in a second, at a speed of 1: what is spoken has no other limit than the length of its text, of
3,000 characters, and a language that writes syllables has some four of them in a second."""
_STOPPED = "stopped"
"""Why a prompt was not played that was still being fetched when nobody was to hear it any more."""


class Hearing(Enum):
    NOTHING = auto()
    PROMPT = auto()
    TONE = auto()
    """Looped until it is stopped."""


class HearingSignal(Enum):
    PLAY = auto()
    LOOP = auto()
    NEXT = auto()
    """One prompt is over, and there is another."""
    LAST = auto()
    STOP = auto()


class HearingAction(Enum):
    START = auto()
    REPEAT = auto()
    SILENCE = auto()
    AWAIT = auto()
    """Keep the longest wait."""
    REST = auto()
    """The wait is over."""


_H, _G, _D = Hearing, HearingSignal, HearingAction

HEARING: dict[tuple[Hearing, HearingSignal], tuple[Hearing, tuple[HearingAction, ...]]] = {
    (_H.NOTHING, _G.PLAY): (_H.PROMPT, (_D.START, _D.AWAIT)),
    (_H.NOTHING, _G.LOOP): (_H.TONE, (_D.REPEAT,)),
    (_H.PROMPT, _G.NEXT): (_H.PROMPT, (_D.START, _D.AWAIT)),
    (_H.PROMPT, _G.LAST): (_H.NOTHING, (_D.REST,)),
    (_H.PROMPT, _G.STOP): (_H.NOTHING, (_D.SILENCE, _D.REST)),
    # A tone has no end of its own: this one could not be played.
    (_H.TONE, _G.LAST): (_H.NOTHING, ()),
    (_H.TONE, _G.STOP): (_H.NOTHING, (_D.SILENCE,)),
}


class Announcer:
    """Begin with `play` or `loop`; feed it `over` and `skip`; `stop` before anything else is to be heard."""

    __slots__ = ("_begun", "_left", "_leg", "_new_id", "_passes", "_play_id", "_record", "prompt", "state")

    def __init__(self, leg: LegName, new_id: Callable[[], int], record: CallRecordBuilder) -> None:
        self._leg = leg
        self._new_id = new_id
        self._record = record
        self._left: tuple[Prompt, ...] = ()
        self._play_id = 0
        self._passes = 1
        self._begun = False
        """The latest one is heard, not only asked for."""
        self.prompt: Prompt | None = None
        """The latest one."""
        self.state = Hearing.NOTHING

    def play(self, prompts: tuple[Prompt, ...], out: list[e.Effect], passes: int = 1) -> None:
        """At least one, in this order, each so many times, to a leg that hears nothing."""
        self._passes = passes
        self.prompt, *left = prompts
        self._left = tuple(left)
        self._step(HearingSignal.PLAY, out)

    def loop(self, tone: Prompt, out: list[e.Effect]) -> None:
        """Nothing happens when a tone is heard already."""
        if self.state is Hearing.NOTHING:
            self.prompt, self._left = tone, ()
            self._step(HearingSignal.LOOP, out)

    def begun(self, inp: i.PlayBegun) -> None:
        """Its audio is there, and heard."""
        self._begun = self._begun or inp.play_id == self._play_id

    def over(self, inp: i.PlayDone | i.PlayFailed, now: float, out: list[e.Effect]) -> bool:
        """One play is over; True when it was the last. What was stopped before it could be over is not meant."""
        if inp.play_id != self._play_id or self.state is Hearing.NOTHING:
            return False
        if isinstance(inp, i.PlayFailed):
            self._record.prompt_missed(self._leg, now, self._heard(), inp.reason, out)
        else:
            self._begun = True
            self._note(now, True, out)
        return self._go_on(out)

    def skip(self, now: float, out: list[e.Effect]) -> bool:
        """The longest wait is over; True when there is no further prompt."""
        out.append(e.StopPlaying(self._leg))
        self._note(now, False, out)
        return self._go_on(out)

    def stop(self, now: float, out: list[e.Effect]) -> None:
        """Nothing happens when nothing is heard."""
        if self.state is Hearing.PROMPT:
            self._note(now, False, out)
        self._step(HearingSignal.STOP, out)

    def _go_on(self, out: list[e.Effect]) -> bool:
        if not self._left:
            self._step(HearingSignal.LAST, out)
            return True
        self.prompt, *left = self._left
        self._left = tuple(left)
        self._step(HearingSignal.NEXT, out)
        return False

    def _note(self, now: float, completed: bool, out: list[e.Effect]) -> None:
        prompt = self._heard()
        if prompt.tone is not None:
            return
        if self._begun:
            self._record.prompt_played(self._leg, now, prompt, completed, out)
        else:
            self._record.prompt_missed(self._leg, now, prompt, _STOPPED, out)

    def _heard(self) -> Prompt:
        assert self.prompt is not None, "play and loop set it"
        return self.prompt

    def _step(self, signal: HearingSignal, out: list[e.Effect]) -> None:
        row = HEARING.get((self.state, signal))
        if row is None:
            return
        self.state, actions = row
        out += [self._effect(action) for action in actions]

    def _effect(self, action: HearingAction) -> e.Effect:
        match action:
            case HearingAction.START | HearingAction.REPEAT:
                self._play_id, self._begun = self._new_id(), False
                passes = self._passes if action is HearingAction.START else 0
                return e.Play(self._leg, self._heard(), self._play_id, passes)
            case HearingAction.SILENCE:
                return e.StopPlaying(self._leg)
            case HearingAction.AWAIT:
                return e.StartTimer(_longest(self._heard()) * self._passes, i.TimerName.PIN)
            case _:
                return e.StopTimer(i.TimerName.PIN)


def _longest(prompt: Prompt) -> float:
    """Seconds by which one pass of it is over."""
    return LONGEST_PROMPT + len(prompt.text) / (SLOWEST_SPEECH * prompt.speed)
