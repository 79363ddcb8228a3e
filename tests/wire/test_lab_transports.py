"""Whole calls with audio from and to lab phones over TCP and TLS, trunks known by certificate, and a renewed one."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from maskline.lab.ports import free_port
from maskline.masking.facts import HungUpBy, Outcome
from maskline.net.tls import Tls, TlsFiles
from maskline.workflows.add_trunk import TrunkWish
from tests.support.certificates import Authority
from tests.support.own_lines import OwnLines
from tests.support.waiting import until

pytestmark = pytest.mark.wire
HOST, ELSEWHERE = "127.0.0.1", "127.0.0.7"


class Secure:
    """Certificates of the platform and of two carriers that are known by name alone."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.platform = self.authority.issue("platform.pem", [HOST])
        self.port = free_port()

    @property
    def settings(self) -> dict[str, str]:
        return {
            "MASKLINE_SIP_TLS_PORT": str(self.port), "MASKLINE_SIP_TLS_CERTIFICATE": str(self.platform),
            "MASKLINE_SIP_TLS_CA": str(self.authority.path), "MASKLINE_SIP_TLS_CLIENT_CA": str(self.authority.path),
        }  # fmt: skip

    def phone(self, name: str) -> Tls:
        path = self.authority.path
        return Tls(TlsFiles(self.authority.issue(f"{name}.pem", [name]), trusted=path, client_trusted=path))

    def shown(self) -> bytes:
        """What whoever connects sees."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.authority.path)
        with (
            socket.create_connection((HOST, self.port), 5.0) as plain,
            context.wrap_socket(plain, server_hostname=HOST) as secure,
        ):
            return secure.getpeercert(binary_form=True) or b""


@pytest.fixture
async def secure(tmp_path: Path) -> Secure:
    return Secure(tmp_path)


@pytest.fixture
async def lines(tmp_path: Path, secure: Secure) -> AsyncIterator[OwnLines]:
    made = OwnLines(tmp_path, **secure.settings)
    try:
        yield made
    finally:
        made.close()


async def test_a_call_from_a_lab_phone_over_tcp_to_one_over_udp(lines: OwnLines) -> None:
    await lines.open_phones((HOST, "tcp"), (ELSEWHERE, "udp"))
    await lines.open(
        TrunkWish("caller", HOST, lines.caller.address[1], "tcp", prefixes=("+6591",)),
        TrunkWish("callee", ELSEWHERE, lines.callee.address[1], prefixes=("+6598",)),
    )
    lines.dial(HOST)
    await lines.talk()
    record = await lines.hang_up(lines.callee)
    assert (record.outcome, record.hung_up_by) == (Outcome.COMPLETED, HungUpBy.CALLEE)
    assert any(b";transport=tcp>" in seen.data for seen in lines.caller.trace if not seen.sent)
    assert lines.leaks() == []


async def test_trunks_known_by_their_certificates_carry_a_whole_call_while_ours_is_renewed(
    lines: OwnLines, secure: Secure
) -> None:
    phones = {"caller": secure.phone("one.example"), "callee": secure.phone("two.example")}
    await lines.open_phones((ELSEWHERE, "tls"), (HOST, "tls"), phones)
    await lines.open(
        # Its address is none that calls come from: the certificate says who it is.
        TrunkWish("one", "192.0.2.77", 5061, "tls", prefixes=("+6591",), tls_name="one.example"),
        TrunkWish("two", HOST, lines.callee.address[1], "tls", prefixes=("+6598",), tls_name="two.example"),
    )
    lines.dial(HOST, secure.port)
    await lines.talk()
    before = await asyncio.to_thread(secure.shown)
    secure.authority.issue("platform.pem", [HOST])
    os.kill(lines.platform.pid, signal.SIGHUP)
    await until(lambda: secure.shown() != before, what="the new certificate")
    lines.callee.hold()
    lines.callee.hold(False)
    await lines.talk()
    record = await lines.hang_up(lines.caller)
    assert (record.outcome, record.hung_up_by) == (Outcome.COMPLETED, HungUpBy.CALLER)
    assert lines.platform.log_lines("certificates_reloaded")
    assert lines.leaks() == []
