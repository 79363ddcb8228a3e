"""Which endpoints fail, and which are disabled for it: what the deliverer has seen, written down now and then.

What it is: successes and failures of tries gathered by endpoint, the set of those that are disabled, and what is said
when one is (a log line, a counter, and what `tell` writes in the same commit). What it is not: the rule, which is
`Patience`, kept where counting and judging are one transaction. Who uses it: `deliver.py`.

An endpoint that fails for five days, or says that it wants no more (410), gets nothing until somebody enables it; its
webhooks are held. A URL that came with a Plivo session is only disabled for failing: its 410 may be about that session.
"""

from __future__ import annotations

from dataclasses import replace

import structlog

from maskline.clock import Clock
from maskline.errors import StoreUnavailable
from maskline.storage.store import OutboxRow, Store
from maskline.storage.webhook_store import (
    EndpointNote,
    EndpointOutbox,
    Patience,
    endpoint_id,
    endpoint_url,
    tell_nobody,
)
from maskline.webhooks.lanes import lane_of
from maskline.webhooks.schedule import TryResult

_log = structlog.get_logger("maskline.deliver")

FIVE_DAYS = Patience()
WRITE_EVERY = 1.0
"""Seconds between two writes of what was seen."""
READ_EVERY = 5.0
"""Seconds after which what other processes did is seen: an operator who enables one, another deliverer."""
_MOST_NOTES = 10_000
"""That wait for a store which is away; what comes on top is of endpoints that fail anyway."""
_GONE = 410


class EndpointHealth:
    """`settle` is to be called every now and then."""

    __slots__ = (
        "_clock", "_disabled", "_failing", "_last", "_notes", "_patience", "_read_at", "_store", "_tell", "_write_at",
        "disabled_count",
    )  # fmt: skip

    def __init__(
        self, store: Store, clock: Clock, tell: EndpointOutbox = tell_nobody, patience: Patience = FIVE_DAYS
    ) -> None:
        self._store = store
        self._clock = clock
        self._tell = tell
        self._patience = patience
        self._notes: list[EndpointNote] = []
        self._last: dict[str, int] = {}
        """Endpoint → its last note."""
        self._failing: frozenset[str] = frozenset()
        self._disabled: frozenset[str] = frozenset()
        self._read_at = self._write_at = float("-inf")
        self.disabled_count = 0
        """Endpoints that this process disabled."""

    @property
    def disabled(self) -> int:
        """Endpoints that are disabled."""
        return len(self._disabled)

    def holds(self, row: OutboxRow) -> bool:
        """Whether nothing is to be sent where the row goes."""
        return bool(self._disabled) and _id_of(row) in self._disabled

    def saw(self, row: OutboxRow, result: TryResult) -> None:
        """The end of a try."""
        status = result.status
        if status is not None and 200 <= status < 300:
            # Nearly all tries: nothing is to be written of an endpoint that is well.
            if (self._failing or self._last) and ((one := _id_of(row)) in self._failing or one in self._last):
                self._note(one, row, 0, gone=False)
            return
        self._note(_id_of(row), row, 1, gone=status == _GONE and row.dialect != "plivo")

    async def settle(self, *, at_once: bool = False) -> None:
        """Write down what was seen, and read what others did. Raises `StoreUnavailable`."""
        now = self._clock.now()
        if self._notes and (at_once or now - self._write_at >= WRITE_EVERY):
            self._write_at = now
            await self._write()
        if now - self._read_at >= READ_EVERY:
            await self._read()

    async def _write(self) -> None:
        notes, self._notes, self._last = self._notes, [], {}
        try:
            now = self._clock.wall()
            disabled = await self._store.note_endpoints(notes, self._patience, now=now, outbox=self._tell)
        except StoreUnavailable:
            self._put_back(notes)
            raise
        for endpoint in disabled:
            self.disabled_count += 1
            _log.warning(
                "endpoint_disabled", endpoint=endpoint.id, account=endpoint.account_id, receiver=lane_of(endpoint.url),
                since=endpoint.since, failures=endpoint.failures, reason=endpoint.reason,
            )  # fmt: skip
        await self._read()

    async def _read(self) -> None:
        self._read_at = self._clock.now()
        found = await self._store.failing_endpoints()
        self._failing = frozenset(one.id for one in found)
        self._disabled = frozenset(one.id for one in found if one.disabled_at is not None)

    def _note(self, one: str, row: OutboxRow, failures: int, *, gone: bool) -> None:
        place = self._last.get(one)
        if place is not None and bool(self._notes[place].failures) == bool(failures):
            old = self._notes[place]
            self._notes[place] = replace(
                old, at=self._clock.wall(), failures=old.failures + failures, gone=old.gone or gone
            )  # fmt: skip
        elif len(self._notes) < _MOST_NOTES:
            self._last[one] = len(self._notes)
            self._notes.append(
                EndpointNote(
                    row.account_id, row.subaccount_id, endpoint_url(row.url), self._clock.wall(), failures, gone
                )
            )  # fmt: skip

    def _put_back(self, notes: list[EndpointNote]) -> None:
        self._notes = [*notes, *self._notes][:_MOST_NOTES]
        self._last = {note.id: place for place, note in enumerate(self._notes)}


def _id_of(row: OutboxRow) -> str:
    return endpoint_id(row.subaccount_id or row.account_id, endpoint_url(row.url))
