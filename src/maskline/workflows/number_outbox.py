"""The webhooks that tell of virtual numbers: of a change, and of all there are. Called by the verbs on numbers.

What it is: who hears of it (endpoints of kind `eight.number` and `native` of the number's subaccount, or of the account
when it has none) and the rows. What it is not: bodies (`webhooks/formats/eight_number.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from maskline.clock import Clock
from maskline.errors import NotFound
from maskline.ids import Ids, SystemIds
from maskline.masking.decision import VirtualNumber
from maskline.storage.store import OutboxRow, Store
from maskline.webhooks.formats import eight_number
from maskline.workflows.list_numbers import list_numbers
from maskline.workflows.native_outbox import native_number_rows
from maskline.workflows.owns import owner_of
from maskline.workflows.receivers import About, Receiver, outbox_row, read_receiver

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
    rows += await native_number_rows(store, [after], owner_of(after), now, ids)
    if before is not None and owner_of(before) != owner_of(after):
        rows += await _updates(store, ids, now, owner_of(before), [(after, eight_number.GONE)])
        rows += await native_number_rows(store, [after], owner_of(before), now, ids, gone=True)
    return rows


async def inherited_outbox(
    store: Store, now: float, account_id: str, numbers: Sequence[VirtualNumber], *, ids: Ids = _IDS
) -> list[OutboxRow]:
    """Of numbers that an account has from a subaccount that is removed at wall second `now`."""
    told = [(number, eight_number.STATUS[number.state]) for number in numbers]
    rows = [row for part in _parts(told) if part for row in await _updates(store, ids, now, account_id, part)]
    return rows + await native_number_rows(store, numbers, account_id, now, ids)


async def announce_numbers(store: Store, clock: Clock, ids: Ids, account_id: str) -> int:
    """Send all numbers of an account or subaccount to its endpoint; how many those are. Raises `NotFound`, also when
    nobody is to hear of it."""
    account = await store.account(account_id)
    receiver = await read_receiver(store, account_id, eight_number.KIND)
    if receiver is None:
        raise NotFound(f"No endpoint of kind {eight_number.KIND} is set and enabled for this account.")
    numbers = [number for number in await list_numbers(store, account_id) if owner_of(number) == account_id]
    name, now = receiver.shape.sub_account_id, clock.wall()
    bodies = [eight_number.number_snapshot(name, len(numbers), part) for part in _parts(numbers)]
    await store.announce([_row(receiver, account.owner_id, account_id, ids, b, now, i) for i, b in enumerate(bodies)])
    return len(numbers)


def _parts(numbers: Sequence[T]) -> list[Sequence[T]]:
    return [numbers[at : at + _AT_ONCE] for at in range(0, max(len(numbers), 1), _AT_ONCE)]


def _told(number: VirtualNumber) -> tuple[object, ...]:
    return (owner_of(number), number.state, number.reference_id, number.country)


async def _updates(
    store: Store, ids: Ids, now: float, owner: str, told: Sequence[tuple[VirtualNumber, str]]
) -> list[OutboxRow]:
    receiver = await read_receiver(store, owner, eight_number.KIND)
    if receiver is None:
        return []
    changed = [(replace(number, changed_at=now), status) for number, status in told]
    body = eight_number.numbers_updated(receiver.shape.sub_account_id, changed)
    return [_row(receiver, told[0][0].account_id, owner, ids, body, now)]


def _row(
    receiver: Receiver, account_id: str, owner: str, ids: Ids, body: bytes, now: float, place: int = 0
) -> OutboxRow:
    """In order for each (sub)account."""
    subaccount_id = None if owner == account_id else owner
    about = About(account_id, subaccount_id, owner, round(now * 1000) + place)
    return outbox_row(receiver, about, ids.uuid(), eight_number.EVENT, body, now)
