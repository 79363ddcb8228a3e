"""Bad input on the wire: each gets the answer its protocol names, is counted, and nothing is lost or leaked."""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from maskline.lab.phone import Behaviour
from maskline.masking.e164 import parse_number
from tests.support.rig import Rig, happened, opened_rig

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """One platform for all tests here: each prepares its own call."""
    async with opened_rig(tmp_path_factory.mktemp("platform")) as made:
        yield made


async def exchange(rig: Rig, data: bytes, source: str, wait: float = 0.5) -> list[bytes]:
    """Send one datagram from `source` and return what comes back within `wait` seconds."""
    loop = asyncio.get_running_loop()
    answers: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((source, 0))
        sender.setblocking(False)
        await loop.sock_sendto(sender, data, rig.platform.sip_address)
        try:
            while True:
                answers.append(await asyncio.wait_for(loop.sock_recv(sender, 65_535), wait))
        except TimeoutError:
            return answers


def options(extra: str = "") -> bytes:
    # A branch used before would be taken for a retransmission, and answered to its first sender.
    branch = f"z9hG4bK{secrets.token_hex(8)}"
    return (
        "OPTIONS sip:127.0.0.1 SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 127.0.0.1:5099;branch={branch};rport\r\nMax-Forwards: 70\r\n"
        "From: <sip:probe@127.0.0.1>;tag=p\r\nTo: <sip:127.0.0.1>\r\n"
        f"Call-ID: {branch}\r\nCSeq: 1 OPTIONS\r\n{extra}Content-Length: 0\r\n\r\n"
    ).encode()


async def metrics(rig: Rig) -> str:
    async with aiohttp.ClientSession() as http, http.get(rig.platform.url + "/metrics") as response:
        assert response.status == 200
        return await response.text()


async def test_a_stranger_gets_silence_whatever_it_sends(rig: Rig) -> None:
    for data in (options(), b"INVITE sip:+6531580001@h SIP/2.0\r\n\r\n", b"\0" * 40, b"hello"):
        assert await exchange(rig, data, "127.0.0.2", wait=0.3) == []


async def test_a_known_trunk_gets_an_answer_to_options(rig: Rig) -> None:
    answers = await exchange(rig, options(), "127.0.0.1")
    assert answers[0].startswith(b"SIP/2.0 200")


async def test_malformed_datagrams_are_survived_and_counted(rig: Rig) -> None:
    for data in (b"", b"\r\n\r\n", b"\0\xff" * 500, b"INVITE\r\n\r\n", b"SIP/2.0 999\r\n\r\n", b"A" * 65_000):
        await exchange(rig, data, "127.0.0.1", wait=0.05)
    assert (await exchange(rig, options(), "127.0.0.1"))[0].startswith(b"SIP/2.0 200")
    malformed = [line for line in (await metrics(rig)).splitlines() if "malformed" in line and not line.startswith("#")]
    assert malformed
    assert sum(float(line.rsplit(" ", 1)[1]) for line in malformed) >= 4


async def test_an_unsupported_extension_is_named(rig: Rig) -> None:
    answers = await exchange(rig, options(extra="Require: nothing-we-know\r\n"), "127.0.0.1")
    assert answers[0].startswith(b"SIP/2.0 420")
    assert b"Unsupported: nothing-we-know" in answers[0]


async def test_a_number_that_is_not_ours_is_not_found(rig: Rig) -> None:
    await rig.prepare(Behaviour.ANSWER)
    rig.dial(number=parse_number("+6531589999"))
    assert await happened(rig.caller.ended)
    assert rig.caller.final_status == 404
    assert rig.callee.trace == []


async def test_an_unknown_caller_reaches_nobody_and_leaves_a_record(rig: Rig) -> None:
    await rig.prepare(Behaviour.ANSWER)
    rig.dial(rig.stranger)
    assert await happened(rig.stranger.ended)
    assert rig.stranger.final_status == 404
    assert rig.callee.trace == []
    assert await rig.summary()
    calls = await rig.cli("call", "list", "--account", rig.account_id)
    assert "unknown_caller" in str(calls)


async def test_an_expired_session_is_refused(rig: Rig) -> None:
    status, _ = await rig.rest("DELETE", f"{rig.session_uuid}/")
    assert status == 200
    await rig.prepare(Behaviour.ANSWER)
    rig.dial()
    assert await happened(rig.caller.ended)
    assert 400 <= rig.caller.final_status < 500
    assert rig.callee.trace == []
    assert await rig.summary()
    await rig.create_session()


async def test_a_webhook_that_is_refused_at_first_arrives_unchanged(rig: Rig) -> None:
    rig.inbox.answers["/8x8"] = [503]
    await rig.prepare(Behaviour.REFUSE)
    rig.dial()
    bodies = await rig.hooks("/8x8", 2, within=15)
    assert len(bodies) == 2
    assert bodies[0].body == bodies[1].body


async def test_no_real_number_is_in_the_log_the_metrics_or_a_file_name(rig: Rig) -> None:
    await rig.prepare(Behaviour.ANSWER)
    rig.dial()
    assert await happened(rig.caller.answered)
    rig.caller.hang_up()
    await rig.summary()
    await rig.stranger.reset(Behaviour.ANSWER)
    rig.dial(rig.stranger)
    assert await happened(rig.stranger.ended)
    assert await rig.hooks("/8x8", 2)
    texts = [rig.platform.log_path.read_text(), await metrics(rig)]
    texts += [str(path) for path in rig.platform.folder.rglob("*")]
    for number in (rig.caller.number, rig.callee.number, rig.stranger.number):
        for text in texts:
            assert number.digits not in text
            assert number.digits[-8:] not in text
    stored = b"".join(path.read_bytes() for path in rig.platform.folder.glob("maskline.db*"))
    for number in (rig.caller.number, rig.callee.number):
        assert number.digits[-8:].encode() not in stored
