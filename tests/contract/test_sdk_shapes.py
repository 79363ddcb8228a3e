"""Every answer of a running server can be read by every official client, sessions with calls included.

The checks are `tests/support/sdk_shapes.py`. The answers come from `maskline serve` as a process, through whose SIP
side the lab's phones have made calls: one answered, one refused, in either direction.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from maskline.lab.phone import Behaviour
from maskline.masking.decision import NumberUse
from maskline.masking.price import Direction
from maskline.workflows.add_number import add_number
from maskline.workflows.create_subaccount import create_subaccount
from maskline.workflows.set_policy import PolicyWish, set_policy
from maskline.workflows.set_price import PriceWish, set_price
from tests.support.platform_store import services_of
from tests.support.rig import CALLEE, CALLER, Rig, happened
from tests.support.sdk_shapes import CLIENTS, OPERATIONS, Answer, faults

pytestmark = pytest.mark.asyncio(loop_scope="module")

URL = "https://h.invalid/"
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "single party": {"second_party": None, "create_session_with_single_party": True},
    "single party, the second": {"first_party": None, "create_session_with_single_party": True},
    "PINs given": {
        "is_pin_authentication_required": True, "first_party_pin": "1234", "second_party_pin": "98765",
        "pin_prompt_play": URL + "prompt.mp3", "incorrect_pin_play": URL + "wrong.mp3", "pin_retry": 2,
        "pin_retry_wait": 10,
    },
    "PINs generated": {
        "is_pin_authentication_required": True, "generate_pin": True, "generate_pin_length": 6,
        "pin_prompt_play": URL + "prompt.mp3", "force_pin_authentication": True,
    },
    "single party with a PIN": {
        "second_party": None, "create_session_with_single_party": True, "is_pin_authentication_required": True,
        "generate_pin": True, "pin_prompt_play": URL + "prompt.mp3",
    },
    # Last, since its cool-off keeps the only number from sessions that must have one for themselves.
    "everything given": {
        "session_expiry": 600, "call_time_limit": 900, "ring_timeout": 30, "record": True, "record_file_format": "wav",
        "callback_url": URL + "events", "callback_method": "GET", "recording_callback_url": URL + "recordings",
        "recording_callback_method": "GET", "first_party_play_url": URL + "a.mp3", "geomatch": True,
        "second_party_play_url": URL + "b.mp3", "unknown_caller_play": URL + "c.mp3",
        "virtual_number_cooloff_period": 5,
    },
}  # fmt: skip
"""Kinds of sessions: what is added to the two parties; a party given as None is left out."""


class Server:
    """The running server as raw HTTP; keeps every answer."""

    def __init__(self, rig: Rig, http: aiohttp.ClientSession) -> None:
        self._collection = f"{rig.platform.url}/v1/Account/{rig.account_id}/Masking/Session/"
        self._token = base64.b64encode(f"{rig.account_id}:{rig.token}".encode()).decode()
        self._http = http
        self.answers: list[Answer] = []

    async def ask(
        self, operation: str, about: str, method: str, path: str = "", body: Any = None, token: str | None = None
    ) -> Any:
        headers = {"Authorization": f"Basic {token or self._token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        async with self._http.request(method, self._collection + path, data=data, headers=headers) as response:
            content = await response.read()
            content_type = response.headers.get("Content-Type", "")
            self.answers.append(Answer(operation, about, response.status, content_type, content))
        return json.loads(content)

    async def look_at(self, about: str, uuid: str) -> None:
        await self.ask("get", about, "GET", f"{uuid}/")
        await self.ask("list", about, "GET")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def answers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[list[Answer]]:
    rig = Rig(tmp_path_factory.mktemp("platform"), MASKLINE_MEDIA="none")
    try:
        await rig.open()
        async with aiohttp.ClientSession() as http:
            server = Server(rig, http)
            await set_prices(rig)
            await server.look_at("without calls", rig.session_uuid)
            await call_both_ways(rig, server)
            await live_through_every_kind(server, KINDS)
            await live_through_every_kind(server, await open_other_pools(rig))
            await meet_every_error(rig, server)
            yield server.answers
    finally:
        await rig.close()


async def set_prices(rig: Rig) -> None:
    """Fractions wherever an amount may have one, and a session that has to pay them."""
    async with services_of(rig.platform) as services:
        await set_policy(services.store, services.clock, rig.account_id, PolicyWish(session_fee="0.05"))
        for direction in Direction:
            await set_price(services.store, services.ids, PriceWish(direction, None, "+", "0.012", "0.001", 1))
    await rig.rest("DELETE", f"{rig.session_uuid}/")
    await rig.create_session()


async def call_both_ways(rig: Rig, server: Server) -> None:
    async def until(reached: Callable[[dict[str, Any]], bool]) -> None:
        """Commits follow the calls by some milliseconds."""
        for _ in range(200):
            if reached((await server.ask("get", "in a call", "GET", f"{rig.session_uuid}/"))["response"]):
                return
            await asyncio.sleep(0.05)
        raise AssertionError("the session never became what the call makes of it")

    await rig.prepare(Behaviour.ANSWER)
    rig.dial()
    assert await happened(rig.caller.answered)
    await until(lambda session: session["status"] == "in-progress")
    await server.look_at("in a call", rig.session_uuid)
    rig.caller.hang_up()
    await until(lambda session: len(session["interaction"] or ()) == 1)
    await rig.callee.reset(Behaviour.ANSWER)
    await rig.caller.reset(Behaviour.REFUSE)
    rig.dial(rig.callee)
    assert await happened(rig.callee.ended)
    await until(lambda session: len(session["interaction"] or ()) == 2)
    await server.look_at("after calls", rig.session_uuid)
    await server.ask("update", "after calls", "POST", f"{rig.session_uuid}/", {"session_expiry": 900})
    await server.ask("delete", "after calls", "DELETE", f"{rig.session_uuid}/", {})
    await server.look_at("expired after calls", rig.session_uuid)


async def open_other_pools(rig: Rig) -> dict[str, dict[str, Any]]:
    """Kinds of sessions whose numbers are held in other ways: one for each party, or one entered by PIN."""
    kinds: dict[str, dict[str, Any]] = {}
    async with services_of(rig.platform) as services:
        store, clock = services.store, services.clock
        for mode, numbers in (("split", ("+6531580011", "+6531580012")), ("pin", ("+6531580013",))):
            pool = await create_subaccount(store, clock, services.ids, rig.account_id, mode)
            await set_policy(store, clock, pool.id, PolicyWish(mode))
            use = NumberUse.PIN if mode == "pin" else NumberUse.SHARED
            for number in numbers:
                await add_number(store, clock, number, pool.id, use=use)
            kinds[f"{mode} numbers"] = {"subaccount": pool.id}
    return kinds


async def live_through_every_kind(server: Server, kinds: dict[str, dict[str, Any]]) -> None:
    for index, (about, more) in enumerate(kinds.items()):
        parties = {"first_party": f"+659111{index:04}", "second_party": f"+659222{index:04}"}
        wanted = {name: value for name, value in (parties | more).items() if value is not None}
        created = await server.ask("create", about, "POST", "", wanted)
        assert created.get("message") == "Session created", created
        path = f"{created['session_uuid']}/"
        await server.ask("get", about, "GET", path)
        await server.ask("list", about, "GET", "?limit=1")
        await server.ask("update", about, "POST", path, {"ring_timeout": 20})
        await server.ask("delete", about, "DELETE", path)
        await server.ask("get", f"{about}, expired", "GET", path)
    await server.ask("list", "second page", "GET", "?limit=1&offset=1")
    await server.ask("list", "empty page", "GET", "?offset=1000")


async def meet_every_error(rig: Rig, server: Server) -> None:
    pair = {"first_party": CALLER, "second_party": CALLEE}
    missing = "00000000-0000-4000-8000-000000000000/"
    ask = server.ask
    await ask("error", "missing parameter", "POST", "", {"first_party": CALLER})
    await ask("error", "no number", "POST", "", {**pair, "first_party": "nobody"})
    await ask("error", "out of range", "POST", "", {**pair, "session_expiry": 59})
    await ask("error", "no object", "POST", "", [1])
    await ask("create", "the only number", "POST", "", pair)
    await ask("error", "pool exhausted", "POST", "", {**pair, "second_party": "+6598888888"})
    await ask("error", "expired", "DELETE", f"{rig.session_uuid}/")
    await ask("error", "wrong list", "GET", "?limit=21")
    await ask("error", "not found", "GET", missing)
    await ask("error", "wrong method", "PUT", missing)
    await ask("error", "wrong path", "GET", f"{missing}more/")
    await ask("error", "wrong token", "GET", "", None, base64.b64encode(b"MA:no").decode())
    await ask("error", "too large", "POST", "", {**pair, "callback_url": "x" * 70_000})


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.row(
    "1/create", "1/retrieve", "1/list", "1/update", "1/expire", "1.2/status codes", "4/nested bodies", "4/meta",
    "5/interaction", "5/amount", "5/total amounts", "5/PIN details", "5.1/call_billed_duration", "5.1/call links",
)  # fmt: skip
async def test_every_client_can_read_every_answer(answers: list[Answer], client: str) -> None:
    found = [(answer.operation, answer.about, fault) for answer in answers for fault in faults(client, answer)]
    assert found == []


async def test_the_answers_hold_all_there_is(answers: list[Answer]) -> None:
    """The test above proves nothing about what it has not seen."""
    assert {answer.operation for answer in answers} == set(OPERATIONS)
    seen = [answer.json["response"] for answer in answers if answer.operation == "get"]
    assert {session["status"] for session in seen} == {"active", "in-progress", "expired"}
    called = next(session for session in seen if len(session["interaction"] or ()) == 2)
    assert called["total_call_count"] == 4
    assert called["last_interaction_time"] != ""
    amounts = [type(called[name]) for name in ("amount", "total_call_amount", "total_session_amount")]
    assert amounts == [int, float, float]
    errors = {answer.status for answer in answers if answer.operation == "error"}
    assert errors == {400, 401, 404, 405, 413}


Change = Callable[[dict[str, Any]], object]
SPOILT: dict[str, tuple[str, str, Change]] = {
    "Go reads no 0.0 into an int64": ("go", "get", lambda body: body["response"].update(amount=0.0)),
    "Go reads no text into a float64": ("go", "get", lambda body: body["response"].update(total_call_amount="0")),
    "Go reads no object into a slice": ("go", "update", lambda body: body["session"].update(interaction={})),
    "Go reads no text into an int64": ("go", "list", lambda body: first(body).update(pin_retry_wait="5")),
    "Go reads no 60.0 into an int": (
        "go", "get", lambda body: body["response"]["interaction"][0].update(call_billed_duration=60.0),
    ),
    "Java finds no response": ("java", "get", lambda body: body.pop("response")),
    "Ruby updates from a hash": ("ruby", "update", lambda body: body.update(session="done")),
    "Ruby makes variables of keys": ("ruby", "list", lambda body: first(body).update({"pin retry": 1})),
    "Ruby's own methods stay": ("ruby", "get", lambda body: body["response"].update(method="POST")),
    "PHP takes error for a failure": ("php", "create", lambda body: body.update(error=None)),
    "PHP indexes virtual_number": ("php", "create", lambda body: body.pop("virtual_number")),
    ".NET reads the updated session's id": ("net", "update", lambda body: body["session"].pop("session_uuid")),
    ".NET reads counts as uint": ("net", "list", lambda body: body["response"]["meta"].update(total_count=-1)),
    "parties have no +": ("documented", "get", lambda body: body["response"].update(first_party="+6591110042")),
    "the new number has its +": ("documented", "create", lambda body: body.update(virtual_number="6531580001")),
    "URLs are empty, not null": ("documented", "get", lambda body: body["response"].update(callback_url=None)),
    "no interactions are null": ("documented", "get", lambda body: body["response"].update(interaction=[])),
    "a PIN is text": ("documented", "get", lambda body: with_pins(body["response"], 1234)),
    "a PIN has four digits at least": ("documented", "get", lambda body: with_pins(body["response"], "123")),
    "PIN details are null": ("documented", "get", lambda body: body["response"].update(pin_retry=1)),
}  # fmt: skip


def with_pins(session: dict[str, Any], pin: object) -> None:
    """PIN authentication with nothing to complain of but `pin`."""
    session.update(
        is_pin_authentication_required=True, generate_pin=False, generate_pin_length=4, first_party_pin=pin,
        second_party_pin="4321", pin_prompt_play=URL, pin_retry=1, pin_retry_wait=5, incorrect_pin_play="",
    )  # fmt: skip


def first(body: dict[str, Any]) -> dict[str, Any]:
    session: dict[str, Any] = body["response"]["objects"][0]
    return session


@pytest.mark.parametrize("rule", SPOILT)
async def test_a_spoilt_answer_is_found(answers: list[Answer], rule: str) -> None:
    client, operation, spoil = SPOILT[rule]
    about = "plain" if operation == "create" else "after calls"
    good = next(answer for answer in answers if (answer.operation, answer.about) == (operation, about))
    assert faults(client, good) == []
    body = good.json
    spoil(body)
    assert faults(client, Answer(operation, about, good.status, good.content_type, json.dumps(body).encode())) != []


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [(204, "application/json", b"{}"), (200, "application/json", b""), (200, "text/plain", b'{"api_id": "a"}')],
)
async def test_a_delete_needs_200_json_and_a_body(status: int, content_type: str, body: bytes) -> None:
    assert faults("java", Answer("delete", "", status, content_type, body)) != []
