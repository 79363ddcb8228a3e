"""A customer's application for load tests: answers Voice Call Actions, takes every other webhook, tells its own time.

What it is: a process of its own on one core, httptools on uvloop, as quick as Python can be, which knows nothing of the
platform. A `CALL_ACTION` is answered with the `makeCall` of the file that `--calls` names (lines of caller;virtual
number;callee, digits), everything else with an empty 200. At SIGTERM it prints one JSON document: requests by event,
and its own time for each Voice Call Action, from the first byte it read to its answer's write, in microseconds. What it
is not: a test, or an example to copy. Started by `tools/bench_vca.py` and the load test.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httptools
import uvloop

_EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"


class Desk:
    """What all connections share."""

    def __init__(self, calls: Path | None) -> None:
        self.callees: dict[tuple[str, str], str] = {}
        for line in calls.read_text().splitlines() if calls else ():
            caller, virtual, callee = line.split(";")
            self.callees["+" + caller, "+" + virtual] = callee
        self.events: Counter[str] = Counter()
        self.microseconds: list[int] = []
        self.connections = 0

    def answer(self, body: bytes) -> bytes:
        try:
            document = json.loads(body)
        except ValueError:
            self.events["unreadable"] += 1
            return _EMPTY
        event = document.get("eventType") or document.get("Event") or "other"
        self.events[event] += 1
        return self.route(document["payload"]) if event == "CALL_ACTION" else _EMPTY

    def route(self, payload: dict[str, Any]) -> bytes:
        caller, virtual = payload["source"], payload["destination"]
        callee = self.callees.get((caller, virtual))
        flow: list[dict[str, Any]] = [{"action": "hangup"}]
        if callee is not None and payload["callStatus"] == "CALL_RECEIVED":
            flow = [{"action": "makeCall", "params": {"source": virtual, "destination": callee}}]
        text = json.dumps({"clientActionId": "first", "callflow": flow}).encode()
        return _JSON % (len(text), text)


class Connection(asyncio.Protocol):
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.parser = httptools.HttpRequestParser(self)
        self.body = b""
        self.began = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.desk.connections += 1
        self.transport: Any = transport  # uvloop's own class, no subclass of asyncio's

    def data_received(self, data: bytes) -> None:
        if not self.began:
            self.began = time.perf_counter_ns()
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        answer = self.desk.answer(self.body)
        self.transport.write(answer)
        if answer is not _EMPTY:
            self.desk.microseconds.append((time.perf_counter_ns() - self.began) // 1000)
        self.body, self.began = b"", 0


async def serve(host: str, port: int, calls: Path | None) -> None:
    desk, loop, stopped = Desk(calls), asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    server = await loop.create_server(lambda: Connection(desk), host, port, backlog=1024)
    print("ready", flush=True)
    await stopped.wait()
    server.close()
    report = {"events": desk.events, "connections": desk.connections, "call_action_us": desk.microseconds}
    json.dump(report, sys.stdout)
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--calls", type=Path)
    options = parser.parse_args()
    uvloop.run(serve(options.host, options.port, options.calls))


if __name__ == "__main__":
    main()
