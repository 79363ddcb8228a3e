"""Masked calls through Voice Call Action: a customer's application that knows the vendor's pages alone says what
happens, and telephones hear it.

One platform, all calls at once; each test waits for the end of its own. The endings are in
test_call_action_statuses.py, foreign telephones and rtpengine in test_heard_call_action.py.
"""

from __future__ import annotations

import asyncio
import re
import time
import urllib.request
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
import pytest_asyncio

from maskline.lab import sound
from maskline.lab.phone import Behaviour
from tests.support.call_action_field import HANGUP, LABEL, SUBACCOUNT, VIRTUAL, make_call, say
from tests.support.call_action_stage import (
    Stage,
    assert_nothing_leaked,
    happens,
    hears,
    hears_tone,
    together,
)
from tests.support.customer import Payload
from tests.support.customer_app import NOBODY

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]
WELCOME, ASK, AGAIN, DONE, THANKS, MESSAGE = (
    "Welcome to the taxi desk.", "Press your code, please.", "That was too short.", "Got it.",
    "Thank you for riding with us.", "Your parcel arrives at nine.",
)  # fmt: skip
FILE = sound.speech(71, 1.5)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """With every wanted story on its way."""
    made = Stage(tmp_path_factory.mktemp("call-action"), MASKLINE_SPEECH_VOICE="en-us-f")
    try:
        await made.open(NOBODY, WELCOME, ASK, AGAIN, DONE, THANKS, MESSAGE)
        made.tell({getattr(item, "originalname", "") for item in request.session.items})
        yield made
        await made.all_told()
    finally:
        await made.close()


def flow(*actions: dict[str, Any], after: str | None = None, **more: Any) -> dict[str, Any]:
    """An answer of the application; `after`: the clientActionId it follows."""
    return {"flow": {"callflow": list(actions), **more}, "after": after}


def capture(**more: Any) -> dict[str, Any]:
    params = {"promptMessage": ASK, "voiceProfile": "en-us-f", **more}
    return {"action": "sayAndCapture", "params": params}


def statuses(payload: Payload) -> tuple[Any, Any, Any]:
    details = payload["details"]
    a, b = (details[name]["callStatus"] if name in details else None for name in ("callA", "callB"))
    return a, b, payload["sessionStatus"]


ALWAYS = {
    "callId", "callDirection", "callType", "source", "destination", "sourceFormat", "destinationFormat",
    "sourceCountryCode", "destinationCountryCode", "initiatedTimestamp", "disconnectedTimestamp", "callStatus",
    "callDuration",
}  # fmt: skip
CONNECTED = {"connectedTimestamp", "callQuality"}


# -- masked calls --------------------------------------------------------------------------------------------------
@pytest.mark.row(
    "8x8:6.3/success", "8x8:6/masked-legs", "8x8:6/startTime", "8x8:6/endTime", "8x8:6/sourceRefId",
    "8x8:6/destinationRefId", "8x8:6/callQuality", "8x8:6/leg-always", "8x8:3.1/success",
)  # fmt: skip
@together
async def test_each_of_two_people_reaches_the_other_and_sees_the_virtual_number(stage: Stage) -> None:
    for caller, callee in (people := await stage.two(), people[::-1]):
        for phone in people:
            await phone.reset(Behaviour.ANSWER)
        stage.dial(caller)
        await hears_tone(callee, caller)
        await hears_tone(caller, callee)
        await asyncio.sleep(1.0)
        caller.hang_up()
        await happens(callee.ended)
        assert f"<sip:{VIRTUAL}@".encode() in next(t.data for t in callee.trace if t.data.startswith(b"INVITE "))
        assert_nothing_leaked(caller, callee)
    first, second = people
    told = [item["body"]["payload"] for item in await stage.ask(stage.customer.received, "/vss")]
    told = [payload for payload in told if payload["details"]["callA"]["source"] in (p.number.e164 for p in people)]
    while len(told) < 2:
        await asyncio.sleep(0.1)
        told = [item["body"]["payload"] for item in await stage.ask(stage.customer.received, "/vss")]
        told = [one for one in told if one["details"]["callA"]["source"] in (p.number.e164 for p in people)]
    for payload, (caller, callee) in zip(told, ((first, second), (second, first)), strict=True):
        masked(payload, caller.number.e164, callee.number.e164)


def masked(payload: Payload, caller: str, callee: str) -> None:
    """§6.3, the first shape."""
    assert statuses(payload) == ("COMPLETED", "COMPLETED", "COMPLETED")
    assert set(payload) == {
        "sessionId", "subAccountId", "sessionStatus", "startTime", "endTime", "lastAction", "callCount", "details"
    }  # fmt: skip
    assert (payload["subAccountId"], payload["lastAction"], payload["callCount"]) == (SUBACCOUNT, "MAKE_CALL", 2)
    a, b = payload["details"]["callA"], payload["details"]["callB"]
    assert set(a) == ALWAYS | CONNECTED | {"destinationRefId"}
    assert set(b) == ALWAYS | CONNECTED | {"sourceRefId"}
    assert (a["destinationRefId"], b["sourceRefId"]) == (LABEL, LABEL)
    assert (a["callDirection"], a["source"], a["destination"]) == ("INBOUND", caller, VIRTUAL)
    assert (b["callDirection"], b["source"], b["destination"]) == ("OUTBOUND", VIRTUAL, callee)
    assert abs(int(a["connectedTimestamp"][-3:-1]) - int(b["connectedTimestamp"][-3:-1])) in (0, 1, 59)
    assert payload["startTime"] == a["initiatedTimestamp"]
    assert payload["endTime"] == max(a["disconnectedTimestamp"], b["disconnectedTimestamp"])
    for leg in (a, b):
        assert leg["callDuration"] >= 1
        assert 4.0 <= leg["callQuality"]["mos"] <= 5.0
        assert leg["callQuality"]["packetLossRate"] <= 0.02
        assert type(leg["callQuality"]["jitter"]) is int


@pytest.mark.row("8x8:6.3/prompt-only", "8x8:3/after-hangup")
@together
async def test_a_caller_of_no_booking_hears_so_and_is_hung_up(stage: Stage) -> None:
    caller, callee = await stage.two(booked=False)
    stage.dial(caller)
    await hears(caller, stage.spoken(NOBODY))
    await happens(caller.ended)
    payload = await stage.summary(caller)
    assert statuses(payload) == ("COMPLETED", None, "COMPLETED")
    assert (payload["callCount"], payload["lastAction"]) == (1, "HANGUP")
    assert list(payload["details"]) == ["callA"]
    assert len(await stage.ask(stage.customer.actions, caller.number.e164)) == 1
    assert callee.trace == []


@pytest.mark.row("8x8:6.3/busy", "8x8:6/B-fails", "8x8:4/chained")
@together
async def test_words_first_then_a_callee_who_is_busy(stage: Stage) -> None:
    caller, callee = await stage.two(Behaviour.REFUSE)
    await stage.script(caller, flow(say(WELCOME), make_call(callee.number.e164)))
    stage.dial(caller)
    await hears(caller, stage.spoken(WELCOME))
    await happens(caller.ended)
    payload = await stage.summary(caller)
    a, b = payload["details"]["callA"], payload["details"]["callB"]
    assert statuses(payload) == ("COMPLETED", "BUSY", "BUSY")
    assert set(a) == ALWAYS | CONNECTED | {"destinationRefId"}
    assert set(b) == ALWAYS | {"sourceRefId"}
    assert a["callDuration"] >= 1
    assert b["callDuration"] == 0
    assert (payload["callCount"], payload["lastAction"]) == (2, "MAKE_CALL")
    assert a["disconnectedTimestamp"] <= b["disconnectedTimestamp"] or a["callDuration"] <= 6
    assert_nothing_leaked(caller, callee)


# -- after an action -------------------------------------------------------------------------------------------------
@pytest.mark.row(
    "8x8:3/eventData", "8x8:3/clientActionId", "8x8:5/DTMF_RECEIVED", "8x8:13/C6", "8x8:13/C10",
    "8x8:4/sayAndCapture.completeOnHash", "8x8:4/sayAndCapture.messages",
)  # fmt: skip
@together
async def test_digits_are_captured_and_the_next_flow_uses_them(stage: Stage) -> None:
    caller, callee = await stage.two(booked=False)
    ask = capture(minDigits=2, maxDigits=6, completeOnHash=True, successMessage=DONE)
    await stage.script(
        caller, flow(ask, clientActionId="ask-code"), flow(make_call(callee.number.e164), after="ask-code")
    )
    stage.dial(caller)
    await hears(caller, stage.spoken(ASK))
    caller.press("427#")
    await hears(caller, stage.spoken(DONE))
    await hears_tone(callee, caller)
    caller.hang_up()
    payload = await stage.summary(caller)
    assert statuses(payload) == ("COMPLETED", "COMPLETED", "COMPLETED")
    first, second = await stage.ask(stage.customer.actions, caller.number.e164)
    assert second["callStatus"] == "ACTION_COMPLETED"
    assert second["clientActionId"] == "ask-code"
    assert second["eventData"] == {"dtmf": "427"}
    assert second["callDuration"] >= 1
    assert second["eventId"] != first["eventId"]
    assert {key: first[key] for key in ("sessionId", "callId")} == {key: second[key] for key in ("sessionId", "callId")}
    steps = await stage.ask(stage.customer.statuses, payload["sessionId"], 7)
    (pressed,) = [step for step in steps if step["callStatus"] == "DTMF_RECEIVED"]
    assert (pressed["callDirection"], pressed["eventData"]) == ("INBOUND", {"dtmf": "427"})
    assert_nothing_leaked(caller, callee)


@pytest.mark.row("8x8:4/sayAndCapture.noOfTries", "8x8:4/sayAndCapture.overallTimeout")
@together
async def test_digits_that_never_suffice_are_told_as_none(stage: Stage) -> None:
    caller, _ = await stage.two(booked=False)
    ask = capture(minDigits=3, maxDigits=4, overallTimeout=1500, noOfTries=2, failureMessage=AGAIN)
    await stage.script(caller, flow(ask, clientActionId="ask"), flow(say(WELCOME), HANGUP, after="ask"))
    stage.dial(caller)
    await hears(caller, stage.spoken(ASK))
    caller.press("4")
    again = await hears(caller, stage.spoken(AGAIN))
    await hears(caller, stage.spoken(AGAIN), again)
    await hears(caller, stage.spoken(WELCOME))
    await happens(caller.ended)
    payload = await stage.summary(caller)
    assert statuses(payload) == ("COMPLETED", None, "COMPLETED")
    _, second = await stage.ask(stage.customer.actions, caller.number.e164)
    assert (second["callStatus"], second["eventData"]) == ("ACTION_COMPLETED", {"dtmf": ""})


@pytest.mark.row("8x8:3/after-bridge")
@together
async def test_who_is_left_after_the_bridge_is_asked_about_again(stage: Stage) -> None:
    caller, callee = await stage.two(booked=False)
    await stage.script(
        caller,
        flow(make_call(callee.number.e164), clientActionId="ride-7"),
        flow(say(THANKS), HANGUP, after="ride-7"),
    )
    stage.dial(caller)
    await hears_tone(callee, caller)
    callee.hang_up()
    await hears(caller, stage.spoken(THANKS))
    await happens(caller.ended)
    _, second = await stage.ask(stage.customer.actions, caller.number.e164)
    assert (second["callStatus"], second["clientActionId"]) == ("ACTION_COMPLETED", "ride-7")
    assert "eventData" not in second
    payload = await stage.summary(caller)
    assert statuses(payload) == ("COMPLETED", "COMPLETED", "COMPLETED")
    assert payload["lastAction"] == "HANGUP"
    a, b = payload["details"]["callA"], payload["details"]["callB"]
    assert a["disconnectedTimestamp"] >= b["disconnectedTimestamp"]


@together
async def test_what_follows_a_make_call_is_done_when_the_callee_has_left(stage: Stage) -> None:
    caller, callee = await stage.two(booked=False)
    await stage.script(caller, flow(make_call(callee.number.e164), say(THANKS)))
    stage.dial(caller)
    await hears_tone(callee, caller)
    callee.hang_up()
    await hears(caller, stage.spoken(THANKS))
    await happens(caller.ended)
    assert len(await stage.ask(stage.customer.actions, caller.number.e164)) == 1
    assert (await stage.summary(caller))["lastAction"] == "PLAY_TTS"


# -- files and recordings ----------------------------------------------------------------------------------------------
@pytest.mark.row("8x8:4/playFile.fileUrl", "8x8:4/playFile.repetition", "8x8:4/say.repetition")
@together
async def test_a_file_is_played_as_often_as_asked(stage: Stage) -> None:
    caller, _ = await stage.two(booked=False)
    url = await stage.ask(stage.customer.offer, "/file.wav", sound.wav(FILE))
    play = {"action": "playFile", "params": {"fileUrl": url, "repetition": 2}}
    await stage.script(caller, flow(play, say(MESSAGE, repetition=2)))
    stage.dial(caller)
    for what in (FILE, stage.spoken(MESSAGE)):
        first = await hears(caller, what)
        await hears(caller, what, first)
    await happens(caller.ended)
    payload = await stage.summary(caller)
    assert statuses(payload) == ("COMPLETED", None, "COMPLETED")
    assert payload["lastAction"] == "PLAY_TTS"


@pytest.mark.row("8x8:9/start", "8x8:4/makeCall.callRecording")
@together
async def test_a_call_is_recorded_where_the_flow_says_so(stage: Stage) -> None:
    caller, callee = await stage.two(booked=False)
    await stage.script(caller, flow(make_call(callee.number.e164, callRecording=True)))
    stage.dial(caller)
    await hears_tone(callee, caller)
    await asyncio.sleep(1.0)
    caller.hang_up()
    payload = await stage.summary(caller)
    recordings: list[dict[str, Any]] = []
    for _ in range(100):
        _, shown = await stage.ask(stage.field.get, f"recordings/{payload['sessionId']}")
        recordings = shown["recordings"]
        if recordings and recordings[0]["status"] != "PROCESSING":
            break
        await asyncio.sleep(0.2)
    (recording,) = recordings
    assert recording["sessionId"] == payload["sessionId"]
    assert recording["duration"] >= 1


# -- started by the API ----------------------------------------------------------------------------------------------
async def started(stage: Stage, *actions: dict[str, Any], **more: Any) -> str:
    """The sessionId of a flow that was accepted."""
    status, answer = await stage.ask(stage.field.post, {"callflow": list(actions), **more})
    assert status == 200, answer
    assert (answer["sessionStatus"], answer["statusCode"], answer["statusMessage"]) == ("CREATED", 1, "Created")
    return str(answer["sessionId"])


@pytest.mark.row("8x8:4/rule-second-bridges", "8x8:8/POST-callflows", "8x8:6/clientRequestId")
@together
async def test_the_api_rings_two_people_one_after_the_other_and_connects_them(stage: Stage) -> None:
    first, second = await stage.two(booked=False)
    session = await started(
        stage, make_call(first.number.e164), make_call(second.number.e164), clientRequestId="order-1"
    )
    await happens(first.answered)
    await hears_tone(second, first)
    await hears_tone(first, second)
    second.hang_up()
    await happens(first.ended)
    payload = await stage.summary(first)
    assert statuses(payload) == ("COMPLETED", "COMPLETED", "COMPLETED")
    assert (payload["sessionId"], payload["clientRequestId"]) == (session, "order-1")
    for leg, phone in zip(("callA", "callB"), (first, second), strict=True):
        shown = payload["details"][leg]
        assert (shown["callDirection"], shown["source"]) == ("OUTBOUND", VIRTUAL)
        assert (shown["destination"], shown["sourceRefId"]) == (phone.number.e164, LABEL)
        assert "destinationRefId" not in shown
    steps = await stage.ask(stage.customer.statuses, session, 6)
    assert {step["callDirection"] for step in steps} == {"OUTBOUND"}
    assert [step["callStatus"] for step in steps].count("CALL_INITIATED") == 2
    assert_nothing_leaked(first, second)


@pytest.mark.row("8x8:4/rule-after-answer")
@together
async def test_the_api_calls_somebody_and_speaks_a_message(stage: Stage) -> None:
    person = await stage.phone(700)
    session = await started(stage, make_call(person.number.e164), say(MESSAGE), HANGUP)
    await hears(person, stage.spoken(MESSAGE))
    await happens(person.ended)
    payload = await stage.summary(person)
    assert statuses(payload) == ("COMPLETED", None, "COMPLETED")
    assert (payload["sessionId"], payload["callCount"], payload["lastAction"]) == (session, 1, "HANGUP")
    assert "clientRequestId" not in payload
    assert await stage.ask(stage.customer.actions, person.number.e164) == []


@pytest.mark.row("8x8:3/sourceRefId")
@together
async def test_the_api_calls_somebody_and_asks_for_digits(stage: Stage) -> None:
    person = await stage.phone(700)
    answer = flow(say(THANKS), HANGUP, after=None)
    await stage.script(person, answer)
    await started(stage, make_call(person.number.e164), capture(maxDigits=1))
    await hears(person, stage.spoken(ASK))
    person.press("9")
    await hears(person, stage.spoken(THANKS))
    await happens(person.ended)
    (asked,) = await stage.ask(stage.customer.actions, person.number.e164)
    assert (asked["callStatus"], asked["callDirection"]) == ("ACTION_COMPLETED", "OUTBOUND")
    assert (asked["source"], asked["sourceRefId"], asked["eventData"]) == (VIRTUAL, LABEL, {"dtmf": "9"})
    assert statuses(await stage.summary(person)) == ("COMPLETED", None, "COMPLETED")


@pytest.mark.row("8x8:6.1/first-leg-fails")
@together
async def test_a_first_person_who_is_busy_is_all_there_is(stage: Stage) -> None:
    first, second = await stage.two(booked=False)
    first.behaviour = Behaviour.REFUSE
    await started(stage, make_call(first.number.e164), make_call(second.number.e164))
    payload = await stage.summary(first)
    assert statuses(payload) == ("BUSY", None, "BUSY")
    assert payload["callCount"] == 1
    assert second.trace == []


@together
async def test_a_caller_who_hangs_up_while_it_rings_ends_the_other_leg(stage: Stage) -> None:
    caller, callee = await stage.two(Behaviour.RING)
    stage.dial(caller)
    await happens(caller.ringing)
    caller.cancel()
    await happens(callee.ended)
    payload = await stage.summary(caller)
    assert statuses(payload) == ("CANCELED", "CANCELED", "CANCELED")
    assert_nothing_leaked(caller, callee)


@pytest.mark.row("8x8:6.1/canceled-none", "8x8:6/endTime")
@together
async def test_a_caller_who_leaves_while_the_application_thinks_ends_the_call_at_once(stage: Stage) -> None:
    slow = 4.5
    before = await withdrawn(stage)  # those of a first try of this very test
    first, second = await stage.two(booked=False)
    await stage.script(first, {**flow(say(WELCOME)), "wait": slow})
    await stage.script(
        second, flow(capture(maxDigits=1), clientActionId="ask"), {**flow(say(WELCOME), after="ask"), "wait": slow}
    )
    stage.dial(first)
    await stage.ask(stage.customer.asked, first.number.e164, 1)
    left = time.time()
    first.cancel()
    payload = await stage.ask(stage.customer.summary, first.number.e164)
    assert statuses(payload) == ("CANCELED", None, "CANCELED")
    assert seconds(payload["endTime"]) - left < slow - 1.5, "not when the application answers"
    assert payload["details"]["callA"]["disconnectedTimestamp"] == payload["endTime"]
    assert "errorDetails" not in payload
    steps = await stage.ask(stage.customer.statuses, payload["sessionId"], 2)
    assert [step["callStatus"] for step in steps] == ["CALL_RECEIVED", "CALL_DISCONNECTED"]
    assert abs(seconds(steps[1]["timestamp"]) - left) < slow - 1.5

    stage.dial(second)
    await hears(second, stage.spoken(ASK))
    second.press("7")
    await stage.ask(stage.customer.asked, second.number.e164, 2)
    second.hang_up()
    payload = await stage.ask(stage.customer.summary, second.number.e164)
    assert (statuses(payload), payload["lastAction"]) == (("COMPLETED", None, "COMPLETED"), "SAY_AND_CAPTURE")
    assert await withdrawn(stage) == before + 2
    assert "call_action_failed" not in stage.field.platform.log_path.read_text()


async def withdrawn(stage: Stage) -> int:
    """Questions whose caller had left, so far."""
    with await stage.ask(urllib.request.urlopen, f"{stage.field.platform.url}/metrics") as shown:
        figures = re.findall(r'^maskline_call_actions_total\{result="withdrawn"\} (\d+)', shown.read().decode(), re.M)
    return int(figures[0]) if figures else 0


def seconds(timestamp: str) -> float:
    return datetime.fromisoformat(timestamp).timestamp()


async def test_every_body_was_as_the_vendor_documents_it(stage: Stage) -> None:
    await stage.all_told()
    assert stage.customer.faults == []
