"""Fields that several seeds share: a platform is started once, and killed in each of them."""

from __future__ import annotations

import asyncio
import shutil
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress

import pytest

from tests.support.crash_field import Field
from tests.support.crash_run import Run, Verdict
from tests.support.postgres_server import PROGRAMS

NEEDS = {"fleet": ("kamailio", "kamcmd", "rtpengine")}


class Campaign:
    """An event loop with the fields on it, each opened when it is asked for."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._runner = asyncio.Runner()
        self._fields: dict[tuple[str, str], Field] = {}
        self._verdicts: dict[tuple[str, int], Verdict] = {}
        self._all = False

    def run(self, kind: str, seed: int, sabotage: str = "") -> Verdict:
        return self._runner.run(self._run(kind, seed, sabotage))

    def run_all(self, seeds: Mapping[str, Sequence[int]]) -> None:
        """Once: kinds beside each other, the seeds of each one after the other."""
        if not self._all:
            self._all = True
            self._runner.run(self._run_all(seeds))

    def verdict(self, kind: str, seed: int) -> Verdict:
        """Of `run_all`; whoever asks a second time has it run again."""
        if reason := missing(kind):
            pytest.skip(reason)
        known = self._verdicts.pop((kind, seed), None)
        return known or self.run(kind, seed)

    async def _run_all(self, seeds: Mapping[str, Sequence[int]]) -> None:
        await asyncio.gather(*(self._run_kind(kind, some) for kind, some in seeds.items() if not missing(kind)))

    async def _run_kind(self, kind: str, seeds: Sequence[int]) -> None:
        for seed in seeds:
            try:
                self._verdicts[kind, seed] = await self._run(kind, seed, "")
            except Exception:  # noqa: BLE001 - a part that does not come back fails its seed, and the rest has a new field
                self._verdicts[kind, seed] = Verdict(kind, seed, traceback.format_exc().splitlines())
                if field := self._fields.pop((kind, ""), None):
                    with suppress(Exception):
                        await field.close()

    async def _run(self, kind: str, seed: int, sabotage: str) -> Verdict:
        field = self._fields.get((kind, sabotage))
        if field is None:
            field = Field(self._factory.mktemp(f"crash-{kind}"), kind, sabotage)
            self._fields[kind, sabotage] = field
            await field.open()
        return await Run(field, seed)()

    def close(self) -> None:
        for field in self._fields.values():
            self._runner.run(field.close())
        self._runner.close()


def missing(kind: str) -> str:
    """What this kind needs and is not here (tools/apt-packages.txt), or nothing."""
    if kind != "sqlite" and not (PROGRAMS / "postgres").exists():
        return "no PostgreSQL server programs here"
    return ", ".join(program for program in NEEDS.get(kind, ()) if shutil.which(program) is None)


@pytest.fixture(scope="session")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    made = Campaign(tmp_path_factory)
    try:
        yield made
    finally:
        made.close()
