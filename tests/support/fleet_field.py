"""Phones around a fleet: a carrier over UDP, telephones that are trunks of their own over TCP and TLS, and a scanner.

What it is: the numbers, trunks, sessions and phones of tests with two engines behind Kamailio, and what tests ask of
them all. What it is not: the processes (`fleet.py`). Who uses it: tests/wire/test_two_engines.py, test_proxy_edges.py.
"""

from __future__ import annotations

import asyncio
import re
import socket
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

from maskline.lab.carrier import Carrier
from maskline.lab.phone import Behaviour, Phone
from maskline.masking.e164 import Number, parse_number
from maskline.net.tls import Tls, TlsFiles
from tests.support.certificates import Authority
from tests.support.fleet import OUTSIDE, Fleet, ProxyTls
from tests.support.programs import need
from tests.support.waiting import until

OUTER, STRANGER = "127.0.0.65", "127.0.0.66"
VIRTUAL, SMALL = parse_number("+6531000001"), parse_number("+6531000002")
"""Of the usual account, and of one that may have one call at a time."""
Couple = tuple[Phone, Phone]


class Field:
    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.fleet = Fleet(folder, tls=ProxyTls(self.authority.issue("proxy.pem", [OUTSIDE]), self.authority.path))
        self.carrier = Carrier(self.fleet.proxy.outside)
        self.phones: list[Phone] = []
        self._numbers = count()
        self._dialled = self._seen = 0
        self._accounts: dict[str, str] = {}
        """By virtual number."""
        self._own_phones: set[str] = set()
        """Transports whose trunk there is."""

    # -- life -----------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        await self.carrier.open(OUTER)
        await self.fleet.start()
        await self.account(VIRTUAL)
        await self.trunk("carrier", self.carrier.address)

    async def whole(self) -> None:
        """Both engines up, and known to be."""
        for one in self.fleet.engines.values():
            if not one.is_running:
                await one.start()
        await until(lambda: len(self.fleet.proxy.takes_calls_by()) == 2, what="both engines up")

    def close(self) -> None:
        for phone in self.phones:
            phone.close()
        self.carrier.close()
        self.fleet.close()

    async def cli(self, *arguments: str) -> Any:
        return await asyncio.to_thread(self.fleet.cli, *arguments)

    async def account(self, virtual: Number, *limits: str) -> None:
        auth_id = (await self.cli("account", "create", f"of {virtual.e164[-1]}", "--country", "anywhere"))["auth_id"]
        await self.cli("number", "add", virtual.e164, "--account", auth_id)
        if limits:
            await self.cli("account", "limits", auth_id, *limits)
        self._accounts[virtual.e164] = auth_id
        await asyncio.sleep(1.1)  # engines look at what was configured every second

    async def trunk(self, name: str, address: tuple[str, int], *options: str) -> None:
        await self.cli("trunk", "add", name, "--host", address[0], "--port", str(address[1]), *options)
        await asyncio.sleep(1.1)

    # -- phones ---------------------------------------------------------------------------------------------------

    async def phone(self, behaviour: Behaviour = Behaviour.ANSWER) -> Phone:
        """A line of the carrier's."""
        phone = self._new("65812", behaviour)
        await phone.open(OUTER)
        self.carrier.add_line(phone.number, phone.address)
        return phone

    async def own_phone(self, host: str, transport: str, name: str = "") -> Phone:
        """One that is a trunk of its own; `name`: in its certificate."""
        phone = self._new("65912" if transport == "tcp" else "65982", Behaviour.ANSWER)
        files = TlsFiles(self.authority.issue(f"{phone.name}.pem", [name]), trusted=self.authority.path,
                         client_trusted=self.authority.path) if name else None  # fmt: skip
        await phone.open(host, transport, None if files is None else Tls(files))
        named = ("--tls-name", name) if name else ()
        if transport in self._own_phones:  # a second try of the test
            await self.cli("trunk", "remove", transport)
        self._own_phones.add(transport)
        await self.trunk(transport, phone.address, "--transport", transport, "--prefix", phone.number.e164, *named)
        return phone

    def _new(self, prefix: str, behaviour: Behaviour) -> Phone:
        index = next(self._numbers)
        self.phones.append(Phone(f"p{index}", Number(f"{prefix}{index:05}"), 300 + 20 * index, behaviour))
        return self.phones[-1]

    async def pair(self, caller: Phone, callee: Phone, virtual: Number = VIRTUAL) -> Couple:
        account = self._accounts[virtual.e164]
        await self.cli("session", "create", caller.number.e164, callee.number.e164, "--account", account)
        return caller, callee

    def dial(self, caller: Phone, virtual: Number, through: tuple[str, int]) -> None:
        self._dialled += 1
        caller.dial(virtual, through)

    async def dialled(self, couples: int, virtual: Number = VIRTUAL, answer: bool = True) -> list[Couple]:
        """Each calls, and the other rings."""
        behaviour = Behaviour.ANSWER if answer else Behaviour.RING
        made = [await self.pair(await self.phone(), await self.phone(behaviour), virtual) for _ in range(couples)]
        for caller, _ in made:
            self.dial(caller, virtual, self.carrier.address)
        for caller, callee in made:
            await self.comes_to_that(caller, callee, callee.ringing, callee.answered if answer else caller.ringing)
        return made

    async def comes_to_that(self, caller: Phone, callee: Phone, *events: asyncio.Event) -> None:
        """Between the two; an error says what came instead."""
        try:
            await happened(*events)
        except TimeoutError:
            told = [item.first_line for item in caller.trace + callee.trace]
            calls = (await self.cli("call", "list", "--limit", "4"))["calls"]
            raise AssertionError(f"{told}\n{calls}") from None

    async def talk(self, couples: int, virtual: Number = VIRTUAL) -> dict[str, list[Couple]]:
        """Established calls, by the engine that has each."""
        found: dict[str, list[Couple]] = {name: [] for name in self.fleet.engines}
        for couple in await self.dialled(couples, virtual):
            await happened(couple[0].answered)
            found[engine_of(couple[0])].append(couple)
        return found

    async def turn_to(self, name: str) -> None:
        """Have the next call go to this engine: the proxy gives them in turns."""
        while not (calls := await self.talk(1))[self.other(name)]:
            await self.end(*calls[name])
        await self.end(*calls[self.other(name)])

    def other(self, name: str) -> str:
        return next(one for one in self.fleet.engines if one != name)

    async def end(self, *couples: Couple) -> None:
        for caller, callee in couples:
            caller.hang_up()
            await over(caller, callee)

    # -- what is known ----------------------------------------------------------------------------------------------

    def metrics(self, name: str) -> dict[str, float]:
        with urllib.request.urlopen(self.fleet.engines[name].url + "/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}

    def recovered(self, name: str) -> float:
        return self.metrics(name)["maskline_calls_recovered_total"]

    def is_idle(self, name: str) -> bool:
        return not self.metrics(name)["maskline_calls_in_progress"]

    async def records(self) -> list[dict[str, Any]]:
        """Of the calls dialled since this was asked last, once all have theirs."""
        seen, dialled = self._seen, self._dialled
        for _ in range(100):
            if len(found := (await self.cli("call", "list", "--limit", "200"))["calls"]) >= dialled:
                break
            await asyncio.sleep(0.2)
        assert len(found) == dialled
        self._seen = dialled
        return list(found[: dialled - seen])


@asynccontextmanager
async def opened_field(folder: Path) -> AsyncIterator[Field]:
    need("kamailio", "kamcmd", "rtpengine")
    made = Field(folder)
    try:
        await made.open()
        yield made
    finally:
        made.close()


def assert_unseen(phone: Phone, hidden: Iterable[str]) -> None:
    """None of it came to the phone."""
    for item in phone.trace:
        for each in hidden:
            assert item.sent or each.encode() not in item.data, item.data.decode()


def causes(records: list[dict[str, Any]]) -> Counter[str]:
    """So many of each."""
    return Counter(record["cause"] for record in records)


async def happened(*events: asyncio.Event, within: float = 30.0) -> None:
    async with asyncio.timeout(within):
        for event in events:
            await event.wait()


async def over(*phones: Phone, within: float = 30.0) -> None:
    try:
        await happened(*[phone.ended for phone in phones], within=within)
    except TimeoutError:
        told = [item.first_line for phone in phones for item in phone.trace]
        raise AssertionError(f"{[phone.ended.is_set() for phone in phones]} {told}") from None


async def hold(phone: Phone) -> None:
    """Until the far side has agreed."""
    before = _answers(phone)
    phone.hold()
    await until(lambda: _answers(phone) > before, what="the answer to a re-INVITE")


def _answers(phone: Phone) -> int:
    return sum(not item.sent and item.data.startswith(b"SIP/2.0 200 ") for item in phone.trace)


def engine_of(phone: Phone) -> str:
    """Whose id is in the Contact that this phone got with what rang or answered."""
    for item in reversed(phone.trace):
        found = re.search(rb"\r\nContact: <sip:([^@]+)@", item.data)
        if not item.sent and re.match(rb"SIP/2.0 (180|200) ", item.data) and found:
            return found[1].decode()
    raise AssertionError([item.first_line for item in phone.trace])


class Scanner:
    """Whoever has no trunk, pretending to be the proxy of the engines."""

    def __init__(self, proxy: tuple[str, int], trunk: tuple[str, int]) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((STRANGER, 0))
        self._socket.setblocking(False)
        for index, method in enumerate(("OPTIONS", "INVITE", "REGISTER", "BYE")):
            tag = ";tag=x" if method == "BYE" else ""
            peer = f"X-Maskline-Peer: sip:{trunk[0]}:{trunk[1]};transport=udp\r\n"
            text = (
                f"{method} sip:{VIRTUAL.digits}@{proxy[0]} SIP/2.0\r\n{peer}x-maskline-peer : sip:{trunk[0]}:9\r\n"
                f"Via: SIP/2.0/UDP {STRANGER}:{self._socket.getsockname()[1]};branch=z9hG4bKs{index};rport\r\n"
                f"Max-Forwards: 70\r\nFrom: <sip:+6581200001@{STRANGER}>;tag={index}\r\n"
                f"To: <sip:{VIRTUAL.digits}@{proxy[0]}>{tag}\r\nCall-ID: scan{index}\r\nCSeq: 1 {method}\r\n"
                f"Contact: <sip:s@{STRANGER}>\r\nContent-Length: 0\r\n\r\n"
            )
            self._socket.sendto(text.encode(), proxy)

    def heard(self) -> bytes:
        try:
            return self._socket.recv(65_535)
        except BlockingIOError:
            return b""
        finally:
            self._socket.close()
