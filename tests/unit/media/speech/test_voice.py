"""The choice of a voice by its code."""

from __future__ import annotations

import pytest

from maskline.media.port import PromptUnavailable
from maskline.media.speech.voice import NoSpeech, Voice, choose_voice


def voice(code, locale):
    return Voice(code, locale, "", "M", code)


class Engine:
    name = "here"

    def __init__(self, *voices):
        self._voices = voices

    async def voices(self):
        return self._voices


GERMAN, BRITISH, AMERICAN = voice("de-m", "de"), voice("en-gb-m", "en-GB"), voice("en-us-m", "en-US")


@pytest.mark.parametrize(
    ("voices", "code", "chosen"),
    [
        ((GERMAN, BRITISH, AMERICAN), "", AMERICAN),
        ((GERMAN, BRITISH), "", BRITISH),
        ((GERMAN,), "", GERMAN),
        ((GERMAN, BRITISH), "de-m", GERMAN),
        ((GERMAN, BRITISH), "EN-GB-M", BRITISH),
    ],
)
async def test_a_voice_is_chosen_by_code_or_by_language(voices, code, chosen):
    assert await choose_voice(Engine(*voices), code) == chosen


@pytest.mark.parametrize(
    ("engine", "code", "reason"),
    [
        (Engine(GERMAN), "fr-m", "unknown_voice"), (Engine(), "", "no_speech"), (Engine(), "de-m", "unknown_voice"),
        (NoSpeech(), "", "no_speech"),
    ],
)  # fmt: skip
async def test_where_there_is_none_the_reason_says_so(engine, code, reason):
    with pytest.raises(PromptUnavailable) as caught:
        await choose_voice(engine, code)
    assert caught.value.reason == reason


async def test_nobody_speaks_when_speech_is_off():
    with pytest.raises(PromptUnavailable, match="no_speech"):
        await NoSpeech().render("Hello", GERMAN, 1.0)
