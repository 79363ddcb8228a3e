"""`maskline prompt`: what people would hear, tried without a call.

What it is: voices, a spoken text and a fetched URL, made by the same store that serves calls, in the same folder; a
running server takes up within a minute what is made here. What it is not: playing it. It needs no database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from maskline.cli.output import JsonFlag, emit, pairs, table
from maskline.clock import SystemClock
from maskline.errors import ConfigurationError, MasklineError
from maskline.logs import configure
from maskline.masking.prompt import Prompt
from maskline.media.port import Clip, PromptUnavailable
from maskline.media.prompts.build import build_prompts
from maskline.media.prompts.store import PromptStore
from maskline.media.speech.voice import Voice
from maskline.net.egress import Egress
from maskline.settings import load_settings

T = TypeVar("T")

app = typer.Typer(name="prompt", help="Prompts: what people hear, tried without a call.", no_args_is_help=True)

_SENTENCES = {
    "forbidden_address": "The URL leads to an internal address, which only MASKLINE_EGRESS_ALLOW opens",
    "invalid_url": "This is no http or https URL that may be called",
    "unknown_name": "The host name is unknown",
    "no_connection": "There is no connection: refused or unreachable",
    "tls_failed": "TLS failed: the certificate or protocol was not accepted",
    "broken": "The connection broke before the whole file was there",
    "timeout": "It took too long (MASKLINE_PROMPT_TIMEOUT)",
    "too_large": "The file is larger than MASKLINE_PROMPT_SIZE",
    "too_long": "The audio lasts longer than MASKLINE_PROMPT_LENGTH",
    "not_audio": "The content is no mp3 or wav",
    "decoder_failed": "The file made the decoder fail",
    "not_kept": "The file cannot be written to MASKLINE_DATA_DIR/prompts",
    "no_speech": "Texts cannot be spoken: MASKLINE_SPEECH names nobody, or what it names is not installed",
    "speech_failed": "The speech program failed",
    "unknown_voice": "There is no such voice; `maskline prompt voices` lists them",
    "no_text": "There is nothing to say",
    "text_too_long": "The text is longer than 3000 characters",
    "bad_speed": "The speed has to be between 0.5 and 2",
}


class _NotHad(MasklineError):
    """The prompt cannot be had."""


@app.command("voices")
def voices(
    language: Annotated[str, typer.Argument(help="Only of this language, such as en or en-GB.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """List the voices that texts can be spoken in."""

    async def work(prompts: PromptStore) -> list[Voice]:
        wanted = language.lower()
        return [
            voice
            for voice in await prompts.speech.voices()
            if not wanted or voice.locale.lower() == wanted or voice.locale.lower().startswith(f"{wanted}-")
        ]

    found = _run(work)
    document = {
        "voices": [
            {"code": one.code, "locale": one.locale, "language": one.description, "gender": one.gender} for one in found
        ]
    }
    rows = [(one.code, one.locale, one.gender, one.description) for one in found]
    emit(as_json, document, table(("code", "locale", "gender", "language"), rows, "No voice of this language."))


@app.command("say")
def say(
    text: Annotated[str, typer.Argument(help="What is to be said.")],
    voice: Annotated[str, typer.Option("--voice", metavar="CODE", help="One of `maskline prompt voices`.")] = "",
    speed: Annotated[float, typer.Option("--speed", help="0.5 to 2.")] = 1.0,
    as_json: JsonFlag = False,
) -> None:
    """Have a text spoken, and show the file that people would hear."""
    _show(as_json, lambda prompts: prompts.speak(text, voice=voice, speed=speed))


@app.command("fetch")
def fetch(
    url: Annotated[str, typer.Argument(help="Where the mp3 or wav file is.")],
    as_json: JsonFlag = False,
) -> None:
    """Fetch and convert a prompt as a call would, and show the file or why there is none."""
    _show(as_json, lambda prompts: prompts.clip(Prompt("fetch", url=url)))


def _show(as_json: bool, work: Callable[[PromptStore], Awaitable[Clip]]) -> None:
    clip = _run(work)
    shown = {"path": clip.path, "duration": round(clip.duration, 3)}
    emit(as_json, shown, pairs({"file": clip.path, "seconds": clip.duration}))


def _run(work: Callable[[PromptStore], Awaitable[T]]) -> T:
    async def opened() -> T:
        configure(level="error")  # what failed is the command's own sentence
        settings = load_settings()
        egress = Egress(settings.egress_networks)
        prompts = build_prompts(settings, egress, SystemClock())
        await egress.open()
        try:
            await _open(prompts)
            return await work(prompts)
        finally:
            await prompts.close()
            await egress.close()

    try:
        return asyncio.run(opened())
    except PromptUnavailable as unavailable:
        raise _NotHad(f"{_sentence(unavailable.reason)} ({unavailable.reason}).") from None


async def _open(prompts: PromptStore) -> None:
    try:
        await prompts.open()
    except OSError as error:
        raise ConfigurationError(
            f"The folder of prompts cannot be made or written: {error.strerror} (MASKLINE_DATA_DIR)."
        ) from None


def _sentence(reason: str) -> str:
    if reason.startswith("http_"):
        return f"The server answered HTTP {reason.removeprefix('http_')} and not 200"
    return _SENTENCES.get(reason, "The prompt cannot be had")
