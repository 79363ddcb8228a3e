"""masking.pin: how often a PIN may be tried, by one caller and on one number."""

from __future__ import annotations

from maskline.masking.e164 import Number
from maskline.masking.pin import DAY, KNOWN_FOR, Counted, PinLimits, PinTry, Subject, Tally, count, take_back
from tests.support.store_values import ALICE, BOB, T0, VN1, VN2

LIMITS = PinLimits(caller=3, number=10, lock=900.0)


class Book:
    """Tallies as a store keeps them."""

    def __init__(self, limits: PinLimits = LIMITS) -> None:
        self.rows: dict[str, Tally] = {}
        self.limits = limits

    def of(self, one: PinTry) -> dict[Subject, Tally]:
        return {subject: self.rows[key] for subject, key in one.keys.items() if key in self.rows}

    def wrong(self, caller: Number | None, now: float = T0, number: Number = VN1, trusted: bool = False) -> Counted:
        one = PinTry("MA", caller, number, trusted)
        counted, changed = count(one, self.of(one), self.limits, now)
        self.rows.update({one.keys[subject]: tally for subject, tally in changed.items()})
        return counted

    def right(self, caller: Number | None, now: float = T0, number: Number = VN1) -> Counted:
        one = PinTry("MA", caller, number)
        counted = self.wrong(caller, now, number)
        if counted.heard:
            changed = take_back(one, self.of(one), self.limits, now)
            self.rows.update({one.keys[subject]: tally for subject, tally in changed.items()})
        return counted


def lock(book: Book, caller: Number | None, now: float) -> float:
    """Wrong PINs until the caller is locked; returns when it is heard again."""
    while not (counted := book.wrong(caller, now)).locks:
        assert counted.heard
    assert counted.locks == (Subject.CALLER,)
    return book.of(PinTry("MA", caller, VN1))[Subject.CALLER].locked_until


def test_a_caller_is_locked_with_its_last_wrong_pin_and_heard_again_when_the_lock_is_over() -> None:
    book = Book()
    assert [book.wrong(ALICE).locks for _ in range(3)] == [(), (), (Subject.CALLER,)]
    assert book.wrong(ALICE, T0 + 899.9) == Counted(False)
    assert book.right(ALICE, T0 + 899.9) == Counted(False), "a right PIN is not looked at either"
    assert book.wrong(ALICE, T0 + 900) == Counted(True)


def test_a_locked_caller_locks_nobody_else_and_is_locked_on_every_number_of_the_account() -> None:
    book = Book()
    lock(book, ALICE, T0)
    assert book.wrong(BOB).heard
    assert not book.wrong(ALICE, number=VN2).heard
    assert count(PinTry("MB", ALICE, VN1), book.of(PinTry("MB", ALICE, VN2)), LIMITS, T0)[0].heard


def test_those_who_withhold_their_number_are_one_caller_on_each_number() -> None:
    book = Book()
    lock(book, None, T0)
    assert not book.wrong(None).heard
    assert book.wrong(None, number=VN2).heard
    assert book.wrong(ALICE).heard


def test_each_further_lock_is_twice_as_long_up_to_a_day_until_a_week_is_quiet() -> None:
    book, now, lengths = Book(PinLimits(caller=1, number=1_000, lock=900.0)), T0, []
    for _ in range(9):
        until = lock(book, ALICE, now)
        lengths.append(until - now)
        now = until
    assert lengths == [900, 1800, 3600, 7200, 14400, 28800, 57600, DAY, DAY]
    assert lock(book, ALICE, now + 7 * DAY) - now - 7 * DAY == 900


def test_wrong_pins_count_together_within_the_window_only() -> None:
    book = Book()
    assert [book.wrong(ALICE, T0 + at).locks for at in (0, 1, DAY, DAY + 1)] == [()] * 4
    assert book.wrong(ALICE, T0 + DAY + 2).locks == (Subject.CALLER,)


def test_a_right_pin_does_not_count_and_forgives_no_wrong_one() -> None:
    book = Book()
    book.wrong(ALICE)
    for _ in range(5):
        assert book.right(ALICE).heard
    assert book.wrong(ALICE).locks == ()
    assert book.right(ALICE).locks == (Subject.CALLER,), "it would have locked, had it been wrong"
    assert book.wrong(ALICE).locks == (Subject.CALLER,)
    assert book.of(PinTry("MA", ALICE, VN1))[Subject.CALLER].locked_until == T0 + 900, "and it is the first lock"


def test_of_callers_at_the_same_moment_no_more_are_heard_than_the_limit_allows() -> None:
    book = Book()
    assert [book.wrong(ALICE).heard for _ in range(50)].count(True) == 3


def test_a_number_hears_only_callers_it_knows_once_too_many_pins_were_wrong() -> None:
    book = Book()
    strangers = [Number(f"658000000{i}") for i in range(10)]
    book.right(BOB)
    assert [book.wrong(one).locks for one in strangers] == [()] * 9 + [(Subject.NUMBER,)]
    assert not book.wrong(ALICE, T0 + DAY - 1).heard
    assert not book.wrong(None, T0 + DAY - 1).heard
    assert book.right(BOB, T0 + 1).heard
    assert book.wrong(ALICE, trusted=True).heard, "a party whose own number called"
    assert not book.wrong(strangers[0]).heard
    assert book.wrong(ALICE, T0 + 1, number=VN2).heard
    assert book.wrong(ALICE, T0 + DAY).heard


def test_a_known_callers_wrong_pins_count_for_the_number_too() -> None:
    book = Book(PinLimits(caller=100, number=3))
    book.right(BOB)
    assert [book.wrong(BOB).locks for _ in range(3)] == [(), (), (Subject.NUMBER,)]
    assert book.right(BOB).heard
    assert not book.wrong(ALICE).heard, "a right PIN of a known caller does not open the number again"


def test_a_caller_is_known_for_a_month() -> None:
    book = Book(PinLimits(caller=1_000, number=1))
    book.right(BOB)
    book.wrong(ALICE, T0 + KNOWN_FOR - 1)
    assert book.right(BOB, T0 + KNOWN_FOR - 1).heard
    book = Book(PinLimits(caller=1_000, number=1))
    book.right(BOB)
    book.wrong(ALICE, T0 + KNOWN_FOR)
    assert not book.right(BOB, T0 + KNOWN_FOR).heard


def test_one_caller_alone_never_locks_a_number_under_the_defaults() -> None:
    """The figures of docs/decisions: 35 wrong PINs on the first day, then 5 a day."""
    book, now, tried = Book(PinLimits()), T0, []
    while now < T0 + 7 * DAY:
        counted = book.wrong(ALICE, now)
        assert Subject.NUMBER not in counted.locks
        if counted.heard:
            tried.append(now)
        else:
            now = book.of(PinTry("MA", ALICE, VN1))[Subject.CALLER].locked_until
    assert sum(at < T0 + DAY for at in tried) == 35
    assert max(sum(day <= at < day + DAY for at in tried) for day in tried) == 35
    assert len(tried) == 35 + 6 * 5


def test_what_says_nothing_any_more_may_be_forgotten() -> None:
    book = Book()
    until = lock(book, ALICE, T0)
    rows = book.of(PinTry("MA", ALICE, VN1))
    assert rows[Subject.CALLER].forget_at == until + 7 * DAY
    assert rows[Subject.NUMBER].forget_at == T0 + DAY
    book.right(BOB)
    assert book.of(PinTry("MA", BOB, VN1))[Subject.KNOWN].forget_at == T0 + KNOWN_FOR


def test_nothing_is_taken_back_where_nothing_was_counted() -> None:
    assert take_back(PinTry("MA", None, VN1), {}, LIMITS, T0) == {}
    assert set(take_back(PinTry("MA", ALICE, VN1), {Subject.NUMBER: Tally(0, T0)}, LIMITS, T0)) == {Subject.KNOWN}
