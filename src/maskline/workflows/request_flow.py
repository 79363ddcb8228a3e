"""Take a call flow that a customer asks for (`POST callflows`): check it, keep it, let it be begun.

What it is: the rules that need the store: whose numbers, which webhooks, which voices, what time it is. What it is not:
the flow's own form (`webhooks/formats/eight_flow.py`), or the call (`start_flow.py` begins it). Who uses it:
`api/eight/callflows.py`.

What is acknowledged is on disk: it is begun, or ends with a summary that says why not.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from maskline.clock import Clock
from maskline.ids import Ids
from maskline.masking.call_flow import Capture, MakeCall, Say
from maskline.media.speech.voice import SpeechEngine
from maskline.storage.kept import RequestedFlow
from maskline.storage.store import Account, Once, Store
from maskline.webhooks.formats import eight_action, wavecell_handle
from maskline.webhooks.formats.eight_fault import FlowFault
from maskline.webhooks.formats.eight_flow import WARNINGS_TOLD, FlowRequest, read_request
from maskline.webhooks.formats.eight_params import FlowRules
from maskline.workflows.hooks import Notify, nobody_waits
from maskline.workflows.list_voices import voice_codes
from maskline.workflows.owns import owns

_TOLD_OF_DIGITS = frozenset({eight_action.KIND, wavecell_handle.KIND})
"""Kinds of endpoints that captured digits go to."""
_log = structlog.get_logger("maskline.request_flow")


@dataclass(frozen=True, slots=True)
class Acknowledged:
    flow: RequestedFlow
    repeated: bool
    """It was acknowledged before, under the same Idempotency-Key."""


class RequestFlow:
    """`read`, then call it with what was read."""

    __slots__ = ("_clock", "_ids", "_requested", "_speech", "_store", "_strict")

    def __init__(
        self, store: Store, clock: Clock, ids: Ids, speech: SpeechEngine, *,
        requested: Notify = nobody_waits, strict: bool = False,
    ) -> None:  # fmt: skip
        """`requested` is called when there is a flow to begin; `strict` as in `FlowRules`."""
        self._store = store
        self._clock = clock
        self._ids = ids
        self._speech = speech
        self._requested = requested
        self._strict = strict

    async def read(self, account: Account, body: bytes) -> FlowRequest:
        """The flow in the body of a request. Raises `FlowFault`."""
        asked = read_request(body, FlowRules(strict=self._strict))
        if any(isinstance(action, Say | Capture) for action in asked.flow.actions):
            read_request(body, FlowRules(await voice_codes(self._speech), self._strict))
        if asked.warnings:
            _log.warning("call_flow_ignored", account=account.id, places=list(asked.warnings[:WARNINGS_TOLD]))
        return asked

    async def __call__(
        self, account: Account, asked: FlowRequest, request_id: str, once: Once | None = None
    ) -> Acknowledged:
        """Keep the flow for this account or subaccount. `request_id`: 8x8's `callFlowRequestId`. Raises `FlowFault`
        and `IdempotencyMismatch`."""
        now = self._clock.wall()
        flow = RequestedFlow(
            self._ids.uuid(), account.id, request_id, asked.raw, asked.client_request_id, asked.valid_until, now
        )
        earlier = None if once is None else await self._store.earlier_flow(flow, once)
        if earlier is None:
            await self._check(account, asked, now)
            earlier = await self._store.add_requested_flow(flow, once=once)
        if earlier.id != flow.id:
            return Acknowledged(earlier, True)
        self._requested()
        return Acknowledged(flow, False)

    async def _check(self, account: Account, asked: FlowRequest, now: float) -> None:
        if asked.valid_until is not None and asked.valid_until <= now:
            raise FlowFault(-1015, "$.validUntil")
        for index, action in enumerate(asked.flow.actions):
            if isinstance(action, MakeCall) and not owns(account.id, await self._store.number(action.source)):
                raise FlowFault(-1014, f"$.callflow[{index}].params.source")
        if asked.captures and not await self._is_told_of_digits(account):
            raise FlowFault(-1004, f"$.callflow[{asked.captures[0]}]")

    async def _is_told_of_digits(self, account: Account) -> bool:
        endpoints = await self._store.endpoints(account.id)
        return any(endpoint.kind in _TOLD_OF_DIGITS and endpoint.enabled for endpoint in endpoints)
