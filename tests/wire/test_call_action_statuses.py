"""The status matrix of 8x8-wavecell.md §6.1 and Wavecell's §7.1 through Voice Call Action: every row by a real SIP
exchange of two SIPps, and what an independent application was told of it.

All calls run at once on one platform; each test looks at one of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.call_action_field import AUTHORIZATION, LABEL, SUBACCOUNT, VIRTUAL, ActionField, say
from tests.support.call_action_rows import FIRST_LEGS, RING_TIMEOUT, ROWS, SEATS, B, C, E, Evening, F, N, X, is_hung_up

pytestmark = [pytest.mark.wire, pytest.mark.timeout(180)]
TITLE = {C: "Completed", N: "No Answer", B: "Busy", F: "Failed", X: "Canceled", E: "Failed", None: None}


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evening]:
    made = ActionField(
        tmp_path_factory.mktemp("statuses"), SEATS, MASKLINE_RING_TIMEOUT=str(RING_TIMEOUT),
        MASKLINE_SESSION_DEFAULTS="custom", MASKLINE_SPEECH_VOICE="en-us-f",
    )  # fmt: skip
    try:
        made.open()
        told = Evening(made)
        try:
            yield told
        finally:
            told.close()
    finally:
        made.close()


@pytest.mark.row(
    "8x8:6.1/completed-completed", "8x8:6.1/completed-no-answer", "8x8:6.1/completed-busy", "8x8:6.1/completed-failed",
    "8x8:6.1/canceled-canceled", "8x8:6.1/completed-canceled", "8x8:6.1/completed-none", "8x8:6.1/error-none",
    "8x8:6.1/canceled-none",
    "8x8:6.1/rejected-603", "8x8:6.1/sip-failed", "8x8:6.1/sip-no-answer", "8x8:6.1/sip-busy",
    "8x8:6.1/sip-canceled", "8x8:6.1/q850", "8x8:6.1/underscore", "8x8:6/lastAction", "8x8:6/callCount",
    "8x8:6/errorDetails",
)  # fmt: skip
@pytest.mark.parametrize("name", ROWS)
def test_the_session_summary_says_how_the_call_ended(evening: Evening, name: str) -> None:
    row, told = ROWS[name], evening.outcome(name)
    assert told.legs == row.legs
    summary = told.summary
    assert summary["callCount"] == len(summary["details"]) == (1 if row.legs[1] is None else 2)
    assert summary.get("lastAction", "") == row.last_action
    assert summary.get("errorDetails", {}).get("errorCode", 0) == row.error
    assert summary["subAccountId"] == SUBACCOUNT
    if row.legs[0] == row.legs[1] != C or row.legs[1] in (N, B, F):
        assert "connectedTimestamp" not in summary["details"]["callB"]
        assert summary["details"]["callB"]["callDuration"] == 0


@pytest.mark.row("8x8:7.1/matrix", "8x8:7.1/caller-leaves", "8x8:7.1/error-is-failed", "8x8:7.1/status", "8x8:13/C14")
@pytest.mark.parametrize("name", ROWS)
def test_wavecells_call_status_says_the_same_in_its_own_words(evening: Evening, name: str) -> None:
    row, body = ROWS[name], evening.outcome(name).wavecell
    legs = row.wavecell or row.legs
    details = body["details"]
    found = [details[name]["status"] if name in details else None for name in ("callA", "callB")]
    assert (found[0], found[1], body["status"]) == tuple(TITLE[status] for status in legs)
    for leg in details.values():
        assert leg["numberReferenceId"] == LABEL
        assert not {"callQuality", "callStatus", "sourceFormat"} & leg.keys()
    assert "errorDetails" not in body
    assert set(body) <= {
        "sessionId",
        "subAccountId",
        "status",
        "startTime",
        "endTime",
        "lastAction",
        "callCount",
        "details",
    }


@pytest.mark.row(
    "8x8:5/CALL_RECEIVED", "8x8:5/CALL_INITIATED", "8x8:5/CALL_CONNECTED", "8x8:5/CALL_DISCONNECTED", "8x8:5/sipCode",
    "8x8:5/payload",
)  # fmt: skip
@pytest.mark.parametrize("name", ROWS)
def test_the_call_statuses_come_in_the_order_of_the_call(evening: Evening, name: str) -> None:
    row, told = ROWS[name], evening.outcome(name)
    steps = [(step["callStatus"], step["callDirection"]) for step in told.steps]
    assert steps[0] == ("CALL_RECEIVED", "INBOUND")
    details = told.summary["details"]
    expected = {("CALL_RECEIVED", "INBOUND"), ("CALL_DISCONNECTED", "INBOUND")}
    for leg in details.values():
        if "connectedTimestamp" in leg:
            expected.add(("CALL_CONNECTED", leg["callDirection"]))
    if "callB" in details:
        expected |= {("CALL_INITIATED", "OUTBOUND"), ("CALL_DISCONNECTED", "OUTBOUND")}
    assert sorted(steps) == sorted(expected)  # each once
    ends = {step["callDirection"]: step for step in told.steps if step["callStatus"] == "CALL_DISCONNECTED"}
    for direction, code in zip(("INBOUND", "OUTBOUND"), row.codes, strict=True):
        assert not code or ends[direction]["sipCode"] == code
    for step in told.steps:
        leg = details["callA" if step["callDirection"] == "INBOUND" else "callB"]
        assert step["callId"] == leg["callId"]
        assert {key: step[key] for key in ("source", "destination")} == {
            key: leg[key] for key in ("source", "destination")
        }


@pytest.mark.row("8x8:6.1/first-leg-fails")
@pytest.mark.parametrize("name", FIRST_LEGS)
def test_a_first_leg_that_fails_gives_the_session_its_status(evening: Evening, name: str) -> None:
    summary, status = evening.first_leg(name), FIRST_LEGS[name][1]
    (leg,) = summary["details"].values()
    assert (leg["callDirection"], leg["callStatus"], summary["sessionStatus"]) == ("OUTBOUND", status, status)
    assert (summary["callCount"], summary["lastAction"]) == (1, "MAKE_CALL")
    assert not {"connectedTimestamp", "destinationRefId", "errorDetails"} & {*leg, *summary}


@pytest.mark.row("8x8:6.3/error", "8x8:13/C24", "8x8:13/C13", "8x8:13/C23", "8x8:6.2/-2004")
def test_no_coverage_is_told_key_by_key(evening: Evening) -> None:
    summary = evening.outcome("no coverage").summary
    assert set(summary) == {
        "sessionId", "subAccountId", "sessionStatus", "startTime", "endTime", "lastAction", "callCount",
        "errorDetails", "details",
    }  # fmt: skip
    assert summary["errorDetails"] == {"errorMsg": "No coverage available for requested area", "errorCode": -2004}
    leg = summary["details"]["callA"]
    assert set(leg) == LEG | {"destinationRefId"}
    assert (leg["callDirection"], leg["callStatus"], leg["callDuration"]) == ("INBOUND", "ERROR", 0)


LEG = {
    "callId", "callDirection", "callType", "initiatedTimestamp", "disconnectedTimestamp", "source", "destination",
    "sourceFormat", "destinationFormat", "sourceCountryCode", "destinationCountryCode", "callStatus", "callDuration",
}  # fmt: skip


@pytest.mark.row("8x8:6.3/canceled")
def test_an_abandoned_call_is_told_key_by_key(evening: Evening) -> None:
    details = evening.outcome("abandoned").summary["details"]
    assert set(details["callA"]) == LEG | {"destinationRefId"}
    assert set(details["callB"]) == LEG | {"sourceRefId"}


@pytest.mark.row(
    "8x8:7.1/no-envelope", "8x8:7.1/lastAction", "8x8:7.1/id", "8x8:7.1/direction", "8x8:7.1/type",
    "8x8:7.1/numberReferenceId", "8x8:7.1/target", "8x8:7.1/leg-status", "8x8:7.1/left-out",
)  # fmt: skip
def test_wavecells_call_status_is_told_key_by_key(evening: Evening) -> None:
    told = evening.outcome("answered")
    body, summary = told.wavecell, told.summary
    assert (body["lastAction"], body["callCount"]) == ("MakeCall", 2)
    assert [body[key] for key in ("startTime", "endTime")] == [summary[key] for key in ("startTime", "endTime")]
    for name, direction in (("callA", "Inbound"), ("callB", "Outbound")):
        leg, same = body["details"][name], summary["details"][name]
        assert leg == {
            "id": same["callId"], "direction": direction, "type": "PSTN", "numberReferenceId": LABEL,
            "initiatedTimestamp": same["initiatedTimestamp"], "connectedTimestamp": same["connectedTimestamp"],
            "disconnectedTimestamp": same["disconnectedTimestamp"], "source": same["source"],
            "target": same["destination"], "sourceCountryCode": "SG", "targetCountryCode": "SG",
            "status": "Completed", "duration": same["callDuration"],
        }  # fmt: skip


def test_an_answered_call_is_told_step_by_step(evening: Evening) -> None:
    told = evening.outcome("answered")
    steps = [(step["callStatus"], step["callDirection"]) for step in told.steps]
    assert steps[:4] == [
        ("CALL_RECEIVED", "INBOUND"), ("CALL_INITIATED", "OUTBOUND"), ("CALL_CONNECTED", "OUTBOUND"),
        ("CALL_CONNECTED", "INBOUND"),
    ]  # fmt: skip
    assert {step for step, _ in steps[4:]} == {"CALL_DISCONNECTED"}
    assert [step["callDuration"] for step in told.steps[:4]] == [0, 0, 0, 0]
    assert {step["callDuration"] for step in told.steps[4:]} == {1}


@pytest.mark.row("8x8:3/sessionId", "8x8:3/callId", "8x8:3/parties", "8x8:3/callStatus", "8x8:3/destinationRefId")
@pytest.mark.parametrize("name", ROWS)
def test_the_application_is_asked_about_leg_a_by_the_ids_of_the_summary(evening: Evening, name: str) -> None:
    told = evening.outcome(name)
    assert len(told.actions) == (2 if name == "500 twice" else 1)
    assert len({action["eventId"] for action in told.actions}) == 1
    action, leg = told.actions[0], told.summary["details"]["callA"]
    assert (action["sessionId"], action["callId"]) == (told.summary["sessionId"], leg["callId"])
    assert (action["source"], action["destination"]) == (f"+{told.call.caller_number}", VIRTUAL)
    assert (action["callStatus"], action["destinationRefId"]) == ("CALL_RECEIVED", LABEL)
    assert "sourceRefId" not in action
    assert "clientActionId" not in action


@pytest.mark.row("8x8:14/signature", "8x8:8/httpAuthHeader", "8x8:2/envelope", "8x8:2/transport")
def test_every_body_is_as_the_vendor_documents_it_and_signed(evening: Evening) -> None:
    for name in ROWS:
        evening.outcome(name)
    for name in FIRST_LEGS:
        evening.first_leg(name)
    assert evening.field.customer.faults == []
    for path in ("/vca", "/vcs", "/vss", "/wavecell"):
        for item in evening.field.customer.received(path):
            assert item["headers"]["Authorization"] == AUTHORIZATION
            assert item["headers"]["Content-Type"].startswith("application/json")


@pytest.mark.row("8x8:6.2/-2005")
def test_words_that_cannot_be_spoken_are_told_as_such(tmp_path: Path) -> None:
    """On a platform without a speech engine."""
    field = ActionField(tmp_path, 1, MASKLINE_SPEECH="none")
    try:
        field.open()
        call = field.seat()
        field.customer.script(f"+{call.caller_number}", {"flow": {"callflow": [say("Goodbye.")]}})
        is_hung_up(call.caller)
        call.run()
        summary = field.customer.summary(f"+{call.caller_number}")
    finally:
        field.close()
    assert (summary["sessionStatus"], summary["callCount"], summary["lastAction"]) == ("ERROR", 1, "PLAY_TTS")
    assert summary["errorDetails"] == {"errorMsg": "Unable to synthesize text to speech", "errorCode": -2005}


def test_no_telephone_sees_the_other_ones_number(evening: Evening) -> None:
    for name, row in ROWS.items():
        call = evening.outcome(name).call
        if row.callee is not None:
            assert f"<sip:{VIRTUAL}@" in call.called.got("INVITE").header("From"), name
            call.assert_nothing_crossed()
