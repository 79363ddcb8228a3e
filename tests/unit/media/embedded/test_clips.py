"""Clips: what is played of a file, and what is kept of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskline.media.embedded.clips import FRAMES_PER_PIECE, ClipCache, UnplayableClip, read_clip
from maskline.media.g711 import A_TO_LINEAR, MU_TO_LINEAR
from tests.support.wav_clip import tone, write_clip

PIECE = FRAMES_PER_PIECE * 160


@pytest.mark.parametrize(("law", "levels"), [("PCMU", MU_TO_LINEAR), ("PCMA", A_TO_LINEAR)])
def test_every_sample_is_encoded_to_the_nearest_level(tmp_path: Path, law: str, levels: tuple[int, ...]) -> None:
    samples = [*range(-32768, 32768, 13)]
    clip = read_clip(write_clip(tmp_path / "c.wav", samples).path)
    encoded = b"".join(clip.piece(law, number) for number in range(-(-len(samples) // PIECE)))
    assert len(encoded) == 160 * clip.frames
    for sample, byte in zip(samples, encoded, strict=False):
        nearest = min(abs(level - sample) for level in levels)
        assert abs(levels[byte] - sample) == nearest


def test_the_last_frame_is_filled_up_with_silence(tmp_path: Path) -> None:
    clip = read_clip(write_clip(tmp_path / "c.wav", [5000] * 200).path)
    assert clip.frames == 2
    piece = clip.piece("PCMU", 0)
    assert len(piece) == 320
    assert {MU_TO_LINEAR[byte] for byte in piece[200:]} == {0}
    assert clip.piece("PCMU", 0) is piece


@pytest.mark.parametrize("shape", [{"rate": 16_000}, {"channels": 2}, {"width": 1}])
def test_other_formats_are_refused(tmp_path: Path, shape: dict[str, int]) -> None:
    clip = write_clip(tmp_path / "c.wav", [0] * 320, **shape)
    with pytest.raises(UnplayableClip):
        read_clip(clip.path)


@pytest.mark.parametrize("content", [b"", b"RIFF", b"no audio at all" * 20])
def test_what_is_no_wav_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "c.wav").write_bytes(content)
    with pytest.raises(UnplayableClip):
        read_clip(str(tmp_path / "c.wav"))
    with pytest.raises(UnplayableClip):
        read_clip(str(tmp_path / "missing.wav"))
    with pytest.raises(UnplayableClip):
        read_clip("with\0zero")
    with pytest.raises(UnplayableClip):
        read_clip(write_clip(tmp_path / "empty.wav", []).path)


def test_clips_are_read_once_and_those_used_longest_ago_make_room(tmp_path: Path) -> None:
    one, two, three = (write_clip(tmp_path / f"{name}.wav", tone(400, 0.1)) for name in "abc")
    cache = ClipCache(limit=2 * 4 * 800)
    first, second = cache.get(one.path), cache.get(two.path)
    assert cache.get(one.path) is first
    cache.get(three.path)
    assert cache.get(one.path) is first
    assert cache.get(two.path) is not second
