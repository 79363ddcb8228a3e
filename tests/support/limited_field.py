"""A platform whose accounts have limits, and a carrier with all their parties, for tests/wire/test_limited_calls.py.

What it is: one `maskline serve` without media, provisioned before it starts so that nothing has to be waited for, the
operator's inbox, and calls as a carrier sees them: the final status of who calls, the numbers that rang. What it is
not: scenarios, or telephones with sound (`rig.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maskline.lab.inbox import Inbox
from maskline.lab.platform import Platform
from maskline.masking.e164 import parse_number
from maskline.masking.price import Direction
from maskline.masking.session import SessionOptions
from maskline.services import Services
from maskline.sip.agent import OutgoingInvite
from maskline.sip.events import ByeFinished, ByeReceived, Event, InviteAnswered, InviteFailed, InviteReceived
from maskline.sip.invite_usage import InviteUsage
from maskline.sip.uri import bracketed
from maskline.workflows.add_number import add_number
from maskline.workflows.add_trunk import TrunkWish, add_trunk
from maskline.workflows.create_account import create_account
from maskline.workflows.create_session import CreateSession, SessionWish
from maskline.workflows.scope import Scope
from maskline.workflows.set_limits import LimitsWish, set_limits
from maskline.workflows.set_price import PriceWish, set_price
from tests.support.platform_commands import typed
from tests.support.platform_store import services_of
from tests.support.udp_phone import UdpPhone
from tests.support.waiting import until

HOST = "127.0.0.1"
OPERATOR = "/operator"
SELDOM = 0.001
"""Calls a second: one, and the next after a quarter of an hour."""
WIDE, NARROW, SLOW, DEAR = "+919900", "+919977", "+919966", "+919988"
"""Callees: any, those whose trunk takes one call at a time or seldom one, and those whose connection costs 1."""
SDP = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n"
    b"a=rtpmap:0 PCMU/8000\r\n"
)


@dataclass
class Couple:
    caller: str
    callee: str
    virtual: str = ""
    session_id: str = ""


@dataclass
class Plan:
    """An account: what it may, and who is to talk. Limits are set once its sessions are made."""

    wish: dict[str, Any]
    couples: int = 3
    callee: str = WIDE
    """What their numbers begin with, or a whole number of the only one."""
    second_number: bool = False
    """For the last couple, which has the caller of the one before."""


class Tenant:
    """A plan that is provisioned."""

    def __init__(self, account_id: str, token: str, couples: Sequence[Couple]) -> None:
        self.id, self.token, self.couples = account_id, token, couples


class Call:
    """As its caller sees it."""

    def __init__(self, usage: InviteUsage) -> None:
        self.usage = usage
        self.talks = False
        self.status = 0
        """Final status of the INVITE."""
        self.over = False


class Exchange:
    """The carrier: everybody's telephone is behind its one socket. Who is called answers at once."""

    def __init__(self) -> None:
        self.phone = UdpPhone(self._on_event)
        self.rang: list[str] = []
        """Numbers, in the order in which they were called."""
        self.let_go = 0
        """Calls that who was called is out of again."""
        self._calls: list[Call] = []

    def dial(self, couple: Couple, platform: tuple[str, int]) -> Call:
        where = f"{bracketed(HOST)}:{platform[1]}"
        invite = OutgoingInvite(
            flow=self.phone.flow._replace(port=platform[1]), request_uri=f"sip:{couple.virtual}@{where}",
            from_uri=f"sip:{couple.caller}@{HOST}", to_uri=f"sip:{couple.virtual}@{where}", body=SDP,
        )  # fmt: skip
        call = Call(self.phone.do(lambda now: self.phone.agent.invite(invite, now)))
        self._calls.append(call)
        return call

    def hang_up(self, call: Call) -> None:
        self.phone.do(lambda now: self.phone.agent.bye(call.usage, now))

    def _on_event(self, phone: UdpPhone, event: Event, now: float) -> None:
        if isinstance(event, InviteReceived):
            self.rang.append(event.request.uri_text.partition(":")[2].partition("@")[0])
            phone.agent.progress(event.usage, 180, now)
            phone.agent.answer(event.usage, now, SDP)
            return
        call = next((one for one in self._calls if one.usage is getattr(event, "usage", None)), None)
        if call is None:
            self.let_go += isinstance(event, ByeReceived)
            return
        if isinstance(event, InviteAnswered):
            phone.agent.ack(event.usage, now)
            call.talks, call.status = True, 200
        elif isinstance(event, InviteFailed):
            call.status, call.over = event.status, True
        elif isinstance(event, ByeReceived | ByeFinished):
            call.talks, call.over = False, True


@dataclass
class LimitedField:
    folder: Path
    tenants: dict[str, Tenant] = field(default_factory=dict)

    async def open(self, plans: dict[str, Plan]) -> None:
        self.inbox, self.exchange = Inbox(HOST), Exchange()
        await self.inbox.open()
        self.platform = Platform(
            self.folder, HOST, MASKLINE_MEDIA="none", MASKLINE_OPERATOR_WEBHOOK=self.inbox.url(OPERATOR)
        )
        async with services_of(self.platform) as services:
            await self._trunks(services)
            for index, (name, plan) in enumerate(plans.items()):
                self.tenants[name] = await _tenant(services, index, name, plan)
        await self.platform.start()

    async def close(self) -> None:
        self.exchange.phone.close()
        await self.inbox.close()
        await asyncio.to_thread(self.platform.stop)

    async def restart(self) -> None:
        await asyncio.to_thread(self.platform.stop, calls_may_end=False)
        await self.platform.start()

    async def _trunks(self, services: Services) -> None:
        flow = self.exchange.phone.flow
        for wish in (
            TrunkWish("wide", HOST, flow.port, prefixes=(WIDE, DEAR, "+44", "+88")),
            TrunkWish("narrow", HOST, flow.port, prefixes=(NARROW,), concurrent=1),
            TrunkWish("slow", HOST, flow.port, prefixes=(SLOW,), calls_per_second=SELDOM),
        ):
            await add_trunk(services.store, services.clock, services.ids, wish)
        await set_price(services.store, services.ids, PriceWish(Direction.OUTBOUND, None, DEAR, "0", "1"))

    # -- calls --------------------------------------------------------------------------------------------------

    def dial(self, couple: Couple) -> Call:
        return self.exchange.dial(couple, self.platform.sip_address)

    async def dialled(self, couple: Couple) -> Call:
        """A call with its final answer."""
        call = self.dial(couple)
        await until(lambda: call.status, what="an answer", pause=0.005)
        return call

    async def talk(self, couple: Couple) -> Call:
        """A call that was answered and goes on."""
        rang = len(self.exchange.rang)
        call = await self.dialled(couple)
        assert call.status == 200
        assert self.exchange.rang[rang:] == [couple.callee]
        return call

    async def finish(self, call: Call) -> None:
        """Hung up, on both sides."""
        let_go = self.exchange.let_go
        self.exchange.hang_up(call)
        await until(lambda: call.over and self.exchange.let_go > let_go, what="the end")

    async def refused(self, couple: Couple) -> int:
        """The status that the caller gets; nobody rings."""
        rang = len(self.exchange.rang)
        call = await self.dialled(couple)
        assert call.over, "it was answered"
        assert self.exchange.rang[rang:] == []
        return call.status

    async def answered_in_the_end(self, couple: Couple) -> None:
        """Called again until it is: a change is taken up within a second."""
        async with asyncio.timeout(30):
            while True:
                call = await self.dialled(couple)
                if call.status == 200:
                    break
                await asyncio.sleep(0.2)
        await self.finish(call)

    # -- what is told ---------------------------------------------------------------------------------------------

    async def cli(self, *arguments: str) -> Any:
        return await asyncio.to_thread(typed, self.platform, *arguments)

    async def records(self, tenant: Tenant, wanted: int) -> list[dict[str, Any]]:
        """The account's, newest first, once there are so many of them."""
        found: list[dict[str, Any]] = []
        async with asyncio.timeout(30):
            while len(found) < wanted:
                await asyncio.sleep(0.05)
                found = (await self.cli("call", "list", "--account", tenant.id, "--limit", "100"))["calls"]
        assert len(found) == wanted
        return found

    async def causes(self, tenant: Tenant, wanted: int) -> list[tuple[str, str]]:
        """Outcomes and causes of so many calls of the account, sorted."""
        return sorted((one["outcome"], one["cause"]) for one in await self.records(tenant, wanted))

    async def facts(self, call_id: str) -> list[str]:
        return [fact["name"] for fact in (await self.cli("call", "show", call_id))["facts"]]

    async def operator_heard(self, tenant: Tenant, *types: str) -> list[dict[str, Any]]:
        """What the operator's webhook was told of the account, once all of these are there."""

        def of_account() -> list[dict[str, Any]]:
            events = [one.values for one in self.inbox.received if one.path == OPERATOR]
            return [one for one in events if one["data"]["accountId"] == tenant.id]

        await until(lambda: {one["type"] for one in of_account()} >= set(types), what=f"{types} at the operator's")
        return of_account()


async def _tenant(services: Services, index: int, name: str, plan: Plan) -> Tenant:
    store, clock, ids = services.store, services.clock, services.ids
    account = await create_account(store, clock, ids, name)
    create, couples = CreateSession(store, clock, ids), []
    for at in range(plan.couples):
        if at == 0 or (plan.second_number and at == plan.couples - 1):
            await add_number(store, clock, f"+1800555{index:02d}{at:02d}", account.id)
        callee = plan.callee if len(plan.callee) > 8 else f"{plan.callee}{index:02d}{at:03d}"
        caller = f"+447700{900 + index}{at:03d}"
        if plan.second_number and at == plan.couples - 1:
            caller = couples[-1].caller
        couple = Couple(caller, callee)
        options = SessionOptions(geomatch=False)
        wish = SessionWish(parse_number(couple.caller), parse_number(couple.callee), options)
        session = await create(Scope(account.id), wish)
        couple.virtual, couple.session_id = session.virtual_number.e164, session.id
        couples.append(couple)
    await set_limits(store, clock, account.id, LimitsWish(**plan.wish))
    return Tenant(account.id, account.auth_token, couples)


@asynccontextmanager
async def opened_field(folder: Path, plans: dict[str, Plan]) -> AsyncIterator[LimitedField]:
    made = LimitedField(folder)
    try:
        await made.open(plans)
        yield made
    finally:
        await made.close()
