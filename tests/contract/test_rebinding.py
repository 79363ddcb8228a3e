"""A name that changes its address between the look and the connect reaches nothing inside, whoever calls it.

The server inside stands on 127.0.0.2; only 127.0.0.1 is allowed, where the name leads first, and where whoever comes is
shown the door. Nothing may ever connect to the former.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator

import pytest

from maskline.clock import VirtualClock
from maskline.errors import InvalidParameter
from maskline.media.port import PromptUnavailable
from maskline.media.prompts.fetch import Fetcher
from maskline.net.egress import Egress
from maskline.net.guard import AddressGuard
from maskline.net.post import Poster
from maskline.storage.kept import PushConfig
from maskline.storage.memory import MemoryStore
from maskline.webhooks.ask import AnswerFault, Asker, Budget, Question
from maskline.webhooks.schedule import CallbackRules, Fault
from maskline.webhooks.send import WebhookSender
from maskline.webhooks.sign import Request
from maskline.workflows.push_configs import PushWish, set_push_config
from maskline.workflows.push_destination import PushDestinations, PushRefused
from tests.support.store_values import ACCOUNT
from tests.support.web_receiver import Names

OUTSIDE, INSIDE = "127.0.0.1", "127.0.0.2"
ALLOWED = [ipaddress.ip_network(f"{OUTSIDE}/32")]


class Inside:
    """Counts who came."""

    def __init__(self) -> None:
        self.visits = 0
        self.port = 0

    async def open(self) -> list[asyncio.Server]:
        """The same port on both addresses."""

        def came(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.visits += 1
            writer.close()

        while True:
            door = await asyncio.start_server(lambda _, writer: writer.close(), OUTSIDE, 0)
            self.port = door.sockets[0].getsockname()[1]
            try:
                return [door, await asyncio.start_server(came, INSIDE, self.port)]
            except OSError:  # taken there
                door.close()

    @property
    def url(self) -> str:
        return f"http://turns.example:{self.port}/latest/meta-data"


@pytest.fixture
async def inside() -> AsyncIterator[Inside]:
    made = Inside()
    servers = await made.open()
    yield made
    for server in servers:
        server.close()
    assert made.visits == 0


def turning() -> Names:
    """It leads outside when it is asked first, inside ever after, and then to both."""
    return Names(turns_example=[[OUTSIDE], [INSIDE], [OUTSIDE, INSIDE]])


async def test_a_webhook_reaches_nothing_inside(inside: Inside) -> None:
    poster = Poster(ALLOWED, resolver=turning())
    await poster.open()
    found = []
    for _ in range(3):
        request = Request("POST", inside.url, b"{}")
        answer = await WebhookSender(poster).send(request, {}, CallbackRules(total=3.0), now=0.0)
        found.append(answer.result.fault)
        poster._names.forget()  # as if the time were over for which a name is remembered
    await poster.close()
    assert found[1:] == [Fault.FORBIDDEN, Fault.FORBIDDEN]


async def test_a_question_to_an_application_reaches_nothing_inside(inside: Inside) -> None:
    poster = Poster(ALLOWED, resolver=turning())
    await poster.open()
    asker = Asker(poster, VirtualClock(), Budget(1.0, 3.0))
    for _ in range(3):
        with pytest.raises(AnswerFault):
            await asker.ask(Question("event", inside.url, b"{}", "", ""))
        poster._names.forget()
    await poster.close()


async def test_a_prompts_url_reaches_nothing_inside(inside: Inside) -> None:
    egress = Egress(ALLOWED, resolver=turning())
    await egress.open()
    fetch, reasons = Fetcher(egress, timeout=3.0, size=100), []
    for _ in range(3):
        with pytest.raises(PromptUnavailable) as refused:
            await fetch(inside.url)
        reasons.append(refused.value.reason)
        egress._session.connector.clear_dns_cache()  # type: ignore[union-attr]
    await egress.close()
    assert reasons[1:] == ["forbidden_address", "forbidden_address"]


async def test_a_recording_is_pushed_to_the_address_that_was_judged(inside: Inside) -> None:
    names = turning()

    async def resolve(host: str, port: int) -> list[str]:
        return [str(found["host"]) for found in await names.resolve(host, port)]

    where = PushDestinations(MemoryStore(), None, allowed=ALLOWED, resolve=resolve)
    config = PushConfig(ACCOUNT.id, "SFTP", "turns.example", inside.port, "u", "/in", "pw")
    first = await where.of(config)
    assert first is not None
    assert first.host == OUTSIDE  # an address, which nobody looks up again
    for _ in range(2):
        with pytest.raises(PushRefused):
            await where.of(config)


@pytest.mark.parametrize("region", ["169.254.169.254", "a.example", "x/../y", "x#", "x@127.0.0.1", "[::1]", "x\n"])
async def test_a_region_of_s3_is_a_word_and_no_place(region: str) -> None:
    store = MemoryStore()
    await store.add_account(ACCOUNT)
    wish = PushWish("S3", region, "bucket", "AKIA", password="secret")
    with pytest.raises(InvalidParameter):
        await set_push_config(store, VirtualClock(), ACCOUNT.id, wish, AddressGuard())


@pytest.mark.parametrize("host", [INSIDE, "::1", "::ffff:10.0.0.1", "169.254.169.254"])
async def test_an_sftp_server_is_no_address_inside(host: str) -> None:
    store = MemoryStore()
    await store.add_account(ACCOUNT)
    wish = PushWish("SFTP", host, "in", "u", password="secret")
    with pytest.raises(InvalidParameter):
        await set_push_config(store, VirtualClock(), ACCOUNT.id, wish, AddressGuard(ALLOWED))
