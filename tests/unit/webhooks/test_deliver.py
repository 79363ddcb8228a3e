"""The deliverer with the in-memory store and a receiver made of answers: what is sent, when, and what is kept."""

from __future__ import annotations

import asyncio
import itertools
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import structlog

from maskline.clock import VirtualClock
from maskline.errors import NotFound, StoreUnavailable
from maskline.ids import SeededIds
from maskline.storage.memory import MemoryStore
from maskline.storage.store import RecordedCall
from maskline.webhooks.deliver import Deliverer, Limits
from maskline.webhooks.schedule import Fault, TryResult
from maskline.webhooks.send import Answer
from maskline.webhooks.sign import SigningKeys, standard_webhooks
from tests.support.store_values import outbox_row

OK = Answer(TryResult(200))
DOWN = Answer(TryResult(fault=Fault.CONNECT), "no connection: refused or unreachable")
KEYS = SigningKeys(("own",), ("main",))


class Network:
    """Receivers by host: a list of answers, the last of which repeats. An Event holds the answer back."""

    def __init__(self, **answers):
        self.answers = answers
        self.sent: list[tuple[str, str, dict[str, str], bytes]] = []
        self.rules = []
        self.now_trying: dict[str, int] = {}
        self.most: dict[str, int] = {}
        self._changed = asyncio.Condition()

    async def send(self, request, headers, rules, *, now):
        host = request.url.split("/")[2].split(".")[0]
        async with self._changed:
            self.sent.append((request.method, request.url, headers, request.body))
            self.rules.append(rules)
            self._changed.notify_all()
        self.now_trying[host] = self.now_trying.get(host, 0) + 1
        self.most[host] = max(self.most.get(host, 0), self.now_trying[host])
        try:
            answers = self.answers.get(host, [OK])
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            if isinstance(answer, asyncio.Event):
                await answer.wait()
                return OK
            if isinstance(answer, Exception):
                raise answer
            return answer
        finally:
            self.now_trying[host] -= 1

    async def reached(self, count, host=""):
        """Wait until `count` requests were sent (to `host`)."""
        async with self._changed:
            await asyncio.wait_for(
                self._changed.wait_for(lambda: len([s for s in self.sent if f"//{host}" in s[1]]) >= count), 10
            )


class World:
    def __init__(self, network, store=None, **limits):
        self.network = network
        self.store = store or MemoryStore()
        self.clock = VirtualClock()
        self.keys_asked = []
        self.keys_wanted = asyncio.Event()
        self.keys_error = None
        self.deliverer = Deliverer(
            self.store, network, self.keys, self.clock, SeededIds(3),
            spread=lambda: 0.5, limits=Limits(**({"window": 0.0, "idle": 0.01, "grace": 1.0} | limits)),
        )  # fmt: skip

    async def keys(self, account_id, subaccount_id):
        self.keys_asked.append((account_id, subaccount_id))
        self.keys_wanted.set()
        if self.keys_error:
            raise self.keys_error
        return KEYS

    async def add(self, *rows):
        now = self.clock.wall()
        rows = [replace(row, due_at=row.due_at or now, created_at=row.created_at or now) for row in rows]
        await self.store.commit_calls([RecordedCall((), row.account_id, (row,)) for row in rows])
        self.deliverer.notify()

    async def row(self, row_id):
        return next(row for row in await self.store.outbox(None, limit=10_000) if row.id == row_id)

    @asynccontextmanager
    async def running(self):
        task = asyncio.create_task(self.deliverer.run())
        try:
            yield self.deliverer
        finally:
            self.deliverer.stop()
            await asyncio.wait_for(task, 30)


def row(row_id, host="fine", **changes):
    base = {
        "url": f"https://{host}.example/cb", "subject": row_id, "dialect": "eight", "due_at": 0.0, "created_at": 0.0,
        "content_type": "application/json", "body": b"{}", "authorization": "",
    }  # fmt: skip
    return outbox_row(row_id, **(base | changes))


async def test_a_due_row_is_sent_once_and_done():
    world = World(Network())
    async with world.running():
        await world.add(row("one", body=b'{"a":1}', authorization="Bearer t"))
        await world.network.reached(1)
    done = await world.row("one")
    assert (done.state, done.last_status, done.attempts) == ("done", 200, 1)
    ((method, url, headers, body),) = world.network.sent
    assert (method, url, body) == ("POST", "https://fine.example/cb", b'{"a":1}')
    assert headers["Authorization"] == "Bearer t"
    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"].startswith("Maskline/")
    assert headers["webhook-id"] == "one"
    assert headers["webhook-timestamp"] == str(int(world.clock.wall()))
    assert world.deliverer.counts == {("eight", "delivered"): 1}
    assert world.keys_asked == []


async def test_a_retry_keeps_id_and_body_and_has_fresh_time_and_signature():
    world = World(Network(shaky=[DOWN, OK]))
    async with world.running():
        await world.add(
            row("one", "shaky", dialect="plivo", body=b"A=1", content_type="application/x-www-form-urlencoded")
        )
        await world.network.reached(1)
        world.clock.advance(2.0)
        await world.network.reached(2)
    (_, _, first, body_1), (_, _, second, body_2) = world.network.sent
    assert body_1 == body_2 == b"A=1"
    assert first["webhook-id"] == second["webhook-id"]
    for header in ("webhook-timestamp", "X-Plivo-Signature-V3", "X-Plivo-Signature-V3-Nonce", "X-Plivo-Signature-V2"):
        assert first[header] != second[header]
    done = await world.row("one")
    assert (done.state, done.attempts, done.last_error) == ("done", 2, "")


@pytest.mark.row("8x8:14/signature")
async def test_a_row_with_a_secret_is_signed_anew_at_each_try_beside_its_authorization():
    secret = "whsec_" + "A" * 32
    world = World(Network(shaky=[DOWN, OK]))
    async with world.running():
        await world.add(row("one", "shaky", body=b'{"a":1}', authorization="Bearer t", secret=secret))
        await world.network.reached(1)
        world.clock.advance(2.0)
        await world.network.reached(2)
    first, second = (headers for _, _, headers, _ in world.network.sent)
    for headers in (first, second):
        at = int(headers["webhook-timestamp"])
        assert headers["webhook-signature"] == standard_webhooks(secret, "one", at, b'{"a":1}')
        assert headers["Authorization"] == "Bearer t"
    assert first["webhook-signature"] != second["webhook-signature"]


@pytest.mark.parametrize("dialect", ["eight", "wavecell", "native"])
async def test_each_try_says_its_event_and_how_many_tries_came_before(dialect):
    world = World(Network(shaky=[DOWN, DOWN, OK]))
    async with world.running():
        await world.add(row("one", "shaky", dialect=dialect, sequence=17))
        for tries, pause in ((1, 6.0), (2, 360.0), (3, 0.0)):
            await world.network.reached(tries)
            world.clock.advance(pause)
    told = [headers for _, _, headers, _ in world.network.sent]
    assert [headers["x-maskline-retry"] for headers in told] == ["0", "1", "2"]
    assert {(headers["x-maskline-event-id"], headers["x-maskline-sequence"]) for headers in told} == {("one", "17")}
    assert not [headers for headers in told if "webhook-signature" in headers], "it has no secret"


async def test_a_plivo_event_has_no_headers_of_the_other_dialects():
    world = World(Network())
    async with world.running():
        await world.add(row("one", dialect="plivo", body=b"A=1"))
        await world.network.reached(1)
    ((_, _, headers, _),) = world.network.sent
    assert not [name for name in headers if name.startswith("x-maskline") or name == "webhook-signature"]


async def test_a_plivo_get_is_signed_over_its_query_and_has_no_content_type():
    world = World(Network())
    async with world.running():
        await world.add(row("one", dialect="plivo", method="GET", url="https://fine.example/cb?x=1#rc=0", body=b"A=1"))
        await world.network.reached(1)
    ((method, url, headers, body),) = world.network.sent
    assert (method, url, body) == ("GET", "https://fine.example/cb?x=1&A=1", b"")
    assert "Content-Type" not in headers
    assert headers["X-Plivo-Signature-Ma-V3"]


@pytest.mark.row("7.4/ct", "7.4/rt", "7.4/tt", "7.4/fragment is stripped")
async def test_time_outs_of_the_url_hold_for_its_tries_and_are_not_sent():
    world = World(Network())
    async with world.running():
        await world.add(row("one", dialect="plivo", url="https://fine.example/cb#ct=500&rt=2000&tt=9000", body=b"A=1"))
        await world.network.reached(1)
    (rules,) = world.network.rules
    assert (rules.connect, rules.total) == (0.5, 2.0)
    assert world.network.sent[0][1] == "https://fine.example/cb"


@pytest.mark.row("7.4/rc", "7.4/rp")
@pytest.mark.parametrize(
    ("fragment", "answer", "tries"),
    [
        ("rc=2&rp=5xx", Answer(TryResult(503), "HTTP 503"), 3),
        ("rc=2&rp=ct", Answer(TryResult(503), "HTTP 503"), 1),
        ("rc=2", DOWN, 3),
        ("rc=0", DOWN, 1),
    ],
)
async def test_retries_of_the_url_are_kept_to_and_then_it_has_failed(fragment, answer, tries):
    world = World(Network(dead=[answer]))
    async with world.running():
        await world.add(row("one", "dead", dialect="plivo", url=f"https://dead.example/cb#{fragment}", body=b"A=1"))
        for sent in range(1, tries + 1):
            await world.network.reached(sent)
            world.clock.advance(5.0)
            world.deliverer.notify()
    kept = await world.row("one")
    assert (kept.state, kept.attempts, len(world.network.sent)) == ("failed", tries, tries)


async def test_a_failed_try_is_due_again_at_the_time_of_the_schedule():
    world = World(Network(dead=[DOWN]))
    async with world.running():
        await world.add(row("one", "dead"))
        await world.network.reached(1)
    kept = await world.row("one")
    assert (kept.state, kept.due_at, kept.last_status) == ("due", world.clock.wall() + 1.0, None)
    assert kept.last_error == "no connection: refused or unreachable"


async def test_the_first_failure_of_a_receiver_in_a_minute_is_a_warning_without_path_and_query():
    world = World(Network(dead=[DOWN], away=[DOWN]))
    with structlog.testing.capture_logs() as lines:
        async with world.running():
            await world.add(row("one", "dead", url="https://dead.example/secret?n=6591178965"), row("two", "dead"))
            await world.network.reached(2)
            await world.add(row("other", "away"))
            await world.network.reached(3)
            world.clock.advance(61.0)
            world.deliverer.notify()
            await world.network.reached(6)
    retried = [line for line in lines if line["event"] == "webhook_retried" and line["log_level"] == "warning"]
    assert sorted(line["receiver"] for line in retried) == 2 * ["https://away.example"] + 2 * ["https://dead.example"]
    assert retried[0]["error"] == "no connection: refused or unreachable"
    assert "secret" not in str(lines)
    assert "6591178965" not in str(lines)


async def test_a_row_that_is_given_up_is_kept_as_failed_with_the_reason():
    world = World(Network(gone=[Answer(TryResult(410), "HTTP 410")]))
    with structlog.testing.capture_logs() as lines:
        async with world.running():
            await world.add(row("one", "gone", url="https://gone.example/secret?n=6591178965"), row("two", "gone"))
            await world.network.reached(2)
    kept = await world.row("one")
    assert (kept.state, kept.last_status) == ("failed", 410)
    assert kept.last_error == "HTTP 410; gone: the receiver wants no more of this (410)"
    failed = [line for line in lines if line["event"] == "webhook_failed"]
    assert len(failed) == 1, "one line per receiver and minute"
    assert failed[0]["receiver"] == "https://gone.example"
    assert "secret" not in str(lines)


async def test_events_of_one_call_arrive_in_order_one_at_a_time():
    held = asyncio.Event()
    world = World(Network(slow=[held, OK]))
    async with world.running():
        await world.add(*(row(f"row-{i}", "slow", subject="call", sequence=i, body=b"%d" % i) for i in (1, 2, 3)))
        await world.network.reached(1)
        assert world.deliverer.tries == 1
        held.set()
        await world.network.reached(3)
    assert [body for *_, body in world.network.sent] == [b"1", b"2", b"3"]
    assert world.network.most["slow"] == 1


async def test_a_dead_receiver_does_not_delay_the_others():
    """400 rows for a receiver that never answers stand before 12 for one that does; those go through at once."""
    never = asyncio.Event()
    world = World(Network(dead=[never]), slots=4, queue=8, batch=16, grace=0.0)
    async with world.running():
        await world.add(*(row(f"dead-{i}", "dead") for i in range(400)))
        await world.network.reached(1, "dead")
        await world.add(*(row(f"fine-{i}") for i in range(12)))
        await world.network.reached(12, "fine")
        assert world.network.most["dead"] == 4
    assert world.deliverer.counts["eight", "delivered"] == 12
    given_back = await world.row("dead-399")
    assert (given_back.state, given_back.attempts) == ("due", 0)


async def test_a_burst_for_one_receiver_goes_through_its_slots():
    world = World(Network(), slots=3, queue=5, batch=50)
    async with world.running():
        await world.add(*(row(f"row-{i}") for i in range(40)))
        for sent in range(8, 41, 8):  # 3 slots and 5 queued, then what was given back as its time comes
            await world.network.reached(sent)
            world.clock.advance(60.0)
            world.deliverer.notify()
    assert len({headers["webhook-id"] for _, _, headers, _ in world.network.sent}) == 40
    assert world.network.most["fine"] <= 3
    assert {kept.state for kept in await world.store.outbox(None, limit=100)} == {"done"}


async def test_rows_of_one_lease_are_begun_a_few_in_each_turn_of_the_loop():
    class Watched(Network):
        def __init__(self):
            super().__init__()
            self.turn, self.begun = 0, []

        async def send(self, *what, **more):
            self.begun.append(self.turn)
            return await super().send(*what, **more)

        async def count(self):
            while True:
                self.turn += 1
                await asyncio.sleep(0)

    network = Watched()
    world = World(network, at_once=2)
    counting = asyncio.create_task(network.count())
    async with world.running():
        await world.add(*[row(f"r{number}", f"h{number}") for number in range(10)])
        await network.reached(10)
    counting.cancel()
    assert max(network.begun.count(turn) for turn in network.begun) == 2


async def test_the_number_of_tries_in_all_is_bounded():
    held = asyncio.Event()
    world = World(Network(**{f"h{i}": [held] for i in range(6)}), tries=4, batch=10)
    async with world.running():
        await world.add(*(row(f"row-{i}", f"h{i}") for i in range(6)))
        await world.network.reached(4)
        assert world.deliverer.tries == 4
        held.set()
        await world.network.reached(6)
    assert world.deliverer.counts["eight", "delivered"] == 6


async def test_a_stop_gives_back_what_was_not_begun_and_what_does_not_end():
    never = asyncio.Event()
    world = World(Network(dead=[never]), slots=1, queue=5, grace=0.0)
    async with world.running():
        await world.add(row("begun", "dead"), row("queued", "dead"))
        await world.network.reached(1)
    begun, queued = await world.row("begun"), await world.row("queued")
    assert (begun.state, begun.attempts, begun.last_error) == ("due", 1, "stopped during the try")
    (attempt,) = await world.store.attempts("begun")
    assert (attempt.number, attempt.status, attempt.fault, attempt.at) == (1, None, "stopped", world.clock.wall())
    assert await world.store.attempts("queued") == []
    assert (queued.state, queued.attempts) == ("due", 0)
    assert world.deliverer.tries == 0


async def test_a_stop_waits_for_a_try_that_ends_in_time():
    held = asyncio.Event()
    world = World(Network(slow=[held]), slots=1)
    async with world.running() as deliverer:
        await world.add(row("one", "slow"), row("two", "slow"))
        await world.network.reached(1)
        deliverer.stop()
        asyncio.get_running_loop().call_soon(held.set)
    assert (await world.row("one")).state == "done"
    assert (await world.row("two")).state == "due"


async def test_a_store_that_goes_away_delays_results_and_loses_none():
    class Away(MemoryStore):
        failures = 3

        async def finish_outbox(self, owner, deliveries, *, now):
            if Away.failures:
                Away.failures -= 1
                raise StoreUnavailable
            return await super().finish_outbox(owner, deliveries, now=now)

    world = World(Network(), Away())
    with structlog.testing.capture_logs() as lines:
        async with world.running():
            await world.add(row("one"))
            await world.network.reached(1)
            await world.add(row("two", "other"))
            await world.network.reached(2)
    assert [(await world.row(name)).state for name in ("one", "two")] == ["done", "done"]
    assert [line["event"] for line in lines] == ["deliverer_delayed", "deliverer_resumed"]


async def test_a_store_that_is_away_at_the_end_leaves_rows_to_their_leases():
    class Gone(MemoryStore):
        async def finish_outbox(self, owner, deliveries, *, now):
            raise StoreUnavailable

    world = World(Network(), Gone())
    async with world.running():
        await world.add(row("one"))
        await world.network.reached(1)
    assert (await world.row("one")).state == "leased"


async def test_a_lost_lease_is_told_and_nothing_else_happens():
    class Taken(MemoryStore):
        async def finish_outbox(self, owner, deliveries, *, now):
            return [False for _ in deliveries]

    world = World(Network(), Taken())
    with structlog.testing.capture_logs() as lines:
        async with world.running():
            await world.add(row("one"))
            await world.network.reached(1)
    assert ("webhook_lease_lost", 1) in [(line["event"], line.get("count")) for line in lines]


async def test_a_row_whose_lease_ends_while_it_waits_is_given_back_untried():
    held = asyncio.Event()
    world = World(Network(slow=[held, OK]), slots=1, queue=5)
    async with world.running():
        await world.add(row("one", "slow"), row("two", "slow"))
        await world.network.reached(1)
        world.clock.advance(119.0)
        held.set()
        await world.network.reached(2)
    assert len(world.network.sent) == 2
    assert (await world.row("two")).attempts == 1


async def test_a_row_leased_to_us_again_while_we_hold_it_is_not_sent_twice():
    held = asyncio.Event()
    world = World(Network(slow=[held, OK]))
    async with world.running():
        await world.add(row("one", "slow"))
        await world.network.reached(1)
        world.clock.advance(121.0)
        await world.add(row("mark"))
        await world.network.reached(1, "fine")
        held.set()
    assert len([sent for sent in world.network.sent if "slow" in sent[1]]) == 1
    assert (await world.row("one")).state == "done"


@pytest.mark.parametrize(
    ("error", "state", "attempts", "text"),
    [
        (NotFound(), "failed", 1, "the account is gone"),
        (StoreUnavailable(), "due", 0, ""),
        (RuntimeError("with 6591178965 in it"), "due", 1, "internal error: RuntimeError"),
    ],
)
async def test_keys_that_cannot_be_had(error, state, attempts, text):
    world = World(Network())
    world.keys_error = error
    async with world.running():
        await world.add(row("one", dialect="plivo"))
        await asyncio.wait_for(world.keys_wanted.wait(), 30)
    kept = await world.row("one")
    assert (kept.state, kept.attempts, kept.last_error) == (state, attempts, text)
    assert world.network.sent == []


async def test_rows_due_later_are_waited_for():
    world = World(Network())
    async with world.running():
        await world.add(row("later", due_at=world.clock.wall() + 5.0))
        await world.add(row("now"))
        await world.network.reached(1)
        assert world.network.sent[0][2]["webhook-id"] == "now"
        world.clock.advance(6.0)
        await world.network.reached(2)
    assert (await world.row("later")).state == "done"


async def test_rows_that_another_deliverer_takes_are_asked_for_again_after_a_moment():
    class Contended(MemoryStore):
        asked = taken = 0

        async def lease_outbox(self, owner, *, now, until, limit):
            self.asked += 1
            rows = [] if self.asked == 1 else await super().lease_outbox(owner, now=now, until=until, limit=limit)
            self.taken = self.taken or (self.asked if rows else 0)
            return rows

    world = World(Network(), Contended())
    async with world.running():
        await world.add(row("one"))
        await world.network.reached(1)
    assert world.store.taken == 2


async def test_results_are_written_before_new_rows_are_taken_and_a_store_that_fails_between_loses_neither():
    class Half(MemoryStore):
        failures = 1
        order: list[str] = []

        async def finish_outbox(self, owner, deliveries, *, now):
            self.order.append("finish")
            return await super().finish_outbox(owner, deliveries, now=now)

        async def lease_outbox(self, owner, *, now, until, limit):
            self.order.append("lease")
            if self.failures and len(self.order) > 2:
                self.failures -= 1
                raise StoreUnavailable
            return await super().lease_outbox(owner, now=now, until=until, limit=limit)

    world = World(Network(), Half())
    async with world.running():
        await world.add(row("one"))
        await world.network.reached(1)
        await world.add(row("two"))
        await world.network.reached(2)
    assert Half.order[:3] == ["lease", "finish", "lease"]
    assert [(await world.row(name)).attempts for name in ("one", "two")] == [1, 1]
    assert [(await world.row(name)).state for name in ("one", "two")] == ["done", "done"]


@pytest.mark.parametrize(("hangs", "queue", "asked"), [(False, 60, [4, 8, 16, 16]), (True, 8, [4, 8, 4, 4])])
async def test_a_lease_has_more_rows_where_receivers_wait_for_them_and_few_where_they_are_given_back(
    hangs, queue, asked
):
    class Asked(MemoryStore):
        limits: list[int] = []

        async def lease_outbox(self, owner, *, now, until, limit):
            self.limits.append(limit)
            if len(self.limits) == 4:
                often.set()
            return await super().lease_outbox(owner, now=now, until=until, limit=limit)

    Asked.limits = []
    held, often = asyncio.Event(), asyncio.Event()
    world = World(Network(fine=[held] if hangs else [OK]), Asked(), batch=4, most=16, slots=2, queue=queue)
    async with world.running():
        await world.add(*(row(str(i)) for i in range(60)))
        await asyncio.wait_for(often.wait(), 10)
        held.set()
    assert Asked.limits[:4] == asked


async def test_an_idle_deliverer_only_reads():
    looks = asyncio.Event()

    class Watched(MemoryStore):
        looked = 0

        async def next_outbox_due(self):
            Watched.looked += 1
            if Watched.looked == 3:
                looks.set()
            return await super().next_outbox_due()

        async def lease_outbox(self, owner, *, now, until, limit):
            raise AssertionError("nothing is due")

    world = World(Network(), Watched())
    async with world.running():
        await world.add(row("later", due_at=world.clock.wall() + 0.02))
        await asyncio.wait_for(looks.wait(), 30)


async def test_a_row_whose_deliverer_died_is_sent_when_its_lease_is_over():
    world = World(Network())
    await world.add(row("one"))
    now = world.clock.wall()
    await world.store.lease_outbox("the dead one", now=now, until=now + 120, limit=10)
    async with world.running():
        world.clock.advance(119.0)
        await world.add(row("mark", "other"))
        await world.network.reached(1, "other")
        assert len(world.network.sent) == 1
        world.clock.advance(2.0)
        await world.network.reached(1, "fine")
    assert ((await world.row("one")).state, (await world.row("one")).attempts) == ("done", 1)
    assert world.network.sent[1][2]["x-maskline-retry"] == "0"


async def test_a_row_with_a_secret_is_signed_with_what_its_endpoint_has_now():
    world = World(Network())
    asked = []

    async def secrets(row):
        asked.append(row.id)
        return "whsec_" + "B" * 32

    world.deliverer = Deliverer(
        world.store, world.network, world.keys, world.clock, SeededIds(3), secrets, limits=Limits(window=0.0, idle=0.01)
    )
    async with world.running():
        await world.add(row("signed", secret="whsec_" + "A" * 32), row("plain"))
        await world.network.reached(2)
    assert asked == ["signed"]
    headers = {sent[2]["webhook-id"]: sent[2] for sent in world.network.sent}
    made = int(headers["signed"]["webhook-timestamp"])
    assert headers["signed"]["webhook-signature"] == standard_webhooks("whsec_" + "B" * 32, "signed", made, b"{}")
    assert "webhook-signature" not in headers["plain"]


async def test_a_row_that_no_deliverer_survives_stops_after_its_last_try():
    """Who takes it dies; after three of them in turn it counts as tried by the next, which does not send it."""
    world = World(Network())
    await world.add(row("poison"))
    for tries in range(1, 6):
        for _ in range(3):
            now = world.clock.wall()
            assert await world.store.lease_outbox("a dead one", now=now, until=now + 120, limit=10)
            world.clock.advance(121.0)
        another = World(world.network, world.store)
        another.clock.advance(world.clock.now() - another.clock.now())
        async with another.running():
            await another.add(row(f"mark-{tries}", "other"))
            await world.network.reached(tries)
        world.clock.advance(121.0)
    kept = await world.row("poison")
    assert (kept.state, kept.attempts, kept.last_error) == ("failed", 5, "its deliverers died; all tries used up")
    assert {sent[1] for sent in world.network.sent} == {"https://other.example/cb"}
    tries = await world.store.attempts("poison")
    assert [(one.number, one.fault) for one in tries] == [(i, "lost") for i in range(1, 6)]


async def test_rows_that_were_lost_together_are_apart_then():
    world = World(Network())
    await world.add(row("one"), row("two"), row("mark"))
    world.store._outbox.rows |= {name: replace(await world.row(name), leases=3) for name in ("one", "two")}
    asked = itertools.count()
    world.deliverer._spread = lambda: next(asked) / 10
    async with world.running():
        await world.network.reached(1)
    first, second = [(await world.row(name)).due_at - world.clock.wall() for name in ("one", "two")]
    assert abs(first - second) >= 6.0
    assert min(first, second) >= 1.0 and max(first, second) <= 61.0
    assert world.deliverer.counts["eight", "retried"] == 2


async def test_each_try_is_kept_with_what_the_receiver_said_without_numbers():
    refused = Answer(TryResult(500), "HTTP 500", b"who is +6591234567?")
    world = World(Network(fine=[refused, DOWN, OK]))
    async with world.running():
        await world.add(row("one"))
        await world.network.reached(1)
        for count in (2, 3):
            world.clock.advance(60.0)
            world.deliverer.notify()
            await world.network.reached(count)
    kept = await world.store.attempts("one")
    assert [(one.number, one.status, one.fault, one.answer) for one in kept] == [
        (1, 500, "", "who is ••••67?"), (2, None, "connect", ""), (3, 200, "", "")
    ]  # fmt: skip
    assert [one.at - kept[0].at for one in kept] == [0.0, 60.0, 120.0]


async def test_nothing_is_sent_to_a_disabled_endpoint_and_all_of_it_is_held_until_it_is_replayed():
    world = World(Network(gone=[Answer(TryResult(410), "HTTP 410"), OK]))
    async with world.running():
        await world.add(row("first", "gone"))
        await world.network.reached(1)
        world.clock.advance(2.0)
        await world.add(row("second", "gone"), row("mark"))
        await world.network.reached(1, "fine")
    assert (await world.row("first")).state == "failed"
    held = await world.row("second")
    assert (held.state, held.attempts, len(world.network.sent)) == ("held", 0, 2)
    assert world.deliverer.counts["eight", "held"] == 1
    (endpoint,) = await world.store.failing_endpoints()
    await world.store.enable_endpoint(endpoint.id)
    for row_id in ("first", "second"):
        await world.store.replay_outbox(row_id, world.clock.wall())
    again = World(world.network, world.store)
    again.clock.advance(10.0)
    async with again.running():
        await world.network.reached(4)
    replays = {sent[2]["webhook-id"]: sent[2].get("x-maskline-replay") for sent in world.network.sent[2:]}
    assert replays == {"first": "1", "second": None}
    assert [one.number for one in await world.store.attempts("first")] == [1, 2]
