"""Which calls are forwarded, through which trunk, and why the others are refused."""

from __future__ import annotations

import pytest
import structlog

from maskline.masking.decision import Forward, Refuse
from maskline.masking.e164 import Number, parse_number
from maskline.masking.facts import Cause
from maskline.masking.session import Role, SessionOptions
from maskline.storage.store import RecordedCall
from maskline.workflows.add_trunk import TrunkWish, add_trunk
from maskline.workflows.create_session import CreateSession, SessionWish
from maskline.workflows.route_call import RouteCall
from maskline.workflows.scope import Scope
from tests.support.api_world import FIRST, NUMBER, SECOND, World

CALLER, CALLEE, VIRTUAL = parse_number(FIRST), parse_number(SECOND), parse_number(NUMBER)
STRANGER = Number("6590000099")


class Calls(World):
    async def start(self, **trunk):
        self.acme = await self.account()
        await self.number(self.acme)
        self.trunk = await self.add_trunk("carrier", **trunk)
        create = CreateSession(self.store, self.clock, self.ids)
        self.session = await create(Scope(self.acme.id), SessionWish(CALLER, CALLEE, SessionOptions()))
        self.router = RouteCall(self.store, self.clock)
        await self.router.refresh()
        return self

    async def add_trunk(self, name, **more):
        return await add_trunk(self.store, self.clock, self.ids, TrunkWish(name, "192.0.2.1", **more))

    async def route(self, caller=CALLER, called=VIRTUAL, trunk=None):
        return await self.router.route(caller, called, trunk or self.trunk, self.clock.wall())


@pytest.mark.row("6.1/registered party")
async def test_either_party_reaches_the_other():
    world = await Calls().start()
    for caller, callee, role in ((CALLER, CALLEE, Role.FIRST), (CALLEE, CALLER, Role.SECOND)):
        decision = await world.route(caller)
        assert isinstance(decision, Forward)
        assert (decision.callee, decision.caller_role, decision.session) == (callee, role, world.session)
        assert decision.virtual_number.number == VIRTUAL
        assert decision.trunk == world.trunk


async def refusal(world, *args, **kwargs):
    decision = await world.route(*args, **kwargs)
    assert isinstance(decision, Refuse)
    return decision.cause, decision.virtual_number and decision.virtual_number.number, decision.session


async def test_a_number_that_is_not_ours_is_unknown():
    world = await Calls().start()
    assert await refusal(world, called=STRANGER) == (Cause.UNKNOWN_NUMBER, None, None)


@pytest.mark.row("6.1/unknown caller, neither")
async def test_a_stranger_is_refused():
    world = await Calls().start()
    assert await refusal(world, STRANGER) == (Cause.UNKNOWN_CALLER, VIRTUAL, None)


async def test_a_withheld_caller_is_refused():
    world = await Calls().start()
    assert await refusal(world, None) == (Cause.WITHHELD_CALLER, VIRTUAL, None)


@pytest.mark.row("6.1/no active session")
async def test_the_second_a_session_expires_it_forwards_no_more_whether_swept_or_not():
    world = await Calls().start()
    world.clock.advance(3599.999)
    assert isinstance(await world.route(), Forward)
    world.clock.advance(0.001)
    assert await refusal(world) == (Cause.SESSION_EXPIRED, VIRTUAL, world.session)


@pytest.mark.row("6.1/session in a call")
async def test_a_session_carries_one_call_at_a_time():
    world = await Calls().start()
    busy = RecordedCall((), world.acme.id, session_id=world.session.id, calls_in_progress_delta=1)
    await world.store.commit_calls([busy])
    cause, _, _ = await refusal(world)
    assert cause is Cause.SESSION_BUSY


async def test_a_destination_no_trunk_may_call_has_no_route():
    world = await Calls().start(prefixes=("+44",))
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            assert await refusal(world) == (Cause.NO_ROUTE, VIRTUAL, world.session)
        world.clock.advance(60.0)
        await refusal(world)
    warning = {"event": "no_route", "account": world.acme.id, "log_level": "warning"}
    assert lines == [warning, warning], "one line a minute, without a number"


async def test_another_accounts_carrier_cannot_ring_our_numbers():
    world = await Calls().start()
    other = await world.account("Other")
    foreign = await world.add_trunk("foreign", account_id=other.id)
    own = await world.add_trunk("own", account_id=world.acme.id)
    assert await refusal(world, trunk=foreign) == (Cause.UNKNOWN_NUMBER, None, None)
    assert isinstance(await world.route(trunk=own), Forward)


async def test_the_longest_prefix_carries_the_call():
    world = await Calls().start()
    closer = await world.add_trunk("closer", prefixes=("+659",))
    world.clock.advance(1)
    decision = await world.route()
    assert isinstance(decision, Forward)
    assert decision.trunk == closer


async def test_trunks_are_read_again_after_a_second_and_only_when_something_changed():
    world = await Calls().start()
    assert world.router.trunks() == (world.trunk,)
    assert await world.router.refresh() is False
    added = await world.add_trunk("second")
    await world.route()
    assert world.router.trunks() == (world.trunk,)
    world.clock.advance(1)
    await world.route()
    assert world.router.trunks() == (world.trunk, added)
