"""masking.match: the routing order, and that no answer of a store connects strangers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.masking.decision import AskPin, MatchedBy, NumberUse, PinRules, Refuse, VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause
from maskline.masking.match import (
    Ask,
    AskAgain,
    AskApplication,
    AskHolder,
    AskLastOutside,
    AskOurs,
    Entries,
    Matched,
    ToApplication,
    match_call,
    match_pin,
    match_request,
)
from maskline.masking.prompt import Prompt
from maskline.masking.routing_rules import RoutingRules, Withheld
from maskline.masking.session import PoolMode, Role, Session, SessionOptions
from tests.support.store_values import ALICE, BOB, CAROL, DAVE, OTHER, T0, VN1, VN2, virtual_number

NUMBER = virtual_number()
DESK = Number("6560000001")
WITH_DESK = virtual_number(fallback=DESK)
LIMITS = SessionOptions(ring_timeout=20, call_time_limit=90)
OVER, HIDDEN = Prompt("session_ended_prompt", text="It is over"), Prompt("withheld_prompt", text="Who are you?")
RULES = RoutingRules(LIMITS, session_ended=OVER, digit_timeout=3.0, pin_timeout=15.0)
SESSION = Session(
    id="s", account_id=NUMBER.account_id, subaccount_id=None, first_party=ALICE, second_party=BOB,
    virtual_number=VN1, options=SessionOptions(), created_at=T0, modified_at=T0, expires_at=T0 + 600,
    planned_duration=600,
)  # fmt: skip
PIN = replace(
    SESSION, id="pin", pool_mode=PoolMode.PIN, first_party_pin="1234", second_party_pin="5678",
    options=SessionOptions(is_pin_authentication_required=True, pin_prompt_play="https://h.example/pin.mp3"),
)  # fmt: skip
OPEN = replace(
    SESSION, id="open", second_party=None, pool_mode=PoolMode.OPEN,
    options=SessionOptions(create_session_with_single_party=True),
)  # fmt: skip
PLAYS = replace(SESSION, id="plays", options=SessionOptions(unknown_caller_play="https://h.example/who.mp3"))
SPLIT = replace(SESSION, pool_mode=PoolMode.SPLIT, second_virtual_number=VN2)


FOREVER = float("inf")


class Answers:
    """A store of ready answers; remembers what was asked."""

    def __init__(  # type: ignore[no-untyped-def]
        self,
        party=None,
        pin=None,
        open_=None,
        on_number=(),
        last=None,
        ours=(),
        longest=None,
        holder=None,
        again=None,
        application=False,
    ) -> None:
        entries = Entries((15 if pin else 0) if longest is None else longest, FOREVER if open_ else 0.0)
        self.by_question = {
            Ask.PARTY: party, Ask.PIN: pin, Ask.OPEN: open_, Ask.ON_NUMBER: on_number, Ask.ENTRIES: entries,
        }  # fmt: skip
        self.by_kind = {AskLastOutside: last, AskHolder: holder, AskAgain: again, AskApplication: application}
        self.ours = ours
        self.asked: list[Any] = []

    @property
    def last(self) -> Any:
        return self.by_kind[AskLastOutside]

    def decide(
        self, caller: Number | None = ALICE, number: VirtualNumber = NUMBER, wall: float = T0,
        rules: RoutingRules = RULES,
    ) -> Any:  # fmt: skip
        return self.run(match_call(caller, number, wall, rules))

    def decide_pin(
        self, pin: str, caller: Number | None = CAROL, number: VirtualNumber = NUMBER, known: Session | None = None,
        wall: float = T0,
    ) -> Any:  # fmt: skip
        return self.run(match_pin(pin, caller, number, known, wall, RULES))

    def run(self, steps: Any) -> Any:
        answer = None
        while True:
            try:
                question = steps.send(answer)
            except StopIteration as done:
                return done.value
            if isinstance(question, AskOurs):
                answer = question.number in self.ours
                continue
            self.asked.append(question)
            answer = self.by_question[question] if isinstance(question, Ask) else self.by_kind[type(question)]


def heard(session: Session, option: str) -> Prompt:
    return Prompt(option, url=getattr(session.options, option))


# -- step 1: a party of a live session ---------------------------------------------------------------------------
@pytest.mark.parametrize(("caller", "role", "callee"), [(ALICE, Role.FIRST, BOB), (BOB, Role.SECOND, ALICE)])
def test_either_party_reaches_the_other_one_with_one_question(caller: Number, role: Role, callee: Number) -> None:
    answers = Answers(SESSION)
    assert answers.decide(caller) == Matched(SESSION, role, callee, VN1, SESSION.options)
    assert answers.asked == [Ask.PARTY]


def test_with_a_number_for_each_the_callee_sees_its_own() -> None:
    found = Answers(SPLIT).decide(ALICE)
    assert isinstance(found, Matched) and (found.callee, found.shown) == (BOB, VN2)
    found = Answers(SPLIT).decide(BOB, virtual_number(VN2))
    assert isinstance(found, Matched) and (found.callee, found.shown) == (ALICE, VN1)


def test_a_split_party_is_unknown_on_the_other_ones_number() -> None:
    assert Answers(SPLIT).decide(ALICE, virtual_number(VN2)) == Refuse(Cause.UNKNOWN_CALLER, virtual_number(VN2))
    assert Answers(SPLIT).decide(BOB) == Refuse(Cause.UNKNOWN_CALLER, NUMBER)


@pytest.mark.row("6.1/registered party, forced PIN")
def test_a_registered_caller_is_asked_for_the_pin_where_that_is_forced() -> None:
    forced = replace(PIN, options=replace(PIN.options, force_pin_authentication=True), pool_mode=PoolMode.SHARED)
    rules = PinRules(heard(forced, "pin_prompt_play"), None, 1, 5, 4, 3.0, 15.0)
    assert Answers(forced).decide() == AskPin(NUMBER, rules, forced, forced)
    without_pins = replace(SESSION, options=SessionOptions(force_pin_authentication=True))
    assert isinstance(Answers(without_pins).decide(), Matched), "only with PIN authentication on"


def test_a_registered_caller_of_a_session_with_pins_needs_none() -> None:
    shared = replace(PIN, pool_mode=PoolMode.SHARED)
    assert Answers(shared, pin=shared).decide() == Matched(shared, Role.FIRST, BOB, VN1, shared.options)


def test_a_second_call_in_a_session_hears_busy() -> None:
    busy = replace(SESSION, calls_in_progress=1)
    assert Answers(busy).decide(BOB) == Refuse(Cause.SESSION_BUSY, NUMBER, busy)


@pytest.mark.row("6.3/registered party calls back")
def test_the_only_party_calls_back_whoever_was_on_the_other_side_last() -> None:
    answers = Answers(OPEN, last=CAROL)
    assert answers.decide() == Matched(OPEN, Role.FIRST, CAROL, VN1, OPEN.options)
    assert answers.asked == [Ask.PARTY, AskLastOutside(OPEN)]


@pytest.mark.parametrize("last", [None, ALICE])
def test_the_only_party_reaches_nobody_before_somebody_has_called(last: Number | None) -> None:
    assert Answers(OPEN, last=last).decide() == Refuse(Cause.NO_OTHER_PARTY, NUMBER, OPEN)


# -- before and after all steps: our own numbers -----------------------------------------------------------------
@pytest.mark.parametrize("holds", [{"party": SESSION}, {"open_": OPEN}, {"pin": PIN}, {"on_number": (PLAYS,)}, {}])
def test_a_call_from_one_of_our_numbers_is_a_leg_that_came_back_and_asks_for_nothing(holds: dict[str, Any]) -> None:
    answers = Answers(**holds, ours=(ALICE,))
    assert answers.decide(ALICE, WITH_DESK) == Refuse(Cause.LOOP, WITH_DESK)
    assert answers.asked == []


def test_a_call_to_one_of_our_numbers_is_not_forwarded_whoever_would_have_taken_it() -> None:
    assert Answers(SESSION, ours=(BOB,)).decide() == Refuse(Cause.LOOP, NUMBER, SESSION)
    assert Answers(open_=OPEN, ours=(ALICE,)).decide(CAROL) == Refuse(Cause.LOOP, NUMBER, OPEN)
    assert Answers(open_=OPEN, ours=(ALICE,)).decide(None) == Refuse(Cause.LOOP, NUMBER, OPEN)
    assert Answers(OPEN, last=CAROL, ours=(CAROL,)).decide() == Refuse(Cause.LOOP, NUMBER, OPEN)
    assert Answers(ours=(DESK,)).decide(CAROL, WITH_DESK) == Refuse(Cause.LOOP, WITH_DESK)


# -- step 2: PIN -------------------------------------------------------------------------------------------------
@pytest.mark.row("6.1/unknown caller, PIN auth on", "6.3/PIN on")
@pytest.mark.parametrize("caller", [CAROL, None])
def test_a_stranger_on_a_number_with_pins_needs_one_and_belongs_to_no_session_yet(caller: Number | None) -> None:
    options = replace(PIN.options, incorrect_pin_play="https://h.example/no.mp3", pin_retry=3, pin_retry_wait=7)
    asking = replace(PIN, options=options)
    prompt, wrong = heard(asking, "pin_prompt_play"), heard(asking, "incorrect_pin_play")
    found = Answers(pin=asking, on_number=(PLAYS,), longest=6).decide(caller, WITH_DESK)
    assert found == AskPin(WITH_DESK, PinRules(prompt, wrong, 3, 7, 6, 3.0, 15.0), None, asking)


def test_who_is_asked_without_a_prompt_hears_none() -> None:
    silent = replace(PIN, options=SessionOptions(is_pin_authentication_required=True))
    assert Answers(pin=silent).decide(CAROL).rules.prompt is None


def test_a_number_reserved_for_pins_without_a_session_says_the_same_unless_it_has_a_fallback() -> None:
    reserved = virtual_number(use=NumberUse.PIN)
    assert Answers().decide(CAROL, reserved) == Refuse(Cause.PIN_REQUIRED, reserved)
    found = Answers().decide(CAROL, replace(reserved, fallback=DESK))
    assert isinstance(found, Matched) and found.callee == DESK


def test_a_pin_counts_on_the_number_of_its_party_only() -> None:
    half = replace(PIN, pool_mode=PoolMode.SPLIT, second_virtual_number=VN2, second_party_pin="")
    assert isinstance(Answers(pin=half).decide(CAROL, virtual_number(VN1)), AskPin)
    assert Answers(pin=half).decide(CAROL, virtual_number(VN2)) == Refuse(Cause.UNKNOWN_CALLER, virtual_number(VN2))


# -- the PIN that was typed ----------------------------------------------------------------------------------------
@pytest.mark.row("6.1/unknown caller, PIN auth on")
@pytest.mark.parametrize(
    ("pin", "role", "callee"), [("1234", Role.FIRST, BOB), ("5678", Role.SECOND, ALICE)]
)  # fmt: skip
@pytest.mark.parametrize("caller", [CAROL, None])
def test_the_pin_of_one_party_reaches_the_other(caller, pin, role, callee) -> None:  # type: ignore[no-untyped-def]
    answers = Answers(holder=PIN)
    assert answers.decide_pin(pin, caller) == Matched(PIN, role, callee, VN1, PIN.options, MatchedBy.PIN)
    assert answers.asked == [AskHolder(pin)]
    assert pin not in repr(answers.asked)


@pytest.mark.parametrize("pin", ["", "0000", "123", "12345", "12*4", "\u0661\u0662\u0663\u0664"])
def test_another_pin_is_wrong_whatever_session_the_store_names(pin: str) -> None:
    for session in (None, PIN, SESSION):
        assert Answers(holder=session).decide_pin(pin) is None


def test_a_pin_opens_nothing_on_another_number_or_of_another_account() -> None:
    split = replace(PIN, second_virtual_number=VN2)
    assert Answers(holder=split).decide_pin("5678") is None
    assert Answers(holder=split).decide_pin("5678", number=virtual_number(VN2)).callee == ALICE
    assert Answers(holder=PIN).decide_pin("1234", number=virtual_number(account_id=OTHER.id)) is None


@pytest.mark.row("6.1/registered party, forced PIN")
def test_where_a_pin_is_forced_only_the_callers_own_will_do() -> None:
    forced = replace(PIN, options=replace(PIN.options, force_pin_authentication=True))
    answers = Answers(again=forced, holder=replace(PIN, id="another"))
    assert answers.decide_pin("1234", ALICE, known=forced) == Matched(
        forced, Role.FIRST, BOB, VN1, forced.options, MatchedBy.PIN
    )
    assert answers.asked == [AskAgain(forced)], "nobody else's PIN is looked up"
    assert answers.decide_pin("5678", ALICE, known=forced) is None
    assert answers.decide_pin("5678", BOB, known=forced).callee == ALICE
    for caller in (CAROL, None):
        assert answers.decide_pin("1234", caller, known=forced) is None
    assert Answers(again=replace(forced, id="another")).decide_pin("1234", ALICE, known=forced) is None
    assert Answers().decide_pin("1234", ALICE, known=forced) is None, "it is there no more"


@pytest.mark.row("6.3/PIN on")
def test_the_pin_of_the_missing_party_reaches_the_only_one_who_calls_back_by_its_own() -> None:
    only = replace(PIN, second_party=None, pool_mode=PoolMode.SHARED)
    answers = Answers(holder=only, last=DAVE)
    assert answers.decide_pin("5678").callee == ALICE
    assert answers.decide_pin("1234") == Matched(only, Role.FIRST, DAVE, VN1, only.options, MatchedBy.PIN)
    assert Answers(holder=only).decide_pin("1234") == Refuse(Cause.NO_OTHER_PARTY, NUMBER, only)


def test_a_right_pin_does_not_open_what_cannot_be_had() -> None:
    busy, ended = replace(PIN, calls_in_progress=1), replace(PIN, ended_at=T0)
    assert Answers(holder=busy).decide_pin("1234") == Refuse(Cause.SESSION_BUSY, NUMBER, busy)
    assert Answers(holder=ended).decide_pin("1234") == Refuse(Cause.SESSION_EXPIRED, NUMBER, ended, OVER, ended)
    assert Answers(holder=PIN).decide_pin("1234", wall=T0 + 600).cause is Cause.SESSION_EXPIRED
    assert Answers(holder=PIN).decide_pin("1234", BOB) == Refuse(Cause.NO_OTHER_PARTY, NUMBER, PIN), "itself"
    assert Answers(holder=PIN, ours=(BOB,)).decide_pin("1234") == Refuse(Cause.LOOP, NUMBER, PIN)


# -- a call that a session asks for --------------------------------------------------------------------------------
def test_a_requested_call_goes_from_the_first_party_to_the_second_without_a_pin() -> None:
    forced = replace(SPLIT, options=SessionOptions(is_pin_authentication_required=True, force_pin_authentication=True))
    found = Answers().run(match_request(forced, NUMBER, T0))
    assert found == Matched(forced, Role.FIRST, BOB, VN2, forced.options, MatchedBy.REQUEST)


@pytest.mark.parametrize(
    ("session", "ours", "cause"),
    [
        (replace(SESSION, ended_at=T0), (), Cause.SESSION_EXPIRED),
        (replace(SESSION, calls_in_progress=1), (), Cause.SESSION_BUSY),
        (OPEN, (), Cause.NO_OTHER_PARTY),
        (replace(OPEN, first_party=None, second_party=BOB), (), Cause.NO_OTHER_PARTY),
        (SESSION, (ALICE,), Cause.LOOP),
        (SESSION, (BOB,), Cause.LOOP),
    ],
)
def test_a_requested_call_that_cannot_be_made_says_why(session, ours, cause) -> None:  # type: ignore[no-untyped-def]
    assert Answers(ours=ours).run(match_request(session, NUMBER, T0)) == Refuse(cause, NUMBER, session)


# -- a caller who withholds the number -----------------------------------------------------------------------------
@pytest.mark.parametrize(("policy", "prompt"), [(Withheld.REJECT, None), (Withheld.PROMPT, HIDDEN)])
def test_where_the_installation_says_so_a_withheld_caller_gets_nowhere(policy, prompt) -> None:  # type: ignore[no-untyped-def]
    rules = replace(RULES, withheld=policy, withheld_prompt=HIDDEN)
    answers = Answers(pin=PIN, open_=OPEN, on_number=(PLAYS,))
    assert answers.decide(None, WITH_DESK, rules=rules) == Refuse(Cause.WITHHELD_CALLER, WITH_DESK, None, prompt)
    assert answers.asked == []
    assert isinstance(answers.decide(CAROL, rules=rules), AskPin), "others are not concerned"


# -- step 3: a single party's number -----------------------------------------------------------------------------
@pytest.mark.row("6.3/PIN off")
@pytest.mark.parametrize("caller", [CAROL, None])
def test_any_caller_reaches_the_only_party_a_withheld_one_too(caller: Number | None) -> None:
    found = Answers(open_=OPEN).decide(caller)
    assert found == Matched(OPEN, Role.SECOND, ALICE, VN1, OPEN.options, MatchedBy.OPEN)


def test_whichever_party_is_missing_the_other_one_is_reached() -> None:
    only_second = replace(OPEN, first_party=None, second_party=BOB)
    found = Answers(open_=only_second).decide(CAROL)
    assert isinstance(found, Matched) and (found.caller_role, found.callee) == (Role.FIRST, BOB)


@pytest.mark.row("6.3/missing party added")
def test_once_the_missing_party_is_filled_in_others_are_refused() -> None:
    full = replace(OPEN, second_party=BOB)
    assert Answers(open_=full).decide(CAROL) == Refuse(Cause.UNKNOWN_CALLER, NUMBER)


def test_a_single_party_in_a_call_is_busy_for_others() -> None:
    busy = replace(OPEN, calls_in_progress=1)
    assert Answers(open_=busy).decide(CAROL) == Refuse(Cause.SESSION_BUSY, NUMBER, busy)


def test_nobody_is_called_by_itself() -> None:
    assert Answers(open_=OPEN).decide(ALICE) == Refuse(Cause.NO_OTHER_PARTY, NUMBER, OPEN)


# -- step 4: the customer's application --------------------------------------------------------------------------
ENDED = replace(SESSION, ended_at=T0 - 1)


@pytest.mark.parametrize(
    ("session", "caller", "number"),
    [
        (None, CAROL, NUMBER),
        (ENDED, ALICE, WITH_DESK),
        (SESSION, None, NUMBER),
        (None, CAROL, virtual_number(use=NumberUse.PIN)),
    ],
)
@pytest.mark.row("8x8:3/when")
def test_an_application_is_asked_about_a_call_of_no_live_session(session, caller, number) -> None:  # type: ignore[no-untyped-def]
    answers = Answers(session, on_number=(PLAYS,), application=True)
    assert answers.decide(caller, number) == ToApplication(number)
    assert Ask.ON_NUMBER not in answers.asked


@pytest.mark.parametrize(
    ("answers", "caller", "kind"),
    [
        (Answers(SESSION, application=True), ALICE, Matched),
        (Answers(pin=PIN, application=True), CAROL, AskPin),
        (Answers(open_=OPEN, application=True), CAROL, Matched),
        (Answers(replace(SESSION, calls_in_progress=1), application=True), ALICE, Refuse),
    ],
)
def test_an_application_is_not_asked_where_a_session_says_what_to_do(
    answers: Answers, caller: Number, kind: type
) -> None:
    assert isinstance(answers.decide(caller), kind)


@pytest.mark.parametrize("policy", [Withheld.REJECT, Withheld.PROMPT])
def test_where_withheld_callers_get_nowhere_no_application_is_asked_about_them(policy: Withheld) -> None:
    found = Answers(application=True).decide(None, rules=RoutingRules(withheld=policy))
    assert isinstance(found, Refuse) and found.cause is Cause.WITHHELD_CALLER


def test_no_application_is_asked_about_a_leg_that_came_back() -> None:
    assert Answers(application=True, ours=(CAROL,)).decide(CAROL) == Refuse(Cause.LOOP, NUMBER)


# -- step 5: a prompt for strangers ------------------------------------------------------------------------------
@pytest.mark.row("6.1/unknown caller, PIN off, play set")
@pytest.mark.parametrize(("caller", "cause"), [(CAROL, Cause.UNKNOWN_CALLER), (None, Cause.WITHHELD_CALLER)])
def test_a_stranger_should_have_heard_the_prompt_of_a_session_on_the_number(caller, cause) -> None:  # type: ignore[no-untyped-def]
    found = Answers(on_number=(SESSION, PLAYS)).decide(caller, WITH_DESK)
    assert found == Refuse(cause, WITH_DESK, None, heard(PLAYS, "unknown_caller_play"), PLAYS)


# -- steps 6 and 7: fallback, refusal ----------------------------------------------------------------------------
def test_a_call_of_no_session_goes_to_the_numbers_fallback() -> None:
    for caller in (CAROL, None):
        found = Answers(on_number=(SESSION,)).decide(caller, WITH_DESK)
        assert found == Matched(None, None, DESK, VN1, LIMITS, MatchedBy.FALLBACK)


def test_the_fallback_itself_is_not_called_back() -> None:
    assert Answers().decide(DESK, WITH_DESK) == Refuse(Cause.UNKNOWN_CALLER, WITH_DESK)


@pytest.mark.parametrize(
    ("session", "caller", "number", "cause"),
    [
        (SESSION, None, NUMBER, Cause.WITHHELD_CALLER),
        (None, ALICE, NUMBER, Cause.UNKNOWN_CALLER),
        (SESSION, CAROL, NUMBER, Cause.UNKNOWN_CALLER),
        (SESSION, ALICE, virtual_number(VN2), Cause.UNKNOWN_CALLER),
        (SESSION, ALICE, virtual_number(account_id=OTHER.id), Cause.UNKNOWN_CALLER),
    ],
)
def test_a_call_that_belongs_to_no_session_is_refused(session, caller, number, cause) -> None:  # type: ignore[no-untyped-def]
    assert Answers(session).decide(caller, number) == Refuse(cause, number)


def test_a_call_is_refused_from_the_second_at_which_the_session_expires() -> None:
    answers = Answers(SESSION, on_number=(PLAYS,))
    assert isinstance(answers.decide(wall=T0 + 599.9), Matched)
    assert answers.decide(wall=T0 + 600) == Refuse(Cause.SESSION_EXPIRED, NUMBER, SESSION, OVER, SESSION)


@pytest.mark.row("6.1/no active session")
def test_a_party_whose_session_is_over_reaches_the_fallback() -> None:
    ended = replace(SESSION, ended_at=T0 + 1)
    assert Answers(ended).decide(wall=T0 + 2) == Refuse(Cause.SESSION_EXPIRED, NUMBER, ended, OVER, ended)
    found = Answers(ended, on_number=(PLAYS,)).decide(ALICE, WITH_DESK, T0 + 2)
    assert isinstance(found, Matched) and found.callee == DESK


# -- whatever the store says -------------------------------------------------------------------------------------
_NUMBERS = st.sampled_from([VN1, VN2])
_PARTIES = st.sampled_from([ALICE, BOB, CAROL, DAVE])
_SESSIONS = st.builds(
    lambda account, first, second, one, two, mode, ended, busy, pin, options: replace(
        SESSION, account_id=account, first_party=first, second_party=second, virtual_number=one,
        second_virtual_number=two, pool_mode=mode, ended_at=ended, calls_in_progress=busy, first_party_pin=pin,
        options=options,
    ),
    st.sampled_from([NUMBER.account_id, OTHER.id]), st.none() | _PARTIES, st.none() | _PARTIES, _NUMBERS,
    st.none() | _NUMBERS, st.sampled_from(PoolMode), st.none() | st.just(T0), st.integers(0, 1),
    st.sampled_from(["", "1234"]),
    st.builds(SessionOptions, is_pin_authentication_required=st.booleans(), force_pin_authentication=st.booleans()),
)  # fmt: skip
_ANY = st.none() | _SESSIONS


@pytest.mark.row("6.2/no stranger")
@given(
    answers=st.builds(Answers, _ANY, _ANY, _ANY, st.lists(_SESSIONS, max_size=2), st.none() | _PARTIES),
    caller=st.none() | _PARTIES,
    number=st.builds(virtual_number, _NUMBERS, fallback=st.none() | st.just(DESK), use=st.sampled_from(NumberUse)),
)
def test_no_answer_of_a_store_connects_strangers(
    answers: Answers, caller: Number | None, number: VirtualNumber
) -> None:
    found = answers.decide(caller, number)
    if isinstance(found, AskPin):
        _check_asked(found, caller, number)
        return
    if isinstance(found, Refuse):
        return
    session, role = found.session, found.caller_role
    if session is None or role is None:
        assert (session, role, found.callee) == (None, None, DESK)
        return
    assert session.account_id == number.account_id
    assert session.is_live(T0) and not session.calls_in_progress
    assert session.number_of(role) == number.number and found.shown == session.number_of(role.other)
    assert found.callee != caller
    if found.matched_by is MatchedBy.PARTY:
        assert session.party(role) == caller
        assert found.callee == (session.party(role.other) or answers.last)
    else:
        assert session.pool_mode is PoolMode.OPEN and session.party(role) is None
        assert found.callee == session.party(role.other)


def _check_asked(found: AskPin, caller: Number | None, number: VirtualNumber) -> None:
    session = found.prompted_by
    assert session is not None and session.account_id == number.account_id and session.is_live(T0)
    if found.session is not None:
        assert caller is not None and session is found.session and session.role_of(caller) is not None


@pytest.mark.row("6.2/no stranger")
@given(
    answers=st.builds(lambda one, last: Answers(holder=one, again=one, last=last), _ANY, st.none() | _PARTIES),
    caller=st.none() | _PARTIES,
    number=st.builds(virtual_number, _NUMBERS),
    known=_ANY,
    pin=st.sampled_from(["1234", "", "5678"]),
)
def test_no_answer_of_a_store_lets_a_pin_connect_strangers(
    answers: Answers, caller: Number | None, number: VirtualNumber, known: Session | None, pin: str
) -> None:
    found = answers.decide_pin(pin, caller, number, known)
    if not isinstance(found, Matched):
        return
    session, role = found.session, found.caller_role
    assert session is not None and role is not None
    assert session.account_id == number.account_id and session.is_live(T0) and not session.calls_in_progress
    assert session.number_of(role) == number.number and found.shown == session.number_of(role.other)
    assert pin and session.pin(role) == pin
    assert known is None or (session.party(role) == caller and session.id == known.id)
    assert found.callee == (session.party(role.other) or answers.last)
    assert found.callee != caller and found.matched_by is MatchedBy.PIN
