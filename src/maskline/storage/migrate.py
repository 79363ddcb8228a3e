"""Steps from one version of the schema to the next.

What it is: which numbered files of `migrations/` are still to be carried out, in which order, and who may start on what
they leave. What it is not: how a database carries them out (`sqlite_migrate.py`, `postgres_schema.py`). Who uses it:
`maskline migrate`, and each start of a store.

`pre` steps let the program before them work on, so they run while it does; `post` steps run when it is gone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from enum import StrEnum
from importlib import resources
from importlib.resources.abc import Traversable
from typing import NamedTuple, Protocol

from maskline.errors import ConfigurationError
from maskline.storage.crypto import Sealer
from maskline.storage.queries import SCHEMA_VERSION, split_statements

_NAME = re.compile(r"(\d{4})_(pre|post)_(\w+?)(?:\.(sqlite|postgresql))?\.sql")
READ_LEVELS = "SELECT name, value FROM counters WHERE name IN ('schema', 'schema_post')"


class Phase(StrEnum):
    PRE = "pre"
    POST = "post"


class Step(NamedTuple):
    version: int
    phase: Phase
    name: str
    statements: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.version:04}_{self.phase}_{self.name}"


class Levels(NamedTuple):
    """Up to which version the steps of each phase were carried out."""

    pre: int
    post: int

    def after(self, step: Step) -> Levels:
        return self._replace(**{step.phase.value: step.version})

    @property
    def counters(self) -> tuple[tuple[str, int], ...]:
        """The counters that say so."""
        return ("schema", self.pre), ("schema_post", self.post)


class Migration(NamedTuple):
    """What was done, or would be."""

    created: bool
    """The database was empty: its tables were made."""
    steps: tuple[Step, ...]
    version: int
    """Of the schema, afterwards."""


class Database(Protocol):
    """What a database does about its tables; each call is one transaction."""

    dialect: str

    async def is_empty(self) -> bool: ...
    async def create(self, sealer: Sealer) -> None: ...
    async def levels(self) -> Levels: ...
    async def apply(self, step: Step) -> None: ...


def load_steps(dialect: str, folder: Traversable | None = None) -> list[Step]:
    """In order: of one version `pre` comes before `post`."""
    steps = []
    for file in (folder or resources.files("maskline.storage").joinpath("migrations")).iterdir():
        match = _NAME.fullmatch(file.name)
        if match and match[4] in (None, dialect):
            statements = tuple(split_statements(file.read_text("utf-8")))
            steps.append(Step(int(match[1]), Phase(match[2]), match[3], statements))
    return sorted(steps, key=lambda step: (step.version, step.phase is Phase.POST, step.name))


def pending(steps: Iterable[Step], levels: Levels, phase: Phase | None) -> list[Step]:
    """Those that are not done, of one phase or both. A `post` waits for the `pre` of its version."""
    reached = {Phase.PRE: levels.pre, Phase.POST: levels.post}
    wanted = [step for step in steps if step.version > reached[step.phase] and phase in (None, step.phase)]
    if phase is Phase.POST:
        return [step for step in wanted if step.version <= levels.pre]
    return wanted


def levels_of(found: Iterable[tuple[str, int]]) -> Levels:
    """From the rows of `READ_LEVELS`."""
    counters = dict(found)
    return Levels(counters["schema"], counters.get("schema_post", counters["schema"]))


def check_levels(levels: Levels, version: int = SCHEMA_VERSION) -> None:
    """Whether a program of this version may start. Raises `ConfigurationError`."""
    if levels.pre < version:
        raise ConfigurationError(
            f"The database has schema version {levels.pre}, this program needs {version}: run maskline migrate."
        )
    if levels.post > version:
        raise ConfigurationError(
            f"The database has schema version {levels.post}, this program only knows {version}: a newer one made it."
        )


async def migrate(
    database: Database, sealer: Callable[[], Sealer], *, phase: Phase | None = None, dry_run: bool = False,
    folder: Traversable | None = None,
) -> Migration:  # fmt: skip
    """Carry out what is to be done, or with `dry_run` only say what. `sealer` is called when the tables are to be made.

    Raises `ConfigurationError` and `StoreUnavailable`."""
    if await database.is_empty():
        if not dry_run:
            await database.create(sealer())
        return Migration(True, (), SCHEMA_VERSION)
    levels = await database.levels()
    steps = pending(load_steps(database.dialect, folder), levels, phase)
    if not dry_run:
        for step in steps:
            await database.apply(step)
    reached = [step.version for step in steps if step.phase is Phase.PRE]
    return Migration(False, tuple(steps), max([levels.pre, *reached]))
