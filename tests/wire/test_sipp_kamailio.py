"""Debian's Kamailio in front, with Record-Route: calls come in through it and go out through it.

It relays inside a dialog by Route alone and refuses the rest, and SIPp notes who sent what: a request of ours that does
not go the way of its route set fails the call. RFC 3261 §12.2.1.1, §16.12.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.support.kamailio import HOST, Kamailio
from tests.support.sipp_field import Field, FieldCall, Way, callee_host, ended, until
from tests.support.sipp_script import message, sdp

pytestmark = pytest.mark.wire
SLOT = 5
"""Whose address the callee behind the proxy has; its number is of a range of the proxy's own."""


_ALL_VIAS = '<ereg regexp="Via:.*branch=[^[:cntrl:]]*" search_in="msg" assign_to="vias"/>'
"""An INVITE that came by a proxy has two, its CANCEL has one (RFC 3261 §9.1)."""


@pytest.fixture(scope="module")
def edge(field: Field, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kamailio]:
    if shutil.which("kamailio") is None:
        pytest.skip("kamailio is not installed (tools/apt-packages.txt)")
    folder: Path = tmp_path_factory.mktemp("edge")
    kamailio = Kamailio(folder, field.platform.sip_address, (callee_host(SLOT), field.ports[SLOT]))
    try:
        kamailio.wait_until_it_answers()
        field.cli("trunk", "add", "edge", "--host", HOST, "--port", str(kamailio.port), "--prefix", "+9188")
        yield kamailio
    finally:
        kamailio.close()


@pytest.fixture(scope="module")
def numbers() -> Iterator[int]:
    return count(1)


@pytest.fixture
def through(field: Field, edge: Kamailio, numbers: Iterator[int]) -> Iterator[Callable[[], FieldCall]]:
    """Makes a call whose caller and callee both are behind the proxy."""
    with ended() as made:

        def make() -> FieldCall:
            number = next(numbers)
            caller, callee = f"44770091{number:04d}", f"91880000{number:04d}"
            session = field.rest("POST", "", {"first_party": "+" + caller, "second_party": "+" + callee})
            made.append(field.dial(SLOT, Way(caller, callee, field.virtual), session["session_uuid"]))
            return made[-1]

        yield make


def run(call: FieldCall, edge: Kamailio) -> None:
    call.called.start()
    call.called.wait_until_bound()
    call.calling.start(f"{HOST}:{edge.port}")
    call.finish()


def came_by_the_proxy(call: FieldCall, *requests: str) -> None:
    for word in requests:
        for seen in (seen for seen in call.called.received + call.calling.received if seen.word == word):
            assert seen.header("Via").startswith(f"SIP/2.0/UDP {HOST}"), seen.text
            assert seen.header("Record-Route") or word != "INVITE"
            assert not seen.header("Route"), "the proxy took the last one off"


def test_a_call_comes_in_and_goes_out_through_the_proxy_and_the_caller_hangs_up(
    through: Callable[[], FieldCall], edge: Kamailio
) -> None:
    call = through()
    call.caller.invite().expect(180).answered().pause(0.2).hang_up()
    call.callee.invited().progress().answer().let_go()
    run(call, edge)
    assert call.called.heard == ["INVITE", "ACK", "BYE"]
    came_by_the_proxy(call, "INVITE", "ACK", "BYE")
    assert call.ended_as() == ("completed", "normal", "caller")


def test_the_callee_hangs_up_and_our_bye_finds_its_way_back(through: Callable[[], FieldCall], edge: Kamailio) -> None:
    call = through()
    call.caller.invite().expect(180).answered().expect("BYE").reply("200 OK")
    call.callee.invited().progress().answer().pause(0.3).hang_up()
    run(call, edge)
    assert call.calling.heard == ["180 INVITE", "200 INVITE", "BYE"]
    came_by_the_proxy(call, "INVITE", "ACK", "BYE")


def test_a_change_inside_the_call_goes_by_the_route_set(through: Callable[[], FieldCall], edge: Kamailio) -> None:
    call = through()
    caller = call.caller.invite().expect(180).answered().pause(0.1)
    moved = sdp(version=2, owner=call.caller_number).replace("[media_port]", "[media_port+10]")
    caller.request("INVITE", body=moved).expect(100, optional=True).answered().pause(0.1).hang_up()
    call.callee.invited().progress().answer().let_go()
    run(call, edge)
    assert [seen.word for seen in call.calling.received].count("200 INVITE") >= 2
    came_by_the_proxy(call, "INVITE", "ACK", "BYE")


def test_a_caller_that_gives_up_is_cancelled_through_the_proxy(
    through: Callable[[], FieldCall], edge: Kamailio
) -> None:
    """The proxy answers a CANCEL itself and sends its own (RFC 3261 §16.10), on both ways."""
    call = through()
    call.caller.invite().expect(180).cancel().expect(200).refused(487)
    callee = call.callee.invited()
    callee.steps[0] = callee.steps[0].replace("</action>", f"{_ALL_VIAS}</action>")
    callee.progress().expect("CANCEL").reply("200 OK")
    lines = ["[$vias]", "From:[$far]", f"To:[$near]{callee.tag}", "Call-ID: [call_id]", "CSeq:[$cseq]"]
    callee.send(message("SIP/2.0 487 Request Terminated", lines, "")).expect("ACK")
    run(call, edge)
    came_by_the_proxy(call, "INVITE", "CANCEL", "ACK")
    assert call.ended_as() == ("canceled", "canceled", "caller")
    until(lambda: not call.field.metrics()["maskline_calls_in_progress"], 5.0, "an engine without calls")


def test_a_refusal_comes_back_through_the_proxy(through: Callable[[], FieldCall], edge: Kamailio) -> None:
    call = through()
    call.caller.invite().expect(180).refused(486)
    call.callee.invited().progress().refuse("486 Busy Here")
    run(call, edge)
    assert call.calling.heard == ["180 INVITE", "486 INVITE"]
