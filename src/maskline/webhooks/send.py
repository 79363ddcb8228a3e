"""One try of a webhook: the request goes out through the guarded client, its end becomes an `Answer`.

What it is: the translation between `net/post.py`, which knows addresses and connections, and the schedule, which
knows tries. What it is not: retries (`schedule.py`), signatures (`sign.py`) or the judgement on addresses. Who uses
it: `deliver.py`; `app.py` builds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from maskline.net.egress import EgressError, Failure
from maskline.net.post import Poster
from maskline.values import dataclass
from maskline.webhooks.schedule import CallbackRules, Fault, TryResult, read_retry_after
from maskline.webhooks.sign import Request

MAX_ANSWER = 4096
"""Bytes read of an answer; what a receiver says beyond its status is only kept for people. One that is longer costs its
connection, and so does one that breaks off or stalls."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How one request ended."""

    result: TryResult
    error: str = ""
    """A few words for `last_error` and the log; without URL, address or answer body. Empty after 2xx."""
    body: bytes = field(default=b"", repr=False)
    """What the receiver said, the beginning of it: to be kept redacted, with the attempt."""


_FAULTS = {
    Failure.INVALID_URL: Fault.INVALID,
    Failure.FORBIDDEN_ADDRESS: Fault.FORBIDDEN,
    Failure.UNKNOWN_NAME: Fault.CONNECT,
    Failure.NO_CONNECTION: Fault.CONNECT,
    Failure.CONNECT_TIMEOUT: Fault.CONNECT,
    Failure.TLS_FAILED: Fault.CONNECT,
    Failure.TIMEOUT: Fault.READ,
    Failure.BROKEN: Fault.READ,
    Failure.TOO_LARGE: Fault.READ,
}


class WebhookSender:
    """Sends through `poster`, which its owner opens and closes."""

    def __init__(self, poster: Poster) -> None:
        self._poster = poster

    async def send(self, request: Request, headers: Mapping[str, str], rules: CallbackRules, *, now: float) -> Answer:
        """Send and tell how it ended; only cancellation is raised. `now`: wall seconds, for dates in answers."""
        try:
            answer = await self._poster.request(
                request.method, request.url, headers, request.body, connect=rules.connect, total=rules.total,
                most=MAX_ANSWER, status_will_do=True,
            )  # fmt: skip
        except EgressError as error:
            return Answer(TryResult(fault=_FAULTS[error.failure]), str(error))
        retry_after = read_retry_after(answer.retry_after, now)
        said = "" if 200 <= answer.status < 300 else f"HTTP {answer.status}"
        return Answer(TryResult(answer.status, retry_after=retry_after), said, answer.body)
