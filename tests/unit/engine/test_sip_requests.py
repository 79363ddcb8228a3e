"""Requests other than INVITE: answered here, unless the call has to."""

from __future__ import annotations

from typing import Any

import pytest

from maskline.engine import inputs as i
from maskline.engine.counters import EngineCounters
from maskline.engine.leg import Leg
from maskline.engine.sip_requests import take_request
from maskline.masking.facts import LegName
from maskline.sip import events as sip
from maskline.sip.events import Flow
from maskline.sip.message import Request
from maskline.sip.parser import parse

RELAY = ("application/dtmf-relay", b"Signal=5\r\n")


class Answers:
    """An agent that only writes down how it is to answer."""

    def __init__(self) -> None:
        self.given: list[int] = []

    def respond(self, key: object, status: int, now: float, **_: Any) -> None:
        self.given.append(status)


class Usage:
    def __init__(self, owner: object) -> None:
        self.owner = owner


LEG = Leg(LegName.B, "leg-b", inbound=False)


def request(method: str, kind: str = "", body: bytes = b"") -> Request:
    extra = f"Content-Type: {kind}\r\n" if kind else ""
    message = parse(
        f"{method} sip:b@203.0.113.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx\r\nFrom: <sip:a@b>;tag=1\r\n"
        f"To: <sip:c@d>;tag=2\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n{extra}Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    assert isinstance(message, Request)
    return message


def take(message: Request, usage: Usage | None, *, draining: bool = False) -> tuple[i.Input | None, list[int], int]:
    agent, counters = Answers(), EngineCounters()
    event = sip.RequestReceived("key", message, Flow("udp", "192.0.2.9", 5060), usage)  # type: ignore[arg-type]
    inp = take_request(event, agent, counters, 0.0, draining=draining)  # type: ignore[arg-type]
    return inp, agent.given, counters.dropped_info


@pytest.mark.parametrize(("draining", "status"), [(False, 200), (True, 503)])
def test_a_health_check_is_told_whether_calls_are_taken(draining: bool, status: int) -> None:
    assert take(request("OPTIONS"), None, draining=draining) == (None, [status], 0)


def test_what_asks_for_nothing_inside_a_leg_is_fine() -> None:
    assert take(request("MESSAGE"), Usage(LEG)) == (None, [200], 0)


def test_a_change_inside_a_leg_is_the_calls_to_answer_and_of_no_leg_there_is_none() -> None:
    assert take(request("INVITE", body=b"v=0"), Usage(LEG))[:2] == (i.Offered(LegName.B, "key", b"v=0", False, "1"), [])
    assert take(request("UPDATE"), Usage(LEG))[0] == i.Offered(LegName.B, "key", b"", True, "1")
    assert take(request("UPDATE"), Usage(None)) == (None, [481], 0)


def test_a_key_by_info_is_told_and_all_other_info_counted() -> None:
    assert take(request("INFO", *RELAY), Usage(LEG)) == (i.Digit(LegName.B, "5", by_info=True), [200], 0)
    assert take(request("INFO", *RELAY), Usage(None)) == (None, [200], 0)
    assert take(request("INFO"), Usage(LEG)) == (None, [200], 1)
