"""One try of a webhook: the request goes out through the guarded client, its end becomes an `Answer`.

What it is: the translation between `net/egress.py`, which knows addresses and connections, and the schedule, which
knows tries. What it is not: retries (`schedule.py`), signatures (`sign.py`) or the judgement on addresses. Who uses
it: `deliver.py`; `app.py` builds it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from maskline.net.egress import Egress, EgressError, Failure
from maskline.webhooks.schedule import CallbackRules, Fault, TryResult, read_retry_after
from maskline.webhooks.sign import Request

MAX_ANSWER = 4096
"""Bytes read of an answer; what a receiver says beyond its status is of no use to us."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How one request ended."""

    result: TryResult
    error: str = ""
    """A few words for `last_error` and the log; without URL, address or answer body. Empty after 2xx."""


_FAULTS = {
    Failure.INVALID_URL: Fault.INVALID,
    Failure.FORBIDDEN_ADDRESS: Fault.FORBIDDEN,
    Failure.UNKNOWN_NAME: Fault.CONNECT,
    Failure.NO_CONNECTION: Fault.CONNECT,
    Failure.CONNECT_TIMEOUT: Fault.CONNECT,
    Failure.TLS_FAILED: Fault.CONNECT,
    Failure.TIMEOUT: Fault.READ,
    Failure.BROKEN: Fault.READ,
}


class WebhookSender:
    """Sends through `egress`, which its owner opens and closes."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress

    async def send(self, request: Request, headers: Mapping[str, str], rules: CallbackRules, *, now: float) -> Answer:
        """Send and tell how it ended; only cancellation is raised. `now`: wall seconds, for dates in answers."""
        try:
            async with self._egress.request(
                request.method, request.url, connect=rules.connect, total=rules.total,
                headers=headers, body=request.body or None,
            ) as response:  # fmt: skip
                await _drain(response)
                return _answer(response, now)
        except EgressError as error:
            return Answer(TryResult(fault=_FAULTS[error.failure]), str(error))


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Read a short answer to its end, so that the connection can serve the next webhook; cut a long one. The
    status has arrived, so an answer that breaks off or stalls after it changes nothing."""
    left = MAX_ANSWER
    with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
        while left > 0:
            chunk = await response.content.read(left)
            if not chunk:
                return
            left -= len(chunk)
    response.close()


def _answer(response: aiohttp.ClientResponse, now: float) -> Answer:
    retry_after = read_retry_after(response.headers.get("Retry-After", ""), now)
    result = TryResult(response.status, retry_after=retry_after)
    return Answer(result, "" if 200 <= response.status < 300 else f"HTTP {response.status}")
