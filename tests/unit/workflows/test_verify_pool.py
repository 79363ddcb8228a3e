"""workflows.verify_pool: the whole log, a page at a time, until something is wrong."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from maskline.errors import UnreadableFact
from maskline.masking.call_record import CallParties
from maskline.masking.facts import Fact, SessionExpired
from maskline.masking.verify import Certificate, Rule, Violation
from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.memory import MemoryStore
from maskline.storage.sqlite import SqliteStore
from maskline.workflows import verify_pool as workflow
from maskline.workflows.verify_pool import verify_pool
from tests.support.fact_log import FactLog
from tests.support.store_values import ACCOUNT, T0, new_session, virtual_number


@pytest.mark.parametrize("page", [1, 7, 2_000])
async def test_the_certificate_does_not_depend_on_the_pages(monkeypatch: pytest.MonkeyPatch, page: int) -> None:
    store = MemoryStore()
    await FactLog(store, 3).walk(60)
    whole = await verify_pool(store)
    monkeypatch.setattr(workflow, "_PAGE", page)
    assert await verify_pool(store) == whole
    assert isinstance(whole, Certificate)


async def test_an_earlier_certificate_can_be_made_again_when_the_log_has_grown() -> None:
    store = MemoryStore()
    walk = FactLog(store, 3)
    await walk.walk(30)
    then = await verify_pool(store)
    assert isinstance(then, Certificate)
    await walk.walk(30)
    now = await verify_pool(store)
    assert isinstance(now, Certificate)
    assert now.facts > then.facts
    assert await verify_pool(store, until=then.last_position) == then


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ("SET details = json_remove(details, '$.claims')", "SessionCreated"),
        ("SET name = 'PinChecked'", "PinChecked"),
        ("SET details = json_set(details, '$.news', 1)", "SessionCreated"),
        ("SET details = '{'", "SessionCreated"),
    ],
)
async def test_a_fact_of_another_version_is_named_in_one_sentence(tmp_path: Path, change: str, name: str) -> None:
    store = SqliteStore(tmp_path / "m.db", Sealer(bytes(KEY_BYTES)))
    await store.open()
    await store.add_account(ACCOUNT)
    await store.add_number(virtual_number(), T0)
    await store.create_session(new_session())
    assert isinstance(await verify_pool(store), Certificate)
    with sqlite3.connect(tmp_path / "m.db") as database:
        database.execute(f"UPDATE facts {change}")
    database.close()
    with pytest.raises(UnreadableFact) as caught:
        await verify_pool(store)
    sentence = f"Fact 1 ({name}) was written by another version of Maskline; this one cannot read it."
    assert caught.value.sentence == sentence
    await store.close()


async def test_it_ends_at_the_first_violation() -> None:
    class Tampered(MemoryStore):
        async def replay_since(self, cursor: int, limit: int) -> list[tuple[int, Fact, CallParties | None]]:
            assert cursor == 0
            wrong: Any = SessionExpired("session-1", 1, T0, T0, (), True)
            return [(1, wrong, None), (2, wrong, None)]

    found = await verify_pool(Tampered())
    assert isinstance(found, Violation)
    assert (found.rule, found.position) == (Rule.SEQUENCE, 1)
