"""The store: what is asked again and when, who shares a fetch, and what is played when a source fails."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from maskline.clock import VirtualClock
from maskline.masking.prompt import RINGBACK, Prompt, Tone
from maskline.media.port import PromptUnavailable
from maskline.media.prompts import store as store_module
from maskline.media.prompts.files import ClipFiles
from maskline.media.prompts.store import STALE_FOR, PromptStore
from maskline.media.prompts.tones import tone_wav
from maskline.media.speech.voice import NoSpeech, Voice
from tests.support.logging import configured_logs
from tests.support.waiting import until

URL = "https://cdn.example/hello.mp3?token=secret"
HOUR = 3600.0
VOICES = (Voice("de-m", "de", "German", "M", "de"), Voice("en-us-f", "en-US", "English (America)", "F", "en-us+f2"))


def content(clip) -> bytes | None:
    path = Path(clip.path)
    return path.read_bytes() if path.exists() else None


def read(stream) -> list[dict]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


class World:
    """A store over a server, a decoder and a speaker that a test directs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = VirtualClock(epoch=1_800_000_000.0)
        self.fetches: list[str] = []
        self.answer: bytes | str = tone_wav(Tone.BEEP)
        """What the server gives; a text is a reason."""
        self.gate: asyncio.Event | None = None
        self.spoken: list[tuple[str, str, float]] = []
        self.speech_fails = ""
        self.closed = 0
        self.store = self.build()

    def build(self, fresh_for: float = HOUR, speech=None, **options) -> PromptStore:
        files = ClipFiles(self.folder, self.clock, most=10_000_000)
        return PromptStore(
            files, self.fetch, self.convert, speech or self, self.clock, fresh_for=fresh_for, on_close=self.note_close,
            **options,
        )  # fmt: skip

    def note_close(self) -> None:
        self.closed += 1

    async def fetch(self, url: str) -> bytes:
        self.fetches.append(url)
        if self.gate is not None:
            await self.gate.wait()
        if isinstance(self.answer, str):
            raise PromptUnavailable(self.answer)
        return self.answer

    async def convert(self, audio: bytes) -> bytes:
        if not audio.startswith(b"RIFF"):
            raise PromptUnavailable("not_audio")
        return audio

    name = "here"

    async def voices(self):
        return VOICES

    async def render(self, text, voice, speed):
        self.spoken.append((text, voice.code, speed))
        if self.speech_fails:
            raise PromptUnavailable(self.speech_fails)
        return tone_wav(Tone.CONGESTION)

    async def had(self, url: str = URL, store: PromptStore | None = None):
        return await (store or self.store).clip(Prompt("first_party_play_url", url=url))

    async def reason(self, url: str = URL) -> str:
        with pytest.raises(PromptUnavailable) as caught:
            await self.had(url)
        return caught.value.reason


@pytest.fixture
async def world(tmp_path):
    world = World(tmp_path / "prompts")
    await world.store.open()
    yield world
    await world.store.close()


async def test_a_prompt_is_fetched_once_and_then_comes_from_the_cache(world):
    first = await world.had()
    world.clock.advance(HOUR - 1)
    assert await world.had() == first
    assert world.fetches == [URL]
    assert content(first) == tone_wav(Tone.BEEP)
    assert first.duration == 0.5
    assert world.store.asked == {"made": 1, "hit": 1}
    assert world.store.fetched == {"ok": 1}


@pytest.mark.row("8x8:4/playFile.fileUrl")
async def test_after_an_hour_it_is_fetched_again_and_a_changed_one_is_played(world):
    first = await world.had()
    world.clock.advance(HOUR)
    world.answer = tone_wav(Tone.BUSY)
    second = await world.had()
    assert (len(world.fetches), second.duration) == (2, 3.0)
    assert second.path != first.path
    world.clock.advance(HOUR - 1)
    assert await world.had() == second


async def test_those_who_ask_at_the_same_time_share_one_fetch(world):
    world.gate = asyncio.Event()
    asking = [asyncio.ensure_future(world.had()) for _ in range(20)]
    await asyncio.sleep(0)
    world.gate.set()
    clips = await asyncio.gather(*asking)
    assert len(set(clips)) == 1
    assert world.fetches == [URL]


async def test_one_who_leaves_does_not_take_the_fetch_from_the_others(world):
    world.gate = asyncio.Event()
    leaving, staying = asyncio.ensure_future(world.had()), asyncio.ensure_future(world.had())
    await asyncio.sleep(0)
    leaving.cancel()
    world.gate.set()
    assert (await staying).duration == 0.5
    assert world.fetches == [URL]


async def test_a_restart_needs_no_fetch(world):
    first = await world.had()
    world.clock.advance(600.0)
    again = world.build()
    await again.open()
    assert await world.had(store=again) == first
    assert world.fetches == [URL]


async def test_a_file_that_was_removed_is_fetched_again(world):
    os.unlink((await world.had()).path)
    await world.had()
    assert len(world.fetches) == 2


async def test_without_cache_time_every_call_asks(world):
    store = world.build(fresh_for=0.0)
    await store.open()
    await world.had(store=store)
    await world.had(store=store)
    assert len(world.fetches) == 2


async def test_a_failure_is_told_and_remembered_for_half_a_minute(world):
    world.answer = "http_404"
    assert await world.reason() == "http_404"
    world.answer = tone_wav(Tone.BEEP)
    world.clock.advance(29.0)
    assert await world.reason() == "http_404"
    assert len(world.fetches) == 1
    world.clock.advance(1.0)
    assert (await world.had()).duration == 0.5
    assert world.store.asked == {"failed": 2, "made": 1}
    assert world.store.fetched == {"http_4xx": 1, "ok": 1}


async def test_a_failure_is_logged_without_path_and_query(world):
    world.answer = "too_large"
    with configured_logs(form="json") as lines:
        await world.reason("https://user:pw@cdn.example:8443/+6591234567.mp3?token=secret")
    [line] = read(lines)
    assert (line["event"], line["reason"], line["origin"]) == (
        "prompt_unavailable", "too_large", "https://cdn.example:8443"
    )  # fmt: skip
    assert "secret" not in str(line)


@pytest.mark.parametrize(
    "reason", ["timeout", "no_connection", "unknown_name", "tls_failed", "broken", "http_503", "http_429"]
)
async def test_when_a_server_cannot_be_asked_its_last_clip_is_played_for_a_day(world, reason):
    first = await world.had()
    world.clock.advance(STALE_FOR)
    world.answer = reason
    assert await world.had() == first
    assert await world.had() == first
    assert len(world.fetches) == 2, "the failure is remembered"
    assert world.store.asked == {"made": 1, "stale": 2}
    world.clock.advance(60.0)
    assert await world.reason() == reason


@pytest.mark.parametrize("reason", ["http_404", "http_403", "not_audio", "too_large", "forbidden_address", "http_302"])
async def test_when_a_server_answers_otherwise_that_is_believed(world, reason):
    await world.had()
    world.clock.advance(HOUR)
    world.answer = reason
    assert await world.reason() == reason


async def test_what_is_no_audio_is_a_reason(world):
    world.answer = b"<!DOCTYPE html>"
    assert await world.reason() == "not_audio"


async def test_a_disk_that_is_full_is_a_reason(world, monkeypatch):
    def full(self, key, wav):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ClipFiles, "write", full)
    assert await world.reason() == "not_kept"


async def test_an_asker_waits_no_longer_than_promised_and_the_next_one_profits(world, monkeypatch):
    monkeypatch.setattr(store_module, "WITHIN", 0.02)
    world.gate = asyncio.Event()
    assert await world.reason() == "timeout"
    world.gate.set()
    await asyncio.gather(*world.store._making.values())
    assert (await world.had()).duration == 0.5
    assert world.fetches == [URL]


async def test_many_failures_are_not_all_remembered(world, monkeypatch):
    monkeypatch.setattr(store_module, "_MOST_REMEMBERED", 3)
    world.answer = "http_404"
    for n in range(10):
        await world.reason(f"https://cdn.example/{n}")
    assert len(world.store._failed) == 3
    world.clock.advance(60.0)
    await world.store.sweep()
    assert world.store._failed == {}


# --- tones and speech


async def test_tones_are_there_from_the_start(world):
    clip = await world.store.clip(RINGBACK)
    assert (clip.duration, content(clip)) == (5.0, tone_wav(Tone.RINGBACK))
    assert world.store.asked == {}


async def test_a_text_is_spoken_once_for_all_time(world):
    prompt = Prompt("consent", text="This call is recorded")
    first = await world.store.clip(prompt)
    world.clock.advance(20 * 86_400.0)
    assert await world.store.clip(prompt) == first
    assert world.spoken == [("This call is recorded", "en-us-f", 1.0)]
    assert world.store.spoken == {"ok": 1}


async def test_voice_and_speed_make_another_clip(world):
    await world.store.speak("Hello", voice="DE-M")
    await world.store.speak("Hello", voice="de-m", speed=1.5)
    await world.store.speak("Hello", voice="de-m")
    assert world.spoken == [("Hello", "de-m", 1.0), ("Hello", "de-m", 1.5)]


@pytest.mark.row("8x8:4/say.speed")
async def test_a_prompt_is_spoken_as_fast_as_it_says(world):
    await world.store.clip(Prompt("say", text="Hello", voice="de-m"))
    fast = await world.store.clip(Prompt("say", text="Hello", voice="de-m", speed=1.5))
    again = await world.store.clip(Prompt("say", text="Hello", voice="de-m", speed=1.5))
    assert world.spoken == [("Hello", "de-m", 1.0), ("Hello", "de-m", 1.5)]
    assert again == fast


async def test_the_settings_voice_is_taken_where_none_is_named(world):
    store = world.build(voice="de-m")
    await store.open()
    await store.speak("Hello")
    assert world.spoken == [("Hello", "de-m", 1.0)]


@pytest.mark.parametrize(
    ("text", "voice", "speed", "reason"),
    [
        (" ", "", 1.0, "no_text"), ("x" * 3001, "", 1.0, "text_too_long"), ("x", "fr-f", 1.0, "unknown_voice"),
        ("x", "", 0.4, "bad_speed"), ("x", "", 2.1, "bad_speed"),
    ],
)  # fmt: skip
async def test_what_cannot_be_said_has_a_reason(world, text, voice, speed, reason):
    with pytest.raises(PromptUnavailable) as caught:
        await world.store.speak(text, voice=voice, speed=speed)
    assert caught.value.reason == reason
    assert world.store.asked == {"failed": 1}


async def test_without_speech_a_text_cannot_be_had(world):
    store = world.build(speech=NoSpeech())
    await store.open()
    with pytest.raises(PromptUnavailable, match="no_speech"):
        await store.speak("Hello")


async def test_speech_that_fails_is_counted_and_logged_without_the_text(world):
    world.speech_fails = "speech_failed"
    with configured_logs(form="json") as lines, pytest.raises(PromptUnavailable):
        await world.store.speak("A secret text")
    [line] = read(lines)
    assert (line["origin"], line["reason"]) == ("speech", "speech_failed")
    assert "secret" not in str(line)
    assert world.store.spoken == {"speech_failed": 1}


# --- ahead


async def settle(world):
    await asyncio.gather(*world.store._runners)


async def test_prompts_are_fetched_ahead_without_anybody_waiting(world):
    world.store.prefetch([URL, "https://cdn.example/other.mp3", URL, "", "say@de-m:Guten Tag"])
    assert world.fetches == []
    await settle(world)
    assert sorted(world.fetches) == sorted([URL, "https://cdn.example/other.mp3"])
    assert world.spoken == [("Guten Tag", "de-m", 1.0)]
    assert world.store.asked == {}, "nobody asked yet"
    await world.had()
    assert world.store.asked == {"hit": 1}


async def test_what_is_there_is_not_fetched_ahead_again(world):
    await world.had()
    world.store.prefetch([URL] * 3)
    assert not world.store._runners
    world.clock.advance(HOUR)
    world.store.prefetch([URL])
    await settle(world)
    assert len(world.fetches) == 2


async def test_a_failure_ahead_disturbs_nobody_and_the_call_meets_it(world):
    world.answer = "http_404"
    world.store.prefetch([URL, "say@fr-f:Bonjour"])
    await settle(world)
    assert await world.reason() == "http_404"
    assert len(world.fetches) == 1


async def test_two_work_ahead_and_the_queue_is_bounded(world, monkeypatch):
    monkeypatch.setattr(store_module, "_MOST_AHEAD", 5)
    world.gate = asyncio.Event()
    world.store.prefetch(f"https://cdn.example/{n}.mp3" for n in range(9))
    assert world.store.dropped == 4
    await until(lambda: len(world.fetches) == 2, pause=0.001)
    await asyncio.sleep(0.01)
    assert len(world.fetches) == 2
    world.gate.set()
    await settle(world)
    assert len(world.fetches) == 5


async def test_before_the_start_and_after_the_stop_nothing_is_fetched_ahead(tmp_path):
    world = World(tmp_path / "prompts")
    world.store.prefetch([URL])
    await world.store.open()
    world.gate = asyncio.Event()
    world.store.prefetch([URL])
    await asyncio.sleep(0)
    await world.store.close()
    world.store.prefetch([URL])
    assert (world.store._runners, world.store._making, world.closed) == (set(), {}, 1)


# --- sweep


async def test_a_sweep_removes_what_is_old_and_never_the_tones(world):
    clip = await world.had()
    world.clock.advance(40 * 86_400.0)
    assert await world.store.sweep() == 1
    assert content(clip) is None
    assert all(content(tone) for tone in world.store._tones.values())
    assert world.store.size == sum(len(tone_wav(tone)) for tone in Tone)


async def test_a_tone_that_somebody_removed_is_made_again(world):
    os.unlink((await world.store.clip(RINGBACK)).path)
    await world.store.sweep()
    assert content(await world.store.clip(RINGBACK)) == tone_wav(Tone.RINGBACK)


async def test_a_sweep_goes_on_until_all_is_done(world, monkeypatch):
    monkeypatch.setattr(store_module, "_SWEEP_STEP", 2)
    for n in range(5):
        await world.had(f"https://cdn.example/{n}")
    world.clock.advance(40 * 86_400.0)
    assert await world.store.sweep() == 5


async def test_the_sweeper_outlives_a_folder_it_cannot_read(world, monkeypatch):
    monkeypatch.setattr(store_module, "_SWEEP_EVERY", 0.0)
    swept, seen = asyncio.Event(), []

    async def fails():
        seen.append(1)
        if len(seen) > 1:
            swept.set()
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(world.store, "sweep", fails)
    with configured_logs(form="json") as lines:
        running = asyncio.ensure_future(world.store.run())
        await asyncio.wait_for(swept.wait(), 30)
        running.cancel()
    assert read(lines)[0]["event"] == "prompt_sweep_failed"
