"""The parts of the in-memory store that know no sessions: the fact log, the outbox, requested calls,
tallies of wrong PINs.

What it is: these methods of the protocol on dictionaries. What it is not: sessions and calls. Who builds on it:
`memory.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

from maskline.errors import NotFound
from maskline.masking.decision import VirtualNumber
from maskline.masking.facts import CallNotStarted, Fact
from maskline.masking.pin import Counted, PinLimits, PinTry
from maskline.masking.session import RequestedCall
from maskline.storage.kept import RequestedFlow, earlier_flow, flow_subject
from maskline.storage.memory_flows import MemoryFlows
from maskline.storage.memory_kept import MemoryKept
from maskline.storage.memory_outbox import MemoryOutbox
from maskline.storage.memory_pins import MemoryPins
from maskline.storage.memory_requests import MemoryRequests
from maskline.storage.store import Account, Delivery, Once, OutboxRow
from maskline.storage.webhook_store import (
    NO_FAILING_ENDPOINT,
    NO_WEBHOOK,
    Attempt,
    EndpointNote,
    EndpointOutbox,
    FailingEndpoint,
    Patience,
    ReplayFilter,
    ReplayPlace,
    tell_nobody,
)


class MemoryLog(MemoryKept):
    """See `maskline.storage.store.Store`."""

    def __init__(self) -> None:
        super().__init__()
        self._facts: dict[int, Fact] = {}
        self._position = 0
        self._facts_by_subject: dict[str, list[Fact]] = {}
        self._outbox = MemoryOutbox()
        self._requests = MemoryRequests()
        self._flows = MemoryFlows()
        self._pins = MemoryPins()

    # -- numbers -------------------------------------------------------------------------------------------------
    async def add_number(self, number: VirtualNumber, now: float, *, outbox: Sequence[OutboxRow] = ()) -> None:
        await super().add_number(number, now)
        self._outbox.add(outbox)

    async def update_number(
        self, number: VirtualNumber, now: float, *, once: Once | None = None, outbox: Sequence[OutboxRow] = ()
    ) -> bool:
        changed = await super().update_number(number, now, once=once)
        if changed:
            self._outbox.add(outbox)
        return changed

    async def remove_subaccount(self, account_id: str, now: float, *, outbox: Sequence[OutboxRow] = ()) -> None:
        self._subaccount(account_id)
        self._outbox.add(outbox)
        await super().remove_subaccount(account_id, now)

    async def update_account(
        self, account: Account, *, was: Account | None = None, once: Once | None = None, facts: Sequence[Fact] = (),
        outbox: Sequence[OutboxRow] = (),
    ) -> bool:  # fmt: skip
        changed = await super().update_account(account, was=was, once=once)
        if changed:
            self._outbox.add(outbox)
            for fact in facts:
                self._add_fact(replace(fact, sequence=self._next_sequence(account.id)))
        return changed

    async def announce(self, outbox: Sequence[OutboxRow]) -> None:
        self._outbox.add(outbox)

    # -- facts ---------------------------------------------------------------------------------------------------
    async def facts(self, subject: str) -> list[Fact]:
        return sorted(self._facts_by_subject.get(subject, ()), key=lambda fact: fact.sequence)

    async def facts_since(self, cursor: int, limit: int) -> list[tuple[int, Fact]]:
        later = ((position, fact) for position, fact in self._facts.items() if position > cursor)
        return list(islice(later, limit))

    def _has_fact(self, fact: Fact) -> bool:
        return any(other.sequence == fact.sequence for other in self._facts_by_subject.get(fact.subject, ()))

    def _add_fact(self, fact: Fact) -> None:
        if not self._has_fact(fact):
            self._facts_by_subject.setdefault(fact.subject, []).append(fact)
            self._position += 1
            self._facts[self._position] = fact

    def _next_sequence(self, subject: str) -> int:
        return max((fact.sequence for fact in self._facts_by_subject.get(subject, ())), default=0) + 1

    # -- requested calls -----------------------------------------------------------------------------------------
    async def lease_requested_calls(self, owner: str, *, now: float, until: float, limit: int) -> list[RequestedCall]:
        return self._requests.lease(owner, now, until, limit)

    async def drop_requested_call(
        self, owner: str, session_id: str, fact: CallNotStarted, outbox: Sequence[OutboxRow]
    ) -> bool:
        if not self._requests.owns(owner, session_id):
            return False
        self._outbox.add(outbox)
        self._requests.finish(session_id)
        self._add_fact(fact)
        return True

    async def add_requested_flow(self, flow: RequestedFlow, *, once: Once | None = None) -> RequestedFlow:
        await self.account(flow.account_id)
        earlier = self._repeated(once, flow.requested_at)
        if earlier is not None:
            return earlier_flow(flow, earlier)
        self._flows.add(flow)
        self._remember(once, flow_subject(flow), flow.requested_at)
        return flow

    async def earlier_flow(self, flow: RequestedFlow, once: Once) -> RequestedFlow | None:
        earlier = self._repeated(once, flow.requested_at)
        return None if earlier is None else earlier_flow(flow, earlier)

    async def lease_requested_flows(self, owner: str, *, now: float, until: float, limit: int) -> list[RequestedFlow]:
        return self._flows.lease(owner, now, until, limit)

    async def release_requested_flow(self, owner: str, flow_id: str) -> bool:
        return self._flows.release(owner, flow_id)

    # -- PINs ----------------------------------------------------------------------------------------------------
    async def count_pin(self, one: PinTry, limits: PinLimits, now: float) -> Counted:
        return self._pins.count(one, limits, now)

    async def accept_pin(self, one: PinTry, limits: PinLimits, now: float) -> None:
        self._pins.accept(one, limits, now)

    # -- outbox --------------------------------------------------------------------------------------------------
    async def lease_outbox(self, owner: str, *, now: float, until: float, limit: int) -> list[OutboxRow]:
        return self._outbox.lease(owner, now=now, until=until, limit=limit)

    async def finish_outbox(self, owner: str, deliveries: Sequence[Delivery], *, now: float) -> list[bool]:
        return [self._outbox.finish(owner, delivery, now) for delivery in deliveries]

    async def outbox(self, account_id: str | None, *, state: str | None = None, limit: int = 50) -> list[OutboxRow]:
        return self._outbox.select(account_id, state, limit)

    async def outbox_state(self, row_id: str) -> str | None:
        row = self._outbox.rows.get(row_id)
        return row.state if row else None

    async def replay_outbox(self, row_id: str, now: float) -> None:
        self._outbox.replay(row_id, now)

    async def webhook(self, account_id: str, row_id: str) -> OutboxRow:
        row = self._outbox.rows.get(row_id)
        if row is None or row.account_id != account_id:
            raise NotFound(NO_WEBHOOK)
        return row

    async def attempts(self, row_id: str) -> list[Attempt]:
        return self._outbox.attempts.get(row_id, [])[:]

    async def note_endpoints(
        self, notes: Sequence[EndpointNote], patience: Patience, *, now: float, outbox: EndpointOutbox = tell_nobody
    ) -> list[FailingEndpoint]:
        noted = [self._outbox.note(note, patience, now) for note in notes]
        disabled = [one for one in noted if one is not None]
        for one in disabled:
            self._outbox.add(outbox(one))
        return disabled

    async def failing_endpoints(self, account_id: str | None = None) -> list[FailingEndpoint]:
        found = [one for one in self._outbox.failing.values() if account_id in (None, one.account_id)]
        return sorted(found, key=lambda one: (one.since, one.id))

    async def enable_endpoint(self, endpoint_id: str, account_id: str | None = None) -> FailingEndpoint:
        found = self._outbox.failing.get(endpoint_id)
        if found is None or account_id not in (None, found.account_id):
            raise NotFound(NO_FAILING_ENDPOINT)
        return self._outbox.failing.pop(endpoint_id)

    async def replay_some(
        self, wanted: ReplayFilter, *, now: float, after: ReplayPlace, limit: int
    ) -> tuple[int, ReplayPlace | None]:
        return self._outbox.replay_some(wanted, now, after, limit)

    async def forget_webhooks(self, before: float, limit: int) -> int:
        gone = self._outbox.forget(before, max(limit, 0))
        if gone < limit:
            configured: dict[str, list[str]] = {}
            for one in self._endpoints.values():
                configured.setdefault(one.account_id, []).append(one.url)
            self._outbox.forget_failing(before, configured)
        return gone

    async def next_outbox_due(self) -> float | None:
        return self._outbox.next_due()
