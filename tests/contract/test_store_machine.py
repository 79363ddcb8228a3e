"""SQLite and memory side by side through random histories: they agree, and no caller ever reaches a stranger.

The no-stranger rule is judged by a third opinion: the intervals over which each pair was held, computed here
from the sessions the stores handed out.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from maskline.errors import MasklineError
from maskline.masking.e164 import Number
from maskline.masking.facts import Fact
from maskline.masking.session import Session, SessionChange, SessionOptions
from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.memory import MemoryStore
from maskline.storage.sqlite import SqliteStore
from maskline.storage.store import SessionFilter, Store
from tests.support.store_values import ACCOUNT, T0, call_facts, interaction, new_session, recorded_call, virtual_number

PARTIES = [Number(f"65812345{i:02}") for i in range(5)]
NUMBERS = [Number(f"65310000{i:02}") for i in range(4)]
PARTY, NUMBER = st.sampled_from(PARTIES), st.sampled_from(NUMBERS)
SECONDS = st.sampled_from([0, 1, 30, 60, 61, 600])


class StoreHistories(RuleBasedStateMachine):
    @initialize()
    def open_both(self) -> None:
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        sqlite = SqliteStore(Path(self.folder.name) / "m.db", Sealer(bytes(KEY_BYTES)))
        self.stores: list[Store] = [MemoryStore(), sqlite]
        self.now = T0
        self.sessions: dict[str, Session] = {}
        self.in_call: list[tuple[str, str]] = []
        self.calls = 0

        async def fill(store: Store) -> None:
            await store.open()
            await store.add_account(ACCOUNT)
            for number in NUMBERS:
                await store.add_number(virtual_number(number), T0)

        self.both(fill)

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

        memory, sqlite = (self.runner.run(answer(store)) for store in self.stores)
        assert memory == sqlite
        return memory

    def keep(self, answer: Any) -> None:
        if isinstance(answer, Session):
            self.sessions[answer.id] = answer

    async def facts(self, store: Store) -> list[Fact]:
        # Positions may have gaps (a repeated commit leaves one), the order may not differ.
        return [fact for _, fact in await store.facts_since(0, 9999)]

    def some(self, index: int) -> str:
        return list(self.sessions)[index % len(self.sessions)] if self.sessions else "nothing"

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule(first=PARTY, second=PARTY, expiry=SECONDS, cool_off=SECONDS)
    def create(self, first: Number, second: Number, expiry: int, cool_off: int) -> None:
        options = SessionOptions(session_expiry=expiry + 1, first_party_cooloff=cool_off, second_party_cooloff=cool_off)
        new = new_session(
            f"s{len(self.sessions)}", first_party=first, second_party=second, options=options, created_at=self.now
        )
        self.keep(self.both(lambda store: store.create_session(new)))

    @rule(index=st.integers(0, 99), expiry=SECONDS)
    def update(self, index: int, expiry: int) -> None:
        session = self.sessions.get(self.some(index))
        if session is None:
            return
        change = SessionChange(
            replace(session.options, session_expiry=expiry), self.now + expiry, self.now, ("session_expiry",),
            session.first_party, session.second_party,
        )  # fmt: skip
        self.keep(self.both(lambda store: store.update_session(ACCOUNT.id, session.id, change)))

    @rule(index=st.integers(0, 99), by_request=st.booleans())
    def end(self, index: int, by_request: bool) -> None:
        session_id = self.some(index)
        if not by_request and session_id in self.sessions and self.sessions[session_id].is_live(self.now):
            return
        self.keep(
            self.both(
                lambda store: store.end_session(ACCOUNT.id, session_id, now=self.now, by_request=by_request, outbox=())
            )
        )

    @rule()
    def sweep(self) -> None:
        for session in self.both(lambda store: store.sessions_due(self.now, 100)):
            self.keep(
                self.both(
                    lambda store, session_id=session.id: store.end_session(  # type: ignore[misc]
                        ACCOUNT.id, session_id, now=self.now, by_request=False, outbox=()
                    )
                )
            )

    @rule(caller=PARTY, number=NUMBER)
    def call(self, caller: Number, number: Number) -> None:
        found = self.both(lambda store: store.session_for_call(caller, number))
        live = [
            session for session in self.sessions.values()
            if session.is_live(self.now) and session.virtual_number == number and session.role_of(caller)
        ]  # fmt: skip
        assert len(live) <= 1
        if live:
            assert found.id == live[0].id
        if found is None or not found.is_live(self.now):
            return
        self.calls += 1
        self.in_call.append((f"call-{self.calls}", found.id))
        share = recorded_call(
            f"call-{self.calls}", facts=call_facts(f"call-{self.calls}")[:2], outbox=(), record=None, interaction=None,
            session_id=found.id, calls_in_progress_delta=1,
        )  # fmt: skip
        self.both(lambda store: store.commit_calls([share]))

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

    @invariant()
    def no_pair_was_ever_held_by_two_sessions_at_once(self) -> None:
        held: dict[tuple[Number | None, Number], list[tuple[float, float, float, set[Number | None]]]] = {}
        for session in getattr(self, "sessions", {}).values():
            until = session.expires_at + session.options.first_party_cooloff
            pair = {session.first_party, session.second_party}
            for party in pair:
                times = (session.created_at, session.expires_at, until)
                held.setdefault((party, session.virtual_number), []).append((*times, pair))
        for intervals in held.values():
            intervals.sort(key=lambda interval: interval[:3])
            for (_, live, until, pair), (start, _, _, other) in pairwise(intervals):
                # Only the same two people may take over what is in quarantine.
                assert (live if pair == other else until) <= start


TestStoreHistories = StoreHistories.TestCase
TestStoreHistories.settings = settings(
    max_examples=25,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # Each step writes to a disk: shrinking a failure takes minutes, and the history of 40 steps can be read as it is.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
