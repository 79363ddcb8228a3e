"""Keep what happened in calls: facts, records, session totals and webhooks, in group commits.

What it is: the `CallRecorder` of the engine. `record()` queues and returns; one background task takes what has
gathered for some milliseconds and writes it in one transaction, so that 1,000 calls/s do not mean 5,000 disk
writes (architecture decision 5). What it is not: sending; after each commit it tells the deliverer to look.

Order: commits are written in the order they were recorded, and a group that cannot be written is repeated
unchanged before anything newer (the store skips shares it has), so a call's facts never overtake each other.
While the store is away the queue grows; routing needs the store too, so only calls in progress add to it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import structlog

from maskline.clock import Clock
from maskline.engine.ports import CallCommit
from maskline.errors import StoreUnavailable
from maskline.ids import Ids
from maskline.masking.price_table import PriceTable
from maskline.storage.store import RecordedCall, Store
from maskline.webhooks.formats.plivo import DEFAULT_STYLE, Style
from maskline.workflows.build_outbox import NO_LINKS, Rules, build_share
from maskline.workflows.call_progress import CallProgress
from maskline.workflows.receivers import Audience, owner_of, read_audience
from maskline.workflows.recording_links import RecordingLinks

T = TypeVar("T")
_log = structlog.get_logger("maskline.record_call")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
_SLICE = 16
"""Commits whose webhooks are built in one turn of the loop; calls wait for its end."""


class CallRecording:
    """Fulfils `CallRecorder`. Run `run()` as a task; end with `stop()`, which makes it write the rest and return.

    `committed` is called after each commit that holds webhooks, `recorded` after each that ends a recording.
    `window`: seconds to gather. Webhooks are later by that, and a longer one costs less: rows and commit of a call took
    729 µs of CPU with 4 ms at 500 calls/s, 478 with 20. `group`: most commits in one transaction. `limit`: commits held
    while the store is away; beyond it facts are dropped and counted, records
    (one per call) never.
    """

    __slots__ = (
        "_clock", "_committed", "_group", "_idle", "_ids", "_limit", "_links", "_progress", "_queue",
        "_receivers", "_recorded", "_redaction_key", "_rules", "_stopping", "_store", "_style", "_version", "_wake",
        "_window", "dropped",
    )  # fmt: skip

    def __init__(
        self,
        store: Store,
        clock: Clock,
        ids: Ids,
        committed: Callable[[], None],
        *,
        style: Style = DEFAULT_STYLE,
        links: RecordingLinks = NO_LINKS,
        redaction_key: bytes = b"",
        recorded: Callable[[], None] | None = None,
        window: float = 0.020,
        group: int = 128,
        limit: int = 200_000,
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._committed = committed
        self._window = window
        self._group = group
        self._limit = limit
        self._queue: deque[CallCommit] = deque()
        self._progress: dict[str, CallProgress] = {}
        self._style = style
        self._links = links
        self._recorded = recorded
        self._redaction_key = redaction_key
        self._receivers: dict[str, Audience] = {}
        self._rules = Rules(self._receivers, PriceTable(), style, links)
        self._version: int | None = None
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = False
        self.dropped = 0
        """Commits or shares that were lost; not 0 means that the log says why."""

    @property
    def depth(self) -> int:
        """Commits waiting to be written."""
        return len(self._queue)

    @property
    def open_calls(self) -> int:
        """Calls whose record has not come yet."""
        return len(self._progress)

    def record(self, commit: CallCommit) -> None:
        """Queue for the next group commit; never raises and never waits."""
        if len(self._queue) >= self._limit and commit.record is None:
            self._drop(commit.call_id, "the store has been away for too long")
            return
        self._queue.append(commit)
        self._idle.clear()
        self._wake.set()

    async def flush(self) -> None:
        """Wait until everything recorded so far, and what comes meanwhile, is written."""
        await self._idle.wait()

    def stop(self) -> None:
        """Make `run()` write what is queued and return."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Write until `stop()`; a cancel (the store did not come back in time) says what is lost."""
        try:
            await self._run()
        except asyncio.CancelledError:
            if not self._idle.is_set():
                self.dropped += len(self._queue)
                _log.error("call_facts_dropped", reason="stopped while the store was away", dropped=self.dropped)
            raise

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            if self._queue:
                if not self._stopping:
                    await asyncio.sleep(self._window)
                await self._write(self._take())
            if not self._queue:
                self._idle.set()
                if self._stopping:
                    return
                self._wake.clear()

    def _take(self) -> list[CallCommit]:
        return [self._queue.popleft() for _ in range(min(len(self._queue), self._group))]

    async def _write(self, commits: list[CallCommit]) -> None:
        await self._persistently(partial(self._load_rules, commits))
        shares = await self._build_all(commits)
        try:
            await self._persistently(partial(self._store.commit_calls, shares))
        except Exception as error:  # noqa: BLE001 - the process edge: one bad call must not stop the others
            _log.error("call_commit_failed", error=type(error).__name__, calls=len(shares))
            shares = await self._write_singly(shares)
        if any(share.outbox for share in shares):
            self._committed()
        if self._recorded is not None and any(share.recording_end for share in shares):
            self._recorded()

    async def _write_singly(self, shares: list[RecordedCall]) -> list[RecordedCall]:
        written = []
        for share in shares:
            try:
                await self._persistently(partial(self._store.commit_calls, [share]))
                written.append(share)
            except Exception as error:  # noqa: BLE001 - as above
                self._drop(share.facts[0].subject if share.facts else "", type(error).__name__)
        return written

    async def _build_all(self, commits: list[CallCommit]) -> list[RecordedCall]:
        shares = []
        for start in range(0, len(commits), _SLICE):
            if start:
                await asyncio.sleep(0)
            shares += [share for one in commits[start : start + _SLICE] if (share := self._build(one)) is not None]
        return shares

    def _build(self, commit: CallCommit) -> RecordedCall | None:
        call_id = commit.call_id
        progress = self._progress.get(call_id) or self._progress.setdefault(call_id, CallProgress())
        if commit.record is not None or commit.context is None:
            del self._progress[call_id]
        try:
            return build_share(commit, progress, self._rules, self._clock.wall(), self._ids)
        except Exception as error:  # noqa: BLE001 - the process edge: the other calls of the group must be kept
            self._drop(call_id, type(error).__name__)
            return None

    async def _load_rules(self, commits: list[CallCommit]) -> None:
        """Prices, and the endpoints of every (sub)account that has a call in this group; read again once anything was
        configured, by any process."""
        version = await self._store.configuration_version()
        if version != self._version:
            self._receivers.clear()
            self._rules = Rules(self._receivers, PriceTable(await self._store.prices()), self._style, self._links)
            self._version = version
        owners = {owner_of(one.context) for one in commits if one.context is not None}
        for owner in owners - self._receivers.keys():
            self._receivers[owner] = await read_audience(self._store, owner, self._redaction_key)

    async def _persistently(self, action: Callable[[], Awaitable[T]]) -> T:
        """Repeat while the store is away, with growing pauses."""
        pause = _FIRST_PAUSE
        while True:
            try:
                result = await action()
            except StoreUnavailable:
                if pause == _FIRST_PAUSE:
                    _log.warning("call_commit_delayed", waiting=len(self._queue))
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            if pause > _FIRST_PAUSE:
                _log.info("call_commit_resumed", waiting=len(self._queue))
            return result

    def _drop(self, call_id: str, reason: str) -> None:
        if self.dropped & (self.dropped - 1) == 0:  # the 1st, 2nd, 3rd, 5th, 9th …: enough to notice, no flood
            _log.error("call_facts_dropped", call_id=call_id, reason=reason, dropped=self.dropped + 1)
        self.dropped += 1
