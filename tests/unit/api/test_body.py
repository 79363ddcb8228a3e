"""Only a small JSON object gets through; everything else is one clear sentence."""

from __future__ import annotations

import asyncio
import json

import pytest

from maskline.api.body import MAX_BODY, parse_object, read_object
from maskline.api.dispatch import Request
from maskline.errors import BodyTooLarge, InvalidParameter, RequestTooSlow


def request(*chunks, headers=(), hang=False):
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.request", "body": b"", "more_body": False})
    pending = iter(messages)

    async def receive():
        if hang:
            await asyncio.Event().wait()
        return next(pending)

    scope = {"type": "http", "method": "POST", "path": "/", "headers": list(headers), "query_string": b""}
    return Request(scope, receive, {})


@pytest.mark.parametrize("body", [b"", b"  \n", b"{}", b"\xef\xbb\xbf{}", b"\xef\xbb\xbf"])
def test_nothing_is_an_empty_object(body):
    assert parse_object(body) == {}


@pytest.mark.parametrize(
    "body",
    [
        b"{", b'{"a":1,}', b"a=1&b=2", b"\xff\xfe\xfd", b'{"a":NaN}', b'{"a":-Infinity}', b'{"a":' + b"9" * 5000 + b"}",
        b"[" * 60_000, b'{"a":' * 10_000, b"\x00", b'{"a":1}{"b":2}', "{}".encode("utf-16"),
        b'{"a":"\\ud800"}', b'{"a":"\xed\xa0\x80"}',
    ],
)  # fmt: skip
def test_broken_json_is_refused(body):
    with pytest.raises(InvalidParameter) as caught:
        parse_object(body)
    assert caught.value.sentence == "Invalid request. The body is not valid JSON"


@pytest.mark.parametrize("body", [b"[]", b"null", b'"a"', b"1", b"true"])
def test_json_that_is_no_object_is_refused(body):
    with pytest.raises(InvalidParameter) as caught:
        parse_object(body)
    assert caught.value.sentence == "Invalid request. The body is not a JSON object"


async def test_a_body_in_pieces_is_put_together():
    assert await read_object(request(b'{"a"', b":", b"1}")) == {"a": 1}


async def test_a_body_of_the_largest_size_is_read():
    body = json.dumps({"a": ""}).encode()
    body = body.replace(b'""', b'"' + b"x" * (MAX_BODY - len(body)) + b'"')
    assert len(body) == MAX_BODY
    assert list(await read_object(request(body))) == ["a"]


async def test_a_larger_body_is_refused_by_its_declared_length_before_it_is_read():
    declared = request(headers=[(b"content-length", str(MAX_BODY + 1).encode())], hang=True)
    with pytest.raises(BodyTooLarge):
        await read_object(declared)


async def test_a_larger_body_without_a_declared_length_is_refused_while_it_is_read():
    with pytest.raises(BodyTooLarge):
        await read_object(request(*[b"x" * 1024] * 65))


@pytest.mark.row("1.1/client timeouts")
async def test_a_body_that_does_not_come_is_given_up():
    with pytest.raises(RequestTooSlow):
        await read_object(request(hang=True), timeout=0.01)


async def test_a_client_that_leaves_early_is_no_error_of_ours():
    async def receive():
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "query_string": b""}
    with pytest.raises(InvalidParameter, match="ended early"):
        await read_object(Request(scope, receive, {}))
