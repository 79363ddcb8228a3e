"""State shared by the parts of one agent."""

from __future__ import annotations

from maskline.ids import SeededIds
from maskline.sip.agent_client import AgentClient
from maskline.sip.agent_server import AgentServer
from maskline.sip.build import AgentConfig
from maskline.sip.core import Core
from maskline.sip.invite_usage import InviteUsage
from tests.support.sip_wire import PEER


def test_a_usage_ends_once() -> None:
    core = Core(AgentConfig("192.0.2.1", 5060), SeededIds())
    usage = InviteUsage("tag", PEER, is_client=True)
    usage.unanswered = ["request of a server half that is not there"]
    core.usages["tag"] = usage
    core.end(usage, 0.0)
    core.end(usage, 0.0)
    assert (core.ended, usage.is_over, core.usages) == ([usage], True, {})


def test_a_timer_of_a_usage_that_is_gone_does_nothing() -> None:
    core = Core(AgentConfig("192.0.2.1", 5060), SeededIds())
    AgentServer(core, AgentClient(core)).fire("2xx", "gone", 1.0)
    assert (core.datagrams, core.events) == ([], [])
