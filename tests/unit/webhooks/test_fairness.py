"""A receiver that hangs, among others that answer: two minutes of webhooks on virtual time."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import replace

import pytest

from maskline.ids import SeededIds
from maskline.storage.memory import MemoryStore
from maskline.webhooks.deliver import Deliverer
from maskline.webhooks.schedule import Fault, TryResult
from maskline.webhooks.send import Answer
from maskline.webhooks.sign import SigningKeys
from tests.support.store_values import outbox_row
from tests.support.virtual_loop import LoopClock, run_virtually

RECEIVERS = 8
SECONDS = 120
EVERY = 0.25
"""Seconds between two webhooks to a receiver."""


class Network:
    """Receivers by the number in their name; those of `hang` answer nothing for 15 s."""

    def __init__(self, clock, hang):
        self._clock = clock
        self._hang = hang
        self.began = defaultdict(list)
        """Receiver → seconds from an event to the beginning of its first try."""
        self.trying = defaultdict(int)
        self.most = defaultdict(int)

    async def send(self, request, headers, rules, *, now):
        receiver = int(request.url.split("//r")[1].split(".")[0])
        made = float(request.body)
        if headers["x-maskline-retry"] == "0":
            self.began[receiver].append(self._clock.wall() - made)
        self.trying[receiver] += 1
        self.most[receiver] = max(self.most[receiver], self.trying[receiver])
        try:
            if receiver in self._hang:
                await asyncio.sleep(15.0)
                return Answer(TryResult(fault=Fault.READ), "no answer in time")
            await asyncio.sleep(0.03 + made % 0.05)
            return Answer(TryResult(200))
        finally:
            self.trying[receiver] -= 1


async def no_keys(account, subaccount):
    return SigningKeys((), ())


async def two_minutes(hang):
    clock, store = LoopClock(), MemoryStore()
    network = Network(clock, hang)
    deliverer = Deliverer(store, network, no_keys, clock, SeededIds(1), spread=lambda: 0.5)
    running = asyncio.create_task(deliverer.run())
    for turn in range(round(SECONDS / EVERY)):
        now = clock.wall()
        for receiver in range(RECEIVERS):
            row = outbox_row(
                f"{turn}-{receiver}", url=f"https://r{receiver}.example/cb", subject=f"{turn}-{receiver}",
                dialect="eight", body=repr(now).encode(), created_at=now, due_at=now,
            )  # fmt: skip
            await store.announce([replace(row, content_type="application/json")])
        deliverer.notify()
        await asyncio.sleep(EVERY)
    deliverer.stop()
    await running
    return network


def p99(network, receivers):
    waits = sorted(wait for receiver in receivers for wait in network.began[receiver])
    assert len(waits) > 0.99 * len(receivers) * SECONDS / EVERY
    return waits[int(0.99 * len(waits))]


@pytest.mark.parametrize("hang", [{0}, {0, 1, 2}])
def test_receivers_that_hang_leave_the_p99_of_the_others_as_it_is(hang):
    others = [receiver for receiver in range(RECEIVERS) if receiver not in hang]
    alone = p99(run_virtually(two_minutes(set())), others)
    beside = run_virtually(two_minutes(hang))
    assert p99(beside, others) == pytest.approx(alone, rel=0.1)
    assert all(beside.most[receiver] <= 10 for receiver in hang)
    assert all(beside.began[receiver] for receiver in hang)
