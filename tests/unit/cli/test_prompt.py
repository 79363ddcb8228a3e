"""`maskline prompt`: voices, spoken texts and fetched URLs, each a file or one sentence."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.support.command_line import Cli
from tests.support.logging import configured_logs
from tests.support.sounds import sound_file


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = self.path == "/hello.mp3"
        body = sound_file(kind="MP3", rate=16000) if found else b"<!DOCTYPE html>" * 100
        self.send_response(404 if self.path == "/none" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Quiet."""


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """The command sets logging up, as one does that ends its process."""
    with configured_logs():
        yield


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    httpd = HTTPServer(("127.0.0.1", 0), _Handler)
    Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    monkeypatch.setenv("MASKLINE_EGRESS_ALLOW", "127.0.0.0/8")
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()


def test_voices_are_listed_with_what_a_speech_profile_needs(cli: Cli):
    listed = cli("prompt", "voices", "en-US", "--json").document["voices"]
    assert {"code": "en-us-f", "locale": "en-US", "language": "English (America)", "gender": "F"} in listed
    assert {voice["locale"].lower()[:5] for voice in listed} == {"en-us"}
    assert "en-us-f" in cli("prompt", "voices", "en").out
    assert cli("prompt", "voices", "tlh").out == "No voice of this language.\n"
    assert len(cli("prompt", "voices", "--json").document["voices"]) > 100


def test_a_text_is_spoken_into_a_file(cli: Cli):
    made = cli("prompt", "say", "Please enter your PIN", "--voice", "en-gb-f", "--speed", "1.2", "--json").document
    with wave.open(made["path"]) as file:
        assert file.getframerate() == 8000
        assert file.getnframes() / 8000 == pytest.approx(made["duration"], abs=0.001)


def test_a_url_is_fetched_into_a_file_once(cli: Cli, server: str, tmp_path: Path):
    shown = cli("prompt", "fetch", f"{server}/hello.mp3")
    assert shown.code == 0
    assert f"{tmp_path}/maskline-data/prompts/" in shown.out
    assert "seconds  1." in shown.out


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/none", "error: The server answered HTTP 404 and not 200 (http_404).\n"),
        ("/page.mp3", "error: The content is no mp3 or wav (not_audio).\n"),
    ],
)
def test_what_cannot_be_had_is_one_sentence(cli: Cli, server: str, path: str, said: str):
    failed = cli("prompt", "fetch", server + path)
    assert (failed.code, failed.out, failed.err) == (1, "", said)


def test_an_internal_address_is_refused_by_name_of_the_setting(cli: Cli):
    failed = cli("prompt", "fetch", "http://127.0.0.1:8080/a.mp3")
    assert "only MASKLINE_EGRESS_ALLOW opens (forbidden_address)" in failed.err


def test_an_unknown_voice_and_no_speech_are_told(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    assert "There is no such voice" in cli("prompt", "say", "Hello", "--voice", "nobody").err
    monkeypatch.setenv("MASKLINE_SPEECH", "none")
    assert "Texts cannot be spoken" in cli("prompt", "voices").err


def test_a_folder_that_cannot_be_made_is_a_wrong_setting(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MASKLINE_DATA_DIR", str(tmp_path / "file"))
    failed = cli("prompt", "say", "Hello")
    assert (failed.code, "MASKLINE_DATA_DIR" in failed.err) == (2, True)
