"""workflows.forget_old: how long is kept, and that it goes on for as long as there is more."""

from __future__ import annotations

import pytest

from maskline.clock import VirtualClock
from maskline.errors import NotFound
from maskline.settings import Settings
from maskline.storage.memory import MemoryStore
from maskline.storage.store import Delivery
from maskline.workflows.forget_old import BATCH, ForgetOld
from tests.support.store_values import ACCOUNT, T0, VN1, new_session, outbox_row, virtual_number

DAY = 86_400
DEFAULT_DAYS = Settings().retention_days


async def store_with(sessions: int) -> MemoryStore:
    store = MemoryStore()
    await store.add_account(ACCOUNT)
    await store.add_number(virtual_number(VN1), T0)
    for i in range(sessions):
        await store.create_session(new_session(str(i), created_at=T0 + i))
        await store.end_session(ACCOUNT.id, str(i), now=T0 + i, by_request=True, outbox=())
    return store


@pytest.mark.row("4/retention")
@pytest.mark.parametrize(
    ("days", "later", "kept"),
    [(2, 3, False), (2, 1, True), (0, 999, True), (DEFAULT_DAYS, 89, True), (DEFAULT_DAYS, 91, False)],
)
async def test_an_ended_session_is_kept_for_the_days_asked_for(days: int, later: int, kept: bool) -> None:
    store = await store_with(1)
    forget = ForgetOld(store, VirtualClock(T0 + later * DAY), days)
    assert not await forget()
    if kept:
        assert await store.session(ACCOUNT.id, "0")
    else:
        with pytest.raises(NotFound):
            await store.session(ACCOUNT.id, "0")


async def test_a_full_step_says_that_there_may_be_more() -> None:
    store = await store_with(BATCH + 1)
    forget = ForgetOld(store, VirtualClock(T0 + 3 * DAY), 2)
    assert await forget()
    assert not await forget()
    assert (await store.counts())["sessions"] == 0


async def test_webhooks_are_kept_for_days_of_their_own() -> None:
    store = await store_with(0)
    rows = [outbox_row(f"row-{i}", subject=f"call-{i}", created_at=T0 + i * DAY) for i in range(3)]
    await store.announce([*rows, outbox_row("pending", subject="p", due_at=T0 + 99 * DAY)])
    await store.lease_outbox("one", now=T0, until=T0 + 9, limit=9)
    await store.finish_outbox("one", [Delivery(row.id, "done", T0, 200) for row in rows], now=T0)
    clock = VirtualClock(T0 + 3.5 * DAY)
    assert not await ForgetOld(store, clock, 90)()
    assert (await store.counts())["outbox"] == {"done": 3, "due": 1}
    assert not await ForgetOld(store, clock, 90, 2)()
    assert (await store.counts())["outbox"] == {"done": 1, "due": 1}
