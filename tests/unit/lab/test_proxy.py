"""The lab's proxy leads the vendors' names to our server, and nothing else anywhere."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from cryptography import x509

from maskline.lab import proxy as proxy_module
from maskline.lab.private_ca import issue
from maskline.lab.proxy import Proxy


@pytest_asyncio.fixture
async def target() -> AsyncIterator[tuple[str, int]]:
    """A server that says back what it hears, in capitals, until a line says BYE."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line.upper())
            if line == b"bye\n":
                break
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()
    server.close()


@pytest_asyncio.fixture
async def proxy(target: tuple[str, int]) -> AsyncIterator[Proxy]:
    made = Proxy(target)
    await made.open()
    yield made
    await made.close()


def trusting(authority: bytes) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=authority.decode())


async def ask(proxy: Proxy, head: bytes) -> bytes:
    """Everything the proxy answers to `head`."""
    reader, writer = await asyncio.open_connection(*proxy.address)
    writer.write(head)
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    return answer


async def tunnel(proxy: Proxy, host: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(*proxy.address)
    writer.write(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 200 Connection established\r\n\r\n"
    return reader, writer


async def test_bytes_go_through_tls_and_back_in_order(proxy: Proxy) -> None:
    reader, writer = await tunnel(proxy, "API.plivo.com")
    await writer.start_tls(trusting(proxy.authority), server_hostname="api.plivo.com")
    for line in (b"one\n", b"x" * 60_000 + b"\n", b"bye\n"):
        writer.write(line)
        assert await asyncio.wait_for(reader.readline(), 30) == line.upper()
    assert await asyncio.wait_for(reader.read(), 30) == b""
    writer.close()


async def test_a_client_led_by_dns_needs_no_proxy(proxy: Proxy) -> None:
    reader, writer = await asyncio.open_connection(
        *proxy.tls_address, ssl=trusting(proxy.authority), server_hostname="api.vtscom.net"
    )
    writer.write(b"hello\n")
    assert await asyncio.wait_for(reader.readline(), 30) == b"HELLO\n"
    writer.close()


async def test_a_client_that_does_not_trust_the_authority_sees_an_unknown_one(proxy: Proxy) -> None:
    _, writer = await tunnel(proxy, "api.plivo.com")
    with pytest.raises(ssl.SSLCertVerificationError):
        await writer.start_tls(ssl.create_default_context(), server_hostname="api.plivo.com")
    writer.transport.abort()


@pytest.mark.parametrize(
    "wanted",
    ["CONNECT example.com:443", "CONNECT api.plivo.com:25", "CONNECT api.plivo.com.evil.example:443", "GET http://a/"],
)
async def test_everything_else_is_refused_and_remembered(proxy: Proxy, wanted: str) -> None:
    answer = await ask(proxy, f"{wanted} HTTP/1.1\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert b"api.plivo.com, api.vtscom.net (port 443) to Maskline and nothing else.\n" in answer
    assert proxy.refused == [wanted]


@pytest.mark.parametrize("head", [b"CONNECT api", b"CONNECT " + b"a" * 20_000 + b"\r\n\r\n"])
async def test_what_is_no_request_is_answered_with_400(proxy: Proxy, head: bytes) -> None:
    assert (await ask(proxy, head)).startswith(b"HTTP/1.1 400 Bad Request\r\n")


async def test_a_slow_head_is_dropped(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy_module, "_HEAD_TIMEOUT", 0.05)
    reader, writer = await asyncio.open_connection(*proxy.address)
    writer.write(b"CONNECT ")
    assert await asyncio.wait_for(reader.read(), 30) == b""
    writer.close()


async def test_closing_drops_who_is_connected(proxy: Proxy) -> None:
    address = proxy.address
    reader, writer = await tunnel(proxy, "api.plivo.com")
    await proxy.close()
    assert await asyncio.wait_for(reader.read(), 30) == b""
    writer.close()
    with pytest.raises(OSError):
        await asyncio.open_connection(*address)


def test_the_certificate_is_for_the_names_and_a_week() -> None:
    start = datetime(2026, 1, 5, tzinfo=UTC)
    identity = issue(["a.example", "b.example"], start)
    certificate = x509.load_pem_x509_certificate(identity.chain)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.example", "b.example"]
    assert (certificate.not_valid_after_utc - start).days == 6
    authority = x509.load_pem_x509_certificate(identity.authority)
    certificate.verify_directly_issued_by(authority)
    assert b"PRIVATE" not in identity.authority + identity.chain
    assert "PRIVATE" not in repr(identity)
