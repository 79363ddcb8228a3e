"""piper: which voices there are, and how it is started. The program itself is an extra and not installed here."""

from __future__ import annotations

import json

import pytest

from maskline.media.port import PromptUnavailable
from maskline.media.programs import Ended, ProgramMissing, Programs, ProgramTooSlow
from maskline.media.speech.piper import Piper, read_voice
from maskline.media.speech.voice import Voice

LANGUAGE = {"code": "en_US", "name_english": "English", "country_english": "United States"}
# Does what piper does with its standard input and output, as far as we rely on it.
PROGRAM = ["sh", "-c", 'cat; printf "|%s" "$@"', "sh"]


def put_voice(folder, name="en_US-joe-medium", told=None):
    file = folder / f"{name}.onnx"
    file.write_bytes(b"model")
    (folder / f"{name}.onnx.json").write_text(json.dumps(told or {"language": LANGUAGE}))
    return file


@pytest.fixture
def programs():
    programs = Programs(1)
    yield programs
    programs.close()


async def test_a_voice_is_described_by_the_file_beside_it(tmp_path, programs):
    engine = Piper(programs, [put_voice(tmp_path), tmp_path / "missing.onnx"])
    assert await engine.voices() == [
        Voice("en_US-joe-medium", "en-US", "English (United States)", "M", "en_US-joe-medium")
    ]


def test_a_file_name_becomes_a_code_that_a_prompt_can_name(tmp_path, programs):
    assert list(Piper(programs, [put_voice(tmp_path, "de DE.eva")])._files) == ["de_DE_eva"]


@pytest.mark.parametrize("told", ["", "[]", "{", '{"language": {}}', '{"language": "en"}', '{"language": null}'])
def test_a_description_that_cannot_be_read_is_no_voice(tmp_path, told):
    file = put_voice(tmp_path)
    (tmp_path / f"{file.name}.json").write_text(told)
    assert read_voice("x", file) is None


def test_a_description_without_its_model_is_no_voice(tmp_path):
    file = put_voice(tmp_path)
    file.unlink()
    assert read_voice("x", file) is None


async def test_the_text_goes_by_stdin_as_one_line(tmp_path, programs):
    engine = Piper(programs, [put_voice(tmp_path)], PROGRAM)
    [voice] = await engine.voices()
    said = await engine.render("One line.\n\nTwo `lines`; $HOME", voice, 2.0)
    text, _, options = said.decode().partition("\n|")
    assert text == "One line. Two `lines`; $HOME"
    assert options.split("|") == ["-m", str(tmp_path / "en_US-joe-medium.onnx"), "--length-scale", "0.500", "-f", "-"]


class Ends:
    def __init__(self, end):
        self.end = end

    async def run(self, command, given, *, seconds):
        if isinstance(self.end, Exception):
            raise self.end
        return self.end


@pytest.mark.parametrize(
    ("end", "reason"),
    [(ProgramMissing(), "no_speech"), (ProgramTooSlow(), "timeout"), (Ended(1, b""), "speech_failed")],
)
async def test_a_program_that_fails_has_a_reason(tmp_path, end, reason):
    engine = Piper(Ends(end), [put_voice(tmp_path)], ["piper"])
    with pytest.raises(PromptUnavailable) as caught:
        await engine.render("Hello", (await engine.voices())[0], 1.0)
    assert caught.value.reason == reason


async def test_without_the_extra_there_is_no_speech(tmp_path, programs, monkeypatch):
    monkeypatch.setattr("maskline.media.speech.piper.find_spec", lambda _name: None)
    engine = Piper(programs, [put_voice(tmp_path)])
    with pytest.raises(PromptUnavailable, match="no_speech"):
        await engine.render("Hello", (await engine.voices())[0], 1.0)
