"""The ng protocol's datagrams: `<cookie> <bencoded dictionary>`.

What it is: bencode (BEP 3) in the dialect rtpengine speaks: text as UTF-8, dictionary keys in any order (its replies
do not sort them), nothing but strings, integers, lists and dictionaries. What it is not: a socket. It decodes what a
daemon sent us, so it is strict about shape and bounded in depth. Who uses it: `client.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_DEEPEST = 32
"""rtpengine's deepest reply has nine levels."""

_LONGEST_COOKIE = 256

Dictionary = dict[str, Any]


class NgFault(ValueError):
    """This is not an ng message."""


class NgCutOff(NgFault):
    """Not yet: the message ends before it should."""


def encode(value: str | bytes | int | Sequence[Any] | Mapping[str, Any]) -> bytes:
    """Raises `TypeError` for what bencode has no form for."""
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%b" % (len(value), value)
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, Mapping):
        return b"d" + b"".join(encode(key) + encode(item) for key, item in sorted(value.items())) + b"e"
    if isinstance(value, Sequence):
        return b"l" + b"".join(encode(item) for item in value) + b"e"
    raise TypeError(f"no bencode form for {type(value).__name__}")


def pack(cookie: str, message: Mapping[str, Any]) -> bytes:
    return cookie.encode() + b" " + encode(message)


def unpack(datagram: bytes) -> tuple[str, Dictionary]:
    """Cookie and message; raises `NgFault`."""
    cookie, space, body = datagram.partition(b" ")
    if not space:
        raise NgFault("no cookie")
    value, end = _read(body, 0, _DEEPEST)
    if not isinstance(value, dict) or end != len(body):
        raise NgFault("not one dictionary")
    return cookie.decode("utf-8", "replace"), value


def unpack_first(stream: bytes) -> tuple[str, Dictionary, int] | None:
    """Cookie, message and length of the first message of a stream; None while it is not complete. Raises `NgFault`."""
    cookie, space, _ = stream[:_LONGEST_COOKIE].partition(b" ")
    if not space:
        if len(stream) >= _LONGEST_COOKIE:
            raise NgFault("no cookie")
        return None
    try:
        value, end = _read(stream, len(cookie) + 1, _DEEPEST)
    except NgCutOff:
        return None
    if not isinstance(value, dict):
        raise NgFault("not one dictionary")
    return cookie.decode("utf-8", "replace"), value, end


def _read(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    if at >= len(data):
        raise NgCutOff("cut off")
    kind = data[at : at + 1]
    if kind.isdigit():
        return _read_text(data, at)
    if kind == b"i":
        return _read_integer(data, at)
    if depth == 0:
        raise NgFault("too deep")
    if kind == b"l":
        return _read_list(data, at + 1, depth - 1)
    if kind == b"d":
        return _read_dictionary(data, at + 1, depth - 1)
    raise NgFault("unknown type")


def _number(digits: bytes) -> int:
    # int() would also take blanks, underscores and thousands of digits.
    if not digits.removeprefix(b"-").isdigit() or len(digits) > 20:
        raise NgFault("not a number")
    return int(digits)


def _read_text(data: bytes, at: int) -> tuple[str, int]:
    colon = data.find(b":", at, at + 12)
    if colon < 0:
        raise NgCutOff("no length") if len(data) < at + 12 else NgFault("no length")
    start = colon + 1
    end = start + _number(data[at:colon])
    if end > len(data):
        raise NgCutOff("cut off")
    return data[start:end].decode("utf-8", "replace"), end


def _read_integer(data: bytes, at: int) -> tuple[int, int]:
    end = data.find(b"e", at, at + 24)
    if end < 0:
        raise NgCutOff("no end of integer") if len(data) < at + 24 else NgFault("no end of integer")
    return _number(data[at + 1 : end]), end + 1


def _read_list(data: bytes, at: int, depth: int) -> tuple[list[Any], int]:
    items: list[Any] = []
    while data[at : at + 1] != b"e":
        item, at = _read(data, at, depth)
        items.append(item)
    return items, at + 1


def _read_dictionary(data: bytes, at: int, depth: int) -> tuple[Dictionary, int]:
    items: Dictionary = {}
    while data[at : at + 1] != b"e":
        if at >= len(data):
            raise NgCutOff("cut off")
        if not data[at : at + 1].isdigit():
            raise NgFault("a key that is no text")
        key, at = _read_text(data, at)
        items[key], at = _read(data, at, depth)
    return items, at + 1
