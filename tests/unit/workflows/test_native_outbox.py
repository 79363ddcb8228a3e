"""Which endpoints of kind `native` hear of what, signed so that Standard Webhooks' own library accepts it."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest
from standardwebhooks.webhooks import Webhook

from maskline.clock import SystemClock, VirtualClock
from maskline.engine.ports import CallCommit
from maskline.ids import SeededIds
from maskline.masking.decision import NumberState
from maskline.masking.e164 import Number
from maskline.masking.facts import CallReceived, LegAnswered, LegEnded
from maskline.masking.recording import Recording, RecordingStatus
from maskline.masking.redaction import IN_FULL
from maskline.masking.session import SessionOptions
from maskline.storage.memory import MemoryStore
from maskline.storage.store import Endpoint, Once
from maskline.webhooks.deliver import Deliverer
from maskline.webhooks.formats import native
from maskline.webhooks.formats.shape import read_shape
from maskline.webhooks.keys import StoreKeys
from maskline.webhooks.schedule import TryResult
from maskline.webhooks.send import Answer
from maskline.workflows.build_outbox import Rules, build_share
from maskline.workflows.call_progress import CallProgress
from maskline.workflows.create_session import CreateSession, SessionWish
from maskline.workflows.expire_session import expire_session
from maskline.workflows.expire_sessions import ExpireSessions
from maskline.workflows.native_outbox import STEPS, native_recording_rows
from maskline.workflows.number_outbox import inherited_outbox, number_outbox
from maskline.workflows.receivers import Receiver, audience_of
from maskline.workflows.replace_number import ReplaceNumber
from maskline.workflows.scope import Scope
from maskline.workflows.update_session import UpdateSession
from tests.support.calls import CALL_ID, make_context, make_record
from tests.support.calls import T0 as CALL_T0
from tests.support.store_values import ACCOUNT, SUB, T0, VN1, VN2, new_session, virtual_number

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
URL = "https://hooks.example/native"
IDS = SeededIds(8)


def receiver(**options):
    return Receiver(native.KIND, URL, read_shape("sub", options, IN_FULL), "", SECRET)


@pytest.fixture
async def store():
    store = MemoryStore()
    for account in (ACCOUNT, SUB):
        await store.add_account(account)
    for number in (VN1, VN2):
        await store.add_number(virtual_number(number), T0)
    await store.set_endpoint(Endpoint(ACCOUNT.id, native.KIND, URL, secret=SECRET))
    return store


async def told(store):
    rows = await store.outbox(None)
    return [(row.event, json.loads(row.body)["data"]) for row in reversed(rows)]


def share(context, facts, record=None, **options):
    heard = audience_of([receiver(**options)])
    rules = Rules(receivers={context.account_id: heard, context.subaccount_id or "": heard})
    return build_share(CallCommit(context, facts, record), CallProgress(), rules, CALL_T0 + 30, IDS).outbox


FACTS = (
    CallReceived(CALL_ID, 1, CALL_T0, "trunk-1", "6531580001"),
    LegAnswered(CALL_ID, 2, CALL_T0 + 3, "leg_b"),
)


def test_a_call_is_told_when_it_is_over_and_its_steps_only_on_request():
    native_rows = [row for row in share(make_context(), FACTS, make_record()) if row.dialect == "native"]
    assert [row.event for row in native_rows] == ["call.ended"]
    rows = [row for row in share(make_context(), FACTS, make_record(), updates="on") if row.dialect == "native"]
    assert [row.event for row in rows] == ["call.received", "leg.answered", "call.ended"]
    assert sorted(row.sequence for row in rows) == [row.sequence for row in rows]
    assert {row.url for row in rows} == {URL}
    assert {row.secret for row in rows} == {SECRET}
    assert json.loads(rows[1].body)["data"]["leg"] == "leg_b"
    assert json.loads(rows[0].body)["data"]["legId"] is None


def test_every_step_has_an_event_of_the_catalogue():
    assert set(STEPS.values()) < set(native.EVENTS)
    assert STEPS[LegEnded] == native.LEG_ENDED


async def test_a_session_that_is_over_is_told_by_time_and_by_request(store):
    one = await store.create_session(new_session("one", created_at=T0))
    assert await ExpireSessions(store, VirtualClock(one.expires_at + 1), IDS)() == 1
    await store.create_session(new_session("two", created_at=one.expires_at + 99_999))
    await expire_session(store, VirtualClock(one.expires_at + 100_000), Scope.of(ACCOUNT), "two")
    events = [(event, data["sessionId"]) for event, data in await told(store) if event.startswith("session")]
    assert sorted(events) == [("session.expired", "one"), ("session.expired", "two")]


async def test_a_session_that_a_request_changed_is_told(store):
    await store.create_session(new_session("one", created_at=T0))
    await UpdateSession(store, VirtualClock(T0 + 5), IDS)(Scope.of(ACCOUNT), "one", {"ring_timeout": 33})
    assert [event for event, _ in await told(store)][-1] == "session.updated"


async def test_a_session_that_gets_another_number_is_told(store):
    session = await store.create_session(new_session("one", created_at=T0))
    await ReplaceNumber(store, VirtualClock(T0 + 5), IDS)(session.virtual_number.e164)
    (replaced,) = [data for event, data in await told(store) if event == "session.numbers_replaced"]
    assert replaced["virtualNumber"] != session.virtual_number.e164


async def test_a_number_is_told_to_whom_it_belongs_and_to_whom_it_did(store):
    await store.set_endpoint(Endpoint(SUB.id, native.KIND, URL))
    before, after = virtual_number(), virtual_number(subaccount_id=SUB.id, state=NumberState.RESTING)
    rows = await number_outbox(store, T0, before, after)
    assert [(row.subaccount_id, json.loads(row.body)["data"]["state"]) for row in rows] == [
        (SUB.id, "resting"), (None, "removed")
    ]  # fmt: skip
    inherited = await inherited_outbox(store, T0, ACCOUNT.id, [before, virtual_number(VN2)])
    assert [row.event for row in inherited] == ["number.updated"] * 2
    assert inherited[0].sequence < inherited[1].sequence


async def test_nobody_is_told_where_no_endpoint_is(store):
    await store.remove_endpoint(ACCOUNT.id, native.KIND)
    assert await number_outbox(store, T0, None, virtual_number()) == []


async def test_the_projects_own_library_accepts_what_is_sent(store):
    """From a number's change to the receiver."""
    sent = []
    arrived = asyncio.Event()

    class Sender:
        async def send(self, request, headers, rules, *, now):
            sent.append((request.body, headers))
            arrived.set()
            return Answer(TryResult(200))

    clock = SystemClock()
    await store.announce(await number_outbox(store, clock.wall(), None, virtual_number()))
    deliverer = Deliverer(store, Sender(), StoreKeys(store), clock, IDS)
    running = asyncio.create_task(deliverer.run())
    await asyncio.wait_for(arrived.wait(), 30)
    deliverer.stop()
    await running
    body, headers = sent[0]
    assert Webhook(SECRET).verify(body, headers)["type"] == "number.updated"


async def test_a_recording_is_told_with_its_end(store):
    made = {"account_id": ACCOUNT.id, "subaccount_id": None, "session_id": "s", "call_id": CALL_ID, "leg_id": "l"}
    for status, event, error in (
        (RecordingStatus.COMPLETED, "recording.completed", None),
        (RecordingStatus.FAILED, "recording.failed", "no disk"),
    ):
        recording = Recording(
            id="r", format="mp3", status=status, virtual_number=VN1, caller=None, callee=None, started_at=T0, **made
        )
        (row,) = await native_recording_rows(store, recording, T0 + 9, IDS, "no disk")
        assert (row.event, json.loads(row.body)["data"]["error"]) == (event, error)


async def test_a_session_that_was_made_is_told_with_it_once(store):
    heard = []
    create = CreateSession(store, VirtualClock(T0), IDS, told=lambda: heard.append("told"))
    wish = SessionWish(Number("6591110042"), Number("6598760007"), SessionOptions())
    once = Once(ACCOUNT.id, "key", "print", T0 + 60)
    session = await create(Scope.of(ACCOUNT), wish, once)
    await create(Scope.of(ACCOUNT), wish, once)
    ((event, data),) = await told(store)
    assert (event, data["sessionId"], data["virtualNumber"]) == (
        "session.created", session.id, session.virtual_number.e164
    )  # fmt: skip
    assert data["expiresAt"] == native.iso_time(session.expires_at)
    assert heard == ["told", "told"]
    (row,) = await store.outbox(None)
    assert b"6591110042" not in row.body
    assert b"6598760007" not in row.body


async def test_a_new_endpoint_hears_of_the_next_session_and_one_that_is_gone_of_none(store):
    create = CreateSession(store, VirtualClock(T0), IDS)
    wishes = [SessionWish(Number(f"659111000{i}"), Number(f"659876000{i}"), SessionOptions()) for i in range(3)]
    await store.remove_endpoint(ACCOUNT.id, native.KIND)
    await create(Scope.of(ACCOUNT), wishes[0])
    await store.set_endpoint(Endpoint(ACCOUNT.id, native.KIND, URL))
    session = await create(Scope.of(ACCOUNT), wishes[1])
    await store.remove_endpoint(ACCOUNT.id, native.KIND)
    await create(Scope.of(ACCOUNT), wishes[2])
    assert [data["sessionId"] for _, data in await told(store)] == [session.id]
