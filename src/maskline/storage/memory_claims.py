"""The claims of the in-memory store, and its answers to what allocation asks.

What it is: the same rules as `queries.sql` states for claims, on dictionaries. What it is not: durable. Who uses it:
`storage/memory.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from maskline.masking import pool
from maskline.masking.claims import ANYONE, Claim, Held, Hold, Key, KeyKind, pin_key
from maskline.masking.decision import NumberState, NumberUse, VirtualNumber
from maskline.masking.e164 import Number

_FORGOTTEN_AT_ONCE = 16


class MemoryClaims:
    """(key, virtual number) → whose it is, and until when numbers are one session's alone."""

    __slots__ = ("_by_key", "_by_number", "exclusive_until", "longest_pin")

    def __init__(self) -> None:
        self._by_key: dict[Key, dict[Number, Held]] = {}
        self._by_number: dict[Number, dict[Key, Held]] = {}
        self.exclusive_until: dict[Number, float] = {}
        self.longest_pin: dict[Number, int] = {}
        """Digits of the longest PIN there ever was on a number."""

    def __len__(self) -> int:
        return sum(map(len, self._by_key.values()))

    def get(self, key: Key, number: Number) -> Held | None:
        return self._by_key.get(key, {}).get(number)

    def of_keys(self, keys: Iterable[Key]) -> list[Held]:
        return [held for key in keys for held in self._by_key.get(key, {}).values()]

    def on(self, number: Number) -> list[Held]:
        return list(self._by_number.get(number, {}).values())

    def lost(self, session_id: str, holds: Iterable[Hold], now: float, previous: str | None) -> Claim | None:
        """A claim that another session than `previous` holds, of those to be taken."""
        for hold in holds:
            held = self.get(hold.claim.key, hold.claim.virtual_number)
            if held is not None and held.held_until > now and held.session_id != previous:
                return hold.claim
        return None

    def take(self, session_id: str, holds: Iterable[Hold]) -> None:
        for hold in holds:
            claim = hold.claim
            held = Held(claim.key, claim.virtual_number, session_id, hold.live_until, hold.held_until)
            self._by_key.setdefault(claim.key, {})[claim.virtual_number] = held
            self._by_number.setdefault(claim.virtual_number, {})[claim.key] = held
            if claim.key == ANYONE:
                self.exclusive_until[claim.virtual_number] = hold.held_until
            elif claim.key.kind is KeyKind.PIN:
                longest = self.longest_pin.get(claim.virtual_number, 0)
                self.longest_pin[claim.virtual_number] = max(longest, len(claim.key.text))

    def move(self, session_id: str, holds: Sequence[Hold]) -> tuple[Hold, ...]:
        """Those that are still the session's get their new times, and are returned."""
        own = tuple(hold for hold in holds if self._is_of(session_id, hold.claim))
        self.take(session_id, own)
        return own

    def _is_of(self, session_id: str, claim: Claim) -> bool:
        held = self.get(claim.key, claim.virtual_number)
        return held is not None and held.session_id == session_id

    def forget(self, number: Number, before: float) -> None:
        old = sorted((held for held in self.on(number) if held.held_until < before), key=lambda held: held.held_until)
        for held in old[:_FORGOTTEN_AT_ONCE]:
            self._drop(held)

    def release(self, session_id: str, claims: Iterable[Claim], now: float) -> None:
        """Drop those of a forgotten session that are not held any more."""
        for claim in claims:
            held = self.get(claim.key, claim.virtual_number)
            if held is not None and held.session_id == session_id and held.held_until <= now:
                self._drop(held)

    def _drop(self, held: Held) -> None:
        del self._by_key[held.key][held.virtual_number]
        del self._by_number[held.virtual_number][held.key]


class Answers:
    """Answers what `masking/pool.py` asks, as of one moment; `numbers` in order of position."""

    __slots__ = ("_claims", "_now", "_numbers")

    def __init__(self, claims: MemoryClaims, numbers: Iterable[VirtualNumber], now: float) -> None:
        self._claims = claims
        self._numbers = numbers
        self._now = now

    def __call__(self, ask: pool.Ask) -> Any:
        return _ANSWERS[type(ask)](self, ask)

    def _in_pool(self, owner_id: str, country: str | None, use: NumberUse) -> list[Number]:
        return [
            number.number
            for number in self._numbers
            if (number.subaccount_id or number.account_id) == owner_id
            and country in (None, number.country)
            and (number.state, number.use) == (NumberState.ACTIVE, use)
        ]

    def _to_share(self, owner_id: str, country: str | None) -> list[Number]:
        exclusive = self._claims.exclusive_until
        numbers = self._in_pool(owner_id, country, NumberUse.SHARED)
        return [number for number in numbers if exclusive.get(number, 0.0) <= self._now]

    def held(self, ask: pool.AskHeld) -> list[Held]:
        return self._claims.of_keys(ask.keys)

    def numbers(self, ask: pool.AskNumbers) -> list[Number]:
        return self._to_share(ask.owner_id, ask.country)[: ask.limit]

    def usable(self, ask: pool.AskUsable) -> bool:
        return ask.number in self._to_share(ask.owner_id, ask.country)

    def empty_number(self, ask: pool.AskEmptyNumber) -> Number | None:
        for number in reversed(self._to_share(ask.owner_id, ask.country)):
            if all(held.held_until <= self._now for held in self._claims.on(number)):
                return number
        return None

    def pin_numbers(self, ask: pool.AskPinNumbers) -> list[Number]:
        return self._in_pool(ask.owner_id, ask.country, NumberUse.PIN)

    def pins_held(self, ask: pool.AskPinsHeld) -> set[str]:
        found = {pin: self._claims.get(pin_key(pin), ask.number) for pin in ask.pins}
        return {pin for pin, held in found.items() if held is not None and held.held_until > self._now}


_ANSWERS: dict[type[Any], Callable[[Answers, Any], Any]] = {
    pool.AskHeld: Answers.held,
    pool.AskNumbers: Answers.numbers,
    pool.AskUsable: Answers.usable,
    pool.AskEmptyNumber: Answers.empty_number,
    pool.AskPinNumbers: Answers.pin_numbers,
    pool.AskPinsHeld: Answers.pins_held,
}


def with_pin(held: Iterable[Held], now: float) -> Held | None:
    """The live claim by PIN that ends last."""
    live = [one for one in held if one.key.kind is KeyKind.PIN and one.live_until > now]
    return min(live, key=lambda one: (-one.live_until, one.session_id), default=None)
