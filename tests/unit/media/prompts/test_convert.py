"""The conversion as the store meets it: a process of its own, whose end is a clip or a reason."""

from __future__ import annotations

import sys

import pytest

from maskline.media.port import PromptUnavailable
from maskline.media.programs import Ended, Programs, ProgramTooSlow
from maskline.media.prompts.convert import convert
from tests.support.sounds import level_of, shape_of, sound_file


@pytest.fixture(scope="module")
def programs():
    programs = Programs(2)
    yield programs
    programs.close()


async def reason(programs, audio, longest=120.0):
    with pytest.raises(PromptUnavailable) as caught:
        await convert(programs, audio, longest=longest)
    return caught.value.reason


async def test_a_stereo_mp3_becomes_a_clip(programs):
    wav = await convert(programs, sound_file(kind="MP3", rate=44100, channels=2, seconds=2.0), longest=120.0)
    assert shape_of(wav) == (8000, 1, 2, pytest.approx(2.0, abs=0.06))
    assert level_of(wav) == pytest.approx(0.3535, rel=0.03)


async def test_html_that_calls_itself_mp3_is_not_audio(programs):
    assert await reason(programs, b"<!DOCTYPE html><html>" + b"not here " * 9_000) == "not_audio"


async def test_a_long_one_is_refused(programs):
    assert await reason(programs, sound_file(seconds=2.0), longest=1.0) == "too_long"


class Dies:
    """Programs of which each ends as told."""

    def __init__(self, end):
        self.end = end

    async def run(self, command, given, *, seconds):
        assert command[0] == sys.executable
        if isinstance(self.end, Exception):
            raise self.end
        return self.end


async def test_a_decoder_that_crashes_or_hangs_is_a_reason_too():
    assert await reason(Dies(Ended(-11, b"")), b"") == "decoder_failed"
    assert await reason(Dies(ProgramTooSlow()), b"") == "timeout"


async def test_the_servers_process_knows_none_of_the_libraries(programs):
    code = (
        "import sys, maskline.app, maskline.cli.main; print(sorted({'numpy', 'soundfile', 'soxr'} & set(sys.modules)))"
    )
    assert (await programs.run([sys.executable, "-c", code], seconds=20)).output == b"[]\n"
