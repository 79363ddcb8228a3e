"""The store as the settings want it, with real programs: the shortest way from a URL or a text to a clip."""

from __future__ import annotations

import wave
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from maskline.clock import SystemClock
from maskline.masking.prompt import Prompt
from maskline.media.port import PromptUnavailable
from maskline.media.programs import Programs
from maskline.media.prompts.build import build_prompts, build_speech
from maskline.media.speech.espeak import Espeak
from maskline.media.speech.piper import Piper
from maskline.media.speech.voice import NoSpeech
from maskline.net.egress import Egress
from maskline.settings import Settings
from tests.support.sounds import sound_file
from tests.support.web_receiver import receiving


@asynccontextmanager
async def prompts_of(**settings):
    settings = Settings(egress_allow="127.0.0.0/8", **settings)
    egress = Egress(settings.egress_networks)
    prompts = build_prompts(settings, egress, SystemClock())
    await egress.open()
    await prompts.open()
    yield prompts
    await prompts.close()
    await egress.close()


async def test_from_a_url_to_a_clip_within_the_limits_of_the_settings(tmp_path):
    async def answer(request):
        return web.Response(body=sound_file(kind="MP3", rate=44100, channels=2, seconds=int(request.path[1])))

    async with receiving() as receiver, prompts_of(data_dir=tmp_path, prompt_length=2.0) as prompts:
        receiver.answer = answer
        clip = await prompts.clip(Prompt("x", url=receiver.url + "/1.mp3"))
        assert clip.path.startswith(str(tmp_path / "prompts"))
        with wave.open(clip.path) as file:
            assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (8000, 1, 2)
            assert file.getnframes() / 8000 == clip.duration == pytest.approx(1.0, abs=0.06)
        with pytest.raises(PromptUnavailable, match="too_long"):
            await prompts.clip(Prompt("x", url=receiver.url + "/3.mp3"))


async def test_from_a_text_to_a_clip(tmp_path):
    async with prompts_of(data_dir=tmp_path) as prompts:
        clip = await prompts.clip(Prompt("consent", text="This call may be recorded", voice="en-gb-f"))
        assert 1.0 < clip.duration < 5.0


@pytest.mark.row("8x8:4/say.text")
async def test_as_many_characters_as_a_text_may_have_are_spoken_to_their_end(tmp_path):
    text = ("Please hold the line while we are connecting you with your driver. " * 50)[:3000]
    async with prompts_of(data_dir=tmp_path, prompt_length=10.0) as prompts:
        clip = await prompts.clip(Prompt("say", text=text, voice="en-us-f"))
        assert 130.0 < clip.duration < 240.0, "a file may last ten seconds here, a text as long as it takes"


def test_who_speaks_is_a_setting(tmp_path):
    programs = Programs(1)
    piper = Settings(speech="piper", piper_voices=str(tmp_path / "en_US-joe-medium.onnx"))
    assert isinstance(build_speech(Settings(), programs), Espeak)
    assert isinstance(build_speech(piper, programs), Piper)
    assert isinstance(build_speech(Settings(speech="none"), programs), NoSpeech)
    programs.close()
