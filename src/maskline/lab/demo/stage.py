"""The stage of the demo: a platform as a child process, a carrier, phones and a customer's web server in this one.

What it is: what every scenario needs, started, set up through the public doors alone, and ended again. What it is not:
a story or a judgement. Who uses it: the scenarios of `lab/demo`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from maskline.lab.carrier import Carrier
from maskline.lab.inbox import Inbox, Received
from maskline.lab.phone import Behaviour, Phone
from maskline.lab.platform import LabError, Platform
from maskline.masking.e164 import Number, parse_number

HOST = "127.0.0.1"
RIDER, DRIVER, STRANGER, VIRTUAL = "+6591110042", "+6598760007", "+6592220013", "+6531580001"
"""The stranger is a second telephone of the rider's that nobody registered."""
TONES = {"rider": 440, "driver": 1000, "stranger": 700}


class Stage:
    """Everything the demo starts, and ends again."""

    def __init__(self, folder: Path, say: Callable[[str], None], settings: dict[str, str]) -> None:
        self.folder = folder
        self.say = say
        self.platform = Platform(folder, HOST, **settings)
        self.carrier = Carrier(self.platform.sip_address)
        self.rider = Phone("rider", parse_number(RIDER), TONES["rider"])
        self.driver = Phone("driver", parse_number(DRIVER), TONES["driver"])
        self.stranger = Phone("stranger", parse_number(STRANGER), TONES["stranger"])
        self.phones = (self.rider, self.driver, self.stranger)
        self.inbox = Inbox(HOST)
        self.account: dict[str, Any] = {}

    async def open(self) -> None:
        """Start all of it, and set up the account; raises `LabError`."""
        self.say("Starting `maskline serve` (SIP, HTTP, media relay) as a process of its own …")
        await self.platform.start()
        await self.carrier.open(HOST)
        for phone in self.phones:
            await phone.open(HOST)
            self.carrier.add_line(phone.number, phone.address)
        await self.inbox.open()
        self.say(
            f"  SIP {HOST}:{self.platform.sip_port}, HTTP {self.platform.url}, carrier {HOST}:{self.carrier.address[1]}"
        )
        await self._provision()

    async def close(self, *, calls_may_end: bool = True) -> None:
        """`calls_may_end`: as in `Platform.stop`."""
        try:
            for phone in self.phones:
                phone.close()
            self.carrier.close()
            await self.inbox.close()
        finally:
            await asyncio.to_thread(partial(self.platform.stop, calls_may_end=calls_may_end))

    # -- provisioning: only public doors ------------------------------------------------------------------------

    async def cli(self, *arguments: str) -> Any:
        """`maskline ARGUMENTS --json`, told as it is done."""
        self.say("  $ maskline " + " ".join(arguments))
        return await asyncio.to_thread(self.platform.cli, *arguments)

    async def _provision(self) -> None:
        self.say("Setting up through the command line:")
        self.account = await self.cli("account", "create", "demo")
        await self.cli("number", "add", VIRTUAL, "--account", self.account["auth_id"], "--reference-id", "demo-pool")
        host, port = self.carrier.address
        await self.cli("trunk", "add", "lab-carrier", "--host", host, "--port", str(port))

    async def rest(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        """One request to the Plivo dialect, below the account."""
        auth_id, token = self.account["auth_id"], self.account["auth_token"]
        return await self.platform.rest(method, f"/v1/Account/{auth_id}/{path}", (auth_id, token), body)

    async def create_session(self, **options: Any) -> dict[str, Any]:
        """A session of rider and driver, over REST as a Plivo customer makes it."""
        shown = " ".join(f"{key}={_shown(value)}" for key, value in options.items())
        self.say("Creating the masking session over REST, as a Plivo customer does:")
        self.say(f"  POST /v1/Account/{self.account['auth_id']}/Masking/Session/")
        self.say("    " + f"first_party=rider second_party=driver {shown}".strip())
        wanted = {"first_party": RIDER, "second_party": DRIVER, "callback_url": self.inbox.url("/plivo"), **options}
        status, body = await self.rest("POST", "Masking/Session/", wanted)
        if status != 201:
            raise LabError(f"creating the session answered {status}: {body}")
        self.say(f"  201 {body['message']}: virtual number {body['virtual_number']}")
        return dict(body)

    async def end_session(self, session: dict[str, Any]) -> None:
        """The parties are free for another session of the same number."""
        status, body = await self.rest("DELETE", f"Masking/Session/{session['session_uuid']}/")
        if status >= 300:
            raise LabError(f"ending the session answered {status}: {body}")

    # -- calls --------------------------------------------------------------------------------------------------

    async def prepare(self, **behaviours: Behaviour) -> None:
        """Fresh phones for the next call; all answer unless told otherwise by name."""
        for phone in self.phones:
            await phone.reset(behaviours.get(phone.name, Behaviour.ANSWER))

    def dial(self, phone: Phone, number: Number | None = None) -> None:
        phone.dial(number or parse_number(VIRTUAL), self.carrier.address)

    def heard_of(self, session: dict[str, Any]) -> list[Received]:
        """The session's webhooks so far, in the order of arrival."""
        return [
            item for item in self.inbox.received
            if item.path == "/plivo" and item.values.get("SessionUUID") == session["session_uuid"]
        ]  # fmt: skip

    async def hooks(self, session: dict[str, Any], last: str, within: float = 15.0) -> list[Received]:
        """The session's webhooks in the order of arrival, waited for until one is called `last`."""
        deadline = asyncio.get_running_loop().time() + within
        while True:
            mine = self.heard_of(session)
            if any(item.event == last for item in mine) or asyncio.get_running_loop().time() > deadline:
                return mine
            await self.inbox.wait_for(sum(item.path == "/plivo" for item in self.inbox.received) + 1, "/plivo", 1.0)


async def happened(event: asyncio.Event, seconds: float = 10.0) -> bool:
    """Whether it did within this time."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return False
    return True


def _shown(value: Any) -> str:
    """Links to the lab's own files are told by their names."""
    text = str(value)
    return text.rpartition("/")[2] if text.startswith("http") else text
