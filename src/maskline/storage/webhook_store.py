"""What is kept of webhooks beside the rows of the outbox: attempts, and endpoints that fail; and sending many again.

What it is: a part of `store.py` with its row types, held to the same contract suite. What it is not: rules; what is a
failure and for how long an endpoint may fail is said by `webhooks/health.py`.

An *endpoint* is a URL without query and fragment as one account or subaccount has it: the same receiver may be well for
others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple, Protocol

from maskline.values import dataclass

if TYPE_CHECKING:
    from maskline.storage.store import OutboxRow

FINISHED_STATES = ("done", "failed", "held")
"""States of outbox rows that nothing is tried of; `held`: kept back, as its endpoint is disabled."""
UNSENT_STATES = ("failed", "held")
MOST_FAILING = 1_000
"""Endpoints of one account that are remembered to fail: sessions bring URLs of their own, of which there is no end.
What goes to others is tried by its schedule, and they are not disabled."""
FAILING_LONGER = 5 * 86_400.0
"""Seconds for which it is remembered that an endpoint fails, beyond webhooks: their tries may be a day apart."""
NO_WEBHOOK = "There is no such webhook."
NO_FAILING_ENDPOINT = "There is no such endpoint that fails or is disabled."


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a webhook."""

    row_id: str
    number: int
    """From 1, over all replays."""
    at: float
    """Wall seconds of its beginning."""
    milliseconds: int
    status: int | None = None
    """None: there was no answer."""
    fault: str = ""
    """Why not: `schedule.Fault`."""
    answer: str = field(default="", repr=False)
    """Begin of the answer's body, without what may be a telephone number; sealed at rest."""


@dataclass(frozen=True, slots=True)
class EndpointNote:
    """What tries of one endpoint have shown since the last note."""

    account_id: str
    subaccount_id: str | None
    url: str = field(repr=False)
    """Without query and fragment."""
    at: float
    failures: int
    """0: the last one was a success."""
    gone: bool = False
    """It said that it wants no more (410)."""

    @property
    def id(self) -> str:
        return endpoint_id(self.subaccount_id or self.account_id, self.url)


@dataclass(frozen=True, slots=True)
class FailingEndpoint:
    """One that has answered no try since a while, or was disabled for it."""

    id: str
    account_id: str
    subaccount_id: str | None
    url: str = field(repr=False)
    """Without query and fragment."""
    since: float
    """Wall seconds of the first failure behind the last success."""
    failures: int
    last_at: float
    disabled_at: float | None = None
    reason: str = ""
    """`gone` or `failing`, once it is disabled."""


EndpointOutbox = Callable[[FailingEndpoint], "Sequence[OutboxRow]"]
"""Webhooks that tell of an endpoint that is disabled; called inside the transaction, maybe twice."""


class Patience(NamedTuple):
    """When an endpoint is disabled: both must be over."""

    seconds: float = 5 * 86_400.0
    failures: int = 10


@dataclass(frozen=True, slots=True)
class ReplayFilter:
    """Which finished webhooks of an account are sent again, by the time they were made: since ≤ time < until."""

    account_id: str
    states: tuple[str, ...] = UNSENT_STATES
    endpoint: str = field(default="", repr=False)
    """A URL without query and fragment; empty: any."""
    subaccount_id: str | None = None
    """None: any."""
    since: float = 0.0
    until: float = 1e15


class ReplayPlace(NamedTuple):
    """Behind which a replay goes on."""

    created_at: float = -1.0
    row_id: str = ""


def reason_to_disable(failing: FailingEndpoint, note: EndpointNote, patience: Patience, now: float) -> str:
    """Of an endpoint as it is with the note; empty: none, or it is disabled already."""
    if failing.disabled_at is not None:
        return ""
    if note.gone:
        return "gone"
    is_over = now - failing.since >= patience.seconds and failing.failures >= patience.failures
    return "failing" if is_over else ""


def is_wanted(wanted: ReplayFilter, state: str, url: str, subaccount_id: str | None) -> bool:
    """What the look-up of a replay leaves to be asked of a row."""
    return (
        state in wanted.states
        and (not wanted.endpoint or endpoint_url(url) == wanted.endpoint)
        and wanted.subaccount_id in (None, subaccount_id)
    )


def endpoint_url(url: str) -> str:
    """Without query and fragment, which may name a session."""
    return url.partition("#")[0].partition("?")[0]


def endpoint_id(owner: str, url: str) -> str:
    """Of the (sub)account `owner` and a URL as of `endpoint_url`."""
    return blake2b(f"{owner} {url}".encode(), digest_size=8).hexdigest()


def tell_nobody(endpoint: FailingEndpoint) -> Sequence[OutboxRow]:
    """Where no operator wants to be told."""
    return ()


class WebhookStore(Protocol):
    async def webhook(self, account_id: str, row_id: str) -> OutboxRow:
        """By account and id; as of a damaged one, see `outbox`. Raises `NotFound`."""
        ...

    async def attempts(self, row_id: str) -> list[Attempt]:
        """Of one webhook, in order; kept as long as it is. An answer that was damaged says so."""
        ...

    async def note_endpoints(
        self, notes: Sequence[EndpointNote], patience: Patience, *, now: float, outbox: EndpointOutbox = tell_nobody
    ) -> list[FailingEndpoint]:
        """A success ends the failing of an endpoint that is not disabled; a failure begins it or counts. Returns those
        that are disabled from now on: gone, or failing for longer than `patience`; what `outbox` says of them is added
        in the same transaction."""
        ...

    async def failing_endpoints(self, account_id: str | None = None) -> list[FailingEndpoint]:
        """Of a main account with its subaccounts, or of all; the longest first."""
        ...

    async def enable_endpoint(self, endpoint_id: str, account_id: str | None = None) -> FailingEndpoint:
        """Forget that it failed; what was held stays so. Raises `NotFound`."""
        ...

    async def replay_some(
        self, wanted: ReplayFilter, *, now: float, after: ReplayPlace, limit: int
    ) -> tuple[int, ReplayPlace | None]:
        """Look at up to `limit` finished rows, oldest first, behind `after`, and make due which are wanted, each behind
        what its lane has. Returns how many those are, and where to go on; None: that was all."""
        ...

    async def forget_webhooks(self, before: float, limit: int) -> int:
        """Delete up to `limit` finished rows of before a wall second with their attempts; returns how many. Forget that
        endpoints failed at which nothing did since, but for disabled ones that are configured."""
        ...
