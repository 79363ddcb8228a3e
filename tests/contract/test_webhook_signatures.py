"""Plivo's own packages, for Python and Node, judge our signatures, as its customers' receivers do."""

from __future__ import annotations

import json
import subprocess
from urllib.parse import parse_qsl

import pytest
from plivo.utils import validate_signature, validate_v3_signature

from maskline.webhooks.formats import plivo
from maskline.webhooks.sign import SigningKeys, build_request, decimal_nonce, plivo_headers
from tests.support.calls import CALLEE, CALLER, T0, VIRTUAL, make_session
from tests.support.node_client import install_packages
from tools.setup_env import NODE_PROJECT

KEYS = SigningKeys(own=("sub-token-" + "s" * 30, "sub-token-before"), main=("main-token-" + "m" * 29,))
NONCE = decimal_nonce("9f3b5c7d1e2f4a6b8c9d")
URLS = [
    "https://hooks.example/masking",
    "https://hooks.example/masking?tenant=7&b=x%20y&b=a",
    "https://hooks.example:8443/",
    "https://hooks.example/masking?empty=#ct=500&rt=2000&rc=3",
]


def body():
    who = plivo.parties(make_session(), CALLER, CALLEE, VIRTUAL)
    return plivo.DEFAULT_STYLE.call_event(who, "SessionSecondPartyRing", T0, 1)


@pytest.mark.row("7.5/headers", "7.5/hmac")
@pytest.mark.parametrize("url", URLS)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_the_vendors_validator_accepts_every_live_token(method, url):
    request = build_request(method, url, body())
    headers = plivo_headers(request, KEYS, NONCE)
    for header, tokens in (("X-Plivo-Signature-V3", KEYS.own), ("X-Plivo-Signature-Ma-V3", KEYS.main)):
        for token in tokens:
            # The receiver passes the URL it was called at and the form it read; a GET has no form.
            form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
            nonce = headers["X-Plivo-Signature-V3-Nonce"]
            assert validate_v3_signature(method, request.url, nonce, token, headers[header], form) is True


@pytest.mark.row("7.5/headers")
@pytest.mark.parametrize("url", URLS)
def test_the_vendors_older_validator_accepts_v2(url):
    request = build_request("POST", url, body())
    headers = plivo_headers(request, KEYS, NONCE)
    nonce = headers["X-Plivo-Signature-V2-Nonce"]
    assert validate_signature(request.url, nonce, headers["X-Plivo-Signature-V2"], KEYS.own[-1]) is True
    assert validate_signature(request.url, nonce, headers["X-Plivo-Signature-Ma-V2"], KEYS.main[-1]) is True


@pytest.mark.parametrize("change", ["token", "form", "url", "nonce"])
def test_the_vendors_validator_refuses_anything_changed(change):
    request = build_request("POST", URLS[0], body())
    signature = plivo_headers(request, KEYS, NONCE)["X-Plivo-Signature-V3"]
    form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    arguments = {"method": "POST", "uri": request.url, "nonce": NONCE, "auth_token": KEYS.own[0],
                 "v3_signature": signature, "params": form}  # fmt: skip
    assert validate_v3_signature(**arguments) is True
    wrong = {"token": {"auth_token": "another"}, "form": {"params": {**form, "To": "1"}},
             "url": {"uri": request.url + "/x"}, "nonce": {"nonce": "1"}}[change]  # fmt: skip
    assert validate_v3_signature(**{**arguments, **wrong}) is False


def node_verdicts(cases):
    """What the Node package's validators say of each case, in one run of Node."""
    install_packages()
    command = ["node", str(NODE_PROJECT / "validate.mjs")]
    told = subprocess.run(command, input=json.dumps(cases), capture_output=True, text=True, check=True, timeout=60)
    return json.loads(told.stdout)


def node_cases(url, method):
    """(case, whether it is to be accepted) for each header and token, and for a token that is not the account's."""
    request = build_request(method, url, body())
    headers = plivo_headers(request, KEYS, NONCE)
    form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    for family, header, tokens in (
        ("v3", "X-Plivo-Signature-V3", KEYS.own), ("v3", "X-Plivo-Signature-Ma-V3", KEYS.main),
        ("v2", "X-Plivo-Signature-V2", KEYS.own[-1:]), ("v2", "X-Plivo-Signature-Ma-V2", KEYS.main[-1:]),
    ):  # fmt: skip
        for token in (*tokens, "another"):
            case = {"family": family, "method": method, "url": request.url, "nonce": NONCE, "token": token,
                    "signature": headers[header], "form": form}  # fmt: skip
            yield case, token != "another"


@pytest.mark.row("7.5/headers", "7.5/hmac", "7.5/GET", "7.5/POST with parameters")
def test_the_vendors_node_validators_accept_the_same_and_nothing_else():
    cases = [case for url in URLS for method in ("POST", "GET") for case in node_cases(url, method)]
    assert len(cases) == 72
    assert node_verdicts([case for case, _ in cases]) == [expected for _, expected in cases]
