"""Both clients over real sockets, against a server that answers, hangs up and falls silent by script."""

from __future__ import annotations

import asyncio
import ssl
import threading

import pytest

from maskline.client import (
    AsyncRestClient,
    BadRequest,
    ConnectFailed,
    ConnectionLost,
    RestClient,
    Retries,
    TimedOut,
    TooManyRequests,
)
from maskline.lab.private_ca import issue
from tests.support.rest_clients import CLIENTS
from tests.support.scripted_server import HANG_UP, SILENCE, Answer, scripted

SESSION = {"session_uuid": "s-1", "status": "active", "virtual_number": "6531580001"}
GOT = Answer(200, {"api_id": "a", "response": SESSION})
CREATED = Answer(201, {"api_id": "a", "session_uuid": "s-1", "message": "Session created", "session": SESSION})
BUSY = Answer(503, {"error": "The database does not answer."})


@pytest.fixture(params=list(CLIENTS))
def run(request):
    """Give the steps a client of the server: `run(server, steps, **settings)`."""

    def run(server, steps, *, tries=4, **settings):
        retries = Retries(tries=tries, first_wait=0.0)
        CLIENTS[request.param](steps, "MA1", "token", server.url, retries=retries, **settings)

    return run


def test_requests_and_answers_arrive_whole(run):
    def steps(sessions):
        reply = sessions.create_masking_session("+6590000001", "+6590000002", record=True, idempotency_key="order-17")
        assert (reply.session_uuid, reply.virtual_number, reply.message) == ("s-1", "+6531580001", "Session created")
        assert sessions.get_masking_session("s-1").status == "active"

    with scripted(CREATED, GOT) as server:
        run(server, steps)
    create, get = server.seen
    assert (create.method, create.target) == ("POST", "/v1/Account/MA1/Masking/Session/")
    assert create.json == {"first_party": "+6590000001", "second_party": "+6590000002", "record": True}
    assert create.headers["idempotency-key"] == "order-17"
    assert create.headers["content-type"] == "application/json"
    assert create.headers["user-agent"].startswith("maskline-python/")
    assert (get.method, get.target, get.body) == ("GET", "/v1/Account/MA1/Masking/Session/s-1/", b"")


def test_a_connection_is_used_again(run):
    with scripted(GOT, GOT, GOT) as server:
        run(server, lambda sessions: [sessions.get_masking_session("s-1") for _ in range(3)])
    assert [seen.connection for seen in server.seen] == [0, 0, 0]


def test_a_server_that_closes_after_its_answer_gets_a_new_connection(run):
    closing = Answer(200, GOT.body, (("Connection", "close"),))
    with scripted(closing, GOT) as server:
        run(server, lambda sessions: [sessions.get_masking_session("s-1") for _ in range(2)], tries=1)
    assert [seen.connection for seen in server.seen] == [0, 1]


def test_a_connection_that_died_while_idle_costs_no_error(run):
    with scripted(Answer(200, GOT.body, hang_up=True), GOT) as server:
        run(server, lambda sessions: [sessions.get_masking_session("s-1") for _ in range(2)])
    assert len(server.seen) == 2


@pytest.mark.parametrize("trouble", [HANG_UP, SILENCE, BUSY], ids=["hang up", "silence", "busy"])
def test_a_create_is_repeated_with_the_same_key_and_body(run, trouble):
    with scripted(trouble, CREATED) as server:
        run(server, lambda sessions: sessions.create_masking_session("+6590000001", "+6590000002"), timeout=0.3)
    first, second = server.seen
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.json == second.json


@pytest.mark.parametrize(("trouble", "kind"), [(HANG_UP, ConnectionLost), (SILENCE, TimedOut)])
def test_when_no_try_is_answered_the_last_failure_is_raised(run, trouble, kind):
    def steps(sessions):
        with pytest.raises(kind) as raised:
            sessions.get_masking_session("s-1")
        assert (raised.value.status, raised.value.may_have_acted) == (0, True)

    with scripted(trouble, trouble) as server:
        run(server, steps, tries=2, timeout=0.3)


def test_a_refusal_is_raised_at_once_with_what_the_server_said(run):
    def steps(sessions):
        with pytest.raises(BadRequest, match=r"^Invalid parameter\. ring_timeout ") as raised:
            sessions.update_masking_session("s-1", ring_timeout=-1)
        assert (raised.value.parameter, raised.value.api_id) == ("ring_timeout", "a-1")

    body = {"api_id": "a-1", "error": "Invalid parameter. ring_timeout is outside the allowed range"}
    with scripted(Answer(400, body)) as server:
        run(server, steps)


def test_a_server_that_asks_for_a_long_wait_is_not_waited_for(run):
    def steps(sessions):
        with pytest.raises(TooManyRequests) as raised:
            sessions.list_masking_session()
        assert raised.value.retry_after == 3600

    with scripted(Answer(429, {"error": "Too many requests"}, (("Retry-After", "3600"),))) as server:
        run(server, steps)


def test_a_delete_whose_answer_was_lost_is_done_when_the_session_turns_out_expired(run):
    def steps(sessions):
        assert sessions.delete_masking_session("s-1").message == "Session expired"
        with pytest.raises(BadRequest):
            sessions.delete_masking_session("s-1")

    expired = Answer(400, {"api_id": "a", "error": "Session already expired"})
    with scripted(HANG_UP, expired, expired) as server:
        run(server, steps)


def test_pages_are_walked_to_the_end(run):
    def page(uuid, following):
        body = {"meta": {"total_count": 2, "next": following}, "objects": [SESSION | {"session_uuid": uuid}]}
        return Answer(200, {"response": body})

    def steps(sessions):
        assert [session.session_uuid for session in sessions.all(status="active", limit=1)] == ["s-1", "s-2"]
        first = sessions.list_masking_session()
        assert sessions.next_page(first) is None

    following = "/v1/Account/MA1/Masking/Session/?limit=1&offset=1&status=active"
    with scripted(page("s-1", following), page("s-2", None), page("s-3", None)) as server:
        run(server, steps)
    targets = [seen.target.partition("?")[2] for seen in server.seen]
    assert targets == ["status=active&limit=1", "limit=1&offset=1&status=active", ""]


def test_a_redirect_is_not_followed(run):
    def steps(sessions):
        with pytest.raises(Exception, match="Found") as raised:
            sessions.get_masking_session("s-1")
        assert raised.value.status == 302

    with scripted(Answer(302, "", (("Location", "/elsewhere"),))) as server:
        run(server, steps)


def test_nobody_listening_is_a_failed_connection(run):
    with scripted() as server:
        pass  # closed again: the port is free

    def steps(sessions):
        with pytest.raises(ConnectFailed, match="No connection") as raised:
            sessions.create_masking_session("+6590000001", "+6590000002")
        assert raised.value.may_have_acted is False
        assert "65900" not in str(raised.value)

    run(server, steps, tries=2)


def test_a_private_authority_is_trusted_when_it_is_given(run):
    identity = issue(["localhost"])
    ours = ssl.create_default_context(cadata=identity.authority.decode())
    with scripted(GOT, context=identity.server_context()) as server:
        run(server, lambda sessions: sessions.get_masking_session("s-1"), ssl_context=ours)


def test_a_certificate_that_is_not_trusted_ends_it_at_the_first_try(run):
    def steps(sessions):
        with pytest.raises(ConnectFailed, match="certificate is not trusted") as raised:
            sessions.get_masking_session("s-1")
        assert raised.value.lasting

    with scripted(context=issue(["localhost"]).server_context()) as server:
        run(server, steps)
        assert len(server._connections) == 1


def test_threads_share_a_client():
    barrier = threading.Barrier(4)
    with scripted(*[GOT] * 40) as server, RestClient("MA1", "token", server.url) as client:

        def work():
            barrier.wait(30)
            for _ in range(10):
                assert client.masking_sessions.get_masking_session("s-1").session_uuid == "s-1"

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len({seen.connection for seen in server.seen}) <= 4
        assert len(server.seen) == 40


def test_a_closed_client_opens_anew_when_it_is_used_again():
    with scripted(GOT, GOT) as server:
        client = RestClient("MA1", "token", server.url)
        for _ in range(2):
            client.masking_sessions.get_masking_session("s-1")
            client.close()
    assert [seen.connection for seen in server.seen] == [0, 1]


async def test_one_asynchronous_client_serves_many_tasks():
    with scripted(*[GOT] * 20) as server:
        async with AsyncRestClient("MA1", "token", server.url) as client:
            replies = await asyncio.gather(*[client.masking_sessions.get_masking_session("s-1") for _ in range(20)])
    assert {reply.session_uuid for reply in replies} == {"s-1"}


def test_clients_do_not_print_their_token():
    for client in (RestClient, AsyncRestClient):
        assert "hidden-token" not in repr(vars(client("MA1", "hidden-token", "https://h.example")))


def test_a_context_of_the_users_own_is_only_looked_at_for_https():
    with (
        scripted(GOT) as server,
        RestClient("MA1", "t", server.url, ssl_context=ssl.create_default_context()) as client,
    ):
        assert client.masking_sessions.get_masking_session("s-1").status == "active"
