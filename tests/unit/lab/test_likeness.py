"""How sure the lab's ear is: what is there is found where it is, and what is not there is never near it."""

from __future__ import annotations

import numpy as np
import pytest

from maskline.lab import sound
from maskline.lab.likeness import ENOUGH, Search, agreement, everywhere, find
from maskline.lab.sound import PCMA, RATE, Samples

CLIPS = [sound.speech(seed, 1.0) for seed in range(4)]
WORST = 0.3
"""No wrong sound may come nearer than this; measured: 0.13 with other speech, 0.08 with tones, 0.06 with noise."""


def through(samples: Samples) -> Samples:
    """As a telephone would hear it."""
    return sound.decode(sound.encode(samples, PCMA), PCMA)


def ringback() -> Samples:
    rings = [np.concatenate((sound.tone(pitch, 1.0), sound.silence(0.4))) for pitch in ((425,), (440, 480), (400, 450))]
    return np.concatenate(rings)


WRONG = {
    "other speech": np.concatenate([sound.speech(100 + seed, 1.0) for seed in range(12)]),
    "noise": np.random.default_rng(1).integers(-9000, 9000, 10 * RATE).astype(np.int16),
    "ringback": ringback(),
    "keys": np.concatenate([np.concatenate((sound.digit_tone(d), sound.silence(0.05))) for d in sound.DIGITS]),
    "silence": sound.silence(5.0),
    "the same backwards": np.concatenate([clip[::-1] for clip in CLIPS]),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_was_not_said_is_far_from_being_heard(name: str) -> None:
    likeness = max(find(clip, through(WRONG[name])).likeness for clip in CLIPS)
    assert likeness < WORST < ENOUGH


@pytest.mark.parametrize("clip", CLIPS, ids=range(len(CLIPS)))
def test_what_was_said_is_found_where_it_was_said_however_quiet(clip: Samples) -> None:
    around = WRONG["other speech"]
    heard = through(np.concatenate((around[:20_000], clip // 4, around[20_000:40_000])))
    match = find(clip, heard)
    assert match.heard
    assert match.likeness > 0.99
    assert match.start == 20_000
    assert match.seconds == 2.5


def test_a_tenth_of_the_packets_may_be_missing() -> None:
    holes = CLIPS[0].copy().reshape(-1, 160)
    holes[::10] = 0
    assert find(CLIPS[0], holes.reshape(-1)).heard


def test_half_of_a_prompt_is_not_the_prompt() -> None:
    cut = np.concatenate((CLIPS[0][: RATE // 2], WRONG["other speech"][: 2 * RATE]))
    assert not find(CLIPS[0], cut).heard
    assert find(CLIPS[0][: RATE // 2], cut).heard


def test_less_than_the_sound_and_a_sound_that_is_silence_are_like_nothing() -> None:
    assert not len(everywhere(CLIPS[0], CLIPS[0][:-1]))
    assert find(CLIPS[0], CLIPS[0][:-1]).likeness == 0.0
    assert find(sound.silence(0.1), CLIPS[0]).likeness == 0.0


def test_a_recording_that_began_later_or_earlier_agrees_with_what_was_sent() -> None:
    sent = sound.speech(5, 3.0)
    later = agreement(through(sent[4_000:20_000]), sent)
    assert (later.start, later.likeness > 0.99) == (4_000, True)
    earlier = agreement(np.concatenate((sound.silence(0.5), through(sent))), sent)
    assert (earlier.start, earlier.likeness > 0.99) == (-4_000, True)


def test_a_recording_of_somebody_else_or_of_nothing_does_not_agree() -> None:
    sent = sound.speech(5, 3.0)
    assert agreement(sound.speech(6, 3.0), sent).likeness < 0.3
    assert agreement(sound.silence(0.0), sent).likeness == 0.0
    assert agreement(sound.silence(1.0), sent).likeness == 0.0


def test_a_recording_that_slips_by_a_packet_halfway_does_not_agree() -> None:
    sent = sound.speech(5, 4.0)
    assert agreement(np.delete(sent, slice(16_000, 16_160)), sent).likeness < 0.95


def test_a_search_goes_on_where_it_stopped_and_finds_what_lies_across() -> None:
    around = WRONG["other speech"]
    heard = through(np.concatenate((around[:20_000], CLIPS[1], around[20_000:40_000])))
    search = Search(CLIPS[1])
    for end in (9_000, 24_000, 27_900):
        assert not search.look(heard[:end]).heard
    assert search.look(heard[:28_100]) == search.look(heard)
    assert (search.best.start, search.best.heard) == (20_000, True)
