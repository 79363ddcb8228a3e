"""engine.trunk_settled, with the real router: two tenants whose calls come from one carrier's address."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Self

import pytest
import pytest_asyncio

from maskline.clock import VirtualClock
from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.core import EngineConfig, EngineCore
from maskline.engine.ports import Incoming
from maskline.ids import SeededIds
from maskline.masking.decision import Refuse
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause, LegName
from maskline.masking.trunk import NumberFormat, Presentation, Trunk, TrunkLimits
from maskline.sip.agent import Agent, AgentConfig
from maskline.sip.digest import authorization, parse_challenges
from maskline.sip.parser import parse
from maskline.workflows.route_call import RouteCall
from tests.support.api_world import World
from tests.support.sip_wire import PEER, SDP, request

OF_A, OF_B, CALLER = "6531580011", "6531580012", Number("6591110001")
A = Trunk("ta", "a", None, PEER.host, PEER.port)
B = replace(A, id="tb", name="b")


class Site(World):
    async def build(self) -> Self:
        await self.store.open()
        one, two = await self.account(), await self.account("Tenant")
        await self.number(one, f"+{OF_A}")
        await self.number(two, f"+{OF_B}")
        self.a, self.b = replace(A, account_id=one.id), replace(B, account_id=two.id)
        self.router = RouteCall(self.store, self.clock)
        return self


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Site]:
    yield await Site().build()


class Door:
    """One engine with these trunks."""

    def __init__(self, site: Site, *trunks: Trunk) -> None:
        self.site = site
        self.sip = Agent(AgentConfig("192.0.2.1", 5060), SeededIds(1))
        config = EngineConfig("192.0.2.1", "mine", relay=False)
        self.core = EngineCore(config, self.sip, SeededIds(2), VirtualClock(), lambda: trunks)

    async def call(self, number: str, mark: str = "1", headers: str = "", method: str = "INVITE") -> list[int]:
        """Statuses; the answer of the router is delivered."""
        return [message.status for message in await self.answers(number, mark, headers, method)]  # type: ignore[attr-defined]

    async def answers(self, number: str, mark: str, headers: str = "", method: str = "INVITE") -> list[object]:
        data = request(method, branch=f"b{mark}", call_id=f"c{mark}", body=SDP, headers=headers)
        self.core.receive(data.replace(b"+15550100", _dialled(number)), PEER, 0.0)
        for call_id, effect in self.core.work():
            if isinstance(effect, e.Route):
                incoming = Incoming(call_id, effect.leg_id, False, effect.others)
                decision = await self.site.router.route(
                    effect.caller, effect.called, effect.trunk, self.site.clock.wall(), incoming
                )
                assert isinstance(decision, Refuse)
                self.cause = decision.cause
                self.core.deliver(call_id, i.Refused(decision), 0.0)
        return [parse(data) for data, _ in self.core.datagrams()]

    def came_by(self) -> str:
        """The trunk of the newest record."""
        records = [commit.record for commit in self.core.commits() if commit.record is not None]
        self.record = records[-1]
        return self.record.leg(LegName.A).trunk_id


async def test_each_tenants_number_is_reached_by_its_own_trunk_of_one_address(site: Site) -> None:
    door = Door(site, site.a, site.b)
    for mark, number, trunk in (("1", OF_A, "ta"), ("2", OF_B, "tb")):
        assert (await door.call(number, mark))[-1] == 404
        assert door.cause is Cause.UNKNOWN_CALLER, "the number was found"
        assert door.came_by() == trunk


async def test_a_shared_trunk_is_taken_after_the_own_one(site: Site) -> None:
    shared = replace(A, id="ts", name="s")
    door = Door(site, shared, site.a)
    await door.call(OF_A, "1")
    assert door.came_by() == "ta"
    await door.call(OF_B, "2")
    assert (door.cause, door.came_by()) == (Cause.UNKNOWN_CALLER, "ts")


async def test_a_number_is_not_reached_by_the_trunk_of_another_tenant_alone(site: Site) -> None:
    door = Door(site, site.a)
    assert (await door.call(OF_B))[-1] == 404
    assert door.cause is Cause.UNKNOWN_NUMBER


async def test_the_limits_are_those_of_the_trunk_chosen(site: Site) -> None:
    full = replace(site.b, limits=TrunkLimits(calls_per_second=1.0))
    door = Door(site, site.a, full)
    while door.core.gate.has_room(full, 0.0):
        assert door.core.gate.take("x", LegName.A, full, 0.0)
        door.core.gate.leave("x")
    assert (await door.call(OF_A))[-1] == 404
    assert door.cause is Cause.UNKNOWN_CALLER
    alone = Door(site, full)
    while alone.core.gate.take("y", LegName.A, full, 0.0):
        alone.core.gate.leave("y")
    assert [(answer.status, answer.retry_after) for answer in await alone.answers(OF_B, "1")] == [(100, None), (503, 5)]  # type: ignore[attr-defined]


async def test_the_user_name_of_the_digest_says_whose_call_it_is(site: Site) -> None:
    one = replace(site.a, username="one", password="p", challenge=True)
    two = replace(site.b, username="two", password="q", challenge=True)
    door = Door(site, one, two)

    async def prove(trunk: Trunk, number: str, mark: str) -> int:
        (refusal,) = await door.answers(number, f"{mark}0")
        challenge = parse_challenges(refusal.headers["www-authenticate"])[0]  # type: ignore[attr-defined]
        credentials = door.core.trunks.who_must_prove(PEER)[0 if trunk is one else 1]
        assert credentials is not None
        value = authorization(
            credentials, challenge, method="INVITE", uri=f"sip:+{number}@192.0.2.1", nc=1, cnonce="c", body=SDP
        )
        return (await door.call(number, f"{mark}1", f"Authorization: {value}\r\n"))[-1]

    assert await prove(two, OF_B, "1") == 404
    assert (door.cause, door.came_by()) == (Cause.UNKNOWN_CALLER, "tb")
    assert await prove(one, OF_A, "2") == 404
    assert (door.cause, door.came_by()) == (Cause.UNKNOWN_CALLER, "ta")
    assert await prove(one, OF_B, "3") == 404
    assert door.cause is Cause.UNKNOWN_NUMBER, "the number of a tenant is out of reach of the other's password"


def _dialled(number: str) -> bytes:
    return number.encode() if number[0] == "0" else f"+{number}".encode()


class Abroad(Site):
    """One tenant's carrier writes British numbers as they are dialled there, the other's Swiss ones."""

    async def build(self) -> Self:
        await super().build()
        british = Presentation(number_format=NumberFormat.NATIONAL, country_code="+44")
        swiss = replace(british, country_code="+41")
        self.a, self.b = replace(self.a, presentation=british), replace(self.b, presentation=swiss)
        return self


def from_(number: str) -> str:
    return f"P-Asserted-Identity: <sip:{number}@carrier>\r\n"


@pytest.mark.parametrize("turned", [False, True])
async def test_each_trunk_of_one_address_reads_numbers_as_it_writes_them(turned: bool) -> None:
    site = await Abroad().build()
    (one, two) = await site.store.accounts()
    await site.number(two if two.id == site.b.account_id else one, "+41791234567")
    door = Door(site, *((site.b, site.a) if turned else (site.a, site.b)))
    assert (await door.call("0791234567", "1", from_("0781112233")))[-1] == 404
    assert (door.cause, door.came_by()) == (Cause.UNKNOWN_CALLER, "tb")
    assert door.record.leg(LegName.A).source == Number("41781112233"), (
        "as their carrier writes, wherever the first one is at home"
    )
    assert door.record.virtual_number == Number("41791234567")


@pytest.mark.parametrize("turned", [False, True])
async def test_what_two_tenants_trunks_read_as_a_number_of_each_calls_nobody(turned: bool) -> None:
    site = await Abroad().build()
    (one, two) = sorted(await site.store.accounts(), key=lambda account: account.id != site.a.account_id)
    await site.number(one, "+442079460011")
    await site.number(two, "+412079460011")
    door = Door(site, *((site.b, site.a) if turned else (site.a, site.b)))
    assert (await door.call("02079460011"))[-1] == 404
    assert door.cause is Cause.UNKNOWN_NUMBER


async def test_a_caller_that_the_own_and_a_shared_trunk_read_as_two_persons_calls_nobody() -> None:
    site = await Abroad().build()
    door = Door(site, site.a, replace(site.b, id="ts", account_id=None))
    assert (await door.call(OF_A, "1", from_("0781112233")))[-1] == 404
    assert door.cause is Cause.UNKNOWN_NUMBER
    await door.call(OF_A, "2", from_("+41781112233"))
    assert (door.cause, door.came_by()) == (Cause.UNKNOWN_CALLER, "ta")


async def test_a_trunk_that_cannot_have_written_the_number_has_no_say() -> None:
    site = await Abroad().build()
    open_trunk = replace(site.b, presentation=Presentation())
    door = Door(site, open_trunk, site.a)
    (one, *_) = sorted(await site.store.accounts(), key=lambda account: account.id != site.a.account_id)
    await site.number(one, "+447911123456")
    await door.call("07911123456", "1")
    assert (door.cause, door.came_by()) == (Cause.UNKNOWN_CALLER, "ta")
