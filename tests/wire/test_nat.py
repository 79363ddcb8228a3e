"""A phone behind a real NAT: SIP and audio find it where it sends from, with either media driver."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from maskline.masking.facts import HungUpBy, Outcome
from maskline.workflows.add_trunk import TrunkWish
from tests.support.nat import Nat, is_possible
from tests.support.own_lines import OwnLines, lines_of
from tests.support.waiting import until
from tests.support.wire_tap import Message, WireTap

pytestmark = pytest.mark.wire


@pytest.fixture(scope="module")
def nat() -> Iterator[Nat]:
    if not is_possible():
        pytest.skip("networks of one's own and their translation need root, ip and iptables")
    with Nat() as made:
        yield made


@pytest.fixture(params=["embedded", "rtpengine"])
async def lines(request: pytest.FixtureRequest, tmp_path: Path, nat: Nat) -> AsyncIterator[OwnLines]:
    async with lines_of(request.param, tmp_path, nat.outside, nat.outside) as made:
        yield made


async def test_the_judge_of_identity_hears_what_goes_through_a_nat(nat: Nat, tmp_path: Path) -> None:
    """Once, as it hears what does not."""
    if WireTap.missing():
        pytest.skip(WireTap.missing())
    tap = WireTap(tmp_path)
    heard: list[Message] = []
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as here:
            here.bind((nat.outside, 0))
            with nat.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
                phone.sendto(b"OPTIONS sip:through SIP/2.0\r\n\r\n", here.getsockname())
            here.settimeout(10.0)
            here.recv(1000)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                other.sendto(b"OPTIONS sip:beside SIP/2.0\r\n\r\n", here.getsockname())

            def both() -> bool:
                heard.extend(one for one in tap.messages() if one.target == here.getsockname())
                return any(b"beside" in one.data for one in heard)

            await until(both, what="both messages")
        assert [b"through" in one.data for one in heard] == [True, False]
        assert heard[0].source[0] == nat.router
    finally:
        tap.close()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_phone_behind_a_nat_talks_holds_and_is_hung_up_on(lines: OwnLines, nat: Nat, transport: str) -> None:
    with nat.inside():
        await lines.caller.open(nat.private, transport)
    await lines.callee.open(nat.outside)
    await lines.open(
        TrunkWish("caller", nat.router, 5060, transport, prefixes=("+6591",), nat=True),
        TrunkWish("callee", nat.outside, lines.callee.address[1], prefixes=("+6598",)),
    )
    with nat.inside():
        # A connection is made when it is needed.
        lines.dial(nat.outside)
        await until(lambda: any(not seen.sent for seen in lines.caller.trace), what="an answer")
    await lines.talk()
    heard = b"".join(seen.data for seen in lines.caller.trace if not seen.sent)
    assert f";received={nat.router}".encode() in heard
    # What comes from the other side inside the dialog finds the way through the translation.
    lines.callee.hold()
    lines.callee.hold(False)
    await lines.talk()
    record = await lines.hang_up(lines.callee)
    assert (record.outcome, record.hung_up_by) == (Outcome.COMPLETED, HungUpBy.CALLEE)
    assert lines.leaks() == []
    assert nat.private.encode() not in b"".join(lines.callee.received)
