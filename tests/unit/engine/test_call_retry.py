"""Somebody who could not be reached is tried at the next place, or where a 3xx of the same trunk leads."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.call_states import CallState
from maskline.engine.identity import elsewhere
from maskline.masking.decision import Forward
from maskline.masking.facts import Cause, HungUpBy, LegDialed, LegName, LegRedialed, Outcome
from maskline.masking.trunk import NumberFormat, Presentation, TrunkMedia, Way
from maskline.sip.flow import Flow
from maskline.sip.message import Response
from maskline.sip.parser import parse
from tests.support.call_machine import (
    A_SDP,
    B_SDP,
    CALLEE,
    CALLER,
    DIAL,
    LOCAL_A,
    LOCAL_B,
    TRUNK_A,
    TRUNK_B,
    Driven,
    forward,
    requested,
    start_flow,
)

A, B = LegName.A, LegName.B
OTHER = replace(TRUNK_B, id="other", host="198.51.100.3", nat=True)
WAYS = (
    Way(TRUNK_B, Flow("udp", "198.51.100.1", 5060)), Way(TRUNK_B, Flow("udp", "198.51.100.2", 5060)),
    Way(OTHER, Flow("udp", "198.51.100.3", 5080)),
)  # fmt: skip
BUSY_THERE, SILENT, DEAD = i.Failed(503), i.Failed(408, silent=True), i.Failed(503, network=True)


def dialled(ways: tuple[Way, ...] = WAYS) -> Driven:
    return Driven().dialled(replace(forward(), ways=ways))


def over(call: Driven) -> tuple[Outcome, Cause]:
    call.feed(i.MediaClosed({}), i.ByeDone(A), i.ByeDone(B))
    assert call.forgotten
    return call.record.outcome, call.record.cause


@pytest.mark.parametrize("failure", [BUSY_THERE, SILENT, DEAD])
def test_the_next_place_is_tried_and_the_caller_hears_nothing_of_it(failure: i.Failed) -> None:
    call = dialled()
    first = call.only(e.SendInvite)
    again, told = call.feed(failure)
    assert isinstance(again, e.SendInvite) and again == replace(first, target=WAYS[1].target)
    assert isinstance(told, e.Emit) and isinstance(told.fact, LegRedialed)
    assert (told.fact.trunk_id, told.fact.status) == ("trunk-b", failure.status)
    call.feed(i.Progressed(180, "fork"), i.Answered(B_SDP), i.AnswerMediaReady())
    assert call.call.state is CallState.TALKING


def test_after_the_addresses_of_a_trunk_comes_the_next_trunk_and_the_record_names_it() -> None:
    call = dialled()
    call.feed(BUSY_THERE, SILENT)
    assert call.call.media.leg(B).nat
    # One ring time-out counts over all tries.
    assert len(call.every(e.StartTimer)) == 1
    call.feed(i.Failed(486))
    assert over(call) == (Outcome.BUSY, Cause.BUSY)
    assert [leg.trunk_id for leg in call.record.legs] == ["trunk-a", "other"]
    assert sum(isinstance(fact, LegDialed) for fact in call.facts) == 1
    assert [fact.trunk_id for fact in call.facts if isinstance(fact, LegRedialed)] == ["trunk-b", "other"]


def test_nobody_waits_long_for_a_silent_place_while_there_is_another() -> None:
    call = dialled()
    call.feed(SILENT, SILENT)
    assert [effect.has_next for effect in call.every(e.SendInvite)] == [True, True, False]
    encrypted = Way(replace(OTHER, media=TrunkMedia.SRTP), WAYS[2].target)
    same = Way(OTHER, WAYS[0].target)
    assert [dialled((WAYS[0], other)).only(e.SendInvite).has_next for other in (encrypted, same)] == [False, False]


@pytest.mark.parametrize("ways", [(), WAYS[:1]])
def test_where_nothing_is_left_the_call_has_failed(ways: tuple[Way, ...]) -> None:
    call = dialled(ways)
    call.feed(BUSY_THERE)
    assert over(call) == (Outcome.FAILED, Cause.CONGESTION)


@pytest.mark.parametrize("failure", [i.Failed(486), i.Failed(408), i.Failed(404), i.Failed(500), i.Failed(603)])
def test_what_somebody_there_has_decided_is_final(failure: i.Failed) -> None:
    call = dialled()
    call.feed(failure)
    assert len(call.every(e.SendInvite)) == 1 and call.call.state is CallState.ENDING


def test_what_rang_is_not_tried_elsewhere() -> None:
    call = dialled().feed(i.Progressed(183, "fork"), BUSY_THERE)
    assert not any(isinstance(effect, e.SendInvite) for effect in call)


def test_a_place_that_needs_another_kind_of_media_is_left_out() -> None:
    encrypted = Way(replace(OTHER, media=TrunkMedia.SRTP), WAYS[2].target)
    call = dialled((WAYS[0], encrypted))
    call.feed(BUSY_THERE)
    assert len(call.every(e.SendInvite)) == 1


def test_a_place_of_the_other_address_family_is_left_out_where_media_have_an_address() -> None:
    elsewhere = Way(OTHER, Flow("udp", "2001:db8::2", 5060))
    call = dialled((WAYS[0], elsewhere, WAYS[1]))
    call.feed(BUSY_THERE)
    assert call.every(e.SendInvite)[-1].target == WAYS[1].target
    trunk = replace(FOLLOWING, sources=("2001:db8::/64",))
    decision = replace(forward(trunk), ways=(Way(trunk, Flow("udp", "192.0.2.21", 5060)),))
    assert redirected(i.Elsewhere("+6583334444", "2001:db8::9", 0), decision=decision) == []


def test_without_relay_every_place_is_tried() -> None:
    ways = (WAYS[0], Way(OTHER, Flow("udp", "2001:db8::2", 5060)))
    call = Driven(relay=False).dialled(replace(forward(), ways=ways))
    call.feed(BUSY_THERE)
    assert call.every(e.SendInvite)[-1].target == ways[1].target


def test_a_caller_that_gives_up_between_two_tries_cancels_the_second() -> None:
    call = dialled()
    call.feed(BUSY_THERE)
    assert e.Cancel(B) in call.feed(i.Cancelled())


def test_the_first_party_of_a_requested_call_is_tried_elsewhere_too_and_then_the_second() -> None:
    call = Driven(inbound=False)
    start = requested()
    start = replace(start, ways=WAYS, forward=replace(start.forward, ways=WAYS))
    call.feed(i.Requested(start), i.MediaOpened(LOCAL_A, None), i.Failed(503, leg=A))
    again = call.every(e.SendInvite)[-1]
    assert (again.leg, again.callee, again.target) == (A, CALLER, WAYS[1].target)
    call.feed(i.Answered(A_SDP, A), i.AnswerMediaReady(), i.MediaOpened(LOCAL_A, LOCAL_B), BUSY_THERE)
    again = call.every(e.SendInvite)[-1]
    assert (again.leg, again.callee, again.target) == (B, CALLEE, WAYS[1].target)
    call = Driven(inbound=False)
    call.feed(i.Requested(start), i.MediaOpened(LOCAL_A, None), i.Progressed(183, "fork", leg=A), i.Failed(503, leg=A))
    assert len(call.every(e.SendInvite)) == 1


# -- 3xx ----------------------------------------------------------------------------------------------------------

FOLLOWING = replace(TRUNK_B, redirects=True, sources=("203.0.113.64/28",))
THERE = i.Elsewhere("+6583334444", "203.0.113.70", 5070)


def redirected(*contacts: i.Elsewhere, status: int = 302, decision: Forward | None = None) -> list[e.SendInvite]:
    way = decision or replace(forward(FOLLOWING), ways=(Way(FOLLOWING, Flow("udp", "192.0.2.21", 5060)),))
    call = Driven().dialled(way)
    call.feed(i.Failed(status, contacts=contacts))
    return call.every(e.SendInvite)[1:]


@pytest.mark.parametrize("status", [300, 301, 302])
def test_the_same_number_at_another_address_of_the_trunk_is_dialled(status: int) -> None:
    stranger = i.Elsewhere("+6599990000", "203.0.113.70", 0)
    (again,) = redirected(stranger, THERE, status=status)
    assert (again.callee, again.target) == (CALLEE, Flow("udp", "203.0.113.70", 5070))
    assert again.moved
    (again,) = redirected(i.Elsewhere("+6583334444", "192.0.2.20", 0))
    assert again.target == Flow("udp", "192.0.2.20", 5060)
    (again,) = redirected(i.Elsewhere("+6583334444", "192.0.2.21", 5099))
    assert again.target == Flow("udp", "192.0.2.21", 5099)


@pytest.mark.parametrize(
    "contact",
    [
        i.Elsewhere("+6599990000", "203.0.113.70", 5070), i.Elsewhere("+6583334444", "203.0.113.80", 5070),
        i.Elsewhere("+6583334444", "carrier.example", 5060), i.Elsewhere("+6583334444", "192.0.2.21", 5060),
    ],
)  # fmt: skip
def test_nobody_else_and_nowhere_else_is_dialled(contact: i.Elsewhere) -> None:
    assert redirected(contact) == []


@pytest.mark.parametrize("transport", ["udp", "auto"])
@pytest.mark.parametrize("user", ["983334444", "83334444", "+6583334444", "6583334444"])
def test_a_contact_in_the_trunks_own_way_of_writing_is_followed(user: str, transport: str) -> None:
    how = Presentation(number_format=NumberFormat.NATIONAL, country_code="+65", dial_prefix="9")
    trunk = replace(FOLLOWING, presentation=how, transport=transport)
    decision = replace(forward(trunk), ways=(Way(trunk, Flow("tcp", "192.0.2.21", 5060)),))
    (again,) = redirected(i.Elsewhere(user, "203.0.113.70", 0), decision=decision)
    assert (again.callee, again.target) == (CALLEE, Flow("tcp", "203.0.113.70", 5060))


@pytest.mark.parametrize(
    ("here", "asked", "expected"),
    [
        ("udp", "tcp", Flow("tcp", "203.0.113.70", 5060)), ("tcp", "udp", Flow("udp", "203.0.113.70", 5060)),
        ("tls", "tls", Flow("tls", "203.0.113.70", 5061)), ("tls", "", Flow("tls", "203.0.113.70", 5061)),
        ("udp", "tls", None), ("tls", "tcp", None), ("tls", "udp", None), ("udp", "sctp", None), ("tcp", "ws", None),
    ],
)  # fmt: skip
def test_the_transport_that_a_contact_asks_for_is_used_unless_it_gives_up_tls(
    here: str, asked: str, expected: Flow | None
) -> None:
    decision = replace(forward(FOLLOWING), ways=(Way(FOLLOWING, Flow(here, "192.0.2.21", 5060)),))
    sent = redirected(replace(THERE, port=0, transport=asked), decision=decision)
    assert [again.target for again in sent] == ([expected] if expected else [])


@pytest.mark.parametrize("status", [305, 380])
def test_a_proxy_or_another_service_is_not_followed(status: int) -> None:
    assert redirected(THERE, status=status) == []


def test_a_trunk_whose_redirects_do_not_count_is_not_followed() -> None:
    call = Driven().dialled()
    call.feed(i.Failed(302, contacts=(replace(THERE, host="192.0.2.20", port=5099),)))
    assert over(call) == (Outcome.FAILED, Cause.REDIRECTED)


def test_two_redirects_are_followed_and_then_no_more() -> None:
    call = Driven().dialled(forward(FOLLOWING))
    for port in (5070, 5071, 5072):
        call.feed(i.Failed(302, contacts=(replace(THERE, port=port),)))
    assert [sent.target.port for sent in call.every(e.SendInvite)[1:] if sent.target] == [5070, 5071]
    assert over(call) == (Outcome.FAILED, Cause.REDIRECTED)


def test_whom_a_call_flow_calls_first_is_followed_too() -> None:
    call = Driven(inbound=False)
    start = start_flow(DIAL)
    first = replace(start.flow.steps[0], trunk=replace(TRUNK_A, redirects=True))  # type: ignore[type-var]
    call.feed(i.FlowRequested(replace(start, flow=replace(start.flow, steps=(first,)))), i.MediaOpened(LOCAL_A, None))
    call.feed(i.Failed(302, leg=A, contacts=(i.Elsewhere(CALLER.e164, "192.0.2.10", 5099),)))
    again = call.every(e.SendInvite)[-1]
    assert (again.leg, again.target) == (A, Flow("udp", "192.0.2.10", 5099))


def moved(*contacts: str) -> Response:
    lines = "".join(f"Contact: {contact}\r\n" for contact in contacts)
    response = parse(
        (
            "SIP/2.0 302 Moved\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n"
            f"To: <sip:b@h>;tag=2\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n{lines}Content-Length: 0\r\n\r\n"
        ).encode()
    )
    assert isinstance(response, Response)
    return response


@pytest.mark.parametrize(
    ("contact", "user"),
    [
        ("<sip:83334444;phone-context=+65@198.51.100.9>", ["+6583334444"]),
        ("<sip:6583334444;phone-context=+1@198.51.100.9>", ["+16583334444"]),
        ("<sip:6583334444;phone-context=other.example@198.51.100.9>", []),
        ("sip:6583334444@198.51.100.9;phone-context=+1", ["+16583334444"]),
    ],
)
def test_a_contact_of_a_3xx_is_of_where_its_context_says(contact: str, user: list[str]) -> None:
    assert [place.user for place in elsewhere(moved(contact))] == user


def test_contacts_of_a_3xx_are_tried_in_the_order_of_their_q() -> None:
    values = ("", ";q=0.5", ";q=1.1", ";q=1.000", ";q=0.75", ";Q=0.9", ";q=high", ";q=0", ";q=-1", ";q")
    response = moved(*[f"<sip:+6583334444@192.0.2.{at}>{q}" for at, q in enumerate(values)])
    ends = [int(place.host.rpartition(".")[2]) for place in elsewhere(response)]
    assert ends == [0, 3, 5, 4, 1, 2, 6, 7, 8, 9]


def test_contacts_of_a_3xx_are_read_as_numbers_and_addresses() -> None:
    response = moved(
        "<sip:+6583334444@192.0.2.20:5099;transport=TCP>;q=1.0, <sip:bob@192.0.2.20>",
        "<tel:+6583334444>, <<>, <sip:6583334444@192.0.2.21>",
    )
    assert elsewhere(response) == (
        i.Elsewhere("+6583334444", "192.0.2.20", 5099, "tcp"), i.Elsewhere("bob", "192.0.2.20", 0),
        i.Elsewhere("6583334444", "192.0.2.21", 0),
    )  # fmt: skip
    assert "6583334444" not in repr(elsewhere(response))


FULL = i.Failed(503, full=True)


def test_the_other_addresses_of_a_full_trunk_are_left_out() -> None:
    call = dialled()
    call.feed(FULL)
    assert [effect.trunk for effect in call.every(e.SendInvite)] == [TRUNK_B, OTHER]


def test_a_call_whose_last_trunk_is_full_says_so() -> None:
    call = dialled()
    call.feed(BUSY_THERE, BUSY_THERE, FULL)
    assert over(call) == (Outcome.FAILED, Cause.TRUNK_FULL)
    assert call.record.hung_up_by is HungUpBy.PLATFORM
