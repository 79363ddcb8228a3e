"""One run of the crash suite: load, kills, rest, judgement.

What it is: the order of these, and a line for people. What it is not: what is done or judged (`crash_load.py`,
`crash_judge.py`). Who uses it: tests/crash and tools/crash.py.

Time: a try that failed rests for up to five minutes. Nobody waits for that: once the load is over rows that rest are
made older by as much. So is what says of a killed deliverer or API that it lives, since it would for 15 s; not in a
fleet, where an engine stays away until another one has its calls. Nothing but these times is touched: what is leased to
the dead has to become free by itself.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from maskline.storage.live_store import LEASE
from tests.support.crash_field import Customer, Field, Killable
from tests.support.crash_inbox import CrashInbox
from tests.support.crash_judge import Log, judge, read_log, unrest
from tests.support.crash_leases import LeaseWatch
from tests.support.crash_load import Ledger, Load
from tests.support.crash_plan import Kill, make_plan

REST = 30.0
"""Seconds after the load in which every call has its record and every webhook has arrived (issue: within 30 s)."""
REQUESTED = 90.0
"""The same where only a request for a call is left: its engine lives, and never heard that it has a lease of 60 s on
it, because the database died between the commit and the answer."""
CALLS_AGAIN = 90.0
"""Seconds after a restart in which a call is answered again."""
_OLDER = (
    "UPDATE outbox SET due_at = due_at - 1000 WHERE account_id = $1 AND state = 'due' AND due_at > $2 AND attempts > 0",
    "UPDATE recordings SET due_at = due_at - 1000 WHERE account_id = $1 AND status = 'stopped' AND due_at > $2",
)
_DEAD = "UPDATE owners SET until = until - 16 WHERE kind = $1 AND until > $2"
"""Of a kind of which there is one process, or one that says at once that it lives and one that does not."""
_LEFT = "SELECT COUNT(*) FROM live_calls WHERE engine_id = $1"
TAKEN_OVER = 45.0
"""Seconds after an engine's death in which another one has its calls: 15 until it is known to be dead, up to 5 until
the other one looks, and the rest because this machine may be busy with anything."""


@dataclass
class Verdict:
    """What came of one seed."""

    kind: str
    seed: int
    wrong: list[str] = field(default_factory=list)
    line: str = ""

    @property
    def again(self) -> str:
        return f"python tools/crash.py --kind {self.kind} --seed {self.seed}"


class Run:
    def __init__(self, field: Field, seed: int) -> None:
        self._field = field
        self.plan = make_plan(seed, field.chances())
        self._inbox = CrashInbox(self.plan.fault)
        self._away: list[Killable] = []
        """Engines whose calls another one has by now."""
        self._taken_over: list[float] = []
        """Seconds that each of them took."""

    async def __call__(self) -> Verdict:
        began = time.monotonic()
        verdict = Verdict(self._field.kind, self.plan.seed)
        await self._inbox.open()
        customer = await self._field.customer(self._inbox)
        load = Load(self._field, self.plan, customer, self._inbox)
        leases = LeaseWatch(self._field)
        watching = asyncio.create_task(leases.run())
        try:
            await self._disturb(load)
            await load.hang_up()
            settled = await self._settle(customer)
            await leases.all_live()
            watching.cancel()
            load.ledger.wrong += leases.wrong
            verdict.wrong = await judge(self._field, customer, load.ledger, self._inbox, self.plan.people)
            verdict.wrong += await load.exports.judge()
            log = await read_log(self._field, customer)
            verdict.wrong += load.ends.judge(log.ends, self.plan.keeps_audio)
        finally:
            watching.cancel()
            await load.close()
            await self._inbox.close()
        asked = len(load.exports.asked), len(load.ends.asked)
        verdict.line = self._line(verdict, load.ledger, log, asked, settled, time.monotonic() - began)
        return verdict

    async def _disturb(self, load: Load) -> None:
        loading = asyncio.create_task(load.run())
        try:
            if self._field.kind == "fleet":
                await load.keep_talking()
            for kill in self.plan.kills:
                await self._until_calls(load)
                await asyncio.sleep(kill.after)
                await self._kill(kill)
            await self._until_calls(load)
            await asyncio.sleep(self.plan.tail)
            await load.end_talks()
            for part in self._away:
                await asyncio.to_thread(part.start)
        finally:
            load.stop()
            await loading

    async def _until_calls(self, load: Load) -> None:
        """Until a call is answered: whatever died before, calls are taken again."""
        load.somebody_talks.clear()
        try:
            await asyncio.wait_for(load.somebody_talks.wait(), CALLS_AGAIN)
        except TimeoutError:
            load.ledger.wrong.append(f"no call was answered for {CALLS_AGAIN:.0f} s")

    async def _kill(self, kill: Kill) -> None:
        parts = self._field.named(kill.part)
        for part in parts:
            await asyncio.to_thread(part.kill)
        if len(parts) == 1 and parts[0].engine_id and not self._away:
            self._away = parts
            self._taken_over.append(await self._heir(parts[0].engine_id))
            return
        await asyncio.sleep(kill.down)
        if self._field.kind == "processes" and kill.part.split()[0] in ("api", "deliver"):
            await self._field.rows(_DEAD, kill.part.split()[0], time.time())
        for part in parts:
            if part not in self._away:
                await asyncio.to_thread(part.start)

    async def _heir(self, engine_id: str) -> float:
        """Seconds until another engine has its calls."""
        began = time.monotonic()
        while time.monotonic() - began < TAKEN_OVER:
            await asyncio.sleep(0.2)
            if time.monotonic() - began > LEASE and not (await self._field.rows(_LEFT, engine_id))[0][0]:
                break
        return time.monotonic() - began

    async def _settle(self, customer: Customer) -> float:
        """Seconds until everything was at rest, or `REST`."""
        began = time.monotonic()
        patience = REST
        while time.monotonic() - began < patience:
            await self._grow_older(customer)
            await asyncio.sleep(0.2)
            left = await unrest(self._field, customer)
            if not left:
                break
            patience = max(patience, REQUESTED if left.keys() == {"requested calls"} else REST)
        return time.monotonic() - began

    async def _grow_older(self, customer: Customer) -> None:
        for query in _OLDER:
            await self._field.rows(query, customer.account_id, time.time() + 0.5)

    def _line(
        self, verdict: Verdict, ledger: Ledger, log: Log, asked: tuple[int, int], settled: float, seconds: float
    ) -> str:  # fmt: skip
        kills = ", ".join(f"{kill.part} after {kill.after:.2f} s" for kill in self.plan.kills)
        causes = ", ".join(f"{many} {cause}" for cause, many in log.causes.most_common(4))
        word = "FAILED" if verdict.wrong else "ok"
        return (
            f"{word} {verdict.kind} seed {verdict.seed}: killed {kills}; {len(ledger.sessions)} sessions, "
            f"{ledger.calls} calls ({ledger.answered} answered; {causes}), {ledger.repeats} requests sent again, "
            f"{log.count} facts, "
            f"{asked[0]} tables of calls, {asked[1]} ends asked for, "
            f"{len(self._inbox.ids)} webhooks in {len(self._inbox.arrivals)} tries ({self._inbox.faults} refused); "
            f"{''.join(f'taken over after {one:.1f} s; ' for one in self._taken_over)}"
            f"at rest after {settled:.1f} s; {seconds:.1f} s"
        )
