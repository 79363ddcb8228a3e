"""Our bodies against the vendors' published samples, byte for byte.

Each published sample is described as a call record here, rendered, re-indented as its page is, and compared.
Where we differ on purpose, the difference is an `Edit` with its reason; an edit must fit exactly once, so it
cannot hide a second difference. `webhook_samples/` keeps the result, so that the check of our own output does
not need the published pages; the comparison with the pages themselves is skipped where they are absent.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pytest

from maskline.masking.call_flow import ActionName
from maskline.masking.call_record import CallRecord, FlowRecord
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause, LegName, Outcome
from maskline.webhooks.formats import plivo
from maskline.webhooks.formats.eight import session_summary
from maskline.webhooks.formats.plivo_events import LEG_EVENTS, SESSION_EVENTS, Generation
from maskline.webhooks.formats.shape import Shape
from maskline.webhooks.formats.wavecell import call_status
from tests.support.calls import CALLEE, VIRTUAL, make_leg, make_quality, make_record, make_session

ROOT = Path(__file__).parents[2]
PAGES = ROOT / ".." / "shared" / "source-docs"
KEPT = Path(__file__).parent / "webhook_samples"
A, B = LegName.A, LegName.B


@dataclass(frozen=True)
class Edit:
    reason: str
    published: str
    ours: str


def at(text: str) -> float:
    """Wall seconds of `2024-03-25T06:01:28Z`."""
    return datetime.fromisoformat(text).timestamp()


def page(prefix: str) -> str:
    found = sorted(PAGES.glob(f"{prefix}_*.txt"))
    if not found:
        pytest.skip("the vendors' published pages are not part of the repository; our own copies are checked")
    return found[0].read_text(encoding="utf-8")


def indented(body: bytes, indent: int) -> str:
    return json.dumps(json.loads(body), indent=indent)


def edited(published: str, edits: list[Edit]) -> str:
    for edit in edits:
        assert published.count(edit.published) == 1, f"{edit.reason}: does not fit exactly once"
        published = published.replace(edit.published, edit.ours)
    return published


def eight_success() -> CallRecord:
    # The ids' own clocks put leg A at 28.779 s; durations need the exact times, so .4 and .5 stand for them.
    leg_a = make_leg(
        A, id="1f048a83-ea6d-11ee-911b-e9023a97c284", initiated_at=at("2024-03-25T06:01:28Z") + 0.779,
        answered_at=at("2024-03-25T06:01:37Z") + 0.4, ended_at=at("2024-03-25T06:01:50Z") + 0.5,
        quality=make_quality(jitter_ms=20.0),
    )  # fmt: skip
    leg_b = replace(
        leg_a, leg=B, id="1fbdef11-ea6d-11ee-9e30-e53b76c602ef", inbound=False, source=VIRTUAL, destination=CALLEE,
        initiated_at=at("2024-03-25T06:01:30Z"), quality=make_quality(jitter_ms=19.0),
    )  # fmt: skip
    return make_record(leg_a, leg_b, id="1f048a84-ea6d-11ee-911b-078f7290bf52")


EIGHT_SUCCESS_EDITS = [
    Edit(
        "C1: a session starts with leg A", '"startTime": "2024-03-25T06:01:30Z"', '"startTime": "2024-03-25T06:01:28Z"'
    )
]


def eight_failure() -> CallRecord:
    moment = at("2023-07-13T09:54:38Z")
    leg = make_leg(
        A, id="4809bb03-2163-11ee-8f06-8da8b5ddeca4", inbound=False, source=VIRTUAL, destination=CALLEE,
        initiated_at=moment + 0.1, ringing_at=None, answered_at=None, ended_at=moment + 0.6,
        outcome=Outcome.ERROR, cause=Cause.NO_ROUTE, sip_status=404,
    )  # fmt: skip
    # C24: a voice message of the time when `say` itself named whom to call.
    return make_record(
        leg, id="47f19e66-2163-11ee-8ccd-27b543a164ea", flow=FlowRecord(ActionName.SAY, requested=True)
    )  # fmt: skip


EIGHT_FAILURE_EDITS = [
    Edit(
        "C23: no coverage is -2004, as the vendor corrected its page in 2026",
        '"errorCode": -2005',
        '"errorCode": -2004',
    ),
]


def wavecell_completed() -> CallRecord:
    start, end = at("2020-06-17T04:08:37Z"), at("2020-06-17T04:09:37Z")
    leg_a = make_leg(
        A, id="eb0fc709-9693-11ea-454d-1705dde98182", initiated_at=start, answered_at=start, ended_at=end,
        source=Number("6283891703225"), destination=Number("622150996455"), reference_id="Number_pool_2749",
    )  # fmt: skip
    leg_b = make_leg(
        B, id="2a8e7e03-95d7-11ea-765f-7f761f5ad998", initiated_at=start + 20, answered_at=start, ended_at=end,
        source=Number("6283891704566"), destination=Number("622150994564"), reference_id="Number_pool_4526",
    )  # fmt: skip
    return make_record(leg_a, leg_b, id="37f31065-b050-11ea-aed2-b9458c490aa3")


WAVECELL_EDITS = [
    Edit("the page lost its opening brace", '   "sessionId"', '{\n   "sessionId"'),
    Edit("the page lost leg A's closing brace", '60\n      "callB"', '60\n      },\n      "callB"'),
    Edit("the page lost the last three braces", "60\n\n", "60\n      }\n   }\n}"),
    Edit("the page has a tab here", '\t  "type"', '         "type"'),
    Edit(
        "C17: leg B is connected 20 s before it is initiated",
        '"2020-06-17T04:08:57Z",\n         "connectedTimestamp": "2020-06-17T04:08:37Z"',
        '"2020-06-17T04:08:57Z",\n         "connectedTimestamp": "2020-06-17T04:08:57Z"',
    ),
    Edit("C17: of those 60 s at most 40 s fit", "60\n      }\n   }\n}", "40\n      }\n   }\n}"),
]


@dataclass(frozen=True)
class Sample:
    name: str
    page: str
    pattern: str
    """Finds the sample on its page; group 1."""
    indent: int
    body: bytes
    edits: list[Edit]

    def published(self) -> str:
        found = re.search(self.pattern, page(self.page), re.DOTALL)
        assert found, "the page has changed"
        return found[1]


SAMPLES = [
    Sample(
        "eight_success", "000", r"Success \n\n(\{.*?\n\})\n", 2, session_summary(eight_success(), Shape("8x8_test")),
        EIGHT_SUCCESS_EDITS,
    ),
    Sample(
        "eight_failure", "000", r"Failure\n(\{.*?\n\})\n", 2, session_summary(eight_failure(), Shape("wavecell_voice")),
        EIGHT_FAILURE_EDITS,
    ),
    Sample(
        "wavecell_completed", "001", r"handleURL:\n\n(.*?\n\n)Aggregated", 3,
        call_status(wavecell_completed(), Shape("account_x")), WAVECELL_EDITS,
    ),
]  # fmt: skip
every_sample = pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)


@every_sample
def test_a_body_equals_the_published_sample_but_for_the_listed_edits(sample):
    assert indented(sample.body, sample.indent) == edited(sample.published(), sample.edits)


@every_sample
@pytest.mark.row(
    "8x8:2/VSS",
    "8x8:2/envelope",
    "8x8:7.1/no-envelope",
    "8x8:7.1/id",
    "8x8:7.1/direction",
    "8x8:7.1/type",
    "8x8:7.1/target",
    "8x8:7.1/leg-status",
    "8x8:7.1/status",
)
def test_a_body_equals_our_kept_copy(sample):
    assert indented(sample.body, sample.indent) + "\n" == (KEPT / f"{sample.name}.json").read_text(encoding="utf-8")


@every_sample
def test_a_body_is_compact_on_the_wire(sample):
    assert sample.body == json.dumps(json.loads(sample.body), separators=(",", ":")).encode()


PLIVO_BESIDE = {"SessionParamUpdate", "SessionVirtualNumberReplaced"}
"""Not in the page's list: the first is named in its note on SequenceNumber, the second is sent in every generation
(docs/decisions/0022)."""
PLIVO_ATTRIBUTES = {
    "EventName", "EventTimestamp", "SessionUUID", "From", "To", "PinAuthenticationStatus", "PinRetryCounter",
    "VirtualNumber", "Amount", "BilledDuration", "Duration", "PlivoHangupCause", "PlivoHangupCauseCode",
    "SequenceNumber",
}  # fmt: skip


def plivo_events() -> set[str]:
    """What is sent by default."""
    told = {row.event for row in LEG_EVENTS if Generation.SECOND in row.generations}
    return told | {event for event, generations in SESSION_EVENTS.items() if Generation.SECOND in generations}


def plivo_attributes() -> set[str]:
    who = plivo.parties(make_session(), None, None, VIRTUAL)
    body = plivo.DEFAULT_STYLE.session_event(who, "SessionTimeout", 0.0).decode()
    return {pair.partition("=")[0] for pair in body.split("&")}


def test_plivo_events_and_attributes_are_the_kept_ones():
    assert plivo_attributes() == PLIVO_ATTRIBUTES
    assert len(plivo_events()) == 9


def test_plivo_events_are_those_of_the_page():
    listed = page("002").partition("Callback attributes")[0]
    named = set(re.findall(r"^(Session[A-Z]\w+)$", listed, re.MULTILINE))
    assert plivo_events() == named | PLIVO_BESIDE
    assert "SessionParamUpdate" in page("002")


def test_plivo_attributes_are_those_of_the_page():
    listed = page("002").partition("Callback attributes")[2]
    named = set(re.findall(r"^(\w+) \((?:string|integer)\)$", listed, re.MULTILINE))
    assert plivo_attributes() == named
