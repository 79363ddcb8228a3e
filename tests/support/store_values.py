"""Values for store and masking tests: accounts, sessions, calls and outbox rows with sensible defaults."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from maskline.masking.call_record import CallRecord, LegRecord, Quality
from maskline.masking.decision import VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.facts import CallEnded, CallReceived, CallRouted, Cause, Fact, HungUpBy, LegName, Outcome
from maskline.masking.session import Interaction, NewSession, Role, SessionOptions
from maskline.masking.trunk import (
    IdentityHeader,
    NumberFormat,
    Presentation,
    Reliable,
    Trunk,
    TrunkLimits,
    TrunkMedia,
)
from maskline.storage.store import Account, OutboxRow, RecordedCall

T0 = 1_700_000_000.0
ACCOUNT = Account("MA" + "A" * 18, "Acme", None, ("token-of-acme",), T0)
OTHER = Account("MA" + "B" * 18, "Other", None, ("token-of-other",), T0 + 1)
SUB = Account("SA" + "C" * 18, "Acme riders", ACCOUNT.id, ("token-of-sub",), T0 + 2)
ALICE, BOB, CAROL, DAVE = (Number(f"65812345{i}0") for i in range(1, 5))
VN1, VN2, VN3 = (Number(f"6531000{i:03}") for i in range(1, 4))
TRUNK = Trunk(
    "trunk-1",
    "carrier",
    None,
    "192.0.2.1",
    5060,
    username="u",
    prefixes=("+65", "+44"),
    nat=True,
    media=TrunkMedia.SRTP,
    password="trunk-pa55word",
    realm="carrier.example",
    challenge=True,
    sources=("192.0.2.0/28", "2001:db8::/64"),
    tls_name="sip.carrier.example",
    alias=True,
    priority=2,
    weight=30,
    presentation=Presentation(
        (IdentityHeader.REMOTE_PARTY, IdentityHeader.DIVERSION), NumberFormat.NATIONAL, "+65", national_prefix=""
    ),
    limits=TrunkLimits(12.5, 100),
    codecs=("PCMA", "G722"),
    redirects=True,
    reliable=Reliable.REQUIRED,
    session_seconds=600,
    options_seconds=30,
)


def virtual_number(number: Number = VN1, **changes: Any) -> VirtualNumber:
    return replace(VirtualNumber(number, ACCOUNT.id, None, "ref-1", "SG"), **changes)


def new_session(session_id: str = "session-1", **changes: Any) -> NewSession:
    first = NewSession(session_id, ACCOUNT.id, None, ALICE, BOB, SessionOptions(session_expiry=600), T0)
    return replace(first, **changes)


def interaction(call_id: str = "call-1", **changes: Any) -> Interaction:
    base = Interaction(call_id, T0 + 10, T0 + 40, Role.FIRST, "leg-a", "leg-b", 48, 120, 2)
    return replace(base, **changes)


def call_record(call_id: str = "call-1", **changes: Any) -> CallRecord:
    leg_a = LegRecord(
        LegName.A, f"{call_id}-a", True, ALICE, VN1, TRUNK.id, T0 + 10.125, T0 + 11, T0 + 12.5, T0 + 40,
        Outcome.COMPLETED, Cause.NORMAL, 200, HungUpBy.CALLER, Quality(4.4, 0.01, 2.5, 1000, 10, 990),
    )  # fmt: skip
    leg_b = replace(leg_a, leg=LegName.B, id=f"{call_id}-b", inbound=False, source=VN1, destination=BOB, quality=None)
    record = CallRecord(
        call_id, ACCOUNT.id, None, "session-1", Role.FIRST, VN1, "ref-1", T0 + 10.125, T0 + 40,
        Outcome.COMPLETED, Cause.NORMAL, HungUpBy.CALLER, (leg_a, leg_b),
    )  # fmt: skip
    return replace(record, **changes)


def call_facts(call_id: str = "call-1") -> tuple[Fact, ...]:
    return (
        CallReceived(call_id, 1, T0 + 10, TRUNK.id, VN1.digits),
        CallRouted(call_id, 2, T0 + 10, "session-1", Role.FIRST.value),
        CallEnded(call_id, 3, T0 + 40, Outcome.COMPLETED, Cause.NORMAL, HungUpBy.CALLER),
    )


def outbox_row(row_id: str = "row-1", **changes: Any) -> OutboxRow:
    row = OutboxRow(
        row_id, ACCOUNT.id, None, "call-1", 1, "plivo", "FirstPartyAnswer", "POST", "https://hooks.example/a",
        "application/x-www-form-urlencoded", b"From=%2B6581234510", "Basic c2VjcmV0", T0, 0, T0,
    )  # fmt: skip
    return replace(row, **changes)


def recorded_call(call_id: str = "call-1", **changes: Any) -> RecordedCall:
    call = RecordedCall(
        call_facts(call_id), ACCOUNT.id, (outbox_row(f"{call_id}-row", subject=call_id),), call_record(call_id),
        "session-1", interaction(call_id), 0,
    )  # fmt: skip
    return replace(call, **changes)
