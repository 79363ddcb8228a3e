"""sipvicious against a running platform: a scanner at an address of no trunk finds nothing at all, and one at a trunk's
address learns nothing of numbers.

svwar and svcrack send from 127.0.0.1 whatever they are told (`-b` binds svmap alone), so where they are to be strangers
the trunk is at another address.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from maskline.engine.guard import STRANGER_LIMIT
from maskline.lab.platform import Platform
from maskline.lab.ports import free_port
from maskline.workflows.add_number import add_number
from maskline.workflows.add_trunk import TrunkWish, add_trunk
from maskline.workflows.create_account import create_account
from tests.support.platform_store import services_of
from tests.support.rig import VIRTUAL, Rig, opened_rig
from tests.support.waiting import until

pytestmark = [
    pytest.mark.wire,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(shutil.which("svmap") is None, reason="needs Debian's sipvicious"),
]
NOBODY, CARRIER = "127.0.0.77", "127.0.0.9"
FOUND_NOTHING, NO_ANSWER = "found nothing", "no server response"
FILTER = Path(__file__).parents[2] / "contrib/fail2ban/filter.d/maskline.conf"
NUMBERS = f"{int(VIRTUAL) - 4}-{int(VIRTUAL) + 4}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """Its trunk is at 127.0.0.1."""
    async with opened_rig(tmp_path_factory.mktemp("platform")) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stranger_to(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """A platform to which 127.0.0.1 is nobody."""
    platform = Platform(tmp_path_factory.mktemp("closed"), MASKLINE_MEDIA="none")
    async with services_of(platform) as services:
        store, clock, ids = services.store, services.clock, services.ids
        account = await create_account(store, clock, ids, "test")
        await add_number(store, clock, VIRTUAL, account.id)
        await add_trunk(store, clock, ids, TrunkWish("carrier", CARRIER))
    await platform.start()
    try:
        yield platform
    finally:
        await asyncio.to_thread(platform.stop)


async def run(platform: Platform, home: Path, program: str, *arguments: str, limit: float = 25.0) -> str:
    """What the program said, by either way; it keeps its sessions in a home of its own."""
    host, port = platform.sip_address
    # From a port of its own: at 5060 it would take what others on this machine are sent for an answer.
    command = [program, *arguments, "-P", str(free_port()), "-p", str(port), host]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, stdin=asyncio.subprocess.DEVNULL,
        env={"HOME": str(home), "PATH": "/usr/bin:/bin", "TERM": "dumb", "COLUMNS": "200"},
    )  # fmt: skip
    try:
        said, _ = await asyncio.wait_for(process.communicate(), limit)
    except TimeoutError:
        process.kill()
        said, _ = await process.communicate()
    return said.decode(errors="replace")


def knock(platform: Platform, times: int) -> None:
    """As a scanner that minds no silence."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as scanner:
        scanner.bind(("127.0.0.1", 0))
        for number in range(times):
            scanner.sendto(b"OPTIONS sip:%d@127.0.0.1 SIP/2.0\r\n\r\n" % number, platform.sip_address)


class Ear:
    """Every packet that leaves a platform's SIP port, whatever is in it."""

    def __init__(self, platform: Platform) -> None:
        host, port = platform.sip_address
        self._process = subprocess.Popen(
            ["tcpdump", "-i", "lo", "-n", "-l", "--immediate-mode", "-Z", "root",
             f"src host {host} and (udp or tcp) and src port {port}"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._process.stderr is not None
        while "listening on" not in (line := self._process.stderr.readline()):
            assert line, "tcpdump does not listen"

    def heard(self) -> list[str]:
        self._process.send_signal(signal.SIGINT)
        said, _ = self._process.communicate(timeout=30)
        return [line for line in said.splitlines() if line]


@pytest.mark.parametrize(
    "scan",
    [
        ("svmap", "-m", "OPTIONS"),
        ("svmap", "-m", "INVITE"),
    ],
)
async def test_a_scanner_of_no_trunk_finds_nothing(rig: Rig, tmp_path: Path, scan: tuple[str, ...]) -> None:
    said = await run(rig.platform, tmp_path, scan[0], "-b", NOBODY, *scan[1:])
    assert FOUND_NOTHING in said, said


async def test_the_same_scanner_at_a_trunks_address_finds_a_device(rig: Rig, tmp_path: Path) -> None:
    """Else the tests above would prove nothing."""
    said = await run(rig.platform, tmp_path, "svmap", "-b", "127.0.0.1", "-m", "OPTIONS")
    assert FOUND_NOTHING not in said and "Maskline" in said, said


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("tcpdump") is None, reason="tcpdump needs root and to be there")
async def test_a_stranger_that_guesses_numbers_and_passwords_gets_no_byte_and_is_banned(
    stranger_to: Platform, tmp_path: Path
) -> None:
    words = tmp_path / "passwords"
    words.write_text("".join(f"secret{number}\n" for number in range(40)))
    ear = await asyncio.to_thread(Ear, stranger_to)
    for scan in (
        ("svmap", "-m", "REGISTER"),
        ("svwar", "--force", "-m", "INVITE", "-e", NUMBERS),
        ("svwar", "--force", "-m", "REGISTER", "-e", "100-110"),
        ("svcrack", "-u", VIRTUAL.lstrip("+"), "-d", str(words)),
    ):
        said = await run(stranger_to, tmp_path, *scan, *(("--maximumtime", "1") if scan[0] != "svmap" else ()))
        assert FOUND_NOTHING in said or NO_ANSWER in said, (scan, said)
    # Each program gave up at the first silence. One that does not is banned.
    knock(stranger_to, STRANGER_LIMIT)
    await until(lambda: stranger_to.log_lines("source_banned"), what="a ban")
    (line,) = stranger_to.log_lines("source_banned")
    assert "host=127.0.0.1" in line
    assert await asyncio.to_thread(ear.heard) == []
    if shutil.which("fail2ban-regex") is not None:
        assert await asyncio.to_thread(found_by_fail2ban, stranger_to.log_path) == ["127.0.0.1"]


def found_by_fail2ban(log: Path) -> list[str]:
    command = ["fail2ban-regex", "--out", "ip", str(log), str(FILTER)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout.split()


@pytest.mark.parametrize("method", ["INVITE", "REGISTER"])
async def test_who_dials_through_a_carrier_cannot_tell_our_numbers_from_others(
    rig: Rig, tmp_path: Path, method: str
) -> None:
    """Nine numbers, of which one is ours, and one that svwar made up, to compare: none is found, or all alike."""
    said = await run(rig.platform, tmp_path, "svwar", "--force", "-m", method, "-e", NUMBERS, "--maximumtime", "2")
    rows = [line.split("|")[1:3] for line in said.splitlines() if re.match(r"\| *\d", line)]
    assert len(rows) == 10 or (not rows and FOUND_NOTHING in said), said
    assert len({word for _, word in rows}) <= 1, said
