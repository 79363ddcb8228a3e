"""The guarded client by itself: what it refuses, what it reads, and the kind of each failure. How webhooks see them is
in tests/unit/webhooks/test_send.py."""

from __future__ import annotations

import asyncio
import socket

import pytest
from aiohttp import web

from maskline.net.egress import Egress, EgressError, Failure, read_body
from tests.support.web_receiver import LOOPBACK, Names, receiving


@pytest.fixture
async def receiver():
    async with receiving() as receiver:
        yield receiver


async def get(url, *, limit=100, total=2.0, allowed=LOOPBACK, resolver=None, headers=None):
    """Status and body, or the failure."""
    egress = Egress(allowed, resolver=resolver)
    await egress.open()
    try:
        async with egress.request("GET", url, connect=2.0, total=total, headers=headers) as response:
            return response.status, await read_body(response, limit)
    except EgressError as error:
        return error.failure
    finally:
        await egress.close()


async def test_a_body_is_read_whole(receiver):
    assert await get(receiver.url + "/a.mp3") == (200, b"fine")
    assert receiver.requests[0][0] == "GET"


async def test_the_address_dialled_is_judged_again_after_the_name(receiver):
    """What a rebinding name would reach: the resolver's check passed, then the socket is for loopback."""
    egress = Egress([])
    with pytest.raises(OSError):
        egress._make_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", receiver.port)))


@pytest.mark.parametrize(("address", "allowed"), [("127.0.0.1", []), ("10.0.0.1", LOOPBACK)])
async def test_an_internal_address_is_forbidden_by_whatever_name(receiver, address, allowed):
    names = Names(prompts_example=[[address]])
    url = f"http://prompts.example:{receiver.port}/"
    assert await get(url, allowed=allowed, resolver=names) is Failure.FORBIDDEN_ADDRESS
    assert receiver.requests == []


async def test_a_redirect_is_an_answer_and_is_not_followed(receiver):
    async def away(_request):
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    receiver.answer = away
    assert await get(receiver.url + "/") == (302, b"")
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("declared", [True, False])
async def test_a_body_beyond_the_limit_is_cut(receiver, declared):
    async def large(request):
        response = web.StreamResponse(headers={"Content-Length": "101"} if declared else {})
        await response.prepare(request)
        await response.write(b"x" * 101)
        return response

    receiver.answer = large
    assert await get(receiver.url + "/", limit=100) is Failure.TOO_LARGE
    assert await get(receiver.url + "/", limit=101) == (200, b"x" * 101)


async def test_a_body_that_trickles_is_cut_at_the_total_time(receiver):
    async def trickle(request):
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.01)

    receiver.answer = trickle
    assert await get(receiver.url + "/", total=0.1) is Failure.TIMEOUT


async def test_a_body_that_ends_early_is_broken(receiver):
    async def short(request):
        response = web.StreamResponse(headers={"Content-Length": "50"})
        await response.prepare(request)
        await response.write(b"x")
        request.transport.close()
        return response

    receiver.answer = short
    assert await get(receiver.url + "/") is Failure.BROKEN


@pytest.mark.parametrize("url", ["ftp://h.example/", "http://h.example:22/", "http://h.example/a b", "nothing"])
async def test_what_is_no_web_address_is_not_requested(url):
    assert await get(url) is Failure.INVALID_URL


async def test_a_failure_says_neither_url_nor_address():
    egress = Egress([])
    await egress.open()
    with pytest.raises(EgressError) as caught:
        async with egress.request("GET", "http://127.0.0.1:8080/secret", connect=1.0, total=1.0):
            pass
    assert str(caught.value) == "an internal address, which only MASKLINE_EGRESS_ALLOW opens"
    await egress.close()


async def test_closing_twice_is_harmless():
    egress = Egress()
    await egress.open()
    await egress.close()
    await egress.close()
