"""From a database URL to a store.

What it is: the reading of `MASKLINE_DATABASE_URL`. What it is not: the opening itself, which is `await
store.open()`. Who calls it: `app.py` and the CLI.
"""

from __future__ import annotations

from pathlib import Path

from maskline.errors import ConfigurationError
from maskline.storage.crypto import Sealer
from maskline.storage.migrate import Database
from maskline.storage.sqlite import SqliteStore
from maskline.storage.sqlite_migrate import SqliteDatabase
from maskline.storage.store import Store

_IN_MEMORY = ("", "/:memory:")


CONNECTIONS = 8
"""To PostgreSQL, for reads."""


def open_store(url: str, sealer: Sealer, *, connections: int = CONNECTIONS) -> Store:
    """`sqlite:///relative.db`, `sqlite:////absolute.db`, `sqlite://` for a file that ends with the process, or
    `postgresql://user:password@host:port/database`.

    The store returned is to be opened and closed by the caller. Raises `ConfigurationError`; its sentence
    names the scheme only, since a database URL may hold a password.
    """
    if is_postgresql(url):
        # Loaded where it is needed: a command on SQLite starts without the driver.
        from maskline.storage.postgres import PostgresStore

        return PostgresStore(url, sealer, connections=connections)
    rest = url.removeprefix("sqlite://")
    return SqliteStore(None if rest in _IN_MEMORY and rest != url else _path(url), sealer)


def open_database(url: str) -> Database:
    """The same for its tables (`migrate`)."""
    if is_postgresql(url):
        from maskline.storage.postgres_schema import PostgresDatabase

        return PostgresDatabase(url)
    return SqliteDatabase(_path(url))


def is_postgresql(url: str) -> bool:
    return url.startswith(("postgresql://", "postgres://"))


def _path(url: str) -> Path:
    scheme, separator, rest = url.partition("://")
    if not separator or scheme != "sqlite":
        raise ConfigurationError("MASKLINE_DATABASE_URL must start with sqlite:/// or postgresql://.")
    if not rest.startswith("/") or rest == "/":
        raise ConfigurationError("MASKLINE_DATABASE_URL needs three slashes and a path: sqlite:///maskline.db.")
    return Path(rest[1:])
