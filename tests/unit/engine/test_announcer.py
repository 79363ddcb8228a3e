from __future__ import annotations

from itertools import count

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.announcer import HEARING, LONGEST_PROMPT, Announcer, Hearing, HearingSignal
from maskline.engine.call_record_builder import CallRecordBuilder
from maskline.masking.facts import LegName, PromptNotPlayed, PromptPlayed
from maskline.masking.prompt import BEEP, BUSY, RINGBACK, Prompt
from tests.support.call_machine import CLIP, WALL, WELCOME

A = LegName.A
PIN = i.TimerName.PIN


def made() -> tuple[Announcer, list[e.Effect]]:
    return Announcer(A, count(1).__next__, CallRecordBuilder("call-1", "leg-a", "leg-b", WALL)), []


def test_prompts_are_played_one_after_the_other_and_told() -> None:
    voice, out = made()
    voice.play((CLIP, WELCOME), out)
    assert out == [e.Play(A, CLIP, 1), e.StartTimer(LONGEST_PROMPT, PIN)]
    assert not voice.over(i.PlayDone(A, 1), 1.0, out)
    assert voice.over(i.PlayDone(A, 2), 2.0, out) and out[-1] == e.StopTimer(PIN)
    assert [effect.fact.name for effect in out if isinstance(effect, e.Emit)] == ["PromptPlayed", "PromptPlayed"]


def test_a_prompt_may_be_played_more_than_once_and_a_long_text_takes_its_time() -> None:
    voice, out = made()
    text = Prompt("say", text="x" * 3000, speed=0.5)
    voice.play((text,), out, 3)
    assert out == [e.Play(A, text, 1, 3), e.StartTimer(3 * (LONGEST_PROMPT + 3000), PIN)]
    voice.stop(1.0, out)
    voice.play((CLIP,), out)
    assert out[-2:] == [e.Play(A, CLIP, 2, 1), e.StartTimer(LONGEST_PROMPT, PIN)]


def test_a_tone_is_looped_once_and_not_told() -> None:
    voice, out = made()
    voice.loop(RINGBACK, out)
    voice.loop(BUSY, out)
    assert out == [e.Play(A, RINGBACK, 1, repeat=0)]
    voice.stop(1.0, out)
    voice.stop(2.0, out)
    assert out[1:] == [e.StopPlaying(A)]


def test_a_short_tone_is_not_told_unless_it_could_not_be_played() -> None:
    voice, out = made()
    voice.play((BEEP,), out)
    assert voice.over(i.PlayDone(A, 1), 1.0, out)
    assert not [effect for effect in out if isinstance(effect, e.Emit)]


def test_what_is_stopped_before_it_began_was_not_heard() -> None:
    voice, out = made()
    voice.play((CLIP, WELCOME), out)
    assert not voice.over(i.PlayDone(A, 1), 1.0, out)
    voice.begun(i.PlayBegun(A, 1))
    voice.stop(2.0, out)
    facts = [effect.fact for effect in out if isinstance(effect, e.Emit)]
    assert [type(fact) for fact in facts] == [PromptPlayed, PromptNotPlayed]
    assert facts[1].reason == "stopped"  # type: ignore[attr-defined]


def test_what_is_stopped_was_heard_in_part() -> None:
    voice, out = made()
    voice.play((CLIP, WELCOME), out)
    voice.begun(i.PlayBegun(A, 1))
    voice.begun(i.PlayBegun(A, 99))
    voice.stop(1.0, out)
    (told,) = [effect.fact for effect in out if isinstance(effect, e.Emit)]
    assert (told.prompt, told.completed) == ("first_party_play_url", False)  # type: ignore[attr-defined]
    assert out[-2:] == [e.StopPlaying(A), e.StopTimer(PIN)]
    assert not voice.over(i.PlayDone(A, 1), 2.0, out)


def test_every_state_can_be_silenced() -> None:
    assert {state for state, signal in HEARING if signal is HearingSignal.STOP} == set(Hearing) - {Hearing.NOTHING}
