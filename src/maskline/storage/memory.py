"""The store in memory: the same protocol on dictionaries, for tests, simulations and the lab.

What it is: part of the test kit, held to the same contract suite as SQLite. No method ever suspends, so each
is atomic by itself. What it is not: durable, sealed, or shared between processes. Who uses it: tests, ours and
users'; `open_store` never returns it.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from maskline.errors import Conflict, NotFound, PoolExhausted, SessionEnded
from maskline.masking import pool
from maskline.masking.call_record import CallRecord
from maskline.masking.decision import VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.facts import Fact, SessionCreated, SessionExpired, SessionUpdated
from maskline.masking.session import NewSession, Session, SessionOptions
from maskline.masking.trunk import Trunk
from maskline.storage.memory_outbox import MemoryOutbox
from maskline.storage.store import Account, Delivery, Endpoint, OutboxRow, RecordedCall, SessionFilter

_COMPARE = {"eq": operator.eq, "gt": operator.gt, "gte": operator.ge, "lt": operator.lt, "lte": operator.le}


class MemoryStore:
    """See `maskline.storage.store.Store`."""

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._numbers: dict[Number, VirtualNumber] = {}
        self._trunks: dict[str, Trunk] = {}
        self._endpoints: dict[tuple[str, str], Endpoint] = {}
        self._sessions: dict[str, Session] = {}
        self._claims: dict[Number, dict[Number, tuple[str, float]]] = {}
        """party → virtual number → (session id, held until)."""
        self._calls: dict[str, CallRecord] = {}
        self._facts: list[Fact] = []
        self._facts_by_subject: dict[str, list[Fact]] = {}
        self._outbox = MemoryOutbox()
        self._configuration = 0

    async def open(self) -> None:
        return None

    async def close(self) -> None:
        return None

    # -- accounts and their things -----------------------------------------------------------------------------
    async def add_account(self, account: Account) -> None:
        if account.id in self._accounts:
            raise Conflict("This account exists already.")
        if account.parent_id is not None and account.parent_id not in self._accounts:
            raise NotFound("There is no such account.")
        self._accounts[account.id] = account
        self._configuration += 1

    async def account(self, account_id: str) -> Account:
        try:
            return self._accounts[account_id]
        except KeyError:
            raise NotFound("There is no such account.") from None

    async def accounts(self, parent_id: str | None = None) -> list[Account]:
        wanted = [account for account in self._accounts.values() if account.parent_id == parent_id]
        return sorted(wanted, key=lambda account: (account.created_at, account.id))

    async def _check_owner(self, account_id: str, subaccount_id: str | None) -> None:
        await self.account(account_id)
        if subaccount_id is not None and (await self.account(subaccount_id)).parent_id != account_id:
            raise NotFound("There is no such subaccount in this account.")

    async def add_number(self, number: VirtualNumber, now: float) -> None:
        if number.number in self._numbers:
            raise Conflict("This number exists already.")
        await self._check_owner(number.account_id, number.subaccount_id)
        self._numbers[number.number] = number
        self._configuration += 1

    async def numbers(self, account_id: str) -> list[VirtualNumber]:
        return [n for n in self._numbers.values() if account_id in (n.account_id, n.subaccount_id)]

    async def number(self, number: Number) -> VirtualNumber | None:
        return self._numbers.get(number)

    async def add_trunk(self, trunk: Trunk, password: str, now: float) -> None:
        if trunk.name in self._trunks or any(other.id == trunk.id for other in self._trunks.values()):
            raise Conflict("A trunk of this name exists already.")
        self._trunks[trunk.name] = trunk
        self._configuration += 1

    async def trunks(self) -> list[Trunk]:
        return list(self._trunks.values())

    async def remove_trunk(self, name: str) -> None:
        if self._trunks.pop(name, None) is None:
            raise NotFound("There is no trunk of this name.")
        self._configuration += 1

    async def set_endpoint(self, endpoint: Endpoint) -> None:
        await self.account(endpoint.account_id)
        self._endpoints[(endpoint.account_id, endpoint.kind)] = endpoint
        self._configuration += 1

    async def endpoints(self, account_id: str) -> list[Endpoint]:
        wanted = [endpoint for endpoint in self._endpoints.values() if endpoint.account_id == account_id]
        return sorted(wanted, key=lambda endpoint: endpoint.kind)

    async def remove_endpoint(self, account_id: str, kind: str) -> None:
        if self._endpoints.pop((account_id, kind), None) is None:
            raise NotFound("There is no webhook endpoint of this kind.")
        self._configuration += 1

    async def configuration_version(self) -> int:
        return self._configuration

    # -- sessions ----------------------------------------------------------------------------------------------
    async def create_session(self, new: NewSession, facts_sequence: int = 1) -> Session:
        await self._check_owner(new.account_id, new.subaccount_id)
        pool.check_parties(new)
        if new.id in self._sessions:
            raise Conflict("This session exists already.")
        number = self._allocate(new)
        expires_at = new.created_at + new.options.session_expiry
        until = pool.held_until(expires_at, new.options)
        for claim in pool.claims_of(new.first_party, new.second_party, number):
            self._claims.setdefault(claim.party, {})[claim.virtual_number] = (new.id, until)
        session = Session(
            id=new.id, account_id=new.account_id, subaccount_id=new.subaccount_id,
            first_party=new.first_party, second_party=new.second_party, virtual_number=number,
            options=new.options, created_at=new.created_at, modified_at=new.created_at,
            expires_at=expires_at, planned_duration=new.options.session_expiry,
        )  # fmt: skip
        self._sessions[new.id] = session
        self._add_fact(SessionCreated(new.id, facts_sequence, new.created_at, number.e164))
        return session

    def _allocate(self, new: NewSession) -> Number:
        held = self._held(new.first_party, new.created_at) | self._held(new.second_party, new.created_at)
        owner_id, country = pool.pool_of(new)
        candidates = (
            number.number
            for number in self._numbers.values()
            if (number.subaccount_id or number.account_id) == owner_id and country in (None, number.country)
        )
        number = pool.choose(candidates, held)
        if number is None:
            raise PoolExhausted
        return number

    def _held(self, party: Number, now: float) -> set[Number]:
        return {number for number, (_, until) in self._claims.get(party, {}).items() if until > now}

    async def session(self, account_id: str, session_id: str) -> Session:
        session = self._sessions.get(session_id)
        if session is None or session.account_id != account_id:
            raise NotFound("There is no such session in this account.")
        return session

    async def sessions(
        self, account_id: str, wanted: SessionFilter, *, limit: int, offset: int, wall: float
    ) -> tuple[list[Session], int]:
        found = [s for s in self._sessions.values() if s.account_id == account_id and _matches(s, wanted, wall)]
        found.sort(key=lambda session: (session.created_at, session.id), reverse=True)
        return found[offset : offset + limit], len(found)

    async def update_session(
        self, account_id: str, session_id: str, options: SessionOptions, *,
        expires_at: float, now: float, changed: tuple[str, ...],
    ) -> Session:  # fmt: skip
        session = await self.session(account_id, session_id)
        if not session.is_live(now):
            raise SessionEnded
        session = replace(
            session, options=options, expires_at=expires_at, modified_at=now,
            planned_duration=round(expires_at - session.created_at),
        )  # fmt: skip
        self._sessions[session_id] = session
        self._hold(session, pool.held_until(expires_at, options))
        self._add_fact(SessionUpdated(session_id, self._next_sequence(session_id), now, changed))
        return session

    async def end_session(
        self, account_id: str, session_id: str, *, now: float, by_request: bool, outbox: Sequence[OutboxRow]
    ) -> Session:
        session = await self.session(account_id, session_id)
        if session.ended_at is not None or (by_request and not session.is_live(now)):
            raise SessionEnded
        ends_at = min(now, session.expires_at)
        session = replace(session, ended_at=now, modified_at=now, expires_at=ends_at)
        self._sessions[session_id] = session
        self._hold(session, pool.held_until(ends_at, session.options))
        self._forget(now - pool.FORGET_AFTER)
        self._add_fact(SessionExpired(session_id, self._next_sequence(session_id), now, by_request))
        self._outbox.add(outbox)
        return session

    def _hold(self, session: Session, until: float) -> None:
        for claims in self._claims_of(session):
            if claims.get(session.virtual_number, ("",))[0] == session.id:
                claims[session.virtual_number] = (session.id, until)

    def _claims_of(self, session: Session) -> list[dict[Number, tuple[str, float]]]:
        parties = (session.first_party, session.second_party)
        return [self._claims[party] for party in parties if party is not None and party in self._claims]

    def _forget(self, before: float) -> None:
        for party, claims in list(self._claims.items()):
            kept = {number: claim for number, claim in claims.items() if claim[1] >= before}
            if kept:
                self._claims[party] = kept
            else:
                del self._claims[party]

    async def sessions_due(self, wall: float, limit: int) -> list[Session]:
        due = [s for s in self._sessions.values() if s.ended_at is None and s.expires_at <= wall]
        return sorted(due, key=lambda session: (session.expires_at, session.id))[:limit]

    async def session_for_call(self, caller: Number, virtual_number: Number) -> Session | None:
        claim = self._claims.get(caller, {}).get(virtual_number)
        return replace(self._sessions[claim[0]], interactions=()) if claim else None

    async def reset_calls_in_progress(self) -> int:
        stuck = [session for session in self._sessions.values() if session.calls_in_progress]
        for session in stuck:
            self._sessions[session.id] = replace(session, calls_in_progress=0)
        return len(stuck)

    # -- calls ---------------------------------------------------------------------------------------------------
    async def commit_calls(self, calls: Sequence[RecordedCall]) -> None:
        new = [call for call in calls if not (call.facts and self._has_fact(call.facts[0]))]
        # Before anything else, because it refuses ids that exist and a commit is all or nothing.
        self._outbox.add([row for call in new for row in call.outbox])
        for call in calls:
            for fact in call.facts:
                self._add_fact(fact)
        for call in new:
            if call.record is not None:
                self._calls.setdefault(call.record.id, call.record)
            if call.session_id in self._sessions:
                self._sessions[call.session_id] = _with_call(self._sessions[call.session_id], call)

    async def call(self, account_id: str, call_id: str) -> CallRecord:
        record = self._calls.get(call_id)
        if record is None or record.account_id != account_id:
            raise NotFound("There is no such call in this account.")
        return record

    async def calls(self, account_id: str, *, session_id: str | None = None, limit: int = 20) -> list[CallRecord]:
        wanted = [
            record
            for record in self._calls.values()
            if record.account_id == account_id and session_id in (None, record.session_id)
        ]
        wanted.sort(key=lambda record: (record.started_at, record.id), reverse=True)
        return wanted[:limit]

    async def facts(self, subject: str) -> list[Fact]:
        return sorted(self._facts_by_subject.get(subject, ()), key=lambda fact: fact.sequence)

    async def facts_since(self, cursor: int, limit: int) -> list[tuple[int, Fact]]:
        return list(enumerate(self._facts[cursor : cursor + limit], cursor + 1))

    def _has_fact(self, fact: Fact) -> bool:
        return any(other.sequence == fact.sequence for other in self._facts_by_subject.get(fact.subject, ()))

    def _add_fact(self, fact: Fact) -> None:
        if not self._has_fact(fact):
            self._facts_by_subject.setdefault(fact.subject, []).append(fact)
            self._facts.append(fact)

    def _next_sequence(self, subject: str) -> int:
        return max((fact.sequence for fact in self._facts_by_subject.get(subject, ())), default=0) + 1

    # -- outbox --------------------------------------------------------------------------------------------------
    async def lease_outbox(self, owner: str, *, now: float, until: float, limit: int) -> list[OutboxRow]:
        return self._outbox.lease(owner, now=now, until=until, limit=limit)

    async def finish_outbox(self, owner: str, deliveries: Sequence[Delivery], *, now: float) -> list[bool]:
        return [self._outbox.finish(owner, delivery, now) for delivery in deliveries]

    async def outbox(self, account_id: str | None, *, state: str | None = None, limit: int = 50) -> list[OutboxRow]:
        return self._outbox.select(account_id, state, limit)

    async def replay_outbox(self, row_id: str, now: float) -> None:
        self._outbox.replay(row_id, now)

    async def next_outbox_due(self) -> float | None:
        return self._outbox.next_due()

    async def counts(self) -> dict[str, Any]:
        return {
            "accounts": len(self._accounts), "numbers": len(self._numbers), "trunks": len(self._trunks),
            "endpoints": len(self._endpoints), "sessions": len(self._sessions),
            "claims": sum(map(len, self._claims.values())), "calls": len(self._calls), "facts": len(self._facts),
            "outbox": self._outbox.by_state(),
        }  # fmt: skip


def _matches(session: Session, wanted: SessionFilter, wall: float) -> bool:
    return (
        wanted.first_party in (None, session.first_party)
        and wanted.second_party in (None, session.second_party)
        and wanted.virtual_number in (None, session.virtual_number)
        and wanted.subaccount_id in (None, session.subaccount_id)
        and wanted.status in ("all", session.status(wall))
        and all(_COMPARE[op](session.created_at, bound) for op, bound in wanted.created)
        and all(_COMPARE[op](session.expires_at, bound) for op, bound in wanted.expires)
        and all(_COMPARE[op](session.planned_duration, bound) for op, bound in wanted.duration)
    )


def _with_call(session: Session, call: RecordedCall) -> Session:
    in_progress = max(0, session.calls_in_progress + call.calls_in_progress_delta)
    done = call.interaction
    if done is None:
        return replace(session, calls_in_progress=in_progress)
    interactions = sorted((*session.interactions, done), key=lambda i: (i.started_at, i.call_id))
    return replace(
        session,
        calls_in_progress=in_progress,
        interactions=tuple(interactions),
        last_interaction_at=max(done.ended_at, session.last_interaction_at or 0.0),
        total_call_count=session.total_call_count + done.legs,
        total_call_billed_duration=session.total_call_billed_duration + done.billed_duration,
    )
