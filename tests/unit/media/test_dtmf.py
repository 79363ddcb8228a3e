"""Telephone events: what a network does to them, and what is told."""

from __future__ import annotations

import random
import secrets
import struct

import pytest

from maskline.media.dtmf import DIGITS, LOST_END, EventReader, press

SSRC = 7


def event(code: int, duration: int, *, end: bool = False) -> bytes:
    return struct.pack(">BBH", code, 0x80 | 10 if end else 10, duration)


class Line:
    """A reader and its clock; `digits` is all that was told."""

    def __init__(self) -> None:
        self.reader = EventReader()
        self.now = 100.0
        self.digits = ""

    def send(self, timestamp: int, *payloads: bytes, ssrc: int = SSRC) -> str:
        before = len(self.digits)
        for payload in payloads:
            self.digits += self.reader.take(ssrc, timestamp & 0xFFFFFFFF, payload, self.now)
            self.now += 0.02
        return self.digits[before:]

    def wait(self, seconds: float) -> str:
        self.now += seconds
        told = self.reader.expire(self.now)
        self.digits += told
        return told


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.mark.parametrize("digit", DIGITS)
def test_every_key_is_told_once_however_often_its_end_is_repeated(line: Line, digit: str) -> None:
    line.send(1000, *press(digit, 160))
    assert line.digits == digit
    assert line.wait(1.0) == ""


def test_it_is_told_at_the_first_end_packet_and_not_before(line: Line) -> None:
    payloads = press("5", 100)
    assert line.send(1000, *payloads[:-3]) == ""
    assert line.send(1000, payloads[-3]) == "5"


def test_digits_follow_each_other_and_the_same_one_twice_is_two(line: Line) -> None:
    for index, digit in enumerate("1123"):
        line.send(1000 + 2000 * index, *press(digit, 100))
    assert line.digits == "1123"


def test_a_lost_start_and_lost_updates_do_not_matter(line: Line) -> None:
    assert line.send(1000, press("7", 160)[-1]) == "7"


def test_a_digit_whose_end_was_lost_ends_with_the_next(line: Line) -> None:
    line.send(1000, *press("1", 160)[:-3])
    assert line.send(4000, press("2", 160)[0]) == "1"
    assert line.send(4000, *press("2", 160)[1:]) == "2"
    line.send(8000, *press("3", 160)[:-3])
    assert line.send(12_000, press("4", 160)[-1]) == "34"


def test_or_when_nothing_came_for_a_while(line: Line) -> None:
    line.send(1000, *press("1", 160)[:-3])
    assert line.wait(LOST_END / 2 - 0.02) == ""
    assert line.wait(LOST_END) == "1"
    assert line.send(1000, press("1", 160)[-1]) == ""


def test_late_packets_of_an_ended_digit_are_nothing_new(line: Line) -> None:
    first, second = press("1", 160), press("2", 160)
    line.send(1000, *first[:3])
    line.send(3000, second[0])
    line.send(1000, *first[3:])
    line.send(3000, *second[1:])
    line.send(900, press("9", 160)[0])
    assert line.digits == "12"


def test_packets_of_a_digit_in_any_order(line: Line) -> None:
    payloads = press("6", 200)
    random.Random(4).shuffle(payloads)
    line.send(1000, *payloads)
    line.send(9000, *press("6", 200))
    assert line.digits == "66"


def test_a_key_held_for_more_than_eight_seconds_is_one_digit(line: Line) -> None:
    line.send(1000, event(3, 160), event(3, 0xFFFF))
    line.send(1000 + 0xFFFF, event(3, 160), event(3, 320))
    line.send(1000 + 2 * 0xFFFF, event(3, 160), event(3, 480, end=True), event(3, 480, end=True))
    assert line.digits == "3"


def test_timestamps_wrap(line: Line) -> None:
    line.send(0xFFFFFF00, *press("1", 100))
    line.send(0xFFFFFF00 + 2000, *press("2", 100))
    assert line.digits == "12"


def test_a_new_stream_or_a_clock_set_back_is_listened_to_at_once(line: Line) -> None:
    line.send(900_000, *press("1", 100))
    line.send(5, *press("2", 100))
    line.send(900_000, *press("3", 100)[:-3], ssrc=8)
    line.send(3, *press("4", 100), ssrc=9)
    assert line.digits == "1234"


def test_what_is_no_digit_is_nothing(line: Line) -> None:
    line.send(1000, b"", b"\x01", b"\x01\x8a\x00", event(16, 800, end=True), event(255, 800, end=True))
    assert line.digits == ""
    assert line.send(2000, event(11, 800, end=True) + b"more") == "#"


def test_rubbish_raises_nothing() -> None:
    reader = EventReader()
    for index in range(5000):
        told = reader.take(index % 3, secrets.randbits(32), secrets.token_bytes(secrets.randbelow(9)), index / 50)
        assert set(told) <= set(DIGITS)
        reader.expire(index / 50 + secrets.randbelow(2))


def test_a_pressed_digit_has_updates_and_three_ends() -> None:
    payloads = [struct.unpack(">BBH", payload) for payload in press("#", 80)]
    assert payloads == [(11, 10, 160), (11, 10, 320), (11, 10, 480), *[(11, 0x8A, 640)] * 3]
    assert press("d", 1)[-1] == event(15, 320, end=True)
    assert press("1", 60_000)[-1] == event(1, 64_000, end=True)


@pytest.mark.parametrize("rubbish", ["", "12", "E", "+"])
def test_what_is_no_key_cannot_be_pressed(rubbish: str) -> None:
    with pytest.raises(ValueError, match="key"):
        press(rubbish, 100)
