"""One try of a webhook against real sockets on loopback: what it reaches, what it refuses, what it says of failures."""

from __future__ import annotations

import asyncio
import socket

import pytest
from aiohttp import web

from maskline.net.post import Poster
from maskline.webhooks.schedule import CallbackRules, Fault
from maskline.webhooks.send import MAX_ANSWER, WebhookSender
from maskline.webhooks.sign import Request
from tests.support.web_receiver import LOOPBACK, Names, receiving

NOW = 1_711_346_490.0
FAST = CallbackRules(connect=2.0, total=2.0)


@pytest.fixture
async def receiver():
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def send():
    """Send with a poster that may reach loopback unless told otherwise."""
    opened = []

    async def send(url, *, method="POST", body=b"A=1", headers=None, rules=FAST, allowed=LOOPBACK, resolver=None):
        poster = Poster(allowed, resolver=resolver)
        opened.append(poster)
        await poster.open()
        return await WebhookSender(poster).send(Request(method, url, body), headers or {}, rules, now=NOW)

    yield send
    for poster in opened:
        await poster.close()


async def test_a_post_arrives_as_it_was_given(receiver, send):
    answer = await send(receiver.url + "/cb?x=%41+b", body=b"A=1&B=2", headers={"X-Test": "1", "Content-Type": "a/b"})
    assert answer.result.status == 200
    assert answer.error == ""
    method, path, headers, body = receiver.requests[0]
    assert (method, path, body) == ("POST", "/cb?x=%41+b", b"A=1&B=2")
    assert headers["X-Test"] == "1"
    assert headers["Host"] == f"127.0.0.1:{receiver.port}"


async def test_a_get_has_no_body(receiver, send):
    await send(receiver.url + "/cb?A=1", method="GET", body=b"")
    assert receiver.requests[0][0] == "GET"
    assert receiver.requests[0][3] == b""


async def test_without_the_operators_word_loopback_is_refused_and_never_dialled(receiver, send):
    for host in ("127.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0", "localhost"):
        answer = await send(f"http://{host}:{receiver.port}/", allowed=[])
        assert answer.result.fault is Fault.FORBIDDEN, host
        assert "MASKLINE_EGRESS_ALLOW" in answer.error
    assert receiver.requests == []


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "017700000001"])
async def test_odd_spellings_of_loopback_do_not_pass(receiver, send, host):
    answer = await send(f"http://{host}:{receiver.port}/", allowed=[])
    assert answer.result.fault in (Fault.INVALID, Fault.FORBIDDEN, Fault.CONNECT)
    assert receiver.requests == []


async def test_a_name_that_resolves_to_an_internal_address_is_refused(receiver, send):
    names = Names(hooks_example=[["127.0.0.1"]])
    answer = await send(f"http://hooks.example:{receiver.port}/", allowed=[], resolver=names)
    assert answer.result.fault is Fault.FORBIDDEN
    assert receiver.requests == []


async def test_a_name_with_one_internal_address_among_public_ones_is_refused(receiver, send):
    names = Names(hooks_example=[["93.184.216.34", "10.0.0.1"]])
    answer = await send(f"http://hooks.example:{receiver.port}/", allowed=[], resolver=names)
    assert answer.result.fault is Fault.FORBIDDEN


async def test_an_allowed_name_keeps_its_host_header(receiver, send):
    names = Names(hooks_example=[["127.0.0.1"]])
    answer = await send(f"http://hooks.example:{receiver.port}/", resolver=names)
    assert answer.result.status == 200
    assert receiver.requests[0][2]["Host"] == f"hooks.example:{receiver.port}"


async def test_redirects_are_not_followed(receiver, send):
    async def away(_request):
        return web.Response(status=302, headers={"Location": "/elsewhere"})

    receiver.answer = away
    answer = await send(receiver.url + "/")
    assert (answer.result.status, answer.error) == (302, "HTTP 302")
    assert len(receiver.requests) == 1


async def test_retry_after_is_read(receiver, send):
    async def later(_request):
        return web.Response(status=503, headers={"Retry-After": "120"})

    receiver.answer = later
    assert (await send(receiver.url + "/")).result.retry_after == 120.0


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("ftp://h.example/", Fault.INVALID),
        ("file:///etc/passwd", Fault.INVALID),
        ("//h.example/", Fault.INVALID),
        ("http://", Fault.INVALID),
        ("http://h.example:22/", Fault.INVALID),
        ("http://h.example:notaport/", Fault.INVALID),
        ("http://h.example/a b", Fault.INVALID),
        ("http://h.example/\r\nX: y", Fault.INVALID),
    ],
)
async def test_what_is_not_a_web_address_is_invalid(send, url, fault):
    assert (await send(url)).result.fault is fault


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:9/x", "the URL has a port below 1024 that is neither 80 nor 443"),
        ("https://h.example:25/", "the URL has a port below 1024 that is neither 80 nor 443"),
        ("ftp://h.example/", "not an http or https URL"),
    ],
)
async def test_what_is_wrong_with_a_url_is_named(send, url, said):
    assert (await send(url)).error == said


async def test_a_header_that_would_break_the_request_is_invalid(receiver, send):
    answer = await send(receiver.url + "/", headers={"Authorization": "x\r\nEvil: y"})
    assert answer.result.fault is Fault.INVALID
    assert receiver.requests == []


async def test_a_closed_port_is_a_connect_fault(send):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        answer = await send(f"http://127.0.0.1:{unused.getsockname()[1]}/")
    assert answer.result.fault is Fault.CONNECT
    assert answer.error == "no connection: refused or unreachable"


async def test_an_unknown_name_is_a_connect_fault(send):
    class Nowhere(Names):
        async def resolve(self, host, port=0, family=socket.AF_INET):
            raise OSError("no such name")

    answer = await send("http://hooks.example/", resolver=Nowhere())
    assert (answer.result.fault, answer.error) == (Fault.CONNECT, "the name is unknown")


async def test_silence_is_a_read_fault_after_the_total_time(receiver, send):
    async def silent(_request):
        await asyncio.Event().wait()

    receiver.answer = silent
    answer = await send(receiver.url + "/", rules=CallbackRules(connect=1.0, total=0.05))
    assert (answer.result.fault, answer.error) == (Fault.READ, "no answer in time")


async def test_a_connection_that_breaks_is_a_read_fault(receiver, send):
    async def broken(request):
        request.transport.abort()
        return web.Response()

    receiver.answer = broken
    answer = await send(receiver.url + "/")
    assert answer.result.fault is Fault.READ


async def test_tls_to_a_port_that_speaks_plain_http_is_a_connect_fault(receiver, send):
    answer = await send(receiver.url.replace("http:", "https:") + "/")
    assert answer.result.fault is Fault.CONNECT
    assert answer.error.startswith("TLS failed")


async def test_a_huge_answer_is_cut_and_its_status_counts(receiver, send):
    sent = []

    async def huge(request):
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(1000):
            await response.write(b"x" * 65_536)
            sent.append(65_536)
        return response

    receiver.answer = huge
    answer = await send(receiver.url + "/")
    assert answer.result.status == 200
    assert sum(sent) < 1000 * 65_536
    assert MAX_ANSWER == 4096


async def test_an_answer_that_stalls_after_its_status_still_counts(receiver, send):
    async def stalls(request):
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"x")
        await asyncio.Event().wait()

    receiver.answer = stalls
    assert (await send(receiver.url + "/", rules=CallbackRules(connect=1.0, total=0.1))).result.status == 200


async def test_the_configured_authorization_wins_over_user_info(receiver, send):
    url = receiver.url.replace("//", "//user:word@")
    await send(url + "/", headers={"Authorization": "Bearer t"})
    await send(url + "/")
    assert receiver.requests[0][2]["Authorization"] == "Bearer t"
    assert receiver.requests[1][2]["Authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"", Fault.READ),
        (b"garbage that is no HTTP\r\n\r\n", Fault.READ),
        (b"HTTP/1.1 999999 X\r\n\r\n", Fault.READ),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n", Fault.READ),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000 + b"\r\n", Fault.READ),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 50_000, Fault.READ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Fault.READ),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", 200),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", Fault.READ),
        (b"HTTP/1.1 503 X\r\nRetry-After: \xff\xfe\r\nContent-Length: 0\r\n\r\n", 503),
    ],
    ids=range(10),
)
async def test_hostile_answers_end_as_a_fault_or_a_status_and_never_as_an_exception(send, answer, expected):
    async def hostile(reader, writer):
        await reader.readuntil(b"A=1")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(hostile, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        got = (await asyncio.wait_for(send(f"http://127.0.0.1:{port}/"), 30)).result
    assert (got.fault if isinstance(expected, Fault) else got.status) == expected
