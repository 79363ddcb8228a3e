"""What a push says when it cannot be done at all; servers are in tests/contract/test_recording_push.py."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from maskline.media.recordings import push as module
from maskline.media.recordings.job import Destination
from maskline.media.recordings.push import Pushed, PushFailed, push


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


def test_fewer_bytes_there_than_here_are_a_failure(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_push_s3", lambda path, key, to: Pushed(4, f"s3://b/{key}"))
    with pytest.raises(PushFailed, match="another number of bytes"):
        push(file, "rec.mp3", Destination("s3", ""))


def test_without_a_prefix_the_name_is_the_key(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_push_s3", lambda path, key, to: Pushed(5, f"s3://b/{key}"))
    assert push(file, "day/rec.mp3", Destination("s3", "")).url == "s3://b/day/rec.mp3"
