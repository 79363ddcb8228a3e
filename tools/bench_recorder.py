"""CPU that keeping a call costs: facts, record and webhooks, built and handed to a store, at a steady rate.

What it is: `python tools/bench_recorder.py [calls/s] [seconds]`, one line per case: without webhooks, with a
session's five Plivo events, with both summaries besides; into nothing (building alone) and into SQLite. What it
is not: SIP or delivery. A call is five commits, as the engine makes them.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from maskline.clock import SystemClock  # noqa: E402
from maskline.engine.ports import CallCommit  # noqa: E402
from maskline.ids import SystemIds  # noqa: E402
from maskline.masking.facts import (  # noqa: E402
    CallEnded,
    CallReceived,
    CallRouted,
    Cause,
    HungUpBy,
    LegAnswered,
    LegDialed,
    LegEnded,
    LegRinging,
    Outcome,
)  # fmt: skip
from maskline.storage.crypto import KEY_BYTES, Sealer  # noqa: E402
from maskline.storage.memory import MemoryStore  # noqa: E402
from maskline.storage.sqlite import SqliteStore  # noqa: E402
from maskline.storage.store import Account, Endpoint, RecordedCall, Store  # noqa: E402
from maskline.workflows.record_call import CallRecording  # noqa: E402
from tests.support.calls import ACCOUNT, SESSION_ID, T0, make_context, make_record, make_session  # noqa: E402

OVER = (Outcome.COMPLETED, Cause.NORMAL)


class Nowhere(MemoryStore):
    """Takes commits and forgets them, so that building alone is measured."""

    async def commit_calls(self, calls: Sequence[RecordedCall]) -> list[str]:
        return []


def one_call(call_id: str, url: str) -> list[CallCommit]:
    context = make_context(make_session(url), call_id=call_id)
    groups = (
        (CallReceived(call_id, 1, T0, "t", "+6568332048"), CallRouted(call_id, 2, T0, SESSION_ID, "first_party"),
         LegDialed(call_id, 3, T0, "b", "t")),
        (LegRinging(call_id, 4, T0 + 3, "b", False),),
        (LegAnswered(call_id, 5, T0 + 9, "b"), LegAnswered(call_id, 6, T0 + 9, "a")),
        (LegEnded(call_id, 7, T0 + 22, "b", *OVER, 200, HungUpBy.CALLER),
         LegEnded(call_id, 8, T0 + 22, "a", *OVER, 200, HungUpBy.CALLER)),
    )  # fmt: skip
    last = CallCommit(context, (CallEnded(call_id, 9, T0 + 22, *OVER, HungUpBy.CALLER),), make_record(id=call_id))
    return [*(CallCommit(context, facts) for facts in groups), last]


async def measure(store: Store, rate: int, seconds: int, url: str, kinds: Sequence[str]) -> str:
    await store.open()
    await store.add_account(Account(ACCOUNT, "bench", None, ("token",), T0))
    for kind in kinds:
        await store.set_endpoint(Endpoint(ACCOUNT, kind, "https://summary.example/"))
    recorder = CallRecording(store, SystemClock(), SystemIds(), lambda: None)
    task = asyncio.create_task(recorder.run())
    calls = [one_call(f"call-{number}", url) for number in range(rate * seconds)]
    began, cpu = time.perf_counter(), time.process_time()
    done = 0
    while done < len(calls):
        due = min(len(calls), int((time.perf_counter() - began) * rate))
        for commits in calls[done:due]:
            for commit in commits:
                recorder.record(commit)
        done = max(done, due)
        await asyncio.sleep(0.005)
    await recorder.flush()
    cpu, took = time.process_time() - cpu, time.perf_counter() - began
    recorder.stop()
    await task
    await store.close()
    return (
        f"{len(calls)} calls in {took:5.2f} s, {cpu / len(calls) * 1e6:4.0f} us CPU a call, dropped {recorder.dropped}"
    )


def main(rate: int = 1000, seconds: int = 3) -> None:
    summaries = ("eight.session_summary", "wavecell.call_status")
    cases = (("no webhooks", "", ()), ("Plivo events", "https://h.example/cb", ()),
             ("and both summaries", "https://h.example/cb", summaries))  # fmt: skip
    for name, url, kinds in cases:
        print(f"built only  {name:20}", asyncio.run(measure(Nowhere(), rate, seconds, url, kinds)), flush=True)
        with tempfile.TemporaryDirectory() as folder:
            store = SqliteStore(Path(folder) / "bench.db", Sealer(bytes(KEY_BYTES)))
            print(f"SQLite      {name:20}", asyncio.run(measure(store, rate, seconds, url, kinds)), flush=True)


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:3]))
