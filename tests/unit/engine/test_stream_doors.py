"""Which connections a trunk's requests may take, and under which name a peer is known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from maskline.engine.counters import EngineCounters
from maskline.engine.stream_doors import StreamDoors
from maskline.engine.trunk_book import TrunkBook
from maskline.engine.trunk_gate import TrunkGate
from maskline.ids import SeededIds
from maskline.masking.trunk import Trunk
from maskline.masking.trunk_state import TrunkState
from maskline.sip.agent import Agent, AgentConfig
from maskline.sip.flow import Flow
from maskline.sip.locate import Place

NAMED = "sip.carrier.example"
TRUNKS = (
    Trunk("1", "plain", None, "192.0.2.1", 5080, "tcp"),
    Trunk("2", "alias", None, "192.0.2.2", 5080, "tcp", alias=True),
    Trunk("3", "named", None, "192.0.2.3", 0, "tls", alias=True, tls_name="SIP.carrier.example"),
    Trunk("4", "networks", None, "192.0.2.4", 5080, "tcp", alias=True, sources=("198.51.100.0/24", "2001:db8::7")),
    Trunk("5", "looked up", None, "sip.b.example", 0, "tcp", alias=True, sources=("203.0.113.5",)),
    Trunk("6", "looked up, over TLS", None, "sip.c.example", 0, "tls", alias=True),
    Trunk("7", "either", None, "sip.d.example", 0, "auto", alias=True, sources=("203.0.113.7",)),
)
PLACES = {
    "5": (Place("tcp", 0, 1, 5080, ("203.0.113.5",)),),
    "6": (Place("tls", 0, 1, 5061, ("203.0.113.6", "203.0.113.16")),),
    "7": (Place("tls", 0, 1, 5061, ("203.0.113.7",)), Place("tcp", 1, 1, 5060, ("203.0.113.7",))),
}


def doors_of(trunks: tuple[Trunk, ...]) -> StreamDoors:
    state = TrunkState()
    for trunk_id, places in PLACES.items():
        state.locate(trunk_id, places)
    core: Any = SimpleNamespace(gate=TrunkGate(state, Agent(AgentConfig("203.0.113.1", 5060), SeededIds(1))))
    return StreamDoors(lambda: trunks, lambda: core, lambda *_: None, lambda *_: 0)


@pytest.fixture
def doors() -> StreamDoors:
    return StreamDoors(lambda: TRUNKS, lambda: None, lambda *_: None, lambda *_: 0)


@pytest.mark.parametrize(
    ("flow", "aliases"),
    [
        (Flow("tcp", "192.0.2.1", 41000), ()),
        (Flow("tcp", "192.0.2.2", 41000), (Flow("tcp", "192.0.2.2", 5080),)),
        (Flow("tls", "192.0.2.2", 41000), ()),
        (Flow("tls", "192.0.2.3", 41000), ()),
        (Flow("tls", "192.0.2.3", 41000, "other.example"), ()),
        (
            Flow("tls", "192.0.2.3", 41000, "sip.carrier.example"),
            (Flow("tls", "192.0.2.3", 5061, "SIP.carrier.example"),),
        ),
        # A proved name is enough from any address (decision 0057).
        (Flow("tls", "198.51.100.9", 41000, NAMED), (Flow("tls", "192.0.2.3", 5061, "SIP.carrier.example"),)),
        (Flow("tcp", "198.51.100.9", 41000), (Flow("tcp", "192.0.2.4", 5080),)),
        (Flow("tcp", "2001:db8::7", 41000), (Flow("tcp", "192.0.2.4", 5080),)),
        (Flow("tls", "198.51.100.9", 41000), ()),
        (Flow("tcp", "203.0.113.5", 41000), (Flow("tcp", "203.0.113.5", 5080),)),
        (Flow("tcp", "203.0.113.6", 41000), ()),
        (
            Flow("tls", "192.0.2.200", 41000, "sip.c.example"),
            (Flow("tls", "203.0.113.6", 5061, "sip.c.example"), Flow("tls", "203.0.113.16", 5061, "sip.c.example")),
        ),
        (Flow("tcp", "203.0.113.7", 41000), (Flow("tcp", "203.0.113.7", 5060),)),
        (Flow("tls", "203.0.113.7", 41000, "sip.d.example"), (Flow("tls", "203.0.113.7", 5061, "sip.d.example"),)),
    ],
)
def test_only_a_trunk_that_asks_gets_our_requests_on_its_connection(flow: Flow, aliases: tuple[Flow, ...]) -> None:
    assert doors_of(TRUNKS).aliases(flow) == aliases


def test_before_the_start_a_name_has_no_address(doors: StreamDoors) -> None:
    assert doors.aliases(Flow("tls", "192.0.2.200", 41000, "sip.c.example")) == ()


def test_a_peer_goes_by_the_name_a_trunk_must_have(doors: StreamDoors) -> None:
    assert doors.choose_name("192.0.2.3", ("a.example", "sip.carrier.example")) == "sip.carrier.example"
    assert doors.choose_name("192.0.2.3", ("a.example", "b.example")) == "a.example"


def test_before_the_start_nobody_may_connect_and_nobody_is_told(doors: StreamDoors) -> None:
    events = doors.events(lambda *_: None, lambda: None, lambda _: None)
    flow = Flow("tcp", "192.0.2.1", 41000)
    assert not events.admits(flow) and not events.may_prove(flow.host)
    events.on_closed(flow)
    events.on_failed(flow, "Connection refused")


def test_who_may_prove_a_name_is_let_into_the_handshake_unless_it_is_banned() -> None:
    core: Any = SimpleNamespace(trunks=TrunkBook(lambda: trunks, EngineCounters()))
    doors = StreamDoors(
        lambda: trunks, lambda: core, lambda *_: None, lambda *_: 0, lambda host: host == "198.51.100.66"
    )
    events = doors.events(lambda *_: None, lambda: None, lambda _: None)
    stranger = Flow("tls", "198.51.100.1", 41000)
    trunks = TRUNKS[:2]
    assert not events.admits(stranger) and not events.may_prove(stranger.host)
    trunks = (*TRUNKS[:2], Trunk("4", "anywhere", None, "192.0.2.4", 5061, "tls", tls_name="anywhere.example"))
    assert not events.admits(stranger) and events.may_prove(stranger.host)
    assert not events.may_prove("198.51.100.66")
    assert events.admits(stranger._replace(name="anywhere.example"))
    assert not events.admits(stranger._replace(name="else.example"))
