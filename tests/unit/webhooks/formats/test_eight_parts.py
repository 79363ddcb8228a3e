"""What 8x8's bodies have in common."""

from __future__ import annotations

import json

import pytest

from maskline.masking.e164 import Number
from maskline.webhooks.formats.eight_parts import add_numbers, add_reference, envelope, iso_milliseconds
from maskline.webhooks.formats.shape import Shape
from tests.support.calls import CALLER, VIRTUAL

SHAPE = Shape("sub")


@pytest.mark.row("8x8:2/envelope")
def test_the_envelope_has_four_keys_and_a_version_where_one_is_said():
    assert json.loads(envelope("EVENT", "words", {"a": 1})) == {
        "payload": {"a": 1}, "namespace": "VOICE", "eventType": "EVENT", "description": "words",
    }  # fmt: skip
    assert json.loads(envelope("EVENT", "words", {}, 5))["version"] == 5


@pytest.mark.row("8x8:2/numbers-out", "8x8:2/formats", "8x8:2/countries")
def test_numbers_have_a_plus_a_format_and_a_country():
    body = {}
    add_numbers(body, True, CALLER, VIRTUAL, SHAPE)
    assert body == {
        "source": "+12314377870", "destination": "+6568332048", "sourceFormat": "MSISDN",
        "destinationFormat": "MSISDN", "sourceCountryCode": "US", "destinationCountryCode": "SG",
    }  # fmt: skip


def test_what_there_is_not_has_no_key():
    body = {}
    add_numbers(body, True, None, Number("999"), SHAPE)
    add_reference(body, True, "")
    assert body == {"destination": "+999", "sourceFormat": "MSISDN", "destinationFormat": "MSISDN"}


def test_the_reference_is_at_the_side_of_our_number():
    inbound, outbound = {}, {}
    add_reference(inbound, True, "PSTN1")
    add_reference(outbound, False, "PSTN2")
    assert (inbound, outbound) == ({"destinationRefId": "PSTN1"}, {"sourceRefId": "PSTN2"})


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1_711_346_488.1236, "2024-03-25T06:01:28.124Z"),
        (1_711_346_488.9999, "2024-03-25T06:01:29.000Z"),
    ],
)
@pytest.mark.row("8x8:2/time-VCA-VCS")
def test_times_have_milliseconds_and_a_z(at, text):
    assert iso_milliseconds(at) == text
