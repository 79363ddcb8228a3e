"""An engine's id is one engine's: who starts beside another one of its id does not."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from maskline.clock import VirtualClock
from maskline.errors import ConfigurationError
from maskline.storage.kept import Owner
from maskline.storage.live_store import LEASE
from maskline.storage.memory import MemoryStore
from maskline.workflows import wait_for_namesake as module
from maskline.workflows.wait_for_namesake import wait_for_namesake

ME = Owner("e1", "engine", "here", "192.0.2.1:5060")
OTHER = ME._replace(name="there", address="192.0.2.2:5060")


class Store(MemoryStore):
    """On which the other one renews, ends or is forgotten, look by look."""

    def __init__(self, clock: VirtualClock, there: Owner | None, ago: float, deeds: tuple[str, ...]) -> None:
        super().__init__()
        self.clock = clock
        self.deeds = [*deeds]
        self.looks = 0
        if there is not None:
            self.renewed(there, -ago)

    def renewed(self, owner: Owner, seconds: float = 0.0) -> None:
        self._owners[owner.id] = owner._replace(until=self.clock.wall() + seconds + LEASE)

    async def owners(self) -> list[Owner]:
        self.looks += 1
        self.clock.advance(1.0)
        deed = self.deeds.pop(0) if self.deeds else ""
        if deed == "renews":
            self.renewed(OTHER)
        if deed == "ends":
            await self.end_owner(OTHER.id)
        if deed == "is forgotten":
            self._owners.clear()
        return await super().owners()


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)


async def start(*deeds: str, there: Owner | None = OTHER, ago: float = 0.0) -> tuple[int, list[str]]:
    """How often it looked, and what it said."""
    clock = VirtualClock()
    store = Store(clock, there, ago, deeds)
    with capture_logs() as lines:
        await wait_for_namesake(store, clock, ME)
    return store.looks, [line["event"] for line in lines]


@pytest.mark.parametrize("there", [None, ME, OTHER._replace(id="e2")])
async def test_nobody_is_waited_for_where_nobody_else_had_the_id(there: Owner | None) -> None:
    assert await start(there=there) == (1, [])


async def test_one_of_another_place_that_died_long_ago_is_not_waited_for() -> None:
    assert await start(ago=2 * LEASE + 1) == (1, [])


async def test_one_that_renews_is_named_and_the_start_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"e1 is running on there \(192\.0\.2\.2:5060\).*MASKLINE_ENGINE_ID"):
        await start("", "", "", "renews")


@pytest.mark.parametrize("deed", ["ends", "is forgotten"])
async def test_one_that_ends_is_waited_for_until_it_has(deed: str) -> None:
    assert await start("", "", deed) == (3, ["engine_id_in_use"])


async def test_one_that_was_killed_on_another_machine_is_waited_for_until_its_lease_is_over() -> None:
    assert module.LOOKS * 1.0 > LEASE
    assert await start() == (module.LOOKS + 1, ["engine_id_in_use"])
