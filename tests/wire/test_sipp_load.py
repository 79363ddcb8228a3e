"""SIPp drives `maskline serve`: 200 calls a second, none fails, none is repeated, no caller gets through; and what is
over is forgotten while others go on."""

from __future__ import annotations

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.hypervisor import Taken
from tools.sip_load import Load, drive, provision, serving
from tools.sip_wire import leaks

pytestmark = [
    pytest.mark.wire,
    pytest.mark.load,
    pytest.mark.skipif(shutil.which("sipp") is None, reason="sipp is not installed (Debian: sip-tester)"),
]


ATTEMPTS = 3
"""Another program on the machine can make calls late and never makes them early: one clean run of three shows what the
server can do. A caller's number is not forgiven in any of them."""


@pytest.mark.timeout(120 + 60 * ATTEMPTS)
def test_two_hundred_calls_a_second_lose_nothing_and_reveal_nobody(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        provision(server, 1000)
        runs: list[Load] = []
        taken = Taken()
        while len(runs) < ATTEMPTS and not (runs and runs[-1].clean):
            with taken:
                runs.append(drive(server, 200, 4000, keep_messages=True))
            seen = runs[-1].messages.read_bytes()
            # The search itself works: virtual numbers, which the callee must see, are found by it.
            assert leaks({party.virtual for party in server.parties}, seen)
            assert leaks((party.caller for party in server.parties), seen) == []
    if not runs[-1].clean and taken.always:
        pytest.skip(f"no rate to judge: {taken}; {runs}")
    assert runs[-1].calls == 4000, runs
    assert runs[-1].failed == 0, runs
    assert runs[-1].retransmissions <= 4, runs
    assert runs[-1].achieved >= 190, runs


FORGOTTEN = 33.0
"""Seconds after its last response for which a transaction is held at most (RFC 3261 §17: 64 * T1, timers D and H), and
one for the look."""


@pytest.mark.timeout(180)
def test_transactions_that_are_over_are_forgotten_without_an_idle_moment(tmp_path: Path) -> None:
    """SIP's timers fire under a load that never leaves the loop an idle moment; once they did not, and memory grew by
    4 kB a call until new calls were refused."""
    rate, talk, more = 120, 1.0, 13.0
    with serving(tmp_path) as server, ThreadPoolExecutor(1) as aside:
        provision(server, 1000)
        began = time.monotonic()
        driving = aside.submit(drive, server, rate, int(rate * (FORGOTTEN + talk + more + 5.0)), hold=talk)
        held: list[int] = []
        for moment in (FORGOTTEN + talk, FORGOTTEN + talk + more):
            time.sleep(max(0.0, began + moment - time.monotonic()))
            held.append(server.held("maskline_sip_transactions"))
        assert not driving.done()
        driving.result()  # how many failed is the other test's
    assert held[0] > rate * FORGOTTEN / 2, "the metric counts them"
    assert held[1] < held[0] * (1 + more / FORGOTTEN / 2), f"{held}: they grow with the calls"
