"""Which facts become call statuses, of which leg, for which endpoints."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from maskline.engine.ports import CallCommit
from maskline.ids import SeededIds
from maskline.masking.decision import VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.facts import (
    CallEnded,
    CallReceived,
    CallRequested,
    CallRouted,
    Cause,
    DigitsCaptured,
    FlowGiven,
    HungUpBy,
    LegAnswered,
    LegChanged,
    LegDialed,
    LegEnded,
    LegRinging,
    Outcome,
)
from maskline.masking.redaction import Redaction, Redactor
from maskline.webhooks.formats.shape import Shape, read_shape
from maskline.workflows.build_outbox import Rules, build_share
from maskline.workflows.call_progress import CallProgress
from maskline.workflows.receivers import Receiver, audience_of
from tests.support.calls import (
    ACCOUNT,
    CALL_ID,
    CALLEE,
    CALLER,
    SESSION_ID,
    T0,
    VIRTUAL,
    make_context,
    make_record,
    make_session,
)

NOW = T0 + 30
OVER = (Outcome.COMPLETED, Cause.NORMAL)
SECRET = "whsec_" + "A" * 32


def follower(name="vcs", kind="eight.call_status", **options):
    return Receiver(kind, f"https://{name}.example/", read_shape("sub", options), "Bearer t", SECRET)


def ended(sequence, leg, at=T0 + 22, status=200, outcome=Outcome.COMPLETED, cause=Cause.NORMAL):
    return LegEnded(CALL_ID, sequence, at, leg, outcome, cause, status, HungUpBy.CALLER)


TALK = (
    CallReceived(CALL_ID, 1, T0, "trunk", "+6568332048"),
    CallRouted(CALL_ID, 2, T0, SESSION_ID, "first_party"),
    LegDialed(CALL_ID, 3, T0 + 0.5, "b", "trunk"),
    LegRinging(CALL_ID, 4, T0 + 3, "b", False),
    LegAnswered(CALL_ID, 5, T0 + 9, "b"),
    LegAnswered(CALL_ID, 6, T0 + 9.1, "a"),
    ended(7, "a", T0 + 22),
    ended(8, "b", T0 + 22),
    CallEnded(CALL_ID, 9, T0 + 22, *OVER, HungUpBy.CALLER),
)


def rows_of(facts, followers, *, record=None, progress=None, session=None, **context):
    commit = CallCommit(make_context(session, **({"callee": CALLEE} | context)), tuple(facts), record)
    rules = Rules({ACCOUNT: audience_of(followers)})
    return build_share(commit, progress or CallProgress(), rules, NOW, SeededIds(1)).outbox


def payloads(facts, *followers, **changes):
    return [json.loads(row.body)["payload"] for row in rows_of(facts, followers or [follower()], **changes)]


def shown(facts, *followers, **changes):
    return [
        (one["callStatus"], one["callDirection"], one["callId"], one["callDuration"], one["sipCode"])
        for one in payloads(facts, *followers, **changes)
    ]


@pytest.mark.row(
    "8x8:5/CALL_RECEIVED", "8x8:5/CALL_INITIATED", "8x8:5/CALL_CONNECTED", "8x8:5/CALL_DISCONNECTED", "8x8:5/sipCode"
)
@pytest.mark.parametrize("session", [None, make_session("")], ids=["by an application", "of a masking session"])
def test_a_masked_call_has_the_timeline_of_the_specification(session):
    assert shown(TALK, session=session) == [
        ("CALL_RECEIVED", "INBOUND", "leg-a", 0, 200),
        ("CALL_INITIATED", "OUTBOUND", "leg-b", 0, 200),
        ("CALL_CONNECTED", "OUTBOUND", "leg-b", 0, 200),
        ("CALL_CONNECTED", "INBOUND", "leg-a", 0, 200),
        ("CALL_DISCONNECTED", "INBOUND", "leg-a", 13, 200),
        ("CALL_DISCONNECTED", "OUTBOUND", "leg-b", 13, 200),
    ]


@pytest.mark.row("8x8:5/CALL_DISCONNECTED", "8x8:5/sipCode")
@pytest.mark.parametrize("status", [486, 480, 487, 603])
def test_a_leg_that_failed_says_its_final_code_once(status):
    facts = (*TALK[:4], ended(5, "b", T0 + 5, status, Outcome.BUSY, Cause.BUSY), ended(6, "a", T0 + 5, status))
    assert shown(facts)[2:] == [
        ("CALL_DISCONNECTED", "OUTBOUND", "leg-b", 0, status),
        ("CALL_DISCONNECTED", "INBOUND", "leg-a", 0, status),
    ]


def test_a_caller_who_hears_us_first_is_connected_before_leg_b():
    facts = (TALK[0], LegAnswered(CALL_ID, 2, T0 + 1, "a"), LegDialed(CALL_ID, 3, T0 + 4, "b", "t"), TALK[4])
    assert [(word, leg) for word, _, leg, *_ in shown(facts)] == [
        ("CALL_RECEIVED", "leg-a"), ("CALL_CONNECTED", "leg-a"), ("CALL_INITIATED", "leg-b"),
        ("CALL_CONNECTED", "leg-b"),
    ]  # fmt: skip


def test_seconds_count_from_the_answer_in_an_earlier_commit():
    progress = CallProgress()
    assert len(shown(TALK[:6], progress=progress)) == 4
    assert [one[3] for one in shown(TALK[6:], progress=progress)] == [13, 13]


@pytest.mark.row("8x8:13/C28", "8x8:5/payload")
def test_each_leg_shows_its_own_numbers_and_reference():
    other = Number("6531590777")
    received, initiated = payloads(TALK[:3], shown=other, shown_reference_id="PSTN2")
    assert (received["source"], received["destination"]) == (CALLER.e164, VIRTUAL.e164)
    assert received["destinationRefId"] == "PSTN1"
    assert (initiated["source"], initiated["destination"], initiated["sourceRefId"]) == (
        other.e164, CALLEE.e164, "PSTN2",
    )  # fmt: skip
    assert "sourceRefId" not in payloads(TALK[:3], shown=other, shown_reference_id="")[1]


@pytest.mark.row("8x8:13/C28", "8x8:5/CALL_INITIATED")
def test_a_first_leg_that_we_dial_is_outbound_and_initiated():
    facts = (
        CallRequested(CALL_ID, 1, T0, "", "+6568332048"),
        LegDialed(CALL_ID, 2, T0, "a", "trunk"),
        LegAnswered(CALL_ID, 3, T0 + 2, "a"),
    )
    assert [one[:3] for one in shown(facts)] == [
        ("CALL_INITIATED", "OUTBOUND", "leg-a"), ("CALL_CONNECTED", "OUTBOUND", "leg-a"),
    ]  # fmt: skip
    first = payloads(facts)[0]
    assert (first["source"], first["destination"], first["sourceRefId"]) == (VIRTUAL.e164, CALLER.e164, "PSTN1")


def test_a_leg_that_was_never_dialled_ends_with_480():
    facts = (CallRequested(CALL_ID, 1, T0, "", "+65"), ended(2, "a", T0, 0, Outcome.ERROR, Cause.FLOW_EXPIRED))
    assert shown(facts) == [("CALL_DISCONNECTED", "OUTBOUND", "leg-a", 0, 480)]


def test_a_leg_whose_party_nobody_knows_is_not_told():
    assert payloads((LegDialed(CALL_ID, 1, T0, "b", "t"),), callee=None) == []


@pytest.mark.row("8x8:5/DTMF_RECEIVED")
def test_digits_are_told_of_the_leg_that_pressed_with_its_running_seconds():
    facts = (*TALK[:1], LegAnswered(CALL_ID, 2, T0 + 1, "a"), DigitsCaptured(CALL_ID, 3, T0 + 8, "a", 4, "0911"))
    last = payloads(facts)[-1]
    assert (last["callStatus"], last["callId"], last["callDuration"]) == ("DTMF_RECEIVED", "leg-a", 7)
    assert last["eventData"] == {"dtmf": "0911"}
    assert payloads(facts, follower(event_data="string"))[-1]["eventData"] == "0911"


@pytest.mark.row("8x8:7.2/eventType", "8x8:7.2/opt-in", "8x8:7.2/fields")
def test_a_call_handle_is_told_of_digits_where_another_application_is_asked():
    facts = (*TALK[:1], LegAnswered(CALL_ID, 2, T0 + 1, "a"), DigitsCaptured(CALL_ID, 3, T0 + 8, "a", 4, "4711"))
    handle, asked = follower("handle", "wavecell.call_handle"), follower("vca", "eight.call_action")
    (row,) = rows_of(facts, [handle, asked])
    assert (row.dialect, row.event, row.url) == ("wavecell", "CALL_HANDLE", handle.url)
    assert json.loads(row.body) == {
        "sessionId": CALL_ID, "callId": "leg-a", "eventType": "DTMF_RECEIVED", "sourceMsisdn": CALLER.digits,
        "targetMsisdn": VIRTUAL.digits, "direction": 0, "referenceId": "PSTN1", "timestamp": "2024-03-25T06:01:36Z",
        "status": "CONNECTED", "duration": 7, "dtmf": 4711, "sipStatus": 200,
    }  # fmt: skip
    assert rows_of(facts, [handle]) == (), "it is asked itself, with the digits"


@pytest.mark.row("8x8:14/redaction")
def test_what_a_call_handle_is_told_is_redacted():
    shape = Shape("sub", Redactor(Redaction.LAST4))
    handle = replace(follower("handle", "wavecell.call_handle"), shape=shape)
    asked = follower("vca", "eight.call_action")
    digits = DigitsCaptured(CALL_ID, 3, T0 + 8, "a", 1, "1")
    (row,) = rows_of((LegAnswered(CALL_ID, 2, T0 + 1, "a"), digits), [handle, asked])
    assert json.loads(row.body)["sourceMsisdn"] == "*******7870"
    requested = (CallRequested(CALL_ID, 1, T0, "", "+65"), digits)
    (row,) = rows_of(requested, [replace(handle, shape=Shape("sub", Redactor(Redaction.OMIT))), asked])
    assert "targetMsisdn" not in json.loads(row.body)


def test_no_digits_are_no_event():
    assert payloads((DigitsCaptured(CALL_ID, 1, T0 + 8, "a", 0, ""),)) == []


@pytest.mark.row("8x8:5/CALL_UPDATED")
def test_changes_inside_a_leg_are_told_only_where_they_are_wanted():
    facts = (*TALK[:6], LegChanged(CALL_ID, 7, T0 + 12, "b"))
    assert "CALL_UPDATED" not in [one[0] for one in shown(facts)]
    assert "CALL_UPDATED" not in [one[0] for one in shown(facts, follower(updates="off"))]
    assert shown(facts, follower(updates="on"))[-1] == ("CALL_UPDATED", "OUTBOUND", "leg-b", 3, 200)


def test_other_facts_are_no_steps():
    assert payloads((FlowGiven(CALL_ID, 1, T0, "HANGUP"), TALK[3], TALK[8])) == []


@pytest.mark.row("8x8:3/eventId", "8x8:2/transport")
def test_each_event_is_a_signed_post_of_json_with_an_id_of_its_own_in_order():
    rows = rows_of(TALK, [follower()])
    assert [row.sequence for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [json.loads(row.body)["payload"]["eventId"] for row in rows] == [row.id for row in rows]
    assert len({row.id for row in rows}) == 6
    for row in rows:
        assert (row.dialect, row.event, row.method, row.content_type) == (
            "eight", "CALL_STATUS", "POST", "application/json",
        )  # fmt: skip
        assert (row.subject, row.authorization, row.secret) == (CALL_ID, "Bearer t", SECRET)


def test_the_summary_comes_after_the_last_status_and_other_kinds_hear_nothing():
    summary = follower("vss", "eight.session_summary")
    asked = follower("vca", "eight.call_action")
    rows = rows_of(TALK, [summary, asked, follower()], record=make_record())
    assert [row.event for row in rows] == ["CALL_STATUS"] * 6 + ["SESSION_SUMMARY"]
    assert rows[-1].sequence == 7
    assert rows[-1].secret == SECRET


def test_statuses_go_out_beside_the_sessions_own_events():
    rows = rows_of(TALK, [follower()], session=make_session())
    assert len([row for row in rows if row.dialect == "plivo"]) == 5
    assert [row.sequence for row in rows] == list(range(1, 12))


def test_a_number_of_another_customer_is_told_to_nobody():
    number = VirtualNumber(VIRTUAL, "MA" + "Z" * 18, None, "", "SG")
    assert rows_of(TALK, [follower()], account_id=number.account_id, virtual_number=number) == ()
