"""Asking whoever is on leg A for digits, as a call flow says: prompt, digits, and again as often as there are tries.

What it is: a machine over `CAPTURING`, one per `Capture` step, composed by `call_capture.py`. What it is not: a check
of the digits (the customer's application does that), the audio (`announcer.py`), or what follows. Digits are secret:
they leave here in the fact `DigitsCaptured` and in `digits` alone.

An entry is over with its longest possible length, `#` if the step says so, a pause after a digit if it names one, and
the overall time after the prompt. A key pressed during the prompt stops it and counts. Keys are 0 to 9, `*`, and `#`
where it ends nothing; `#` during the prompt is the rest of what was pressed before. What is pressed while somebody
hears that it was wrong, or right, is for nobody.
"""

from __future__ import annotations

from enum import Enum, auto

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.announcer import Announcer
from maskline.engine.call_record_builder import CallRecordBuilder
from maskline.engine.digit_entry import DigitEntry
from maskline.masking.call_flow import Capture
from maskline.masking.facts import LegName
from maskline.masking.prompt import Prompt

A = LegName.A
_HASH = "#"
_KEYS = frozenset("0123456789*#")


class CaptureState(Enum):
    READY = auto()
    PROMPTING = auto()
    """The question is heard."""
    COLLECTING = auto()
    """The question is over, or was cut short by a key."""
    CORRECTING = auto()
    """The other side hears that it was not enough."""
    CONFIRMING = auto()
    """It hears that the digits were taken."""
    OVER = auto()


class CaptureSignal(Enum):
    BEGIN = auto()
    HEARD = auto()
    """What was played is over, or could not be played where that does not matter."""
    UNHEARD = auto()
    """The question could not be played."""
    DIGIT = auto()
    ENOUGH = auto()
    TOO_FEW = auto()
    """Of digits, when no more will come; or none at all."""
    STOP = auto()


_P, _G = CaptureState, CaptureSignal

CAPTURING: dict[tuple[CaptureState, CaptureSignal], tuple[CaptureState, str]] = {
    (_P.READY, _G.BEGIN): (_P.PROMPTING, "ask"),
    (_P.PROMPTING, _G.HEARD): (_P.COLLECTING, "await_digits"),
    (_P.PROMPTING, _G.UNHEARD): (_P.OVER, "give_up"),
    (_P.PROMPTING, _G.DIGIT): (_P.COLLECTING, "interrupt"),
    (_P.COLLECTING, _G.DIGIT): (_P.COLLECTING, "await_next"),
    (_P.COLLECTING, _G.ENOUGH): (_P.CONFIRMING, "confirm"),
    (_P.COLLECTING, _G.TOO_FEW): (_P.CORRECTING, "correct"),
    (_P.CORRECTING, _G.HEARD): (_P.PROMPTING, "try_again"),
    (_P.CONFIRMING, _G.HEARD): (_P.OVER, "finish"),
    **{(state, _G.STOP): (_P.OVER, "stop") for state in _P if state not in (_P.READY, _P.OVER)},
}


class CapturePrompt:
    """Begin it, feed it what is heard and pressed, and look at `digits` and `unheard` after each step."""

    __slots__ = ("_asked", "_entry", "_record", "_taken", "_tries_left", "_voice", "digits", "state", "unheard")

    def __init__(self, asked: Capture, voice: Announcer, record: CallRecordBuilder) -> None:
        self._asked = asked
        self._voice = voice
        self._record = record
        self._entry = DigitEntry(asked.overall_timeout, asked.digit_timeout)
        self._tries_left = asked.tries
        self._taken = ""
        self.state = CaptureState.READY
        self.digits: str | None = None
        """Set once it is over: what was captured, empty when all tries failed."""
        self.unheard = ""
        """Why the question could not be played."""

    # -- what happens -----------------------------------------------------------------------------------------

    def begin(self, now: float, out: list[e.Effect]) -> None:
        out.append(e.Collect(A, True))
        self._step(CaptureSignal.BEGIN, now, out)

    def digit(self, digit: str, now: float, out: list[e.Effect]) -> None:
        if digit == _HASH and self._asked.complete_on_hash:
            self._close(now, out)
        elif digit in _KEYS and (self.state, CaptureSignal.DIGIT) in CAPTURING:
            self._entry.digits += digit
            self._step(CaptureSignal.DIGIT, now, out)
            if len(self._entry.digits) >= self._asked.max_digits:
                self._close(now, out)

    def heard(self, inp: i.PlayDone | i.PlayFailed, now: float, out: list[e.Effect]) -> None:
        if not self._voice.over(inp, now, out):
            return
        if isinstance(inp, i.PlayFailed) and self.state is CaptureState.PROMPTING:
            self.unheard = inp.reason
            self._step(CaptureSignal.UNHEARD, now, out)
        else:
            self._step(CaptureSignal.HEARD, now, out)

    def skip(self, now: float, out: list[e.Effect]) -> None:
        """The longest wait for a prompt is over."""
        self._voice.skip(now, out)
        self._step(CaptureSignal.HEARD, now, out)

    def pause_over(self, now: float, out: list[e.Effect]) -> None:
        """No further digit in time."""
        self._close(now, out)

    def stop(self, now: float, out: list[e.Effect]) -> None:
        """Nobody is asked any more, whatever the reason."""
        self._step(CaptureSignal.STOP, now, out)

    # -- what is done -----------------------------------------------------------------------------------------

    def _close(self, now: float, out: list[e.Effect]) -> None:
        """No more digits will come, if any are awaited."""
        enough = len(self._entry.digits) >= self._asked.min_digits
        self._step(CaptureSignal.ENOUGH if enough else CaptureSignal.TOO_FEW, now, out)

    def _step(self, signal: CaptureSignal, now: float, out: list[e.Effect]) -> None:
        before = self.state
        row = CAPTURING.get((before, signal))
        if row is None:
            return
        self.state, action = row
        if before is CaptureState.COLLECTING and self.state is not before:
            out.append(e.StopTimer(i.TimerName.DIGITS))
        getattr(self, f"_{action}")(now, out)

    def _ask(self, now: float, out: list[e.Effect]) -> None:
        self._voice.play((self._asked.prompt,), out)

    def _await_digits(self, now: float, out: list[e.Effect]) -> None:
        self._entry.await_first(now, out)

    def _interrupt(self, now: float, out: list[e.Effect]) -> None:
        self._voice.stop(now, out)
        self._entry.begin(now)
        self._entry.await_next(now, out)

    def _await_next(self, now: float, out: list[e.Effect]) -> None:
        self._entry.await_next(now, out)

    def _confirm(self, now: float, out: list[e.Effect]) -> None:
        self._taken = self._entry.take()
        self._tell(self._asked.success, now, out)

    def _correct(self, now: float, out: list[e.Effect]) -> None:
        self._entry.take()
        self._tries_left -= 1
        self._tell(self._asked.failure, now, out)

    def _tell(self, prompt: Prompt | None, now: float, out: list[e.Effect]) -> None:
        if prompt is None:
            self._step(CaptureSignal.HEARD, now, out)
        else:
            self._voice.play((prompt,), out)

    def _try_again(self, now: float, out: list[e.Effect]) -> None:
        if self._tries_left > 0:
            self._ask(now, out)
        else:
            self.state = CaptureState.OVER
            self._finish(now, out)

    def _finish(self, now: float, out: list[e.Effect]) -> None:
        self.digits, self._taken = self._taken, ""
        out.append(e.Collect(A, False))
        self._record.captured(A, now, self.digits, out)

    def _give_up(self, now: float, out: list[e.Effect]) -> None:
        out.append(e.Collect(A, False))

    def _stop(self, now: float, out: list[e.Effect]) -> None:
        self._entry.take()
        self._taken = ""
        self._voice.stop(now, out)
        out.append(e.Collect(A, False))
