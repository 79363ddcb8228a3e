"""From a database URL to a store.

What it is: the reading of `MASKLINE_DATABASE_URL`. What it is not: the opening itself, which is `await
store.open()`. Who calls it: `app.py` and the CLI.
"""

from __future__ import annotations

from pathlib import Path

from maskline.errors import ConfigurationError
from maskline.storage.crypto import Sealer
from maskline.storage.sqlite import SqliteStore
from maskline.storage.store import Store

_IN_MEMORY = ("", "/:memory:")


def open_store(url: str, sealer: Sealer) -> Store:
    """`sqlite:///relative.db`, `sqlite:////absolute.db`, or `sqlite://` for a file that ends with the process.

    The store returned is to be opened and closed by the caller. Raises `ConfigurationError`; its sentence
    names the scheme only, since a database URL may hold a password.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in ("sqlite", "postgresql"):
        raise ConfigurationError("MASKLINE_DATABASE_URL must start with sqlite:///.")
    if scheme == "postgresql":
        raise ConfigurationError(
            "PostgreSQL is not supported by this version: use sqlite:/// in MASKLINE_DATABASE_URL."
        )
    if rest in _IN_MEMORY:
        return SqliteStore(None, sealer)
    if not rest.startswith("/") or rest == "/":
        raise ConfigurationError("MASKLINE_DATABASE_URL needs three slashes and a path: sqlite:///maskline.db.")
    return SqliteStore(Path(rest[1:]), sealer)
