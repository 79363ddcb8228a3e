"""Open a masking session: one or two parties, virtual numbers, until it expires.

What it is: the rules on a new session that hold in every dialect: whose numbers, which policy, which PINs may be
made. What it is not: allocation (`masking/pool.py`, inside the store's transaction). Who uses it: the dialects, the
CLI, the demo.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from maskline.clock import Clock
from maskline.errors import InvalidParameter
from maskline.ids import Ids
from maskline.masking.e164 import Number
from maskline.masking.policy import AccountPolicy
from maskline.masking.session import NewSession, PoolMode, Role, Session, SessionOptions
from maskline.storage.store import Once, OutboxRow, Store
from maskline.webhooks.formats import native
from maskline.workflows.check_parties import refuse_wrong_parties
from maskline.workflows.find_account import own_subaccount
from maskline.workflows.find_limits import FindLimits, refuse_barred_parties
from maskline.workflows.find_policy import FindPolicy
from maskline.workflows.hooks import Notify, SessionHook, nobody_asks, nobody_waits
from maskline.workflows.native_outbox import FindSessionReceiver, session_row
from maskline.workflows.scope import Scope

_PIN_CANDIDATES = 32
"""Enough that one is free while less than 80 % of a length's PINs are in use on a number: 0.8^32 < 0.1 %."""


@dataclass(frozen=True, slots=True)
class SessionWish:
    """What a create asks for, in domain values."""

    first_party: Number | None
    second_party: Number | None
    options: SessionOptions
    """Its `geomatch` and cool-offs by role are set by what holds, not by the wish."""
    geomatch: bool | None = None
    """None: left out (docs/decisions/0008-geomatch-default.md)."""
    subaccount_id: str | None = None
    first_party_pin: str = field(default="", repr=False)
    second_party_pin: str = field(default="", repr=False)


class CreateSession:
    """Call it with a scope and a wish; keeps in memory only the accounts' policies."""

    __slots__ = ("_clock", "_created", "_ids", "_limits", "_policy", "_receiver", "_store", "_told")

    def __init__(
        self, store: Store, clock: Clock, ids: Ids, created: SessionHook = nobody_asks, told: Notify = nobody_waits
    ) -> None:
        """`created` is called with each session, also when `once` made it before: it may ask for a call at once, and
        names prompts that can be fetched ahead. `told`: after a webhook was written for it."""
        self._created = created
        self._told = told
        self._store = store
        self._clock = clock
        self._ids = ids
        self._policy = FindPolicy(store)
        self._limits = FindLimits(store)
        self._receiver = FindSessionReceiver(store)

    async def __call__(self, scope: Scope, wish: SessionWish, once: Once | None = None) -> Session:
        """Keep and return the session, or the one that `once` made before. Raises `InvalidParameter` and its kin,
        `IdempotencyMismatch`, and `PoolExhausted` with a `detail` that says what is lacking."""
        _refuse_a_call_to_nobody(wish)
        pool = await self._pool(scope, wish)
        parties = {Role.FIRST: wish.first_party, Role.SECOND: wish.second_party}
        await refuse_wrong_parties(self._store, pool.account_id, parties)
        await refuse_barred_parties(self._limits, pool.account_id, parties)
        policy = await self._policy(pool)
        options = _with_cooloffs(wish.options, policy)
        new = NewSession(
            self._ids.uuid(), pool.account_id, pool.subaccount_id, wish.first_party, wish.second_party, options,
            self._clock.wall(), wish.geomatch, policy.modes, wish.first_party_pin, wish.second_party_pin,
            self._pin_candidates(options, policy), policy.session_fee,
        )  # fmt: skip
        outbox = await self._outbox(new)
        session = await self._store.create_session(new, once=once, outbox=outbox)
        self._created(session)
        if outbox is not None:
            self._told()
        return session

    async def _outbox(self, new: NewSession) -> Callable[[Session], list[OutboxRow]] | None:
        """What is told of the session; None: nobody hears of it."""
        receiver = await self._receiver(new.subaccount_id or new.account_id)
        if receiver is None:
            return None
        return lambda session: [session_row(receiver, session, native.SESSION_CREATED, session.created_at)]

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

    def _pin_candidates(self, options: SessionOptions, policy: AccountPolicy) -> tuple[str, ...]:
        wanted = options.is_pin_authentication_required and options.generate_pin
        if not wanted and PoolMode.PIN not in policy.modes:
            return ()
        length = options.generate_pin_length
        pins = (str(int(self._ids.token(16), 16) % 10**length).zfill(length) for _ in range(_PIN_CANDIDATES))
        return tuple(dict.fromkeys(pins))


def _refuse_a_call_to_nobody(wish: SessionWish) -> None:
    """Who may be called through which trunk is judged when the call starts: a moment later it may be another."""
    if wish.options.initiate_call_to_first_party and None in (wish.first_party, wish.second_party):
        raise InvalidParameter(
            "Invalid parameter. initiate_call_to_first_party needs both parties",
            parameter="initiate_call_to_first_party",
        )


def _with_cooloffs(options: SessionOptions, policy: AccountPolicy) -> SessionOptions:
    asked = options.virtual_number_cooloff_period
    first, second = max(asked, policy.first_party_cooloff), max(asked, policy.second_party_cooloff)
    if (first, second) == (options.first_party_cooloff, options.second_party_cooloff):
        return options
    return replace(options, first_party_cooloff=first, second_party_cooloff=second)
