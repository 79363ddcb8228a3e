"""Maskline's own API below `/maskline/v1`: the end of calls, what became of webhooks, sending them
again, and limits.

What it is: the section of the dispatcher's table, its authentication by Bearer key and its one error shape, `{"error":
{"code", "message"}, "requestId"}`. What it is not: rules, which are the workflows'. Who uses it: `api/app.py`.

A key of an account sees all of it, a subaccount's only what is the subaccount's. Bodies of webhooks are not shown: they
hold numbers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from pydantic_core import to_json

from maskline.api.body import read_object
from maskline.api.dispatch import Endpoint, RawHeaders, Request, Response, Route, Section
from maskline.api.native.border import HEADERS, NATIVE, Answer, endpoint, fault
from maskline.api.native.openapi import openapi_document
from maskline.api.native.operator import describe, operator_routes
from maskline.api.services import ApiServices
from maskline.errors import InvalidParameter, NotFound
from maskline.logs import mask_text
from maskline.storage.store import OUTBOX_STATES, OutboxRow
from maskline.storage.webhook_store import FINISHED_STATES, NO_FAILING_ENDPOINT, Attempt, FailingEndpoint, ReplayFilter
from maskline.webhooks.formats.native import iso_time
from maskline.workflows.end_call import end_call
from maskline.workflows.find_account import find_account
from maskline.workflows.find_by_key import account_of_key
from maskline.workflows.list_webhooks import find_webhook, list_webhooks, replay_webhook
from maskline.workflows.replay_webhooks import (
    enable_endpoint,
    list_attempts,
    list_failing_endpoints,
    replay_webhooks,
)
from maskline.workflows.scope import Scope

PREFIX = "/maskline/v1"
MOST = 200
"""Deliveries in one answer."""
ENDING, ENDED = "ending", "ended"
"""`status` of a call whose end was asked for."""
Operation = Callable[[Request, Scope], Awaitable[Answer]]


class _Wish(NamedTuple):
    """A field of a replay."""

    name: str
    kind: type | tuple[type, ...]
    default: Any


_REPLAY = (
    _Wish("states", list, ["failed", "held"]), _Wish("endpoint", str, ""), _Wish("since", (int, float), 0.0),
    _Wish("until", (int, float), 1e15),
)  # fmt: skip


class NativeDialect:
    __slots__ = ("_services",)

    def __init__(self, services: ApiServices) -> None:
        self._services = services

    def section(self) -> Section:
        one = "/webhooks/deliveries/{id}"
        routes = [
            Route("/openapi.json", {"GET": self._openapi}),
            Route("/webhooks/deliveries", {"GET": self._endpoint("list_deliveries", self._list)}),
            Route(one, {"GET": self._endpoint("get_delivery", self._get)}),
            Route(one + "/replay", {"POST": self._endpoint("replay_delivery", self._replay_one)}),
            Route("/webhooks/replay", {"POST": self._endpoint("replay_deliveries", self._replay)}),
            Route("/webhooks/endpoints", {"GET": self._endpoint("list_endpoints", self._endpoints)}),
            Route("/webhooks/endpoints/{id}/enable", {"POST": self._endpoint("enable_endpoint", self._enable)}),
            Route("/calls/{id}/end", {"POST": self._endpoint("end_call", self._end_call)}),
            Route("/limits", {"GET": self._endpoint("get_own_limits", self._limits)}),
            *operator_routes(self._services),
        ]
        return Section(PREFIX, routes, self._no_route)

    # -- the border ----------------------------------------------------------------------------------------------------

    def _endpoint(self, name: str, operation: Operation) -> Endpoint:
        return endpoint(self._services, name, self._scope_of, operation)

    async def _scope_of(self, key: str) -> Scope:
        account = await account_of_key(self._services.store, key)
        self._services.limiter.take(account.id, self._services.clock.now())
        return Scope.of(account)

    def _no_route(self, status: int, headers: RawHeaders) -> Response:
        services = self._services
        services.metrics.count(NATIVE, "none", status, 0.0)
        code = "wrong_method" if status == 405 else "no_such_resource"
        sentence = "This method is not allowed here." if status == 405 else "There is nothing at this address."
        return Response(status, to_json(fault(code, sentence, services.ids.uuid())), (*HEADERS, *headers))

    # -- calls ---------------------------------------------------------------------------------------------------------

    async def _end_call(self, request: Request, scope: Scope) -> Answer:
        services = self._services
        call_id, record = await end_call(
            services.store, services.clock, scope, request.params["id"], services.end_asked
        )  # fmt: skip
        if record is None:
            return 202, {"callId": call_id, "status": ENDING, "endedAt": None, "outcome": None, "cause": None}
        return 200, {
            "callId": call_id, "status": ENDED, "endedAt": iso_time(record.ended_at), "outcome": record.outcome.value,
            "cause": record.cause.value,
        }  # fmt: skip

    # -- limits --------------------------------------------------------------------------------------------------------

    async def _limits(self, _request: Request, scope: Scope) -> Answer:
        """Of its main account, which only the operator changes."""
        return 200, describe(await find_account(self._services.store, scope.account_id))

    async def _openapi(self, _request: Request) -> Response:
        return Response(200, to_json(openapi_document()), HEADERS)

    # -- deliveries ----------------------------------------------------------------------------------------------------

    async def _list(self, request: Request, scope: Scope) -> Answer:
        state = dict(parse_qsl(request.query.decode("latin-1"))).get("state")
        if state not in (None, *OUTBOX_STATES):
            raise InvalidParameter(f"state must be one of {', '.join(OUTBOX_STATES)}.", parameter="state")
        rows = await list_webhooks(self._services.store, scope.account_id, state=state, limit=MOST)
        return 200, {"deliveries": [_delivery(row) for row in rows if _is_in(scope, row.subaccount_id)]}

    async def _get(self, request: Request, scope: Scope) -> Answer:
        row = await find_webhook(self._services.store, scope, request.params["id"])
        tries = await list_attempts(self._services.store, row.id)
        return 200, {**_delivery(row), "tries": [_attempt(one) for one in tries]}

    async def _replay_one(self, request: Request, scope: Scope) -> Answer:
        row = await find_webhook(self._services.store, scope, request.params["id"])
        await replay_webhook(self._services.store, self._services.clock, row.id)
        self._services.committed()
        return 202, {"replayed": 1}

    async def _replay(self, request: Request, scope: Scope) -> Answer:
        body = await read_object(request)
        if unknown := set(body) - {wish.name for wish in _REPLAY}:
            raise InvalidParameter(f"{min(unknown)} is unknown here.")
        states, endpoint, since, until = (_read(body, wish) for wish in _REPLAY)
        if not states or not set(states) <= set(FINISHED_STATES):
            raise InvalidParameter(f"states must be a list of {', '.join(FINISHED_STATES)}.")
        wanted = ReplayFilter(scope.account_id, tuple(states), endpoint, scope.subaccount_id, since, until)
        count = await replay_webhooks(self._services.store, self._services.clock, wanted)
        self._services.committed()
        return 202, {"replayed": count}

    # -- endpoints that fail -------------------------------------------------------------------------------------------

    async def _endpoints(self, _request: Request, scope: Scope) -> Answer:
        found = await list_failing_endpoints(self._services.store, scope.account_id)
        return 200, {"endpoints": [_failing(one) for one in found if _is_in(scope, one.subaccount_id)]}

    async def _enable(self, request: Request, scope: Scope) -> Answer:
        body = await read_object(request)
        replay = _read(body, _Wish("replay", bool, False))
        store = self._services.store
        found = await list_failing_endpoints(store, scope.account_id)
        known = [one.id for one in found if _is_in(scope, one.subaccount_id)]
        if request.params["id"] not in known:
            raise NotFound(NO_FAILING_ENDPOINT)
        _, count = await enable_endpoint(
            store, self._services.clock, request.params["id"], scope.account_id, replay=replay
        )  # fmt: skip
        self._services.committed()
        return 200, {"enabled": request.params["id"], "replayed": count}


def _is_in(scope: Scope, subaccount_id: str | None) -> bool:
    return scope.subaccount_id in (None, subaccount_id)


def _read(body: Mapping[str, Any], wish: _Wish) -> Any:
    value = body.get(wish.name, wish.default)
    wrong = isinstance(value, bool) and wish.kind is not bool  # JSON's true is no number, though Python's is
    if isinstance(value, list):
        wrong = not all(isinstance(one, str) for one in value)
    if wrong or not isinstance(value, wish.kind):
        raise InvalidParameter(f"{wish.name} is not of the right type.", parameter=wish.name)
    return value


def _delivery(row: OutboxRow) -> dict[str, Any]:
    return {
        "id": row.id, "subaccountId": row.subaccount_id, "subject": row.subject, "dialect": row.dialect,
        "event": row.event, "url": mask_text(row.url), "createdAt": iso_time(row.created_at),
        "dueAt": iso_time(row.due_at), "state": row.state, "attempts": row.attempts, "replayed": row.replayed,
        "lastStatus": row.last_status, "lastError": mask_text(row.last_error) or None,
    }  # fmt: skip


def _attempt(one: Attempt) -> dict[str, Any]:
    return {
        "number": one.number, "at": iso_time(one.at), "milliseconds": one.milliseconds, "status": one.status,
        "fault": one.fault or None, "answer": one.answer,
    }  # fmt: skip


def _failing(one: FailingEndpoint) -> dict[str, Any]:
    return {
        "id": one.id, "subaccountId": one.subaccount_id, "url": mask_text(one.url),
        "failingSince": iso_time(one.since), "failures": one.failures, "lastFailureAt": iso_time(one.last_at),
        "disabledAt": iso_time(one.disabled_at), "reason": one.reason or None,
    }  # fmt: skip
