"""The folder of clips: names, restarts, and what the sweep removes."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from maskline.clock import VirtualClock
from maskline.masking.prompt import Tone
from maskline.media.prompts.files import ClipFiles, key_of
from maskline.media.prompts.tones import tone_wav

WAV = tone_wav(Tone.BEEP)
OTHER = tone_wav(Tone.BUSY)


class Folder:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = VirtualClock(epoch=1_800_000_000.0)

    def open(self, most: int = 10_000_000) -> ClipFiles:
        files = ClipFiles(self.path, self.clock, most=most)
        files.open()
        return files

    def names(self) -> list[str]:
        return sorted(path.name for path in self.path.iterdir())


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "prompts")


def put(files, key, wav=WAV):
    return files.keep(key, files.write(key, wav))


def sweep(files, at_most=64):
    return files.sweep(files.listed(), at_most)


def test_a_name_is_made_of_hashes_and_says_nothing_of_its_source(folder):
    files = folder.open()
    url = "https://cdn.example/+6591234567.mp3?token=secret"
    kept = put(files, key_of("url", url))
    assert re.fullmatch(r"[0-9a-f]{40}-[0-9a-f]{16}\.wav", Path(kept.clip.path).name)
    assert Path(kept.clip.path).read_bytes() == WAV
    assert kept.clip.duration == 0.5
    assert (os.stat(kept.clip.path).st_mode & 0o777, os.stat(folder.path).st_mode & 0o777) == (0o600, 0o700)


def test_sources_of_different_kinds_never_share_a_key():
    assert len({key_of("url", "a"), key_of("say", "a"), key_of("say", "a", ""), key_of("urla")}) == 4


def test_what_is_kept_is_found_and_an_unknown_key_is_not(folder):
    files = folder.open()
    kept = put(files, "a" * 40)
    folder.clock.advance(10.0)
    found = files.find("a" * 40)
    assert (found.clip, found.used - found.asked) == (kept.clip, 10.0)
    assert files.find("b" * 40) is None
    assert files.total == len(WAV)


def test_a_file_that_somebody_removed_is_not_found(folder):
    files = folder.open()
    os.unlink(put(files, "a" * 40).clip.path)
    assert files.find("a" * 40) is None
    assert files.total == 0


def test_a_restart_finds_clips_with_their_ages(folder):
    before = put(folder.open(), "a" * 40)
    folder.clock.advance(100.0)
    after = folder.open().find("a" * 40)
    assert (after.clip, after.asked) == (before.clip, before.asked)


def test_the_same_content_keeps_its_path_and_other_content_gets_another(folder):
    files = folder.open()
    first = put(files, "a" * 40)
    folder.clock.advance(10.0)
    again = put(files, "a" * 40)
    assert (again.clip, again.asked) == (first.clip, first.asked + 10.0)
    folder.clock.advance(10.0)
    changed = put(files, "a" * 40, OTHER)
    assert changed.clip.path != first.clip.path
    assert Path(first.clip.path).exists(), "somebody may be playing it"
    assert folder.open().find("a" * 40).clip == changed.clip


def test_a_sweep_removes_what_was_replaced_once_nobody_can_be_opening_it(folder):
    files = folder.open()
    first = put(files, "a" * 40)
    folder.clock.advance(10.0)
    changed = put(files, "a" * 40, OTHER)
    assert sweep(files) == 0
    folder.clock.advance(61.0)
    assert sweep(files) == 1
    assert folder.names() == [Path(changed.clip.path).name]
    assert first.clip.path != changed.clip.path


def test_above_the_limit_those_unused_for_longest_go(folder):
    files = folder.open(most=3 * len(WAV))
    for letter in "abcde":
        put(files, letter * 40)
        folder.clock.advance(100.0)
    files.find("a" * 40)
    folder.clock.advance(1.0)
    assert sweep(files) == 2
    assert [name[0] for name in folder.names()] == ["a", "d", "e"]
    assert files.find("b" * 40) is None
    assert files.total == 3 * len(WAV)


def test_what_was_just_used_stays_whatever_the_limit(folder):
    files = folder.open(most=1)
    put(files, "a" * 40)
    folder.clock.advance(59.0)
    assert sweep(files) == 0
    folder.clock.advance(2.0)
    assert sweep(files) == 1
    assert folder.names() == []


def test_what_nobody_used_for_a_month_goes(folder):
    files = folder.open()
    put(files, "a" * 40)
    put(files, "b" * 40)
    folder.clock.advance(29 * 86_400.0)
    files.find("b" * 40)
    assert sweep(files) == 0
    folder.clock.advance(2 * 86_400.0)
    assert sweep(files) == 1
    assert [name[0] for name in folder.names()] == ["b"]


def test_use_survives_a_restart_by_the_sweep(folder):
    files = folder.open()
    put(files, "a" * 40)
    folder.clock.advance(29 * 86_400.0)
    files.find("a" * 40)
    sweep(files)
    folder.clock.advance(2 * 86_400.0)
    files = folder.open()
    assert sweep(files) == 0
    assert files.find("a" * 40).asked == folder.clock.epoch


def test_a_file_that_vanished_before_its_use_was_noted_is_no_fault(folder):
    files = folder.open()
    os.unlink(put(files, "a" * 40).clip.path)
    assert sweep(files) == 0


def test_a_sweep_goes_in_steps(folder):
    files = folder.open(most=1)
    for letter in "abc":
        put(files, letter * 40)
    folder.clock.advance(61.0)
    assert [sweep(files, 2), sweep(files, 2)] == [2, 1]


def test_a_sweep_takes_up_what_another_process_made(folder):
    files, other = folder.open(), folder.open()
    made = put(other, "a" * 40)
    assert files.find("a" * 40) is None
    assert sweep(files) == 0
    assert files.find("a" * 40).clip == made.clip


def test_half_written_files_of_a_dead_process_go_after_an_hour(folder):
    files = folder.open()
    half = folder.path / f"{'a' * 40}-{'0' * 16}.99.part"
    half.write_bytes(b"RIFF")
    os.utime(half, (folder.clock.wall(), folder.clock.wall()))
    folder.clock.advance(3_599.0)
    assert sweep(files) == 0
    folder.clock.advance(2.0)
    assert sweep(files) == 1


def test_files_that_are_not_ours_are_left_alone(folder):
    files = folder.open(most=1)
    for name in ("readme.txt", "holiday.wav", f"{'a' * 40}-{'0' * 16}.wav"):
        (folder.path / name).write_bytes(b"")
    folder.clock.advance(40 * 86_400.0)
    assert sweep(files) == 0
    assert len(folder.names()) == 3
    assert folder.open().total == 0


def test_a_write_that_fails_leaves_nothing(folder, monkeypatch):
    files = folder.open()

    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("maskline.media.prompts.files.os.fsync", full)
    with pytest.raises(OSError):
        files.write("a" * 40, WAV)
    assert folder.names() == []
