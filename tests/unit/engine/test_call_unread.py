"""What facts alone tell of a call, for its record."""

from __future__ import annotations

import pytest

from maskline.engine.call_unread import dialled_number, kept_of_facts
from maskline.masking.call_record import FlowRecord
from maskline.masking.facts import CallReceived, CallRequested, CallRouted, Fact, FlowGiven
from maskline.masking.session import Role
from tests.support.calls import CALL_ID, T0, VIRTUAL, make_context, make_session

NUMBER = make_context().virtual_number
RECEIVED, REQUESTED = CallReceived(CALL_ID, 1, T0, "trunk", VIRTUAL.e164), CallRequested(CALL_ID, 1, T0, "s", "+1")
SECOND = CallRouted(CALL_ID, 2, T0, "s", "second_party")


@pytest.mark.parametrize(
    ("past", "number"), [((), None), ((SECOND,), None), ((RECEIVED, SECOND), VIRTUAL.e164), ((REQUESTED,), "+1")]
)
def test_the_first_fact_tells_what_was_dialled(past: tuple[Fact, ...], number: str | None) -> None:
    assert dialled_number(past) == number


def test_the_session_tells_who_talks_to_whom() -> None:
    session = make_session()
    kept = kept_of_facts(CALL_ID, T0 + 5, NUMBER, session, (RECEIVED, SECOND))
    assert (kept.record.caller, kept.record.callee) == (session.second_party, session.first_party)
    assert (kept.context.role, kept.context.session_id, kept.context.shown) == (Role.SECOND, session.id, VIRTUAL)
    assert (kept.record.a.trunk_id, kept.record.a.inbound, kept.record.started_at) == ("trunk", True, T0)
    assert kept.talk is None and kept.record.flow is None


def test_a_call_that_the_session_asked_for_goes_out_to_its_first_party() -> None:
    session = make_session()
    kept = kept_of_facts(CALL_ID, T0, NUMBER, session, (REQUESTED,))
    assert (kept.record.caller, kept.context.role, kept.record.a.inbound) == (session.first_party, Role.FIRST, False)


def test_without_a_session_nobody_is_named() -> None:
    fallback = CallRouted(CALL_ID, 2, T0, "", "", "fallback")
    kept = kept_of_facts(CALL_ID, T0, NUMBER, None, (RECEIVED, fallback, FlowGiven(CALL_ID, 3, T0, "Dial")))
    assert (kept.record.caller, kept.record.callee, kept.context.shown) == (None, None, NUMBER.number)
    assert kept.record.flow == FlowRecord()
    asked = kept_of_facts(CALL_ID, T0, NUMBER, None, (REQUESTED,))
    assert asked.record.flow == FlowRecord(requested=True)
    assert kept_of_facts(CALL_ID, T0 + 7, NUMBER, None, ()).record.started_at == T0 + 7


def test_the_ids_of_its_legs_are_the_same_whenever_they_are_made() -> None:
    first, again = (kept_of_facts(CALL_ID, T0, NUMBER, None, (RECEIVED,)).record for _ in range(2))
    assert first == again and first.a.id != first.b.id
    assert kept_of_facts("another", T0, NUMBER, None, (RECEIVED,)).record.a.id != first.a.id
