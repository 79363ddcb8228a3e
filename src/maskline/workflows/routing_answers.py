"""Answers what the routing order asks (`masking/match.py`) from the store, as many questions as it has.

What it is: one look-up per question. What it is not: the order. Who uses it: `route_call.py`, `check_pin.py`.
Who is asked as application is for `ask_action.py` to know; where there are none, nobody is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from typing import Any, TypeVar

from maskline.errors import NotFound
from maskline.masking.decision import VirtualNumber
from maskline.masking.e164 import Number
from maskline.masking.match import Ask, AskAgain, AskApplication, AskHolder, AskLastOutside, AskOurs, Question
from maskline.masking.session import Session
from maskline.storage.store import Store

T = TypeVar("T")
_StoreQuestion = Ask | AskLastOutside | AskOurs | AskHolder | AskAgain
_PARTY, _ENTRIES = Ask.PARTY, Ask.ENTRIES  # to name a member of an `Enum` is a Python call in 3.11
_PROMPTS_LOOKED_AT = 16
"""Sessions of a number that are looked at for a prompt; a number may hold thousands, and strangers call often."""


HasApplication = Callable[[VirtualNumber], Awaitable[bool]]


async def answered(
    steps: Generator[Question, Any, T], store: Store, caller: Number | None, number: Number, wall: float,
    has_application: HasApplication | None = None,
) -> T:  # fmt: skip
    """Run the steps to their end, for a call to `number` at wall second `wall`. Raises `StoreUnavailable`."""
    answer: Any = None
    while True:
        try:
            question = steps.send(answer)
        except StopIteration as decided:
            found: T = decided.value
            return found
        if isinstance(question, AskApplication):
            answer = has_application is not None and await has_application(question.number)
        else:
            answer = await _answer(question, store, caller, number, wall)


async def _answer(question: _StoreQuestion, store: Store, caller: Number | None, number: Number, wall: float) -> Any:
    # By hand and the usual ones first: every call asks three of these.
    if type(question) is AskOurs:
        return await store.number(question.number) is not None
    if question is _PARTY:
        return None if caller is None else await store.session_for_call(caller, number)
    if question is _ENTRIES:
        return await store.entries(number)
    if question is Ask.PIN:
        return await store.pin_session(number, wall)
    if question is Ask.OPEN:
        return await store.open_session(number)
    if question is Ask.ON_NUMBER:
        return await store.sessions_on(number, now=wall, limit=_PROMPTS_LOOKED_AT)
    if isinstance(question, AskLastOutside):
        return await store.last_outside_party(question.session)
    if isinstance(question, AskHolder):
        return await store.session_for_pin(question.pin, number)
    assert isinstance(question, AskAgain)
    return await _again(store, question.session)


async def _again(store: Store, session: Session) -> Session | None:
    try:
        return await store.session(session.account_id, session.id)
    except NotFound:
        return None
