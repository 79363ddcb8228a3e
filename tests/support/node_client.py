"""The vendor's Node client as a process that tests ask line by line (tests/contract/node/driver.mjs)."""

from __future__ import annotations

import fcntl
import json
import os
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.vendor_address import VendorAddress
from tools import setup_env

_ANSWER_SECONDS = 30.0


class NodeError(Exception):
    """What the client rejected with. `args[0]` is its message."""

    def __init__(self, told: dict[str, Any]) -> None:
        super().__init__(told["message"])
        self.status: int | None = told["status"]
        self.api_id: str | None = told["apiID"]


class NodeClient:
    """`client.getMaskingSession(uuid)` is that call of the vendor's client, its result as plain values."""

    def __init__(self, process: subprocess.Popen[str], account: list[str], resource: str = "maskingSession") -> None:
        self._process = process
        self._account = account
        self._resource = resource

    def as_account(self, account: Any) -> NodeClient:
        """The same process with other credentials."""
        return NodeClient(self._process, [account.id, account.auth_token], self._resource)

    def of(self, resource: str) -> NodeClient:
        """The same client's methods of another resource: `numbers`, `subaccounts`."""
        return NodeClient(self._process, self._account, resource)

    def __getattr__(self, method: str) -> Any:
        def call(*args: Any) -> Any:
            question = {"account": self._account, "resource": self._resource, "method": method, "args": args}
            answer = ask(self._process, question)
            if "error" in answer:
                raise NodeError(answer["error"])
            return answer["result"]

        return call


def ask(process: subprocess.Popen[str], question: dict[str, Any]) -> Any:
    assert process.stdin is not None
    process.stdin.write(json.dumps(question) + "\n")
    process.stdin.flush()
    return read_line(process)


def read_line(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], _ANSWER_SECONDS)
    assert ready, f"the Node client said nothing for {_ANSWER_SECONDS:.0f} s"
    line = process.stdout.readline()
    assert line, f"the Node client ended with {process.wait(30)}"
    return json.loads(line)


@contextmanager
def node_client(vendor: VendorAddress) -> Iterator[tuple[NodeClient, dict[str, str]]]:
    """The client for the vendor's main account, and what it says of itself (`version`, `node`)."""
    install_packages()
    process = subprocess.Popen(
        ["node", str(setup_env.NODE_PROJECT / "driver.mjs")],
        env={**os.environ, "LAB_PROXY": vendor.proxy_url, "NODE_EXTRA_CA_CERTS": str(vendor.authority)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield NodeClient(process, [vendor.account.id, vendor.account.auth_token]), read_line(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)


def install_packages() -> None:
    """What `make setup` does, for those who call pytest themselves; a failure fails the test, it is never skipped."""
    with (setup_env.NODE_PROJECT / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # test workers run side by side
        setup_env.set_up_node()
