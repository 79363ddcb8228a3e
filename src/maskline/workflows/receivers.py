"""Who hears of a (sub)account: its endpoints, for calls read once for many of them, and the rows that go to them.

What it is: endpoints with their options understood, by what they want to hear. What it is not: bodies, or Plivo's
events, whose URL comes with each session. Who uses it: `record_call.py` reads, `build_outbox.py` and `status_outbox.py`
write to them; `number_outbox.py` and `uploaded_outbox.py` ask for the one of a kind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import NamedTuple

from maskline.engine.ports import CallContext
from maskline.errors import NotFound
from maskline.masking.redaction import IN_FULL, Redactor
from maskline.storage.store import Account, Endpoint, OutboxRow, Store
from maskline.values import dataclass
from maskline.webhooks.formats import eight, eight_action, eight_status, native, wavecell, wavecell_handle
from maskline.webhooks.formats.shape import Shape, read_shape

CONTENT_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class Receiver:
    """A configured endpoint."""

    kind: str
    url: str = field(repr=False)
    shape: Shape
    """How it wants its bodies, and the name it knows the (sub)account by."""
    authorization: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    """Standard Webhooks secret; empty: its bodies are not signed."""


class Audience(NamedTuple):
    """Of one (sub)account; endpoints of other kinds, and of later versions, are left out."""

    summaries: tuple[Receiver, ...] = ()
    """Told once, when a call is over."""
    followers: tuple[Receiver, ...] = ()
    """Told while it goes on."""
    native: tuple[Receiver, ...] = ()
    """Those of them that hear our own events."""


Receivers = Mapping[str, Audience]
"""By the subaccount's id, or the account's for numbers without a subaccount."""

NOBODY = Audience()
_SUMMARIES = frozenset({eight.KIND, wavecell.KIND, native.KIND})
_FOLLOWERS = frozenset({eight_status.KIND})


def owner_of(context: CallContext) -> str:
    """Whose endpoints apply to this call."""
    return context.subaccount_id or context.account_id


def audience_of(receivers: Iterable[Receiver]) -> Audience:
    """Sorted by what they want to hear, in the order given. A call handle follows only where 8x8's application is asked
    instead of it: digits come with the question otherwise (`ask_action.py`)."""
    all_ = tuple(receivers)
    kinds = _FOLLOWERS
    if any(one.kind == eight_action.KIND for one in all_):
        kinds |= {wavecell_handle.KIND}
    return Audience(
        tuple(one for one in all_ if one.kind in _SUMMARIES),
        tuple(one for one in all_ if one.kind in kinds),
        tuple(one for one in all_ if one.kind == native.KIND and one.shape.updates),
    )


async def read_audience(store: Store, owner: str, redaction_key: bytes) -> Audience:
    """Nobody for a (sub)account that was removed. Raises `StoreUnavailable`."""
    try:
        account = await store.account(owner)
    except NotFound:
        return NOBODY
    redactor = Redactor(account.redaction, redaction_key)
    endpoints = await store.endpoints(owner)
    return audience_of(_receiver(one, account, redactor) for one in endpoints if one.enabled)


async def read_receiver(store: Store, owner: str, kind: str) -> Receiver | None:
    """The endpoint of a kind that bears no party's number; None: there is none, it is off, or its (sub)account was
    removed. Raises `StoreUnavailable`."""
    endpoint = next((one for one in await store.endpoints(owner) if one.kind == kind and one.enabled), None)
    if endpoint is None:
        return None
    try:
        return _receiver(endpoint, await store.account(owner), IN_FULL)
    except NotFound:
        return None


def _receiver(endpoint: Endpoint, account: Account, redactor: Redactor) -> Receiver:
    shape = read_shape(endpoint.external_id or account.shown_id, endpoint.options, redactor)
    return Receiver(endpoint.kind, endpoint.url, shape, endpoint.authorization, endpoint.secret)


class About(NamedTuple):
    """What a webhook is about."""

    account_id: str
    subaccount_id: str | None
    subject: str
    """Its webhooks go to one URL in the order of their `sequence`."""
    sequence: int


def call_row(
    receiver: Receiver, context: CallContext, row_id: str, event: str, body: bytes, sequence: int, now: float
) -> OutboxRow:
    """Of a call; `sequence`: its place among the call's webhooks."""
    about = About(context.account_id, context.subaccount_id, context.call_id, sequence)
    return outbox_row(receiver, about, row_id, event, body, now)


def outbox_row(receiver: Receiver, about: About, row_id: str, event: str, body: bytes, now: float) -> OutboxRow:
    """Due at once."""
    return OutboxRow(
        id=row_id,
        account_id=about.account_id,
        subaccount_id=about.subaccount_id,
        subject=about.subject,
        sequence=about.sequence,
        dialect=receiver.kind.partition(".")[0],
        event=event,
        method="POST",
        url=receiver.url,
        content_type=CONTENT_TYPE,
        body=body,
        authorization=receiver.authorization,
        created_at=now,
        due_at=now,
        secret=receiver.secret,
    )
