"""One sample event of each kind at a receiver: it is written as real ones are, and the answer is judged."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import re
import socket
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from maskline.clock import VirtualClock
from maskline.errors import InvalidParameter, MissingParameter, NotFound
from maskline.ids import SeededIds
from maskline.net.egress import Egress
from maskline.storage.memory import MemoryStore
from maskline.webhooks.ask import Budget
from maskline.webhooks.formats import native
from maskline.webhooks.formats.eight_params import FlowRules
from maskline.workflows.add_number import add_number
from maskline.workflows.add_trunk import TrunkWish, add_trunk
from maskline.workflows.create_account import create_account
from maskline.workflows.judge_answer import AnswerRules
from maskline.workflows.sample_events import BODIES
from maskline.workflows.sample_native import SAMPLES
from maskline.workflows.set_webhook import KINDS, set_webhook
from maskline.workflows.trigger_event import Triggered, trigger_event
from tests.support.customer_app import faults_of
from tests.support.web_receiver import LOOPBACK, Receiver, receiving

CLOCK, IDS = VirtualClock(), SeededIds(5)
SAY = {"action": "say", "params": {"text": "Hello", "voiceProfile": "en-us-f"}}
SECRET = "whsec_" + b64encode(bytes(range(32))).decode()


class Trial:
    def __init__(self, receiver: Receiver, egress: Egress) -> None:
        self.receiver, self.egress = receiver, egress
        self.store = MemoryStore()

    async def trigger(
        self, name: str, owner: str | None = None, url: str | None = None, rules: AnswerRules | None = None
    ) -> Triggered:
        target = self.receiver.url + "/hook" if url is None else url
        return await trigger_event(self.store, self.egress, CLOCK, IDS, name, owner, target, rules)

    def answers(self, text: str, status: int = 200) -> None:
        async def answer(_request: web.Request) -> web.Response:
            return web.Response(text=text, status=status)

        self.receiver.answer = answer


@asynccontextmanager
async def trying() -> AsyncIterator[Trial]:
    async with receiving() as receiver:
        egress = Egress(LOOPBACK)
        await egress.open()
        try:
            yield Trial(receiver, egress)
        finally:
            await egress.close()


@pytest.mark.row("8x8:14/events-trigger")
def test_there_is_a_sample_of_each_kind_of_endpoint() -> None:
    assert set(BODIES) == set(KINDS)


def test_there_is_a_sample_of_each_event_of_our_own() -> None:
    assert list(SAMPLES) == list(native.EVENTS)


@pytest.mark.parametrize("event", ["session.created", "Leg.Ended"])
async def test_an_event_of_our_own_is_asked_for_by_its_type(event: str) -> None:
    async with trying() as trial:
        trial.answers("")
        told = await trial.trigger(event)
        ((_, _, _, sent),) = trial.receiver.requests
    assert (told.kind, told.status, told.fault) == (native.KIND, 200, "")
    assert json.loads(sent)["type"] == event.lower()


@pytest.mark.parametrize("name", [word for word, _ in BODIES.values()])
async def test_each_sample_is_posted_as_the_vendor_documents_it(name: str) -> None:
    async with trying() as trial:
        trial.answers('{"callflow": [], "commands": []}')
        told = await trial.trigger(name.lower())
        ((method, path, headers, sent),) = trial.receiver.requests
    assert (told.status, told.fault) == (200, "")
    assert (method, path, headers["Content-Type"]) == ("POST", "/hook", "application/json")
    assert sent == told.body
    assert headers["webhook-id"] == headers["x-maskline-event-id"] == told.event_id
    body = json.loads(sent)
    assert list(faults_of(body)) == []
    assert "+6531580001" in sent.decode() or "6531580001" in sent.decode() or "payload" in body


async def test_the_endpoints_own_headers_options_and_numbers_are_used() -> None:
    async with trying() as trial:
        trial.answers('{"callflow": [{"action": "hangup"}]}')
        account = await create_account(trial.store, CLOCK, IDS, "Acme")
        await add_number(trial.store, CLOCK, "+6568332048", account.id, reference_id="pool-1")
        await set_webhook(
            trial.store, account.id, "eight.call_action", trial.receiver.url + "/vca", authorization="Key 1",
            external_id="acme_1", secret=SECRET,
        )  # fmt: skip
        told = await trial.trigger("VCA", account.id, "")
        ((_, path, headers, sent),) = trial.receiver.requests
    payload: dict[str, Any] = json.loads(sent)["payload"]
    assert (told.fault, path, headers["Authorization"]) == ("", "/vca", "Key 1")
    assert (payload["subAccountId"], payload["destination"], payload["destinationRefId"]) == (
        "acme_1", "+6568332048", "pool-1",
    )  # fmt: skip
    signed = f"{told.event_id}.{headers['webhook-timestamp']}.".encode() + sent
    digest = hmac.digest(b64decode(SECRET.removeprefix("whsec_")), signed, hashlib.sha256)
    assert headers["webhook-signature"] == "v1," + b64encode(digest).decode()


@pytest.mark.parametrize(
    ("name", "status", "answer", "fault"),
    [
        ("VCA", 200, '{"callflow": [{"action": "dance"}]}', "A real call would end with -2003: "),
        ("VCA", 200, "", "A real call would end with -2003: "),
        ("VCA", 200, '{"callflow": [{"action": "executeScenario"}]}', "A real call would end with -2009: "),
        ("VCA", 404, "", "HTTP 404: a real call would end with -2002."),
        ("wavecell-handle", 503, "", "HTTP 503: a real call would ask once more, and end with -2002."),
        ("VSS", 503, "later", "HTTP 503: a real event would be sent again."),
        ("VSS", 204, "", ""),
    ],
)
async def test_the_answer_is_judged_as_a_real_event_would(name: str, status: int, answer: str, fault: str) -> None:
    async with trying() as trial:
        trial.answers(answer, status)
        told = await trial.trigger(name)
    assert (told.status, told.answer.decode()) == (status, answer)
    assert told.fault.startswith(fault)
    assert bool(told.fault) == bool(fault)


async def test_the_place_of_a_fault_in_a_flow_is_told() -> None:
    async with trying() as trial:
        trial.answers('{"callflow": [{"action": "say", "params": {}}]}')
        assert "$.callflow[0].params" in (await trial.trigger("VCA")).fault


@pytest.mark.parametrize(("kind", "key"), [("eight.call_action", "callflow"), ("wavecell.call_handle", "commands")])
async def test_what_a_flow_dials_is_looked_up_as_for_a_real_call(kind: str, key: str) -> None:
    own, other, virtual, trunk = "+6568332048", "+6568332049", "-2004: ${}[1].params.destination is a virtual", "+44"
    told = []
    async with trying() as trial:
        account = await create_account(trial.store, CLOCK, IDS, "Acme")
        stranger = await create_account(trial.store, CLOCK, IDS, "Other")
        await add_number(trial.store, CLOCK, own, account.id)
        await add_number(trial.store, CLOCK, other, stranger.id)
        await add_trunk(trial.store, CLOCK, IDS, TrunkWish("britain", "192.0.2.1", prefixes=(trunk,)))
        await set_webhook(trial.store, account.id, kind, trial.receiver.url)
        for source, destination in ((own, "+447911123456"), (other, "+447911123456"), (own, other), (own, "+491701"),
                                    (own, "+4917012345")):  # fmt: skip
            call = {"action": "makeCall", "params": {"source": source, "destination": destination}}
            trial.answers(json.dumps({key: [SAY, call]}))
            told.append((await trial.trigger(kind, account.id, "")).fault)
        asked = {"action": "sayAndCapture", "params": {"promptMessage": "Digits", "voiceProfile": "en-us-f"}}
        trial.answers(json.dumps({key: [asked, call]}))
        told.append((await trial.trigger(kind, account.id, "")).fault)
    start = "A real call would end with"
    assert told == [
        "",
        f"{start} -2008: $.{key}[1].params.source is no number that this account may show",
        f"{start} {virtual.format('.' + key)} number, or the caller itself",
        f"{start} -2003: Invalid MSISDN format in Destination: $.{key}[1].params.destination",
        f"{start} -2004: $.{key}[1].params.destination is no number that a trunk may call",
        "",
    ]


async def test_voices_and_strictness_are_the_servers() -> None:
    rules = AnswerRules(flow=FlowRules(frozenset({"nobody"})))
    async with trying() as trial:
        trial.answers(json.dumps({"callflow": [SAY]}))
        assert (await trial.trigger("VCA")).fault == ""
        assert "-2003: Speech profile" in (await trial.trigger("VCA", rules=rules)).fault


async def test_a_late_answer_to_a_question_is_none() -> None:
    rules = AnswerRules(Budget(0.05, 0.05))
    async with trying() as trial:
        waiting = asyncio.Event()

        async def answer(_request: web.Request) -> web.Response:
            await waiting.wait()
            return web.Response()

        trial.receiver.answer = answer
        told = await trial.trigger("VCA", rules=rules)
        waiting.set()
    assert told.status == 0
    assert told.fault.startswith("No answer: ")
    assert told.fault.endswith(
        "A real call would end with -2002; it waits 0.05 s for the connection and 0.05 s in all "
        "(MASKLINE_CALL_ACTION_CONNECT, _TOTAL)."
    )


async def test_an_answer_that_is_too_large_is_no_flow() -> None:
    async with trying() as trial:
        trial.answers(" " * 70_000)
        assert "A real call would end with -2003;" in (await trial.trigger("VCA")).fault


@pytest.mark.row("8x8:9/VRU", "8x8:9/file")
async def test_a_recording_is_where_an_upload_would_have_put_it() -> None:
    async with trying() as trial:
        payload = json.loads((await trial.trigger("VRU")).body)["payload"]
    start = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}-[0-9]{2}Z"
    assert re.fullmatch(
        f"/recordings/{payload['sessionId']}/{payload['recordingId']}_{start}\\.mp3", payload["filePath"]
    )


async def test_a_receiver_that_is_not_there_is_told_not_raised() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with trying() as trial:
            told = await trial.trigger("VSS", url=f"http://127.0.0.1:{unused.getsockname()[1]}/")
    assert told.status == 0
    assert told.fault.startswith("No answer: ")


async def test_what_cannot_be_sent_is_refused() -> None:
    async with trying() as trial:
        account = await create_account(trial.store, CLOCK, IDS, "Acme")
        with pytest.raises(InvalidParameter, match="TYPE must be one of VCA, "):
            await trial.trigger("VDC")
        with pytest.raises(InvalidParameter, match="url should be a valid URL"):
            await trial.trigger("VSS", url="ftp://example.com")
        with pytest.raises(InvalidParameter, match="no user and password"):
            await trial.trigger("VSS", url="https://user:word@example.com")
        with pytest.raises(MissingParameter):
            await trial.trigger("VSS", url="")
        with pytest.raises(NotFound, match=r"No eight\.session_summary endpoint"):
            await trial.trigger("VSS", account.id, "")
        with pytest.raises(NotFound):
            await trial.trigger("VSS", "MA000000000000000000")
        assert trial.receiver.requests == []
