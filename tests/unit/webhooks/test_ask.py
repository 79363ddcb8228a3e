"""Questions to an application over real sockets: within the budget, twice at most, and why there was no answer."""

from __future__ import annotations

import asyncio
import json

import pytest
from aiohttp import web

from maskline.clock import SystemClock, VirtualClock
from maskline.lab.ports import free_port
from maskline.masking.facts import Cause
from maskline.net.post import Poster
from maskline.webhooks import ask as ask_module
from maskline.webhooks.ask import MOST_ANSWER, AnswerFault, Asker, Budget, Question
from maskline.webhooks.sign import standard_webhooks
from tests.support.scripted_server import HANG_UP, SILENCE, Answer, scripted
from tests.support.waiting import until
from tests.support.web_receiver import LOOPBACK, Names, receiving

FLOW = {"callflow": []}
SECRET = "whsec_" + "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"


@pytest.fixture
async def asker():
    """Makes an asker that may reach loopback unless told otherwise."""
    opened = []

    async def make(budget=Budget(2.0, 2.0), allowed=LOOPBACK, resolver=None, clock=None):  # noqa: B008 - frozen
        poster = Poster(allowed, resolver=resolver)
        await poster.open()
        opened.append(poster)
        return Asker(poster, clock or SystemClock(), budget)

    yield make
    for poster in opened:
        await poster.close()


def question(url, **more):
    return Question("event-1", url + "/vca?key=of-acme", b'{"payload":1}', **more)


async def fault(asker, url, **more):
    with pytest.raises(AnswerFault) as raised:
        await asker.ask(question(url, **more))
    assert "of-acme" not in str(raised.value)
    return raised.value


@pytest.mark.row("8x8:2/transport", "8x8:8/httpAuthHeader")
async def test_a_question_is_a_post_of_json_with_the_authorization_verbatim(asker):
    ask = await asker()
    with scripted(Answer(200, FLOW)) as server:
        answer = await ask.ask(question(server.url, authorization="Bearer s3cret ; x"))
    (seen,) = server.seen
    assert json.loads(answer) == FLOW
    assert (seen.method, seen.target, seen.body) == ("POST", "/vca?key=of-acme", b'{"payload":1}')
    assert seen.headers["authorization"] == "Bearer s3cret ; x"
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["accept-encoding"] == "identity"
    assert seen.headers["webhook-id"] == seen.headers["x-maskline-event-id"] == "event-1"
    assert seen.headers["x-maskline-retry"] == "0"
    assert "webhook-signature" not in seen.headers
    assert (ask.results, ask.repeated, ask.asking) == ({"answered": 1}, 0, 0)
    assert 0 < ask.seconds < 2


@pytest.mark.row("8x8:14/signature")
async def test_a_question_is_signed_where_the_endpoint_has_a_secret(asker):
    ask = await asker()
    with scripted(Answer(200, FLOW)) as server:
        await ask.ask(question(server.url, secret=SECRET))
    headers = server.seen[0].headers
    signature = standard_webhooks(SECRET, "event-1", int(headers["webhook-timestamp"]), b'{"payload":1}')
    assert headers["webhook-signature"] == signature


async def test_questions_share_a_connection(asker):
    ask = await asker()
    with scripted(Answer(200, FLOW), Answer(200, FLOW)) as server:
        await ask.ask(question(server.url))
        await ask.ask(question(server.url))
    assert [seen.connection for seen in server.seen] == [0, 0]


@pytest.mark.parametrize("first", [Answer(500), Answer(503, "later"), HANG_UP])
@pytest.mark.row("8x8:3.1/retry", "8x8:3/eventId")
async def test_a_5xx_and_a_broken_connection_are_asked_once_more_about_the_same_event(asker, first):
    ask = await asker()
    with scripted(first, Answer(200, FLOW)) as server:
        assert json.loads(await ask.ask(question(server.url))) == FLOW
    assert [seen.headers["x-maskline-retry"] for seen in server.seen] == ["0", "1"]
    assert {seen.headers["webhook-id"] for seen in server.seen} == {"event-1"}
    assert (ask.repeated, ask.results) == (1, {"answered": 1})


async def test_a_kept_connection_that_the_server_gave_up_costs_no_call(asker):
    ask = await asker()
    with scripted(Answer(200, FLOW, hang_up=True), Answer(200, FLOW)) as server:
        await ask.ask(question(server.url))
        await ask.ask(question(server.url))
    assert ask.results == {"answered": 2}


@pytest.mark.row("8x8:3.1/retry", "8x8:3.1/-2002")
async def test_two_5xx_are_the_end(asker):
    ask = await asker()
    with scripted(Answer(500), Answer(502)) as server:
        error = await fault(ask, server.url)
    assert (error.cause, error.result) == (Cause.CALL_ACTION_FAILED, "http_5xx")
    assert error.sentence == "The application answered with HTTP 502, not 200."
    assert ask.results == {"http_5xx": 1}


@pytest.mark.parametrize(
    ("status", "result"), [(204, "http_2xx"), (201, "http_2xx"), (302, "http_3xx"), (404, "http_4xx")]
)
@pytest.mark.row("8x8:3.1/-2002", "8x8:3.1/retry")
async def test_whatever_else_is_not_200_fails_at_once(asker, status, result):
    ask = await asker()
    with scripted(Answer(status, headers=(("Location", "/elsewhere"),))) as server:
        error = await fault(ask, server.url)
    assert (error.cause, error.result) == (Cause.CALL_ACTION_FAILED, result)
    assert ask.repeated == 0


@pytest.mark.row("8x8:3.1/budget", "8x8:3.1/-2002")
async def test_silence_is_waited_for_until_the_budget_is_used_up_and_not_repeated(asker):
    ask = await asker(Budget(1.0, 0.2))
    with scripted(SILENCE) as server:
        error = await fault(ask, server.url)
    assert (error.cause, error.result) == (Cause.CALL_ACTION_FAILED, "timeout")
    assert error.sentence == "The application could not be asked: no answer in time."
    assert (ask.repeated, ask.asking) == (0, 0)


@pytest.mark.row("8x8:3.1/budget")
def test_a_connect_may_take_3_s_and_all_of_it_5():
    assert Budget() == Budget(3.0, 5.0)


async def test_an_answer_that_stalls_is_too_late(asker):
    ask = await asker(Budget(1.0, 0.3))
    async with receiving() as receiver:

        async def stall(request):
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(b'{"callflow":')
            await asyncio.Event().wait()

        receiver.answer = stall
        error = await fault(ask, receiver.url)
    assert (error.cause, error.result) == (Cause.CALL_ACTION_FAILED, "timeout")


@pytest.mark.row("8x8:3.1/budget", "8x8:3.1/retry")
async def test_no_second_try_is_made_when_the_first_used_the_time_up(asker):
    clock = VirtualClock()
    ask = await asker(clock=clock)
    async with receiving() as receiver:

        async def late_500(_request):
            clock.advance(2.0)
            return web.Response(status=500)

        receiver.answer = late_500
        assert (await fault(ask, receiver.url)).result == "http_5xx"
    assert len(receiver.requests) == 1


@pytest.mark.row("8x8:3.1/-2002", "8x8:3.1/retry")
async def test_a_refused_connection_is_tried_twice(asker):
    ask = await asker()
    error = await fault(ask, f"http://127.0.0.1:{free_port()}")
    assert (error.cause, error.result) == (Cause.CALL_ACTION_FAILED, "no_connection")
    assert error.sentence == "The application could not be asked: no connection: refused or unreachable."
    assert ask.repeated == 1


async def test_an_internal_address_is_not_asked(asker):
    ask = await asker(allowed=[])
    async with receiving() as receiver:
        error = await fault(ask, receiver.url)
        assert receiver.requests == []
    assert (error.result, ask.repeated) == ("forbidden_address", 0)


async def test_a_name_is_looked_up_once_for_many_questions(asker):
    names = Names(app_example=[["127.0.0.1"], ["192.0.2.1"]])
    ask = await asker(resolver=names)
    with scripted(Answer(200, FLOW, (("Connection", "close"),)), Answer(200, FLOW)) as server:
        for _ in range(2):
            await ask.ask(question(f"http://app.example:{server.port}"))


async def test_an_answer_larger_than_64_kib_is_no_flow(asker):
    ask = await asker()
    with scripted(Answer(200, "x" * (MOST_ANSWER + 1))) as server:
        error = await fault(ask, server.url)
    assert (error.cause, error.result) == (Cause.CALL_FLOW_INVALID, "too_large")
    assert error.sentence == "The application's answer is larger than 64 KiB."
    with scripted(Answer(200, "x" * MOST_ANSWER)) as server:
        assert len(await ask.ask(question(server.url))) == MOST_ANSWER


async def test_a_question_may_be_begun_outside_of_a_task(asker):
    """As the engine does, which takes the first step of a question itself."""
    ask = await asker()
    with scripted(Answer(200, FLOW)) as server:
        begun = ask.ask(question(server.url))
        assert begun.send(None) is None
        assert ask.asking == 0
        assert json.loads(await asyncio.create_task(begun)) == FLOW


async def test_one_application_cannot_have_all_sockets(asker, monkeypatch):
    monkeypatch.setattr(ask_module, "MOST_WAITING", 2)
    ask = await asker()
    async with receiving() as receiver:
        go_on = asyncio.Event()

        async def wait(_request):
            await go_on.wait()
            return web.json_response(FLOW)

        receiver.answer = wait
        waiting = [asyncio.ensure_future(ask.ask(question(receiver.url))) for _ in range(2)]
        await until(lambda: len(receiver.requests) == 2)
        assert ask.asking == 2
        error = await fault(ask, receiver.url)
        assert (error.cause, error.result) == (Cause.CALL_ACTION_FAILED, "too_many")
        go_on.set()
        await asyncio.gather(*waiting)
    assert (ask.asking, ask.results) == (0, {"too_many": 1, "answered": 2})


async def test_a_question_that_is_withdrawn_closes_its_connection_and_is_counted_as_such(asker):
    ask = await asker()
    async with receiving() as receiver:
        over, asked = asyncio.Event(), []

        async def think(request):
            asked.append(request)
            await over.wait()
            return web.json_response(FLOW)

        receiver.answer = think
        waiting = asyncio.ensure_future(ask.ask(question(receiver.url)))
        await until(lambda: len(asked) == 1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert (ask.asking, ask.results, ask.repeated) == (0, {"withdrawn": 1}, 0)
        await until(lambda: asked[0].transport is None)
        over.set()
