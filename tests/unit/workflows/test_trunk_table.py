"""The places a call is tried at, by what is known of the trunks at this moment."""

from __future__ import annotations

import pytest
import structlog

from maskline.masking.e164 import Number
from maskline.masking.facts import Cause
from maskline.masking.trunk import Trunk, TrunkLimits
from maskline.sip.flow import Flow
from maskline.sip.locate import Place
from maskline.workflows.trunk_table import MOST_WAYS, TrunkTable
from tests.support.api_world import World

CALLEE = Number("6581234567")
FIRST = Trunk("1", "first", None, "192.0.2.1", 5060)
SECOND = Trunk("2", "second", None, "192.0.2.2", 5060, priority=1)
NAMED = Trunk("3", "named", None, "carrier.example", 0, priority=2)


async def table(*trunks: Trunk) -> TrunkTable:
    world = World()
    for trunk in trunks:
        await world.store.add_trunk(trunk, 0.0)
    made = TrunkTable(world.store, world.clock, world.ids)
    await made.refresh()
    return made


async def hosts(made: TrunkTable) -> list[str]:
    ways = await made.ways("MA", CALLEE)
    assert not isinstance(ways, Cause)
    return [way.target.host for way in ways]


async def test_one_trunk_after_the_other_is_tried():
    made = await table(SECOND, FIRST)
    assert await hosts(made) == ["192.0.2.1", "192.0.2.2"]


async def test_an_address_that_failed_a_moment_ago_is_tried_last():
    made = await table(FIRST, SECOND)
    made.state.failed(Flow("udp", "192.0.2.1", 5060), made._clock.now())
    assert await hosts(made) == ["192.0.2.2", "192.0.2.1"]


async def test_a_trunk_that_does_not_answer_its_checks_is_skipped_until_it_does():
    made = await table(FIRST, SECOND)
    down = Flow("udp", "192.0.2.1", 5060)
    made.state.due(Trunk("1", "first", None, "192.0.2.1", 5060, options_seconds=5), 0.0)
    for _ in range(2):
        made.state.checked(down, 503, False, 0.0)
    assert await hosts(made) == ["192.0.2.2"]
    made.state.checked(down, 200, True, 0.0)
    assert await hosts(made) == ["192.0.2.1", "192.0.2.2"]


async def test_a_full_trunk_is_skipped():
    full = Trunk("0", "full", None, "192.0.2.9", 5060, limits=TrunkLimits(concurrent=1))
    made = await table(full, FIRST)
    assert made.state.enter(full, 0.0)
    assert await hosts(made) == ["192.0.2.1"]


@pytest.mark.parametrize("cause", [Cause.NO_ROUTE, Cause.TRUNK_FULL, Cause.NETWORK_ERROR])
async def test_it_is_told_why_there_is_no_way_and_said_once_a_minute(cause: Cause):
    trunks = {
        Cause.NO_ROUTE: Trunk("1", "a", None, "192.0.2.1", 5060, prefixes=("+1",)),
        Cause.TRUNK_FULL: Trunk("1", "a", None, "192.0.2.1", 5060, limits=TrunkLimits(concurrent=1)),
        Cause.NETWORK_ERROR: NAMED,
    }
    made = await table(trunks[cause])
    made.state.enter(trunks[cause], 0.0)
    with structlog.testing.capture_logs() as lines:
        assert [await made.ways("MA", CALLEE) for _ in range(2)] == [cause, cause]
    events = {Cause.NO_ROUTE: "no_route", Cause.TRUNK_FULL: "trunks_full", Cause.NETWORK_ERROR: "trunks_down"}
    assert lines == [{"event": events[cause], "account": "MA", "log_level": "warning"}]


async def test_a_name_is_dialled_at_its_addresses_which_are_sources_too():
    made = await table(NAMED)
    assert await made.ways("MA", CALLEE) is Cause.NETWORK_ERROR
    before = made.all
    places = [Place("udp", 1, 1, 5070, ("192.0.2.7", "192.0.2.8"))]
    made.located(NAMED, places)
    assert await hosts(made) == ["192.0.2.7", "192.0.2.8"]
    assert made.all[0].sources == ("192.0.2.7", "192.0.2.8")
    published = made.all
    assert published is not before
    made.located(NAMED, places)
    assert made.all is published, "the index of sources is not made anew for nothing"


async def test_nobody_is_tried_at_more_places_than_a_caller_would_wait_for():
    made = await table(NAMED)
    made.located(NAMED, [Place("udp", rank, 1, 5060, (f"192.0.2.{rank}",)) for rank in range(1, 20)])
    assert len(await hosts(made)) == MOST_WAYS


async def test_a_removed_trunk_is_forgotten():
    made = await table(NAMED, FIRST)
    made.located(NAMED, [Place("udp", 1, 1, 5070, ("192.0.2.7",))])
    await made._store.remove_trunk("named")
    await made.refresh()
    assert made.all == (FIRST,)
    assert await hosts(made) == ["192.0.2.1"]
