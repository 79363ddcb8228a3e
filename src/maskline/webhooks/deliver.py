"""The deliverer: takes due webhooks from the outbox, tries them, writes back what became of them.

What it is: the loop around lease → lanes → try → result. Webhooks are sent at least once: a row is leased for
a time, its result is written by compare-and-set on the lease, and a row whose deliverer died is due again when
its lease is over. What it is not: rules; `schedule.py` says when, `sign.py` how, `net/egress.py` where to, `lanes.py`
how many at once. Who uses it: `app.py` runs it, the recorder calls `notify()` after each commit.

Id and body are the same at each try; timestamp, nonce and signature are fresh. No log line carries more of a URL
than scheme, host and port: a query or path may hold numbers or secrets.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from maskline.clock import Clock
from maskline.errors import NotFound, StoreUnavailable
from maskline.ids import Ids
from maskline.storage.store import Delivery, OutboxRow, Store
from maskline.storage.webhook_store import Attempt, EndpointOutbox, tell_nobody
from maskline.webhooks.health import EndpointHealth
from maskline.webhooks.lanes import Lanes, lane_key, lane_of
from maskline.webhooks.redact import attempt_of
from maskline.webhooks.schedule import (
    CallbackRules,
    Done,
    Fault,
    RetryAt,
    TryResult,
    most_tries,
    next_try,
    read_rules,
)
from maskline.webhooks.send import Answer
from maskline.webhooks.sign import (
    Request,
    SigningKeys,
    build_request,
    decimal_nonce,
    event_headers,
    own_headers,
    plivo_headers,
)

_log = structlog.get_logger("maskline.deliver")
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 5.0
_CONTENDED = 0.1
_MOST_LEASES = 3
"""Of a row until a try of it ended; it may be the one that its deliverers died of."""
_APART = 60.0
"""Seconds over which rows are spread that were lost together."""


class Sender(Protocol):
    """What the deliverer needs of `send.WebhookSender`."""

    async def send(self, request: Request, headers: dict[str, str], rules: CallbackRules, *, now: float) -> Answer: ...


Keys = Callable[[str, str | None], Awaitable[SigningKeys]]
"""Account, subaccount → tokens; `keys.StoreKeys`."""
Secrets = Callable[[OutboxRow], Awaitable[str]]
"""A row that has a secret → the one to sign with now; `keys.StoreSecrets`."""


async def own_secret(row: OutboxRow) -> str:
    """The one that was the endpoint's when the row was written."""
    return row.secret


@dataclass(frozen=True, slots=True)
class Limits:
    slots: int = 8
    """First tries at a time to one receiver."""
    few: int = 2
    """Retries at a time to one receiver; and either, while it is slow."""
    queue: int = 32
    """Rows held in memory behind them, until the receiver is known to be fast."""
    tries: int = 1024
    """Tries at a time in all: bounds sockets."""
    trial: int = 256
    """Of them for the receivers of one account that hang, or are not known yet."""
    batch: int = 256
    """Rows per lease."""
    most: int = 1024
    """The same where receivers are through with a batch before the next is there: the store is slow then, not they."""
    at_once: int = 4
    """Tries begun in one turn of the loop, which calls share: each is signed and written then, some 0.1 ms."""
    lease: float = 120.0
    """Seconds; more than a queued row may wait and be tried (32 rows / 8 slots at 15 s, + 55 s); what waited longer
    is given back untried."""
    window: float = 0.020
    """Seconds from round to round, to gather results and new rows: each is a transaction, whatever it holds."""
    idle: float = 1.0
    """Longest sleep; rows that other processes add (a replay by the CLI) are seen by then."""
    grace: float = 5.0
    """Seconds that a stop waits for tries going on."""
    log_every: float = 60.0
    """Seconds between two lines on webhooks that failed, or were given up, for the same receiver."""


class Deliverer:
    """Run `run()` as a task; `stop()` makes it return after a short grace. Counters are for metrics."""

    def __init__(
        self,
        store: Store,
        sender: Sender,
        keys: Keys,
        clock: Clock,
        ids: Ids,
        secrets: Secrets = own_secret,
        *,
        tell: EndpointOutbox = tell_nobody,
        spread: Callable[[], float] = random.random,
        limits: Limits = Limits(),
    ) -> None:
        """`tell` says of each endpoint that is disabled what is told with that."""
        self._store = store
        self._sender = sender
        self._keys = keys
        self._secrets = secrets
        self._clock = clock
        self._ids = ids
        self._spread = spread
        self._limits = limits
        self.owner = ids.uuid()
        """Set it before the start: by it is known whose leases these are when the process dies."""
        self.health = EndpointHealth(store, clock, tell)
        self._lanes = Lanes(limits.slots, limits.queue, limits.few, limits.trial)
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: set[str] = set()
        """Ids of rows in the lanes. A lease that ended while its row waited may be given to us again."""
        self._results: list[Delivery] = []
        self._wake = asyncio.Event()
        self._stopping = False
        self._pause = 0.0
        self._batch = limits.batch
        """Rows of the next lease."""
        self._logged: dict[tuple[str, str], float] = {}
        """(event, receiver) → when it was last written at warning."""
        self.counts: Counter[tuple[str, str]] = Counter()
        """(dialect, `delivered` | `retried` | `failed` | `given_back` | `held`) → how many, since the start."""

    @property
    def tries(self) -> int:
        """Tries going on."""
        return self._lanes.tries

    def notify(self) -> None:
        """New rows may be due; cheap, call it after every commit."""
        self._wake.set()

    def stop(self) -> None:
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        try:
            while not self._stopping:
                self._wake.clear()
                began = self._clock.now()
                await self._rest(await self._round(), began)
        finally:
            await self._finish()

    async def _rest(self, seconds: float, began: float) -> None:
        """`began`: of the round before; one that took as long as the window has gathered enough for the next."""
        if seconds > 0 and not self._stopping:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._wake.wait()
            began = self._clock.now()
        if not self._stopping:
            await asyncio.sleep(max(0.0, began + self._limits.window - self._clock.now()))

    async def _round(self) -> float:
        """One look at the outbox; returns the seconds until the next, if nobody wakes us before."""
        try:
            await self.health.settle()
            wait = await self._exchange()
        except StoreUnavailable:
            if not self._pause:
                _log.warning("deliverer_delayed", results=len(self._results))
            self._pause = min(max(2 * self._pause, _FIRST_PAUSE), _LONGEST_PAUSE)
            # A wake-up must not turn the pause into a busy loop.
            await asyncio.sleep(self._pause)
            return 0.0
        if self._pause:
            self._pause = 0.0
            _log.info("deliverer_resumed")
        return wait

    async def _exchange(self) -> float:
        """Write back what came of tries and take due rows, in one transaction where there is both to do; returns the
        seconds until more may be due."""
        limits, now = self._limits, self._clock.wall()
        if self._pause:  # nothing new before it is known that results can be written
            await self._write_back(now)
        free = min(self._batch, limits.tries - self._lanes.tries)
        if free <= 0:
            await self._write_back(now)
            return limits.idle  # the end of any try wakes us
        if self._results:
            # In this order: what waited behind a row that is finished now is due, and taken with the rest.
            ended = await asyncio.gather(self._write_back(now), self._take(now, free), return_exceptions=True)
            for error in ended:
                if isinstance(error, BaseException):
                    raise error
            return 0.0
        due = await self._store.next_outbox_due()  # a read; leasing writes, which an idle deliverer should not
        if due is None or due > now:
            return limits.idle if due is None else min(due - now, limits.idle)
        # Nothing, though something was due: another deliverer was faster, and may be so again.
        return 0.0 if await self._take(now, free) else _CONTENDED

    async def _take(self, now: float, free: int) -> int:
        """Lease rows that are due and start them; returns how many."""
        limits = self._limits
        rows = await self._store.lease_outbox(self.owner, now=now, until=now + limits.lease, limit=free)
        if len(rows) == free and self._lanes.queued < free:
            self._batch = min(2 * self._batch, limits.most)
        for position, row in enumerate(rows, 1):
            self._place(row, now)
            if position % limits.at_once == 0:
                await asyncio.sleep(0)
        return len(rows)

    def _place(self, row: OutboxRow, now: float) -> None:
        if row.id in self._held:
            return
        if self.health.holds(row):
            self._hold(row)
            return
        key = lane_key(row)
        later = self._lanes.place(key, row, now)
        if later is not None:
            self._give_back(row, later)
            return
        self._held.add(row.id)
        if (started := self._lanes.starts(key)) is not None:
            task = asyncio.create_task(self._work(key, started))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _give_back(self, row: OutboxRow, due_at: float) -> None:
        self.counts[row.dialect, "given_back"] += 1
        self._batch = self._limits.batch
        self._results.append(Delivery(row.id, "due", due_at, tried=False))
        self._wake.set()

    def _hold(self, row: OutboxRow) -> None:
        self.counts[row.dialect, "held"] += 1
        self._results.append(Delivery(row.id, "held", self._clock.wall(), tried=False))
        self._wake.set()

    async def _work(self, key: str, row: OutboxRow | None) -> None:
        """One slot of a lane: try row after row until none waits."""
        while row is not None:
            began = self._clock.now()
            try:
                self._results.append(await self._try_once(row))
            finally:
                self._held.discard(row.id)
                self._lanes.ends(key, self._clock.now() - began)
                self._wake.set()
            row = None if self._stopping else self._lanes.starts(key)

    async def _try_once(self, row: OutboxRow) -> Delivery:
        rules = read_rules(row.url) if row.dialect == "plivo" else CallbackRules()
        if row.attempts >= most_tries(row.dialect, rules):
            return self._give_up(row, None, row.last_error, "its tries ended without a result")
        if row.leases > _MOST_LEASES:
            return self._lost(row, rules)
        if self._clock.wall() + rules.total > row.due_at:  # a leased row's due_at is the end of its lease
            return Delivery(row.id, "due", self._clock.wall(), tried=False)
        at, began = self._clock.wall(), self._clock.now()
        try:
            answer = await self._send(row, rules)
        except asyncio.CancelledError:
            # It may have arrived or not: at least once means that it is sent again.
            attempt = attempt_of(row, at, self._clock.now() - began, TryResult(fault=Fault.STOPPED))
            stopped = Delivery(row.id, "due", self._clock.wall(), error="stopped during the try", attempt=attempt)
            self._results.append(stopped)
            raise
        except NotFound:
            return Delivery(row.id, "failed", self._clock.wall(), error="the account is gone")
        except StoreUnavailable:
            return Delivery(row.id, "due", self._clock.wall() + 1.0, tried=False)
        except Exception as error:  # noqa: BLE001 - the edge of a task: a bug here must not lose the row
            _log.error("webhook_try_broken", id=row.id, error=type(error).__name__)
            answer = Answer(TryResult(fault=Fault.CONNECT), f"internal error: {type(error).__name__}")
        self.health.saw(row, answer.result)
        attempt = attempt_of(row, at, self._clock.now() - began, answer.result, answer.body)
        return self._judge(row, rules, answer, attempt)

    def _lost(self, row: OutboxRow, rules: CallbackRules) -> Delivery:
        """Counts as a try, so that a row which kills its deliverer ends, and one that was only beside it does not stay
        there."""
        answer = Answer(TryResult(fault=Fault.LOST), "its deliverers died")
        done = self._judge(row, rules, answer, attempt_of(row, self._clock.wall(), 0.0, answer.result))
        return done if done.state != "due" else replace(done, due_at=done.due_at + self._spread() * _APART)

    async def _send(self, row: OutboxRow, rules: CallbackRules) -> Answer:
        request = build_request(row.method, row.url, row.body)
        now = self._clock.wall()
        secret = await self._secrets(row) if row.secret else ""
        headers = event_headers(row.id, int(now), request.body, row.authorization, secret)
        if request.method != "GET":
            headers["Content-Type"] = row.content_type
        if row.dialect == "plivo":
            keys = await self._keys(row.account_id, row.subaccount_id)
            headers |= plivo_headers(request, keys, decimal_nonce(self._ids.token(16)))
        else:
            headers |= own_headers(row.id, row.attempts)
            headers["x-maskline-sequence"] = str(row.sequence)
        if row.replayed:
            headers["x-maskline-replay"] = str(row.replayed)
        return await self._sender.send(request, headers, rules, now=now)

    def _judge(self, row: OutboxRow, rules: CallbackRules, answer: Answer, attempt: Attempt) -> Delivery:
        now = self._clock.wall()
        status = answer.result.status
        step = next_try(row.attempts + 1, answer.result, row.dialect, self._spread(), now, rules)
        if isinstance(step, Done):
            self.counts[row.dialect, "delivered"] += 1
            return Delivery(row.id, "done", now, status, attempt=attempt)
        if isinstance(step, RetryAt):
            self.counts[row.dialect, "retried"] += 1
            self._log_retried(row, answer.error, step.at)
            return Delivery(row.id, "due", step.at, status, answer.error, attempt=attempt)
        return self._give_up(row, status, answer.error, step.reason, attempt)

    def _give_up(
        self, row: OutboxRow, status: int | None, error: str, reason: str, attempt: Attempt | None = None
    ) -> Delivery:
        self.counts[row.dialect, "failed"] += 1
        self._log_failed(row, error, reason)
        said = f"{error}; {reason}" if error else reason
        return Delivery(row.id, "failed", self._clock.wall(), status, said, attempt=attempt)

    def _log_retried(self, row: OutboxRow, error: str, at: float) -> None:
        name = lane_of(row.url)
        shown = {"id": row.id, "receiver": name, "attempt": row.attempts + 1, "error": error, "at": at}
        if self._first_of("webhook_retried", name):
            _log.warning("webhook_retried", **shown)
        else:
            _log.debug("webhook_retried", **shown)

    def _log_failed(self, row: OutboxRow, error: str, reason: str) -> None:
        name = lane_of(row.url)
        if self._first_of("webhook_failed", name):
            _log.warning(
                "webhook_failed", id=row.id, account=row.account_id, receiver=name, event_name=row.event,
                attempts=row.attempts + 1, error=error, reason=reason,
            )  # fmt: skip

    def _first_of(self, event: str, name: str) -> bool:
        """Whether `event` is the first of its receiver in this minute: a receiver that is away would else fill the
        log with its backlog."""
        now = self._clock.now()
        if now - self._logged.get((event, name), float("-inf")) < self._limits.log_every:
            return False
        self._logged = {key: at for key, at in self._logged.items() if now - at < self._limits.log_every}
        self._logged[event, name] = now
        return True

    async def _write_back(self, now: float) -> None:
        if not self._results:
            return
        results = self._results[:]
        kept = await self._store.finish_outbox(self.owner, results, now=now)
        del self._results[: len(results)]  # only once written; new ones came behind them
        if not all(kept):
            _log.warning("webhook_lease_lost", count=kept.count(False))

    async def _finish(self) -> None:
        """Give back what was not begun, wait a little for what was, and write all of it."""
        for row in self._lanes.drain():
            self._give_back(row, self._clock.wall())
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=self._limits.grace)
        left = set(self._tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        try:
            await self._write_back(self._clock.wall())
            await self.health.settle(at_once=True)
        except StoreUnavailable:
            # Nothing is lost: these leases end by themselves, and the rows are sent again.
            _log.warning("deliverer_delayed", results=len(self._results))
