"""The limits that hold for an account's calls, and the countries of its own numbers.

What it is: a copy in memory, read again once anything was configured, by any process. What it is not: changing them
(`set_limits.py`), or counting. Who uses it: `check_limits.py` at each call, `create_session` and `update_session`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from maskline.errors import InvalidParameter, NotFound
from maskline.masking.destinations import Countries
from maskline.masking.dial_plan import leaves_country
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause
from maskline.masking.limits import Limits
from maskline.masking.session import Role
from maskline.storage.store import Store

_BARRED = {
    Cause.COUNTRY_BARRED: "is a number of a country that this account may not call",
    Cause.DESTINATION_BARRED: "is a number of a kind or prefix that this account may not call",
}


class AccountLimits(NamedTuple):
    """Of a main account."""

    limits: Limits
    own: Countries
    """Of its numbers."""
    stopped: bool
    seen: tuple[str, ...]
    """Countries that an operator was told of as new."""
    is_counted: bool
    """Whether anything but destinations is to be looked at."""

    def judge(self, number: Number) -> Cause | None:
        rules = self.limits.destinations
        return None if rules is None else rules.judge(number, self.own)


_UNLIMITED = Limits()


class FindLimits:
    __slots__ = ("_found", "_store", "_version")

    def __init__(self, store: Store) -> None:
        self._store = store
        self._found: dict[str, AccountLimits | None] = {}
        self._version: int | None = None

    async def now(self, account_id: str) -> AccountLimits | None:
        """As they are at this moment; None: there are none. Raises `StoreUnavailable`."""
        return await self.at(account_id, await self._store.configuration_version())

    async def at(self, account_id: str, version: int | None) -> AccountLimits | None:
        """As of a version of the configuration, which the caller has looked up."""
        if version != self._version:
            # Anew, and not cleared: who still reads by the former version puts what it finds into the former one.
            self._found = {}
            self._version = version
        known = self._found
        try:
            return known[account_id]
        except KeyError:
            found = known[account_id] = await self._read(account_id)
            return found

    async def _read(self, account_id: str) -> AccountLimits | None:
        try:
            account = await self._store.account(account_id)
        except NotFound:
            return None
        if account.limits is None and not account.stopped:
            return None
        own = await self._store.number_countries(account_id)
        limits = account.limits or _UNLIMITED
        return AccountLimits(limits, own, bool(account.stopped), account.countries, limits.is_counted)


async def refuse_barred_parties(find: FindLimits, account_id: str, parties: Mapping[Role, Number | None]) -> None:
    """Either party may come to be called. Raises `InvalidParameter` for one that may not be. An account without a
    number is not judged: that it has none is what it is told."""
    found = await find.now(account_id)
    if found is None or not found.own:
        return
    for role, party in parties.items():
        if party is not None and found.limits.destinations is not None and leaves_country(party.digits):
            raise InvalidParameter(f"Invalid parameter. {role} is not a valid phone number", parameter=role.value)
        if party is None or (cause := found.judge(party)) is None:
            continue
        raise InvalidParameter(
            f"Invalid parameter. {role} {_BARRED[cause]}; whoever runs this server allows it with: "
            f"maskline account limits {account_id} {_lifting(cause, party)}",
            parameter=role.value,
        )


def _lifting(cause: Cause, party: Number) -> str:
    """The option that lifts it; of a prefix it names no digit, since a party's number is nobody's to read."""
    if cause is Cause.COUNTRY_BARRED and party.country is not None:
        return f"--country {party.country}"
    return "--allow PREFIX"
