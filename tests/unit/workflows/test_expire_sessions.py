"""Thousands of sessions that end in the same second: refused from then on, ended soon, told once each."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from maskline.masking.decision import Forward, Refuse
from maskline.masking.e164 import Number, parse_number
from maskline.masking.facts import Cause
from maskline.masking.session import SessionOptions
from maskline.storage.filters import SessionFilter
from maskline.workflows.add_trunk import TrunkWish, add_trunk
from maskline.workflows.create_session import CreateSession, SessionWish
from maskline.workflows.expire_sessions import ExpireSessions
from maskline.workflows.route_call import RouteCall
from maskline.workflows.scope import Scope
from tests.support.api_world import NUMBER, World

MANY = 1_500
VIRTUAL = parse_number(NUMBER)


def party(pair: int) -> Number:
    return Number(f"659{pair:07}")


async def crowd(count: int) -> tuple[World, str]:
    """As many sessions on one number, all made at the same moment."""
    world = World()
    account = await world.account()
    await world.number(account)
    create = CreateSession(world.store, world.clock, world.ids)
    options = SessionOptions(session_expiry=600, callback_url="https://hooks.example/")
    for pair in range(count):
        await create(Scope(account.id), SessionWish(party(pair), party(pair + count), options))
    return world, account.id


@pytest.mark.row("7.1/SessionTimeout", "6.1/no active session")
async def test_all_that_end_in_the_same_second_are_refused_from_then_on_and_told_once():
    world, account = await crowd(MANY)
    trunk = await add_trunk(world.store, world.clock, world.ids, TrunkWish("carrier", "192.0.2.1"))
    router = RouteCall(world.store, world.clock)
    await router.refresh()
    sweep = ExpireSessions(world.store, world.clock, world.ids)
    world.clock.advance(599.999)
    assert await sweep() == 0
    assert isinstance(await router.route(party(7), VIRTUAL, trunk, world.clock.wall()), Forward)

    world.clock.advance(0.001)
    planned = world.clock.wall()
    for pair in (0, 7, MANY - 1):
        decision = await router.route(party(pair), VIRTUAL, trunk, planned)
        assert isinstance(decision, Refuse) and decision.cause is Cause.SESSION_EXPIRED, "before any sweep"

    steps = Counter()

    async def others() -> None:
        while True:
            steps["others"] += 1
            await asyncio.sleep(0)

    waiting = asyncio.create_task(others())
    while (ended := await sweep()) == sweep.batch:
        steps["sweeps"] += 1
        steps["ended"] += ended
    waiting.cancel()
    assert steps["ended"] + ended == MANY
    assert steps["sweeps"] <= MANY // sweep.batch
    assert steps["others"] >= steps["sweeps"], "everybody else gets a turn between steps"

    rows = await world.store.outbox(account, limit=2 * MANY)
    assert len(rows) == MANY == len({row.subject for row in rows})
    assert {row.event for row in rows} == {"SessionTimeout"}
    _, live = await world.store.sessions(
        account, SessionFilter(status="active"), limit=1, offset=0, wall=world.clock.wall()
    )
    assert live == 0
    assert await sweep() == 0, "once"
