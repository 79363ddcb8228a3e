"""Tables of calls that a customer asks for while parts die, and what must hold of each that was acknowledged.

What it is: requests without end, and their judgement by what the customer gets: the state of each, and its file. What
it is not: the calls in them (`crash_load.py`). Who uses it: `crash_load.py` and `crash_judge.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import aiohttp

from maskline.webhooks.formats.eight_export import COLUMNS
from tests.support.crash_field import Customer, Field

BURST = 3
"""Asked for at once, so that one is being made for a good part of the time."""
_PAUSE = 0.15
_TIMEOUT = aiohttp.ClientTimeout(total=10)
_BUSY = 429
_CALLS = "SELECT id FROM calls WHERE account_id = $1"
_JOBS = "SELECT id, status FROM exports WHERE account_id = $1"
_MADE = re.compile(r"export_made.*?([0-9a-f]{8}-[0-9a-f-]{27})")


class Exports:
    """`run()` until it is cancelled; `asked` then says what was acknowledged."""

    def __init__(self, field: Field, customer: Customer) -> None:
        self._field = field
        self._customer = customer
        self.asked: dict[str, set[str]] = {}
        """By job the calls that had their record before it was asked for."""
        self.wrong: list[str] = []
        """Answers that no customer should get."""

    async def run(self) -> None:
        async with self.http() as http:
            while True:
                # Who asks while something is dead hears so, and asks again.
                with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                    if before := await self._calls():  # there is something to be lost
                        await asyncio.gather(*(self._ask(http, before) for _ in range(BURST)))
                await asyncio.sleep(_PAUSE)

    def http(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(headers={"Authorization": f"Bearer {self._customer.key}"}, timeout=_TIMEOUT)

    @property
    def _base(self) -> str:
        return f"{self._field.platform.url}/api/v1/subaccounts/{self._customer.account_id}/messages/exports"

    async def _calls(self) -> set[str]:
        try:
            return {row[0] for row in await self._field.rows(_CALLS, self._customer.account_id)}
        except Exception:  # noqa: BLE001 - a database that is killed says so in many ways
            return set()

    async def _ask(self, http: aiohttp.ClientSession, before: set[str]) -> None:
        async with http.post(self._base, json={}) as answer:
            if answer.status == 202:
                self.asked[(await answer.json())["jobId"]] = before
            elif answer.status != _BUSY and answer.status < 500:
                self.wrong.append(f"a table of calls was answered {answer.status}")

    # -- afterwards ------------------------------------------------------------------------------------------------
    async def judge(self) -> list[str]:
        """Everything is at rest: each one is there, whole, and made once."""
        jobs = dict(await self._field.rows(_JOBS, self._customer.account_id))
        known = await self._calls()
        wrong = [*self.wrong, *self._made_twice(jobs), *self._drafts(jobs)]
        wrong += [f"table {job} ended as {status}" for job, status in jobs.items() if status not in _GOOD]
        async with self.http() as http:
            for job, before in self.asked.items():
                if job not in jobs:
                    wrong.append(f"table {job} was acknowledged and is not there")
                else:
                    wrong += [f"table {job} {what}" for what in await self._file(http, job, before, known)]
        return wrong

    async def _file(self, http: aiohttp.ClientSession, job: str, before: set[str], known: set[str]) -> list[str]:
        async with http.get(f"{self._base}/{job}") as answer:
            told = await answer.json()
        if not told.get("data"):
            return [f"is empty and has {len(before)} calls to tell of"]
        async with http.get(told["data"][0]) as answer:
            if answer.status != 200:
                return [f"was made, and fetching it is answered {answer.status}"]
            return list(_faults(await answer.text(), before, known))

    def _made_twice(self, jobs: dict[str, str]) -> list[str]:
        made: Counter[str] = Counter()
        for path in self._field.logs:
            with path.open("rb") as log:
                log.seek(self._customer.logs_from.get(path, 0))
                made.update(_MADE.findall(log.read().decode(errors="replace")))
        return [f"table {job} was finished by {made[job]} makers" for job in jobs if made[job] > 1]

    def _drafts(self, jobs: dict[str, str]) -> list[str]:
        """Plain numbers on the disk."""
        folder = Path(self._field.platform.environment["MASKLINE_DATA_DIR"]) / "exports"
        return [f"table {job} left its draft" for job in jobs if list(folder.glob(f".{job}.*"))]


_GOOD = ("succeeded", "empty")


def _faults(text: str, before: set[str], known: set[str]) -> Iterator[str]:
    heading, *lines = csv.reader(io.StringIO(text, newline=""))
    if heading != list(COLUMNS) or any(len(line) != len(COLUMNS) for line in lines):
        yield "is not whole"
    legs = Counter((line[0], line[1]) for line in lines)
    calls = {call for call, _ in legs}
    if many := sum(count - 1 for count in legs.values()):
        yield f"tells of {many} legs twice"
    if lost := before - calls:
        yield f"leaves out {len(lost)} calls"
    if strange := calls - known:
        yield f"tells of {len(strange)} calls of which there is no record"
