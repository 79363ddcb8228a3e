"""The sample customer of `customer_app.py` from a test's side: started, told who is booked with whom, asked what came.

What it is: the process and a few questions about its log, each bounded in time. What it is not: part of what is tested.
Who uses it: tests/wire/test_call_action*.py and test_heard_call_action.py.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).with_name("customer_app.py")
KINDS = {
    "eight.call_action": "/vca", "eight.call_status": "/vcs", "eight.session_summary": "/vss",
    "wavecell.call_status": "/wavecell",
}  # fmt: skip
"""Endpoint kinds and where the customer takes them."""
Payload = dict[str, Any]


class Customer:
    def __init__(self, folder: Path) -> None:
        self._errors = folder / "customer.errors"
        self._process: subprocess.Popen[str] | None = None
        self._url = ""

    def start(self) -> None:
        with self._errors.open("w") as errors:
            # -I: nothing of this project is on its path.
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                text=True,
            )  # fmt: skip
        assert self._process.stdout is not None
        port = self._process.stdout.readline().strip()
        assert port, self._errors.read_text()
        self._url = f"http://127.0.0.1:{port}"

    def stop(self) -> None:
        if self._process is not None:
            self._process.communicate(timeout=30)

    def url(self, path: str) -> str:
        return self._url + path

    def book(self, first: str, virtual: str, second: str) -> None:
        self._ask("PUT", "/book", {"bookings": [[first, virtual, second]]})

    def expect_signatures(self, secret: str) -> None:
        """From now on a request without a good one is a fault."""
        self._ask("PUT", "/book", {"secret": secret})

    def script(self, number: str, *answers: dict[str, Any]) -> None:
        """What to answer when this number is on leg A; each for one `after`."""
        self._ask("PUT", "/book", {"scripts": {number: list(answers)}})

    def offer(self, path: str, file: bytes) -> str:
        """The URL of a file that it has from now on."""
        request = urllib.request.Request(self._url + path, file, method="PUT")
        urllib.request.urlopen(request, timeout=30).close()
        return self._url + path

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    # -- what came -------------------------------------------------------------------------------------------------
    @property
    def faults(self) -> list[str]:
        """What was not as the vendor documents it."""
        return list(self._ask("GET", "/log")["faults"])

    def received(self, path: str) -> list[dict[str, Any]]:
        """Requests on `path` as {path, headers, body}, in the order of arrival."""
        return [item for item in self._ask("GET", "/log")["received"] if item["path"] == path]

    def actions(self, number: str) -> list[Payload]:
        """The call actions so far of calls that this number is on."""
        return [item["body"]["payload"] for item in self.received("/vca") if number in _ends(item["body"]["payload"])]

    def asked(self, number: str, times: int, within: float = 30.0) -> list[Payload]:
        """The call actions of calls that this number is on, once there are so many."""
        return _until(lambda: self.actions(number), times, within, f"{times} call actions for {number[-4:]}")

    def summary(self, number: str, within: float = 30.0) -> Payload:
        """Of the one call with this number."""

        def look() -> list[Payload]:
            payloads = (item["body"]["payload"] for item in self.received("/vss"))
            return [payload for payload in payloads if _concerns(payload, number)]

        (found,) = _until(look, 1, within, f"a session summary of the call with {number[-4:]}")
        return found

    def wavecell(self, session_id: str, within: float = 30.0) -> Payload:
        def look() -> list[Payload]:
            bodies = (item["body"] for item in self.received("/wavecell"))
            return [body for body in bodies if body["sessionId"] == session_id]

        (found,) = _until(look, 1, within, "an aggregated call status")
        return found

    def statuses(self, session_id: str, count: int, within: float = 30.0) -> list[Payload]:
        """The call statuses of this session once there are so many."""

        def look() -> list[Payload]:
            payloads = (item["body"]["payload"] for item in self.received("/vcs"))
            return [payload for payload in payloads if payload["sessionId"] == session_id]

        return _until(look, count, within, f"{count} call statuses")


def _until(look: Callable[[], list[Payload]], count: int, within: float, what: str) -> list[Payload]:
    deadline = time.monotonic() + within
    while len(found := look()) < count:
        assert time.monotonic() < deadline, f"no {what} within {within} s, but {len(found)}"
        time.sleep(0.1)
    return found


def _ends(payload: Payload) -> tuple[Any, Any]:
    return payload.get("source"), payload.get("destination")


def _concerns(summary: Payload, number: str) -> bool:
    return any(number in _ends(leg) for leg in summary["details"].values())
