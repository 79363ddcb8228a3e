"""The store in memory: the same protocol on dictionaries, for tests, simulations and the lab.

What it is: part of the test kit, held to the same contract suite as SQLite. No method ever suspends, so each
is atomic by itself. What it is not: durable, sealed, or shared between processes. Who uses it: tests, ours and
users'; `open_store` never returns it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice, takewhile
from typing import Any

from maskline.errors import Conflict, NotFound, SessionEnded
from maskline.masking import pool
from maskline.masking.call_record import CallParties, CallRecord
from maskline.masking.claims import (
    ANYONE,
    FORGET_AFTER,
    ClaimChanges,
    Held,
    Hold,
    Key,
    claim_changes,
    claim_lost,
    claim_notes,
    claims_of,
    party_key,
    pin_key,
)
from maskline.masking.decision import NumberState, VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.facts import (
    CallEnded,
    CallRequested,
    ClaimNote,
    Fact,
    SessionCreated,
    SessionExpired,
    SessionUpdated,
    VirtualNumberReplaced,
)
from maskline.masking.match import Entries
from maskline.masking.session import NewSession, Session, SessionChange
from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.filters import SessionFilter
from maskline.storage.memory_claims import Answers, MemoryClaims, with_pin
from maskline.storage.memory_filter import matches, with_call
from maskline.storage.memory_usages import MemoryShares
from maskline.storage.rows import hashed_parties
from maskline.storage.store import IS_PARTY, NO_CALL, OUTSIDE_CALLS, Once, OutboxRow, RecordedCall, SessionOutbox
from maskline.storage.topics import Told

_HASHES = Sealer(bytes(KEY_BYTES))
"""For the keys that facts name; nothing here is secret."""


class MemoryStore(MemoryShares):
    """See `maskline.storage.store.Store`."""

    def __init__(self) -> None:
        super().__init__()
        self._sessions: dict[str, Session] = {}
        self._claims = MemoryClaims()
        self._forgotten = 0
        """Position up to which `forget` has looked at facts."""

    is_shared = False

    async def open(self) -> None:
        return None

    async def close(self) -> None:
        return None

    def on_told(self, hear: Callable[[Told], None]) -> None:
        """Nobody: no other process has this store."""

    # -- numbers -----------------------------------------------------------------------------------------------
    async def add_number(self, number: VirtualNumber, now: float, *, outbox: Sequence[OutboxRow] = ()) -> None:
        if number.number not in self._numbers and self._is_party(number.number, now):
            raise Conflict(IS_PARTY)
        await super().add_number(number, now, outbox=outbox)

    def _is_party(self, number: Number, now: float) -> bool:
        # A session that callers enter by PIN has no claims of its parties.
        return any(held.held_until > now for held in self._claims.of_keys((party_key(number),))) or any(
            session.role_of(number) is not None and session.is_live(now) for session in self._sessions.values()
        )

    # -- sessions ----------------------------------------------------------------------------------------------
    async def create_session(
        self, new: NewSession, *, once: Once | None = None, outbox: SessionOutbox | None = None
    ) -> Session:
        await self._check_owner(new.account_id, new.subaccount_id)
        earlier = self._sessions.get(self._repeated(once, new.created_at) or "")
        if once is not None and earlier is not None and (not once.live_only or earlier.is_live(new.created_at)):
            return earlier
        allocation = pool.drive(pool.allocate(new), Answers(self._claims, self._in_order(), new.created_at))
        if new.id in self._sessions:
            raise Conflict("This session exists already.")
        session = pool.session_of(new, allocation)
        taken = claim_changes(None, session, new.created_at).taken
        if self._claims.lost(session.id, taken, new.created_at, allocation.previous) is not None:
            raise Conflict("A claim was taken by another session.")
        self._claims.take(session.id, taken)
        self._sessions[new.id] = session
        mode = session.pool_mode.value
        self._add_fact(SessionCreated(new.id, 1, new.created_at, session.expires_at, _notes(taken), mode))
        self._requests.add(new.requested_call)
        self._remember(once, session.id, new.created_at)
        if outbox is not None:
            self._outbox.add(outbox(session))
        return session

    async def session(self, account_id: str, session_id: str) -> Session:
        session = self._sessions.get(session_id)
        if session is None or session.account_id != account_id:
            raise NotFound("There is no such session in this account.")
        return session

    async def sessions(
        self, account_id: str, wanted: SessionFilter, *, limit: int, offset: int, wall: float
    ) -> tuple[list[Session], int]:
        found = [s for s in self._sessions.values() if s.account_id == account_id and matches(s, wanted, wall)]
        found.sort(key=lambda session: (session.created_at, session.id), reverse=True)
        return found[offset : offset + limit], len(found)

    async def update_session(
        self, account_id: str, session_id: str, change: SessionChange, *,
        outbox: Sequence[OutboxRow] = (), once: Once | None = None,
    ) -> Session:  # fmt: skip
        old = await self.session(account_id, session_id)
        if self._repeated(once, change.now) is not None:
            return old
        if not old.is_live(change.now):
            raise SessionEnded
        session = old.changed(change)
        changes = self._change_claims(old, session, change.now)
        self._outbox.add(outbox)
        self._sessions[session_id] = session
        self._add_fact(
            SessionUpdated(
                session_id, self._next_sequence(session_id), change.now, session.expires_at,
                _notes((*changes.kept, *changes.taken)), change.changed, _notes(changes.released),
            )
        )  # fmt: skip
        self._remember(once, session_id, change.now)
        return session

    async def end_session(
        self, account_id: str, session_id: str, *, now: float, by_request: bool, outbox: Sequence[OutboxRow]
    ) -> Session:
        old = await self.session(account_id, session_id)
        if old.ended_at is not None or (by_request and not old.is_live(now)):
            raise SessionEnded
        self._outbox.add(outbox)
        session = self._sessions[session_id] = old.ended(now)
        kept = self._change_claims(old, session, now).kept
        for number in {claim.virtual_number for claim in claims_of(session)}:
            self._claims.forget(number, now - FORGET_AFTER)
        sequence = self._next_sequence(session_id)
        self._add_fact(SessionExpired(session_id, sequence, now, session.expires_at, _notes(kept), by_request))
        return session

    async def replace_numbers(self, account_id: str, session_id: str, *, now: float, outbox: SessionOutbox) -> Session:
        old = await self.session(account_id, session_id)
        if not old.is_live(now):
            raise SessionEnded
        known = (self._numbers.get(number) for number in old.numbers)
        if all(number is not None and number.state is NumberState.ACTIVE for number in known):
            return old
        answers = Answers(self._claims, self._in_order(), now)
        session = pool.moved(old, pool.drive(pool.reallocate(old, now), answers), now)
        self._outbox.add(outbox(session))
        changes = self._change_claims(old, session, now)
        self._sessions[session_id] = session
        self._add_fact(
            VirtualNumberReplaced(
                session_id, self._next_sequence(session_id), now, session.expires_at,
                _notes((*changes.kept, *changes.taken)), _notes(changes.released),
            )
        )  # fmt: skip
        return session

    def _change_claims(self, old: Session, session: Session, now: float) -> ClaimChanges:
        changes = claim_changes(old, session, now)
        lost = self._claims.lost(session.id, changes.taken, now, session.id)
        if lost is not None:
            raise claim_lost(lost)
        kept, released = self._claims.move(session.id, changes.kept), self._claims.move(session.id, changes.released)
        self._claims.take(session.id, changes.taken)
        return ClaimChanges(changes.taken, kept, released)

    async def sessions_on(self, number: Number, *, now: float, limit: int) -> list[Session]:
        ids = {held.session_id for held in self._claims.on(number) if min(held.live_until, held.held_until) > now}
        live = (session for i in ids if (session := self._sessions.get(i)))
        found = sorted(live, key=lambda session: (-session.expires_at, session.id))
        return [replace(session, interactions=()) for session in found[: max(limit, 0)]]

    async def sessions_due(self, wall: float, limit: int) -> list[Session]:
        due = [s for s in self._sessions.values() if s.ended_at is None and s.expires_at <= wall]
        return sorted(due, key=lambda session: (session.expires_at, session.id))[:limit]

    async def session_for_call(self, caller: Number, virtual_number: Number) -> Session | None:
        return self._session_of(party_key(caller), virtual_number)

    async def session_for_pin(self, pin: str, virtual_number: Number) -> Session | None:
        return self._session_of(pin_key(pin), virtual_number)

    async def open_session(self, virtual_number: Number) -> Session | None:
        return self._session_of(ANYONE, virtual_number)

    def _session_of(self, key: Key, virtual_number: Number) -> Session | None:
        held = self._claims.get(key, virtual_number)
        return self._holder(held)

    def _holder(self, held: Held | None) -> Session | None:
        session = self._sessions.get(held.session_id) if held else None
        return replace(session, interactions=()) if session else None

    async def pin_session(self, virtual_number: Number, now: float) -> Session | None:
        return self._holder(with_pin(self._claims.on(virtual_number), now))

    async def entries(self, virtual_number: Number) -> Entries:
        claims = self._claims
        return Entries(claims.longest_pin.get(virtual_number, 0), claims.exclusive_until.get(virtual_number, 0.0))

    async def last_outside_party(self, session: Session) -> Number | None:
        missing = session.missing
        if missing is None:
            return None
        calls = await self.calls(session.account_id, session_id=session.id, limit=OUTSIDE_CALLS)
        return next((party for call in calls if (party := call.party(missing)) is not None), None)

    async def forget(self, before: float, now: float, limit: int) -> int:
        done = self._forget_sessions(before, now, limit)
        done += self._forget_strays(before, limit - done)
        done += self._outbox.forget(before, limit - done)
        done += self._forget_recordings(before, limit - done)
        done += self._pins.forget(now, limit - done)
        return done + self._purge_once(now, limit - done)

    def _forget_sessions(self, before: float, now: float, limit: int) -> int:
        done = 0
        ended = [s for s in self._sessions.values() if s.ended_at is not None and not s.calls_in_progress]
        for session in sorted(ended, key=lambda session: session.ended_at or 0.0)[:limit]:
            if session.ended_at is None or session.ended_at >= before:
                break
            calls = [call.id for call in self._calls.values() if call.session_id == session.id][: limit - done]
            for call_id in calls:
                self._forget_subject(call_id)
            done += len(calls)
            if done >= limit:
                break
            self._claims.release(session.id, claims_of(session), now)
            self._forget_subject(session.id)
            del self._sessions[session.id]
            done += 1
        return done

    def _forget_subject(self, subject: str) -> None:
        self._calls.pop(subject, None)
        if self._facts_by_subject.pop(subject, None):
            self._facts = {position: fact for position, fact in self._facts.items() if fact.subject != subject}

    def _forget_strays(self, before: float, limit: int) -> int:
        later = islice(((p, fact) for p, fact in self._facts.items() if p > self._forgotten), limit)
        old = list(takewhile(lambda one: one[1].at < before, later))
        for position, fact in old:
            call = self._calls.get(fact.subject)
            session_id = call.session_id if call else fact.subject
            if session_id not in self._sessions:
                self._forget_subject(fact.subject)
            self._forgotten = position
        return len(old)

    async def reset_calls_in_progress(self) -> int:
        living = Counter([call.session_id for call in self._live.values()])
        stuck = [each for each in self._sessions.values() if each.calls_in_progress not in (0, living[each.id])]
        for session in stuck:
            self._sessions[session.id] = replace(session, calls_in_progress=living[session.id])
        return len(stuck)

    # -- calls ---------------------------------------------------------------------------------------------------
    async def commit_calls(self, calls: Sequence[RecordedCall]) -> list[str]:
        lost = {call.call_id for call in calls if self._is_lost(call.call_id, call.held)}
        self._commit([call for call in calls if call.call_id not in lost])
        return sorted(lost)

    def _commit(self, calls: Sequence[RecordedCall]) -> None:
        new = [call for call in calls if not (call.facts and self._has_fact(call.facts[0]))]
        # Before anything else, because it refuses ids that exist and a commit is all or nothing.
        self._outbox.add([row for call in new for row in call.outbox])
        for call in calls:
            for fact in call.facts:
                self._add_fact(fact)
                if isinstance(fact, CallRequested):
                    self._requests.finish(fact.session_id)
                    self._to_end |= self._flows.finish(fact.subject)
        for call in new:
            if call.live is not None:
                self._keep_live(call.live)
            if call.record is not None:
                self._calls.setdefault(call.record.id, call.record)
                self._drop_live(call.record.id)
            self._take_recording(call)
            if call.session_id in self._sessions:
                self._sessions[call.session_id] = with_call(self._sessions[call.session_id], call)

    async def ask_call_end(self, account_id: str, subaccount_id: str | None, call_id: str, *, now: float) -> bool:
        mine = [one.id for one in await self.accounts(account_id)]
        owners = (account_id, *mine) if subaccount_id is None else (subaccount_id,) if subaccount_id in mine else ()
        return self._ask_end(account_id, subaccount_id, call_id) or self._flows.ask_end(call_id, owners)

    async def calls_between(
        self, account_id: str, subaccount_id: str | None, *, since: float, until: float, after: tuple[float, str],
        limit: int,
    ) -> list[CallRecord]:  # fmt: skip
        wanted = [
            record
            for record in self._calls.values()
            if record.account_id == account_id and subaccount_id in (None, record.subaccount_id)
            and since <= record.started_at < until and (record.started_at, record.id) > after
        ]  # fmt: skip
        return sorted(wanted, key=lambda record: (record.started_at, record.id))[:limit]

    async def call(self, account_id: str, call_id: str) -> CallRecord:
        record = self._calls.get(call_id)
        if record is None or record.account_id != account_id:
            raise NotFound(NO_CALL)
        return record

    async def calls(self, account_id: str, *, session_id: str | None = None, limit: int = 20) -> list[CallRecord]:
        wanted = [
            record
            for record in self._calls.values()
            if record.account_id == account_id and session_id in (None, record.session_id)
        ]
        wanted.sort(key=lambda record: (record.started_at, record.id), reverse=True)
        return wanted[:limit]

    async def replay_since(self, cursor: int, limit: int) -> list[tuple[int, Fact, CallParties | None]]:
        return [(position, fact, self._parties(fact)) for position, fact in await self.facts_since(cursor, limit)]

    def _parties(self, fact: Fact) -> CallParties | None:
        record = self._calls.get(fact.subject) if isinstance(fact, CallEnded) else None
        return None if record is None else hashed_parties(record, _HASHES)

    async def counts(self) -> dict[str, Any]:
        return {
            "accounts": len(self._accounts), "numbers": len(self._numbers), "trunks": len(self._trunks),
            "endpoints": len(self._endpoints), "sessions": len(self._sessions),
            "claims": len(self._claims), "calls": len(self._calls), "facts": len(self._facts),
            "recordings": len(self._recordings),
            "outbox": self._outbox.by_state(),
        }  # fmt: skip


def _notes(holds: Sequence[Hold]) -> tuple[ClaimNote, ...]:
    return claim_notes(holds, _HASHES.key_hash)
