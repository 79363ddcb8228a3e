"""How a call finds its way when it is no plain session of two parties on one number, between two SIPps: a number for
each party, a single party that anyone reaches, a number's fallback, and numbers with PINs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.sipp_field import Field, FieldCall, Way, ended, until

pytestmark = pytest.mark.wire
Dial = Callable[..., FieldCall]


def person(slot: int, number: int) -> str:
    """Digits of somebody whose carrier is that slot's; no other test's numbers."""
    return f"9199000{slot}9{number:03d}"


@pytest.fixture
def dial(field: Field) -> Iterator[Dial]:
    with ended() as made:

        def make(slot: int, caller: str, callee: str, dialled: str, session_id: str = "") -> FieldCall:
            made.append(field.dial(slot, Way(caller, callee, dialled), session_id))
            return made[-1]

        yield make


def account_with(field: Field, pool: str, *numbers: tuple[str, ...]) -> dict[str, Any]:
    """An account of its own; each number with options of `number add`."""
    made: dict[str, Any] = field.cli("account", "create", pool, "--country", "anywhere")
    field.cli("account", "set", made["auth_id"], "--pool", pool)
    for number, *options in numbers:
        field.cli("number", "add", "+" + number, "--account", made["auth_id"], *options)
    return made


def talk(call: FieldCall, shown: str) -> None:
    """A short call in which the callee sees `shown`."""
    call.caller.invite().expect(180).answered().pause(0.1).hang_up()
    call.callee.invited().progress().answer().let_go()
    call.run()
    assert call.called.heard == ["INVITE", "ACK", "BYE"]
    invite = call.called.got("INVITE")
    assert f"<sip:+{shown}@" in invite.header("From")
    assert f"<sip:+{shown}@" in invite.header("P-Asserted-Identity")


def last_call(field: Field, account: dict[str, Any], calls: int) -> dict[str, Any]:
    """The newest of so many records, with its facts."""

    def all_written() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = field.cli("call", "list", "--account", account["auth_id"])["calls"]
        return found if len(found) == calls else []

    shown: dict[str, Any] = field.cli("call", "show", until(all_written, what="the records")[0]["call_id"])
    return shown


def assert_charged(field: Field, account: dict[str, Any], call: FieldCall) -> None:
    """Both legs, the interaction and the session's totals say the same."""
    inbound, outbound = call.record()["legs"]
    assert (inbound["billed_duration"], inbound["amount"]) == (1, "0.06000")
    assert (outbound["billed_duration"], outbound["amount"]) == (1, "1.00000")
    shown = field.cli("session", "show", call.session_id)
    assert [one["amount"] for one in shown["interactions"]] == ["1.06000"] == [shown["total_session_amount"]]


@pytest.mark.row("6.1/registered party", "6.1/two flows")
def test_with_a_number_for_each_party_both_call_and_see_only_their_own(field: Field, dial: Dial) -> None:
    numbers = ("18005550101", "18005550102")
    account = account_with(field, "split", *((number,) for number in numbers))
    alice, bob, carol = person(0, 1), person(1, 1), person(2, 1)
    # Bob holds the first number with Carol already, so that he and Alice have two between them.
    body = {"first_party": "+" + carol, "second_party": "+" + bob}
    field.rest("POST", "", body, account)
    session = field.rest("POST", "", {"first_party": "+" + alice, "second_party": "+" + bob}, account)
    # 1 for the leg to Bob, 0.06 a second for the call of Alice, whatever their trunks.
    field.cli(
        "price", "set", "--direction", "outbound", "--prefix", "+" + bob, "--per-minute", "0", "--connection", "1"
    )
    field.cli("price", "set", "--direction", "inbound", "--prefix", "+" + numbers[0], "--per-minute", "3.6")
    first, second = numbers
    there = dial(1, alice, bob, first, session["session_uuid"])
    talk(there, second)
    assert not [seen for seen in there.called.received if first in seen.text], "the caller's own number"
    assert there.ended_as() == ("completed", "normal", "caller")
    assert_charged(field, account, there)
    back = dial(0, bob, alice, second, session["session_uuid"])
    talk(back, first)
    assert not [seen for seen in back.called.received if second in seen.text]


@pytest.mark.row("6.3/PIN off", "6.3/registered party calls back")
def test_anyone_reaches_a_single_party_who_calls_back(field: Field, dial: Dial) -> None:
    number = "18005550103"
    account = account_with(field, "shared", (number,))
    driver, customer = person(0, 2), person(2, 2)
    body = {"first_party": "+" + driver, "create_session_with_single_party": True}
    session = field.rest("POST", "", body, account)
    talk(dial(0, customer, driver, number, session["session_uuid"]), number)
    until(lambda: field.cli("call", "list", "--account", account["auth_id"])["calls"], what="the record")
    talk(dial(2, driver, customer, number, session["session_uuid"]), number)
    routed = next(fact for fact in last_call(field, account, 2)["facts"] if fact["name"] == "CallRouted")
    assert routed["details"]["matched_by"] == "party"


@pytest.mark.row("6.1/no active session")
def test_a_call_of_no_session_goes_to_the_numbers_fallback(field: Field, dial: Dial) -> None:
    number, desk, stranger = "18005550104", person(3, 3), person(2, 3)
    account = account_with(field, "shared", (number, "--fallback", "+" + desk))
    talk(dial(3, stranger, desk, number), number)
    record = last_call(field, account, 1)
    assert (record["session_id"], record["outcome"]) == (None, "completed")


@pytest.mark.row("6.1/unknown caller, PIN auth on")
def test_a_number_with_pins_answers_whoever_calls_and_rings_nobody(field: Field, dial: Dial) -> None:
    number, alice, bob = "18005550105", person(0, 4), person(1, 4)
    account = account_with(field, "pin", (number, "--pin"))
    field.rest("POST", "", {"first_party": "+" + alice, "second_party": "+" + bob}, account)
    call = dial(1, alice, bob, number)
    call.caller.invite().answered().pause(0.2).hang_up()
    call.run()
    facts = [fact["name"] for fact in last_call(field, account, 1)["facts"]]
    assert facts[:2] == ["CallReceived", "LegAnswered"]
    assert "LegDialed" not in facts
