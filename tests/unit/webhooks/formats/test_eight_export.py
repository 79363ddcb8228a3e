"""The table of calls: its columns, and a line for each leg."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

from maskline.masking.facts import Outcome
from maskline.masking.redaction import IN_FULL, Redaction, Redactor
from maskline.webhooks.formats.eight_export import COLUMNS, Owner, heading, lines
from tests.support.store_values import ALICE, BOB, VN1, call_record

RIDERS = Owner("riders", IN_FULL)


def table(*records, owner: Owner = RIDERS) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(heading() + lines(records, lambda _record: owner))))


@pytest.mark.row("8x8:8/export-columns")
def test_the_documented_columns_are_there_session_first():
    assert tuple(next(csv.reader(io.StringIO(heading())))) == COLUMNS
    assert COLUMNS[:4] == ("SessionId", "CallId", "AccountId", "SubAccountId")
    for side in ("Source", "Destination"):
        for column in ("CountryCode", "Country", "Operator", "MCC", "MNC", "Endpoint"):
            assert side + column in COLUMNS
    assert {
        "InitiatedAt", "ConnectedAt", "DisconnectedAt", "DurationInSec", "Product", "CallType", "SipStatus",
        "SessionStatus", "CallStatus", "TTSLength", "MOS", "Content",
    } < set(COLUMNS)  # fmt: skip


@pytest.mark.row("8x8:8/export-columns")
def test_each_leg_is_a_line():
    first, second = table(call_record())
    assert (first["SessionId"], first["CallId"], first["SubAccountId"]) == ("call-1", "call-1-a", "riders")
    assert (first["Direction"], first["SourceEndpoint"], first["DestinationEndpoint"]) == (
        "INBOUND", ALICE.e164, VN1.e164,
    )  # fmt: skip
    assert (first["SourceCountryCode"], first["DestinationCountryCode"]) == ("SG", "SG")
    assert (first["InitiatedAt"], first["ConnectedAt"], first["DisconnectedAt"]) == (
        "2023-11-14T22:13:30Z", "2023-11-14T22:13:32Z", "2023-11-14T22:14:00Z",
    )  # fmt: skip
    assert (first["DurationInSec"], first["SipStatus"], first["SessionStatus"], first["CallStatus"]) == (
        "28", "200", "COMPLETED", "COMPLETED",
    )  # fmt: skip
    assert (first["MOS"], first["Price"], first["CallType"]) == ("4.40", "0", "PSTN")
    assert (second["CallId"], second["Direction"], second["DestinationEndpoint"], second["MOS"]) == (
        "call-1-b", "OUTBOUND", BOB.e164, "",
    )  # fmt: skip


def test_what_there_is_not_is_empty():
    record = call_record()
    leg = replace(record.legs[0], source=None, answered_at=None, outcome=Outcome.CANCELED, quality=None, sip_status=0)
    (line,) = table(replace(record, legs=(leg,)))
    assert (line["SourceEndpoint"], line["SourceCountryCode"], line["ConnectedAt"], line["DurationInSec"]) == (
        "", "", "", "0",
    )  # fmt: skip
    assert line["SipStatus"] == "", "nobody was dialled"


@pytest.mark.row("8x8:14/redaction")
@pytest.mark.parametrize(("how", "shown"), [(Redaction.LAST4, "******" + ALICE.digits[-4:]), (Redaction.OMIT, "")])
def test_the_parties_numbers_are_seen_as_their_subaccount_wants_and_virtual_ones_in_full(how, shown):
    first, _ = table(call_record(), owner=Owner("riders", Redactor(how)))
    assert (first["SourceEndpoint"], first["DestinationEndpoint"]) == (shown, VN1.e164)
