"""storage.open: what a database URL means."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskline.errors import ConfigurationError
from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.open import open_store
from maskline.storage.postgres import PostgresStore
from maskline.storage.sqlite import SqliteStore

SEALER = Sealer(bytes(KEY_BYTES))


@pytest.mark.parametrize(
    ("url", "path"),
    [("sqlite:///maskline.db", "maskline.db"), ("sqlite:////var/lib/maskline.db", "/var/lib/maskline.db")],
)
def test_three_slashes_are_a_relative_path_and_four_an_absolute_one(url: str, path: str) -> None:
    store = open_store(url, SEALER)
    assert isinstance(store, SqliteStore)
    assert store.path == Path(path)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
async def test_a_url_without_a_path_is_a_database_that_ends_with_the_store(url: str) -> None:
    store = open_store(url, SEALER)
    assert isinstance(store, SqliteStore)
    await store.open()
    assert store.path.exists()
    assert await store.accounts() == []
    await store.close()
    assert not store.path.parent.exists()


def test_postgresql_is_opened_by_its_own_store() -> None:
    for scheme in ("postgresql", "postgres"):
        assert isinstance(open_store(f"{scheme}://maskline:s3cret@db/maskline", SEALER), PostgresStore)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mysql://maskline:s3cret@db/maskline", "must start with sqlite"),
        ("maskline.db", "must start with sqlite"),
        ("sqlite://s3cret.db", "three slashes"),
        ("sqlite:///", "three slashes"),
        ("", "must start with sqlite"),
    ],
)
def test_anything_else_is_refused_in_one_sentence_without_showing_the_url(url: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence) as caught:
        open_store(url, SEALER)
    assert "s3cret" not in caught.value.sentence
