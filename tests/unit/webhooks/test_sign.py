"""What is signed, text by text (plivo-vts.md §7.5); the vendor's own validators judge in tests/contract."""

from __future__ import annotations

import pytest

from maskline import __version__
from maskline.webhooks.sign import (
    Request,
    SigningKeys,
    build_request,
    decimal_nonce,
    event_headers,
    is_secret,
    new_secret,
    own_headers,
    plivo_headers,
    plivo_v3_text,
    rotated,
    standard_webhooks,
)


@pytest.mark.row(
    "7.5/base",
    "7.5/query pairs",
    "7.5/GET",
    "7.5/POST with parameters",
    "7.5/POST without parameters",
    "7.5/shape POST",
    "7.5/shape POST with query",
    "7.5/shape GET",
    "7.4/fragment is stripped",
)
@pytest.mark.parametrize(
    ("method", "url", "body", "text"),
    [
        ("POST", "https://h/cb", b"B=2&A=1", "https://h/cb?A1B2"),
        ("POST", "https://h/cb?z=9&a=1", b"B=2&A=1", "https://h/cb?a=1&z=9.A1B2"),
        ("GET", "https://h/cb", b"EventTimestamp=2024-01-01+00%3A00%3A00&E=",
         "https://h/cb?E=&EventTimestamp=2024-01-01 00:00:00"),
        ("GET", "https://h/cb?z=9", b"A=1", "https://h/cb?A=1&z=9"),
        ("GET", "https://h/cb", b"", "https://h/cb"),
        ("POST", "https://h/cb", b"", "https://h/cb"),
        ("POST", "https://h/cb?z=9", b"", "https://h/cb?z=9"),
        ("POST", "https://h/cb?a=2&a=1", b"A=1", "https://h/cb?a=1&a=2.A1"),
        ("POST", "https://user:word@h:8443#ct=100&rc=2", b"A=1", "https://h:8443/?A1"),
    ],
)  # fmt: skip
def test_the_signed_text_follows_the_vendors_rule(method, url, body, text):
    assert plivo_v3_text(build_request(method, url, body)) == text


@pytest.mark.row("7/transport", "7.4/fragment is stripped")
def test_a_get_carries_the_form_in_its_query_and_no_body():
    assert build_request("GET", "https://h/cb?z=9#rc=1", b"A=1") == Request("GET", "https://h/cb?z=9&A=1", b"")
    assert build_request("GET", "https://h/cb#rc=1", b"A=1") == Request("GET", "https://h/cb?A=1", b"")


@pytest.mark.row("7.4/fragment is stripped")
def test_a_post_loses_only_the_fragment():
    assert build_request("POST", "https://h/cb?z=9#ct=1", b"A=1") == Request("POST", "https://h/cb?z=9", b"A=1")


@pytest.mark.row("7.5/headers")
def test_every_live_token_signs_v3_and_the_oldest_signs_v2():
    request = build_request("POST", "https://h/cb", b"A=1")
    headers = plivo_headers(request, SigningKeys(("new", "old"), ("main",)), "17")
    alone = plivo_headers(request, SigningKeys(("old",), ("main",)), "17")
    assert headers["X-Plivo-Signature-V3"].split(",")[1] == alone["X-Plivo-Signature-V3"]
    assert headers["X-Plivo-Signature-V3"].count(",") == 1
    assert headers["X-Plivo-Signature-V2"] == alone["X-Plivo-Signature-V2"]
    assert "," not in headers["X-Plivo-Signature-V2"]
    assert headers["X-Plivo-Signature-V3-Nonce"] == headers["X-Plivo-Signature-V2-Nonce"] == "17"


def test_numbers_and_tokens_are_not_in_a_repr():
    request = build_request("GET", "https://h/cb", b"From=12314377870")
    assert "12314377870" not in repr(request)
    assert "word" not in repr(SigningKeys(("word",), ("word",)))


def test_a_nonce_is_twenty_digits():
    assert decimal_nonce("ff") == "00000000000000000255"
    assert len(decimal_nonce("f" * 32)) == 20


@pytest.mark.row("8x8:14/signature")
def test_the_standard_signature_is_the_one_of_the_specifications_example():
    signature = standard_webhooks(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}'
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize(
    ("secret", "good"),
    [
        ("whsec_" + "A" * 32, True),
        ("whsec_" + "A" * 84, True),
        ("whsec_" + "A" * 28, False),
        ("whsec_" + "A" * 88, False),
        ("A" * 32, False),
        ("whsec_!" + "A" * 31, False),
        ("whsec_\u00e4" + "A" * 31, False),
        ("", False),
    ],
)
def test_a_secret_is_whsec_and_base64_of_24_to_64_bytes(secret, good):
    assert is_secret(secret) is good
    if not good:
        with pytest.raises(ValueError, match="not a Standard Webhooks secret"):
            standard_webhooks(secret, "id", 1, b"")


def test_headers_for_a_receiver_without_authorization_or_secret_say_who_and_when_alone():
    assert event_headers("event-1", 1_700_000_000, b"{}", "", "") | own_headers("event-1", 2) == {
        "User-Agent": f"Maskline/{__version__}",
        "webhook-id": "event-1",
        "webhook-timestamp": "1700000000",
        "x-maskline-event-id": "event-1",
        "x-maskline-retry": "2",
    }


def test_an_authorization_goes_out_as_it_is_and_a_secret_signs():
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    headers = event_headers("event-1", 1_700_000_000, b"{}", "Key 1 ; x", secret)
    assert headers["Authorization"] == "Key 1 ; x"
    assert headers["webhook-signature"] == standard_webhooks(secret, "event-1", 1_700_000_000, b"{}")


def test_a_rotation_keeps_the_newest_of_the_old_secrets_and_takes_only_secrets():
    one, two, three = (new_secret(bytes([n] * 24)) for n in (1, 2, 3))
    assert rotated(rotated(one, two), three) == f"{three} {two}"
    assert not is_secret(f"{one} {two} {three}")
    assert not is_secret(f"{one} ")
    for old, new in ((one, "whsec_short"), ("", one)):
        with pytest.raises(ValueError, match="not a Standard Webhooks secret"):
            rotated(old, new)
