"""POST over kept connections, against real sockets: what it reads, what it refuses, what it keeps, how it fails."""

from __future__ import annotations

import asyncio
import base64
import gc
import socket
import ssl
import threading

import pytest
import uvloop

from maskline.lab.ports import free_port
from maskline.lab.private_ca import issue
from maskline.net import known_names
from maskline.net import post as post_module
from maskline.net.egress import EgressError, Failure
from maskline.net.names import ThreadedNames
from maskline.net.post import Poster
from maskline.net.post_connection import PostConnection
from tests.support.scripted_server import Answer, scripted
from tests.support.waiting import until
from tests.support.web_receiver import LOOPBACK, Names

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class RawServer:
    """Reads a request, writes the next of its replies byte for byte; None: says nothing more."""

    def __init__(self, *replies: bytes | None, hang_up: bool = False) -> None:
        self.replies = list(replies)
        self.hang_up = hang_up
        self.requests: list[bytes] = []
        self.connections = 0
        self.writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_):
        self.server.close()
        for writer in self.writers:
            writer.close()

    async def serve(self, reader, writer):
        self.connections += 1
        self.writers.append(writer)
        while self.replies:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                return
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
            self.requests.append(head + await reader.readexactly(length))
            reply = self.replies.pop(0)
            if reply is not None:
                writer.write(reply)
        if self.hang_up:
            writer.close()


@pytest.fixture
async def poster():
    """Makes a poster that may reach loopback unless told otherwise."""
    opened = []

    async def make(allowed=LOOPBACK, **more):
        opened.append(Poster(allowed, **more))
        await opened[-1].open()
        return opened[-1]

    yield make
    for one in opened:
        await one.close()


async def post(poster, url, headers=None, body=b"{}", connect=2.0, total=2.0, most=1000, method="POST", **more):
    return await poster.request(method, url, headers or {}, body, connect=connect, total=total, most=most, **more)


async def fails(poster, url, **more):
    with pytest.raises(EgressError) as raised:
        await post(poster, url, **more)
    return raised.value.failure


async def test_a_request_is_what_was_given_and_the_answer_is_read_whole(poster):
    posting = await poster()
    async with RawServer(OK) as server:
        answer = await post(
            posting, server.url + "/vca?x=%41+b#part", {"Authorization": "Bearer x", "X-Y": "1"}, b"{1}"
        )
    assert (answer.status, answer.body) == (200, b"ok")
    assert server.requests == [
        b"POST /vca?x=%41+b HTTP/1.1\r\nHost: " + server.url[7:].encode()
        + b"\r\nAuthorization: Bearer x\r\nX-Y: 1\r\nContent-Length: 3\r\n\r\n{1}"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("reply", "status", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n", 200, b"abc"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 503 Later\r\nContent-Length: 0\r\n\r\n", 503, b""),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + OK, 200, b"ok"),
    ],
)
async def test_answers_of_every_framing_are_read_and_their_connection_is_kept(poster, reply, status, body):
    posting = await poster()
    async with RawServer(reply, OK) as server:
        answer = await post(posting, server.url)
        assert (answer.status, answer.body) == (status, body)
        await post(posting, server.url)
    assert server.connections == 1


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n"])
async def test_an_answer_may_end_with_its_connection(poster, head):
    posting = await poster()
    async with RawServer(head + b"all of it", hang_up=True) as server:
        answer = await post(posting, server.url)
    assert (answer.status, answer.body) == (200, b"all of it")
    assert posting._idle == {}


async def test_a_connection_that_the_server_wants_closed_is_not_kept(poster):
    posting = await poster()
    async with RawServer(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", OK) as server:
        await post(posting, server.url)
        await post(posting, server.url)
    assert server.connections == 2


@pytest.mark.parametrize(
    ("reply", "failure"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", Failure.BROKEN),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf", Failure.BROKEN),
        (b"HTTP/1.1 200 OK\r\nContent-", Failure.BROKEN),
        (b"", Failure.BROKEN),
        (b"SIP/2.0 200 OK\r\n\r\n", Failure.BROKEN),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nabc", Failure.BROKEN),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001, Failure.TOO_LARGE),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 40_000 + b"\r\n\r\n", Failure.TOO_LARGE),
    ],
)
async def test_what_is_no_answer_is_a_failure(poster, reply, failure):
    posting = await poster()
    async with RawServer(reply, hang_up=True) as server:
        assert await fails(posting, server.url) is failure
    await until(lambda: not posting._open)


async def test_an_answer_too_many_ends_the_connection(poster):
    posting = await poster()
    async with RawServer(OK + OK, OK) as server:
        assert (await post(posting, server.url)).body == b"ok"
        await post(posting, server.url)
        assert server.connections == 2
        await until(lambda: len(posting._open) == 1)


async def test_bytes_that_nobody_asked_for_end_a_kept_connection(poster):
    posting = await poster()
    async with RawServer(OK, None) as server:
        await post(posting, server.url)
        server.writers[0].write(b"HTTP/1.1 408 Too late\r\n\r\n")
        await until(lambda: not posting._open)
    assert posting._idle == {}


async def test_a_connection_is_kept_for_a_while_only(poster, monkeypatch):
    monkeypatch.setattr(post_module, "_KEEP", 0.05)
    posting = await poster()
    async with RawServer(OK) as server:
        await post(posting, server.url)
        assert len(posting._open) == 1
        await until(lambda: not posting._open)
    assert posting._idle == {}


async def test_an_answer_that_does_not_come_in_time_is_given_up_with_its_connection(poster):
    posting = await poster()
    async with RawServer(None, OK) as server:
        assert await fails(posting, server.url, total=0.5) is Failure.TIMEOUT
        await until(lambda: not posting._open)


async def test_a_cancelled_request_leaves_no_connection(poster):
    posting = await poster()
    async with RawServer(None, OK) as server:
        asking = asyncio.ensure_future(post(posting, server.url))
        await until(lambda: server.requests)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert asking.cancelled()
        await until(lambda: not posting._open)


async def test_a_close_ends_what_is_going_on():
    posting = Poster(LOOPBACK, resolver=Names(app_example=[["127.0.0.1"]]))
    await posting.open()
    async with RawServer(None, OK) as server:
        asking = asyncio.ensure_future(post(posting, f"http://app.example:{server.port}"))
        await until(lambda: server.requests)
        await posting.close()
        with pytest.raises(EgressError):
            await asking


@pytest.mark.parametrize(
    ("reply", "body"),
    [
        (b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 9\r\n\r\nhalf", b"half"),
        (b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000, b"x" * 1000),
        (b"HTTP/1.1 429 Slow\r\nRetry-After: 7\r\n\r\n" + b"x" * 200_000, b"x" * 1000),
    ],
)
async def test_where_the_status_will_do_the_rest_may_be_missing_or_too_long(poster, reply, body):
    posting = await poster()
    async with RawServer(reply, hang_up=True) as server:
        answer = await post(posting, server.url, status_will_do=True)
    assert (answer.status, answer.body, answer.retry_after) == (429, body, "7")
    await until(lambda: not posting._open)


@pytest.mark.parametrize("reply", [b"HTTP/1.1 200 OK\r\nX", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", b""])
async def test_without_a_whole_head_there_is_no_status(poster, reply):
    posting = await poster()
    async with RawServer(reply, hang_up=True) as server:
        assert await fails(posting, server.url, status_will_do=True) is Failure.BROKEN


async def test_a_get_has_no_body(poster):
    posting = await poster()
    async with RawServer(OK) as server:
        await post(posting, server.url + "/?a=1", method="GET", body=b"")
    assert posting._targets == {}, "numbers in a query are not remembered"
    assert server.requests == [b"GET /?a=1 HTTP/1.1\r\nHost: " + server.url[7:].encode() + b"\r\n\r\n"]


# -- addresses -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0", "localhost", "127.1", "2130706433"])
async def test_without_the_operators_word_nothing_internal_is_connected(poster, host):
    posting = await poster(allowed=[])
    async with RawServer(OK) as server:
        assert await fails(posting, f"http://{host}:{server.port}/") in (
            Failure.FORBIDDEN_ADDRESS, Failure.UNKNOWN_NAME, Failure.INVALID_URL,
        )  # fmt: skip
    assert server.connections == 0


async def test_a_name_with_one_internal_address_is_refused(poster):
    names = Names(app_example=[["93.184.216.34", "127.0.0.1"]])
    posting = await poster(allowed=[], resolver=names)
    async with RawServer(OK) as server:
        assert await fails(posting, f"http://app.example:{server.port}") is Failure.FORBIDDEN_ADDRESS
    assert server.connections == 0


async def test_a_name_is_asked_for_once_and_its_next_address_is_tried(poster):
    # Nothing listens on the first address; a second question would be answered with an address that is refused.
    names = Names(app_example=[["127.0.0.77", "127.0.0.1"], ["10.0.0.1"]])
    posting = await poster(resolver=names)
    async with RawServer(*[OK] * 9) as server:
        url = f"http://app.example:{server.port}"
        answers = await asyncio.gather(*(post(posting, url) for _ in range(3)))
        assert [answer.status for answer in answers] == [200, 200, 200]
        await post(posting, url)
    assert server.connections == 3


async def test_a_name_is_asked_for_again_after_a_while_and_after_a_failure(poster, monkeypatch):
    class Failing(Names):
        async def resolve(self, host, port=0, family=socket.AF_INET):
            if not self.table[host][0]:
                self.table[host].pop(0)
                raise OSError("away")
            return await super().resolve(host, port, family)

    posting = await poster(resolver=Failing(app_example=[[], ["127.0.0.1"], ["127.0.0.1"], ["10.0.0.1"]]))
    async with RawServer(OK, OK, OK) as server:
        url = f"http://app.example:{server.port}"
        assert await fails(posting, url) is Failure.UNKNOWN_NAME
        await post(posting, url)
        monkeypatch.setattr(known_names, "FRESH", 0.0)
        posting._names.forget()
        for connection in list(posting._open):
            connection.abort(EgressError(Failure.BROKEN, ""))
        await post(posting, url)
        for connection in list(posting._open):
            connection.abort(EgressError(Failure.BROKEN, ""))
        assert await fails(posting, url) is Failure.FORBIDDEN_ADDRESS


async def test_names_whose_servers_hang_stop_no_name_that_was_known(poster, monkeypatch):
    hang = threading.Event()

    def look_up(host, port, *_, **__):
        if host.startswith("dead"):
            hang.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "away")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    posting = await poster(resolver=ThreadedNames(threads=2))
    try:
        async with RawServer(*[OK] * 2) as server:
            url = f"http://app.example:{server.port}"
            await post(posting, url)
            monkeypatch.setattr(known_names, "FRESH", 0.0)
            for connection in list(posting._open):
                connection.abort(EgressError(Failure.BROKEN, ""))
            dead = [asyncio.ensure_future(fails(posting, f"http://dead{n}.example", connect=1.0)) for n in range(4)]
            await asyncio.sleep(0)
            assert (await post(posting, url, connect=20.0, total=20.0)).status == 200
            assert not any(one.done() for one in dead)
            assert await fails(posting, "http://new.example", connect=0.2) is Failure.CONNECT_TIMEOUT
            hang.set()
            await asyncio.gather(*dead)
    finally:
        hang.set()


async def test_a_refused_and_a_slow_connection_are_told_apart(poster, monkeypatch):
    posting = await poster()
    port = free_port()
    assert await fails(posting, f"http://127.0.0.1:{port}") is Failure.NO_CONNECTION

    async def never(*_):
        await asyncio.Event().wait()

    monkeypatch.setattr(posting, "_connect", never)
    assert await fails(posting, f"http://127.0.0.1:{port}", connect=0.05) is Failure.CONNECT_TIMEOUT


@pytest.mark.parametrize("loop_factory", [None, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def test_a_connection_that_is_over_is_freed_without_the_collector(loop_factory):
    """A full collection comes in an idle moment alone: what a connection left would stay as long as there are calls."""

    async def run():
        poster = Poster(LOOPBACK)
        await poster.open()
        closing = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        async with RawServer(closing, b"nonsense\r\n\r\n", hang_up=True) as server:
            await post(poster, server.url)
            await fails(poster, server.url)
        await fails(poster, f"http://127.0.0.1:{free_port()}")
        await poster.close()
        await until(lambda: not kept_connections())

    gc.collect()
    gc.disable()
    try:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(run())
    finally:
        gc.enable()


def kept_connections():
    return [one for one in gc.get_objects() if isinstance(one, PostConnection)]


# -- requests ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers", [{"Authorization": "a\r\nX: y"}, {"Authorization": "a\nb"}, {"Authorization": "a\x00"}, {"X": "字"}]
)
async def test_a_header_that_would_break_the_request_is_not_sent(poster, headers):
    posting = await poster()
    async with RawServer(OK) as server:
        assert await fails(posting, server.url, headers=headers) is Failure.INVALID_URL
    assert server.connections == 0


@pytest.mark.parametrize("url", ["ftp://h.example/", "http://h.example:25/", "http://h.example/a b", "http:///x", ""])
async def test_what_is_not_a_web_address_is_invalid(poster, url):
    assert await fails(await poster(), url) is Failure.INVALID_URL


@pytest.mark.parametrize("host", ["a..b", ".example", "a" * 64 + ".example"])
async def test_a_host_that_is_no_name_is_invalid(poster, host):
    assert await fails(await poster(), f"http://{host}/") is Failure.INVALID_URL


async def test_user_info_in_a_url_is_basic_authorization_unless_another_is_given(poster, monkeypatch):
    monkeypatch.setattr(post_module, "_MOST_TARGETS", 1)
    posting = await poster()
    async with RawServer(OK, OK) as server:
        url = server.url.replace("//", "//us%40er:secret@")
        await post(posting, url)
        await post(posting, url, {"Authorization": "Bearer x"})
    basic = base64.b64encode(b"us@er:secret")
    assert [request.count(b"Authorization: ") for request in server.requests] == [1, 1]
    assert b"Authorization: Basic " + basic + b"\r\n" in server.requests[0]
    assert b"Authorization: Bearer x\r\n" in server.requests[1]


# -- TLS, and the loop of the product ------------------------------------------------------------------------------


def exchange(url, context):
    """(Status, body, or failure) twice, under the loop that the server runs on."""

    async def run():
        posting = Poster(LOOPBACK, tls=context, resolver=Names(localhost=[["127.0.0.1"]]))
        await posting.open()
        found = []
        for _ in range(2):
            try:
                answer = await post(posting, url)
                found.append((answer.status, answer.body))
            except EgressError as error:
                found.append(error.failure)
        await posting.close()
        return found

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())


def test_under_uvloop_connections_are_kept_too():
    with scripted(Answer(200, "one"), Answer(404, "two")) as server:
        assert exchange(server.url, None) == [(200, b"one"), (404, b"two")]
    assert [seen.connection for seen in server.seen] == [0, 0]


def test_a_certificate_is_checked_against_the_name():
    identity = issue(["localhost"])
    ours = ssl.create_default_context(cadata=identity.authority.decode())
    with scripted(Answer(200, "one"), Answer(200, "two"), context=identity.server_context()) as server:
        assert exchange(server.url, ours) == [(200, b"one"), (200, b"two")]
    with scripted(context=identity.server_context()) as server:
        assert exchange(server.url, None) == [Failure.TLS_FAILED] * 2
    with scripted(context=issue(["other.example"]).server_context()) as server:
        assert exchange(server.url, ours) == [Failure.TLS_FAILED] * 2
