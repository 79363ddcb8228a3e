"""What an operator configures, on a SQL database: accounts, numbers, trunks, webhook endpoints, prices.

What it is: these methods of the protocol and their units of work. What it is not: sessions and calls. Who builds
on it: `sql_kept.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from maskline.errors import Conflict, NotFound
from maskline.masking.decision import NumberState, VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.facts import Fact
from maskline.masking.price import Price
from maskline.masking.trunk import Trunk
from maskline.storage import rows, rows_facts, rows_outbox, rows_trunk
from maskline.storage.crypto import Sealer
from maskline.storage.sql import SqlBase, SqlConnection, run
from maskline.storage.sql_outbox import add_outbox
from maskline.storage.sql_units import add_facts, advance, next_sequence, remember, repeated
from maskline.storage.store import (
    EXISTS_ALREADY,
    EXTERNAL_ID_TAKEN,
    IS_FALLBACK,
    IS_PARTY,
    IS_RETIRED,
    NO_ACCOUNT,
    NO_TRUNK,
    Account,
    Endpoint,
    Once,
    OutboxRow,
)

_PARENT = 2
_BELONGINGS = ("remove_endpoints", "remove_api_keys", "remove_push_config")
"""Where a row of the query `account` has its parent."""
_NUMBERS_AT_ONCE = 10_000
_NUMBERS_KEPT = 65_536
"""Numbers remembered between changes of the configuration, some 10 MB."""
_NO_SUBACCOUNT = "There is no such subaccount in this account."


class SqlConfiguration(SqlBase):
    """See `maskline.storage.store.Store`."""

    def __init__(self, sealer: Sealer) -> None:
        super().__init__(sealer)
        self._numbers: dict[str, VirtualNumber] = {}
        """Looked up under `_numbers_version`."""
        self._numbers_version: int | None = None
        self._ours: set[str] = set()
        """All that are ours, of any account and in any state."""
        self._last_position = 0
        """Up to which they were read."""

    async def configuration_version(self) -> int:
        return await self._version_now()

    # -- accounts ---------------------------------------------------------------------------------------------------
    async def add_account(self, account: Account, *, once: Once | None = None) -> Account:
        if account.parent_id is not None:
            await self.account(account.parent_id)
        return await self._write(_add_account, self._sealer, account, once)

    async def account(self, account_id: str) -> Account:
        return rows.account_from_row(await self._account_row(account_id), self._sealer)

    async def _account_row(self, account_id: str) -> rows.Row:
        """Still sealed: to open the tokens costs as much as to find the row."""
        found = await self._rows("account", account_id)
        if not found:
            raise NotFound(NO_ACCOUNT)
        row: rows.Row = found[0]
        return row

    async def account_of_external_id(self, owner_id: str, external_id: str) -> Account:
        found = await self._rows("account_of_external_id", owner_id, external_id)
        if not found:
            raise NotFound(NO_ACCOUNT)
        return rows.account_from_row(found[0], self._sealer)

    async def accounts(self, parent_id: str | None = None) -> list[Account]:
        found = await self._rows("main_accounts") if parent_id is None else await self._rows("subaccounts", parent_id)
        return [rows.account_from_row(row, self._sealer) for row in found]

    async def update_account(
        self, account: Account, *, was: Account | None = None, once: Once | None = None, facts: Sequence[Fact] = (),
        outbox: Sequence[OutboxRow] = (),
    ) -> bool:  # fmt: skip
        row = (*rows.account_changes_to_row(account, self._sealer), None if was is None else was.modified_at)
        prepared = [rows_outbox.outbox_to_row(one, self._sealer) for one in outbox]
        return await self._write(_update_account, self._sealer, account, row, once, facts, prepared)

    async def remove_subaccount(self, account_id: str, now: float, *, outbox: Sequence[OutboxRow] = ()) -> None:
        prepared = [rows_outbox.outbox_to_row(row, self._sealer) for row in outbox]
        await self._write(_remove_subaccount, account_id, now, prepared)

    async def _check_owner(self, account_id: str, subaccount_id: str | None) -> None:
        # A subaccount that is removed right after this look may get one session more, which runs to its end.
        await self._account_row(account_id)
        if subaccount_id is not None and (await self._account_row(subaccount_id))[_PARENT] != account_id:
            raise NotFound(_NO_SUBACCOUNT)

    # -- numbers ----------------------------------------------------------------------------------------------------
    async def add_number(self, number: VirtualNumber, now: float, *, outbox: Sequence[OutboxRow] = ()) -> None:
        prepared = [rows_outbox.outbox_to_row(row, self._sealer) for row in outbox]
        await self._write(_add_number, self._sealer, number, now, prepared)

    async def numbers(self, account_id: str) -> list[VirtualNumber]:
        # Tens of thousands of them take a tenth of a second and more to make: beside the loop too.
        sealer = self._sealer
        return await self._list(
            lambda connection: [rows.number_from_row(row, sealer) for row in run(connection, "numbers", account_id)]
        )

    async def number_countries(self, account_id: str) -> frozenset[str | None]:
        return frozenset(country for (country,) in await self._rows("number_countries", account_id))

    async def update_number(
        self, number: VirtualNumber, now: float, *, once: Once | None = None, outbox: Sequence[OutboxRow] = ()
    ) -> bool:
        prepared = [rows_outbox.outbox_to_row(row, self._sealer) for row in outbox]
        return await self._write(_update_number, self._sealer, number, once, now, prepared)

    async def announce(self, outbox: Sequence[OutboxRow]) -> None:
        await self._write(add_outbox, [rows_outbox.outbox_to_row(row, self._sealer) for row in outbox])

    async def number(self, number: Number) -> VirtualNumber | None:
        # A call asks for its number and whether its parties have one. Parties are mostly people whom nobody has met
        # before: they are looked for in memory.
        version = self._version
        if version is None:
            version = await self._version_now()
        if version != self._numbers_version:
            await self._learn_numbers(version)
        kept, digits = self._numbers, number.digits
        if digits not in self._ours:
            return None
        if digits not in kept:
            if len(kept) >= _NUMBERS_KEPT:
                kept.clear()
            (found,) = await self._rows("number", number.e164)
            kept[digits] = rows.number_from_row(found, self._sealer)
        return kept[digits]

    async def _learn_numbers(self, version: int) -> None:
        """Which numbers are ours by now: those that came since the last look."""
        while found := await self._rows("numbers_after", self._last_position, _NUMBERS_AT_ONCE):
            self._ours.update([number[1:] for number, _ in found])
            self._last_position = found[-1][1]
        self._numbers = {}
        self._numbers_version = version

    # -- trunks, endpoints, prices ----------------------------------------------------------------------------------
    async def add_trunk(self, trunk: Trunk, now: float) -> None:
        await self._write(_add_trunk, rows_trunk.trunk_to_row(trunk, now, self._sealer))

    async def trunks(self) -> list[Trunk]:
        return [rows_trunk.trunk_from_row(row, self._sealer) for row in await self._rows("trunks")]

    async def update_trunk(self, trunk: Trunk) -> None:
        row = rows_trunk.trunk_changes_to_row(trunk, self._sealer)
        await self._write(replace_row, "update_trunk", *row, missing=NO_TRUNK)

    async def remove_trunk(self, name: str) -> None:
        await self._write(replace_row, "remove_trunk", name, missing=NO_TRUNK)

    async def set_endpoint(self, endpoint: Endpoint) -> None:
        await self.account(endpoint.account_id)
        row = rows.endpoint_to_row(endpoint, self._sealer)
        await self._write(add_row, "set_endpoint", *row, conflict="")

    async def endpoints(self, account_id: str) -> list[Endpoint]:
        return [rows.endpoint_from_row(row, self._sealer) for row in await self._rows("endpoints", account_id)]

    async def remove_endpoint(self, account_id: str, kind: str) -> None:
        missing = "There is no webhook endpoint of this kind."
        await self._write(replace_row, "remove_endpoint", account_id, kind, missing=missing)

    async def set_price(self, price: Price) -> None:
        await self._write(
            add_row, "set_price", *rows.price_to_row(price), conflict="A price of this id exists already."
        )

    async def prices(self) -> list[Price]:
        return [rows.price_from_row(row) for row in await self._rows("prices")]

    async def remove_price(self, price_id: str) -> None:
        await self._write(replace_row, "remove_price", price_id, missing="There is no such price.")


# -- units of work ---------------------------------------------------------------------------------------------------
def add_row(connection: SqlConnection, query: str, *values: object, conflict: str) -> None:
    """Write a row. Raises `Conflict` with the given sentence when it breaks a constraint."""
    try:
        run(connection, query, *values)
    except connection.BROKEN:
        raise Conflict(conflict) from None
    advance(connection, "configuration")


def replace_row(connection: SqlConnection, query: str, *values: object, missing: str) -> None:
    """Change or delete a row. Raises `NotFound` with the given sentence."""
    if not run(connection, query, *values).rowcount:
        raise NotFound(missing)
    advance(connection, "configuration")


def _update_account(
    connection: SqlConnection, sealer: Sealer, account: Account, row: rows.Row, once: Once | None,
    facts: Sequence[Fact], outbox: Sequence[rows.Row],
) -> bool:  # fmt: skip
    old = run(connection, "account", account.id).fetchone()
    if old is None:
        raise NotFound(NO_ACCOUNT)
    if repeated(connection, sealer, once, account.modified_at) is not None:
        return False
    _refuse_taken(connection, old[_PARENT] or account.id, account)
    if not run(connection, "update_account", *row).rowcount:
        raise Conflict("This account was changed meanwhile. Try again.")
    advance(connection, "configuration")
    remember(connection, sealer, once, account.id, account.modified_at)
    if facts:
        first = next_sequence(connection, account.id)
        numbered = [replace(fact, sequence=first + at) for at, fact in enumerate(facts)]
        add_facts(connection, rows_facts.facts_to_rows(numbered))
    add_outbox(connection, outbox)
    return True


def _refuse_taken(connection: SqlConnection, owner_id: str, account: Account) -> None:
    """Raises `Conflict` when another of a main account and its subaccounts has the external id."""
    there = run(connection, "account_of_external_id", owner_id, account.external_id).fetchone()
    if there is not None and there[0] != account.id:
        raise Conflict(EXTERNAL_ID_TAKEN)


def _add_account(connection: SqlConnection, sealer: Sealer, account: Account, once: Once | None) -> Account:
    earlier = repeated(connection, sealer, once, account.created_at)
    row = run(connection, "account", earlier).fetchone() if earlier else None
    if row is not None:
        return rows.account_from_row(row, sealer)
    _refuse_taken(connection, account.owner_id, account)
    add_row(connection, "add_account", *rows.account_to_row(account, sealer), conflict="This account exists already.")
    remember(connection, sealer, once, account.id, account.created_at)
    return account


def _remove_subaccount(connection: SqlConnection, account_id: str, now: float, outbox: Sequence[rows.Row]) -> None:
    parent = run(connection, "remove_subaccount", account_id, now).fetchone()
    if parent is None:
        raise NotFound("There is no such subaccount.")
    for (number,) in run(connection, "numbers_in_pool", account_id).fetchall():
        run(connection, "move_number", number, None, parent[0], advance(connection, "positions"))
    for query in _BELONGINGS:
        run(connection, query, account_id)
    add_outbox(connection, outbox)
    advance(connection, "configuration")


def _check_owner(connection: SqlConnection, account_id: str, subaccount_id: str | None) -> None:
    if run(connection, "account", account_id).fetchone() is None:
        raise NotFound(NO_ACCOUNT)
    if subaccount_id is None:
        return
    row = run(connection, "account", subaccount_id).fetchone()
    if row is None or row[_PARENT] != account_id:
        raise NotFound(_NO_SUBACCOUNT)


def _add_number(
    connection: SqlConnection, sealer: Sealer, number: VirtualNumber, now: float, outbox: Sequence[rows.Row]
) -> None:
    _check_owner(connection, number.account_id, number.subaccount_id)
    there = run(connection, "number_state", number.number.e164).fetchone()
    if there is not None:
        raise Conflict(IS_RETIRED if there[0] == NumberState.RETIRED else EXISTS_ALREADY)
    _refuse_telephone(connection, sealer, number.number, now)
    row = rows.number_to_row(number, advance(connection, "positions"), now, sealer)
    add_row(connection, "add_number", *row, conflict=EXISTS_ALREADY)
    add_outbox(connection, outbox)


def _refuse_telephone(connection: SqlConnection, sealer: Sealer, number: Number, now: float) -> None:
    """Raises `Conflict` when a call of ours may go to this number, which would come back as one to us."""
    if run(connection, "sessions_of_party", sealer.number_hash(number), now).fetchone():
        raise Conflict(IS_PARTY)
    found = run(connection, "numbers_with_fallback")
    if any(rows.number_from_row(row, sealer).fallback == number for row in found):
        raise Conflict(IS_FALLBACK)


def _update_number(
    connection: SqlConnection, sealer: Sealer, number: VirtualNumber, once: Once | None, now: float,
    outbox: Sequence[rows.Row],
) -> bool:  # fmt: skip
    e164 = number.number.e164
    row = run(connection, "number", e164).fetchone()
    if row is None:
        raise NotFound("There is no such number.")
    if repeated(connection, sealer, once, now) is not None:
        return False
    old = rows.number_from_row(row, sealer)
    if number.subaccount_id != old.subaccount_id:
        _check_owner(connection, old.account_id, number.subaccount_id)
        position = advance(connection, "positions")
        run(connection, "move_number", e164, number.subaccount_id, number.subaccount_id or old.account_id, position)
    run(connection, "update_number", *rows.number_changes_to_row(number, now, sealer))
    add_outbox(connection, outbox)
    advance(connection, "configuration")
    remember(connection, sealer, once, e164, now)
    return True


def _add_trunk(connection: SqlConnection, row: list[Any]) -> None:
    position = advance(connection, "positions")
    add_row(connection, "add_trunk", *row[:-1], position, row[-1], conflict="A trunk of this name exists already.")
