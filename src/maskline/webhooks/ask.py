"""Ask a customer's application, and wait for its answer: one POST, once more at most, within a budget.

What it is: the question as it goes out, its time limits and its second try; what became of it in one exception and two
counters. What it is not: the body (`formats/eight_action.py`), the meaning of an answer, or webhooks that nobody waits
for (`deliver.py`). Who uses it: `workflows/ask_action.py`.

A caller waits, so nothing is queued and the second try comes at once: after a failed connect, a connection that broke
before an answer (also a kept one that the server gave up meanwhile) or a 5xx, and while time is left. It is the same
event, so an application that heard the first one can tell.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from maskline.clock import Clock
from maskline.masking.facts import Cause
from maskline.net.egress import EgressError, Failure
from maskline.net.post import Poster
from maskline.webhooks.sign import event_headers, own_headers

MOST_ANSWER = 64 * 1024
"""Bytes of an answer."""
_TRIES = 2
MOST_WAITING = 1_000
"""Questions to one URL at a time. Each holds a socket, and an application that hangs must not take those of others."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, and where."""

    event_id: str
    """The same at both tries."""
    url: str = field(repr=False)
    body: bytes = field(repr=False)
    """JSON."""
    authorization: str = field(default="", repr=False)
    """Sent verbatim."""
    secret: str = field(default="", repr=False)
    """Standard Webhooks secret; empty: not signed."""


class AnswerFault(Exception):
    """There is no answer that could be used. `str()` is a sentence without URL, address, number or answer body."""

    def __init__(self, cause: Cause, result: str, sentence: str) -> None:
        super().__init__(sentence)
        self.cause = cause
        """`CALL_ACTION_FAILED` or `CALL_FLOW_INVALID`."""
        self.result = result
        """A code for metrics."""
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Budget:
    """Seconds."""

    connect: float = 3.0
    total: float = 5.0
    """For both tries."""


class Asker:
    """Asks through `poster`, which its owner opens and closes. Counters are for metrics."""

    __slots__ = ("_budget", "_clock", "_poster", "_waiting", "repeated", "results", "seconds")

    def __init__(self, poster: Poster, clock: Clock, budget: Budget = Budget()) -> None:
        self._poster = poster
        self._clock = clock
        self._budget = budget
        self._waiting: Counter[str] = Counter()
        """By URL."""
        self.repeated = 0
        """Second tries."""
        self.results: Counter[str] = Counter()
        """Questions by what became of them: `answered`, `withdrawn`, or the code of their fault."""
        self.seconds = 0.0
        """All the time that answered questions took."""

    @property
    def asking(self) -> int:
        """Questions that wait for their answer."""
        return self._waiting.total()

    async def ask(self, question: Question) -> bytes:
        """The body of a 200, in time. Raises `AnswerFault`. Cancelled, it withdraws the question: its connection is
        closed, and the application can tell."""
        # The first step of this coroutine may run outside any task, or inside another call's (engine/route_work.py);
        # time limits need a task of their own.
        await asyncio.sleep(0)
        began = self._clock.now()
        try:
            answer = await self._ask(question, began + self._budget.total)
        except AnswerFault as fault:
            self.results[fault.result] += 1
            raise
        except asyncio.CancelledError:
            self.results["withdrawn"] += 1
            raise
        self.results["answered"] += 1
        self.seconds += self._clock.now() - began
        return answer

    async def _ask(self, question: Question, deadline: float) -> bytes:
        waiting = self._waiting
        if waiting[question.url] >= MOST_WAITING:
            sentence = f"The application has {MOST_WAITING} questions before it already."
            raise AnswerFault(Cause.CALL_ACTION_FAILED, "too_many", sentence)
        waiting[question.url] += 1
        try:
            return await self._tries(question, deadline)
        finally:
            waiting[question.url] -= 1
            if not waiting[question.url]:
                del waiting[question.url]

    async def _tries(self, question: Question, deadline: float) -> bytes:
        tried = 1
        while True:
            try:
                return await self._try(question, tried, deadline - self._clock.now())
            except _Again as again:
                if tried == _TRIES or deadline <= self._clock.now():
                    raise again.fault from None
            tried += 1
            self.repeated += 1

    async def _try(self, question: Question, tried: int, left: float) -> bytes:
        try:
            answer = await self._poster.request(
                "POST", question.url, question_headers(question, int(self._clock.wall()), tried - 1), question.body,
                connect=self._budget.connect, total=left, most=MOST_ANSWER,
            )  # fmt: skip
        except EgressError as error:
            raise _no_answer(error) from None
        if answer.status != 200:
            raise _not_200(answer.status)
        return answer.body


def question_headers(question: Question, second: int, tried: int) -> dict[str, str]:
    """At wall second `second`, when it was asked `tried` times before."""
    headers = event_headers(question.event_id, second, question.body, question.authorization, question.secret)
    # Answers are not unpacked, so none may come packed.
    headers |= {"Content-Type": "application/json", "Accept-Encoding": "identity"}
    return headers | own_headers(question.event_id, tried)


class _Again(Exception):
    """Another try may end better."""

    def __init__(self, fault: AnswerFault) -> None:
        super().__init__()
        self.fault = fault


_RETRIED = frozenset({
    Failure.UNKNOWN_NAME, Failure.NO_CONNECTION, Failure.CONNECT_TIMEOUT, Failure.TLS_FAILED, Failure.BROKEN,
})  # fmt: skip


def _not_200(status: int) -> AnswerFault | _Again:
    fault = AnswerFault(
        Cause.CALL_ACTION_FAILED, f"http_{status // 100}xx", f"The application answered with HTTP {status}, not 200."
    )
    return _Again(fault) if status >= 500 else fault


def _no_answer(error: EgressError) -> AnswerFault | _Again:
    if error.failure is Failure.TOO_LARGE:
        sentence = f"The application's answer is larger than {MOST_ANSWER // 1024} KiB."
        return AnswerFault(Cause.CALL_FLOW_INVALID, "too_large", sentence)
    sentence = f"The application could not be asked: {error}."
    fault = AnswerFault(Cause.CALL_ACTION_FAILED, error.failure.value, sentence)
    return _Again(fault) if error.failure in _RETRIED else fault
