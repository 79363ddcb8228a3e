"""Names that are remembered: asked for once, used while nobody answers, and forgotten."""

from __future__ import annotations

import asyncio
import gc
import socket

import pytest

from maskline.net import known_names
from maskline.net.egress import EgressError, Failure
from maskline.net.known_names import KnownNames

HOST = "hooks.example"
SILENCE = "silence"
AWAY = socket.gaierror(socket.EAI_AGAIN, "temporary failure")
GONE = socket.gaierror(socket.EAI_NONAME, "no such name")
Reply = list[str] | Exception | str


class Server:
    """Says one reply after the other, the last one for ever."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.asked = 0
        self.speaks = asyncio.Event()
        self.known = KnownNames(self.look_up)

    async def look_up(self, host: str, port: int) -> list[str]:
        self.asked += 1
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if reply == SILENCE:
            await self.speaks.wait()
            reply = self.replies[0]
        if isinstance(reply, Exception):
            raise type(reply)(*reply.args)  # another one each time: nothing else holds what it holds
        assert isinstance(reply, list)
        return reply

    async def tells(self, host: str = HOST) -> list[str]:
        async with asyncio.timeout(30):
            return await self.known.addresses(host, 443)

    async def refuses(self) -> Failure:
        with pytest.raises(EgressError) as raised:
            await self.tells()
        return raised.value.failure


@pytest.fixture
def stale(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each name is to be asked for again at once."""
    monkeypatch.setattr(known_names, "FRESH", 0.0)
    monkeypatch.setattr(known_names, "PATIENCE", 0.01)


async def test_a_name_is_asked_for_once_by_all_who_wait_and_not_again_for_a_while() -> None:
    server = Server(["192.0.2.1"], ["192.0.2.2"])
    assert await asyncio.gather(*(server.tells() for _ in range(3))) == [["192.0.2.1"]] * 3
    assert (await server.tells(), server.asked) == (["192.0.2.1"], 1)


async def test_a_name_that_was_well_is_used_while_nobody_answers_and_asked_for_once(stale: None) -> None:
    server = Server(["192.0.2.1"], SILENCE, ["192.0.2.2"])
    assert [await server.tells() for _ in range(4)] == [["192.0.2.1"]] * 4
    assert server.asked == 2
    server.speaks.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert await server.tells() == ["192.0.2.2"]
    await server.known.close()


async def test_what_comes_in_time_is_what_is_used(stale: None) -> None:
    server = Server(["192.0.2.1"], ["192.0.2.2"])
    assert [await server.tells() for _ in range(2)] == [["192.0.2.1"], ["192.0.2.2"]]


async def test_a_name_that_was_well_outlives_name_servers_that_fail_but_not_its_own_end(stale: None) -> None:
    server = Server(["192.0.2.1"], AWAY, GONE, AWAY)
    assert [await server.tells() for _ in range(2)] == [["192.0.2.1"]] * 2
    assert [await server.refuses() for _ in range(2)] == [Failure.UNKNOWN_NAME] * 2


@pytest.mark.parametrize("reply", [AWAY, GONE, OSError("away"), []])
async def test_a_name_that_nobody_knows_is_asked_for_again_each_time(reply: Reply) -> None:
    server = Server(reply)
    assert [await server.refuses() for _ in range(2)] == [Failure.UNKNOWN_NAME] * 2
    assert server.asked == 2


async def test_a_name_that_cannot_be_one_is_no_url() -> None:
    assert await Server(UnicodeError()).refuses() is Failure.INVALID_URL


async def test_addresses_are_not_used_for_ever(stale: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_names, "WELL_FOR", 0.0)
    server = Server(["192.0.2.1"], AWAY)
    assert await server.tells() == ["192.0.2.1"]
    assert await server.refuses() is Failure.UNKNOWN_NAME


async def test_a_look_up_that_nobody_waited_for_fails_without_a_word(stale: None) -> None:
    faults: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    server = Server(["192.0.2.1"], SILENCE, AWAY)
    assert [await server.tells() for _ in range(2)] == [["192.0.2.1"]] * 2
    server.speaks.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    server.known.forget()
    gc.collect()
    assert faults == []


@pytest.mark.parametrize(("well", "kept"), [(3600.0, ["a.example", "b.example"]), (0.0, ["b.example"])])
async def test_names_that_are_not_fresh_are_forgotten_when_there_are_many_and_those_that_were_well_last(
    stale: None, monkeypatch: pytest.MonkeyPatch, well: float, kept: list[str]
) -> None:
    monkeypatch.setattr(known_names, "WELL_FOR", 3600.0)
    monkeypatch.setattr(known_names, "MOST", 2)
    server = Server(["192.0.2.1"])
    await server.tells("a.example")
    server.known._names["x.example", 443] = known_names._Name()
    if not well:
        server.known._names["a.example", 443].well_until = 0.0
    await server.tells("b.example")
    assert [host for host, _ in server.known._names] == kept


async def test_where_all_were_well_there_is_still_an_end(stale: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_names, "MOST", 2)
    server = Server(["192.0.2.1"])
    for host in ("a.example", "b.example", "c.example"):
        await server.tells(host)
    assert [host for host, _ in server.known._names] == ["c.example"]
