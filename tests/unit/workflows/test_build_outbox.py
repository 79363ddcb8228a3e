"""Which webhooks a call's facts become, in which order, and the totals that move with its record."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import parse_qsl

import pytest

from maskline.engine.ports import CallCommit
from maskline.ids import SeededIds
from maskline.masking.e164 import Number
from maskline.masking.facts import (
    CallEnded,
    CallReceived,
    CallRequested,
    CallRouted,
    Cause,
    HungUpBy,
    LegAnswered,
    LegDialed,
    LegEnded,
    LegName,
    LegRinging,
    Outcome,
    PinChecked,
)
from maskline.masking.price import Direction, Price
from maskline.masking.price_table import PriceTable
from maskline.masking.session import PoolMode, Role, SessionOptions
from maskline.webhooks.formats.plivo import DEFAULT_STYLE, Style
from maskline.webhooks.formats.plivo_events import Generation
from maskline.webhooks.formats.shape import Shape
from maskline.workflows.build_outbox import (
    Rules,
    build_share,
    interaction_of,
    number_replaced_outbox,
    param_update_outbox,
    session_timeout_outbox,
)
from maskline.workflows.call_progress import CallProgress
from maskline.workflows.receivers import Receiver, audience_of
from tests.support.calls import (
    ACCOUNT,
    CALL_ID,
    CALLEE,
    CALLER,
    SESSION_ID,
    SUBACCOUNT,
    T0,
    VIRTUAL,
    make_context,
    make_leg,
    make_record,
    make_session,
)

A, B = LegName.A, LegName.B
NOW = T0 + 30
EIGHT = Receiver("eight.session_summary", "https://eight.example/vss", Shape("sub_x"), "Bearer t")
WAVECELL = Receiver("wavecell.call_status", "https://wave.example/", Shape("sub_y"))


def leg_ended(sequence, leg, at=T0 + 22, cause=Cause.NORMAL):
    return LegEnded(CALL_ID, sequence, at, leg, Outcome.COMPLETED, cause, 200, HungUpBy.CALLER)


FACTS = (
    CallReceived(CALL_ID, 1, T0, "trunk", "+6568332048"),
    CallRouted(CALL_ID, 2, T0, SESSION_ID, "first_party"),
    LegDialed(CALL_ID, 3, T0, "b", "trunk"),
    LegRinging(CALL_ID, 4, T0 + 3, "b", False),
    LegAnswered(CALL_ID, 5, T0 + 9, "b"),
    LegAnswered(CALL_ID, 6, T0 + 9.5, "a"),
    leg_ended(7, "b"),
    leg_ended(8, "a"),
    CallEnded(CALL_ID, 9, T0 + 22, Outcome.COMPLETED, Cause.NORMAL, HungUpBy.CALLER),
)


def share(
    facts=FACTS, record=None, *, session=None, receivers=(), progress=None, prices=(), style=DEFAULT_STYLE, **context
):
    commit = CallCommit(make_context(session, **context), facts, record)
    owner = context.get("subaccount_id") or ACCOUNT
    rules = Rules({owner: audience_of(receivers)}, PriceTable(prices), style)
    return build_share(commit, progress or CallProgress(), rules, NOW, SeededIds(1))


def form(row):
    return dict(parse_qsl(row.body.decode(), keep_blank_values=True))


@pytest.mark.row(
    "7.1/ring and answer",
    "7.1/hangup",
    "7.1/the default set",
    "7.2/sequence per interaction",
    "7.2/SequenceNumber",
)
def test_a_call_in_a_session_tells_its_five_events_in_order():
    rows = share(session=make_session()).outbox
    assert [row.event for row in rows] == [
        "SessionSecondPartyRing",
        "SessionSecondPartyAnswer",
        "SessionFirstPartyAnswer",
        "SessionSecondPartyHangup",
        "SessionFirstPartyHangup",
    ]
    assert [row.sequence for row in rows] == [1, 2, 3, 4, 5]
    assert [form(row)["SequenceNumber"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert {(row.subject, row.dialect, row.state) for row in rows} == {(CALL_ID, "plivo", "due")}
    assert len({row.id for row in rows}) == 5


@pytest.mark.row("7.2/sequence per interaction")
def test_the_count_of_events_begins_anew_with_each_interaction():
    session = make_session()
    first = [form(row)["SequenceNumber"] for row in share(FACTS[:6], session=session).outbox]
    second = [form(row)["SequenceNumber"] for row in share(FACTS[:6], session=session).outbox]
    assert first == second == ["1", "2", "3"]
    progress = CallProgress()
    share(FACTS[:6], session=session, progress=progress)
    last = [form(row)["SequenceNumber"] for row in share(FACTS[6:], session=session, progress=progress).outbox]
    assert last == ["4", "5"], "over all commits of one call"


def test_durations_come_from_the_answer_of_the_same_leg_even_in_another_commit():
    progress = CallProgress()
    share(FACTS[:6], session=make_session(), progress=progress)
    b, a = share(FACTS[6:], session=make_session(), progress=progress).outbox
    assert (form(b)["Duration"], form(b)["BilledDuration"]) == ("13", "13")
    assert (form(a)["Duration"], form(a)["BilledDuration"]) == ("13", "13")
    assert (form(b)["SequenceNumber"], form(a)["SequenceNumber"]) == ("4", "5")


def test_a_session_without_a_callback_url_tells_nothing():
    assert share(session=make_session("")).outbox == ()


@pytest.mark.row("2/record", "2/recording_callback_url")
def test_a_call_in_which_nobody_answered_is_told_to_no_recording_callback():
    options = SessionOptions(
        callback_url="https://h.example/cb", record=True, recording_callback_url="https://h.example/recordings"
    )
    rows = share(record=make_record(), session=make_session(options=options)).outbox
    assert {row.url for row in rows} == {"https://h.example/cb"}
    assert not [
        row for row in rows if "Recording" in row.event or b"Recording" in row.body or b"FirstParty=" in row.body
    ]


def test_a_call_without_a_session_tells_nothing_to_a_callback_url():
    assert share((FACTS[0], leg_ended(2, "a", cause=Cause.UNKNOWN_CALLER))).outbox == ()


def test_a_get_keeps_its_parameters_in_the_sealed_body_and_not_in_the_url():
    options = SessionOptions(callback_url="https://h.example/cb?x=1#rc=2", callback_method="get")
    row = share(session=make_session(options=options)).outbox[0]
    assert (row.method, row.url) == ("GET", "https://h.example/cb?x=1#rc=2")
    assert form(row)["From"] == CALLER.digits


def test_summaries_go_out_with_the_record_to_every_configured_receiver():
    later = Receiver("native.later", "https://later.example/", Shape("x"))
    rows = share(record=make_record(), receivers=[EIGHT, later, WAVECELL], session=make_session()).outbox[5:]
    assert [(row.dialect, row.event, row.url) for row in rows] == [
        ("eight", "SESSION_SUMMARY", EIGHT.url),
        ("wavecell", "AGGREGATED_CALL_STATUS", WAVECELL.url),
    ]
    assert [row.sequence for row in rows] == [6, 7]
    assert rows[0].authorization == "Bearer t"
    assert json.loads(rows[0].body)["payload"]["subAccountId"] == "sub_x"
    assert json.loads(rows[1].body)["subAccountId"] == "sub_y"


def test_no_summary_before_the_record():
    assert share(receivers=[EIGHT]).outbox == ()


def test_a_subaccounts_call_asks_for_the_subaccounts_receivers():
    assert len(share(record=make_record(), receivers=[EIGHT], subaccount_id=SUBACCOUNT).outbox) == 1
    rows = build_share(
        CallCommit(make_context(subaccount_id=SUBACCOUNT), FACTS, make_record()),
        CallProgress(), Rules({ACCOUNT: audience_of([EIGHT])}), NOW, SeededIds(1),
    ).outbox  # fmt: skip
    assert rows == ()


def test_the_session_counts_the_call_while_it_lasts():
    progress, session = CallProgress(), make_session()
    first = share(FACTS[:3], session=session, progress=progress)
    middle = share(FACTS[3:6], session=session, progress=progress)
    last = share(FACTS[6:], make_record(), session=session, progress=progress)
    assert [part.calls_in_progress_delta for part in (first, middle, last)] == [1, 0, -1]
    assert [part.interaction is not None for part in (first, middle, last)] == [False, False, True]
    assert {part.session_id for part in (first, middle, last)} == {SESSION_ID}
    assert share(FACTS, make_record(), session=session).calls_in_progress_delta == 0


def test_a_refused_call_is_kept_but_is_no_interaction():
    record = make_record(make_leg(A, outcome=Outcome.REJECTED, cause=Cause.SESSION_BUSY, answered_at=None))
    part = share((FACTS[0], leg_ended(2, "a", cause=Cause.SESSION_BUSY)), record, session=make_session())
    assert (part.interaction, part.calls_in_progress_delta) == (None, 0)
    assert part.record == record
    assert [form(row)["PlivoHangupCause"] for row in part.outbox] == ["Busy Line"]


@pytest.mark.row("5.1/duration", "5.1/two legs, many interactions")
@pytest.mark.parametrize(
    ("caller", "first", "second"), [(Role.FIRST, "leg-a", "leg-b"), (Role.SECOND, "leg-b", "leg-a")]
)
def test_an_interaction_files_legs_by_party(caller, first, second):
    done = interaction_of(make_record(caller=caller))
    assert (done.first_party_leg_id, done.second_party_leg_id) == (first, second)
    assert (done.duration, done.legs) == (26, 2)


@pytest.mark.row("5.1/total_call_count")
def test_an_interaction_without_leg_b_has_one_leg():
    done = interaction_of(make_record(make_leg(A, answered_at=None)))
    assert (done.second_party_leg_id, done.duration, done.billed_duration, done.legs) == (None, 0, 0, 1)


def test_a_billed_second_is_begun_by_each_leg():
    record = make_record(make_leg(A, answered_at=T0 + 9.6), make_leg(B, answered_at=T0 + 9.6))
    facts = (*FACTS[:4], LegAnswered(CALL_ID, 5, T0 + 9.6, "b"), LegAnswered(CALL_ID, 6, T0 + 9.6, "a"), *FACTS[6:])
    part = share(facts, record, session=make_session())
    assert (part.interaction.duration, part.interaction.billed_duration) == (24, 26)
    assert [leg.billed_duration for leg in part.record.legs] == [13, 13]


# -- prices ------------------------------------------------------------------------------------------------------
PRICES = (
    Price("in", None, Direction.INBOUND, "+65", 60_000, 10_000),
    Price("out", "trunk", Direction.OUTBOUND, "+6591", 120_000, 0, 60),
    Price("other", "other", Direction.OUTBOUND, "+6591", 999_000),
)


@pytest.mark.row("7.2/Amount")
def test_each_leg_costs_what_its_trunk_direction_and_number_cost():
    part = share(record=make_record(), session=make_session(), prices=PRICES)
    b, a = (form(row) for row in part.outbox[3:])
    # A: 0.01 for the connection and 13 s of 0.06 a minute; B: a whole minute of 0.12.
    assert (a["Amount"], a["BilledDuration"], a["Duration"]) == ("0.02300", "13", "13")
    assert (b["Amount"], b["BilledDuration"], b["Duration"]) == ("0.12000", "60", "13")
    assert [(leg.amount, leg.billed_duration) for leg in part.record.legs] == [(23_000, 13), (120_000, 60)]
    assert (part.interaction.amount, part.interaction.billed_duration) == (143_000, 73)


def test_what_was_told_at_the_hangup_is_what_is_kept_even_if_prices_changed_since():
    progress, session = CallProgress(), make_session()
    share(FACTS[:8], session=session, progress=progress, prices=PRICES)
    part = share(FACTS[8:], make_record(), session=session, progress=progress)
    assert part.interaction.amount == 143_000


def test_a_record_whose_facts_were_lost_is_priced_by_itself():
    part = share(FACTS[8:], make_record(), session=make_session(), prices=PRICES)
    assert [leg.amount for leg in part.record.legs] == [23_000, 120_000]


def test_a_leg_that_was_never_answered_or_ended_before_its_answer_costs_nothing():
    legs = make_leg(A, answered_at=None), make_leg(B, answered_at=T0 + 30)
    part = share(FACTS[8:], make_record(*legs), session=make_session(), prices=PRICES)
    assert [(leg.amount, leg.billed_duration) for leg in part.record.legs] == [(0, 0), (0, 0)]


def test_a_leg_to_nobody_known_has_no_price():
    part = share(FACTS[8:], make_record(), prices=PRICES, callee=None)
    assert [leg.amount for leg in part.record.legs] == [23_000, 0]


# -- other calls and generations ---------------------------------------------------------------------------------
def test_a_call_to_a_fallback_is_kept_and_belongs_to_no_session():
    facts = (FACTS[0], CallRouted(CALL_ID, 2, T0, "", "", "fallback"), *FACTS[2:])
    part = share(facts, make_record(session_id=None, caller=None), prices=PRICES, callee=CALLEE, receivers=[EIGHT])
    assert (part.session_id, part.interaction, part.calls_in_progress_delta) == (None, None, 0)
    assert [row.event for row in part.outbox] == ["SESSION_SUMMARY"]
    assert [leg.amount for leg in part.record.legs] == [23_000, 120_000]


def pin_session(**changes):
    options = SessionOptions(callback_url="https://hooks.example/", is_pin_authentication_required=True)
    return make_session(options=options, **changes)


@pytest.mark.row("7.2/pin status on every call", "7.1/SessionPinAuthenticationStatus")
def test_a_caller_known_by_number_is_told_as_authorized_where_pins_are_on():
    rows = share(session=pin_session()).outbox
    assert [row.event for row in rows[:2]] == ["SessionPinAuthenticationStatus", "SessionSecondPartyRing"]
    status, ring = form(rows[0]), form(rows[1])
    assert (status["PinAuthenticationStatus"], status["SequenceNumber"]) == ("AuthorizedCaller", "")
    assert (status["From"], ring["SequenceNumber"]) == (CALLER.digits, "1")
    assert [row.sequence for row in rows] == [1, 2, 3, 4, 5, 6]
    first = share(session=pin_session(), style=Style(Generation.FIRST)).outbox
    assert not [row for row in first if row.event == "SessionPinAuthenticationStatus"]


def test_a_caller_who_was_not_known_by_number_is_not_told_as_authorized():
    facts = (FACTS[0], CallRouted(CALL_ID, 2, T0, SESSION_ID, "first_party", "pin"))
    assert share(facts, session=pin_session()).outbox == ()


def pin(sequence, accepted, failures, *, session=SESSION_ID, given=True):
    return PinChecked(CALL_ID, sequence, T0 + sequence, session, accepted, failures, given)


STATUS = "SessionPinAuthenticationStatus"


@pytest.mark.row("7.1/SessionPinAuthenticationStatus", "7.2/PinAuthenticationStatus", "7.2/PinRetryCounter")
def test_who_is_asked_belongs_to_no_session_until_the_pin_is_right_and_is_told_from_then_on():
    progress = CallProgress()
    asked = (FACTS[0], LegAnswered(CALL_ID, 2, T0 + 1, "a"), pin(3, False, 1, session=""))
    first = share(asked, progress=progress, callee=None)
    assert (first.outbox, first.session_id) == ((), None)
    right = (pin(4, True, 1), CallRouted(CALL_ID, 5, T0 + 4, SESSION_ID, "second_party", "pin"))
    part = share(right, progress=progress, session=pin_session(), caller_role=Role.SECOND)
    assert part.calls_in_progress_delta == 1
    assert [row.event for row in part.outbox] == [STATUS, "SessionFirstPartyAnswer"]
    status, answer = map(form, part.outbox)
    assert (status["PinAuthenticationStatus"], status["PinRetryCounter"], status["SequenceNumber"]) == (
        "success", "1", "",
    )  # fmt: skip
    assert (answer["EventTimestamp"], answer["SequenceNumber"]) == ("2024-03-25 06:01:29 +0000 UTC", "1")
    assert (answer["From"], answer["To"]) == (CALLER.digits, CALLEE.digits)
    assert [row.sequence for row in part.outbox] == [1, 2]
    last = share((leg_ended(6, "b"), leg_ended(7, "a")), progress=progress, session=pin_session())
    hangup = form(last.outbox[1])
    assert (hangup["EventName"], hangup["Duration"], hangup["SequenceNumber"]) == ("SessionFirstPartyHangup", "21", "3")


@pytest.mark.row("7.1/SessionPinAuthenticationStatus", "7.2/PinRetryCounter", "7.2/pin status on every call")
def test_where_the_caller_is_known_and_asked_nevertheless_each_failure_is_told_wrong_or_missing():
    session = make_session(options=replace(pin_session().options, force_pin_authentication=True))
    progress = CallProgress()
    facts = (
        FACTS[0], LegAnswered(CALL_ID, 2, T0 + 1, "a"), pin(3, False, 1), pin(4, False, 2, given=False),
        pin(5, False, 3), leg_ended(6, "a", cause=Cause.WRONG_PIN),
        CallEnded(CALL_ID, 7, T0 + 22, Outcome.REJECTED, Cause.WRONG_PIN, HungUpBy.PLATFORM),
    )  # fmt: skip
    part = share(facts, progress=progress, session=session, callee=None, caller_role=None)
    rows = [form(row) for row in part.outbox]
    assert [(row["EventName"], row["PinAuthenticationStatus"], row["PinRetryCounter"]) for row in rows] == [
        ("SessionFirstPartyAnswer", "", ""), (STATUS, "failed", "1"), (STATUS, "failed", "2"), (STATUS, "failed", "3"),
        ("SessionFirstPartyHangup", "", ""),
    ]  # fmt: skip
    assert {(row["From"], row["To"]) for row in rows} == {(CALLER.digits, "")}
    assert (rows[-1]["PlivoHangupCause"], rows[-1]["PlivoHangupCauseCode"]) == ("Confirm Key Challenge Failed", "9110")
    assert (part.calls_in_progress_delta, part.interaction) == (0, None)


def test_once_the_forced_pin_was_right_both_parties_are_named():
    progress, session = CallProgress(), pin_session()
    before = share((FACTS[0], pin(2, False, 1)), progress=progress, session=session, callee=None)
    routed = CallRouted(CALL_ID, 4, T0 + 4, SESSION_ID, "first_party", "pin")
    after = share((pin(3, True, 1), routed, leg_ended(5, "b")), progress=progress, session=session)
    assert [form(row)["To"] for row in (*before.outbox, *after.outbox)] == ["", CALLEE.digits, CALLEE.digits]


def test_the_pin_of_a_session_that_is_over_is_told_to_nobody():
    over = pin_session(ended_at=T0 + 1)
    progress = CallProgress()
    share((FACTS[0], LegAnswered(CALL_ID, 2, T0 + 1, "a")), progress=progress)
    refused = (pin(3, True, 0), leg_ended(4, "a", cause=Cause.SESSION_EXPIRED))
    assert share(refused, progress=progress, session=over).outbox == ()


def test_the_first_generation_knows_no_pin_status():
    rows = share((FACTS[0], pin(2, False, 1)), session=pin_session(), style=Style(Generation.FIRST)).outbox
    assert rows == ()


REQUESTED = (
    CallRequested(CALL_ID, 1, T0, SESSION_ID, "+6568332048"),
    CallRouted(CALL_ID, 2, T0, SESSION_ID, "first_party", "request"),
    LegDialed(CALL_ID, 3, T0, "a", "trunk-a"),
    LegRinging(CALL_ID, 4, T0 + 1, "a", False),
    LegAnswered(CALL_ID, 5, T0 + 2, "a"),
    LegDialed(CALL_ID, 6, T0 + 2, "b", "trunk-b"),
    LegRinging(CALL_ID, 7, T0 + 3, "b", False),
    LegAnswered(CALL_ID, 8, T0 + 9, "b"),
    leg_ended(9, "b"),
    leg_ended(10, "a"),
    CallEnded(CALL_ID, 11, T0 + 22, Outcome.COMPLETED, Cause.NORMAL, HungUpBy.CALLER),
)


@pytest.mark.row("6.1/two flows", "7.1/ring and answer", "7.1/events of the first generation")
@pytest.mark.parametrize(
    ("generation", "events"),
    [
        (Generation.SECOND, ["FirstPartyAnswer", "SecondPartyRing", "SecondPartyAnswer", "SecondPartyHangup",
                             "FirstPartyHangup"]),
        (Generation.FIRST, ["FirstPartyInitiated", "FirstPartyRinging", "FirstPartyAnswer", "SecondPartyInitiated",
                            "SecondPartyRing", "SecondPartyAnswer", "SecondPartyComplete", "FirstPartyComplete"]),
    ],
)  # fmt: skip
def test_a_call_that_we_start_tells_of_the_first_party_first(generation, events):
    rows = share(REQUESTED, session=pin_session(), style=Style(generation)).outbox
    assert [row.event.removeprefix("Session") for row in rows] == events, "and of no PIN: nobody was asked"
    assert {(form(row)["From"], form(row)["To"]) for row in rows} == {(CALLER.digits, CALLEE.digits)}
    assert [form(row)["SequenceNumber"] for row in rows] == [str(i + 1) for i in range(len(rows))]


def cancelled(*legs):
    """The session of a requested call was deleted: each of these legs ends, and the call."""
    facts = [leg_ended(9 + i, leg, cause=Cause.SESSION_EXPIRED) for i, leg in enumerate(legs)]
    return (*facts, CallEnded(CALL_ID, 12, T0 + 22, Outcome.FAILED, Cause.SESSION_EXPIRED, HungUpBy.PLATFORM))


@pytest.mark.parametrize(
    ("before", "legs", "told"),
    [
        (REQUESTED[:2], "a", []),
        (REQUESTED[:3], "a", [("FirstPartyHangup", "0"), ("PartiesHangup", "0")]),
        (REQUESTED[:5], "a", [("FirstPartyAnswer", ""), ("FirstPartyHangup", "20"), ("PartiesHangup", "20")]),
        (
            REQUESTED[:7], "ba",
            [("FirstPartyAnswer", ""), ("SecondPartyRing", ""), ("SecondPartyHangup", "0"), ("FirstPartyHangup", "20"),
             ("PartiesHangup", "20")],
        ),
    ],
)  # fmt: skip
def test_a_call_that_we_start_is_told_to_its_end_when_the_session_is_deleted_meanwhile(before, legs, told):
    progress, session, style = CallProgress(), make_session(ended_at=T0 + 22), Style(Generation.CURRENT)
    prices = [Price("us", "trunk-a", Direction.OUTBOUND, "+1", 60_000, 0, 60)]
    rows = [
        *share(before, progress=progress, session=make_session(), style=style).outbox,
        *share(cancelled(*legs), progress=progress, session=session, style=style, prices=prices).outbox,
    ]
    assert [(row.event.removeprefix("Session"), form(row)["Duration"]) for row in rows] == told
    assert [form(row)["SequenceNumber"] for row in rows] == [str(i + 1) for i in range(len(rows))]
    ends = [form(row) for row in rows if "Hangup" in row.event]
    assert {(end["PlivoHangupCause"], end["PlivoHangupCauseCode"]) for end in ends} <= {("Rejected", "3020")}
    if len(before) > 4:
        assert [end["Amount"] for end in ends[-2:]] == ["0.06000", "0.06000"], "who was answered is billed, and told so"


@pytest.mark.parametrize(
    ("before", "legs", "told"),
    [
        (FACTS[:3], "a", ["1000", "1000"]),
        (REQUESTED[:7], "ba", ["1000", "4000", "1000"]),
        (REQUESTED[:8], "ba", ["4000", "4000", "4000"]),
    ],
)  # fmt: skip
def test_an_end_by_request_is_told_leg_by_leg_and_of_the_whole_call(before, legs, told):
    """1000 is "canceled", of what was not answered; the whole call is answered when both its legs are."""
    progress, style, cause = CallProgress(), Style(Generation.CURRENT), Cause.ENDED_BY_REQUEST
    share(before, progress=progress, session=make_session(), style=style)
    ends = [leg_ended(9 + i, leg, cause=cause) for i, leg in enumerate(legs)]
    over = CallEnded(CALL_ID, 12, T0 + 22, Outcome.CANCELED, cause, HungUpBy.PLATFORM)
    rows = share((*ends, over), progress=progress, session=make_session(), style=style).outbox
    assert [form(row)["PlivoHangupCauseCode"] for row in rows] == told


def test_a_known_caller_whose_session_ends_while_its_pin_is_asked_is_told_to_its_end():
    options = replace(pin_session().options, force_pin_authentication=True)
    session, progress = make_session(options=options), CallProgress()
    share((FACTS[0], LegAnswered(CALL_ID, 2, T0 + 1, "a")), progress=progress, session=session, callee=None)
    over = (pin(3, True, 0), leg_ended(4, "a", cause=Cause.SESSION_EXPIRED))
    rows = share(over, progress=progress, session=replace(session, ended_at=T0 + 2), callee=None).outbox
    assert [row.event for row in rows] == ["SessionFirstPartyHangup"], "its answer was told"


def test_both_legs_of_a_call_that_we_start_cost_what_calls_to_their_parties_cost():
    prices = (
        Price("in", None, Direction.INBOUND, "", 900_000, 0, 60),
        Price("us", "trunk-a", Direction.OUTBOUND, "+1", 60_000, 0, 60),
        Price("sg", "trunk-b", Direction.OUTBOUND, "+65", 120_000, 0, 60),
    )
    leg = make_leg(A, inbound=False, source=VIRTUAL, destination=CALLER, trunk_id="trunk-a")
    record = make_record(leg, make_leg(B, trunk_id="trunk-b"))
    part = share(REQUESTED, record, session=make_session(), prices=prices)
    assert [(form(row)["Amount"], row.event) for row in part.outbox[-2:]] == [
        ("0.12000", "SessionSecondPartyHangup"), ("0.06000", "SessionFirstPartyHangup"),
    ]  # fmt: skip
    assert [one.amount for one in part.record.legs] == [60_000, 120_000]
    lost = share((), record, session=make_session(), prices=prices)
    assert [one.amount for one in lost.record.legs] == [60_000, 120_000], "also when the facts were lost"
    assert part.interaction.first_party_leg_id == "leg-a"


@pytest.mark.row("7.1/SessionPartiesHangup")
def test_the_current_generation_tells_the_end_of_the_whole_call():
    style = Style(Generation.CURRENT)
    rows = share(session=make_session(), prices=PRICES, style=style).outbox
    assert rows[-1].event == "SessionPartiesHangup"
    told = form(rows[-1])
    assert (told["Amount"], told["BilledDuration"], told["Duration"]) == ("0.14300", "73", "26")
    assert (told["PlivoHangupCause"], told["SequenceNumber"]) == ("Normal Hangup", "6")
    refused = (FACTS[0], leg_ended(2, "a", cause=Cause.SESSION_BUSY), FACTS[8])
    assert [row.event for row in share(refused, session=make_session(), style=style).outbox] == [
        "SessionFirstPartyHangup"
    ], "a call that never was the session's has no such end"


def test_an_event_names_the_number_that_was_dialled():
    split = make_session(pool_mode=PoolMode.SPLIT, second_virtual_number=Number("6568330000"))
    assert {form(row)["VirtualNumber"] for row in share(session=split).outbox} == {"6568332048"}


# -- events of no call -------------------------------------------------------------------------------------------
@pytest.mark.row("7.1/SessionTimeout")
def test_a_session_timeout_is_one_row_of_the_session():
    (row,) = session_timeout_outbox(make_session(subaccount_id=SUBACCOUNT), T0, SeededIds(1))
    assert (row.subject, row.event, row.sequence) == (SESSION_ID, "SessionTimeout", round(T0 * 1000))
    assert (row.account_id, row.subaccount_id, row.due_at) == (ACCOUNT, SUBACCOUNT, T0)
    assert form(row)["EventName"] == "SessionTimeout"
    assert session_timeout_outbox(make_session(""), T0, SeededIds(1)) == ()
    assert session_timeout_outbox(make_session(), T0, SeededIds(1), Style(Generation.FIRST)) == ()


@pytest.mark.row("7.1/SessionParamUpdate", "7.2/SequenceNumber")
def test_an_update_is_told_before_the_timeout_that_follows_it():
    (update,) = param_update_outbox(make_session(), T0, SeededIds(1))
    (timeout,) = session_timeout_outbox(make_session(), T0 + 60, SeededIds(2))
    assert (update.event, update.subject) == ("SessionParamUpdate", timeout.subject)
    assert update.sequence < timeout.sequence
    assert form(update)["SequenceNumber"] == ""


NEW, NEWER = Number("6568330001"), Number("6568330002")


@pytest.mark.row("7.1/SessionVirtualNumberReplaced", "6.2/number replaced")
def test_a_replaced_number_is_told_once_with_the_new_one():
    before = make_session()
    after = make_session(virtual_number=NEW)
    (row,) = number_replaced_outbox(before, after, T0, SeededIds(1), Style(Generation.FIRST))
    told = form(row)
    assert (told["EventName"], told["VirtualNumber"]) == ("SessionVirtualNumberReplaced", NEW.digits)
    assert (told["From"], told["To"]) == ("", "")
    assert number_replaced_outbox(before, before, T0, SeededIds(1)) == ()


def test_where_each_party_has_a_number_the_event_names_whose_changed():
    before = make_session(second_virtual_number=NEW)
    rows = number_replaced_outbox(before, make_session(second_virtual_number=NEWER), T0, SeededIds(1))
    assert [(form(row)["From"], form(row)["VirtualNumber"]) for row in rows] == [(CALLEE.digits, NEWER.digits)]
    both = make_session(virtual_number=NEW, second_virtual_number=NEWER)
    assert [form(row)["From"] for row in number_replaced_outbox(before, both, T0, SeededIds(1))] == [
        CALLER.digits,
        CALLEE.digits,
    ]


def test_a_body_with_numbers_is_not_in_a_repr():
    rows = share(record=make_record(), receivers=[EIGHT, WAVECELL], session=make_session()).outbox
    assert not [row for row in rows if CALLER.digits in repr(row) or CALLEE.digits in repr(row)]
