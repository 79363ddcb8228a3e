"""Show an account's virtual numbers. Called by the dialects and the CLI."""

from __future__ import annotations

from maskline.masking.decision import NumberState, VirtualNumber
from maskline.storage.store import Store

_REMEMBERED_ACCOUNTS = 8


async def list_numbers(store: Store, account_id: str, *, retired: bool = False) -> list[VirtualNumber]:
    """All numbers of an account, or those of a subaccount, in order of their adding; `retired`: those too that were
    given back. Raises `NotFound`."""
    account = await store.account(account_id)
    return [
        number
        for number in await store.numbers(account.owner_id)
        if (account.parent_id is None or number.subaccount_id == account.id)
        and (retired or number.state is not NumberState.RETIRED)
    ]


class ListNumbers:
    """The same for who asks page by page: reads an account's numbers once while the configuration stays as it is,
    since 50,000 of them take a second. Remembers the accounts asked for last."""

    __slots__ = ("_found", "_store", "_version")

    def __init__(self, store: Store) -> None:
        self._store = store
        self._version = -1
        self._found: dict[str, tuple[VirtualNumber, ...]] = {}

    async def __call__(self, account_id: str) -> tuple[VirtualNumber, ...]:
        """Without retired numbers; raises `NotFound`."""
        # Read before the numbers: what changes while they are read is then found changed at the next call.
        version = await self._store.configuration_version()
        if version != self._version:
            self._version = version
            self._found.clear()
        found = self._found.pop(account_id, None)
        if found is None:
            found = tuple(await list_numbers(self._store, account_id))
            if version != self._version:
                return found
        self._found[account_id] = found
        if len(self._found) > _REMEMBERED_ACCOUNTS:
            del self._found[next(iter(self._found))]
        return found
