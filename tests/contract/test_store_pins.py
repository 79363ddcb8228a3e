"""The store contract: wrong PINs are counted once each, whoever counts, and kept over a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path

from maskline.masking.match import NO_ENTRIES, Entries
from maskline.masking.pin import DAY, Counted, PinLimits, PinTry, Subject
from maskline.masking.session import SessionOptions
from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.sqlite import SqliteStore
from maskline.storage.store import Store
from tests.support.store_values import ACCOUNT, ALICE, BOB, CAROL, DAVE, T0, VN1, VN2, new_session

LIMITS = PinLimits(caller=3, number=100)
TRY = PinTry(ACCOUNT.id, ALICE, VN1)
PINS = SessionOptions(session_expiry=600, is_pin_authentication_required=True)


async def test_a_caller_is_locked_by_its_last_wrong_pin_and_others_are_not(store: Store) -> None:
    assert [(await store.count_pin(TRY, LIMITS, T0)).locks for _ in range(3)] == [(), (), (Subject.CALLER,)]
    assert await store.count_pin(TRY, LIMITS, T0 + 1) == Counted(False)
    assert (await store.count_pin(PinTry(ACCOUNT.id, BOB, VN1), LIMITS, T0 + 1)).heard
    assert (await store.count_pin(PinTry(ACCOUNT.id, None, VN1), LIMITS, T0 + 1)).heard
    assert (await store.count_pin(TRY, LIMITS, T0 + 900)).heard


async def test_of_fifty_at_the_same_moment_no_more_are_heard_than_the_limit_allows(store: Store) -> None:
    counted = await asyncio.gather(*(store.count_pin(TRY, LIMITS, T0) for _ in range(50)))
    assert sum(one.heard for one in counted) == 3


async def test_a_right_pin_is_taken_back_and_its_caller_known(store: Store) -> None:
    limits = PinLimits(caller=3, number=3)
    for _ in range(3):
        assert (await store.count_pin(TRY, limits, T0)).heard
        await store.accept_pin(TRY, limits, T0)
    for _ in range(3):
        await store.count_pin(PinTry(ACCOUNT.id, BOB, VN1), limits, T0)
    assert not (await store.count_pin(PinTry(ACCOUNT.id, None, VN1), limits, T0)).heard
    assert (await store.count_pin(TRY, limits, T0)).heard
    assert (await store.count_pin(PinTry(ACCOUNT.id, None, VN2), limits, T0)).heard


async def test_tallies_that_say_nothing_any_more_are_forgotten(store: Store) -> None:
    await store.count_pin(TRY, LIMITS, T0)
    assert await store.forget(0.0, T0 + DAY - 1, 10) == 0
    assert await store.forget(0.0, T0 + 7 * DAY, 1) == 1
    assert await store.forget(0.0, T0 + 7 * DAY, 10) == 1
    assert await store.forget(0.0, T0 + 7 * DAY, 10) == 0


async def test_a_number_says_how_long_its_longest_pin_ever_was(store: Store) -> None:
    assert await store.entries(VN1) == await store.entries(ALICE) == NO_ENTRIES
    await store.create_session(new_session(options=PINS, first_party_pin="1234", second_party_pin="567890"))
    await store.create_session(
        new_session("2", first_party=CAROL, second_party=DAVE, options=PINS, first_party_pin="4321",
                    second_party_pin="8765")
    )  # fmt: skip
    assert (await store.entries(VN1), await store.entries(VN2)) == (Entries(6, 0.0), NO_ENTRIES)


async def test_two_processes_count_together_and_a_restart_forgets_nothing(tmp_path: Path) -> None:
    def another() -> SqliteStore:
        return SqliteStore(tmp_path / "m.db", Sealer(bytes(KEY_BYTES)))

    one, other = another(), another()
    await one.open()
    await other.open()
    for store in (one, other, one):
        assert (await store.count_pin(TRY, LIMITS, T0)).heard
    assert not (await other.count_pin(TRY, LIMITS, T0)).heard
    await one.close()
    await other.close()
    again = another()
    await again.open()
    assert not (await again.count_pin(TRY, LIMITS, T0 + 1)).heard
    await again.close()


async def test_a_tally_names_nobody(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    store = SqliteStore(path, Sealer(bytes(KEY_BYTES)))
    await store.open()
    await store.count_pin(TRY, LIMITS, T0)
    await store.accept_pin(TRY, LIMITS, T0)
    await store.close()
    kept = _everything_in(tmp_path)
    assert ALICE.digits.encode() not in kept
    assert b"pin caller" not in kept


def _everything_in(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.iterdir())
