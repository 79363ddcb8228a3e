"""Calls between a party on IPv4 and one on IPv6, through one server and either media driver."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from maskline.lab.offer import PCMA
from maskline.masking.facts import Outcome
from maskline.workflows.add_trunk import TrunkWish
from tests.support.own_lines import OwnLines, lines_of

pytestmark = pytest.mark.wire
V4, V6 = "127.0.0.1", "::1"
BOTH = {"MASKLINE_SIP_HOST": f"{V4},{V6}", "MASKLINE_MEDIA_HOST": f"{V4},{V6}"}


@pytest.fixture(params=["embedded", "rtpengine"])
async def lines(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[OwnLines]:
    async with lines_of(request.param, tmp_path, V4, f"{V4};{V6}", **BOTH) as made:
        yield made


@pytest.mark.parametrize(("caller", "callee"), [(V4, V6), (V6, V4)])
async def test_parties_of_different_families_hear_each_other(lines: OwnLines, caller: str, callee: str) -> None:
    await lines.open_phones((caller, "udp"), (callee, "udp"))
    await lines.open(
        TrunkWish("caller", caller, lines.caller.address[1], prefixes=("+6591",)),
        TrunkWish("callee", callee, lines.callee.address[1], prefixes=("+6598",)),
    )
    lines.dial(caller)
    await lines.talk()
    for phone, host in ((lines.caller, caller), (lines.callee, callee)):
        family, here = ("IP6", f"[{host}]") if ":" in host else ("IP4", host)
        heard = b"".join(seen.data for seen in phone.trace if not seen.sent)
        assert f"c=IN {family} {host}".encode() in heard
        assert f"Contact: <sip:{here}:{lines.platform.sip_port}>".encode() in heard
    invite = next(seen.data for seen in lines.callee.trace if seen.data.startswith(b"INVITE"))
    here = f"[{callee}]" if ":" in callee else callee
    assert f"Via: SIP/2.0/UDP {here}:{lines.platform.sip_port};".encode() in invite
    assert f"@{here}>".encode() in invite
    lines.caller.change((PCMA, *lines.caller.codecs))
    lines.callee.hold()
    lines.callee.hold(False)
    await lines.talk()
    assert (await lines.hang_up(lines.callee)).outcome is Outcome.COMPLETED
    assert lines.leaks() == []
