"""Send one made-up event to a receiver and tell what it answered. Called by the CLI.

What it is: a smoke test of an endpoint, with the same headers and signature as a real webhook, and for a call action
the judgement what a real call would make of its answer. What it is not: a webhook: nothing is kept, and nothing is
tried again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from maskline.clock import Clock
from maskline.errors import InvalidParameter, MissingParameter, NotFound
from maskline.ids import Ids
from maskline.masking.redaction import Redactor
from maskline.masking.routing_rules import RoutingRules
from maskline.net.egress import Egress, EgressError, read_body
from maskline.storage.store import Account, Endpoint, Store
from maskline.webhooks.ask import MOST_ANSWER, Budget, Question, question_headers
from maskline.webhooks.formats import native
from maskline.webhooks.formats.shape import read_shape
from maskline.workflows.check_limits import CheckLimits
from maskline.workflows.check_url import endpoint_fault
from maskline.workflows.judge_answer import QUESTIONS, AnswerRules, Asked, answer_fault, no_answer_fault
from maskline.workflows.plan_flow import PlanFlow
from maskline.workflows.sample_events import BODIES, CALLER, TYPES, Scene, scene_number
from maskline.workflows.sample_native import SAMPLES
from maskline.workflows.trunk_table import TrunkTable

_WEBHOOK = Budget(3.0, 15.0)
"""Of events that nobody waits for."""


@dataclass(frozen=True, slots=True)
class Triggered:
    """What was sent, and what came back."""

    kind: str
    url: str = field(repr=False)
    event_id: str
    body: bytes = field(repr=False)
    status: int
    """0: no answer."""
    seconds: float
    answer: bytes = field(default=b"", repr=False)
    fault: str = ""
    """Why the receiver would not do, in one sentence; empty: it would."""


async def trigger_event(
    store: Store, egress: Egress, clock: Clock, ids: Ids, name: str, owner: str | None = None, url: str = "",
    rules: AnswerRules | None = None,
) -> Triggered:  # fmt: skip
    """Send the sample of type `name` to the endpoint that `owner`, an account's or subaccount's id, has for it; or to
    `url`, with that endpoint's headers if there is one. Without owner the sample is nobody's. An answer to a question
    is judged by `rules`.

    Raises `InvalidParameter` (type, url), `MissingParameter` and `NotFound`. What the receiver does wrong is told, not
    raised.
    """
    kind = native.KIND if name.lower() in SAMPLES else TYPES.get(name.lower())
    if kind is None:
        known = ", ".join([word for word, _ in BODIES.values()] + list(SAMPLES))
        raise InvalidParameter(f"TYPE must be one of {known}.", parameter="type")
    if url and (fault := endpoint_fault(url)):
        raise InvalidParameter(f"Invalid parameter. url {fault}", parameter="url")
    if owner is None and not url:
        raise MissingParameter("Give --url URL, or whose endpoint is meant: --account ID or --subaccount ID.")
    endpoint, scene = await _prepared(store, clock, ids, kind, owner)
    if endpoint is None and not url:
        raise NotFound(f"No {kind} endpoint is set there (maskline webhook set).")
    target = url or (endpoint.url if endpoint else "")
    rules = rules or AnswerRules()
    told = await _send(egress, clock, scene, (kind, name.lower()), target, endpoint, rules.budget)
    if told.fault or kind not in QUESTIONS:
        return told
    table = TrunkTable(store, clock)
    plan = PlanFlow(store, table, RoutingRules(), CheckLimits(store, clock, table))
    asked = None if owner is None else Asked(plan, scene.number, CALLER)
    return replace(told, fault=await answer_fault(kind, told.status, told.answer, rules, asked))


async def _prepared(
    store: Store, clock: Clock, ids: Ids, kind: str, owner: str | None
) -> tuple[Endpoint | None, Scene]:
    account = Account("", "sample", None, (), 0.0) if owner is None else await store.account(owner)
    endpoints = [] if owner is None else await store.endpoints(owner)
    endpoint = next((one for one in endpoints if one.kind == kind), None)
    options = {} if endpoint is None else endpoint.options
    shown = (endpoint.external_id if endpoint else "") or account.shown_id
    # Nobody's number is redacted: the sample has none, and a receiver under test wants to see where they stand.
    shape = read_shape(shown, options, Redactor())
    known = [] if owner is None else await store.numbers(owner)
    now = clock.wall()
    return endpoint, Scene(account.id, scene_number(account, known, now), shape, ids, now)


async def _send(
    egress: Egress, clock: Clock, scene: Scene, what: tuple[str, str], url: str, endpoint: Endpoint | None,
    asked: Budget,
) -> Triggered:  # fmt: skip
    """`what`: the kind, and the name that was asked for."""
    kind, name = what
    budget = asked if kind in QUESTIONS else _WEBHOOK
    event_id = scene.ids.uuid()
    body = SAMPLES[name](scene) if name in SAMPLES else BODIES[kind][1](scene, event_id)
    told = (endpoint.authorization, endpoint.secret) if endpoint else ("", "")
    headers = question_headers(Question(event_id, url, body, *told), int(scene.now), 0)
    began = clock.now()
    try:
        async with egress.request(
            "POST", url.partition("#")[0], connect=budget.connect, total=budget.total, headers=headers, body=body
        ) as response:
            answer = await read_body(response, MOST_ANSWER)
            status = response.status
    except EgressError as error:
        fault = no_answer_fault(error, budget) if kind in QUESTIONS else f"No answer: {error}."
        return Triggered(kind, url, event_id, body, 0, clock.now() - began, fault=fault)
    taken = kind in QUESTIONS or 200 <= status < 300
    fault = "" if taken else f"HTTP {status}: a real event would be sent again."
    return Triggered(kind, url, event_id, body, status, clock.now() - began, answer, fault)
