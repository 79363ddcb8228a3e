"""The dialogue about a PIN by itself."""

from __future__ import annotations

from itertools import count

import pytest

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.announcer import Announcer
from maskline.engine.call_record_builder import CallRecordBuilder
from maskline.engine.pin_prompt import ASKING, PinPrompt, PinSignal, PinState
from maskline.masking.facts import Cause, LegName, PinChecked, PromptNotPlayed
from maskline.masking.prompt import BEEP
from tests.support.call_machine import CALLER, NUMBER, WALL, asking, session

A = LegName.A
PIN, DIGITS = i.TimerName.PIN, i.TimerName.DIGITS


class Dialogue:
    def __init__(self, **rules: object) -> None:
        self.out: list[e.Effect] = []
        record = CallRecordBuilder("call-1", "leg-a", "leg-b", WALL)
        record.begin(CALLER, "trunk-a", 0.0)
        record.identify(NUMBER, None, None, None, None, self.out)
        self.pin = PinPrompt(asking(**rules), CALLER, Announcer(A, count(1).__next__, record), record)
        self.pin.begin(0.0, self.out)

    def plays(self) -> list[e.Play]:
        return [effect for effect in self.out if isinstance(effect, e.Play)]

    def heard(self, now: float = 0.0) -> None:
        self.pin.heard(i.PlayDone(A, self.plays()[-1].play_id), now, self.out)

    def unheard(self) -> None:
        self.pin.heard(i.PlayFailed(A, self.plays()[-1].play_id, "not_audio"), 0.0, self.out)

    def press(self, digits: str, now: float = 0.0) -> None:
        for digit in digits:
            self.pin.digit(digit, now, self.out)

    def entered(self) -> list[str]:
        return [effect.pin for effect in self.out if isinstance(effect, e.CheckPin)]


def test_a_key_during_the_prompt_stops_it_and_counts() -> None:
    talk = Dialogue()
    talk.press("4")
    assert talk.out[-3:-1] == [e.StopTimer(PIN), e.StartTimer(5.0, DIGITS)] or e.StopPlaying(A) in talk.out
    assert talk.pin.state is PinState.COLLECTING
    talk.press("711#")
    assert talk.entered() == ["4711"]


def test_the_longest_entry_needs_no_end_key_and_one_pressed_all_the_same_is_lost() -> None:
    talk = Dialogue(longest=4)
    talk.heard()
    talk.press("4711#")
    assert talk.entered() == ["4711"] and talk.pin.state is PinState.CHECKING
    assert talk.out[-2:] == [e.StopTimer(DIGITS), talk.out[-1]]


def test_an_end_key_alone_and_keys_that_no_pin_has_are_nothing() -> None:
    talk = Dialogue()
    before = list(talk.out)
    talk.press("#*AD")
    assert talk.out == before
    talk.heard()
    talk.press("*1*2#")
    assert talk.entered() == ["12"]


@pytest.mark.row("2/pin_prompt_play")
def test_a_pause_ends_the_entry_and_no_pause_outlasts_the_overall_time() -> None:
    talk = Dialogue(digit_timeout=4.0, overall_timeout=10.0)
    talk.heard(now=100.0)
    assert talk.out[-1] == e.StartTimer(10.0, DIGITS)
    talk.press("4", now=103.0)
    assert talk.out[-1] == e.StartTimer(4.0, DIGITS)
    talk.press("7", now=109.0)
    assert talk.out[-1] == e.StartTimer(1.0, DIGITS)
    talk.pin.pause_over(110.0, talk.out)
    assert talk.entered() == ["47"]


def test_the_overall_time_of_one_who_barges_in_counts_from_the_first_key() -> None:
    talk = Dialogue(digit_timeout=4.0, overall_timeout=6.0)
    talk.press("4", now=50.0)
    talk.press("7", now=54.0)
    assert talk.out[-1] == e.StartTimer(2.0, DIGITS)


def test_a_question_that_cannot_be_heard_is_a_beep() -> None:
    talk = Dialogue()
    talk.unheard()
    assert [play.prompt for play in talk.plays()][1:] == [BEEP]
    talk.unheard()
    assert talk.pin.state is PinState.COLLECTING
    missed = [effect.fact for effect in talk.out if isinstance(effect, e.Emit) and type(effect.fact) is PromptNotPlayed]
    assert [fact.prompt for fact in missed] == ["pin_prompt_play", "beep"]


def test_no_question_is_a_beep_too() -> None:
    talk = Dialogue(prompt=None)
    assert [play.prompt for play in talk.plays()] == [BEEP]
    talk.heard()
    assert talk.pin.state is PinState.COLLECTING


def test_a_question_that_never_ends_is_cut_and_answered() -> None:
    talk = Dialogue()
    talk.pin.wait_over(120.0, talk.out)
    assert e.StopPlaying(A) in talk.out and talk.pin.state is PinState.COLLECTING


def test_what_was_stopped_changes_nothing_when_it_is_done() -> None:
    talk = Dialogue()
    first = talk.plays()[-1].play_id
    talk.press("4")
    talk.pin.heard(i.PlayDone(A, first), 1.0, talk.out)
    assert talk.pin.state is PinState.COLLECTING


def wrong(talk: Dialogue, entry: str = "1#", now: float = 1.0) -> None:
    talk.press(entry, now)
    talk.pin.refused(False, now, talk.out)


def test_that_it_was_wrong_is_two_beeps_where_no_prompt_can_say_so() -> None:
    talk = Dialogue()
    wrong(talk)
    for _ in range(3):
        assert talk.pin.state is PinState.CORRECTING
        talk.unheard()
    assert [play.prompt.option for play in talk.plays()] == ["pin_prompt_play", "incorrect_pin_play", "beep", "beep"]
    assert talk.pin.state is PinState.WAITING and talk.out[-1] == e.StartTimer(5.0, PIN)


def test_without_a_prompt_for_it_wrong_is_two_beeps_at_once() -> None:
    talk = Dialogue(wrong=None)
    wrong(talk)
    talk.heard()
    assert talk.pin.state is PinState.CORRECTING
    talk.heard()
    assert [play.prompt for play in talk.plays()][1:] == [BEEP, BEEP] and talk.pin.state is PinState.WAITING


def test_beeps_that_never_end_are_cut_one_after_the_other() -> None:
    talk = Dialogue(wrong=None)
    wrong(talk)
    talk.pin.wait_over(120.0, talk.out)
    assert talk.pin.state is PinState.CORRECTING
    talk.pin.wait_over(240.0, talk.out)
    assert talk.pin.state is PinState.WAITING and len(talk.plays()) == 3


@pytest.mark.parametrize("keys", [("4711#", ""), ("", "4711#"), ("47", "11#"), ("4711#", "99#"), ("#4", "711##")])
def test_keys_while_it_is_told_or_waited_are_the_next_entry_checked_when_the_wait_is_over(
    keys: tuple[str, str],
) -> None:
    talk = Dialogue(retries=2)
    wrong(talk)
    talk.press(keys[0], 2.0)
    talk.heard(5.0)
    talk.press(keys[1], 6.0)
    assert talk.entered() == ["1"] and talk.out[-1] == e.StartTimer(5.0, PIN)
    talk.pin.wait_over(10.0, talk.out)
    assert talk.entered() == ["1", "4711"] and talk.pin.state is PinState.CHECKING and len(talk.plays()) == 2
    talk.pin.refused(False, 10.0, talk.out)
    talk.heard(11.0)
    talk.pin.wait_over(16.0, talk.out)
    assert talk.pin.state is PinState.PROMPTING


def test_half_an_entry_goes_on_without_the_question_when_the_wait_is_over() -> None:
    talk = Dialogue(digit_timeout=4.0, overall_timeout=6.0)
    wrong(talk)
    talk.heard(5.0)
    talk.press("47", 6.0)
    talk.pin.pause_over(9.0, talk.out)
    talk.pin.wait_over(10.0, talk.out)
    assert talk.out[-1] == e.StartTimer(4.0, DIGITS) and len(talk.plays()) == 2
    talk.press("1", 13.0)
    assert talk.out[-1] == e.StartTimer(3.0, DIGITS)
    talk.pin.pause_over(16.0, talk.out)
    assert talk.entered() == ["1", "471"]


@pytest.mark.parametrize(("rest", "pin"), [("56", "4711"), ("56#", "4711"), ("", "4711")])
def test_the_rest_of_an_entry_that_was_long_enough_begins_no_other(rest: str, pin: str) -> None:
    talk = Dialogue(longest=4, retries=5)
    talk.heard()
    talk.press("1234", 1.0)
    talk.press(rest[:1], 1.4)
    talk.pin.refused(False, 1.5, talk.out)
    talk.press(rest[1:], 2.5)
    talk.press("47110", 4.1)
    talk.heard(5.0)
    talk.pin.wait_over(10.0, talk.out)
    assert talk.entered() == ["1234", pin]


def test_stopping_leaves_no_timer_no_prompt_and_no_ear() -> None:
    talk = Dialogue()
    talk.press("1#")
    talk.pin.refused(False, 1.0, talk.out)
    talk.heard()
    began = len(talk.out)
    talk.pin.stop(2.0, talk.out)
    assert talk.out[began:] == [e.StopTimer(PIN), e.Collect(A, False)]
    talk.pin.stop(3.0, talk.out)
    assert len(talk.out) == began + 2 and talk.pin.failed_for is None


def test_a_known_session_is_named_with_each_try() -> None:
    talk = Dialogue()
    talk.pin = PinPrompt(type(asking())(NUMBER, asking().rules, session()), CALLER, talk.pin._voice, talk.pin._record)
    talk.pin.begin(0.0, talk.out)
    talk.press("1#")
    talk.pin.refused(True, 1.0, talk.out)
    talk.heard()
    (fact,) = [effect.fact for effect in talk.out if isinstance(effect, e.Emit) and type(effect.fact) is PinChecked]
    assert (fact.session_id, fact.accepted, talk.pin.failed_for) == ("session-1", False, Cause.WRONG_PIN)


def test_every_action_exists_and_every_state_but_the_last_can_be_stopped() -> None:
    assert all(callable(getattr(PinPrompt, f"_{action}")) for _, action in ASKING.values())
    stopped = {state for state, signal in ASKING if signal is PinSignal.STOP}
    assert stopped == set(PinState) - {PinState.READY, PinState.OVER}
