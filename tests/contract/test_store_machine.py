"""SQLite and memory side by side through random histories: they agree, and no caller ever reaches a stranger.

The no-stranger rule is judged by a third opinion: a plain dictionary of who holds which (key, virtual number), kept
here from the sessions that the stores handed out.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from maskline.errors import InvalidParameter, MasklineError, PoolExhausted
from maskline.masking.claims import ANYONE, Claim, Key, KeyKind, claims_of, party_key, pin_key
from maskline.masking.decision import NumberState, NumberUse, VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.facts import Fact
from maskline.masking.session import NewSession, PoolMode, Role, Session, SessionChange, SessionOptions
from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.filters import SessionFilter
from maskline.storage.memory import MemoryStore
from maskline.storage.sqlite import SqliteStore
from maskline.storage.store import Store
from tests.support.postgres_server import postgres_store
from tests.support.store_values import ACCOUNT, T0, call_facts, interaction, new_session, recorded_call, virtual_number

MEMORY = Path("/dev/shm")
"""Histories are about what is stored, not about a disk, for which they would wait most of the time."""
PARTIES = [Number(f"65812345{i:02}") for i in range(5)]
NUMBERS = [Number(f"65310000{i:02}") for i in range(5)]
PINS = tuple(f"{i:04}" for i in range(90))
"""More than all sessions of a history need, so that a refusal is never for want of a PIN."""
PARTY, NUMBER = st.sampled_from(PARTIES), st.sampled_from(NUMBERS)
SECONDS = st.sampled_from([0, 1, 30, 60, 61, 600])
INDEX = st.integers(0, 99)
SHARED, SPLIT, PIN, OPEN = PoolMode.SHARED, PoolMode.SPLIT, PoolMode.PIN, PoolMode.OPEN
MODES = st.sampled_from([(SHARED,), (SPLIT,), (SHARED, SPLIT), (SPLIT, SHARED), (PIN,), (SHARED, PIN)])


@dataclass
class Holder:
    """Whose a claim is or was last."""

    session_id: str
    live_until: float
    held_until: float
    pair: set[Number | None]
    """The parties of the session while the claim was its own."""


class Model:
    """Who holds what, by the plainest possible book-keeping."""

    def __init__(self) -> None:
        self.claims: dict[tuple[Key, Number], Holder] = {}
        self.sessions: dict[str, Session] = {}
        self.numbers = {number: virtual_number(number) for number in NUMBERS}

    def is_free(self, key: Key, number: Number, now: float, own: str = "") -> bool:
        holder = self.claims.get((key, number))
        return holder is None or holder.held_until <= now or holder.session_id == own

    def created(self, session: Session) -> None:
        for claim in claims_of(session):
            assert self.is_free(claim.key, claim.virtual_number, session.created_at) or self._is_of_the_same_two(
                claim, session
            ), "a claim was given to two sessions"
        self._keep(session)

    def changed(self, session: Session, now: float) -> None:
        for claim in claims_of(session):
            assert self.is_free(claim.key, claim.virtual_number, now, session.id), "a claim was given to two sessions"
        mine = {claim[:2] for claim in claims_of(session)}
        old = self.sessions[session.id]
        for key, number, role in claims_of(old):
            if (key, number) not in mine:
                self.claims[key, number] = Holder(session.id, now, now + _cooloff(session, key, role), _pair(old))
        self._keep(session)

    def ended(self, session: Session) -> None:
        self._keep(session, only_own=True)

    def _is_of_the_same_two(self, claim: Claim, session: Session) -> bool:
        """Only the same two people may take over what is in quarantine."""
        holder = self.claims[claim[:2]]
        return holder.live_until <= session.created_at and holder.pair == _pair(session)

    def _keep(self, session: Session, *, only_own: bool = False) -> None:
        self.sessions[session.id] = session
        for key, number, role in claims_of(session):
            if not only_own or self.claims[key, number].session_id == session.id:
                until = session.expires_at + _cooloff(session, key, role)
                self.claims[key, number] = Holder(session.id, session.expires_at, until, _pair(session))

    def named_by(self, key: Key, number: Number) -> str | None:
        """The id of the session that a store must answer with."""
        holder = self.claims.get((key, number))
        return holder.session_id if holder and holder.session_id in self.sessions else None

    # -- whether there is a number -----------------------------------------------------------------------------
    def has_number(self, new: NewSession, own: str = "") -> bool:
        alone = new.first_party is None or new.second_party is None
        if alone and not new.options.is_pin_authentication_required:
            return any(not self._is_held(number, new.created_at, own) for number in self._usable(NumberUse.SHARED))
        return any(self._by_mode(mode, new, own) for mode in ((SHARED,) if alone else new.modes))

    def _by_mode(self, mode: PoolMode, new: NewSession, own: str) -> bool:
        use = NumberUse.PIN if mode is PIN else NumberUse.SHARED
        usable = [
            number for number in self._usable(use) if mode is PIN or self.is_free(ANYONE, number, new.created_at, own)
        ]

        def fits(number: Number, *roles: Role) -> bool:
            keys = [pin_key(new.pin(role)) for role in roles if new.pin(role)]
            if mode is not PIN:
                keys += [party_key(party) for role in roles if (party := new.party(role))]
            return all(self.is_free(key, number, new.created_at, own) for key in keys)

        if mode is SPLIT:
            return all(any(fits(number, role) for number in usable) for role in Role)
        return any(fits(number, *Role) for number in usable)

    def _usable(self, use: NumberUse) -> list[Number]:
        found = [number for number in self.numbers.values() if (number.state, number.use) == (NumberState.ACTIVE, use)]
        return [number.number for number in found]

    def _is_held(self, number: Number, now: float, own: str) -> bool:
        return any(
            at == number and holder.held_until > now and holder.session_id != own
            for (_, at), holder in self.claims.items()
        )


def _pair(session: Session) -> set[Number | None]:
    return {session.first_party, session.second_party}


def _cooloff(session: Session, key: Key, role: Role) -> int:
    options = session.options
    if key == ANYONE:
        return max(options.first_party_cooloff, options.second_party_cooloff)
    return options.first_party_cooloff if role is Role.FIRST else options.second_party_cooloff


class StoreHistories(RuleBasedStateMachine):
    @initialize()
    def open_both(self) -> None:
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self.stores: list[Store] = [MemoryStore(), self.database()]
        self.now = T0
        self.model = Model()
        self.made = 0
        self.in_call: list[tuple[str, str]] = []
        self.calls = 0

        async def fill(store: Store) -> None:
            await store.open()
            await store.add_account(ACCOUNT)
            for number in NUMBERS:
                await store.add_number(virtual_number(number), T0)

        self.both(fill)

    def database(self) -> Store:
        return SqliteStore(Path(self.folder.name) / "m.db", Sealer(bytes(KEY_BYTES)))

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.both(lambda store: store.close())
            self.runner.close()
            self.folder.cleanup()

    def both(self, ask: Callable[[Store], Awaitable[Any]]) -> Any:
        """Ask both stores; their answers or errors must be the same."""

        async def answer(store: Store) -> Any:
            try:
                return await ask(store)
            except MasklineError as error:
                return (type(error), error.sentence)

        memory, database = (self.runner.run(answer(store)) for store in self.stores)
        assert memory == database
        return memory

    async def facts(self, store: Store) -> list[Fact]:
        # Positions may have gaps (a repeated commit leaves one), the order may not differ.
        return [fact for _, fact in await store.facts_since(0, 9999)]

    def some(self, index: int) -> str:
        known = list(self.model.sessions)
        return known[index % len(known)] if known else "nothing"

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    # -- sessions --------------------------------------------------------------------------------------------------
    def create(self, first: Number | None, second: Number | None, options: SessionOptions, **changes: Any) -> None:
        self.made += 1
        new = new_session(
            f"s{self.made}", first_party=first, second_party=second, options=options, created_at=self.now,
            pin_candidates=PINS, **changes,
        )  # fmt: skip
        answer = self.both(lambda store: store.create_session(new))
        if isinstance(answer, Session):
            self.model.created(answer)
        elif answer[0] is PoolExhausted:
            assert not self.model.has_number(new), "a number was free"

    @rule(first=PARTY, second=PARTY, modes=MODES, expiry=SECONDS, cool_offs=st.tuples(SECONDS, SECONDS))
    def create_for_two(
        self, first: Number, second: Number, modes: tuple[PoolMode, ...], expiry: int, cool_offs: tuple[int, int]
    ) -> None:
        self.create(first, second, _options(expiry, cool_offs), modes=modes)

    @rule(first=PARTY, second=PARTY, modes=MODES, expiry=SECONDS, pin=st.sampled_from(["", "7", "8"]))
    def create_with_pins(
        self, first: Number, second: Number, modes: tuple[PoolMode, ...], expiry: int, pin: str
    ) -> None:
        options = replace(_options(expiry, (0, 30)), is_pin_authentication_required=True)
        self.create(first, second, options, modes=modes, first_party_pin=pin)

    @rule(party=PARTY, second=st.booleans(), expiry=SECONDS, cool_offs=st.tuples(SECONDS, SECONDS), pin=st.booleans())
    def create_for_one(self, party: Number, second: bool, expiry: int, cool_offs: tuple[int, int], pin: bool) -> None:
        options = replace(
            _options(expiry, cool_offs), create_session_with_single_party=True, is_pin_authentication_required=pin
        )
        self.create(*((None, party) if second else (party, None)), options)

    @rule(index=INDEX, expiry=SECONDS)
    def update(self, index: int, expiry: int) -> None:
        session = self.model.sessions.get(self.some(index))
        if session is not None:
            options = replace(session.options, session_expiry=expiry)
            self.change(session, options=options, expires_at=self.now + 1 + expiry)

    @rule(index=INDEX, first=PARTY, second=PARTY)
    def update_parties(self, index: int, first: Number, second: Number) -> None:
        session = self.model.sessions.get(self.some(index))
        if session is not None and first != second:
            self.change(session, first_party=first, second_party=second)

    @rule(index=INDEX, party=PARTY)
    def update_one_party(self, index: int, party: Number) -> None:
        session = self.model.sessions.get(self.some(index))
        if session is not None and party != session.first_party:
            self.change(session, second_party=party)

    def change(self, session: Session, **values: Any) -> None:
        self.now += 1  # claims that are released at one moment are those of two people who were a pair
        fields = {"options": session.options, "expires_at": session.expires_at, "now": self.now, "changed": (*values,),
                  "first_party": session.first_party, "second_party": session.second_party}  # fmt: skip
        change = SessionChange(**{**fields, **values})
        answer = self.both(lambda store: store.update_session(ACCOUNT.id, session.id, change))
        if isinstance(answer, Session):
            self.model.changed(answer, self.now)
        elif answer[0] is InvalidParameter:
            wanted = claims_of(session.changed(change))
            held = [c for c in wanted if not self.model.is_free(c.key, c.virtual_number, self.now, session.id)]
            assert held, "the new party's pair was free"

    @rule(index=INDEX, by_request=st.booleans())
    def end(self, index: int, by_request: bool) -> None:
        session = self.model.sessions.get(self.some(index))
        if not by_request and session is not None and session.is_live(self.now):
            return
        self.finish(self.some(index), by_request)

    @rule()
    def sweep(self) -> None:
        async def due(store: Store) -> list[Session]:
            # Which of one second comes first is the index's choice (queries.sql).
            return sorted(await store.sessions_due(self.now, 100), key=lambda one: (one.expires_at, one.id))

        for session in self.both(due):
            self.finish(session.id, by_request=False)

    def finish(self, session_id: str, by_request: bool) -> None:
        self.now += 1  # not at the moment of a change, for the reason that `change` gives
        answer = self.both(
            lambda store: store.end_session(ACCOUNT.id, session_id, now=self.now, by_request=by_request, outbox=())
        )
        if isinstance(answer, Session):
            self.model.ended(answer)

    # -- numbers ---------------------------------------------------------------------------------------------------
    @rule(
        number=NUMBER, state=st.sampled_from([NumberState.ACTIVE, NumberState.ACTIVE, NumberState.RESTING]),
        use=st.sampled_from([NumberUse.SHARED, NumberUse.SHARED, NumberUse.PIN]),
    )  # fmt: skip
    def change_number(self, number: Number, state: NumberState, use: NumberUse) -> None:
        changed: VirtualNumber = virtual_number(number, state=state, use=use)
        self.both(lambda store: store.update_number(changed, self.now))
        self.model.numbers[number] = changed

    @rule(index=INDEX)
    def replace_numbers(self, index: int) -> None:
        session = self.model.sessions.get(self.some(index))
        if session is None:
            return
        self.now += 1
        answer = self.both(
            lambda store: store.replace_numbers(ACCOUNT.id, session.id, now=self.now, outbox=lambda _: ())
        )
        if all(self.model.numbers[number].state is NumberState.ACTIVE for number in session.numbers):
            assert not isinstance(answer, Session) or answer.modified_at == session.modified_at
        elif isinstance(answer, Session):
            assert all(self.model.numbers[number].state is NumberState.ACTIVE for number in answer.numbers)
            self.model.changed(answer, self.now)
        elif answer[0] is PoolExhausted:
            asked = NewSession(
                session.id, ACCOUNT.id, None, session.first_party, session.second_party, session.options, self.now,
                modes=(session.pool_mode,), first_party_pin=session.first_party_pin,
                second_party_pin=session.second_party_pin,
            )  # fmt: skip
            assert not self.model.has_number(asked, own=session.id), "a number was free"

    @rule(seconds=st.sampled_from([0, 60, 600]))
    def forget(self, seconds: int) -> None:
        before = self.now - seconds

        async def forget_all(store: Store) -> None:
            while await store.forget(before, self.now, 3) == 3:
                pass

        self.both(forget_all)
        kept = self.both(lambda store: store.sessions(ACCOUNT.id, SessionFilter(), limit=999, offset=0, wall=self.now))
        left = {session.id for session in kept[0]}
        for session in [*self.model.sessions.values()]:
            if session.id not in left:
                assert session.ended_at is not None and session.ended_at < before
                del self.model.sessions[session.id]

    # -- calls -----------------------------------------------------------------------------------------------------
    @rule(caller=PARTY, number=NUMBER)
    def call(self, caller: Number, number: Number) -> None:
        found = self.both(lambda store: store.session_for_call(caller, number))
        assert self.model.named_by(party_key(caller), number) == (found.id if found else None)
        if found is None or not found.is_live(self.now):
            return
        self.calls += 1
        self.in_call.append((f"call-{self.calls}", found.id))
        share = recorded_call(
            f"call-{self.calls}", facts=call_facts(f"call-{self.calls}")[:2], outbox=(), record=None, interaction=None,
            session_id=found.id, calls_in_progress_delta=1,
        )  # fmt: skip
        self.both(lambda store: store.commit_calls([share]))

    @rule(number=NUMBER)
    def call_with_every_pin_and_with_nothing(self, number: Number) -> None:
        pins = [key.text for key, at in self.model.claims if at == number and key.kind is KeyKind.PIN]
        for pin in pins:
            found = self.both(lambda store, pin=pin: store.session_for_pin(pin, number))  # type: ignore[misc]
            assert self.model.named_by(pin_key(pin), number) == (found.id if found else None)
        found = self.both(lambda store: store.open_session(number))
        assert self.model.named_by(ANYONE, number) == (found.id if found else None)
        self.both(lambda store: store.sessions_on(number, now=self.now, limit=9))
        asked = self.both(lambda store: store.pin_session(number, self.now))
        live = [s for s in self.model.sessions.values() if s.is_live(self.now)]
        ends = [s.expires_at for s in live if any(c.key.kind is KeyKind.PIN and c[1] == number for c in claims_of(s))]
        assert (asked.expires_at if asked else None) == max(ends, default=None)

    @rule(again=st.booleans())
    def hang_up(self, again: bool) -> None:
        if not self.in_call:
            return
        call_id, session_id = self.in_call.pop(0)
        done = interaction(call_id, started_at=self.now, ended_at=self.now + 1)
        share = recorded_call(
            call_id, facts=call_facts(call_id)[2:], session_id=session_id, interaction=done, calls_in_progress_delta=-1
        )  # fmt: skip
        for _ in range(1 + again):
            self.both(lambda store: store.commit_calls([share]))

    @invariant()
    def both_hold_the_same_sessions(self) -> None:
        if hasattr(self, "stores"):
            self.both(lambda store: store.sessions(ACCOUNT.id, SessionFilter(), limit=999, offset=0, wall=self.now))
            self.both(self.facts)
            self.both(lambda store: store.counts())


def _options(expiry: int, cool_offs: tuple[int, int]) -> SessionOptions:
    return SessionOptions(
        session_expiry=expiry + 1, first_party_cooloff=cool_offs[0], second_party_cooloff=cool_offs[1]
    )


TestStoreHistories = StoreHistories.TestCase
TestStoreHistories.settings = settings(
    max_examples=25,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # Each step writes to a disk: shrinking a failure takes minutes, and the history of 40 steps can be read as it is.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)


class StoreHistoriesOnPostgresql(StoreHistories):
    def database(self) -> Store:
        return postgres_store()


TestStoreHistoriesOnPostgresql = StoreHistoriesOnPostgresql.TestCase
# Each step is some ways to a server and back; what it is asked is the same.
TestStoreHistoriesOnPostgresql.settings = settings(TestStoreHistories.settings, max_examples=5)
