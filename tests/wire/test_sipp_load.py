"""SIPp drives `maskline serve`: 200 calls a second, none fails, none is repeated, no caller gets through."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tools.sip_load import drive, provision, serving
from tools.sip_wire import leaks

pytestmark = [
    pytest.mark.wire,
    pytest.mark.load,
    pytest.mark.skipif(shutil.which("sipp") is None, reason="sipp is not installed (Debian: sip-tester)"),
]


@pytest.mark.timeout(240)
def test_two_hundred_calls_a_second_lose_nothing_and_reveal_nobody(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        provision(server, 1000)
        load = drive(server, 200, 4000, keep_messages=True)
        seen = load.messages.read_bytes()
    assert load.calls == 4000
    assert load.failed == 0
    assert load.retransmissions <= 0.001 * load.calls
    assert load.achieved >= 190
    # The search itself works: virtual numbers, which the callee must see, are found by it.
    assert leaks({party.virtual for party in server.parties}, seen)
    assert leaks((party.caller for party in server.parties), seen) == []
