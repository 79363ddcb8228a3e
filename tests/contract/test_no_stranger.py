"""No caller ever reaches a stranger: sessions and calls in random order, on both databases, by the product's workflows.

The judge is a diary of its own: what the API told its customers (who may reach whom through which number, from when to
when), kept here from the returned sessions alone. It knows nothing of claims, indexes or allocation.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from maskline.clock import VirtualClock
from maskline.errors import Conflict, InvalidParameter, PoolExhausted, SessionEnded
from maskline.ids import SeededIds
from maskline.masking.decision import AskPin, Forward, MatchedBy, NumberState, NumberUse, Refuse, WrongPin
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause
from maskline.masking.pin import PinLimits
from maskline.masking.policy import AccountPolicy
from maskline.masking.session import PoolMode, Role, Session, SessionChange, SessionOptions
from maskline.masking.trunk import Trunk
from maskline.masking.verify import Certificate
from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.sqlite import SqliteStore
from maskline.storage.store import Account, Store
from maskline.workflows.add_number import add_number
from maskline.workflows.create_session import CreateSession, SessionWish
from maskline.workflows.expire_sessions import ExpireSessions
from maskline.workflows.route_call import RouteCall
from maskline.workflows.scope import Scope
from maskline.workflows.verify_pool import verify_pool
from tests.support.postgres_server import postgres_store
from tests.support.store_values import ACCOUNT, OTHER, virtual_number

T = TypeVar("T")
PEOPLE = [Number(f"65812345{i:02}") for i in range(5)]
NUMBERS = [Number(f"65310000{i:02}") for i in range(5)]
FALLBACK = Number("6560000000")
FOR_PINS = NUMBERS[-1]
NEW_NUMBERS = [PEOPLE[-1], FALLBACK, Number("6581234599")]
"""People and others whose telephone an operator enters as a virtual number."""
PERSON, NUMBER = st.sampled_from(PEOPLE), st.sampled_from(NUMBERS)
SECONDS = st.sampled_from([0, 1, 59, 60, 61, 600])
MODES = st.sampled_from([
    (PoolMode.SHARED,), (PoolMode.SPLIT,), (PoolMode.SHARED, PoolMode.SPLIT),
    (PoolMode.SPLIT, PoolMode.PIN), (PoolMode.SHARED, PoolMode.SPLIT, PoolMode.PIN),
])  # fmt: skip
TRUNK = Trunk("trunk-1", "carrier", None, "192.0.2.1", 5060)
SCOPE = Scope(ACCOUNT.id)
LIMITS = PinLimits(caller=1_000_000, number=1_000_000)
"""Here guessers may try as often as they like: what is judged is where a right PIN leads."""


class NoStranger(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        # In memory where there is such a place: what is judged here is not the disk.
        self.folder = tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None)
        self.clock, ids = VirtualClock(), SeededIds(1)
        self.store = self.database()
        self.create_session = CreateSession(self.store, self.clock, ids)
        self.sweep = ExpireSessions(self.store, self.clock, ids)
        self.route_call = RouteCall(self.store, self.clock, limits=LIMITS)
        self.told: dict[str, Session] = {}
        """Each session as its customer was told of it last."""
        self.were_parties: set[Number | None] = set()
        """Of sessions that are over too, or have others by now: a claim outlasts both."""
        self.ours = set(NUMBERS)
        self.run(self._fill())

    def database(self) -> Store:
        return SqliteStore(Path(self.folder.name) / "m.db", Sealer(bytes(KEY_BYTES)))

    async def _fill(self) -> None:
        await self.store.open()
        await self.store.add_account(ACCOUNT)
        await self.store.add_account(OTHER)
        await self.store.add_trunk(TRUNK, 0.0)
        for number in NUMBERS:
            use = NumberUse.PIN if number == FOR_PINS else NumberUse.SHARED
            fallback = FALLBACK if number == NUMBERS[0] else None
            await self.store.add_number(virtual_number(number, use=use, fallback=fallback), 0.0)

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            certificate = self.run(verify_pool(self.store))
            self.run(self.store.close())
            self.runner.close()
            self.folder.cleanup()
            # The second judge: the log alone, by the rules of the replay.
            assert isinstance(certificate, Certificate), certificate

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @property
    def now(self) -> float:
        return self.clock.wall()

    def is_live(self, session: Session) -> bool:
        return session.ended_at is None and self.now < session.expires_at

    def live(self) -> list[Session]:
        return [session for session in self.told.values() if self.is_live(session)]

    def of_caller(self, caller: Number, dialled: Number) -> list[tuple[Session, Role]]:
        """Live sessions whose customer was told that this caller reaches the other party by this number."""
        return [
            (session, role)
            for session in self.live()
            for role in Role
            if session.party(role) == caller and session.number_of(role) == dialled
            and session.pool_mode is not PoolMode.PIN
        ]  # fmt: skip

    def some(self, index: int) -> Session | None:
        return list(self.told.values())[index % len(self.told)] if self.told else None

    # -- what customers and operators do -------------------------------------------------------------------------
    @rule(seconds=SECONDS)
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule(modes=MODES, first=SECONDS, second=SECONDS)
    def set_policy(self, modes: tuple[PoolMode, ...], first: int, second: int) -> None:
        self.run(self.store.update_account(replace(ACCOUNT, policy=AccountPolicy(modes, first, second))))

    @rule(first=PERSON, second=PERSON, expiry=SECONDS, pins=st.booleans(), forced=st.booleans())
    def create(self, first: Number, second: Number, expiry: int, pins: bool, forced: bool) -> None:
        options = SessionOptions(
            session_expiry=expiry + 1, is_pin_authentication_required=pins, generate_pin=pins,
            force_pin_authentication=pins and forced,
        )  # fmt: skip
        self._create(SessionWish(first, second, options))

    @rule(known=PERSON, missing=st.sampled_from(list(Role)), expiry=SECONDS, pins=st.booleans())
    def create_for_one(self, known: Number, missing: Role, expiry: int, pins: bool) -> None:
        options = SessionOptions(
            session_expiry=expiry + 1, create_session_with_single_party=True, is_pin_authentication_required=pins,
            generate_pin=pins,
        )  # fmt: skip
        first, second = (None, known) if missing is Role.FIRST else (known, None)
        self._create(SessionWish(first, second, options))

    def _create(self, wish: SessionWish) -> None:
        try:
            session = self.run(self.create_session(SCOPE, wish))
        except (PoolExhausted, InvalidParameter):
            return
        self._keep(session)

    def _keep(self, session: Session) -> None:
        """Nobody else may have been told of the same caller and number, now or within their cool-off."""
        for other in self.told.values():
            if other.id != session.id:
                self._check_apart(session, other)
        self.told[session.id] = session
        self.were_parties |= {session.first_party, session.second_party}

    def _check_apart(self, session: Session, other: Session) -> None:
        same_pair = {other.first_party, other.second_party} == {session.first_party, session.second_party}
        for role in Role:
            for theirs in Role:
                if not _meet(session, role, other, theirs):
                    continue
                held_until = other.expires_at + (0 if same_pair else other.options.cooloff(theirs))
                assert held_until <= session.created_at or held_until <= self.now, "a number was given twice"

    @rule(index=st.integers(0, 99), expiry=SECONDS, first=st.none() | PERSON, second=st.none() | PERSON)
    def update(self, index: int, expiry: int, first: Number | None, second: Number | None) -> None:
        session = self.some(index)
        if session is None:
            return
        alone = session.options.create_session_with_single_party
        change = SessionChange(
            replace(session.options, session_expiry=expiry + 1), self.now + expiry + 1, self.now, ("session_expiry",),
            (first if alone and first else session.first_party), (second if alone and second else session.second_party),
        )  # fmt: skip
        if change.first_party == change.second_party:
            return
        try:
            self._keep(self.run(self.store.update_session(ACCOUNT.id, session.id, change)))
        except (SessionEnded, InvalidParameter):
            return

    @rule(index=st.integers(0, 99))
    def expire(self, index: int) -> None:
        session = self.some(index)
        if session is not None and self.is_live(session):
            ended = self.store.end_session(ACCOUNT.id, session.id, now=self.now, by_request=True, outbox=())
            self.told[session.id] = self.run(ended)

    @rule()
    def sweeper_comes_by(self) -> None:
        self.run(self.sweep())

    @rule(number=NUMBER)
    def number_is_replaced(self, number: Number) -> None:
        stored = self.run(self.store.number(number))
        assert stored is not None
        self.run(self.store.update_number(replace(stored, state=NumberState.RESTING), self.now))
        for session in self.live():
            if number in (session.virtual_number, session.second_virtual_number):
                replaced = self.store.replace_numbers(ACCOUNT.id, session.id, now=self.now, outbox=lambda _: ())
                try:
                    self._keep(self.run(replaced))
                except PoolExhausted:
                    continue

    @rule(number=NUMBER)
    def number_is_active_again(self, number: Number) -> None:
        stored = self.run(self.store.number(number))
        assert stored is not None
        self.run(self.store.update_number(replace(stored, state=NumberState.ACTIVE), self.now))

    @rule(number=st.sampled_from(NEW_NUMBERS), owner=st.sampled_from([ACCOUNT, OTHER]))
    def a_telephone_is_added_as_virtual_number(self, number: Number, owner: Account) -> None:
        try:
            self.run(add_number(self.store, self.clock, number.e164, owner.id))
        except Conflict:
            assert number in {FALLBACK, *self.ours, *self.were_parties}
            return
        assert number != FALLBACK
        assert all(number not in (s.first_party, s.second_party) for s in self.live())
        self.ours.add(number)

    # -- what callers do -----------------------------------------------------------------------------------------
    @rule(ours=st.integers(0, 99), dialled=NUMBER)
    def a_leg_comes_back(self, ours: int, dialled: Number) -> None:
        caller = sorted(self.ours, key=lambda number: number.digits)[ours % len(self.ours)]
        decision = self.run(self.route_call.route(caller, dialled, TRUNK, self.now))
        assert isinstance(decision, Refuse) and decision.cause is Cause.LOOP

    @rule(caller=st.none() | PERSON, dialled=NUMBER)
    def call(self, caller: Number | None, dialled: Number) -> None:
        decision = self.run(self.route_call.route(caller, dialled, TRUNK, self.now))
        if caller in self.ours:
            assert isinstance(decision, Refuse) and decision.cause is Cause.LOOP
            return
        meant = [] if caller is None else self.of_caller(caller, dialled)
        assert len(meant) <= 1, "two sessions for one caller and number"
        if isinstance(decision, Forward):
            self._check_forward(decision, caller, dialled, meant)
        elif isinstance(decision, AskPin):
            self._check_asked(decision, dialled, meant)
        else:
            self._check_refusal(decision, meant)

    @rule(
        caller=st.none() | PERSON, index=st.integers(0, 99), of=st.sampled_from(list(Role)),
        elsewhere=st.none() | NUMBER, later=st.sampled_from([0, 0, 0, 59]),
    )  # fmt: skip
    def call_with_a_pin(
        self, caller: Number | None, index: int, of: Role, elsewhere: Number | None, later: int
    ) -> None:
        """Somebody's PIN, from whatever telephone, to its number or another; perhaps some time after it was asked."""
        with_pins = [session for session in self.told.values() if session.pin(of)]
        if not with_pins:
            return
        # The latest, because they are the most likely to be live.
        told = with_pins[-1 - index % min(3, len(with_pins))]
        dialled = elsewhere or told.number_of(of)
        asked = self.run(self.route_call.route(caller, dialled, TRUNK, self.now))
        if not isinstance(asked, AskPin):
            return
        self.clock.advance(later)
        pin = told.pin(of)
        found = self.run(self.route_call.check_pin(asked, caller, pin, self.now))
        if asked.session is not None:
            assert caller is not None
            holders = [(s, r) for s in self.told.values() for r in Role if s.id == asked.session.id]
            holders = [(s, r) for s, r in holders if s.party(r) == caller and s.pin(r) == pin]
        else:
            sessions = self.told.values()
            holders = [(s, r) for s in sessions for r in Role if s.pin(r) == pin and s.number_of(r) == dialled]
        live = [(session, role) for session, role in holders if self.is_live(session)]
        if isinstance(found, Forward):
            self._check_by_pin(found, caller, live)
        else:
            self._check_no_way_by_pin(found, live)

    def _check_by_pin(self, found: Forward, caller: Number | None, live: list[tuple[Session, Role]]) -> None:
        ((session, role),) = live
        assert found.session is not None and found.session.id == session.id
        assert (found.caller_role, found.matched_by) == (role, MatchedBy.PIN)
        assert found.shown == session.number_of(role.other)
        assert found.callee == session.party(role.other), "a stranger"
        assert found.callee != caller and found.callee not in self.ours

    def _check_no_way_by_pin(self, found: Refuse | WrongPin, live: list[tuple[Session, Role]]) -> None:
        """Who has a live session's PIN is not told that it is wrong, and gets through unless nobody is to be had."""
        if isinstance(found, WrongPin):
            assert (live, found.locked) == ([], False)
        elif live:
            assert found.cause in (Cause.NO_OTHER_PARTY, Cause.LOOP)
        else:
            assert found.cause is Cause.SESSION_EXPIRED

    def _check_asked(self, asked: AskPin, dialled: Number, meant: list[tuple[Session, Role]]) -> None:
        """Only a number with PINs asks, and who is known by number only where its session insists."""
        assert asked.prompted_by is not None
        prompting = self.told[asked.prompted_by.id]
        assert self.is_live(prompting) and dialled in prompting.numbers
        if meant:
            assert [session.id for session, _ in meant] == [prompting.id]
            assert asked.session is not None and prompting.options.force_pin_authentication
        else:
            assert asked.session is None
            holders = [s for s in self.live() for role in Role if s.pin(role) and s.number_of(role) == dialled]
            assert prompting.id in {session.id for session in holders}

    def _check_forward(
        self, decision: Forward, caller: Number | None, dialled: Number, meant: list[tuple[Session, Role]]
    ) -> None:
        assert decision.shown in self.ours
        assert decision.callee not in self.ours, "a call that comes back to us"
        if decision.matched_by is MatchedBy.FALLBACK:
            assert not meant
            assert decision.callee == FALLBACK
            return
        assert decision.session is not None
        told = self.told[decision.session.id]
        assert self.is_live(told), "a call into a session that is over"
        role = decision.caller_role
        assert role is not None
        assert decision.shown == told.number_of(role.other)
        if decision.matched_by is MatchedBy.PARTY:
            assert meant == [(told, role)]
            assert not told.options.force_pin_authentication
            assert decision.callee == told.party(role.other), "a stranger"
        else:
            assert decision.matched_by is MatchedBy.OPEN
            assert not meant
            assert told.missing is role
            assert told.virtual_number == dialled
            assert decision.callee == told.party(role.other)
            assert decision.callee != caller

    def _check_refusal(self, decision: Refuse, meant: list[tuple[Session, Role]]) -> None:
        """Who was told that the call works is not turned away, unless the other side is not known yet."""
        for session, role in meant:
            if decision.cause is Cause.LOOP:
                assert session.party(role.other) in self.ours
                continue
            assert session.missing is not None
            assert decision.cause is Cause.NO_OTHER_PARTY

    # -- always --------------------------------------------------------------------------------------------------
    @invariant()
    def every_pin_is_of_one_live_session_on_its_number(self) -> None:
        if not hasattr(self, "told"):
            return
        pins = [
            (session.number_of(role), session.pin(role))
            for session in self.live()
            for role in Role
            if session.pin(role)
        ]
        assert len(pins) == len(set(pins))

    @invariant()
    def an_open_number_is_of_one_live_session(self) -> None:
        if not hasattr(self, "told"):
            return
        opened = [s for s in self.live() if s.pool_mode is PoolMode.OPEN and s.missing is not None]
        for session in opened:
            on_it = [s for s in self.live() if session.virtual_number in (s.virtual_number, s.second_virtual_number)]
            assert on_it == [session]


def _meet(one: Session, role: Role, other: Session, theirs: Role) -> bool:
    """Whether the same caller would dial the same number for both."""
    if PoolMode.PIN in (one.pool_mode, other.pool_mode) or one.party(role) is None:
        return False
    return one.party(role) == other.party(theirs) and one.number_of(role) == other.number_of(theirs)


TestNoStranger = NoStranger.TestCase
TestNoStranger.settings = settings(
    max_examples=40, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)


class NoStrangerOnPostgresql(NoStranger):
    def database(self) -> Store:
        return postgres_store()


TestNoStrangerOnPostgresql = NoStrangerOnPostgresql.TestCase
# Each step is some ways to a server and back; what it is asked is the same.
TestNoStrangerOnPostgresql.settings = settings(TestNoStranger.settings, max_examples=5)
