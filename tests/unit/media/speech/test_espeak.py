"""espeak-ng: its list of voices, how it is started, and the real program."""

from __future__ import annotations

import pytest

from maskline.media.port import PromptUnavailable
from maskline.media.programs import Ended, ProgramMissing, Programs, ProgramTooSlow
from maskline.media.prompts.convert import convert
from maskline.media.speech.espeak import Espeak, read_voices
from maskline.media.speech.voice import Voice, choose_voice
from tests.support.sounds import samples_of, shape_of

LIST = """Pty Language       Age/Gender VoiceName          File                 Other Languages
 5  af              --/M      Afrikaans          gmw/af
 5  chr-US-Qaaa-x-west --/M      Cherokee_          iro/chr
 2  en-us           --/M      English_(America)  gmw/en-US            (en 3)
 5  cmn-latn-pinyin --/M      Chinese_(Mandarin,_latin_as_Pinyin) sit/cmn-Latn-pinyin
 5  es-419          --/M      Spanish_(Latin_America) roa/es-419           (es-mx 6)
 5  yue             --/M      Chinese_(Cantonese) sit/yue
 5  yue             --/M      Chinese_(Cantonese,_latin_as_Jyutping) sit/yue-Latn-jyutping
"""


class Scripted:
    """Programs that end as told, and what they were given."""

    def __init__(self, *ends):
        self.ends = list(ends)
        self.runs = []

    async def run(self, command, given=b"", *, seconds):
        self.runs.append((list(command), given))
        end = self.ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return end


def test_every_language_has_a_man_and_a_woman():
    voices = list(read_voices(LIST))
    assert voices[4:6] == [
        Voice("en-us-f", "en-US", "English (America)", "F", "en-us+f2"),
        Voice("en-us-m", "en-US", "English (America)", "M", "en-us"),
    ]
    locales = [voice.locale for voice in voices[::2]]
    assert locales == ["af", "chr-US-Qaaa-x-west", "en-US", "cmn-Latn-pinyin", "es-419", "yue"]
    assert len({voice.code for voice in voices}) == len(voices) == 12


async def test_the_list_is_asked_once():
    programs = Scripted(Ended(0, LIST.encode()))
    engine = Espeak(programs)
    assert len(await engine.voices()) == len(await engine.voices()) == 12
    assert programs.runs == [(["espeak-ng", "--voices"], b"")]


async def test_the_text_goes_by_stdin_and_never_by_the_command_line():
    programs = Scripted(Ended(0, b"RIFF"))
    text = "-v evil; $(rm -rf /) `x` \N{LATIN SMALL LETTER U WITH DIAERESIS}"
    voice = Voice("de-f", "de", "German", "F", "de+f2")
    assert await Espeak(programs).render(text, voice, 2.0) == b"RIFF"
    [(command, given)] = programs.runs
    assert given == text.encode()
    assert command == ["espeak-ng", "--stdin", "--stdout", "-b", "1", "-s", "300", "-v", "de+f2"]


@pytest.mark.parametrize(
    ("end", "reason"),
    [(ProgramMissing(), "no_speech"), (ProgramTooSlow(), "timeout"), (Ended(1, b""), "speech_failed")],
)
async def test_a_program_that_fails_has_a_reason(end, reason):
    with pytest.raises(PromptUnavailable) as caught:
        await Espeak(Scripted(end)).voices()
    assert caught.value.reason == reason


async def test_without_the_program_there_is_no_speech():
    programs = Programs(1)
    with pytest.raises(PromptUnavailable, match="no_speech"):
        await Espeak(programs, program="no-espeak-here").voices()
    programs.close()


async def test_the_real_program_speaks_and_speed_and_voice_make_a_difference():
    programs = Programs(2)
    engine = Espeak(programs)
    text = 'Please enter your PIN. J\'écris: <b>$x</b> & "quotes"'
    clips = {}
    for code, speed in (("en-us-m", 1.0), ("en-us-f", 1.0), ("en-us-m", 2.0)):
        spoken = await engine.render(text, await choose_voice(engine, code), speed)
        clips[code, speed] = await convert(programs, spoken, longest=60.0)
    programs.close()
    plain, fast = clips["en-us-m", 1.0], clips["en-us-m", 2.0]
    assert 2.0 < shape_of(plain)[3] < 15.0
    assert shape_of(fast)[3] < 0.75 * shape_of(plain)[3]
    assert clips["en-us-f", 1.0] != plain
    assert abs(samples_of(plain)).max() > 0.1
