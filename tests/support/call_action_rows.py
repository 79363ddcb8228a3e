"""The calls of the 8x8 status matrix: what two SIPps do, what the application answers, what it must be told in the end.

What it is: the rows as data, and an evening in which all of them are played on one platform at once. What it is not:
judgement. Who uses it: tests/wire/test_call_action_statuses.py.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from tests.support.call_action_field import HANGUP, VIRTUAL, ActionField, make_call, say
from tests.support.customer import Payload
from tests.support.sipp_field import FieldCall
from tests.support.sipp_script import Callee, Caller

RING_TIMEOUT = 2
AT_ONCE = 8
"""Calls; two SIPps each."""
Statuses = tuple[str, str | None, str]
"""Of leg A, leg B and the session."""


@dataclass(frozen=True)
class Row:
    """What the two telephones do, what the application answers, and what it must be told in the end."""

    legs: Statuses
    caller: Callable[[Caller], Any]
    callee: Callable[[Callee], Any] | None = None
    flow: Callable[[FieldCall], list[dict[str, Any]]] | None = None
    """None: makeCall, as booked."""
    answer: dict[str, Any] = field(default_factory=dict)
    """In place of a flow: a body, a status, seconds to wait."""
    error: int = 0
    last_action: str = "MAKE_CALL"
    codes: tuple[int, int] = (0, 0)
    """sipCode of each leg's CALL_DISCONNECTED; 0: not looked at."""
    wavecell: Statuses | None = None
    """None: the same in Title Case."""


@dataclass(frozen=True)
class Outcome:
    call: FieldCall
    summary: Payload
    wavecell: Payload
    steps: list[Payload]
    actions: list[Payload]

    @property
    def legs(self) -> Statuses:
        details = self.summary["details"]
        a, b = (details[name]["callStatus"] if name in details else None for name in ("callA", "callB"))
        return a, b, self.summary["sessionStatus"]


def ringing_then(status: str) -> Callable[[Callee], Any]:
    return lambda callee: callee.invited().progress().refuse(status)


def refuses(status: str, *headers: str) -> Callable[[Callee], Any]:
    return lambda callee: callee.invited().refuse(status, headers)


def refused(status: int) -> Callable[[Caller], Any]:
    return lambda caller: caller.invite().refused(status)


def talks(caller: Caller) -> Any:
    return caller.invite().expect(180).answered().pause(1.2).hang_up()


def is_let_go(callee: Callee) -> Any:
    return callee.invited().progress().answer().let_go()


def is_hung_up(caller: Caller) -> Any:
    """Answered by us, and sent away in the end."""
    return caller.invite().answered().expect("BYE").reply("200 OK")


def rings_until_cancelled(callee: Callee) -> Any:
    callee.invited().progress().expect("CANCEL").reply("200 OK")
    return callee.reply("487 Request Terminated", method="INVITE", to_tag=callee.tag).expect("ACK")


def gives_up_ringing(caller: Caller) -> Any:
    return caller.invite().expect(180).cancel().expect(200).refused(487)


def gives_up_at_once(caller: Caller) -> Any:
    caller.invite().steps.pop()  # SIPp waits at an optional message for one that is not
    return caller.expect(100).pause(0.5).cancel().expect(200).refused(487)


def leaves_after_the_words(caller: Caller) -> Any:
    """Hears a greeting, then ringback, and hangs up meanwhile."""
    return caller.invite().answered().pause(3.0).hang_up()


def greets(call: FieldCall) -> list[dict[str, Any]]:
    return [say("One moment."), make_call(call.callee_number)]


def unusable(answer: dict[str, Any], error: int) -> Row:
    """Nothing could be begun."""
    return Row((E, None, E), refused(480), answer=answer, error=error, last_action="HANGUP")


C, N, B, F, X, E = "COMPLETED", "NO_ANSWER", "BUSY", "FAILED", "CANCELED", "ERROR"
ROWS: dict[str, Row] = {
    "answered": Row((C, C, C), talks, is_let_go, codes=(200, 200)),
    "486": Row((C, B, B), refused(486), refuses("486 Busy Here"), codes=(486, 486)),
    "600": Row((C, B, B), refused(486), refuses("600 Busy Everywhere"), codes=(486, 600)),
    "603": Row((C, B, B), refused(603), ringing_then("603 Decline"), codes=(603, 603)),
    "603 after words": Row((C, B, B), is_hung_up, ringing_then("603 Decline"), greets),
    "480": Row((C, F, F), refused(480), refuses("480 Temporarily Unavailable"), codes=(480, 480)),
    "480 after ringing": Row((C, N, N), refused(480), ringing_then("480 Temporarily Unavailable"), codes=(480, 480)),
    "ring time-out": Row((C, N, N), refused(480), rings_until_cancelled),
    "404": Row((C, F, F), refused(404), refuses("404 Not Found"), codes=(404, 404)),
    "408": Row((C, F, F), refused(408), refuses("408 Request Timeout")),
    "410": Row((C, F, F), refused(480), refuses("410 Gone")),
    "484": Row((C, F, F), refused(484), refuses("484 Address Incomplete")),
    "488": Row((C, F, F), refused(488), refuses("488 Not Acceptable Here")),
    "500": Row((C, F, F), refused(500), refuses("500 Server Internal Error")),
    "503": Row((C, F, F), refused(500), refuses("503 Service Unavailable", "Retry-After: 60"), codes=(500, 503)),
    "no phone": Row((C, F, F), refused(500)),
    "Q.850 busy": Row((C, B, B), refused(486), refuses("480 Temporarily Unavailable", "Reason: Q.850;cause=17")),
    "abandoned": Row(
        (X, X, X), gives_up_ringing, rings_until_cancelled, codes=(487, 487), wavecell=(C, X, X)
    ),
    "abandoned after words": Row((C, X, X), leaves_after_the_words, rings_until_cancelled, greets),
    "abandoned unasked": Row(
        (X, None, X), gives_up_at_once, answer={"wait": 2.0, "flow": {"callflow": [HANGUP]}}, last_action="HANGUP"
    ),
    "words alone": Row((C, None, C), is_hung_up, flow=lambda _: [say("Goodbye.")], last_action="PLAY_TTS"),
    "words and hangup": Row((C, None, C), is_hung_up, flow=lambda _: [say("Goodbye."), HANGUP], last_action="HANGUP"),
    "hangup alone": Row((C, None, C), refused(603), flow=lambda _: [HANGUP], last_action="HANGUP"),
    "nothing to do": Row((C, None, C), refused(603), flow=lambda _: [], last_action="HANGUP"),
    "not 200": unusable({"status": 404, "body": "no"}, -2002),
    "500 twice": unusable({"status": 500, "body": "no"}, -2002),
    # Far more than the five seconds: a platform that gets no CPU for a while sees its limit and the answer at once.
    "too slow": unusable({"wait": 30.0, "body": ""}, -2002),
    "no JSON": unusable({"body": '{"callflow": [],}'}, -2003),
    "no flow": unusable({"body": '{"status": "ok"}'}, -2003),
    "empty body": unusable({"body": ""}, -2003),
    "no coverage": Row((E, None, E), refused(404), flow=lambda _: [make_call("+4930123456")], error=-2004),
    "back to us": Row((E, None, E), refused(482), flow=lambda _: [make_call(VIRTUAL)], error=-2004),
    "foreign caller id": Row(
        (E, None, E), refused(480), flow=lambda call: [make_call(call.callee_number, "+6531589999")], error=-2008
    ),
    "no file": Row(
        (E, None, E), is_hung_up, error=-2006, last_action="PLAY_FILE",
        flow=lambda call: [{"action": "playFile", "params": {"fileUrl": call.field.customer.url("/none.wav")}}],  # type: ignore[attr-defined]
    ),
    "two calls": Row(
        (E, None, E), refused(480), flow=lambda call: [make_call(call.callee_number)] * 2, error=-2003,
        last_action="HANGUP",
    ),
    "a scenario": Row(
        (E, None, E), refused(480), error=-2009, last_action="HANGUP",
        flow=lambda _: [{"action": "scenario", "params": {"scenarioName": "welcome"}}],
    ),
}  # fmt: skip
FIRST_LEGS: dict[str, tuple[Callable[[Callee], Any], str]] = {
    "486": (refuses("486 Busy Here"), B),
    "603": (ringing_then("603 Decline"), B),
    "404": (refuses("404 Not Found"), F),
    "503": (refuses("503 Service Unavailable"), F),
    "480 after ringing": (ringing_then("480 Temporarily Unavailable"), N),
    "ring time-out": (rings_until_cancelled, N),
}
"""Of flows that the API starts: what the first person's telephone does, and the status."""


_FIRST = "first leg: "
SEATS = len(ROWS) + len(FIRST_LEGS) + 10
"""Some for calls that are tried again."""


class Evening:
    """All rows' calls, on their way from the start."""

    def __init__(self, field: ActionField) -> None:
        self.field = field
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._told: dict[str, Future[Any]] = {}
        self._failed: set[str] = set()
        # Those that wait longest begin first.
        for name in sorted(ROWS, key=lambda name: -ROWS[name].answer.get("wait", 0.0)):
            self._told[name] = self._pool.submit(self._play, ROWS[name])
        for name, (callee, _) in FIRST_LEGS.items():
            self._told[_FIRST + name] = self._pool.submit(self._begin, callee)

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def outcome(self, name: str) -> Outcome:
        """Raises what the call raised. Who asks again after that has it played anew (decision 0033)."""
        told: Outcome = self._result(name, lambda: self._play(ROWS[name]))
        return told

    def first_leg(self, name: str) -> Payload:
        told: Payload = self._result(_FIRST + name, lambda: self._begin(FIRST_LEGS[name][0]))
        return told

    def _result(self, name: str, play: Callable[[], Any]) -> Any:
        if name in self._failed:
            self._failed.remove(name)
            self._told[name] = self._pool.submit(play)
        try:
            return self._told[name].result(timeout=110)
        except BaseException:
            self._failed.add(name)
            raise

    def _begin(self, callee: Callable[[Callee], Any]) -> Payload:
        """A flow by the API; leg A is a SIPp that is called."""
        call = self.field.seat(booked=False)
        number = f"+{call.callee_number}"
        callee(call.callee)
        call.called.start()
        call.called.wait_until_bound()
        try:
            status, answer = self.field.post({"callflow": [make_call(number), say("Hello.")]})
            assert status == 200, answer
            assert call.called.finish(40.0) == 0, call.called.story()
        finally:
            call.stop()
        assert f"<sip:{VIRTUAL}@" in call.called.got("INVITE").header("From")
        return self.field.customer.summary(number)

    def _play(self, row: Row) -> Outcome:
        field = self.field
        call = field.seat()
        number = f"+{call.caller_number}"
        if row.flow is not None:
            field.customer.script(number, {"flow": {"callflow": row.flow(call)}})
        elif row.answer:
            field.customer.script(number, row.answer)
        row.caller(call.caller)
        if row.callee is not None:
            row.callee(call.callee)
        try:
            call.run()
        finally:
            call.stop()
        summary = field.customer.summary(number)
        session = summary["sessionId"]
        legs = 1 if row.legs[1] is None else 2
        connected = sum("connectedTimestamp" in leg for leg in summary["details"].values())
        steps = field.customer.statuses(session, 2 * legs + connected)
        return Outcome(call, summary, field.customer.wavecell(session), steps, field.customer.actions(number))
