"""The leak check finds a number however it is written, and does not cry wolf."""

import base64

import pytest

from maskline.lab.leaks import find_leaks
from maskline.masking.e164 import Number

NUMBER = Number("6591110042")


@pytest.mark.parametrize(
    "message",
    [
        b"From: <sip:+6591110042@h>",
        b"From: <sip:91110042@h>",
        b"X: " + b"6591110042"[::-1],
        "o=91110042".encode("utf-16-le"),
        b"X: " + b"91110042".hex().encode(),
        b"sip:" + b"".join(b"%%%02X" % c for c in b"91110042"),
        bytes.fromhex("91110042"),
        b"vsf=" + base64.b64encode(b"6591110042"),
        b"vsf=" + base64.b64encode(b"x6591110042y"),
        b"vsf=" + base64.b64encode(b"xy6591110042zzz"),
    ],
)
def test_each_spelling_is_found(message: bytes) -> None:
    assert find_leaks([b"harmless", message], NUMBER)


def test_other_numbers_are_not_a_leak() -> None:
    assert find_leaks([b"INVITE sip:+6598760007@h SIP/2.0", b"\x80\x00" * 400], NUMBER) == []


def test_a_number_split_over_two_messages_is_not_joined() -> None:
    assert find_leaks([b"6591", b"110042"], NUMBER) == []


def test_an_identifier_of_the_other_leg_is_a_leak() -> None:
    assert find_leaks([b"Call-ID: abc123"], NUMBER, secrets=[b"abc123", b""]) == ["identifier"]


def test_short_numbers_are_searched_whole() -> None:
    assert find_leaks([b"sip:10042@h"], Number("10042")) != []
