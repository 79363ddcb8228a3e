"""Every row of every state table is used by some simulated call, or the test names it.

The stories of the other files once each, the first seeds of the bad networks, things that happen in the middle of a
state (`sim_moments.py`), walks of the call machine alone, and the orders that it is led through. A row that nothing can
reach has no place in a table, so there is no list of exceptions.
"""

from __future__ import annotations

import importlib
import pkgutil
from dataclasses import replace
from enum import Enum
from typing import Any

import pytest

import maskline.engine
import maskline.sip
from tests.sim import (
    test_bad_flow_network,
    test_bad_heard_network,
    test_bad_network,
    test_call_walk,
    test_changes,
    test_clean_network,
    test_flow_network,
    test_heard_network,
    test_identity_interference,
    test_rare_orders,
)
from tests.support import sim_media
from tests.support.engine_world import World
from tests.support.sim_disturbed import DisturbedWorld, states_of
from tests.support.sim_moments import MOMENTS
from tests.support.sim_scenario import Scenario
from tests.support.transitions import TABLES, Row, recording, shown

SEEDS = range(100)
STORIES: dict[str, Scenario] = {
    **{f"clean/{name}": story[0] for name, story in test_clean_network.STORIES.items()},
    **{f"flow/{name}": story[0] for name, story in test_flow_network.STORIES.items()},
    **{f"heard/{name}": story[0] for name, story in test_heard_network.STORIES.items()},
    **{f"plain/{name}": scenario for name, scenario in test_identity_interference.STORIES.items()},
    "rare/nobody there": Scenario(bob_dies=0.0),
}


def disturbed(story: str, pace: float, state: str, thing: str) -> DisturbedWorld:
    scenario = STORIES[story]
    scenario = replace(scenario, route_delay=max(scenario.route_delay, pace))
    plain = DisturbedWorld(1, scenario, pace=pace).run(3000)
    moment = next(at for at, reached in states_of(plain) if reached.name == state)
    return DisturbedWorld(1, scenario, pace=pace, things=((moment, thing),)).run(3000)


def check(world: DisturbedWorld) -> None:
    assert [str(fault) for fault in world.core.faults()] == []
    assert not world.core.calls and not world.desk.open
    assert not any(world.core.agent.sizes().values()), world.core.agent.sizes()


def used(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[Row]]:
    with recording() as found:
        for scenario in STORIES.values():
            World(1, scenario).run()
        for module in (test_bad_network, test_bad_flow_network, test_bad_heard_network, test_changes):
            for seed in SEEDS:
                module.replay(seed)
        for (story, pace), moments in MOMENTS.items():
            monkeypatch.setattr(sim_media, "CLIP_SECONDS", max(2.0, pace))
            for state, thing in moments:
                check(disturbed(story, pace, state, thing))
        for seed in range(300):
            test_call_walk.Walk(seed).go()
        for order in test_rare_orders.ORDERS:
            test_rare_orders.lead(*order)
    return found


@pytest.mark.timeout(300)
def test_every_row_of_every_table_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    found = used(monkeypatch)
    assert all(found.values()), "a table is read in another way than `transitions.recording` watches"
    unused = [f"{name}: {shown(row)}" for name, table in TABLES.items() for row in table if row not in found[name]]
    assert unused == []


def test_no_table_is_forgotten() -> None:
    """A dict of (state, event) anywhere in `sip` and `engine` is in TABLES, or has the same rows as one that is."""
    known = [set(table) for table in TABLES.values()]
    for package in (maskline.sip, maskline.engine):
        for info in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            for name, value in vars(importlib.import_module(info.name)).items():
                if isinstance(value, dict) and _is_table(rows := _rows(value)):
                    assert set(rows) in known, f"{info.name}.{name}"


def _rows(value: dict[Any, Any]) -> dict[Any, Any]:
    """Of a table that is looked up by state and then by event, its rows by both."""
    if not value or not all(isinstance(state, Enum) and isinstance(rows, dict) for state, rows in value.items()):
        return value
    return {(state, event): row for state, rows in value.items() for event, row in rows.items()}


def _is_table(value: dict[object, object]) -> bool:
    """Rows lead from a state to a state of the same kind."""
    return bool(value) and all(
        isinstance(key, tuple) and isinstance(row, tuple) and isinstance(key[0], Enum) and type(row[0]) is type(key[0])
        for key, row in value.items()
    )
