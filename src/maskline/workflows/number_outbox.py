"""The webhooks that tell of virtual numbers: of a change, and of all there are. Called by the verbs on numbers.

What it is: who hears of it (endpoints of kind `eight.number` of the number's subaccount, or of the account when it has
none) and the rows. What it is not: bodies (`webhooks/formats/eight_number.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from maskline.clock import Clock
from maskline.errors import NotFound
from maskline.ids import Ids, SystemIds
from maskline.masking.decision import VirtualNumber
from maskline.storage.store import Account, Endpoint, OutboxRow, Store
from maskline.webhooks.formats import eight_number
from maskline.workflows.list_numbers import list_numbers

T = TypeVar("T")
_IDS = SystemIds()
"""A change of a number is no part of a simulated call: its webhooks need not be the same in every run."""
_AT_ONCE = 500
"""Numbers in one body of a snapshot: some 150 KB."""


async def number_outbox(
    store: Store, now: float, before: VirtualNumber | None, after: VirtualNumber, *, ids: Ids = _IDS
) -> list[OutboxRow]:
    """Of a number as it was and as it is to be from wall second `now` on; None: it is new. One that goes to another
    subaccount is inactive for the one that it leaves. Nothing when only what 8x8 does not know of it changes."""
    if before is not None and _told(before) == _told(after):
        return []
    rows = await _updates(store, ids, now, owner_of(after), [(after, eight_number.STATUS[after.state])])
    if before is not None and owner_of(before) != owner_of(after):
        rows += await _updates(store, ids, now, owner_of(before), [(after, eight_number.GONE)])
    return rows


async def inherited_outbox(
    store: Store, now: float, account_id: str, numbers: Sequence[VirtualNumber], *, ids: Ids = _IDS
) -> list[OutboxRow]:
    """Of numbers that an account has from a subaccount that is removed at wall second `now`."""
    told = [(number, eight_number.STATUS[number.state]) for number in numbers]
    return [row for part in _parts(told) if part for row in await _updates(store, ids, now, account_id, part)]


async def announce_numbers(store: Store, clock: Clock, ids: Ids, account_id: str) -> int:
    """Send all numbers of an account or subaccount to its endpoint; how many those are. Raises `NotFound`, also when
    nobody is to hear of it."""
    account = await store.account(account_id)
    endpoint = await _endpoint(store, account_id)
    if endpoint is None:
        raise NotFound(f"No endpoint of kind {eight_number.KIND} is set and enabled for this account.")
    numbers = [number for number in await list_numbers(store, account_id) if owner_of(number) == account_id]
    name, now = endpoint.external_id or account.shown_id, clock.wall()
    bodies = [eight_number.number_snapshot(name, len(numbers), part) for part in _parts(numbers)]
    await store.announce([_outbox_row(account, endpoint, ids, body, now, i) for i, body in enumerate(bodies)])
    return len(numbers)


def _parts(numbers: Sequence[T]) -> list[Sequence[T]]:
    return [numbers[at : at + _AT_ONCE] for at in range(0, max(len(numbers), 1), _AT_ONCE)]


def owner_of(number: VirtualNumber) -> str:
    """Whose endpoint hears of it."""
    return number.subaccount_id or number.account_id


def _told(number: VirtualNumber) -> tuple[object, ...]:
    return (owner_of(number), number.state, number.reference_id, number.country)


async def _updates(
    store: Store, ids: Ids, now: float, owner: str, told: Sequence[tuple[VirtualNumber, str]]
) -> list[OutboxRow]:
    endpoint = await _endpoint(store, owner)
    if endpoint is None:
        return []
    account = await store.account(owner)
    changed = [(replace(number, changed_at=now), status) for number, status in told]
    body = eight_number.numbers_updated(endpoint.external_id or account.shown_id, changed)
    return [_outbox_row(account, endpoint, ids, body, now)]


async def _endpoint(store: Store, owner: str) -> Endpoint | None:
    endpoints = await store.endpoints(owner)
    return next((one for one in endpoints if one.kind == eight_number.KIND and one.enabled), None)


def _outbox_row(
    account: Account, endpoint: Endpoint, ids: Ids, body: bytes, now: float, place: int = 0
) -> OutboxRow:  # fmt: skip
    return OutboxRow(
        id=ids.uuid(),
        account_id=account.owner_id,
        subaccount_id=account.id if account.parent_id else None,
        # In order for each (sub)account.
        subject=account.id,
        sequence=round(now * 1000) + place,
        dialect="eight",
        event=eight_number.EVENT,
        method="POST",
        url=endpoint.url,
        content_type="application/json",
        body=body,
        authorization=endpoint.authorization,
        created_at=now,
        due_at=now,
        secret=endpoint.secret,
    )
