"""Look-ups of names: what aiohttp gets, and that a dead name server holds up as few as possible."""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from maskline.net import names
from maskline.net.names import ThreadedNames


@pytest.fixture
async def resolver():
    resolver = ThreadedNames(threads=2)
    yield resolver
    await resolver.close()


async def test_a_name_becomes_addresses_as_aiohttp_wants_them(resolver):
    found = await resolver.resolve("localhost", 8080, socket.AF_INET)
    assert [(one["hostname"], one["host"], one["port"], one["family"]) for one in found] == [
        ("localhost", "127.0.0.1", 8080, socket.AF_INET)
    ]


async def test_an_address_of_both_families_is_told(resolver, monkeypatch):
    def both(host, port, family, kind, flags):
        assert (family, kind) == (socket.AF_UNSPEC, socket.SOCK_STREAM)
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1%eth0", port, 0, 2)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", port)),
        ]

    monkeypatch.setattr(names.socket, "getaddrinfo", both)
    assert [one["host"] for one in await resolver.resolve("both.example", 443)] == ["fe80::1%eth0", "192.0.2.1"]


async def test_an_unknown_name_is_an_os_error(resolver, monkeypatch):
    def unknown(*_arguments, **_options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(names.socket, "getaddrinfo", unknown)
    with pytest.raises(OSError):
        await resolver.resolve("nowhere.example")


async def test_a_dead_name_server_holds_up_nobody_else_and_no_stop(resolver, monkeypatch):
    asked, answer = threading.Event(), threading.Event()

    def slow(host, port, family, kind, flags):
        if host == "dead.example":
            asked.set()
            answer.wait(30)
        return [(socket.AF_INET, kind, 6, "", ("192.0.2.1", port))]

    monkeypatch.setattr(names.socket, "getaddrinfo", slow)
    dead = asyncio.ensure_future(resolver.resolve("dead.example"))
    assert (await resolver.resolve("quick.example"))[0]["host"] == "192.0.2.1"
    other = ThreadedNames(threads=1)
    assert (await other.resolve("quick.example"))[0]["host"] == "192.0.2.1"
    await other.close()
    assert await asyncio.to_thread(asked.wait, 10)  # a look-up that no thread has begun is cancelled by the close
    await resolver.close()
    answer.set()
    assert (await dead)[0]["host"] == "192.0.2.1"
