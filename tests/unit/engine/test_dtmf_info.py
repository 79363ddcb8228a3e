"""What phones send as INFO for a key, and what is answered to everything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.engine.dtmf_info import LONGEST_BODY, Reading, read_info
from maskline.sip.message import Request
from maskline.sip.parser import parse
from tests.support.sip_wire import request

RELAY, PLAIN = "application/dtmf-relay", "application/dtmf"


def read(body: bytes, content_type: str = RELAY, headers: str = "") -> Reading:
    message = parse(request("INFO", branch="1", to_tag="t", body=body, content_type=content_type, headers=headers))
    assert isinstance(message, Request)
    return read_info(message)


@pytest.mark.parametrize(
    ("body", "content_type", "digit"),
    [
        (b"Signal=5\r\nDuration=160\r\n", RELAY, "5"),
        (b"Signal= 5\r\nDuration= 250 \r\n", RELAY, "5"),
        (b"signal=#\nduration=100", RELAY, "#"),
        (b"Duration=160\r\nSignal=*\r\n", RELAY, "*"),
        (b"Signal=10\r\nDuration=160", RELAY, "*"),
        (b"Signal=11\r\nDuration=160", RELAY, "#"),
        (b"Signal=12", RELAY, "A"),
        (b"Signal=15", "Application/DTMF-Relay; charset=utf-8", "D"),
        (b"Signal=d", RELAY, "D"),
        (b"7", PLAIN, "7"),
        (b"0\r\n", PLAIN, "0"),
        (b" 11 \r\n", PLAIN, "#"),
        (b"Signal=3\r\n", PLAIN, "3"),
        (b"9", RELAY, "9"),
    ],
)
def test_a_key_is_read_as_phones_write_it(body: bytes, content_type: str, digit: str):
    assert read(body, content_type) == Reading(200, (), digit)


@pytest.mark.parametrize(
    "body", [b"Signal=16\r\n", b"Signal=flash", b"Signal=\r\nDuration=160", b"Signal=55", b"NoSignal=5", b"12345", b"!"]
)
@pytest.mark.parametrize("content_type", [RELAY, PLAIN])
def test_what_is_no_key_is_taken_and_means_nothing(body: bytes, content_type: str):
    assert read(body, content_type) == Reading(200)


def test_a_body_longer_than_any_key_is_not_looked_at():
    assert read(b"Signal=5\r\n" + b" " * (LONGEST_BODY - 10)).digit == "5"
    assert read(b"Signal=5\r\n" + b" " * (LONGEST_BODY - 9)) == Reading(200)


def test_no_body_is_no_key():
    assert read(b"") == Reading(200)


def test_a_body_that_must_be_understood_and_is_not_is_refused():
    accept = (("Accept", "application/dtmf-relay, application/dtmf"),)
    assert read(b"<media_control/>", "application/media_control+xml") == Reading(415, accept)
    assert read(b"5", "text/plain", "Content-Disposition: render\r\n") == Reading(415, accept)


def test_a_body_that_may_be_left_alone_is():
    assert read(b"x", "text/plain", "Content-Disposition: signal; handling=optional\r\n") == Reading(200)


def test_an_info_package_is_refused_since_none_was_offered():
    assert read(b"5", PLAIN, "Info-Package: dtmf\r\n") == Reading(469, (("Recv-Info", ""),))


@given(st.binary(max_size=2 * LONGEST_BODY), st.sampled_from([RELAY, PLAIN]))
def test_no_body_breaks_it_and_a_digit_is_always_one_key(body: bytes, content_type: str):
    reading = read(body, content_type)
    assert reading.status == 200 and (reading.digit is None or reading.digit in "0123456789*#ABCD")
