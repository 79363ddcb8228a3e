"""The library of the Standard Webhooks project judges our signatures, as receivers that use it do."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from maskline.ids import SeededIds
from maskline.masking.decision import VirtualNumber
from maskline.webhooks.formats.eight import session_summary
from maskline.webhooks.formats.shape import Shape
from maskline.webhooks.sign import is_secret, rotated, standard_webhooks
from maskline.workflows.sample_events import CALLER, VIRTUAL, Scene
from maskline.workflows.sample_native import SAMPLES
from tests.support.calls import make_record

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
BODY = session_summary(make_record(), Shape("8x8_test"))
EVENT = "5c1e1f2e-0000-4000-8000-000000000001"


def headers(at: int, *, secret: str = SECRET, event: str = EVENT) -> dict[str, str]:
    signature = standard_webhooks(secret, event, at, BODY)
    return {"webhook-id": event, "webhook-timestamp": str(at), "webhook-signature": signature}


@pytest.mark.row("8x8:14/signature")
@pytest.mark.parametrize("size", [24, 32, 64])
def test_the_library_accepts_a_body_as_we_sign_it(size):
    secret = "whsec_" + base64.b64encode(bytes(range(size))).decode()
    assert is_secret(secret)
    told = headers(int(time.time()), secret=secret)
    assert Webhook(secret).verify(BODY, told) == json.loads(BODY)


@pytest.mark.row("8x8:14/signature")
@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_the_library_refuses_a_header_that_was_changed_on_the_way(header):
    now = int(time.time())
    other = {"webhook-id": "another", "webhook-timestamp": str(now - 1), "webhook-signature": "v1,AAAA"}
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(BODY, headers(now) | {header: other[header]})


@pytest.mark.row("8x8:14/signature")
def test_the_library_refuses_another_body_another_secret_and_a_replay():
    now = int(time.time())
    for body, told in (
        (BODY.replace(b"COMPLETED", b"CANCELED"), headers(now)),
        (BODY, headers(now, secret="whsec_" + "A" * 32)),
        (BODY, headers(now - 3600)),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(body, told)


@pytest.mark.parametrize("event", list(SAMPLES))
def test_the_library_accepts_each_event_of_our_own(event):
    number = VirtualNumber(VIRTUAL, "MA1", None, "pool", VIRTUAL.country)
    now = time.time()
    body = SAMPLES[event](Scene("MA1", number, Shape("sample"), SeededIds(1), now))
    signed = {
        "webhook-id": EVENT, "webhook-timestamp": str(int(now)),
        "webhook-signature": standard_webhooks(SECRET, EVENT, int(now), body),
    }  # fmt: skip
    told = Webhook(SECRET).verify(body, signed)
    assert set(told) == {"type", "timestamp", "data"}
    assert told["type"] == event
    assert abs(datetime.fromisoformat(told["timestamp"]).timestamp() - now) < 0.001
    assert CALLER.digits.encode() not in body or event == "call.ended"


def test_we_sign_to_the_byte_as_the_library_does():
    at = datetime(2024, 3, 25, 6, 1, 28, tzinfo=UTC)
    ours = standard_webhooks(SECRET, EVENT, int(at.timestamp()), BODY)
    assert ours == Webhook(SECRET).sign(EVENT, at, BODY.decode())


def test_both_secrets_are_good_while_one_takes_the_others_place():
    new = "whsec_" + base64.b64encode(bytes(range(32, 64))).decode()
    both = rotated(SECRET, new)
    assert is_secret(both)
    told = headers(int(time.time()), secret=both)
    assert told["webhook-signature"].count("v1,") == 2
    for secret in (SECRET, new):
        assert Webhook(secret).verify(BODY, told) == json.loads(BODY)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 32).verify(BODY, told)
