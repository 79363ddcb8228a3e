"""The tables of a PostgreSQL database: made, changed from version to version, and looked at before they are used.

What it is: how the steps of `migrate.py` are carried out there, and what each start asks. What it is not: the making of
tables by a start: several processes may share the database, so an operator says when. Who uses it: `open.py`,
`postgres.py`.
"""

from __future__ import annotations

from maskline.errors import ConfigurationError, StoreUnavailable
from maskline.setting_values import database_place
from maskline.storage.crypto import SealBroken, Sealer
from maskline.storage.migrate import READ_LEVELS, Levels, Step, check_levels, levels_of, pending
from maskline.storage.postgres_connection import FAILURES, SQL, Wire, connect, reason
from maskline.storage.queries import schema_statements

_KEY_CHECK = "maskline"
_LOCK = 0x6D696772
""""migr": of two that migrate at once one waits, and finds it done."""
# A table's lock is waited for as long as ever: all who use the table wait behind it.
_BEGIN = f"BEGIN; SET LOCAL lock_timeout = 0; SELECT pg_advisory_xact_lock({_LOCK}); SET LOCAL lock_timeout TO DEFAULT"


class PostgresDatabase:
    dialect = "postgresql"

    def __init__(self, url: str) -> None:
        self._url = url

    async def is_empty(self) -> bool:
        wire = await connect(self._url, at_start=True)
        try:
            return await _is_empty(wire)
        finally:
            await wire.close()

    async def levels(self) -> Levels:
        wire = await connect(self._url, at_start=True)
        try:
            return await _levels(wire)
        finally:
            await wire.close()

    async def create(self, sealer: Sealer) -> None:
        sealed = sealer.seal(b"", f"key_check.value:{_KEY_CHECK}")
        wire = await connect(self._url, at_start=True, unhurried=True)
        try:
            await wire.execute(_BEGIN)
            if await _is_empty(wire):
                await _check_encoding(wire)
                for statement in schema_statements():
                    await wire.execute(statement)
                await wire.fetch(SQL["add_key_check"], (_KEY_CHECK, sealed))
            await wire.execute("COMMIT")
        except FAILURES as error:
            raise self._failed(error) from None
        finally:
            await wire.close()

    async def apply(self, step: Step) -> None:
        wire = await connect(self._url, at_start=True, unhurried=True)
        try:
            await wire.execute(_BEGIN)
            before = await _levels(wire)
            if pending([step], before, step.phase):
                for statement in step.statements:
                    await wire.execute(statement)
                for counter in before.after(step).counters:
                    await wire.fetch(SQL["reach_counter"], counter)
            await wire.execute("COMMIT")
        except FAILURES as error:
            raise self._failed(error) from None
        finally:
            await wire.close()

    def _failed(self, error: BaseException) -> StoreUnavailable:
        return StoreUnavailable(f"The database at {database_place(self._url)} cannot be migrated ({reason(error)}).")


async def check(wire: Wire, sealer: Sealer) -> None:
    """Whether a store may be opened on it. Raises `ConfigurationError`."""
    if await _is_empty(wire):
        raise ConfigurationError("The database has no tables yet: make them with: maskline migrate")
    check_levels(await _levels(wire))
    found, _ = await wire.fetch(SQL["read_key_check"], (_KEY_CHECK,))
    try:
        sealer.unseal(found[0][0], f"key_check.value:{_KEY_CHECK}")
    except SealBroken:
        raise ConfigurationError("The key file (MASKLINE_KEY_FILE) does not belong to this database.") from None


async def _check_encoding(wire: Wire) -> None:
    """With another one a text that it has no signs for, such as a customer's name, would fail the commit it is in."""
    found, _ = await wire.fetch("SELECT current_setting('server_encoding')", ())
    if found[0][0] not in ("UTF8", "SQL_ASCII"):
        raise ConfigurationError(
            f"The database's encoding is {found[0][0]}, which cannot keep all texts: make it anew with createdb "
            "--encoding UTF8 --template template0."
        )


async def _is_empty(wire: Wire) -> bool:
    found, _ = await wire.fetch("SELECT to_regclass('counters') IS NULL", ())
    return bool(found[0][0])


async def _levels(wire: Wire) -> Levels:
    found, _ = await wire.fetch(READ_LEVELS, ())
    return levels_of((row[0], row[1]) for row in found)
