"""What a push says when it cannot be done at all; servers are in tests/contract/test_recording_push.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import asyncssh
import pytest

from maskline.media.recordings import push as module
from maskline.media.recordings.job import Destination
from maskline.media.recordings.push import Pushed, PushFailed, is_private_key, push


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rec.mp3"
    path.write_bytes(b"audio")
    return path


def test_neither_library_is_loaded_by_what_serves_calls_or_runs_commands() -> None:
    loaded = (
        "import sys, maskline.app, maskline.cli.main, maskline.media.recordings.push;"
        "print([name for name in ('asyncssh', 'obstore') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", loaded], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("form", ["openssh", "pkcs8-pem", "pkcs1-pem"])
@pytest.mark.parametrize("algorithm", ["ssh-rsa", "ecdsa-sha2-nistp256"])
def test_a_private_key_in_any_common_form_can_be_read(algorithm: str, form: str) -> None:
    assert is_private_key(asyncssh.generate_private_key(algorithm).export_private_key(form).decode())


@pytest.mark.parametrize("passphrase", ["", "word"])
def test_what_is_no_private_key_or_needs_a_passphrase_cannot_be_read(passphrase: str) -> None:
    key = asyncssh.generate_private_key("ecdsa-sha2-nistp256")
    text = key.export_private_key("pkcs8-pem", passphrase=passphrase) if passphrase else key.export_public_key()
    assert not is_private_key(text.decode())
    assert not is_private_key("junk" + passphrase)


def test_fewer_bytes_there_than_here_are_a_failure(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_push_s3", lambda path, key, to: Pushed(4, f"s3://b/{key}"))
    with pytest.raises(PushFailed, match="another number of bytes"):
        push(file, "rec.mp3", Destination("s3", ""))


def test_without_a_prefix_the_name_is_the_key(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_push_s3", lambda path, key, to: Pushed(5, f"s3://b/{key}"))
    assert push(file, "day/rec.mp3", Destination("s3", "")).url == "s3://b/day/rec.mp3"
