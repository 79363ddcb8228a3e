"""A pool in memory that answers `masking.pool`'s questions: the plainest possible store, as a model for tests.

What it is: numbers in order and claims by (key, number), scanned for each answer. What it is not: fast, or a Store.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from maskline.masking import claims, pool
from maskline.masking.claims import Held, Key, KeyKind
from maskline.masking.e164 import Number
from maskline.masking.session import NewSession, Session


@dataclass
class PoolNumber:
    number: Number
    country: str = "SG"
    owner_id: str = "MA" + "A" * 18
    active: bool = True
    for_pins: bool = False


@dataclass
class PoolWorld:
    numbers: list[PoolNumber]
    held: dict[tuple[Key, Number], Held] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    asked: list[pool.Ask] = field(default_factory=list)

    def create(self, new: NewSession) -> Session:
        session, allocation = self.allocate(pool.allocate(new), new.created_at, new)
        self._take(session, allocation.previous, new.created_at)
        return session

    def allocate(self, steps: pool.Steps, now: float, new: NewSession) -> tuple[Session, pool.Allocation]:
        answer: Any = None
        try:
            while True:
                ask = steps.send(answer)
                self.asked.append(ask)
                answer = self._answer(ask, now)
        except StopIteration as done:
            return pool.session_of(new, done.value), done.value

    def end(self, session_id: str, now: float) -> Session:
        session = self.sessions[session_id] = self.sessions[session_id].ended(now)
        for claim in claims.claims_of(session):
            row = self.held[claim.key, claim.virtual_number]
            if row.session_id == session_id:
                until = claims.held_until(session, claim.role)
                self.held[claim.key, claim.virtual_number] = row._replace(
                    live_until=session.expires_at, held_until=until
                )
        return session

    def number(self, number: Number) -> PoolNumber:
        return next(one for one in self.numbers if one.number == number)

    def _take(self, session: Session, previous: str | None, now: float) -> None:
        for claim in claims.claims_of(session):
            row = self.held.get((claim.key, claim.virtual_number))
            assert row is None or row.held_until <= now or row.session_id == previous, "a claim has one holder"
            self.held[claim.key, claim.virtual_number] = Held(
                claim.key, claim.virtual_number, session.id, session.expires_at, claims.held_until(session, claim.role)
            )
        self.sessions[session.id] = session

    def _answer(self, ask: pool.Ask, now: float) -> Any:
        match ask:
            case pool.AskHeld(keys):
                return [row for (key, _), row in self.held.items() if key in keys]
            case pool.AskNumbers(owner, country, limit):
                return self._shared(owner, country, now)[:limit]
            case pool.AskUsable(owner, country, number):
                return number in self._shared(owner, country, now)
            case pool.AskEmptyNumber(owner, country):
                empty = [n for n in self._shared(owner, country, now) if not self._rows_on(n, now)]
                return empty[-1] if empty else None
            case pool.AskPinNumbers(owner, country):
                return [n.number for n in self._of(owner, country) if n.for_pins]
            case pool.AskPinsHeld(number, pins):
                held = self._rows_on(number, now)
                return {row.key.text for row in held if row.key.kind is KeyKind.PIN and row.key.text in pins}

    def _of(self, owner: str, country: str | None) -> list[PoolNumber]:
        return [n for n in self.numbers if n.active and n.owner_id == owner and country in (None, n.country)]

    def _shared(self, owner: str, country: str | None, now: float) -> list[Number]:
        found = [n.number for n in self._of(owner, country) if not n.for_pins]
        return [n for n in found if not any(row.key.kind is KeyKind.ANYONE for row in self._rows_on(n, now))]

    def _rows_on(self, number: Number, now: float) -> list[Held]:
        return [row for (_, on), row in self.held.items() if on == number and row.held_until > now]


def pool_of(count: int, **changes: Any) -> PoolWorld:
    """`count` numbers +65 31000001 … of one account."""
    return PoolWorld([replace(PoolNumber(Number(f"65310{i:05}")), **changes) for i in range(1, count + 1)])
