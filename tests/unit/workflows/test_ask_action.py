"""An application says what becomes of a call: over a real connection, with numbers and trunks of a real store."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import structlog
from aiohttp import web

from maskline.clock import SystemClock
from maskline.engine.ports import Incoming
from maskline.masking.call_flow import ActionDone, CallFlow, Capture, Hangup, MakeCall, Say
from maskline.masking.decision import Dial, Forward, NumberState, Refuse, RunFlow
from maskline.masking.e164 import Number, parse_number
from maskline.masking.facts import Cause
from maskline.masking.prompt import Prompt
from maskline.masking.routing_rules import RoutingRules, Withheld
from maskline.masking.session import SessionOptions
from maskline.net.post import Poster
from maskline.storage.store import Endpoint
from maskline.webhooks.ask import Asker, Budget
from maskline.webhooks.formats.eight_params import FlowRules
from maskline.workflows.add_trunk import TrunkWish, add_trunk
from maskline.workflows.ask_action import AskAction, AskRules
from maskline.workflows.create_session import CreateSession, SessionWish
from maskline.workflows.request_flow import RequestFlow
from maskline.workflows.route_call import RouteCall
from maskline.workflows.scope import Scope
from maskline.workflows.set_number import NumberChange, set_number
from tests.support.api_world import FIRST, NUMBER, SECOND, World
from tests.support.eight_api import Speech
from tests.support.web_receiver import LOOPBACK, receiving

pytestmark = pytest.mark.usefixtures("each_store")
CALLER, CALLEE, VIRTUAL = parse_number(FIRST), parse_number(SECOND), parse_number(NUMBER)
CALL = Incoming("call-1", "leg-1")
SORRY = Prompt("call_action_failed", text="Sorry")
CONSENT = Prompt("consent", text="We record")
LIMITS = SessionOptions(ring_timeout=20, call_time_limit=90)
SAY = {"action": "say", "params": {"text": "Hello", "voiceProfile": "en-us-f"}}
HANGUP = {"action": "hangup"}


def make_call(destination=SECOND, source=NUMBER, **more):
    return {"action": "makeCall", "params": {"source": source, "destination": destination, **more}}


def done(**changes):
    return replace(ActionDone("call-1", "leg-1", True, CALLER, VIRTUAL, "act-1", 3.2, "12"), **changes)


class Calls(World):
    """Acme with a number, a trunk and an application that answers with `self.flow`."""

    async def start(self, receiver, *, strict=False, rules=RoutingRules(LIMITS), **endpoint):  # noqa: B008 - frozen
        await self.store.open()
        self.acme = await self.account()
        await self.number(self.acme)
        self.trunk = await add_trunk(self.store, self.clock, self.ids, TrunkWish("carrier", "192.0.2.1"))
        self.receiver, self.flow, self.voices = receiver, [make_call()], frozenset({"en-us-f"})
        receiver.answer = self.answer
        self.endpoint = Endpoint(self.acme.id, "eight.call_action", receiver.url + "/vca?key=s3cret", **endpoint)
        await self.store.set_endpoint(self.endpoint)
        self.router = RouteCall(self.store, self.clock, rules)
        self.poster = Poster(LOOPBACK)
        await self.poster.open()
        asker = Asker(self.poster, SystemClock(), Budget(2.0, 2.0))
        ask_rules = AskRules(FlowRules(strict=strict), SORRY)
        self.asks = AskAction(self.store, self.clock, self.ids, asker, self.router.plan, ask_rules, self.known)
        self.router.ask_by(self.asks)
        return self

    async def known(self):
        return self.voices

    async def answer(self, _request):
        body = self.flow if isinstance(self.flow, dict) else {"callflow": self.flow, "clientActionId": "act-1"}
        return web.json_response(body)

    async def route(self, caller=CALLER, called=VIRTUAL):
        return await self.router.route(caller, called, self.trunk, self.clock.wall(), CALL)

    async def next(self, what):
        return await self.router.next_action(what, self.clock.wall())

    @property
    def asked(self):
        """The bodies that the application has got."""
        return [json.loads(body) for _, _, _, body in self.receiver.requests]


@pytest.fixture
async def start():
    opened = []
    async with receiving() as receiver:

        async def make(**more):
            opened.append(await Calls().start(receiver, **more))
            return opened[-1]

        yield make
        for world in opened:
            await world.poster.close()


@pytest.mark.row("8x8:3/when", "8x8:3.1/success", "8x8:3/sessionId", "8x8:3/callId", "8x8:3/parties")
async def test_a_call_of_no_session_is_dialled_as_the_application_says(start):
    world = await start(authorization="Bearer x", external_id="acme_NM")
    assert await world.route() == RunFlow(
        await world.store.number(VIRTUAL), (Dial(CALLEE, VIRTUAL, "", world.trunk),), LIMITS, "act-1"
    )
    (asked,) = world.asked
    assert asked["payload"] | {"eventId": ""} == {
        "eventId": "", "sessionId": "call-1", "callId": "leg-1", "subAccountId": "acme_NM",
        "callStatus": "CALL_RECEIVED", "callDirection": "INBOUND", "callType": "PSTN", "source": FIRST,
        "sourceFormat": "MSISDN", "sourceCountryCode": "SG", "destination": NUMBER, "destinationFormat": "MSISDN",
        "destinationCountryCode": "SG", "callDuration": 0, "sipCode": 200, "timestamp": "2023-11-14T22:13:20.000Z",
    }  # fmt: skip
    assert world.receiver.requests[0][2]["Authorization"] == "Bearer x"


@pytest.mark.row("8x8:3/when")
async def test_a_live_session_needs_no_application_and_one_that_is_over_does(start):
    world = await start()
    create = CreateSession(world.store, world.clock, world.ids)
    await create(Scope(world.acme.id), SessionWish(CALLER, Number("6590000033"), SessionOptions()))
    assert isinstance(await world.route(), Forward)
    assert world.asked == []
    world.clock.advance(3600)
    assert isinstance(await world.route(), RunFlow)


async def test_a_withheld_caller_is_told_without_source_or_not_at_all(start):
    world = await start()
    assert isinstance(await world.route(None), RunFlow)
    assert "source" not in world.asked[0]["payload"]
    world.router._rules = RoutingRules(LIMITS, Withheld.REJECT)
    assert (await world.route(None)).cause is Cause.WITHHELD_CALLER
    assert len(world.asked) == 1


@pytest.mark.row("8x8:3/subAccountId", "8x8:3/destinationRefId")
async def test_it_is_the_application_of_the_subaccount_that_has_the_number(start):
    world = await start()
    rides = replace(await world.subaccount(world.acme), external_id="acme-rides")
    await world.store.update_account(rides)
    await set_number(world.store, world.clock, NUMBER, NumberChange(subaccount_id=rides.id, reference_id="pool-7"))
    decision = await world.route()
    assert isinstance(decision, Refuse) and decision.cause is Cause.UNKNOWN_CALLER, "it has none"
    await world.store.set_endpoint(replace(world.endpoint, account_id=rides.id))
    assert isinstance(await world.route(), RunFlow)
    payload = world.asked[0]["payload"]
    assert (payload["subAccountId"], payload["destinationRefId"]) == ("acme-rides", "pool-7")
    await world.store.remove_subaccount(rides.id, world.clock.wall())
    assert isinstance(await world.route(), RunFlow), "by its account's application, whose pool the number is in now"
    assert world.asked[1]["payload"]["subAccountId"] == "Acme"


async def test_an_endpoint_that_is_switched_off_is_not_asked(start):
    world = await start(enabled=False)
    assert (await world.route()).cause is Cause.UNKNOWN_CALLER
    await world.store.set_endpoint(replace(world.endpoint, enabled=True))
    assert isinstance(await world.route(), RunFlow), "what is configured is read again"
    await world.store.remove_endpoint(world.acme.id, "eight.call_action")
    assert (await world.route()).cause is Cause.UNKNOWN_CALLER


@pytest.mark.row("8x8:4/chained", "8x8:4/makeCall.callRecording", "8x8:9/start", "8x8:9/undocumented")
async def test_the_actions_come_in_order_and_a_recording_is_announced(start):
    world = await start(rules=RoutingRules(LIMITS, consent=CONSENT))
    world.flow = [SAY, make_call(callRecording=True), HANGUP]
    said, dial, hangup = (await world.route()).steps
    assert (said, hangup) == (Say(Prompt("say", text="Hello", voice="en-us-f")), Hangup())
    assert (dial.record, dial.prompts) == (True, (CONSENT,))
    world.flow = [make_call()]
    assert (await world.route()).steps[0].prompts == ()


@pytest.mark.row("8x8:3.1/empty-callflow")
async def test_an_empty_flow_is_carried_out(start):
    world = await start()
    world.flow = []
    assert (await world.route()).steps == ()


# -- what is dialled -----------------------------------------------------------------------------------------------


@pytest.mark.row("8x8:4/makeCall.source", "8x8:6.2/-2008")
async def test_only_the_subaccounts_own_numbers_may_be_shown(start):
    world = await start()
    rides, others = await world.subaccount(world.acme), await world.account("Other")
    for owner, number in ((rides, "+6531580002"), (others, "+6531580003"), (world.acme, "+6531580004")):
        await world.number(owner, number)
    causes = {}
    for called in (NUMBER, "+6531580002"):
        await world.store.set_endpoint(replace(world.endpoint, account_id=rides.id))
        for shown in (NUMBER, "+6531580002", "+6531580003", "+6531580004", "+6590000077"):
            world.flow = [make_call(source=shown)]
            (dial,) = (await world.route(called=parse_number(called))).steps
            causes[called[-1] + shown[-1]] = dial.refused
    no = Cause.CALLER_ID_NOT_ALLOWED
    assert causes == {
        "11": None, "12": no, "13": no, "14": None, "17": no,
        "21": no, "22": None, "23": no, "24": no, "27": no,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("state", "refused"),
    [
        (NumberState.RESTING, None),
        (NumberState.UNHEALTHY, None),
        (NumberState.RETIRED, Cause.CALLER_ID_NOT_ALLOWED),
    ],
)
async def test_a_number_that_was_given_back_is_not_shown_and_one_that_rests_is(start, state, refused):
    world = await start()
    await world.number(world.acme, "+6531580002")
    shown = await world.store.number(parse_number("+6531580002"))
    await world.store.update_number(replace(shown, state=state, reference_id="pool-9"), world.clock.wall())
    world.flow = [make_call(source="+6531580002")]
    (dial,) = (await world.route()).steps
    assert dial.refused is refused
    assert dial.shown_reference_id == ("" if refused else "pool-9")


@pytest.mark.parametrize("destination", [NUMBER, FIRST, "+6531580003"])
async def test_nobody_is_connected_with_themselves_or_with_a_virtual_number(start, destination):
    world = await start()
    await world.number(await world.account("Other"), "+6531580003")
    world.flow = [SAY, make_call(destination)]
    _, dial = (await world.route()).steps
    assert (dial.refused, dial.trunk) == (Cause.LOOP, None)


@pytest.mark.row("8x8:4/makeCall.destination", "8x8:6.2/-2004")
async def test_a_destination_that_no_trunk_may_call_is_known_before_it_is_its_turn(start):
    world = await start()
    await world.store.remove_trunk("carrier")
    await add_trunk(world.store, world.clock, world.ids, TrunkWish("abroad", "192.0.2.1", prefixes=("+44",)))
    (dial,) = (await world.route()).steps
    assert (dial.callee, dial.refused, dial.trunk) == (CALLEE, Cause.NO_ROUTE, None)


async def test_a_second_leg_does_not_ring_the_first(start):
    """As a flow of `POST callflows` could ask for."""
    world = await start()
    calls = [MakeCall(VIRTUAL, callee) for callee in (CALLEE, CALLEE, CALLER)]
    plan = await world.router.plan(CallFlow(tuple(calls)), await world.store.number(VIRTUAL), None, asks_again=False)
    assert [step.refused for step in plan.steps] == [None, Cause.LOOP, None]
    assert plan.asks_again is False


# -- when there is no flow -----------------------------------------------------------------------------------------


@pytest.mark.row("8x8:3.1/webhook-fails", "8x8:3.1/-2002", "8x8:3.1/failure-prompt")
async def test_an_application_that_cannot_be_asked_ends_the_call_with_a_reason_and_the_operators_prompt(start):
    world = await start()

    async def away(_request):
        return web.Response(status=404)

    world.receiver.answer = away
    sentence = "The application answered with HTTP 404, not 200."
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            assert await world.route() == Refuse(
                Cause.CALL_ACTION_FAILED, await world.store.number(VIRTUAL), None, SORRY, detail=sentence
            )
        world.clock.advance(10.0)
        await world.route()
    line = {
        "event": "call_action_failed", "log_level": "warning", "account": world.acme.id, "calls": 1,
        "receiver": world.receiver.url, "cause": "call_action_failed", "reason": sentence,
    }  # fmt: skip
    assert lines == [line, line | {"calls": 3}], "without path, query or number"


@pytest.mark.parametrize(
    ("flow", "cause", "detail"),
    [
        ({"status": "ok"}, Cause.CALL_FLOW_INVALID, "Invalid call flow entry provided. $.callflow is missing"),
        (
            [{"action": "say", "params": {"text": "x", "voiceProfile": "xx"}}],
            Cause.CALL_FLOW_INVALID,
            "Speech profile or language parameter invalid: $.callflow[0].params.voiceProfile",
        ),
        (
            [make_call(), make_call()],
            Cause.CALL_FLOW_INVALID,
            "Some actions are provided beyond the allowed count: "
            "$.callflow[1].action: makeCall is allowed once, since the first leg is there",
        ),
        (
            [make_call(source="private")],
            Cause.CALLER_ID_NOT_ALLOWED,
            "Source or caller ID is not allowed: $.callflow[0].params.source is no telephone number",
        ),
        pytest.param(
            [{"action": "executeScenario", "params": {"scenarioName": "night"}}],
            Cause.SCENARIO_UNKNOWN,
            "Invalid scenarioName or account lacks permission: $.callflow[0].params.scenarioName",
            marks=pytest.mark.row("8x8:4/scenario", "8x8:6.2/-2009"),
        ),
        pytest.param(
            [{"action": "executeScenario", "params": {"scenarioName": ""}}, make_call()],
            Cause.SCENARIO_UNKNOWN,
            "Execute Scenario cannot be processed together with other actions: $.callflow[0].action",
            marks=pytest.mark.row("8x8:4/scenario", "8x8:4/rule-scenario-alone"),
        ),
    ],
)
@pytest.mark.row("8x8:3.1/-2003", "8x8:3.1/not-a-flow", "8x8:6.2/-2003", "8x8:6.2/-2009", "8x8:4/scenario")
async def test_an_answer_that_is_no_flow_ends_the_call_and_names_the_place(start, flow, cause, detail):
    world = await start()
    world.flow = flow
    with structlog.testing.capture_logs() as lines:
        decision = await world.route()
    assert (decision.cause, decision.detail, decision.prompt) == (cause, detail, SORRY)
    assert [line["reason"] for line in lines] == [detail]
    assert world.asks.invalid == 1


async def test_each_fault_of_an_application_has_lines_of_its_own(start):
    world = await start()
    with structlog.testing.capture_logs() as lines:
        for flow in ({}, [make_call(), make_call()], [{"action": "dance"}], {}, [make_call(source="private")]):
            world.flow = flow
            await world.route()
    assert [line["reason"].partition(" $")[0].partition(":")[0] for line in lines] == [
        "Invalid call flow entry provided.", "Some actions are provided beyond the allowed count",
        "Invalid action type", "Source or caller ID is not allowed",
    ]  # fmt: skip


@pytest.mark.row("8x8:3/after-bridge")
async def test_a_third_leg_is_told_with_its_place_though_the_call_ends_well(start):
    world = await start()
    world.flow = [SAY, make_call()]
    with structlog.testing.capture_logs() as lines:
        assert isinstance(await world.next(done()), RunFlow)
        assert isinstance(await world.next(done(digits=None, bridged=True)), RunFlow)
    (line,) = lines
    assert (line["event"], line["cause"]) == ("call_action_failed", "call_flow_invalid")
    assert "$.callflow[1].action: makeCall is not allowed" in line["reason"]


async def test_that_nobody_is_asked_since_the_webhook_is_disabled_is_said(start):
    world = await start(enabled=False)
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            assert (await world.route()).cause is Cause.UNKNOWN_CALLER
        await world.store.remove_endpoint(world.acme.id, "eight.call_action")
        world.clock.advance(10.0)
        await world.route()
    (line,) = lines
    assert line == {
        "event": "call_action_off", "log_level": "warning", "account": world.acme.id, "calls": 1,
        "receiver": world.receiver.url,
    }  # fmt: skip


@pytest.mark.row("8x8:3.1/-2003")
async def test_an_empty_body_is_no_flow(start):
    world = await start()

    async def nothing(_request):
        return web.Response()

    world.receiver.answer = nothing
    decision = await world.route()
    assert (decision.cause, decision.detail) == (Cause.CALL_FLOW_INVALID, "Invalid JSON request body: it is empty")


@pytest.mark.row("8x8:3.1/undocumented", "8x8:3.1/webhook-fails")
async def test_nobody_else_is_asked_or_called_when_the_application_fails(start):
    """Neither the number's fallback, nor another endpoint, nor any other address."""
    world = await start()
    await set_number(world.store, world.clock, NUMBER, NumberChange(fallback=SECOND))
    await world.store.set_endpoint(replace(world.endpoint, kind="wavecell.call_handle"))

    async def away(_request):
        return web.Response(status=404)

    world.receiver.answer = away
    assert (await world.route()).cause is Cause.CALL_ACTION_FAILED
    assert [body.get("eventType") for body in world.asked] == ["CALL_ACTION"]


@pytest.mark.row("8x8:3.1/inline-only", "8x8:3.1/not-a-flow")
async def test_a_flow_that_is_submitted_in_place_of_an_answer_is_a_call_of_its_own(start):
    """What a demo of the vendor's tried first: acknowledge the question, and send the flow by the API."""
    world = await start()
    submitted = []

    async def acknowledge(_request):
        request_flow = RequestFlow(world.store, world.clock, world.ids, Speech())
        asked = await request_flow.read(world.acme, json.dumps({"callflow": [make_call()]}).encode())
        submitted.append(await request_flow(world.acme, asked, "request-1"))
        return web.json_response({"statusCode": 1, "statusMessage": "Created"})

    world.receiver.answer = acknowledge
    assert (await world.route()).cause is Cause.CALL_FLOW_INVALID
    (taken,) = submitted
    assert taken.flow.id != CALL.call_id
    now = world.clock.wall()
    assert await world.store.lease_requested_flows("me", now=now, until=now + 9, limit=9) == [taken.flow]


async def test_while_nobody_knows_the_voices_none_is_refused(start):
    world = await start()
    world.voices, world.flow = frozenset(), [{"action": "say", "params": {"text": "x", "voiceProfile": "xx"}}]
    assert isinstance(await world.route(), RunFlow)
    world.voices = frozenset({"en-us-f"})
    assert isinstance(await world.route(), RunFlow), "a look a minute"
    world.clock.advance(60)
    assert (await world.route()).cause is Cause.CALL_FLOW_INVALID


@pytest.mark.row("8x8:13/C5")
async def test_the_strict_switch_holds_for_replies_too(start):
    ask = {"promptMessage": "Digits", "voiceProfile": "en-us-f", "digitTimeout": 500}
    for strict, kind in ((False, RunFlow), (True, Refuse)):
        world = await start(strict=strict)
        world.flow = [{"action": "sayAndCapture", "params": ask}]
        assert isinstance(await world.route(), kind)


@pytest.mark.row("8x8:13/C11")
async def test_what_is_ignored_is_said(start):
    world = await start()
    world.flow = [make_call(ringTimeout=3)]
    with structlog.testing.capture_logs() as lines:
        await world.route()
    assert [(line["event"], line["places"]) for line in lines] == [
        ("call_flow_ignored", ["$.callflow[0].params.ringTimeout is ignored"])
    ]


# -- asked again ---------------------------------------------------------------------------------------------------


@pytest.mark.row("8x8:3/callStatus", "8x8:3/clientActionId", "8x8:3/eventData", "8x8:3/after-bridge")
async def test_what_was_done_is_told_and_answered_with_the_next_flow(start):
    world = await start()
    world.flow = [{"action": "sayAndCapture", "params": {"promptMessage": "More", "voiceProfile": "en-us-f"}}]
    decision = await world.next(done())
    assert isinstance(decision.steps[0], Capture)
    payload = world.asked[0]["payload"]
    assert (payload["callStatus"], payload["eventData"]) == ("ACTION_COMPLETED", {"dtmf": "12"})
    assert (payload["clientActionId"], payload["callDuration"]) == ("act-1", 3)
    await world.next(done(digits=None, bridged=True))
    assert "eventData" not in world.asked[1]["payload"]
    assert world.asked[0]["payload"]["eventId"] != world.asked[1]["payload"]["eventId"]


async def test_where_nobody_is_there_to_ask_any_more_the_flow_is_over(start):
    world = await start()
    await world.store.remove_endpoint(world.acme.id, "eight.call_action")
    assert await world.next(done()) == RunFlow(await world.store.number(VIRTUAL), (), LIMITS, asks_again=False)
    decision = await world.next(done(number=Number("6531580099")))
    assert decision == Refuse(Cause.UNKNOWN_NUMBER, None)


async def test_nobody_is_asked_about_a_caller_that_has_gone(start):
    world = await start()
    router, now = world.router, world.clock.wall()
    gone = await router.route(CALLER, VIRTUAL, world.trunk, now, replace(CALL, left=True))
    assert gone == Refuse(Cause.CANCELED, await world.store.number(VIRTUAL))
    assert world.asked == []


async def test_without_applications_strangers_are_refused_as_ever(start):
    world = await start()
    alone = RouteCall(world.store, world.clock, RoutingRules(LIMITS))
    decision = await alone.route(CALLER, VIRTUAL, world.trunk, world.clock.wall())
    assert decision == Refuse(Cause.UNKNOWN_CALLER, await world.store.number(VIRTUAL))
    assert (await alone.next_action(done(), world.clock.wall())).steps == ()


# -- Wavecell ------------------------------------------------------------------------------------------------------


@pytest.mark.row("8x8:7.2/opt-in", "8x8:7.2/reply", "8x8:7.2/fields")
async def test_a_call_handle_is_asked_where_there_is_no_call_action(start):
    world = await start()
    handle = replace(world.endpoint, kind="wavecell.call_handle")
    await world.store.set_endpoint(handle)
    world.flow = {"callflow": [SAY]}
    assert len((await world.route()).steps) == 1
    assert "payload" in world.asked[0]
    await world.store.remove_endpoint(world.acme.id, "eight.call_action")
    world.flow = {"commands": [make_call()]}
    assert (await world.route()).steps == (Dial(CALLEE, VIRTUAL, "", world.trunk),)
    assert (world.asked[1]["eventType"], world.asked[1]["sourceMsisdn"]) == ("CALL_RECEIVED", CALLER.digits)
