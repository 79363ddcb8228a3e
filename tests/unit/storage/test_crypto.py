"""storage.crypto: what is sealed stays shut without the key, in its place, and for ever under fresh nonces."""

from __future__ import annotations

import hmac
import os
import stat
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from maskline.errors import ConfigurationError
from maskline.masking.e164 import Number
from maskline.storage.crypto import KEY_BYTES, SealBroken, Sealer, load_key

KEY = bytes(range(KEY_BYTES))


def test_a_sealed_value_opens_in_its_place() -> None:
    sealed = Sealer(KEY).seal(b"+6581234567", "sessions.parties:1")
    assert Sealer(KEY).unseal(sealed, "sessions.parties:1") == b"+6581234567"
    assert b"81234567" not in sealed


@pytest.mark.parametrize("context", ["sessions.parties:2", "calls.parties:1", ""])
def test_a_sealed_value_does_not_open_in_another_place(context: str) -> None:
    sealer = Sealer(KEY)
    with pytest.raises(SealBroken):
        sealer.unseal(sealer.seal(b"value", "sessions.parties:1"), context)


def test_a_sealed_value_does_not_open_with_another_key() -> None:
    sealed = Sealer(KEY).seal(b"value", "c")
    with pytest.raises(SealBroken):
        Sealer(bytes(KEY_BYTES)).unseal(sealed, "c")


def test_any_changed_byte_keeps_it_shut() -> None:
    sealer = Sealer(KEY)
    sealed = sealer.seal(b"value", "c")
    for position in range(len(sealed)):
        changed = bytearray(sealed)
        changed[position] ^= 1
        with pytest.raises(SealBroken):
            sealer.unseal(bytes(changed), "c")


def test_a_cut_value_stays_shut() -> None:
    sealer = Sealer(KEY)
    sealed = sealer.seal(b"value", "c")
    for length in range(len(sealed)):
        with pytest.raises(SealBroken):
            sealer.unseal(sealed[:length], "c")


def test_the_same_value_is_sealed_differently_each_time_and_in_each_run() -> None:
    sealers = [Sealer(KEY), Sealer(KEY)]
    assert len({sealer.seal(b"value", "c") for sealer in sealers for _ in range(100)}) == 200


def test_threads_never_share_a_nonce() -> None:
    sealer, sealed = Sealer(KEY), []

    def work() -> None:
        sealed.extend([sealer.seal(b"", "c")[5:29] for _ in range(2000)])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(sealed)) == 8000


def test_a_forked_child_seals_in_a_run_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    sealer = Sealer(KEY)
    before = sealer.seal(b"value", "c")
    monkeypatch.setattr("maskline.storage.crypto.process_mark", lambda: -1)
    after = sealer.seal(b"value", "c")
    assert before[5:21] != after[5:21]
    assert sealer.unseal(after, "c") == sealer.unseal(before, "c") == b"value"


def test_a_number_hash_stays_what_databases_have_it_as() -> None:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"maskline number look-up").derive(KEY)
    expected = hmac.digest(derived, b"+6581234567", "sha256")[:16]
    assert Sealer(KEY).number_hash(Number("6581234567")) == expected


def test_a_number_hash_is_equal_for_equal_numbers_and_depends_on_the_key() -> None:
    sealer, number = Sealer(KEY), Number("6581234567")
    assert sealer.number_hash(number) == Sealer(KEY).number_hash(Number("6581234567"))
    assert sealer.number_hash(number) != sealer.number_hash(Number("6581234568"))
    assert sealer.number_hash(number) != Sealer(bytes(KEY_BYTES)).number_hash(number)
    assert len(sealer.number_hash(number)) == 16


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        Sealer(b"short")


def test_a_missing_key_file_is_created_for_its_owner_alone_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "maskline.key"
    key = load_key(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_key(path) == key
    assert len(key) == KEY_BYTES
    assert [entry.name for entry in path.parent.iterdir()] == ["maskline.key"]


def test_a_missing_key_file_is_an_error_where_none_may_be_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="missing"):
        load_key(tmp_path / "maskline.key", create=False)


@pytest.mark.parametrize("text", ["", "# only a comment\n", "not base64!\n", "QUJD\n", "QUJD\nQUJD\n", "ключ"])
def test_a_file_without_a_key_is_refused_without_showing_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "maskline.key"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load_key(path)
    assert "QUJD" not in caught.value.sentence
    assert str(path) in caught.value.sentence


def test_a_key_file_that_cannot_be_written_is_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be used"):
        load_key(tmp_path / "file" / "maskline.key")


def test_of_two_processes_that_create_the_key_both_use_the_first_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "maskline.key"
    first: list[bytes] = []
    link = os.link

    def other_process_was_faster(source: Path, target: Path) -> None:
        monkeypatch.setattr(os, "link", link)
        first.append(load_key(path))
        link(source, target)

    monkeypatch.setattr(os, "link", other_process_was_faster)
    assert load_key(path) == first[0]
    assert [entry.name for entry in tmp_path.iterdir()] == ["maskline.key"]


def test_hashes_stay_the_same_however_many_are_asked_for() -> None:
    sealer = Sealer(bytes(KEY_BYTES))
    asked = [Number(str(6_580_000_000 + i)) for i in range(3000)]
    first = [sealer.number_hash(number) for number in asked]
    assert [sealer.number_hash(number) for number in asked] == first
    assert first == [Sealer(bytes(KEY_BYTES)).number_hash(number) for number in asked]
    assert len(set(first)) == len(asked)
