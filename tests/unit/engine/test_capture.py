"""The dialogue that asks for digits by itself (8x8-wavecell.md §4, sayAndCapture)."""

from __future__ import annotations

from itertools import count

import pytest

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.announcer import Announcer
from maskline.engine.call_record_builder import CallRecordBuilder
from maskline.engine.capture import CAPTURING, CapturePrompt, CaptureSignal, CaptureState
from maskline.masking.facts import DigitsCaptured, LegName
from maskline.masking.prompt import Prompt
from tests.support.call_machine import CALLER, NUMBER, WALL, capture

A = LegName.A
DIGITS = i.TimerName.DIGITS
THANKS, SORRY = Prompt("success", text="Thank you"), Prompt("failure", text="Sorry")


class Dialogue:
    def __init__(self, **rules: object) -> None:
        self.out: list[e.Effect] = []
        record = CallRecordBuilder("call-1", "leg-a", "leg-b", WALL)
        record.begin(CALLER, "trunk-a", 0.0)
        record.identify(NUMBER, None, None, None, None, self.out)
        self.talk = CapturePrompt(capture(**rules), Announcer(A, count(1).__next__, record), record)
        self.talk.begin(0.0, self.out)

    def plays(self) -> list[str]:
        return [effect.prompt.option for effect in self.out if isinstance(effect, e.Play)]

    def _latest(self) -> int:
        return [effect for effect in self.out if isinstance(effect, e.Play)][-1].play_id

    def heard(self, now: float = 0.0) -> Dialogue:
        self.talk.heard(i.PlayDone(A, self._latest()), now, self.out)
        return self

    def unheard(self) -> Dialogue:
        self.talk.heard(i.PlayFailed(A, self._latest(), "not_audio"), 0.0, self.out)
        return self

    def press(self, digits: str, now: float = 0.0) -> Dialogue:
        for digit in digits:
            self.talk.digit(digit, now, self.out)
        return self

    def wait(self) -> Dialogue:
        self.talk.pause_over(0.0, self.out)
        return self

    def timers(self) -> list[float]:
        return [effect.seconds for effect in self.out if isinstance(effect, e.StartTimer) and effect.timer is DIGITS]

    def facts(self) -> list[tuple[int, str]]:
        emitted = [effect.fact for effect in self.out if isinstance(effect, e.Emit)]
        return [(fact.count, fact.digits) for fact in emitted if isinstance(fact, DigitsCaptured)]

    def is_over(self) -> bool:
        collects = [effect.on for effect in self.out if isinstance(effect, e.Collect)]
        timers = [effect for effect in self.out if isinstance(effect, e.StartTimer | e.StopTimer)]
        still = isinstance(timers[-1], e.StartTimer) if timers else False
        return self.talk.state is CaptureState.OVER and collects == [True, False] and not still


def test_a_key_during_the_prompt_stops_it_and_counts() -> None:
    talk = Dialogue().press("4")
    assert e.StopPlaying(A) in talk.out and talk.talk.state is CaptureState.COLLECTING
    assert talk.timers() == [30.0]
    talk.press("2#")
    assert talk.talk.digits == "42" and talk.facts() == [(2, "42")] and talk.is_over()
    assert "42" not in repr(talk.out)


@pytest.mark.row("8x8:4/sayAndCapture.maxDigits")
def test_the_last_possible_digit_ends_the_entry() -> None:
    talk = Dialogue(max_digits=4).heard().press("47112")
    assert talk.talk.digits == "4711" and talk.is_over()


@pytest.mark.row("8x8:4/sayAndCapture.completeOnHash")
def test_an_end_key_ends_only_an_entry_that_it_may_end() -> None:
    talk = Dialogue(complete_on_hash=False, max_digits=3).heard().press("1#*")
    assert talk.talk.digits == "1#*"
    other = Dialogue().heard().press("1*")
    assert other.talk.digits is None
    assert other.press("#").talk.digits == "1*"


def test_an_end_key_during_the_prompt_is_the_rest_of_what_was_pressed_before() -> None:
    talk = Dialogue().press("#")
    assert talk.talk.state is CaptureState.PROMPTING and talk.plays() == ["say_and_capture"]


def test_keys_that_no_telephone_shows_are_nothing() -> None:
    assert Dialogue().press("AD").talk.state is CaptureState.PROMPTING


@pytest.mark.row("8x8:4/sayAndCapture.digitTimeout", "8x8:4/sayAndCapture.overallTimeout")
def test_a_pause_ends_the_entry_where_the_step_names_one_and_none_outlasts_the_overall_time() -> None:
    talk = Dialogue(digit_timeout=4.0, overall_timeout=10.0).heard(now=100.0)
    talk.press("1", now=102.0).press("2", now=108.0)
    assert talk.timers() == [10.0, 4.0, 2.0]
    assert talk.wait().talk.digits == "12"
    whole = Dialogue(overall_timeout=10.0).heard(now=100.0).press("1", now=107.0)
    assert whole.timers() == [10.0, 3.0]


@pytest.mark.parametrize("entry", ["", "1", "1#"])
@pytest.mark.row("8x8:4/sayAndCapture.minDigits", "8x8:4/sayAndCapture.messages", "8x8:4/sayAndCapture.noOfTries")
def test_too_few_digits_are_told_and_asked_for_again(entry: str) -> None:
    talk = Dialogue(min_digits=2, tries=2, failure=SORRY).heard().press(entry)
    if not entry.endswith("#"):
        talk.wait()
    assert talk.plays() == ["say_and_capture", "failure"] and talk.talk.state is CaptureState.CORRECTING
    talk.press("9").heard()
    assert talk.plays()[-1] == "say_and_capture"
    talk.heard().press("42#")
    assert talk.talk.digits == "42" and talk.is_over()


@pytest.mark.row("8x8:4/sayAndCapture.noOfTries", "8x8:4/sayAndCapture.messages")
def test_the_last_try_that_fails_is_told_and_leaves_nothing() -> None:
    talk = Dialogue(tries=1, failure=SORRY).heard().wait()
    assert talk.talk.digits is None
    talk.heard()
    assert talk.talk.digits == "" and talk.facts() == [(0, "")] and talk.is_over()


def test_without_a_prompt_for_it_the_next_try_follows_at_once() -> None:
    talk = Dialogue(tries=2).heard().wait()
    assert talk.plays() == ["say_and_capture"] * 2
    assert talk.heard().wait().talk.digits == ""


@pytest.mark.row("8x8:4/sayAndCapture.messages")
def test_digits_that_were_taken_are_confirmed_first() -> None:
    talk = Dialogue(max_digits=2, success=THANKS).heard().press("423")
    assert talk.plays() == ["say_and_capture", "success"] and talk.talk.digits is None
    assert talk.heard().talk.digits == "42"


def test_only_the_question_has_to_be_heard() -> None:
    asked = Dialogue().unheard()
    assert (asked.talk.unheard, asked.talk.digits) == ("not_audio", None) and asked.is_over()
    told = Dialogue(max_digits=1, success=THANKS).heard().press("4").unheard()
    assert (told.talk.unheard, told.talk.digits) == ("", "4")


def test_a_prompt_that_never_ends_is_cut() -> None:
    talk = Dialogue()
    talk.talk.skip(0.0, talk.out)
    assert talk.talk.state is CaptureState.COLLECTING and e.StopPlaying(A) in talk.out


def test_what_comes_too_late_changes_nothing() -> None:
    talk = Dialogue().press("4")
    talk.talk.heard(i.PlayDone(A, 99), 0.0, talk.out)
    talk.talk.stop(0.0, talk.out)
    made = len(talk.out)
    talk.press("4#").wait().talk.stop(0.0, talk.out)
    assert len(talk.out) == made and talk.is_over() and talk.talk.digits is None


def test_every_state_can_be_stopped_and_every_action_is_there() -> None:
    for (state, signal), (_, action) in CAPTURING.items():
        assert callable(getattr(CapturePrompt, f"_{action}"))
        assert signal is not CaptureSignal.STOP or state not in (CaptureState.READY, CaptureState.OVER)
