"""What an operator configures, in memory: accounts, numbers, trunks, webhook endpoints, prices.

What it is: these methods of the protocol on dictionaries, and writes that happen once. What it is not: sessions and
calls. Who builds on it: `memory.py`.
"""

from __future__ import annotations

from dataclasses import replace

from maskline.errors import Conflict, IdempotencyMismatch, NotFound
from maskline.masking.decision import NumberState, VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.price import Price
from maskline.masking.trunk import Trunk
from maskline.storage.store import (
    EXISTS_ALREADY,
    EXTERNAL_ID_TAKEN,
    IS_FALLBACK,
    IS_RETIRED,
    NO_ACCOUNT,
    NO_TRUNK,
    PURGED_AT_ONCE,
    Account,
    Endpoint,
    Once,
)


class MemoryConfiguration:
    """See `maskline.storage.store.Store`."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._removed: set[str] = set()
        self._numbers: dict[Number, VirtualNumber] = {}
        self._positions: dict[Number, int] = {}
        self._trunks: dict[str, Trunk] = {}
        self._endpoints: dict[tuple[str, str], Endpoint] = {}
        self._prices: dict[tuple[str, str, str], Price] = {}
        self._once: dict[tuple[str, str], tuple[Once, str]] = {}
        self._configuration = 0

    async def configuration_version(self) -> int:
        return self._configuration

    # -- once ----------------------------------------------------------------------------------------------------
    def _repeated(self, once: Once | None, now: float) -> str | None:
        """The id of what a write made that was asked for before; None: it is a new one."""
        if once is None:
            return None
        earlier, subject = self._once.get((once.account_id, once.key), (None, ""))
        if earlier is None or earlier.until <= now:
            return None
        if earlier.fingerprint != once.fingerprint:
            raise IdempotencyMismatch
        return subject

    def _remember(self, once: Once | None, subject: str, now: float) -> None:
        if once is None:
            return
        self._once[(once.account_id, once.key)] = (once, subject)
        self._purge_once(now, PURGED_AT_ONCE)

    def _purge_once(self, now: float, limit: int) -> int:
        over = [place for place, (once, _) in self._once.items() if once.until <= now]
        over.sort(key=lambda place: self._once[place][0].until)
        for place in over[:limit]:
            del self._once[place]
        return len(over[:limit])

    # -- accounts ------------------------------------------------------------------------------------------------
    async def add_account(self, account: Account, *, once: Once | None = None) -> Account:
        if account.parent_id is not None:
            await self.account(account.parent_id)
        earlier = self._repeated(once, account.created_at)
        if earlier is not None and earlier not in self._removed:
            return await self.account(earlier)
        if account.id in self._accounts:
            raise Conflict("This account exists already.")
        self._refuse_taken(account.owner_id, account)
        self._accounts[account.id] = account
        self._configuration += 1
        self._remember(once, account.id, account.created_at)
        return account

    async def account(self, account_id: str) -> Account:
        if account_id not in self._accounts or account_id in self._removed:
            raise NotFound(NO_ACCOUNT)
        return self._accounts[account_id]

    async def account_of_external_id(self, owner_id: str, external_id: str) -> Account:
        found = self._of_external_id(owner_id, external_id)
        if found is None:
            raise NotFound(NO_ACCOUNT)
        return found

    def _of_external_id(self, owner_id: str, external_id: str) -> Account | None:
        known = (one for one in self._accounts.values() if one.owner_id == owner_id and one.id not in self._removed)
        return next((one for one in known if external_id and one.external_id == external_id), None)

    def _refuse_taken(self, owner_id: str, account: Account) -> None:
        there = self._of_external_id(owner_id, account.external_id)
        if there is not None and there.id != account.id:
            raise Conflict(EXTERNAL_ID_TAKEN)

    async def accounts(self, parent_id: str | None = None) -> list[Account]:
        wanted = [
            account
            for account in self._accounts.values()
            if account.parent_id == parent_id and account.id not in self._removed
        ]
        return sorted(wanted, key=lambda account: (account.created_at, account.id))

    async def update_account(self, account: Account, *, was: Account | None = None, once: Once | None = None) -> bool:
        old = await self.account(account.id)
        if self._repeated(once, account.modified_at) is not None:
            return False
        self._refuse_taken(old.owner_id, account)
        if was is not None and was.modified_at != old.modified_at:
            raise Conflict("This account was changed meanwhile. Try again.")
        self._accounts[account.id] = replace(account, parent_id=old.parent_id, created_at=old.created_at)
        self._configuration += 1
        self._remember(once, account.id, account.modified_at)
        return True

    async def remove_subaccount(self, account_id: str, now: float) -> None:
        self._subaccount(account_id)
        self._removed.add(account_id)
        self._forget_belongings(account_id)
        for number in self._in_order():
            if number.subaccount_id == account_id:
                self._place(replace(number, subaccount_id=None))
        self._configuration += 1

    def _forget_belongings(self, account_id: str) -> None:
        """What nobody needs of a subaccount that is removed."""
        self._endpoints = {place: one for place, one in self._endpoints.items() if place[0] != account_id}

    def _subaccount(self, account_id: str) -> None:
        """Raises `NotFound`."""
        account = self._accounts.get(account_id)
        if account is None or account.parent_id is None or account_id in self._removed:
            raise NotFound("There is no such subaccount.")

    async def _check_owner(self, account_id: str, subaccount_id: str | None) -> None:
        await self.account(account_id)
        if subaccount_id is not None and (await self.account(subaccount_id)).parent_id != account_id:
            raise NotFound("There is no such subaccount in this account.")

    # -- numbers -------------------------------------------------------------------------------------------------
    def _place(self, number: VirtualNumber) -> None:
        """At the end of its pool."""
        self._numbers[number.number] = number
        self._positions[number.number] = max(self._positions.values(), default=0) + 1

    def _in_order(self) -> list[VirtualNumber]:
        return sorted(self._numbers.values(), key=lambda number: self._positions[number.number])

    async def add_number(self, number: VirtualNumber, now: float) -> None:
        await self._check_owner(number.account_id, number.subaccount_id)
        there = self._numbers.get(number.number)
        if there is not None:
            raise Conflict(IS_RETIRED if there.state is NumberState.RETIRED else EXISTS_ALREADY)
        if any(other.fallback == number.number for other in self._numbers.values()):
            raise Conflict(IS_FALLBACK)
        self._place(replace(number, added_at=now, changed_at=now))
        self._configuration += 1

    async def numbers(self, account_id: str) -> list[VirtualNumber]:
        return [n for n in self._in_order() if account_id in (n.account_id, n.subaccount_id)]

    async def number_countries(self, account_id: str) -> frozenset[str | None]:
        return frozenset(number.country for number in self._in_order() if number.account_id == account_id)

    async def update_number(self, number: VirtualNumber, now: float, *, once: Once | None = None) -> bool:
        old = self._numbers.get(number.number)
        if old is None:
            raise NotFound("There is no such number.")
        if self._repeated(once, now) is not None:
            return False
        number = replace(number, account_id=old.account_id, added_at=old.added_at, changed_at=now)
        if number.subaccount_id != old.subaccount_id:
            await self._check_owner(old.account_id, number.subaccount_id)
            self._place(number)
        self._numbers[number.number] = number
        self._configuration += 1
        self._remember(once, number.number.e164, now)
        return True

    async def number(self, number: Number) -> VirtualNumber | None:
        return self._numbers.get(number)

    # -- trunks, endpoints, prices -------------------------------------------------------------------------------
    async def add_trunk(self, trunk: Trunk, now: float) -> None:
        if trunk.name in self._trunks or any(other.id == trunk.id for other in self._trunks.values()):
            raise Conflict("A trunk of this name exists already.")
        self._trunks[trunk.name] = trunk
        self._configuration += 1

    async def trunks(self) -> list[Trunk]:
        return list(self._trunks.values())

    async def update_trunk(self, trunk: Trunk) -> None:
        if trunk.name not in self._trunks or self._trunks[trunk.name].id != trunk.id:
            raise NotFound(NO_TRUNK)
        self._trunks[trunk.name] = trunk
        self._configuration += 1

    async def remove_trunk(self, name: str) -> None:
        if self._trunks.pop(name, None) is None:
            raise NotFound(NO_TRUNK)
        self._configuration += 1

    async def set_endpoint(self, endpoint: Endpoint) -> None:
        await self.account(endpoint.account_id)
        self._endpoints[(endpoint.account_id, endpoint.kind)] = endpoint
        self._configuration += 1

    async def endpoints(self, account_id: str) -> list[Endpoint]:
        wanted = [endpoint for endpoint in self._endpoints.values() if endpoint.account_id == account_id]
        return sorted(wanted, key=lambda endpoint: endpoint.kind)

    async def remove_endpoint(self, account_id: str, kind: str) -> None:
        if self._endpoints.pop((account_id, kind), None) is None:
            raise NotFound("There is no webhook endpoint of this kind.")
        self._configuration += 1

    async def set_price(self, price: Price) -> None:
        place = (price.trunk_id or "", price.direction.value, price.prefix)
        if any(other.id == price.id for at, other in self._prices.items() if at != place):
            raise Conflict("A price of this id exists already.")
        self._prices[place] = price
        self._configuration += 1

    async def prices(self) -> list[Price]:
        return [self._prices[place] for place in sorted(self._prices)]

    async def remove_price(self, price_id: str) -> None:
        place = next((at for at, price in self._prices.items() if price.id == price_id), None)
        if place is None:
            raise NotFound("There is no such price.")
        del self._prices[place]
        self._configuration += 1
