from __future__ import annotations

import pytest

from maskline.engine import inputs as i
from maskline.engine.attestation import UNSAID, Vouched, vouched
from maskline.masking.facts import CallReceived
from maskline.sip.message import Request
from maskline.sip.parser import parse
from tests.support.call_machine import Driven, forward, received

NUMBER = "+6591112222"


def said(*lines: str, from_: str = f"<sip:{NUMBER}@192.0.2.10>") -> Vouched:
    head = (
        "INVITE sip:+6531590001@203.0.113.1 SIP/2.0", "Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKx",
        f"From: {from_};tag=1", "To: <sip:+6531590001@203.0.113.1>", "Call-ID: 1", "CSeq: 1 INVITE", *lines, "", "",
    )  # fmt: skip
    request = parse("\r\n".join(head).encode())
    assert isinstance(request, Request)
    return vouched(request)


@pytest.mark.parametrize(
    ("verstat", "expected"),
    [
        ("TN-Validation-Passed", ("passed", "")),
        ("TN-Validation-Passed-A", ("passed", "A")),
        ("TN-Validation-Passed-B", ("passed", "B")),
        ("TN-Validation-Passed-C", ("passed", "C")),
        ("TN-Validation-Failed", ("failed", "")),
        ("TN-Validation-Failed-C", ("failed", "C")),
        ("No-TN-Validation", ("none", "")),
        ("TN-Validation-Passed-D", ("", "")),
        ("+6591112222", ("", "")),
    ],
)
def test_what_the_carrier_found_is_read_from_any_usual_place(verstat: str, expected: tuple[str, str]) -> None:
    inside, behind = f"sip:{NUMBER};verstat={verstat}@c;user=phone", f"sip:{NUMBER}@c;user=phone;verstat={verstat}"
    for uri in (inside, behind, f"tel:{NUMBER};verstat={verstat}"):
        assert said(f"P-Asserted-Identity: <{uri}>") == expected
        assert said(from_=f"<{uri}>") == UNSAID
    assert said(f"P-Asserted-Identity: <sip:x@c>, <{inside}>") == expected


@pytest.mark.parametrize(
    ("level", "expected"), [("A", ("", "A")), ("C", ("", "C")), ("D", ("", "")), ("+6591112222", ("", ""))]
)
def test_the_level_may_stand_in_a_header_of_its_own(level: str, expected: tuple[str, str]) -> None:
    assert said(f"P-Attestation-Indicator: {level}") == expected


def test_the_level_beside_the_finding_counts_first() -> None:
    passed = f"P-Asserted-Identity: <tel:{NUMBER};verstat=TN-Validation-Passed%s>"
    assert said("P-Attestation-Indicator: B", passed % "") == ("passed", "B")
    assert said("P-Attestation-Indicator: B", passed % "-A") == ("passed", "A")


def test_what_a_caller_may_choose_itself_says_nothing() -> None:
    claim = ";verstat=TN-Validation-Passed-A"
    assert said() == UNSAID
    assert said(from_=f"<sip:{NUMBER}{claim}@c;user=phone>") == UNSAID
    assert said(from_=f"<tel:{NUMBER}{claim}>") == UNSAID
    assert said(f"P-Asserted-Identity: <sip:{NUMBER}@c>", from_=f"<sip:{NUMBER}{claim}@c>") == UNSAID
    assert said(f'P-Asserted-Identity: "{claim}" <sip:{NUMBER}@c>') == UNSAID
    assert said(from_=f'"{claim}" <sip:{NUMBER}@c>') == UNSAID
    assert said(f"P-Asserted-Identity: <sip:{NUMBER}@c?x={claim}>") == UNSAID
    # The agent refuses such a request; the reader must not depend on that.
    assert said(f"P-Asserted-Identity: <sip:{NUMBER}{claim}@c") == UNSAID


def test_it_is_kept_as_a_fact_of_the_call() -> None:
    call, offer = Driven(), received()
    vouching = i.Received(
        offer.caller, offer.called, offer.trunk, offer.body, offer.max_forwards, vouched=Vouched("passed", "A")
    )
    call.feed(vouching, i.Forwarded(forward()))
    first = call.facts[0]
    assert isinstance(first, CallReceived)
    assert (first.verification, first.attestation) == ("passed", "A")
