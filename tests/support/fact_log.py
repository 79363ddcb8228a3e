"""A good fact log, made by a store: sessions of every mode that begin, change and end, and calls through them.

What it is: a seeded walk over the store's own methods, so that the log is what an installation would have. What it
is not: the engine; calls are matched here by asking the store, and written a moment later, as the recorder does.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import NamedTuple

from maskline.errors import MasklineError
from maskline.masking.call_record import CallParties, CallRecord
from maskline.masking.decision import NumberState, NumberUse
from maskline.masking.e164 import Number
from maskline.masking.facts import CallEnded, CallReceived, CallRouted, Cause, Fact, HungUpBy, LegDialed, Outcome
from maskline.masking.session import NewSession, PoolMode, Role, Session, SessionChange, SessionOptions
from maskline.storage.store import RecordedCall, Store
from tests.support.store_values import ACCOUNT, T0, call_record, virtual_number

NUMBERS = [Number(f"6531000{i:03}") for i in range(1, 13)]
PIN_NUMBERS = NUMBERS[10:]
PARTIES = [Number(f"658123{i:04}") for i in range(8)]
_PINS = tuple(f"{pin:04}" for pin in range(1000, 1200))


class Entry(NamedTuple):
    """One line of the log as the replay takes it."""

    position: int
    fact: Fact
    record: CallParties | None = None


class FactLog:
    """Walks a store for some steps; then `entries` is its log."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store = store
        self.now = T0
        self._draw = random.Random(seed)
        self._sessions: list[str] = []
        self._unwritten: list[RecordedCall] = []
        self._count = 0

    async def walk(self, steps: int) -> None:
        if not self._count:
            await self._set_up()
            await self._create()
        for _ in range(steps):
            self.now += self._draw.expovariate(1 / 20)
            step = self._draw.choices(
                [self._create, self._call, self._update, self._end, self._expire, self._rest, self._write],
                [30, 40, 10, 8, 10, 3, 60],
            )[0]
            try:
                await step()
            except MasklineError:
                """The store refused, as it should; then there is no fact."""
        await self._write()

    async def entries(self) -> list[Entry]:
        """The log so far."""
        return [Entry(*line) for line in await self.store.replay_since(0, 1_000_000)]

    async def _set_up(self) -> None:
        await self.store.add_account(ACCOUNT)
        for number in NUMBERS:
            use = NumberUse.PIN if number in PIN_NUMBERS else NumberUse.SHARED
            await self.store.add_number(virtual_number(number, use=use), T0)

    async def _create(self) -> None:
        first, second = self._draw.sample(PARTIES, 2)
        mode = self._draw.choice([PoolMode.SHARED, PoolMode.SHARED, PoolMode.SPLIT, PoolMode.PIN, PoolMode.OPEN])
        alone, by_pin = mode is PoolMode.OPEN, mode is PoolMode.PIN or self._draw.random() < 0.2
        options = SessionOptions(
            session_expiry=self._draw.choice([60, 300, 1000]),
            first_party_cooloff=self._draw.choice([0, 30, 500]), second_party_cooloff=self._draw.choice([0, 100]),
            create_session_with_single_party=alone, is_pin_authentication_required=by_pin and not alone,
        )  # fmt: skip
        pins = tuple(self._draw.sample(_PINS, 8)) if by_pin else ()
        self._count += 1
        new = NewSession(
            f"session-{self._count}", ACCOUNT.id, None, first, None if alone else second, options, self.now,
            modes=(PoolMode.SHARED if alone else mode,), pin_candidates=pins,
        )  # fmt: skip
        self._sessions.append((await self.store.create_session(new)).id)

    async def _any_session(self) -> Session:
        # The newest ones more often than those that are long over.
        recent = self._sessions[-6:]
        return await self.store.session(ACCOUNT.id, self._draw.choice(recent))

    async def _update(self) -> None:
        session = await self._any_session()
        second = self._draw.choice(PARTIES) if self._draw.random() < 0.5 else session.second_party
        if second == session.first_party:
            return
        change = SessionChange(
            session.options, self.now + session.options.session_expiry, self.now, ("second_party",),
            session.first_party, second,
        )  # fmt: skip
        await self.store.update_session(ACCOUNT.id, session.id, change)

    async def _end(self) -> None:
        session = await self._any_session()
        await self.store.end_session(ACCOUNT.id, session.id, now=self.now, by_request=True, outbox=())

    async def _expire(self) -> None:
        for session in await self.store.sessions_due(self.now, 3):
            await self.store.end_session(ACCOUNT.id, session.id, now=self.now, by_request=False, outbox=())

    async def _rest(self) -> None:
        """A number rests, its sessions get others, and it comes back."""
        number = await self.store.number(self._draw.choice(NUMBERS[:10]))
        assert number is not None
        await self.store.update_number(replace(number, state=NumberState.RESTING), self.now)
        for session in await self.store.sessions_on(number.number, now=self.now, limit=3):
            await self.store.replace_numbers(ACCOUNT.id, session.id, now=self.now, outbox=lambda _: ())
        await self.store.update_number(number, self.now)

    async def _call(self) -> None:
        session = await self._any_session()
        role = self._draw.choice([Role.FIRST, Role.SECOND])
        if not session.is_live(self.now):
            return
        party, matched_by = session.party(role), "party"
        if session.pin(role):
            party, matched_by = PARTIES[0], "pin"
        elif party is None:
            party, matched_by = PARTIES[7], "open"
        self._unwritten.append(self._recorded(session, role, party, matched_by))

    def _recorded(self, session: Session, role: Role, caller: Number, matched_by: str) -> RecordedCall:
        self._count += 1
        call_id, at, number = f"call-{self._count}", self.now, session.number_of(role)
        facts: tuple[Fact, ...] = (
            CallReceived(call_id, 1, at, "trunk-1", number.digits),
            CallRouted(call_id, 2, at, session.id, role.value, matched_by),
            LegDialed(call_id, 3, at + 0.1, "b", "trunk-1"),
            CallEnded(call_id, 4, at + 0.2, Outcome.BUSY, Cause.BUSY, HungUpBy.CALLEE),
        )
        return RecordedCall(facts, ACCOUNT.id, record=self._record(call_id, session, role, caller))

    def _record(self, call_id: str, session: Session, role: Role, caller: Number) -> CallRecord:
        made = call_record(call_id, session_id=session.id, caller=role)
        leg_a, leg_b = made.legs
        callee = session.party(role.other) or PARTIES[6]
        return replace(made, legs=(replace(leg_a, source=caller), replace(leg_b, destination=callee)))

    async def _write(self) -> None:
        """The group commit, some time after its calls."""
        calls, self._unwritten = self._unwritten, []
        await self.store.commit_calls(calls)
