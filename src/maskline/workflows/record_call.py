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
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

import structlog

from maskline.clock import Clock
from maskline.engine.call_kept import write_call
from maskline.engine.ports import CallCommit, CutOff
from maskline.errors import StoreUnavailable
from maskline.ids import Ids
from maskline.masking.price_table import PriceTable
from maskline.storage.crypto import SealBroken
from maskline.storage.kept import LiveCall, Tenure
from maskline.storage.store import RecordedCall, Store
from maskline.webhooks.formats.plivo import DEFAULT_STYLE, Style
from maskline.workflows.build_outbox import NO_LINKS, Rules, build_share
from maskline.workflows.call_progress import CallProgress
from maskline.workflows.receivers import NOBODY, Audience, owner_of, read_audience
from maskline.workflows.recording_links import RecordingLinks

T = TypeVar("T")
_log = structlog.get_logger("maskline.record_call")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
PATIENCE = 2.0
"""Seconds for which somebody waits for what is not written yet."""
_SLICE = 0.0005
"""Seconds of building webhooks in one turn of the loop; calls wait for its end."""


def _nobody_else(_calls: Sequence[str]) -> None:
    """No other takes the calls of the only engine."""


class CallRecording:
    """Fulfils `CallRecorder`. Run `run()` as a task; end with `stop()`, which makes it write the rest and return.

    `committed` is called after each commit that holds webhooks, `recorded` after each that ends a recording.
    `window`: seconds to gather. Webhooks are later by that, and a longer one costs less: rows and commit of a call took
    729 µs of CPU with 4 ms at 500 calls/s, 478 with 20. When a whole group waits already there is nothing to gather.
    `group`: most commits in one transaction; with 128 a server that was offered more than it could take wrote 3,000
    behind. `engine_id`: whose calls these are; `lost` is told of those that another engine has by now. `limit`: commits
    held while the store is away; beyond it facts are dropped and counted, records (one per call) never.
    """

    __slots__ = (
        "_clock", "_committed", "_group", "_idle", "_ids", "_last_kept", "_limit", "_links", "_lost", "_progress",
        "_queue", "_receivers", "_recorded", "_redaction_key", "_rules", "_stopping", "_store", "_style", "_taken",
        "_version", "_waiting", "_wake", "_window", "_written", "dropped", "engine_id",
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
        group: int = 512,
        limit: int = 200_000,
        engine_id: str = "",
        lost: Callable[[Sequence[str]], None] = _nobody_else,
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._committed = committed
        self._window = window
        self._group = group
        self._limit = limit
        self._lost = lost
        self.engine_id = engine_id
        """Set it before the first call."""
        self._last_kept: dict[str, CallCommit] = {}
        self._queue: deque[CallCommit] = deque()
        self._taken = 0
        self._written = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        """Who waits until so many commits are written."""
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
        """Commits that are not written yet."""
        return len(self._queue) + self._taken

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
        if len(self._queue) == 1:  # else somebody has said so already
            self._idle.clear()
            self._wake.set()

    def tenures(self) -> dict[str, Tenure]:
        """Of all calls of which something is kept, by what we believe to have them."""
        return {call_id: one.tenure for call_id, one in self._progress.items() if one.tenure is not None}

    def let_go(self, calls: Collection[str]) -> None:
        """Calls that another engine has by now: what is to be written of them is that one's."""
        before = len(self._queue)
        self._queue = deque([commit for commit in self._queue if commit.call_id not in calls])
        self._tell_waiting(before - len(self._queue))
        for call_id in calls:
            self._progress.pop(call_id, None)

    async def resume(self, past: CutOff) -> None:
        """What a process before this one had told of a call, so that its webhooks are numbered on. Before its first
        commit here. Raises `StoreUnavailable`."""
        told = CallCommit(past.context, past.facts)
        await self._load_rules([told])
        progress = CallProgress()
        build_share(told, progress, self._rules, self._clock.wall(), self._ids)
        progress.tenure = Tenure(self.engine_id, past.taken)
        self._progress[told.call_id] = progress

    async def written(self) -> bool:
        """Wait until what was recorded so far is written, for `PATIENCE` seconds at most; False when it was already."""
        if not self.depth:
            return False
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((self._written + self.depth, done))
        await asyncio.wait((done,), timeout=PATIENCE)
        return True

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
                self.dropped += self.depth
                _log.error("call_facts_dropped", reason="stopped while the store was away", dropped=self.dropped)
            raise

    async def _run(self) -> None:
        """While a group is being written the next one is built: one after the other, a full core wrote 3,000 commits a
        second of the 4,200 that 1,000 calls are."""
        writing: asyncio.Future[None] | None = None
        try:
            while True:
                await self._wake.wait()
                if self._queue:
                    if not self._stopping and len(self._queue) < self._group:
                        await asyncio.sleep(self._window)
                    taken = self._take()
                    commits = together(taken)
                    begun = self._unkept(commits)
                    shares = await self._prepare(commits)
                    if writing is not None:
                        await writing
                    writing = asyncio.ensure_future(self._write(_held(shares, begun), len(taken)))
                if not self._queue and writing is not None:
                    await writing
                    writing = None
                if not self._queue:
                    self._idle.set()
                    if self._stopping:
                        return
                    self._wake.clear()
        finally:
            if writing is not None:
                writing.cancel()

    def _take(self) -> list[CallCommit]:
        taken = [self._queue.popleft() for _ in range(min(len(self._queue), self._group))]
        self._taken += len(taken)
        return taken

    def _unkept(self, commits: list[CallCommit]) -> dict[str, CallProgress]:
        """Calls that have begun and may be kept by the group that is being written."""
        found = {commit.call_id: self._progress.get(commit.call_id) for commit in commits}
        return {call_id: one for call_id, one in found.items() if one is not None and one.tenure is None}

    async def _prepare(self, commits: list[CallCommit]) -> list[RecordedCall]:
        await self._persistently(partial(self._load_rules, commits))
        self._last_kept = last_kept(commits)
        return await self._build_all(commits)

    async def _write(self, shares: list[RecordedCall], commits: int) -> None:
        """`commits`: of how many they are the shares."""
        try:
            lost = await self._persistently(partial(self._store.commit_calls, shares))
        except Exception as error:  # noqa: BLE001 - the process edge: one bad call must not stop the others
            _log.error("call_commit_failed", error=type(error).__name__, calls=len(shares))
            shares, lost = await self._write_singly(shares)
        self._taken -= commits
        self._tell_waiting(commits)
        self._note_kept(shares)
        if lost:
            self.let_go(lost)
            self._lost(lost)
        if any(share.outbox for share in shares):
            self._committed()
        if self._recorded is not None and any(share.recording_end for share in shares):
            self._recorded()

    def _tell_waiting(self, written: int) -> None:
        self._written += written
        while self._waiting and self._waiting[0][0] <= self._written:
            _, done = self._waiting.popleft()
            if not done.done():  # it has lost its patience
                done.set_result(None)

    def _note_kept(self, shares: list[RecordedCall]) -> None:
        """From the first keeping on a call is ours only as long as nobody else has taken it."""
        for share in shares:
            if share.live is not None and share.held is None:
                progress = self._progress.get(share.live.call_id)
                if progress is not None:
                    progress.tenure = Tenure(self.engine_id, 0)

    async def _write_singly(self, shares: list[RecordedCall]) -> tuple[list[RecordedCall], list[str]]:
        written, lost = [], []
        for share in shares:
            try:
                lost += await self._persistently(partial(self._store.commit_calls, [share]))
                written.append(share)
            except Exception as error:  # noqa: BLE001 - as above
                self._drop(share.call_id, type(error).__name__)
        return written, lost

    async def _build_all(self, commits: list[CallCommit]) -> list[RecordedCall]:
        shares: list[RecordedCall] = []
        clock = self._clock
        end = clock.now() + _SLICE
        for commit in commits:
            if clock.now() >= end:
                await asyncio.sleep(0)
                end = clock.now() + _SLICE
            if (share := self._build(commit)) is not None:
                shares.append(share)
        return shares

    def _build(self, commit: CallCommit) -> RecordedCall | None:
        call_id = commit.call_id
        progress = self._progress.get(call_id) or self._progress.setdefault(call_id, CallProgress())
        if commit.record is not None or commit.context is None:
            del self._progress[call_id]
        try:
            live = live_call(commit, self.engine_id) if self._last_kept.get(call_id) is commit else None
            return build_share(commit, progress, self._rules, self._clock.wall(), self._ids, live)
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
            try:
                self._receivers[owner] = await read_audience(self._store, owner, self._redaction_key)
            except SealBroken:  # waiting would not mend it, and all calls of all accounts would wait
                _log.error("endpoints_unreadable", account_id=owner)
                self._receivers[owner] = NOBODY

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


def _held(shares: list[RecordedCall], begun: dict[str, CallProgress]) -> list[RecordedCall]:
    """With the tenures of calls that were kept while these shares were built."""
    since = {call_id: one.tenure for call_id, one in begun.items() if one.tenure is not None}
    if not since:
        return shares
    return [replace(one, held=since[one.call_id]) if one.call_id in since else one for one in shares]


def together(commits: Sequence[CallCommit]) -> list[CallCommit]:
    """What a group has of one call as one commit, as long as no more is known of it than before: a row of facts less,
    and of what is kept of the call only the last. The more is behind, the more of it is together."""
    joined: list[CallCommit] = []
    places: dict[str, int] = {}
    for commit in commits:
        call_id = commit.call_id
        at = places.get(call_id)
        before = None if at is None else joined[at]
        if at is None or before is None or before.context is not commit.context or before.record is not None:
            places[call_id] = len(joined)
            joined.append(commit)
        else:
            kept = None if commit.record is not None else commit.kept or before.kept
            joined[at] = CallCommit(commit.context, (*before.facts, *commit.facts), commit.record, kept)
    return joined


def last_kept(commits: list[CallCommit]) -> dict[str, CallCommit]:
    """By call the commit of a group whose `kept` is written: the last one, and none of a call that is over."""
    found: dict[str, CallCommit] = {}
    for commit in commits:
        if commit.kept is not None:
            found[commit.call_id] = commit
        elif commit.record is not None:
            found.pop(commit.call_id, None)
    return found


def live_call(commit: CallCommit, engine_id: str) -> LiveCall:
    """The row of a commit that keeps something."""
    kept = commit.kept
    assert kept is not None, "it is among those of `last_kept`"
    whose = kept.context
    return LiveCall(
        kept.call_id, engine_id, whose.number.account_id, whose.session_id, kept.at, write_call(kept),
        form=kept.version, subaccount_id=whose.number.subaccount_id,
    )  # fmt: skip
