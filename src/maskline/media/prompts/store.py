"""Prompts in, clips out: from the cache, or fetched, spoken and converted at the moment of need, once for all who ask.

What it is: the engine's `Prompter`. A URL is asked again when its clip is older than MASKLINE_PROMPT_CACHE_TIME; a
spoken text never changes. What it is not: downloads (`fetch.py`), audio (`convert.py`, `media/speech`) or files
(`files.py`). Who uses it: the engine asks for clips, the workflow that creates sessions has their URLs fetched ahead.

When a server that has answered before cannot be reached, or has a fault of its own (5xx, 429), the clip it gave last
is played for another day. When it answers that there is no such file, or gives something else than audio, that is
believed at once. A failure is remembered for half a minute, so that a dead server costs a caller its time-out only
now and then.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import structlog

from maskline.clock import Clock
from maskline.masking.prompt import Prompt, Tone, said_or_fetched
from maskline.media.port import Clip, PromptUnavailable
from maskline.media.prompts.fetch import origin_of
from maskline.media.prompts.files import ClipFiles, Kept, key_of
from maskline.media.prompts.tones import tone_wav
from maskline.media.speech.voice import SpeechEngine, check_speech, choose_voice

WITHIN = 9.5
"""Seconds an asker waits; the port promises 10. What is being made goes on and serves the next one."""
STALE_FOR = 86_400.0
"""Seconds after which a clip that could not be fetched anew is played no more."""
_REMEMBERED_FOR = 30.0
_MOST_REMEMBERED = 4_096
_AHEAD_AT_A_TIME, _MOST_AHEAD = 2, 10_000
_SWEEP_EVERY, _SWEEP_STEP = 60.0, 64
_TEMPORARY = frozenset({"timeout", "unknown_name", "no_connection", "tls_failed", "broken", "http_429"})
_STATUS = re.compile(r"http_([0-9])[0-9]*\Z")

_log = structlog.get_logger("maskline.prompts")

T = TypeVar("T")
Fetch = Callable[[str], Awaitable[bytes]]
"""URL → file; `fetch.Fetcher`."""
Convert = Callable[[bytes], Awaitable[bytes]]
"""File → WAV of a clip; `convert.convert` with its programs. Both raise `PromptUnavailable`."""


_Had = tuple[Kept, str]
"""A clip, and how it was had: hit, made or stale."""


@dataclass(frozen=True, slots=True)
class _Source:
    get: Callable[[], Awaitable[bytes]]
    """An audio file of any kind. Raises `PromptUnavailable`."""
    convert: Convert
    results: Counter[str]
    url: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class _Failed:
    until: float
    """Monotonic seconds."""
    reason: str


class PromptStore:
    """`open()` before use, `run()` as a task, `close()` at the end. `fresh_for`: seconds. `convert_speech`: for texts,
    which may last longer than files. Counters are for metrics."""

    def __init__(
        self,
        files: ClipFiles,
        fetch: Fetch,
        convert: Convert,
        speech: SpeechEngine,
        clock: Clock,
        *,
        fresh_for: float,
        convert_speech: Convert | None = None,
        voice: str = "",
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        self._files = files
        self._fetch = fetch
        self._convert = convert
        self._convert_speech = convert_speech or convert
        self.speech = speech
        self._clock = clock
        self._fresh_for = fresh_for
        self._voice = voice
        self._on_close = on_close
        self._tones: dict[Tone, Clip] = {}
        self._making: dict[str, asyncio.Task[Kept]] = {}
        self._failed: dict[str, _Failed] = {}
        self._ahead: dict[str, None] = {}
        """Sources in the order they came; each once."""
        # Not the loop's own threads: those may all be waiting for name servers.
        self._disk = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prompts")
        self._runners: set[asyncio.Task[None]] = set()
        self._opened = False
        self.asked: Counter[str] = Counter()
        """How clips were had: hit, made, stale, failed."""
        self.fetched: Counter[str] = Counter()
        """Fetches with their conversion, by result: ok or a reason."""
        self.spoken: Counter[str] = Counter()
        """Texts rendered, by result."""
        self.dropped = 0
        """Prompts not fetched ahead because too many waited."""

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self._files.total

    async def open(self) -> None:
        """Find the clips of earlier runs, write the tones. Raises `OSError`."""
        await self._on_disk(self._files.open)
        for tone in Tone:
            self._tones[tone] = await self._tone(tone)
        self._opened = True

    async def close(self) -> None:
        """Give up what is being made."""
        self._opened = False
        self._ahead.clear()
        tasks: list[asyncio.Task[object]] = [*self._runners, *self._making.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._disk.shutdown()
        await asyncio.to_thread(self._on_close)

    async def run(self) -> None:
        """Sweep the folder for ever."""
        while True:
            await asyncio.sleep(_SWEEP_EVERY)
            try:
                await self.sweep()
            except OSError as error:
                _log.warning("prompt_sweep_failed", error=error.strerror)

    async def sweep(self) -> int:
        """Remove the files that nobody wants, a few at a time so that calls are not held up; returns how many. Raises
        `OSError`."""
        now, removed = self._clock.now(), 0
        self._failed = {key: failed for key, failed in self._failed.items() if failed.until > now}
        while True:
            for tone in self._tones:
                if self._files.find(key_of("tone", tone)) is None:  # which also says that it is in use
                    self._tones[tone] = await self._tone(tone)
            step = self._files.sweep(await self._on_disk(self._files.listed), _SWEEP_STEP)
            removed += step
            if step < _SWEEP_STEP:
                break
        if removed:
            _log.info("prompts_swept", count=removed)
        return removed

    # -- asked for ---------------------------------------------------------------------------------------------------

    async def clip(self, prompt: Prompt) -> Clip:
        """The prompt's audio. Raises `PromptUnavailable` within 10 s; its reason is a code."""
        if prompt.tone is not None:
            return self._tones[prompt.tone]
        if prompt.url:
            # Most calls: without the timer that waiting needs.
            kept = self._files.find(key_of("url", prompt.url))
            if kept is not None and self._age(kept) < self._fresh_for:
                self.asked["hit"] += 1
                return kept.clip
        return await self._asked(self._of(prompt))

    async def speak(self, text: str, *, voice: str = "", speed: float = 1.0) -> Clip:
        """`text` in a voice of `speech.voices()` (empty: the default), `speed` from 0.5 to 2. Raises
        `PromptUnavailable` within 10 s."""
        return await self._asked(self._of_text(text, voice, speed))

    async def _asked(self, work: Awaitable[_Had]) -> Clip:
        try:
            async with asyncio.timeout(WITHIN):
                kept, how = await work
        except TimeoutError:
            self.asked["failed"] += 1
            raise PromptUnavailable("timeout") from None
        except PromptUnavailable:
            self.asked["failed"] += 1
            raise
        self.asked[how] += 1
        return kept.clip

    def prefetch(self, sources: Iterable[str]) -> None:
        """Have prompts made soon, if they are not there: URLs, or `say:` texts as settings write them. Returns at once
        and never raises."""
        for source in sources:
            if not source or not self._opened or self._fresh(source):
                continue
            if len(self._ahead) >= _MOST_AHEAD:
                self.dropped += 1
                continue
            self._ahead[source] = None
        while len(self._runners) < min(_AHEAD_AT_A_TIME, len(self._ahead)):
            runner = asyncio.ensure_future(self._work_ahead())
            self._runners.add(runner)
            runner.add_done_callback(self._runners.discard)

    def _fresh(self, url: str) -> bool:
        kept = self._files.peek(key_of("url", url))
        return kept is not None and self._age(kept) < self._fresh_for

    async def _work_ahead(self) -> None:
        while self._ahead:
            source = next(iter(self._ahead))
            del self._ahead[source]
            prompt = said_or_fetched("prefetch", source)
            assert prompt is not None, "an empty source is never queued"
            with contextlib.suppress(PromptUnavailable):  # noted where it happened; the call will meet it again
                await self._of(prompt)

    # -- found or made -----------------------------------------------------------------------------------------------

    async def _of(self, prompt: Prompt) -> _Had:
        if not prompt.url:
            return await self._of_text(prompt.text, prompt.voice, prompt.speed)
        get = partial(self._fetch, prompt.url)
        source = _Source(get, self._convert, self.fetched, prompt.url)
        return await self._had(key_of("url", prompt.url), self._fresh_for, source)

    async def _of_text(self, text: str, voice: str, speed: float) -> _Had:
        check_speech(text, speed)
        chosen = await choose_voice(self.speech, voice or self._voice)
        key = key_of("say", self.speech.name, chosen.code, f"{speed:.2f}", text)
        render = partial(self.speech.render, text, chosen, speed)
        return await self._had(key, math.inf, _Source(render, self._convert_speech, self.spoken))

    async def _had(self, key: str, fresh_for: float, source: _Source) -> _Had:
        kept = self._files.find(key)
        if kept is not None and self._age(kept) < fresh_for:
            return kept, "hit"
        failed = self._failed.get(key)
        try:
            if failed is not None and failed.until > self._clock.now():
                raise PromptUnavailable(failed.reason)
            return await asyncio.shield(self._shared(key, source)), "made"
        except PromptUnavailable as unavailable:
            if kept is None or not _is_temporary(unavailable.reason) or self._age(kept) > STALE_FOR:
                raise
            return kept, "stale"

    def _age(self, kept: Kept) -> float:
        return self._clock.wall() - kept.asked

    def _shared(self, key: str, source: _Source) -> asyncio.Task[Kept]:
        task = self._making.get(key)
        if task is None:
            task = self._making[key] = asyncio.ensure_future(self._make(key, source))
            task.add_done_callback(partial(self._forget_task, key))
        return task

    def _forget_task(self, key: str, task: asyncio.Task[Kept]) -> None:
        del self._making[key]
        if not task.cancelled():
            task.exception()  # who asked may have left; then nobody else would take it

    async def _make(self, key: str, source: _Source) -> Kept:
        try:
            wav = await source.convert(await source.get())
            path = await self._on_disk(self._files.write, key, wav)
            kept = self._files.keep(key, path)
        except PromptUnavailable as unavailable:
            reason = unavailable.reason
        except OSError:
            reason = "not_kept"
        else:
            source.results["ok"] += 1
            self._failed.pop(key, None)
            return kept
        source.results[_STATUS.sub(r"http_\1xx", reason)] += 1
        while len(self._failed) >= _MOST_REMEMBERED:
            del self._failed[next(iter(self._failed))]
        self._failed[key] = _Failed(self._clock.now() + _REMEMBERED_FOR, reason)
        _log.warning("prompt_unavailable", reason=reason, origin=origin_of(source.url) if source.url else "speech")
        raise PromptUnavailable(reason)

    async def _tone(self, tone: Tone) -> Clip:
        key = key_of("tone", tone)
        return self._files.keep(key, await self._on_disk(self._files.write, key, tone_wav(tone))).clip

    async def _on_disk(self, work: Callable[..., T], *given: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._disk, work, *given)


def _is_temporary(reason: str) -> bool:
    return reason in _TEMPORARY or reason.startswith("http_5")
