"""`make bench-call`: what one masked call costs in CPU, part by part, without sockets, threads and neighbours.

What it is: the engine's core, the router, the recorder's rows and the store's statements, driven by two scripted
carriers on a virtual clock at a given rate, in one thread. What it is not: a test, or the whole cost: sockets, the
event loop and the writer's thread come on top, which `make bench` and `make bench-vca` measure. Compare the code before
and after a change with it, in turns; figures are medians of blocks of calls (and the least), in µs of CPU per call.
`--profile` prints the functions that take the time, by cProfile, which makes calls of functions look dear. Where the
machine is too busy even for turns, instructions are counted, which repeat within 0.1 %: `valgrind --tool=callgrind
--instr-atstart=no .venv/bin/python tools/bench_call.py --calls 300 --callgrind`; the scripted carriers count too.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import heapq
import os
import pstats
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), *(os.environ.get("PYTHONPATH") or str(ROOT / "src")).split(os.pathsep)]

from maskline.clock import VirtualClock  # noqa: E402
from maskline.engine.core import EngineConfig, EngineCore  # noqa: E402
from maskline.engine.ports import CallCommit  # noqa: E402
from maskline.engine.route_work import RouteWork  # noqa: E402
from maskline.engine.runner import settle_memory  # noqa: E402
from maskline.ids import SystemIds  # noqa: E402
from maskline.masking.decision import VirtualNumber  # noqa: E402
from maskline.masking.destinations import Destinations  # noqa: E402
from maskline.masking.e164 import Number  # noqa: E402
from maskline.masking.limits import SAFE_LIMITS, Limits, PrefixLimit, Watch  # noqa: E402
from maskline.masking.session import SessionOptions  # noqa: E402
from maskline.masking.trunk import Trunk  # noqa: E402
from maskline.sip.agent import Agent, AgentConfig  # noqa: E402
from maskline.sip.events import Flow  # noqa: E402
from maskline.storage.crypto import KEY_BYTES, Sealer  # noqa: E402
from maskline.storage.sql_units import call_rows, commit_calls  # noqa: E402
from maskline.storage.sqlite import SqliteStore  # noqa: E402
from maskline.storage.sqlite_connection import connect  # noqa: E402
from maskline.storage.store import Account, Endpoint  # noqa: E402
from maskline.workflows.create_session import CreateSession, SessionWish  # noqa: E402
from maskline.workflows.record_call import CallRecording, last_kept, together  # noqa: E402
from maskline.workflows.route_call import RouteCall  # noqa: E402
from maskline.workflows.scope import Scope  # noqa: E402

HOST = "192.0.2.1"
CALLERS, CALLEES = Flow("udp", "192.0.2.2", 5060), Flow("udp", "192.0.2.3", 5060)
VIRTUAL, CALLER, CALLEE = "1800555{:04d}", "44770090{:04d}", "91990000{:04d}"
NUMBERS, BLOCK, EDGE = 10, 250, 3
"""`BLOCK`: calls that end in one block. `EDGE`: blocks left out at the begin and the end."""
TALK, ANSWER = 1.0, 0.05
PARTS = ("core", "route", "rows", "store", "commit")

SDP = (
    "v=0\r\no={0} 4711 1 IN IP4 {1}\r\ns=call of {0}\r\nc=IN IP4 {1}\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0 8 101\r\n"
    "a=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
    "a=ptime:20\r\na=sendrecv\r\n"
)
_FIRST = re.compile(rb"SIP/2\.0 ([0-9]{3})|([A-Z]+) ")


class Parts:
    """CPU of the parts since the last block."""

    def __init__(self) -> None:
        self.spent = dict.fromkeys(PARTS, 0)
        self.blocks: dict[str, list[float]] = {part: [] for part in PARTS}

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        began = time.thread_time_ns()
        yield
        self.spent[name] += time.thread_time_ns() - began

    def block_ends(self, calls: int) -> None:
        for part in PARTS:
            self.blocks[part].append(self.spent[part] / 1e3 / calls)
            self.spent[part] = 0

    def show(self) -> None:
        # Calls that begin before the first ends, and end after the last has begun, are no whole calls.
        steady = {part: found[EDGE:-EDGE] for part, found in self.blocks.items()}
        for part, found in steady.items():
            print(f"{part:8} {statistics.median(found):8.1f} µs   least {min(found):8.1f}")
        sums = [sum(values) for values in zip(*steady.values(), strict=True)]
        print(f"{'all':8} {statistics.median(sums):8.1f} µs   least {min(sums):8.1f}", flush=True)


class World:
    """The server's parts, and the carriers on both sides."""

    def __init__(self, store: SqliteStore, router: RouteCall, virtual: list[str]) -> None:
        self.parts = Parts()
        self.ids = SystemIds()
        self.clock = VirtualClock(time.time())
        self.virtual = virtual
        self.recorder = CallRecording(store, self.clock, self.ids, lambda: None)
        agent = Agent(AgentConfig(HOST, 5060), self.ids)
        config = EngineConfig(HOST, "token", relay=False)
        self.core = EngineCore(config, agent, self.ids, self.clock, router.trunks, router.shared)
        self.routes = RouteWork(router, self.clock, self._deliver)
        self.sealer, self.connection = store._sealer, connect(store.path, 1)
        self.queue: list[tuple[float, int, Callable[[], None]]] = []
        self.serial = self.started = self.ended = 0
        self.waiting: list[CallCommit] = []

    def _deliver(self, call_id: str, inp: Any) -> None:
        self.answer = inp

    def at(self, when: float, act: Callable[[], None]) -> None:
        self.serial += 1
        heapq.heappush(self.queue, (when, self.serial, act))

    def run(self, calls: int, rate: float, window: float) -> None:
        """Place `calls` calls and go on until they are over; commits are written each `window` seconds."""
        now = self.clock.now()
        for n in range(calls):
            self.at(now + n / rate, self.call)
        write_at, over = now, self.ended + calls
        while self.ended < over or self.waiting:
            due = self.queue[0][0] if self.queue else float("inf")
            deadline = self.core.next_deadline()
            now = min(due, write_at, float("inf") if deadline is None else deadline)
            self.clock.advance(max(0.0, now - self.clock.now()))
            now = self.clock.now()
            if write_at <= now:
                self.write()
                write_at = now + window
            elif due <= now:
                heapq.heappop(self.queue)[2]()
            else:
                with self.parts.part("core"):
                    self.core.handle_timer(now)
                self.pump()

    # -- the server ------------------------------------------------------------------------------------------------
    def receive(self, text: str, flow: Flow) -> None:
        data = text.encode()
        with self.parts.part("core"):
            self.core.receive(data, flow, self.clock.now())
        self.pump()

    def pump(self) -> None:
        core = self.core
        while work := core.work():
            for call_id, effect in work:
                with self.parts.part("route"):
                    self.routes.submit(call_id, effect, self.clock.now())  # type: ignore[arg-type]
                with self.parts.part("core"):
                    core.deliver(call_id, self.answer, self.clock.now())
        assert not core.faults()
        self.waiting += core.commits()
        for data, flow in core.datagrams():
            (self.callee if flow == CALLEES else self.caller)(data)

    def write(self) -> None:
        if not self.waiting:
            return
        taken, self.waiting = self.waiting, []
        commits = together(taken)
        with self.parts.part("rows"):
            finish(self.recorder._load_rules(commits))
            self.recorder._last_kept = last_kept(commits)
            shares = [share for commit in commits if (share := self.recorder._build(commit)) is not None]
            prepared = [call_rows(share, self.sealer) for share in shares]
        with self.parts.part("store"):
            self.connection.execute("BEGIN IMMEDIATE")
            commit_calls(self.connection, prepared)
        with self.parts.part("commit"):
            self.connection.commit()
        with self.parts.part("rows"):
            self.recorder._note_kept(shares)
        for commit in commits:
            if commit.record is not None:
                self.ended += 1
                if self.ended % BLOCK == 0:
                    self.parts.block_ends(BLOCK)

    # -- the carriers ----------------------------------------------------------------------------------------------
    def call(self) -> None:
        self.started += 1
        n = self.started
        self.receive(self.request("INVITE", n, f"sip:{self.virtual[n % len(self.virtual)]}@{HOST}", ""), CALLERS)

    def request(self, method: str, n: int, uri: str, to_tag: str) -> str:
        index = n % len(self.virtual)
        who, virtual = CALLER.format(index), self.virtual[index]
        body = SDP.format(who, CALLERS.host) if method == "INVITE" else ""
        more = (
            f"Contact: <sip:{who}@{CALLERS.host}:5060>\r\nP-Asserted-Identity: <sip:{who}@{CALLERS.host}>\r\n"
            f"Allow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\nUser-Agent: load test {who}\r\n"
            "Content-Type: application/sdp\r\n"
        ) if body else ""  # fmt: skip
        return (
            f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {CALLERS.host}:5060;branch=z9hG4bK-1-{n}-{method}\r\n"
            f'Max-Forwards: 70\r\nFrom: "A Caller" <sip:{who}@{CALLERS.host}:5060>;tag=a1x{n}\r\n'
            f"To: <sip:{virtual}@{HOST}:5060>{to_tag}\r\nCall-ID: {n}-1@{CALLERS.host}\r\n"
            f"CSeq: {2 if method == 'BYE' else 1} {method}\r\n{more}Content-Length: {len(body)}\r\n\r\n{body}"
        )

    def caller(self, data: bytes) -> None:
        if not data.startswith(b"SIP/2.0 200") or b"CSeq: 1 INVITE" not in data:
            return
        text = data.decode()
        tag = re.search(r"\r\nTo: [^\r]*(;tag=\w+)", text)[1]  # type: ignore[index]
        n = int(re.search(r"\r\nCall-ID: (\d+)", text)[1])  # type: ignore[index]
        uri = f"sip:{HOST}:5060"
        self.at(self.clock.now(), lambda: self.receive(self.request("ACK", n, uri, tag), CALLERS))
        self.at(self.clock.now() + TALK, lambda: self.receive(self.request("BYE", n, uri, tag), CALLERS))

    def callee(self, data: bytes) -> None:
        text = data.decode()
        method = text.partition(" ")[0]
        if method == "INVITE":
            self.at(self.clock.now(), lambda: self.receive(self.response(text, "180 Ringing"), CALLEES))
            self.at(self.clock.now() + ANSWER, lambda: self.receive(self.response(text, "200 OK", True), CALLEES))
        elif method == "BYE":
            self.at(self.clock.now(), lambda: self.receive(self.response(text, "200 OK"), CALLEES))

    def response(self, request: str, status: str, answer: bool = False) -> str:
        echo = re.findall(r"(?:Via|From|To|Call-ID|CSeq): [^\r]*\r\n", request)
        if ";tag=" not in echo[2]:
            echo[2] = echo[2][:-2] + ";tag=b1x1\r\n"
        body = SDP.format("-", CALLEES.host) if answer else ""
        more = "Contact: <sip:callee@192.0.2.3:5060>\r\n" if "INVITE" in echo[4] else ""
        if body:
            more += "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS\r\nContent-Type: application/sdp\r\n"
        return f"SIP/2.0 {status}\r\n{''.join(echo)}{more}Content-Length: {len(body)}\r\n\r\n{body}"


def finish(work: Coroutine[Any, Any, None]) -> None:
    """What never suspends on SQLite."""
    try:
        work.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits for something")


LIMITS = {
    "none": None,
    "safe": replace(SAFE_LIMITS, destinations=Destinations(everywhere=True), attempts_per_session=0),
    "all": Limits(
        calls_per_second=1e6, concurrent=10**6, number_calls_per_second=1e6, number_concurrent=10**6,
        attempts_per_session=10**6, minutes_per_day=10**7, spend_per_day=10**14, prefixes=(PrefixLimit("+91", 10**7),),
        destinations=Destinations(everywhere=True), watch=Watch(new_country=True, night_calls=10**9, short_calls=10**9),
    ),
}  # fmt: skip
"""Of which none is reached: what a call costs that has them."""


async def make_world(folder: Path, options: argparse.Namespace) -> World:
    clock, ids = VirtualClock(time.time()), SystemIds()
    store = SqliteStore(folder / "bench.db", Sealer(bytes(KEY_BYTES)))
    await store.open()
    account = Account("MA" + "0" * 18, "bench", None, ("t" * 40,), clock.wall(), limits=LIMITS[options.limits])
    await store.add_account(account)
    for index in range(NUMBERS):
        await store.add_number(VirtualNumber(Number(VIRTUAL.format(index)), account.id, None), clock.wall())
    for name, flow, prefix in (("callers", CALLERS, "+44"), ("callees", CALLEES, "+91")):
        await store.add_trunk(Trunk(name, name, None, flow.host, flow.port, prefixes=(prefix,)), clock.wall())
    create, virtual = CreateSession(store, clock, ids), []
    for index in range(options.sessions):
        wish = SessionWish(
            Number(CALLER.format(index)), Number(CALLEE.format(index)), SessionOptions(session_expiry=86_400)
        )
        session = await create(Scope(account.id, None), wish)
        virtual.append(session.virtual_number.digits)
    router = RouteCall(store, clock)
    await router.refresh()
    kinds = options.summaries.split(",") if options.summaries else []
    for kind in kinds:
        await store.set_endpoint(Endpoint(account.id, kind, "http://127.0.0.1/"))
    return World(store, router, virtual)


def count_instructions() -> None:
    """From now on."""
    subprocess.run(["callgrind_control", "-i", "on", str(os.getpid())], check=True, stdout=subprocess.DEVNULL)


async def bench(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        world = await make_world(Path(folder), options)
        world.run(BLOCK, options.rate, options.window)
        settle_memory()
        world.parts = Parts()
        profile = cProfile.Profile() if options.profile else None
        if options.callgrind:
            count_instructions()
        if profile:
            profile.enable()
        world.run(options.calls, options.rate, options.window)
        if profile:
            profile.disable()
        if not options.callgrind:
            world.parts.show()
        if profile:
            pstats.Stats(profile).sort_stats(options.sort).print_stats(options.lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--calls", type=int, default=4000)
    parser.add_argument("--rate", type=float, default=500)
    parser.add_argument("--window", type=float, default=0.020, help="seconds that a group commit gathers")
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--summaries", default="eight.session_summary", help="kinds of webhooks at the end of a call")
    parser.add_argument("--limits", choices=LIMITS, default="none", help="what the account may use")
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--sort", default="tottime")
    parser.add_argument("--lines", type=int, default=60)
    parser.add_argument("--callgrind", action="store_true", help="under valgrind: have it count from the first call on")
    options = parser.parse_args()
    if options.rate * (TALK + ANSWER) >= options.sessions:
        parser.error("a session carries one call at a time: more --sessions, or calls are refused, which costs little")
    asyncio.run(bench(options))


if __name__ == "__main__":
    main()
