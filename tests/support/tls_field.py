"""A running platform that speaks TLS, between telephones and peers that do.

What it is: certificates, one account with one virtual number, trunks on addresses of their own, sessions. What it is
not: the calls (`tests/wire/test_tls_calls.py`, its user).
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
from pathlib import Path
from typing import Any

from maskline.lab.platform import Platform
from maskline.lab.ports import free_port, free_ports
from maskline.workflows.add_trunk import TrunkWish, add_trunk
from tests.support.baresip import Baresip, TlsIdentity
from tests.support.certificates import Authority
from tests.support.heard_field import Voices
from tests.support.platform_store import provision, services_of
from tests.support.sipp_field import until

HOST, VIRTUAL = "127.0.0.1", "+18005550177"
USER, PASSWORD = "switchboard", "correct-horse"


class TlsField:
    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.authority = Authority(folder)
        self.certificate = self.authority.issue("platform.pem", [HOST])
        self.tls_port = free_port()
        self.platform = Platform(
            folder, HOST,
            MASKLINE_SIP_TLS_PORT=str(self.tls_port), MASKLINE_SIP_TLS_CERTIFICATE=str(self.certificate),
            MASKLINE_SIP_TLS_CA=str(self.authority.path), **settings,
        )  # fmt: skip
        self.address = HOST, self.tls_port
        self._account: tuple[str, str] = "", ""
        self._phones: list[Baresip] = []

    # -- life ---------------------------------------------------------------------------------------------------

    def open(self, *trunks: TrunkWish) -> None:
        async def begin() -> None:
            self._account = await provision(self.platform, "tls", VIRTUAL, *trunks)
            await self.platform.start()

        asyncio.run(begin())
        until(lambda: self._knows(HOST), what="the server's look at its trunks")

    def close(self) -> None:
        for phone in self._phones:
            phone.stop()
        self.platform.stop(calls_may_end=False)

    # -- what tests do --------------------------------------------------------------------------------------------

    def baresip(
        self, number: str, host: str, voice: int, user: str = "", password: str = "", *, certified: str = ""
    ) -> Baresip:  # fmt: skip
        """A telephone with a certificate for `host`, or for `certified`, at a free port; TLS is one above."""
        certificate = self.authority.issue(f"{number}.pem", [certified or host])
        port, _ = free_ports(3)
        tls = TlsIdentity(certificate, self.authority.path, user, password)
        rtp, _ = free_ports(12)
        phone = Baresip(self.folder / number, number, port, rtp, Voices.of(voice), host=host, tls=tls)
        self._phones.append(phone)
        phone.start()
        return phone

    def trunk(self, wish: TrunkWish) -> None:
        """Add one, and wait until the server must have read it."""

        async def add() -> None:
            async with services_of(self.platform) as services:
                await add_trunk(services.store, services.clock, services.ids, wish)

        asyncio.run(add())
        until(lambda: self._knows(wish.host), what="the server's look at the new trunk")

    def _knows(self, host: str) -> bool:
        """Whether OPTIONS from this address is answered: strangers hear nothing."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
            probe.settimeout(0.2)
            port = probe.getsockname()[1]
            probe.sendto(options("UDP", host, port), self.platform.sip_address)
            try:
                return probe.recv(4096).startswith(b"SIP/2.0 200")
            except TimeoutError:
                return False

    def ring(self, number: str) -> tuple[str, str]:
        """Have the platform call somebody, and be told outcome and cause."""
        self.session(number, "+447700900199", initiate_call_to_first_party=True)
        return self.record(number)

    def session(self, first: str, second: str, **options: Any) -> dict[str, Any]:
        body = {"first_party": first, "second_party": second, **options}
        path = f"/v1/Account/{self._account[0]}/Masking/Session/"
        status, answer = asyncio.run(self.platform.rest("POST", path, self._account, body))
        assert status == 201, answer
        return dict(answer)

    def record(self, number: str) -> tuple[str, str]:
        """Outcome and cause of the newest call with this party, once it is written."""

        async def read() -> tuple[str, str] | None:
            async with services_of(self.platform) as services:
                for call in await services.store.calls(self._account[0], limit=50):
                    ends = [end for leg in call.legs for end in (leg.source, leg.destination)]
                    if any(end is not None and end.e164 == number for end in ends):
                        return call.outcome.value, call.cause.value
            return None

        return until(lambda: asyncio.run(read()), what="a call record")

    def is_answered(self, host: str, certificate: Path | None) -> bool:
        """Whether OPTIONS over TLS from this address, with this certificate, get an answer."""
        context = ssl.create_default_context(cafile=str(self.authority.path))
        if certificate is not None:
            context.load_cert_chain(certificate)
        try:
            with (
                socket.create_connection(self.address, 5.0, source_address=(host, 0)) as plain,
                context.wrap_socket(plain, server_hostname=HOST) as secure,
            ):
                secure.sendall(options("TLS", host, secure.getsockname()[1]))
                return secure.recv(4096).startswith(b"SIP/2.0 200")
        except (ConnectionError, ssl.SSLError):
            return False

    def renew(self) -> bytes:
        """Another certificate of the platform, by SIGHUP; what is shown now."""
        before = self.shown()
        self.authority.issue("platform.pem", [HOST])
        os.kill(self.platform.pid, signal.SIGHUP)
        return until(lambda: after if (after := self.shown()) != before else None, what="the new certificate")

    def shown(self) -> bytes:
        """The certificate that whoever connects is shown, checked."""
        context = ssl.create_default_context(cafile=str(self.authority.path))
        with (
            socket.create_connection(self.address, 5.0, source_address=(HOST, 0)) as plain,
            context.wrap_socket(plain, server_hostname=HOST) as secure,
        ):
            return secure.getpeercert(binary_form=True) or b""


def options(transport: str, host: str, port: int) -> bytes:
    return (
        f"OPTIONS sip:{HOST} SIP/2.0\r\nVia: SIP/2.0/{transport} {host}:{port};branch=z9hG4bK{port}\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:probe@probe>;tag=1\r\nTo: <sip:{HOST}>\r\nCall-ID: {port}\r\n"
        "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    ).encode()
