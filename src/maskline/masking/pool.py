"""Allocation: which virtual numbers a new session gets, or why it gets none.

What it is: the pure rules, as a generator that asks what it needs to know and is answered by a store inside the
transaction of a create: `allocate` yields questions and returns an `Allocation`. What it is not: a query, or the
guarantee itself; the stores back the rule by a unique index on claims (`claims.py`). The sentences of a refusal are in
`refusal.py`. Who drives it: the stores; the planner (`plan.py`) uses its `choose`.

The rules (competitors-and-pool-maths.md §5):
- first-fit in order of position. A shared number must be free of both parties, so C1 + C2 - 1 numbers always
  suffice where the parties hold C1 and C2 sessions with this one, and real traffic needs about the larger of them.
  With a number of its own for each party (split) exactly C numbers suffice, for any traffic.
- sticky: the number that the same pair had last is taken again, even while its cool-off runs: the only people who
  know that number for each other are these two.
- a PIN is unique on its number; a single party without PIN gets a number nobody else has, because anyone who calls
  it is connected. Those are taken from the end of the pool, where first-fit comes last.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar

from maskline.errors import InvalidParameter, MissingParameter, PoolExhausted
from maskline.masking.claims import Held, Key, KeyKind, party_key, pin_key
from maskline.masking.e164 import Number
from maskline.masking.refusal import Shortage, no_free_number, no_pin_number
from maskline.masking.session import NewSession, PoolMode, Role, Session, SessionOptions

T = TypeVar("T")


# -- questions ---------------------------------------------------------------------------------------------------
class AskHeld(NamedTuple):
    """All claims of these keys on any number that are not forgotten, free ones too. Answer: `list[Held]`."""

    keys: tuple[Key, ...]


class AskNumbers(NamedTuple):
    """The first numbers of a pool in order of position that may be shared now: active, not reserved for PINs, not
    held as open number. Answer: `list[Number]`."""

    owner_id: str
    """The subaccount that the numbers are assigned to, or the account for numbers without a subaccount."""
    country: str | None
    """ISO 3166-1 alpha-2; None: any."""
    limit: int


class AskUsable(NamedTuple):
    """Whether `AskNumbers` with no limit would name this number. Answer: `bool`."""

    owner_id: str
    country: str | None
    number: Number


class AskEmptyNumber(NamedTuple):
    """The last active, unreserved number of a pool on which no claim is held. Answer: `Number | None`."""

    owner_id: str
    country: str | None


class AskPinNumbers(NamedTuple):
    """The active numbers of a pool that are reserved for PINs, in order. Answer: `list[Number]`."""

    owner_id: str
    country: str | None


class AskPinsHeld(NamedTuple):
    """Which of these PINs are held on a number. Answer: `set[str]`."""

    number: Number
    pins: tuple[str, ...]


Ask = AskHeld | AskNumbers | AskUsable | AskEmptyNumber | AskPinNumbers | AskPinsHeld


@dataclass(frozen=True, slots=True)
class Allocation:
    """What a new session gets."""

    mode: PoolMode
    virtual_number: Number
    second_virtual_number: Number | None
    first_party_pin: str = field(repr=False)
    second_party_pin: str = field(repr=False)
    geomatch: bool
    """Whether the numbers are of their party's country because that was asked for."""
    previous: str | None
    """The session whose claims may be taken over although they are held: the pair's last one, which has ended and
    is in quarantine, or the session itself in a reallocation."""


Steps = Generator[Ask, Any, Allocation]


def drive(steps: Steps, answer: Callable[[Ask], Any]) -> Allocation:
    """Run `allocate` or `reallocate` to its end with someone who answers its questions."""
    reply = None
    while True:
        try:
            ask = steps.send(reply)
        except StopIteration as done:
            allocation: Allocation = done.value
            return allocation
        reply = answer(ask)


class _Lack(Exception):
    """One mode has no number; its text says why, without any party's number."""


class _Place(NamedTuple):
    """A number that was chosen, and whether its country was."""

    number: Number
    geomatch: bool


def check_parties(new: NewSession) -> None:
    """Raises `InvalidParameter` when both parties are one number (its two claims would be one and the same, and
    nobody could tell who calls), and `MissingParameter` for a party that is not given without single-party."""
    for role in (Role.FIRST, Role.SECOND):
        alone = new.options.create_session_with_single_party and new.party(role.other) is not None
        if new.party(role) is None and not alone:
            raise MissingParameter(f"Mandatory parameter missing. {role} must be present", parameter=role.value)
    if new.first_party == new.second_party:
        raise InvalidParameter("Invalid parameter. second_party must differ from first_party", parameter="second_party")
    if new.first_party_pin and new.first_party_pin == new.second_party_pin:
        raise InvalidParameter(
            "Invalid parameter. second_party_pin must differ from first_party_pin", parameter="second_party_pin"
        )


def allocate(new: NewSession) -> Steps:
    """Choose by the session's modes in their order. Raises `PoolExhausted` with a `detail` that names what is
    lacking and when the first number becomes free, and what `check_parties` raises."""
    check_parties(new)
    held: list[Held] = yield AskHeld(_all_keys(new))
    return (yield from _by_modes(_Search(new, held, _previous(new, held)), _modes(new)))


def reallocate(session: Session, now: float) -> Steps:
    """Other numbers for a live session, in its own mode, at wall second `now`, because one of its numbers is no
    longer active. The number of the party that is not concerned stays. Raises `PoolExhausted`."""
    geomatch = None if session.options.geomatch else False
    new = NewSession(
        session.id, session.account_id, session.subaccount_id, session.first_party, session.second_party,
        session.options, now, geomatch, (session.pool_mode,), session.first_party_pin, session.second_party_pin,
    )  # fmt: skip
    held: list[Held] = yield AskHeld(_all_keys(new))
    # Sticky to itself: what is still usable is kept, and its own claims do not stand in its way.
    return (yield from _by_modes(_Search(new, held, session.id), new.modes))


def _all_keys(new: NewSession) -> tuple[Key, ...]:
    parties = [party_key(party) for party in (new.first_party, new.second_party) if party is not None]
    return (*parties, *[pin_key(pin) for pin in (new.first_party_pin, new.second_party_pin) if pin])


def _by_modes(search: _Search, modes: Sequence[PoolMode]) -> Steps:
    lacks = []
    for mode in modes:
        try:
            return (yield from _BY_MODE[mode](search))
        except _Lack as lack:
            lacks.append(str(lack))
    # Shared and split mostly lack the same: said once.
    raise PoolExhausted(detail="; ".join(dict.fromkeys(lacks)))


def _modes(new: NewSession) -> Sequence[PoolMode]:
    alone = new.first_party is None or new.second_party is None
    if not alone:
        return new.modes
    return (PoolMode.SHARED,) if new.options.is_pin_authentication_required else (PoolMode.OPEN,)


class _Search:
    """What is known of the keys of one new session."""

    __slots__ = ("held", "new", "owner_id", "previous")

    def __init__(self, new: NewSession, held: list[Held], previous: str | None) -> None:
        self.new = new
        self.owner_id = new.subaccount_id or new.account_id
        self.held = held
        self.previous = previous
        """The session whose numbers are taken again if they can be, and whose claims may be taken over."""

    def blocking(self, *roles: Role) -> dict[Number, list[Held]]:
        """Numbers on which a key of these roles is held by another session, by number."""
        blocking: dict[Number, list[Held]] = {}
        if not self.held:
            return blocking
        keys = {key for role in roles for key in self.keys(role)}
        for row in self.held:
            if row.key in keys and row.held_until > self.new.created_at and row.session_id != self.previous:
                blocking.setdefault(row.virtual_number, []).append(row)
        return blocking

    def keys(self, role: Role) -> list[Key]:
        party, pin = self.new.party(role), self.new.pin(role)
        return [*([party_key(party)] if party else []), *([pin_key(pin)] if pin else [])]

    def shortage(self, numbers: list[Number], blocking: dict[Number, list[Held]]) -> Shortage:
        return Shortage(numbers, blocking, {role: self.keys(role) for role in Role})

    def sticky(self, role: Role) -> Number | None:
        """The number this party had in the pair's previous session."""
        party = self.new.party(role)
        if self.previous is None or party is None:
            return None
        key = party_key(party)
        return next((r.virtual_number for r in self.held if r.session_id == self.previous and r.key == key), None)

    def country(self, role: Role) -> str | None:
        """The country a number must have; None where any will do, or where the plan has no country to match."""
        party = self.new.party(role) or self.new.party(role.other)
        return None if self.new.geomatch is False or party is None else party.country


def _previous(new: NewSession, held: list[Held]) -> str | None:
    """The pair's session that ended last: these two were its parties at its end.

    Who was replaced in a session before, or has a claim on a number that it gave up, does not count: while it is live,
    or the other claim protects somebody else, nobody may take its claims over.
    """
    if not held or new.first_party is None or new.second_party is None:
        return None
    pair = (party_key(new.first_party), party_key(new.second_party))
    ends: dict[str, dict[Key, float]] = {}
    for row in held:
        if row.key in pair:
            own = ends.setdefault(row.session_id, {})
            own[row.key] = max(row.live_until, own.get(row.key, row.live_until))
    over = [
        (own[pair[0]], session_id)
        for session_id, own in ends.items()
        if len(own) == 2 and own[pair[0]] == own[pair[1]] <= new.created_at
    ]
    return max(over)[1] if over else None


# -- the modes ---------------------------------------------------------------------------------------------------
def _shared(search: _Search) -> Steps:
    blocking = search.blocking(Role.FIRST, Role.SECOND)
    sticky = search.sticky(Role.FIRST)
    if sticky != search.sticky(Role.SECOND):
        sticky = None
    place = yield from _first_fit(search, Role.FIRST, blocking, sticky)
    return (yield from _with_pins(search, PoolMode.SHARED, place, place.number, None))


def _split(search: _Search) -> Steps:
    first = yield from _first_fit(search, Role.FIRST, search.blocking(Role.FIRST), search.sticky(Role.FIRST))
    second = yield from _first_fit(search, Role.SECOND, search.blocking(Role.SECOND), search.sticky(Role.SECOND))
    place = _Place(first.number, first.geomatch and second.geomatch)
    return (yield from _with_pins(search, PoolMode.SPLIT, place, first.number, second.number))


def _pin(search: _Search) -> Steps:
    country = search.country(Role.FIRST)
    numbers: list[Number] = yield AskPinNumbers(search.owner_id, country)
    if not numbers and country is not None and search.new.geomatch is None:
        country = None
        numbers = yield AskPinNumbers(search.owner_id, None)
    blocking = search.blocking(Role.FIRST, Role.SECOND)
    for number in numbers:
        if any(row.key.kind is KeyKind.PIN for row in blocking.get(number, ())):
            continue
        pins = yield from _choose_pins(search.new, number, number)
        if pins is not None:
            return Allocation(PoolMode.PIN, number, None, *pins, country is not None, None)
    raise _Lack(no_pin_number(search.shortage(numbers, blocking)))


def _open(search: _Search) -> Steps:
    country = search.country(Role.FIRST)
    number: Number | None = yield AskEmptyNumber(search.owner_id, country)
    if number is None and country is not None and search.new.geomatch is None:
        # Left to us: a number of another country is better than none, but only where the pool has no such number.
        found: list[Number] = yield AskNumbers(search.owner_id, country, 1)
        if not found:
            country = None
            number = yield AskEmptyNumber(search.owner_id, None)
    if number is None:
        raise _Lack("a single-party session without PIN needs a number that no other session holds, and there is none")
    return Allocation(PoolMode.OPEN, number, None, "", "", country is not None, None)


_BY_MODE = {PoolMode.SHARED: _shared, PoolMode.SPLIT: _split, PoolMode.PIN: _pin, PoolMode.OPEN: _open}


# -- numbers -----------------------------------------------------------------------------------------------------
def _first_fit(
    search: _Search, role: Role, blocking: dict[Number, list[Held]], sticky: Number | None
) -> Generator[Ask, Any, _Place]:
    country = search.country(role)
    limit = len(blocking) + 1  # of that many one is free for sure, if the pool has them (pigeonhole)
    numbers: list[Number] = yield AskNumbers(search.owner_id, country, limit)
    if not numbers and country is not None and search.new.geomatch is None:
        country = None
        numbers = yield AskNumbers(search.owner_id, None, limit)
    number = choose(numbers, blocking)
    if sticky is not None and sticky != number and sticky not in blocking:
        usable: bool = yield AskUsable(search.owner_id, country, sticky)
        number = sticky if usable else number
    if number is None:
        raise _Lack(no_free_number(search.shortage(numbers, blocking), role, country, search.new.created_at))
    return _Place(number, country is not None)


def choose(candidates: Sequence[T], blocking: Collection[T]) -> T | None:
    """First-fit: the first candidate that is not blocked; None when all are. Numbers here, positions in the
    planner."""
    for number in candidates:
        if number not in blocking:
            return number
    return None


# -- PINs --------------------------------------------------------------------------------------------------------
def _with_pins(
    search: _Search, mode: PoolMode, place: _Place, first: Number, second: Number | None
) -> Generator[Ask, Any, Allocation]:
    pins: tuple[str, str] | None = ("", "")
    if search.new.options.is_pin_authentication_required:
        pins = yield from _choose_pins(search.new, first, second or first)
    if pins is None:
        raise _Lack("no PIN of this length is left on the number; ask for longer ones")
    return Allocation(mode, first, second, *pins, place.geomatch, search.previous)


def _choose_pins(new: NewSession, first: Number, second: Number) -> Generator[Ask, Any, tuple[str, str] | None]:
    """The given PINs, or free ones of the candidates, different from each other; None when there is none left."""
    chosen: list[str] = []
    for role, number in ((Role.FIRST, first), (Role.SECOND, second)):
        pin = new.pin(role)
        if not pin:
            taken: set[str] = yield AskPinsHeld(number, new.pin_candidates)
            taken = {*taken, *chosen, new.pin(role.other)}
            pin = next((candidate for candidate in new.pin_candidates if candidate not in taken), "")
        if not pin:
            return None
        chosen.append(pin)
    return chosen[0], chosen[1]


# -- from an allocation to the session ---------------------------------------------------------------------------
def session_of(new: NewSession, allocation: Allocation) -> Session:
    """The session as it begins; `claims_of` tells what it holds."""
    options = new.options
    by_pin = options.is_pin_authentication_required or allocation.mode is PoolMode.PIN
    if (options.geomatch, options.is_pin_authentication_required) != (allocation.geomatch, by_pin):
        options = _with_outcome(options, allocation.geomatch, by_pin)
    return Session(
        id=new.id, account_id=new.account_id, subaccount_id=new.subaccount_id,
        first_party=new.first_party, second_party=new.second_party,
        virtual_number=allocation.virtual_number, options=options,
        created_at=new.created_at, modified_at=new.created_at,
        expires_at=new.created_at + new.options.session_expiry, planned_duration=new.options.session_expiry,
        pool_mode=allocation.mode, second_virtual_number=allocation.second_virtual_number,
        first_party_pin=allocation.first_party_pin, second_party_pin=allocation.second_party_pin,
        amount=new.amount,
    )  # fmt: skip


@lru_cache(maxsize=1024)
def _with_outcome(options: SessionOptions, geomatch: bool, by_pin: bool) -> SessionOptions:
    # Cached, because an account's sessions mostly have the same options, and a copy of them costs more than all else.
    return replace(options, geomatch=geomatch, is_pin_authentication_required=by_pin)


def moved(session: Session, allocation: Allocation, now: float) -> Session:
    """The session as a reallocation at wall second `now` leaves it."""
    options = session.options
    if options.geomatch != allocation.geomatch:
        options = replace(options, geomatch=allocation.geomatch)
    return replace(
        session, virtual_number=allocation.virtual_number, second_virtual_number=allocation.second_virtual_number,
        first_party_pin=allocation.first_party_pin, second_party_pin=allocation.second_party_pin, options=options,
        modified_at=now,
    )  # fmt: skip
