"""A sealed recording: any part can be read, and nothing that was changed."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from maskline.media.recordings.vault import CHUNK, SealedFile, VaultBroken, seal_file

KEY = bytes(range(32))
HEAD, SEALED = 24, CHUNK + 16


def sealed(folder: Path, plain: bytes, name: str = "rec") -> Path:
    (folder / "plain").write_bytes(plain)
    path = folder / name
    assert seal_file(folder / "plain", path, KEY, "rec") == path.stat().st_size
    return path


def content(path: Path, key: bytes = KEY, name: str = "rec") -> bytes:
    with SealedFile(path, key, name) as file:
        return b"".join(file.read(0, file.size))


@pytest.mark.parametrize("size", [0, 1, 1000, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 17])
def test_every_length_reads_back(tmp_path: Path, size: int) -> None:
    plain = secrets.token_bytes(size)
    path = sealed(tmp_path, plain)
    assert content(path) == plain
    assert path.stat().st_mode & 0o777 == 0o600
    assert sorted(one.name for one in tmp_path.iterdir()) == ["plain", "rec"]


@pytest.mark.parametrize(
    ("start", "stop"),
    [
        (0, 1),
        (5, 5),
        (CHUNK - 2, CHUNK + 2),
        (CHUNK, 2 * CHUNK),
        (2 * CHUNK + 9, 10 * CHUNK),
        (9 * CHUNK, 9 * CHUNK + 5),
    ],
)
def test_any_part_reads_alone(tmp_path: Path, start: int, stop: int) -> None:
    plain = secrets.token_bytes(3 * CHUNK + 100)
    with SealedFile(sealed(tmp_path, plain), KEY, "rec") as file:
        assert file.size == len(plain)
        assert b"".join(file.read(start, stop)) == plain[start:stop]


def test_two_files_of_the_same_content_differ(tmp_path: Path) -> None:
    plain = bytes(5000)
    first, second = sealed(tmp_path, plain, "a").read_bytes(), sealed(tmp_path, plain, "b").read_bytes()
    assert first != second
    assert plain[:100] not in first


def chunks(data: bytes) -> list[bytes]:
    return [data[at : at + SEALED] for at in range(HEAD, len(data), SEALED)]


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data[:HEAD] + b"".join(chunks(data)[:-1]),  # the last chunk cut off
        lambda data: data[:HEAD] + chunks(data)[1] + chunks(data)[0] + chunks(data)[2],
        lambda data: data[:HEAD] + chunks(data)[0] + chunks(data)[0] + chunks(data)[2],
        lambda data: data[:HEAD] + b"".join(chunks(data)[1:]),
        lambda data: data + chunks(data)[2],
        lambda data: data[:5000] + bytes((data[5000] ^ 1,)) + data[5001:],
        lambda data: data[:-1],
        lambda data: data[:12] + b"x" + data[13:],
    ],
)
def test_what_was_changed_does_not_open(tmp_path: Path, change) -> None:  # type: ignore[no-untyped-def]
    path = sealed(tmp_path, secrets.token_bytes(2 * CHUNK + 100))
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(VaultBroken):
        content(path)


@pytest.mark.parametrize("data", [b"", b"RIFF", b"MASKREC1" + bytes(20), b"OTHERREC" + bytes(60)])
def test_what_is_no_sealed_recording_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "rec"
    path.write_bytes(data)
    with pytest.raises(VaultBroken):
        content(path)


def test_another_key_or_another_recordings_name_does_not_open(tmp_path: Path) -> None:
    path = sealed(tmp_path, b"hello")
    with pytest.raises(VaultBroken):
        content(path, key=bytes(32))
    with pytest.raises(VaultBroken):
        content(path, name="other")


def test_a_copy_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"x")
    (tmp_path / "rec").mkdir()
    with pytest.raises(OSError):
        seal_file(tmp_path / "plain", tmp_path / "rec", KEY, "rec")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["plain", "rec"]
