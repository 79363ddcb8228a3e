"""Open a masking session: two parties, one virtual number, until it expires.

What it is: the rules on a new session that hold in every dialect, and the default of geomatch. What it is
not: allocation (`masking/pool.py`, inside the store's transaction). Who uses it: the dialects, the CLI, the demo.

Geomatch: asked for, it is strict; switched off, any number will do; left out, it is strict as soon as the
pool has a number of the first party's country, else any number will do. The documentation says "default
true", yet taken literally a newcomer with one foreign number could never make a session
(docs/decisions/0008-geomatch-default.md).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from maskline.clock import Clock
from maskline.errors import InvalidParameter, PoolExhausted
from maskline.ids import Ids
from maskline.masking.decision import VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.session import NewSession, Session, SessionOptions
from maskline.storage.store import Store
from maskline.workflows.find_account import own_subaccount
from maskline.workflows.list_numbers import list_numbers
from maskline.workflows.scope import Scope

_ABSENCES_KEPT = 10_000


@dataclass(frozen=True, slots=True)
class SessionWish:
    """What a create asks for, in domain values."""

    first_party: Number
    second_party: Number
    options: SessionOptions
    geomatch: bool | None = None
    """None: left out; `options.geomatch` is set by the workflow."""
    subaccount_id: str | None = None


class CreateSession:
    """Call it with a scope and a wish; keeps in memory only which pools lack which country."""

    __slots__ = ("_absent", "_clock", "_ids", "_store")

    def __init__(self, store: Store, clock: Clock, ids: Ids) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._absent: dict[tuple[Scope, str], int] = {}
        """Pools without a number of a country, with the configuration version that was found at."""

    async def __call__(self, scope: Scope, wish: SessionWish) -> Session:
        """Keep and return the session. Raises `InvalidParameter`, and `PoolExhausted` with a `detail` that says
        what is lacking."""
        pool = await self._pool(scope, wish)
        await self._check_parties(pool.account_id, wish)
        country = wish.first_party.country
        geomatch = await self._geomatch(pool, wish, country)
        try:
            return await self._create(pool, wish, geomatch)
        except PoolExhausted:
            # Read before the numbers: one that is added meanwhile makes what is concluded from them outdated.
            version = await self._store.configuration_version()
            numbers = await self._numbers(pool)
        lacks_country = geomatch and all(number.country != country for number in numbers)
        if wish.geomatch is None and lacks_country and numbers and country is not None:
            self._remember_absence(pool, country, version)
            return await self._create_anywhere(pool, wish, numbers)
        raise PoolExhausted(detail=_lack(numbers, country if lacks_country else None))

    async def _create_anywhere(self, pool: Scope, wish: SessionWish, numbers: list[VirtualNumber]) -> Session:
        try:
            return await self._create(pool, wish, geomatch=False)
        except PoolExhausted:
            raise PoolExhausted(detail=_lack(numbers, None)) from None

    async def _pool(self, scope: Scope, wish: SessionWish) -> Scope:
        """Whose numbers may be used: the subaccount's named in the wish, else the caller's own."""
        if wish.subaccount_id is None or wish.subaccount_id == scope.subaccount_id:
            return scope
        if scope.subaccount_id is not None:
            raise InvalidParameter(
                "Invalid parameter. subaccount is not a subaccount of this account", parameter="subaccount"
            )
        await own_subaccount(self._store, scope.account_id, wish.subaccount_id)
        return Scope(scope.account_id, wish.subaccount_id)

    async def _check_parties(self, account_id: str, wish: SessionWish) -> None:
        if wish.first_party == wish.second_party:
            raise InvalidParameter(
                "Invalid parameter. second_party must differ from first_party", parameter="second_party"
            )
        for name, party in (("first_party", wish.first_party), ("second_party", wish.second_party)):
            virtual = await self._store.number(party)
            # A call to our own number would come back to us; foreign ones are not told apart from real people.
            if virtual is not None and virtual.account_id == account_id:
                raise InvalidParameter(f"Invalid parameter. {name} is a virtual number of this account", parameter=name)

    async def _geomatch(self, pool: Scope, wish: SessionWish, country: str | None) -> bool:
        if country is None:  # a plan without country: there is nothing to match
            return False
        if wish.geomatch is not None:
            return wish.geomatch
        version = self._absent.get((pool, country))
        return version is None or version != await self._store.configuration_version()

    def _remember_absence(self, pool: Scope, country: str, version: int) -> None:
        if len(self._absent) >= _ABSENCES_KEPT:
            self._absent.clear()
        self._absent[pool, country] = version

    async def _create(self, pool: Scope, wish: SessionWish, geomatch: bool) -> Session:
        options = wish.options if wish.options.geomatch == geomatch else replace(wish.options, geomatch=geomatch)
        return await self._store.create_session(
            NewSession(
                self._ids.uuid(), pool.account_id, pool.subaccount_id,
                wish.first_party, wish.second_party, options, self._clock.wall(),
            )
        )  # fmt: skip

    async def _numbers(self, pool: Scope) -> list[VirtualNumber]:
        owned = await list_numbers(self._store, pool.subaccount_id or pool.account_id)
        # A subaccount's numbers are for its own sessions only.
        return [number for number in owned if number.subaccount_id == pool.subaccount_id]


def _lack(numbers: list[VirtualNumber], country: str | None) -> str:
    if not numbers:
        return "There is no virtual number in this pool. Add one with: maskline number add"
    if country is not None:
        return f"There is no virtual number of country {country} in this pool, and geomatch asks for one"
    return "Every virtual number of this pool is held by one of the two parties"
