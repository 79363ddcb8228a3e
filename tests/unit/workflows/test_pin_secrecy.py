"""A whole call with a wrong and a right PIN, through router, call, recorder and store: nothing it writes names one."""

from __future__ import annotations

import asyncio
import json

import structlog

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.ports import CallCommit
from maskline.logs import mask_value
from maskline.masking.decision import AskPin, Forward, WrongPin
from maskline.masking.e164 import Number, parse_number
from maskline.masking.facts import LegName, PinChecked, fact_details
from maskline.masking.session import SessionOptions
from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.sqlite import SqliteStore
from maskline.workflows.add_trunk import TrunkWish, add_trunk
from maskline.workflows.create_session import CreateSession, SessionWish
from maskline.workflows.record_call import CallRecording
from maskline.workflows.route_call import RouteCall
from maskline.workflows.scope import Scope
from tests.support.api_world import FIRST, NUMBER, SECOND, World
from tests.support.call_machine import A_SDP, LOCAL_A, Driven

A = LegName.A
STRANGER, VIRTUAL = Number("6590000098"), parse_number(NUMBER)
PIN, OTHER_PIN, WRONG = "48215937", "61720943", "59326048"
OPTIONS = SessionOptions(
    is_pin_authentication_required=True, pin_prompt_play="https://h.example/pin.mp3", callback_url="https://h.example/"
)


def press(call, digits):
    call.feed(*(i.Digit(A, digit) for digit in (*digits, "#")))
    return call.every(e.CheckPin)[-1]


def everything_in(folder):
    return b"".join(file.read_bytes() for file in folder.iterdir())


async def test_nothing_that_a_call_with_pins_writes_names_a_pin(tmp_path):
    world = World()
    store = world.store = SqliteStore(tmp_path / "m.db", Sealer(bytes(KEY_BYTES)))
    await store.open()
    acme = await world.account()
    await world.number(acme)
    trunk = await add_trunk(store, world.clock, world.ids, TrunkWish("carrier", "192.0.2.1"))
    wish = SessionWish(
        parse_number(FIRST), parse_number(SECOND), OPTIONS, first_party_pin=PIN, second_party_pin=OTHER_PIN
    )
    session = await CreateSession(store, world.clock, world.ids)(Scope(acme.id), wish)
    router = RouteCall(store, world.clock)
    recorder = CallRecording(store, world.clock, world.ids, lambda: None, window=0.0)
    texts = []
    with structlog.testing.capture_logs() as lines:
        asked = await router.route(STRANGER, VIRTUAL, trunk, world.clock.wall())
        assert isinstance(asked, AskPin)
        call = Driven()
        call.feed(i.Received(STRANGER, VIRTUAL, trunk, A_SDP, 70), i.PinAsked(asked), i.MediaOpened(LOCAL_A))
        call.feed(i.Acked(A))
        effect = press(call, WRONG)
        assert effect.pin == WRONG
        texts.append(repr(effect))
        wrong = await router.check_pin(effect.asked, effect.caller, effect.pin, world.clock.wall())
        assert isinstance(wrong, WrongPin)
        call.feed(i.PinRefused(wrong), *[i.TimerFired(i.TimerName.PIN)] * 3)  # two beeps and the wait
        effect = press(call, PIN)
        right = await router.check_pin(effect.asked, effect.caller, effect.pin, world.clock.wall())
        assert isinstance(right, Forward)
        call.feed(i.Forwarded(right), i.HungUp(A))
        facts = call.facts
        recorder.record(CallCommit(call.call.record.context, tuple(facts)))
        running = asyncio.create_task(recorder.run())
        await recorder.flush()
        recorder.stop()
        await running
    checked = [fact for fact in facts if isinstance(fact, PinChecked)]
    assert [(fact.accepted, fact.failures, fact.session_id) for fact in checked] == [
        (False, 1, ""), (True, 1, session.id),
    ]  # fmt: skip
    rows = await store.outbox(None)
    assert any(row.event == "SessionPinAuthenticationStatus" for row in rows)
    texts += [repr(value) for value in (session, asked, right, wrong, *facts, *rows, *call.all)]
    texts += [json.dumps(fact_details(fact)) for fact in facts]
    texts += [row.body.decode() for row in rows]
    texts += [json.dumps(mask_value(line), default=str) for line in lines]
    await store.close()
    texts.append(everything_in(tmp_path).decode("latin-1"))
    written = "\n".join(texts)
    assert session.id in written and NUMBER in written, "this is where one would find it"
    for secret in (PIN, OTHER_PIN, WRONG):
        assert secret not in written
