"""250 calls a second whose way the customer's own application decides: none is lost, and at 100 it is asked in time.

The aim is 500 a second; 400 pass on a quiet machine of two cores, where 500 fill one (docs/topics/performance.md).

SIPp calls, `tools/web_receiver.py` is the application: it answers a Voice Call Action for each call and takes the
summary of each. `make bench-vca` shows how much of a core that takes.
"""

from __future__ import annotations

import shutil
from argparse import Namespace
from pathlib import Path

import pytest

from tests.support.hypervisor import Taken
from tools.bench_vca import ACTION, SUMMARY, Receiver, Run, missing_of, provide, receiving, run
from tools.sip_load import Server, drive, serving
from tools.sip_wire import asking_delays, can_capture, percentile, steady_percentile

pytestmark = [
    pytest.mark.wire,
    pytest.mark.load,
    pytest.mark.skipif(shutil.which("sipp") is None, reason="sipp is not installed (Debian: sip-tester)"),
]

ATTEMPTS = 3
"""Another program on the machine can make calls late and never makes them early: the best of three runs is ours."""
MANY, FEW = 250, 100
"""Calls a second: without loss; and answered in time."""
SECONDS = 4
PROMISE_MS = 5.0
"""What we may add to the application's own time, in 99 of 100 calls."""


@pytest.mark.timeout(120 + 30 * ATTEMPTS)
def test_no_call_and_no_webhook_is_lost_and_applications_are_asked_without_delay(tmp_path: Path) -> None:
    with serving(tmp_path, MASKLINE_EGRESS_ALLOW="127.0.0.0/8") as server:
        owner = provide(server, Namespace(source="application", parties=2 * MANY))
        with receiving(tmp_path, server.parties, pin=False) as receiver:
            for kind in (ACTION, SUMMARY):
                server.command("webhook", "set", kind, receiver.url, "--account", owner)
            drive(server, 50, 100)  # first calls pay for imports and first pages
            missing_of(server, 100)
            taken = Taken()
            many = _without_loss(server, taken)
            added = _added_ms(server, receiver, taken) if can_capture() else []
    if taken.always and (not _kept_up(many) or (added and min(added) > PROMISE_MS)):
        pytest.skip(f"no rate or delay to judge: {taken}; {many}, {added}")
    assert (many.load.failed, many.waiting) == (0, 0), many
    assert many.load.achieved >= 0.95 * MANY, many
    # The application's own time is tenths of a millisecond: what it reports is part of the delay that was measured.
    own = percentile(sorted(receiver.report["call_action_us"]), 0.99) / 1000
    assert not added or min(added) <= own + PROMISE_MS, (added, own)


def _without_loss(server: Server, taken: Taken) -> Run:
    runs: list[Run] = []
    while len(runs) < ATTEMPTS and not (runs and _kept_up(runs[-1])):
        with taken:
            runs.append(run(server, MANY, MANY * SECONDS, capture=False))
    return runs[-1]


def _kept_up(one: Run) -> bool:
    return one.load.failed == one.waiting == 0 and one.load.achieved >= 0.95 * MANY


def _added_ms(server: Server, receiver: Receiver, taken: Taken) -> list[float]:
    """99th percentiles from a question's leaving to that of the INVITE that the answer asks for."""
    found: list[float] = []
    while len(found) < ATTEMPTS and not (found and found[-1] <= PROMISE_MS):
        with taken:
            few = run(server, FEW, FEW * SECONDS, capture=True, web=receiver.port)
        delays = asking_delays(few.load.capture, server.callee_of, receiver.port, server.uas_port)
        assert len(delays) >= few.load.calls - few.load.failed
        found.append(steady_percentile(delays, 0.99))
    return found
