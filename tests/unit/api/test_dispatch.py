"""Paths and methods find their endpoint, and what finds none is refused in its section's shape."""

from __future__ import annotations

import pytest

from maskline.api.dispatch import Dispatcher, Request, Response, Route, Section


def endpoint(name):
    async def answer(request):
        words = " ".join(f"{key}={value}" for key, value in request.params.items())
        return Response(200, f"{name} {words}".strip().encode(), ((b"x-name", name.encode()),))

    return answer


def refuser(shape):
    return lambda status, headers: Response(status, f"{shape} {status}".encode(), headers)


def app():
    things = (
        Route("/Thing/{owner}/List", {"GET": endpoint("list"), "POST": endpoint("create")}),
        Route("/Thing/{owner}/List/{id}", {"GET": endpoint("get"), "DELETE": endpoint("drop")}),
        Route("/Thing/{owner}/Special/{id}", {"POST": endpoint("special")}),
        Route("/Thing/{owner}/{kind}/{id}", {"PUT": endpoint("any")}),
    )
    return Dispatcher(
        [
            Section("", (Route("/healthz", {"GET": endpoint("health")}),), refuser("outer")),
            Section("/v1", things, refuser("inner")),
            Section("/v1/odd", (Route("/one", {"GET": endpoint("odd")}),), refuser("odd")),
        ]
    )


async def ask(method, path, application=None):
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b""}
    await (application or app())(scope, receive, send)
    start, body = sent
    assert (start["type"], body["type"]) == ("http.response.start", "http.response.body")
    headers = dict(start["headers"])
    assert headers.pop(b"content-length") == str(len(body["body"])).encode()
    return start["status"], body["body"].decode(), headers


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [
        ("GET", "/healthz", "health"),
        ("GET", "/v1/Thing/a/List", "list owner=a"),
        ("POST", "/v1/Thing/a/List", "create owner=a"),
        ("GET", "/v1/Thing/a/List/7", "get owner=a id=7"),
        ("DELETE", "/v1/Thing/a/List/7", "drop owner=a id=7"),
        ("POST", "/v1/Thing/a/Special/7", "special owner=a id=7"),
        ("PUT", "/v1/Thing/a/Special/7", "any owner=a kind=Special id=7"),
        ("PUT", "/v1/Thing/a/List/7", "any owner=a kind=List id=7"),
        ("GET", "/v1/odd/one", "odd"),
    ],
)
async def test_path_and_method_decide(method, path, answer):
    status, body, headers = await ask(method, path)
    assert (status, body) == (200, answer)
    assert headers == {b"x-name": answer.split()[0].encode()}


@pytest.mark.parametrize("path", ["/v1/Thing/a/List", "/v1/Thing/a/List/", "//v1///Thing/a//List//"])
async def test_slashes_too_many_or_at_the_end_make_no_difference(path):
    assert (await ask("GET", path))[:2] == (200, "list owner=a")


async def test_get_answers_head_unless_head_has_an_endpoint():
    assert (await ask("HEAD", "/v1/Thing/a/List"))[1] == "list owner=a"
    own = Dispatcher([Section("", (Route("/a", {"GET": endpoint("get"), "HEAD": endpoint("head")}),), refuser("x"))])
    assert (await ask("HEAD", "/a", own))[1] == "head"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        *((path, "outer 404") for path in ("", "/", "//", "/v1", "/v1/", "/v1x/Thing")),
        *((path, "inner 404") for path in ("/v1/Thing", "/v1/Thing/a/list", "/v1/Thing/a/List/7/8", "/v1/oddity")),
        ("/v1/odd/two", "odd 404"),
    ],
)
async def test_a_path_that_leads_nowhere_is_refused_by_its_section(path, body):
    assert await ask("GET", path) == (404, body, {})


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "/v1/Thing/a/List", b"GET, HEAD, POST"),
        ("HEAD", "/v1/Thing/a/Special/7", b"POST, PUT"),
        ("POST", "/v1/Thing/a/List/7", b"DELETE, GET, HEAD, PUT"),
    ],
)
async def test_a_wrong_method_hears_which_ones_every_route_of_the_path_allows(method, path, allowed):
    assert await ask(method, path) == (405, "inner 405", {b"allow": allowed})


async def test_anything_but_http_is_a_mistake_of_the_server():
    with pytest.raises(RuntimeError, match="websocket"):
        await app()({"type": "websocket"}, None, None)


def request(*headers, scheme="http", server=("127.0.0.1", 8080)):
    scope = {"type": "http", "method": "PUT", "scheme": scheme, "server": server, "headers": list(headers)}
    return Request(scope | {"path": "//a//b/", "query_string": b"a=%20b"}, None, {})


def test_a_request_tells_method_query_and_its_first_header_of_a_name():
    asked = request((b"x-a", b"1"), (b"x-a", b"2"), (b"x-b", b"\xe9"))
    assert (asked.method, asked.path, asked.query) == ("PUT", "/a/b", b"a=%20b")
    assert [asked.header(name) for name in (b"x-a", b"x-b", b"x-c")] == ["1", "é", None]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (b"api.example", "http://api.example"), (b"api.example:8443", "http://api.example:8443"),
        (b"my_app:80", "http://my_app:80"), (b"[2001:db8::1]:8080", "http://[2001:db8::1]:8080"),
        (b"10.0.0.1", "http://10.0.0.1"),
    ],
)  # fmt: skip
def test_links_begin_with_the_host_the_client_named(host, expected):
    assert request((b"host", host)).base_url == expected


@pytest.mark.parametrize(
    "host", [b"", b"a b", b"a/b", b"user@evil.example", b"a:99999", b"a:b", b"[::1", b"\xe9.example", b"a\n", b"a?b"]
)
def test_a_host_that_is_none_is_not_repeated_in_links(host):
    assert request((b"host", host)).base_url == "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("scheme", "server", "expected"),
    [
        ("https", ("10.0.0.1", 443), "https://10.0.0.1"), ("https", ("10.0.0.1", 80), "https://10.0.0.1:80"),
        ("http", ("::1", 8080), "http://[::1]:8080"), ("http", None, "http://localhost"),
        ("http", ["10.0.0.1", 8080], "http://10.0.0.1:8080"),  # ASGI: any iterable
    ],
)  # fmt: skip
def test_without_a_host_links_begin_with_our_own_address(scheme, server, expected):
    assert request(scheme=scheme, server=server).base_url == expected


async def test_a_204_has_neither_body_nor_length():
    async def gone(_request):
        return Response(204, b"", ())

    sent = []

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "DELETE", "path": "/one", "headers": [], "query_string": b""}
    section = Section("", (Route("/one", {"DELETE": gone}),), refuser("outer"))
    await Dispatcher([section])(scope, None, send)
    assert sent == [
        {"type": "http.response.start", "status": 204, "headers": []}, {"type": "http.response.body", "body": b""},
    ]  # fmt: skip
