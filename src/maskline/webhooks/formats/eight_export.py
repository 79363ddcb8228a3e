"""The table of calls that 8x8's export jobs make: CSV, a line for each leg.

What it is: the documented columns in their order (8x8-wavecell.md §8) for finished calls. What it is not: a webhook, or
the job (`workflows/process_exports.py`, which uses it). Columns of what is not known here (operators, messages, the
length of speech) are there and empty, as is the SIP status of a leg that was never dialled. Statuses are those of the
session summary.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from typing import NamedTuple

from maskline.masking.call_record import CallRecord, LegRecord
from maskline.masking.e164 import Number
from maskline.masking.facts import LegName
from maskline.masking.price import amount_text
from maskline.masking.redaction import Redactor
from maskline.webhooks.formats.eight_parts import direction
from maskline.webhooks.formats.summary import leg_times, shown_numbers, summarize

COLUMNS = (
    "SessionId", "CallId", "AccountId", "SubAccountId", "Direction",
    "SourceCountryCode", "SourceCountry", "SourceOperator", "SourceMCC", "SourceMNC", "SourceEndpoint",
    "DestinationCountryCode", "DestinationCountry", "DestinationOperator", "DestinationMCC", "DestinationMNC",
    "DestinationEndpoint", "InitiatedAt", "ConnectedAt", "DisconnectedAt", "DurationInSec", "Product",
    "BilledDurationInSec", "Price", "CallType", "SipStatus", "SessionStatus", "CallStatus", "TTSLength", "MOS",
    "Content",
)  # fmt: skip
PRODUCT = "NumberMasking"


def heading() -> str:
    return _line(COLUMNS)


class Owner(NamedTuple):
    """Of a call: an account or subaccount."""

    name: str
    redactor: Redactor
    """What is seen of its parties' numbers."""


def lines(records: Iterable[CallRecord], owner_of: Callable[[CallRecord], Owner]) -> str:
    return "".join(_line(_leg(record, leg, *owner_of(record))) for record in records for leg in record.legs)


def _leg(record: CallRecord, leg: LegRecord, name: str, redactor: Redactor) -> tuple[object, ...]:
    summary, times = summarize(record), leg_times(leg)
    source, destination = shown_numbers(leg.inbound, leg.source, leg.destination, redactor)
    return (
        record.id, leg.id, record.account_id, name, direction(leg.inbound),
        *_place(leg.source), source or "", *_place(leg.destination), destination or "",
        times.initiated, times.connected or "", times.disconnected, times.duration, PRODUCT,
        leg.billed_duration, amount_text(leg.amount), "PSTN", leg.sip_status or "", summary.session,
        summary.b if leg.leg is LegName.B else summary.a, "", _mos(leg), "",
    )  # fmt: skip


def _place(number: Number | None) -> tuple[str, str, str, str, str]:
    """Country code; then country, operator and its codes, which no plan of numbers tells."""
    return ((number.country if number else None) or "", "", "", "", "")


def _mos(leg: LegRecord) -> str:
    return "" if leg.quality is None or leg.quality.mos is None else f"{leg.quality.mos:.2f}"


def _line(values: Iterable[object]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow(values)
    return text.getvalue()
