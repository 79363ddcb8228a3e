"""Asking a caller for a PIN: prompt, digits, check, and again as often as the rules allow.

What it is: a machine over `ASKING`, one per caller that is asked, composed by `call_pin.py`. What it is not: the check
(the router's `check_pin`), the audio (`announcer.py`), or what becomes of the call: `failed_for` says that it is to
end. Digits are secret: they leave here in `CheckPin` alone.

`#` ends the entry, as do its longest possible length, a pause after a digit, and the overall time. A key pressed during
the question stops it and counts (barge-in). Keys pressed while the caller hears that it was wrong, or waits, begin the
next entry, which is checked when the wait is over and not before: nobody guesses faster by it. The rest of an entry
that was long enough already is no beginning of the next one. Nothing given counts as a failed try (plivo-vts.md §6.1).
"""

from __future__ import annotations

from enum import Enum, auto

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.announcer import Announcer
from maskline.engine.call_record_builder import CallRecordBuilder
from maskline.engine.digit_entry import DigitEntry
from maskline.masking.decision import AskPin
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause, LegName
from maskline.masking.prompt import BEEP

A = LegName.A
_END = "#"
_TWICE = (BEEP, BEEP)
"""That it was wrong, where no prompt says so; one beep asks."""
_UNBROKEN = 1.5
"""Seconds: a key that follows sooner on an entry of full length belongs to that entry. Within a number hands pause
less, and nobody has heard by then that it was wrong."""


class PinState(Enum):
    READY = auto()
    PROMPTING = auto()
    """The question is heard."""
    COLLECTING = auto()
    """The question is over, or was cut short by a key."""
    CHECKING = auto()
    """The router has been asked."""
    CORRECTING = auto()
    """The caller hears that it was wrong."""
    WAITING = auto()
    """Until the next try."""
    OVER = auto()


class PinSignal(Enum):
    BEGIN = auto()
    HEARD = auto()
    """What was played is over, or could not be played."""
    UNHEARD = auto()
    """The question, or that it was wrong, could not be played."""
    DIGIT = auto()
    COMPLETE = auto()
    """There are digits, and no more will come."""
    NOTHING = auto()
    """No digit came."""
    WRONG = auto()
    WAITED = auto()
    RESUMED = auto()
    """The wait is over, and the next entry has begun meanwhile."""
    STOP = auto()


_P, _G = PinState, PinSignal

ASKING: dict[tuple[PinState, PinSignal], tuple[PinState, str]] = {
    (_P.READY, _G.BEGIN): (_P.PROMPTING, "ask"),
    (_P.PROMPTING, _G.HEARD): (_P.COLLECTING, "await_digits"),
    (_P.PROMPTING, _G.UNHEARD): (_P.PROMPTING, "beep"),
    (_P.PROMPTING, _G.DIGIT): (_P.COLLECTING, "interrupt"),
    (_P.COLLECTING, _G.DIGIT): (_P.COLLECTING, "await_next"),
    (_P.COLLECTING, _G.COMPLETE): (_P.CHECKING, "check"),
    (_P.COLLECTING, _G.NOTHING): (_P.CORRECTING, "miss"),
    (_P.CHECKING, _G.WRONG): (_P.CORRECTING, "correct"),
    (_P.CORRECTING, _G.HEARD): (_P.WAITING, "wait"),
    (_P.CORRECTING, _G.UNHEARD): (_P.CORRECTING, "beep_twice"),
    (_P.CORRECTING, _G.DIGIT): (_P.CORRECTING, "keep"),
    (_P.WAITING, _G.DIGIT): (_P.WAITING, "keep"),
    (_P.WAITING, _G.WAITED): (_P.PROMPTING, "ask"),
    (_P.WAITING, _G.RESUMED): (_P.COLLECTING, "go_on"),
    (_P.WAITING, _G.COMPLETE): (_P.CHECKING, "check"),
    **{(state, _G.STOP): (_P.OVER, "stop") for state in _P if state not in (_P.READY, _P.OVER)},
}


class PinPrompt:
    """Begin it, feed it what the caller does, and look at `failed_for` after each step."""

    __slots__ = ("_asked", "_caller", "_entry", "_failures", "_full_until", "_given", "_locked", "_record", "_voice",
                 "_whole", "failed_for", "state")  # fmt: skip

    def __init__(self, asked: AskPin, caller: Number | None, voice: Announcer, record: CallRecordBuilder) -> None:
        self._asked = asked
        self._caller = caller
        self._voice = voice
        self._record = record
        self._entry = DigitEntry(asked.rules.overall_timeout, asked.rules.digit_timeout)
        self._whole = False
        """The digits are all of an entry."""
        self._full_until = 0.0
        """Until then a key is the rest of the entry before."""
        self._failures = 0
        self._given = False
        self._locked = False
        self.state = PinState.READY
        self.failed_for: Cause | None = None
        """Set once no try is left: why the call ends."""

    # -- what happens -----------------------------------------------------------------------------------------

    def begin(self, now: float, out: list[e.Effect]) -> None:
        out.append(e.Collect(A, True))
        self._step(PinSignal.BEGIN, now, out)

    def digit(self, digit: str, now: float, out: list[e.Effect]) -> None:
        if now < self._full_until and not self._entry.digits:
            self._full_until = 0.0 if digit == _END else now + _UNBROKEN
        elif digit == _END:
            self._whole = bool(self._entry.digits)
        elif digit.isdecimal() and not self._whole and (self.state, PinSignal.DIGIT) in ASKING:
            self._entry.digits += digit
            self._step(PinSignal.DIGIT, now, out)
            if len(self._entry.digits) >= self._asked.rules.longest:
                self._whole, self._full_until = True, now + _UNBROKEN
        if self._whole and self.state is PinState.COLLECTING:
            self._step(PinSignal.COMPLETE, now, out)

    def heard(self, inp: i.PlayDone | i.PlayFailed, now: float, out: list[e.Effect]) -> None:
        built_in = self._voice.prompt is BEEP
        if self._voice.over(inp, now, out):
            unheard = isinstance(inp, i.PlayFailed) and not built_in
            self._step(PinSignal.UNHEARD if unheard else PinSignal.HEARD, now, out)

    def pause_over(self, now: float, out: list[e.Effect]) -> None:
        """No further digit in time."""
        if self.state is PinState.COLLECTING:
            self._step(PinSignal.COMPLETE if self._entry.digits else PinSignal.NOTHING, now, out)

    def wait_over(self, now: float, out: list[e.Effect]) -> None:
        """The wait before the next try, or the longest one for a prompt."""
        if self.state is PinState.WAITING:
            begun = PinSignal.RESUMED if self._entry.digits else PinSignal.WAITED
            self._step(PinSignal.COMPLETE if self._whole else begun, now, out)
        elif self._voice.skip(now, out):
            self._step(PinSignal.HEARD, now, out)

    def refused(self, locked: bool, now: float, out: list[e.Effect]) -> None:
        """The router knows no such PIN; `locked`: it takes no more from here, so this was the last try, and sounds like
        any other last one."""
        self._given = True
        self._locked = locked
        self._count(True, now, out)
        self._step(PinSignal.WRONG, now, out)

    def accepted(self, session_id: str, now: float, out: list[e.Effect]) -> None:
        """It was right."""
        self._record.pin_checked(now, session_id, True, self._failures, True, out)
        self.stop(now, out)

    def stop(self, now: float, out: list[e.Effect]) -> None:
        """Nobody is asked any more, whatever the reason."""
        self._step(PinSignal.STOP, now, out)

    # -- what is done -----------------------------------------------------------------------------------------

    def _step(self, signal: PinSignal, now: float, out: list[e.Effect]) -> None:
        before = self.state
        row = ASKING.get((before, signal))
        if row is None:
            return
        self.state, action = row
        if before is PinState.COLLECTING and self.state is not before:
            out.append(e.StopTimer(i.TimerName.DIGITS))
        elif before is PinState.WAITING and signal is PinSignal.STOP:
            out.append(e.StopTimer(i.TimerName.PIN))
        getattr(self, f"_{action}")(now, out)

    def _ask(self, now: float, out: list[e.Effect]) -> None:
        self._voice.play((self._asked.rules.prompt or BEEP,), out)

    def _beep(self, now: float, out: list[e.Effect]) -> None:
        self._voice.play((BEEP,), out)

    def _beep_twice(self, now: float, out: list[e.Effect]) -> None:
        self._voice.play(_TWICE, out)

    def _interrupt(self, now: float, out: list[e.Effect]) -> None:
        self._voice.stop(now, out)
        self._go_on(now, out)

    def _keep(self, now: float, out: list[e.Effect]) -> None:
        """It counts when the wait is over."""

    def _go_on(self, now: float, out: list[e.Effect]) -> None:
        self._entry.begin(now)
        self._await_next(now, out)

    def _await_digits(self, now: float, out: list[e.Effect]) -> None:
        self._entry.await_first(now, out)

    def _await_next(self, now: float, out: list[e.Effect]) -> None:
        self._entry.await_next(now, out)

    def _check(self, now: float, out: list[e.Effect]) -> None:
        digits, self._whole = self._entry.take(), False
        out.append(e.CheckPin(self._asked, self._caller, digits))

    def _miss(self, now: float, out: list[e.Effect]) -> None:
        self._count(False, now, out)
        self._correct(now, out)

    def _correct(self, now: float, out: list[e.Effect]) -> None:
        wrong = self._asked.rules.wrong
        self._voice.play(_TWICE if wrong is None else (wrong,), out)

    def _wait(self, now: float, out: list[e.Effect]) -> None:
        if self._locked or self._failures > self._asked.rules.retries:
            self._fail(now, out)
        else:
            out.append(e.StartTimer(self._asked.rules.retry_wait, i.TimerName.PIN))

    def _stop(self, now: float, out: list[e.Effect]) -> None:
        self._entry.take()
        self._whole = False
        self._voice.stop(now, out)
        out.append(e.Collect(A, False))

    # -- small things -----------------------------------------------------------------------------------------

    def _count(self, given: bool, now: float, out: list[e.Effect]) -> None:
        self._failures += 1
        session = self._asked.session
        self._record.pin_checked(now, session.id if session else "", False, self._failures, given, out)

    def _fail(self, now: float, out: list[e.Effect]) -> None:
        self.failed_for = Cause.WRONG_PIN if self._given else Cause.PIN_REQUIRED
        self.stop(now, out)
