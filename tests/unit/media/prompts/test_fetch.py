"""Fetching: what is brought, what is cut, and the code of each refusal. The guard itself is in unit/net."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from maskline.media.port import PromptUnavailable
from maskline.media.prompts.fetch import Fetcher, origin_of
from maskline.net.egress import Egress
from tests.support.web_receiver import LOOPBACK, Names, receiving

MEGABYTE = 1024 * 1024


@pytest.fixture
async def receiver():
    async with receiving() as receiver:
        yield receiver


@asynccontextmanager
async def fetching(*, allowed=LOOPBACK, timeout=2.0, size=5 * MEGABYTE, resolver=None):
    egress = Egress(allowed, resolver=resolver)
    await egress.open()
    yield Fetcher(egress, timeout=timeout, size=size)
    await egress.close()


async def reason(url, **options):
    async with fetching(**options) as fetch:
        with pytest.raises(PromptUnavailable) as caught:
            await fetch(url)
    return caught.value.reason


async def test_a_file_is_brought_whatever_its_type_is_called(receiver):
    async def audio(_request):
        return web.Response(body=b"\xff\xfb" * 1000, content_type="text/plain")

    receiver.answer = audio
    async with fetching() as fetch:
        assert await fetch(receiver.url + "/a.mp3?key=%41") == b"\xff\xfb" * 1000
    method, path, headers, body = receiver.requests[0]
    assert (method, path, body) == ("GET", "/a.mp3?key=%41", b"")
    assert headers["User-Agent"].startswith("Maskline/")
    assert headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("status", [204, 302, 403, 404, 410, 429, 500, 503])
async def test_any_other_status_than_200_is_refused_and_no_redirect_is_followed(receiver, status):
    async def answer(_request):
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    receiver.answer = answer
    assert await reason(receiver.url + "/") == f"http_{status}"
    assert len(receiver.requests) == 1


async def test_an_internal_address_is_forbidden_also_behind_a_name(receiver):
    assert await reason(receiver.url + "/", allowed=[]) == "forbidden_address"
    names = Names(cdn_example=[["127.0.0.1"]])
    url = f"http://cdn.example:{receiver.port}/"
    assert await reason(url, allowed=[], resolver=names) == "forbidden_address"
    assert receiver.requests == []


@pytest.mark.parametrize("url", ["ftp://h.example/a", "http://h.example:22/a", "http://[/a", "a.mp3"])
async def test_what_is_no_web_address_is_refused(url):
    assert await reason(url) == "invalid_url"


async def test_a_slow_server_is_cut_at_the_time_limit(receiver):
    async def trickle(request):
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        while True:
            await response.write(b"x")
            await asyncio.sleep(0.02)

    receiver.answer = trickle
    assert await reason(receiver.url + "/", timeout=0.1) == "timeout"


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.row("8x8:4/playFile.fileUrl")
async def test_a_body_of_six_megabytes_is_cut(receiver, declared):
    sent = []

    async def large(request):
        response = web.StreamResponse(headers={"Content-Length": str(6 * MEGABYTE)} if declared else {})
        await response.prepare(request)
        for _ in range(96):
            await response.write(b"x" * 65_536)
            sent.append(65_536)
        return response

    receiver.answer = large
    assert await reason(receiver.url + "/") == "too_large"
    assert sum(sent) <= 6 * MEGABYTE - (2 * MEGABYTE if declared else 0)


async def test_a_server_that_does_not_connect_in_time_is_a_timeout(receiver, monkeypatch):
    class Slow(Names):
        async def resolve(self, host, port=0, family=0):
            await asyncio.Event().wait()

    assert await reason("http://cdn.example/a.mp3", resolver=Slow(), timeout=0.05) == "timeout"


async def test_one_host_gets_four_requests_at_a_time_and_others_are_not_kept_waiting(receiver):
    at_once, four, gate = [], asyncio.Event(), asyncio.Event()

    async def slow(request):
        if request.host.startswith("slow"):
            at_once.append(1)
            if len(at_once) == 4:
                four.set()
            await gate.wait()
        return web.Response(body=b"audio")

    receiver.answer = slow
    names = Names(slow_example=[["127.0.0.1"]], quick_example=[["127.0.0.1"]])
    async with fetching(resolver=names, timeout=5.0) as fetch:
        waiting = [asyncio.ensure_future(fetch(f"http://slow.example:{receiver.port}/{n}")) for n in range(6)]
        await asyncio.wait_for(four.wait(), 30)
        assert await fetch(f"http://quick.example:{receiver.port}/") == b"audio"
        assert len(at_once) == 4
        gate.set()
        assert await asyncio.gather(*waiting) == [b"audio"] * 6
        assert fetch._lanes == {}


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://user:secret@cdn.example:8443/+6591234567?key=1", "https://cdn.example:8443"),
        ("http://cdn.example/a", "http://cdn.example"),
        ("http://h:port/", ""),
    ],
)
def test_a_log_sees_scheme_host_and_port_only(url, origin):
    assert origin_of(url) == origin
