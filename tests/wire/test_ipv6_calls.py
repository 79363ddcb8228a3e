"""Calls over IPv6 between two SIPps on ::1, through a server that has no other address for SIP."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from maskline.lab.leaks import find_leaks
from maskline.lab.platform import Platform
from maskline.lab.ports import free_port
from maskline.masking.e164 import parse_number
from maskline.workflows.add_number import add_number
from maskline.workflows.add_trunk import TrunkWish, add_trunk
from maskline.workflows.create_account import create_account
from tests.support.platform_store import services_of
from tests.support.sipp_field import Side
from tests.support.sipp_script import Callee, Caller

pytestmark = pytest.mark.wire
HOST = "::1"
CALLER, CALLEE, VIRTUAL = "447700900121", "919900000122", "18005550166"


class PlatformOnIpv6(Platform):
    """HTTP stays on IPv4."""

    @property
    def sip_address(self) -> tuple[str, int]:
        return HOST, self.sip_port


@pytest.mark.skipif(shutil.which("sipp") is None, reason="sipp is not installed (Debian: sip-tester)")
def test_a_call_between_two_parties_on_ipv6(tmp_path: Path) -> None:
    platform = PlatformOnIpv6(tmp_path, MASKLINE_SIP_HOST=HOST, MASKLINE_MEDIA_HOST=HOST)
    caller, callee = Caller(CALLER, VIRTUAL), Callee(CALLEE)
    caller.invite().expect(180).answered().pause(0.2).hang_up()
    callee.invited().progress().answer().let_go()
    calling = Side(caller, tmp_path, "caller", HOST, free_port())
    called = Side(callee, tmp_path, "callee", HOST, free_port())

    async def provision() -> None:
        async with services_of(platform) as services:
            store, clock, ids = services.store, services.clock, services.ids
            account = await create_account(store, clock, ids, "ipv6")
            await add_number(store, clock, "+" + VIRTUAL, account.id)
            await add_trunk(store, clock, ids, TrunkWish("caller", HOST, calling.port, prefixes=("+44",)))
            await add_trunk(store, clock, ids, TrunkWish("callee", HOST, called.port, prefixes=("+91",)))
            await platform.start()
            body = {"first_party": "+" + CALLER, "second_party": "+" + CALLEE}
            path = f"/v1/Account/{account.id}/Masking/Session/"
            status, answer = await platform.rest("POST", path, (account.id, account.auth_token), body)
            assert status == 201, answer

    try:
        asyncio.run(provision())
        called.start()
        called.wait_until_bound()
        calling.start(f"[{HOST}]:{platform.sip_port}")
        assert (calling.finish(20.0), called.finish(5.0)) == (0, 0), f"{calling.story()}\n{called.story()}"
        for side in (calling, called):
            answer = next(seen for seen in side.received if seen.body)
            assert answer.line("c=") == f"IN IP6 {HOST}"
            assert f"[{HOST}]:{platform.sip_port}" in answer.header("Contact")
        assert called.got("INVITE").header("Via").startswith(f"SIP/2.0/UDP [{HOST}]:{platform.sip_port};")
        received = [seen.text.encode() for seen in called.received]
        assert find_leaks(received, parse_number("+" + CALLER), secrets=[f":{calling.port}".encode()]) == []
    finally:
        calling.stop()
        called.stop()
        platform.stop(calls_may_end=False)
