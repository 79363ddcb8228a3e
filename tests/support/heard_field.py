"""A running platform between foreign telephones that can be heard: baresip and SIPp with captures, and a customer who
serves prompts and takes webhooks.

What it is: one platform per media driver with a line for each telephone, all at once, so that the calls of one test run
beside those of the others. What it is not: the tests (`tests/wire/test_heard_*.py`). Who uses it: those, by the fixture
`evening`.
"""

from __future__ import annotations

import asyncio
import threading
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache, wraps
from pathlib import Path
from typing import Any

import pytest

from maskline.lab import sound
from maskline.lab.inbox import Inbox, Received
from maskline.lab.leaks import find_leaks
from maskline.lab.platform import Platform
from maskline.lab.ports import free_ports
from maskline.lab.sound import Samples
from maskline.masking.call_record import CallRecord
from maskline.masking.e164 import parse_number
from maskline.workflows.add_number import add_number
from maskline.workflows.add_trunk import TrunkWish, add_trunk
from maskline.workflows.create_account import create_account
from maskline.workflows.set_webhook import set_webhook
from tests.support.baresip import Baresip
from tests.support.customer import KINDS, Customer
from tests.support.loop_thread import LoopThread
from tests.support.pcap import Tap
from tests.support.platform_store import services_of
from tests.support.rtpengine_process import RtpengineProcess
from tests.support.sipp_field import Side
from tests.support.sipp_script import Callee, Caller, Script

HOST = "127.0.0.1"
LINES, TENANTS = 90, 9
DRIVERS = ("embedded", "rtpengine")


class Voices:
    """What is said: the same in every run, and no two alike. Prompts are short, for the sake of the clock."""

    PROMPT, SECOND_PROMPT, PIN_PROMPT, WRONG_PIN, CONSENT = (sound.speech(seed, 1.2) for seed in range(50, 55))
    LONG_PROMPT = sound.speech(60, 15.0)

    @staticmethod
    @cache
    def of(seed: int) -> Samples:
        """A person who talks for 45 seconds, longer than any call here."""
        return sound.speech(seed, 45.0)


@dataclass(frozen=True)
class Line:
    number: str
    port: int
    """Of SIP."""
    rtp: int


@dataclass(frozen=True)
class Tenant:
    """An account with one virtual number."""

    id: str
    token: str
    virtual: str


class SippPhone:
    """A SIPp with its script and a tap at its media port."""

    def __init__(self, line: Line, script: Script, folder: Path, name: str) -> None:
        self.line, self.script = line, script
        self.side = Side(script, folder, name, HOST, line.port)
        self.side.media_port = line.rtp
        self.tap = Tap(line.rtp)

    def finish(self, within: float = 60.0) -> None:
        code = self.side.finish(within)
        assert code == 0, self.side.story()

    def stop(self) -> None:
        self.side.stop()
        self.tap.close()

    @property
    def sip_seen(self) -> bytes:
        return self.side.log.read_bytes() if self.side.log.exists() else b""


class Evening:
    """One driver's platform and everything around it."""

    def __init__(self, driver: str, folder: Path) -> None:
        self.driver, self.folder = driver, folder
        self._loop = LoopThread(f"customer of {driver}")
        self.customer = Inbox(HOST)
        self._daemon: RtpengineProcess | None = None
        settings = {"MASKLINE_SPEECH": "espeak"}
        if driver == "rtpengine":
            (folder / "rtpengine").mkdir()
            self._daemon = RtpengineProcess(folder / "rtpengine", free_ports(400))
            settings |= {
                "MASKLINE_MEDIA": "rtpengine", "MASKLINE_RTPENGINE": f"{HOST}:{self._daemon.ng_port}",
                "MASKLINE_RTPENGINE_RECORDINGS": str(self._daemon.recordings),
            }  # fmt: skip
        (folder / "platform").mkdir()
        self.platform = Platform(folder / "platform", HOST, **settings)
        self._lines = [Line(f"+44770090{index:04d}", *_ports()) for index in range(1, LINES + 1)]
        self._free, self.encrypted_lines = self._lines[:-2], self._lines[-2:]
        """Who is dialled on the latter is offered RTP/SAVP."""
        self._lock = threading.Lock()
        self._open_things: list[Any] = []
        self._tenants: list[Tenant] = []
        self._tellers = ThreadPoolExecutor(max_workers=LINES, thread_name_prefix=f"calls of {driver}")
        self._told: dict[str, Future[None]] = {}
        self._failed: set[str] = set()

    # -- life -----------------------------------------------------------------------------------------------------

    def open(self) -> None:
        if self._daemon is not None:
            self._daemon.start()
        self._loop.run(self.customer.open())
        for name, samples in vars(Voices).items():
            if name.isupper():
                self.customer.files[f"/{name.lower()}.wav"] = sound.wav(samples)
        asyncio.run(self._provision())
        asyncio.run(self.platform.start())

    async def _provision(self) -> None:
        async with services_of(self.platform) as services:
            store, clock, ids = services.store, services.clock, services.ids
            for index in range(TENANTS):
                account = await create_account(store, clock, ids, f"tenant {index}")
                virtual = f"+1800555019{index}"
                await add_number(store, clock, virtual, account.id)
                self._tenants.append(Tenant(account.id, account.auth_token, virtual))
            self._unused = self._tenants[1:]
            for line in self._lines:
                wish = TrunkWish(
                    f"line {line.number[-4:]}", HOST, line.port, prefixes=(line.number,), encrypts=True,
                    media="srtp" if line in self.encrypted_lines else "plain",
                )  # fmt: skip
                await add_trunk(store, clock, ids, wish)

    def close(self) -> None:
        self._tellers.shutdown(wait=True, cancel_futures=True)
        for thing in self._open_things:
            thing.stop()
        self.platform.stop()
        if self._daemon is not None:
            self._daemon.end()
        self._loop.run(self.customer.close())
        self._loop.close()
        self._assert_nothing_crossed()

    def _assert_nothing_crossed(self) -> None:
        """No telephone of the evening has seen another one's number, in whatever call."""
        numbers = {line.number: parse_number(line.number) for line in self._lines}
        for phone in self._open_things:
            if isinstance(phone, SippPhone | Baresip):
                own = phone.number if isinstance(phone, Baresip) else phone.line.number
                others = [number for text, number in numbers.items() if text != own]
                assert [leak for number in others for leak in find_leaks([phone.sip_seen], number)] == [], own

    # -- stories, told side by side ---------------------------------------------------------------------------------

    def begin(self, name: str, story: Callable[[Evening], None]) -> None:
        self._told[name] = self._tellers.submit(story, self)

    def outcome(self, name: str) -> None:
        """Wait for a story; raises what it raised. Who asks again after that has it told anew (decision 0033)."""
        if name in self._failed:
            self._failed.remove(name)
            self.begin(name, STORIES[name])
        try:
            self._told[name].result(timeout=200)
        except BaseException:
            self._failed.add(name)
            raise

    # -- people ---------------------------------------------------------------------------------------------------

    def line(self) -> Line:
        """One nobody else has."""
        with self._lock:
            return self._free.pop()

    @property
    def tenant(self) -> Tenant:
        """The one that most calls share."""
        return self._tenants[0]

    def own_tenant(self) -> Tenant:
        """One nobody else has: what a caller nobody knows is asked is a matter of the number, not of a session."""
        with self._lock:
            return self._unused.pop()

    def application(self, tenant: Tenant) -> Customer:
        """A customer's own application that is asked about calls to this tenant's number, and hears of them."""
        folder = self.folder / f"application-{tenant.id}"
        folder.mkdir()
        made = Customer(folder)
        self._open_things.append(made)
        made.start()

        async def point() -> None:
            async with services_of(self.platform) as services:
                for kind, path in KINDS.items():
                    await set_webhook(services.store, tenant.id, kind, made.url(path), external_id="heard")

        asyncio.run(point())
        return made

    def baresip(self, voice: int, line: Line | None = None, **options: Any) -> Baresip:
        """A telephone that says `Voices.of(voice)` when it is connected."""
        line = line or self.line()
        folder = self.folder / f"baresip-{line.number[-4:]}"
        phone = Baresip(folder, line.number, line.port, line.rtp, Voices.of(voice), **options)
        self._open_things.append(phone)
        phone.start()
        return phone

    def sipp_caller(self, tenant: Tenant | None = None) -> tuple[SippPhone, Caller]:
        """A caller of the virtual number whose script is to be written, then `dial`."""
        line = self.line()
        script = Caller(line.number[1:], (tenant or self.tenant).virtual[1:])
        return self._sipp(line, script, "caller"), script

    def sipp_callee(self) -> tuple[SippPhone, Callee]:
        line = self.line()
        script = Callee(line.number[1:])
        return self._sipp(line, script, "callee"), script

    def _sipp(self, line: Line, script: Script, name: str) -> SippPhone:
        folder = self.folder / f"sipp-{line.number[-4:]}"
        folder.mkdir()
        phone = SippPhone(line, script, folder, name)
        self._open_things.append(phone)
        return phone

    def dial(self, phone: SippPhone | Baresip, tenant: Tenant | None = None) -> None:
        """`tenant`: whose number a baresip dials; a SIPp's script says it."""
        if isinstance(phone, Baresip):
            phone.dial((tenant or self.tenant).virtual, self.platform.sip_address)
        else:
            phone.side.start(f"{HOST}:{self.platform.sip_port}")

    # -- the customer -------------------------------------------------------------------------------------------------

    def session(self, first: str, second: str, tenant: Tenant | None = None, **options: Any) -> dict[str, Any]:
        """Create one over REST; `…_play` options may be names of `Voices`."""
        body = {"first_party": first, "second_party": second, "callback_url": self.customer.url("/hook")}
        body |= {key: self._url(value) for key, value in options.items()}
        return self.rest("POST", "Masking/Session/", body, tenant)

    def _url(self, value: Any) -> Any:
        path = f"/{str(value).lower()}.wav"
        return self.customer.url(path) if path in self.customer.files else value

    def rest(
        self, method: str, path: str, body: dict[str, Any] | None = None, tenant: Tenant | None = None
    ) -> dict[str, Any]:
        who = tenant or self.tenant
        answer = self._loop.run(self.platform.rest(method, f"/v1/Account/{who.id}/{path}", (who.id, who.token), body))
        status, document = answer
        assert status < 300, (status, document)
        return dict(document)

    def events(self, session: dict[str, Any]) -> list[Received]:
        """Webhooks about this session, in the order they were made."""
        mine = [
            item for item in list(self.customer.received)
            if item.path == "/hook" and item.values.get("SessionUUID") == session["session_uuid"]
        ]  # fmt: skip
        return sorted(mine, key=lambda item: int(item.values.get("SequenceNumber") or 0))

    def wait_for_event(self, session: dict[str, Any], name: str, count: int = 1, within: float = 30.0) -> Received:
        """The `count`-th webhook with this event name."""
        deadline = time.monotonic() + within
        while True:
            found = [item for item in self.events(session) if item.event == name]
            if len(found) >= count:
                return found[count - 1]
            told = [item.event for item in self.events(session)]
            assert time.monotonic() < deadline, f"no {name} within {within} s, but {told}"
            time.sleep(0.05)

    def fetch(self, url: str) -> bytes:
        """A link of the platform."""
        with urllib.request.urlopen(url, timeout=30) as answer:
            return bytes(answer.read())

    def record(self, number: str, within: float = 30.0) -> CallRecord:
        """The record of the one call with the telephone of this number, once it is there."""
        deadline = time.monotonic() + within
        while not (found := asyncio.run(self._records(number))):
            assert time.monotonic() < deadline, f"no record within {within} s: {self.platform.log_tail(20)}"
            time.sleep(0.1)
        assert len(found) == 1
        return found[0]

    async def _records(self, number: str) -> list[CallRecord]:
        async with services_of(self.platform) as services:
            calls = [call for who in self._tenants for call in await services.store.calls(who.id, limit=100)]
        ends = ((call, [end for leg in call.legs for end in (leg.source, leg.destination)]) for call in calls)
        return [call for call, numbers in ends if any(end is not None and end.e164 == number for end in numbers)]

    def facts(self, record: CallRecord, name: str) -> list[dict[str, Any]]:
        """The call's facts of this name, as the log keeps them."""

        async def read() -> list[dict[str, Any]]:
            async with services_of(self.platform) as services:
                facts = await services.store.facts(record.id)
            return [asdict(fact) for fact in facts if fact.name == name]

        return asyncio.run(read())


def together(story: Callable[[Evening], None]) -> Callable[[Evening], None]:
    """A test whose calls run beside those of all others so marked: most of their time is waiting."""
    STORIES[story.__name__] = story

    @wraps(story)
    def awaited(evening: Evening) -> None:
        evening.outcome(story.__name__)

    # The first one waits for both platforms too.
    marked: Callable[[Evening], None] = pytest.mark.timeout(300)(awaited)
    return marked


OF_THAT_TALK = 0.5
"""How like what was said all that a telephone heard is at least. Its own jitter buffer lets go of a packet where they
come late, and all behind is moved by 20 ms (0.79 on a busy machine); the talk of others is 0.3 like it at most."""
STORIES: dict[str, Callable[[Evening], None]] = {}


def _ports() -> tuple[int, int]:
    """A SIP port, and the first of eighteen for media."""
    first, _ = free_ports(24)
    return first, first + 4
