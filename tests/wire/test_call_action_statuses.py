"""The status matrix of 8x8-wavecell.md §6.1 and Wavecell's §7.1 through Voice Call Action: every row by a real SIP
exchange of two SIPps, and what an independent application was told of it.

All calls run at once on one platform; each test looks at one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.call_action_field import (
    AUTHORIZATION,
    HANGUP,
    LABEL,
    SUBACCOUNT,
    VIRTUAL,
    ActionField,
    make_call,
    say,
)
from tests.support.customer import Payload
from tests.support.sipp_field import FieldCall
from tests.support.sipp_script import Callee, Caller

pytestmark = [pytest.mark.wire, pytest.mark.timeout(180)]
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
    "503": Row((C, F, F), refused(503), refuses("503 Service Unavailable", "Retry-After: 60"), codes=(503, 503)),
    "no phone": Row((C, F, F), refused(503)),
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
    "too slow": unusable({"wait": 7.0, "body": ""}, -2002),
    "no JSON": unusable({"body": '{"callflow": [],}'}, -2003),
    "no flow": unusable({"body": '{"status": "ok"}'}, -2003),
    "empty body": unusable({"body": ""}, -2003),
    "no coverage": Row((E, None, E), refused(404), flow=lambda _: [make_call("+4930123456")], error=-2004),
    "foreign caller id": Row(
        (E, None, E), refused(480), flow=lambda call: [make_call(call.callee_number, "+6531589999")], error=-2008
    ),
    "no file": Row(
        (E, None, E), is_hung_up, error=-2006, last_action="PLAY_FILE",
        flow=lambda call: [{"action": "playFile", "params": {"fileUrl": call.field.customer.url("/none.wav")}}],  # type: ignore[attr-defined]
    ),
    "a scenario": Row(
        (E, None, E), refused(480), error=-2009, last_action="HANGUP",
        flow=lambda _: [{"action": "scenario", "params": {"scenarioName": "welcome"}}],
    ),
}  # fmt: skip
TITLE = {C: "Completed", N: "No Answer", B: "Busy", F: "Failed", X: "Canceled", E: "Failed", None: None}


class Evening:
    """All rows' calls, on their way from the start."""

    def __init__(self, field: ActionField) -> None:
        self.field = field
        self._pool = ThreadPoolExecutor(AT_ONCE)
        # Those that wait longest begin first.
        order = sorted(ROWS, key=lambda name: -ROWS[name].answer.get("wait", 0.0))
        self._told: dict[str, Future[Outcome]] = {name: self._pool.submit(self._play, ROWS[name]) for name in order}

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def outcome(self, name: str) -> Outcome:
        return self._told[name].result(timeout=150)

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


@pytest.fixture(scope="module")
def evening(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evening]:
    made = ActionField(
        tmp_path_factory.mktemp("statuses"), len(ROWS), MASKLINE_RING_TIMEOUT=str(RING_TIMEOUT),
        MASKLINE_SESSION_DEFAULTS="custom", MASKLINE_SPEECH_VOICE="en-us-f",
    )  # fmt: skip
    try:
        made.open()
        told = Evening(made)
        try:
            yield told
        finally:
            told.close()
    finally:
        made.close()


@pytest.mark.row(
    "8x8:6.1/completed-completed", "8x8:6.1/completed-no-answer", "8x8:6.1/completed-busy", "8x8:6.1/completed-failed",
    "8x8:6.1/canceled-canceled", "8x8:6.1/completed-canceled", "8x8:6.1/completed-none", "8x8:6.1/error-none",
    "8x8:6.1/canceled-none",
    "8x8:6.1/rejected-603", "8x8:6.1/sip-failed", "8x8:6.1/sip-no-answer", "8x8:6.1/sip-busy",
    "8x8:6.1/sip-canceled", "8x8:6.1/q850", "8x8:6.1/underscore", "8x8:6/lastAction", "8x8:6/callCount",
    "8x8:6/errorDetails",
)  # fmt: skip
@pytest.mark.parametrize("name", ROWS)
def test_the_session_summary_says_how_the_call_ended(evening: Evening, name: str) -> None:
    row, told = ROWS[name], evening.outcome(name)
    assert told.legs == row.legs
    summary = told.summary
    assert summary["callCount"] == len(summary["details"]) == (1 if row.legs[1] is None else 2)
    assert summary.get("lastAction", "") == row.last_action
    assert summary.get("errorDetails", {}).get("errorCode", 0) == row.error
    assert summary["subAccountId"] == SUBACCOUNT
    if row.legs[0] == row.legs[1] != C or row.legs[1] in (N, B, F):
        assert "connectedTimestamp" not in summary["details"]["callB"]
        assert summary["details"]["callB"]["callDuration"] == 0


@pytest.mark.row("8x8:7.1/matrix", "8x8:7.1/caller-leaves", "8x8:7.1/error-is-failed", "8x8:7.1/status", "8x8:13/C14")
@pytest.mark.parametrize("name", ROWS)
def test_wavecells_call_status_says_the_same_in_its_own_words(evening: Evening, name: str) -> None:
    row, body = ROWS[name], evening.outcome(name).wavecell
    legs = row.wavecell or row.legs
    details = body["details"]
    found = [details[name]["status"] if name in details else None for name in ("callA", "callB")]
    assert (found[0], found[1], body["status"]) == tuple(TITLE[status] for status in legs)
    for leg in details.values():
        assert leg["numberReferenceId"] == LABEL
        assert not {"callQuality", "callStatus", "sourceFormat"} & leg.keys()
    assert "errorDetails" not in body
    assert set(body) <= {
        "sessionId",
        "subAccountId",
        "status",
        "startTime",
        "endTime",
        "lastAction",
        "callCount",
        "details",
    }


@pytest.mark.row(
    "8x8:5/CALL_RECEIVED", "8x8:5/CALL_INITIATED", "8x8:5/CALL_CONNECTED", "8x8:5/CALL_DISCONNECTED", "8x8:5/sipCode",
    "8x8:5/payload",
)  # fmt: skip
@pytest.mark.parametrize("name", ROWS)
def test_the_call_statuses_come_in_the_order_of_the_call(evening: Evening, name: str) -> None:
    row, told = ROWS[name], evening.outcome(name)
    steps = [(step["callStatus"], step["callDirection"]) for step in told.steps]
    assert steps[0] == ("CALL_RECEIVED", "INBOUND")
    details = told.summary["details"]
    expected = {("CALL_RECEIVED", "INBOUND"), ("CALL_DISCONNECTED", "INBOUND")}
    for leg in details.values():
        if "connectedTimestamp" in leg:
            expected.add(("CALL_CONNECTED", leg["callDirection"]))
    if "callB" in details:
        expected |= {("CALL_INITIATED", "OUTBOUND"), ("CALL_DISCONNECTED", "OUTBOUND")}
    assert sorted(steps) == sorted(expected)  # each once
    ends = {step["callDirection"]: step for step in told.steps if step["callStatus"] == "CALL_DISCONNECTED"}
    for direction, code in zip(("INBOUND", "OUTBOUND"), row.codes, strict=True):
        assert not code or ends[direction]["sipCode"] == code
    for step in told.steps:
        leg = details["callA" if step["callDirection"] == "INBOUND" else "callB"]
        assert step["callId"] == leg["callId"]
        assert {key: step[key] for key in ("source", "destination")} == {
            key: leg[key] for key in ("source", "destination")
        }


def test_an_answered_call_is_told_step_by_step(evening: Evening) -> None:
    told = evening.outcome("answered")
    steps = [(step["callStatus"], step["callDirection"]) for step in told.steps]
    assert steps[:4] == [
        ("CALL_RECEIVED", "INBOUND"), ("CALL_INITIATED", "OUTBOUND"), ("CALL_CONNECTED", "OUTBOUND"),
        ("CALL_CONNECTED", "INBOUND"),
    ]  # fmt: skip
    assert {step for step, _ in steps[4:]} == {"CALL_DISCONNECTED"}
    assert [step["callDuration"] for step in told.steps[:4]] == [0, 0, 0, 0]
    assert {step["callDuration"] for step in told.steps[4:]} == {1}


@pytest.mark.row("8x8:3/sessionId", "8x8:3/callId", "8x8:3/parties", "8x8:3/callStatus", "8x8:3/destinationRefId")
@pytest.mark.parametrize("name", ROWS)
def test_the_application_is_asked_about_leg_a_by_the_ids_of_the_summary(evening: Evening, name: str) -> None:
    told = evening.outcome(name)
    assert len(told.actions) == (2 if name == "500 twice" else 1)
    assert len({action["eventId"] for action in told.actions}) == 1
    action, leg = told.actions[0], told.summary["details"]["callA"]
    assert (action["sessionId"], action["callId"]) == (told.summary["sessionId"], leg["callId"])
    assert (action["source"], action["destination"]) == (f"+{told.call.caller_number}", VIRTUAL)
    assert (action["callStatus"], action["destinationRefId"]) == ("CALL_RECEIVED", LABEL)
    assert "sourceRefId" not in action
    assert "clientActionId" not in action


def test_every_body_is_as_the_vendor_documents_it(evening: Evening) -> None:
    for name in ROWS:
        evening.outcome(name)
    assert evening.field.customer.faults == []
    for path in ("/vca", "/vcs", "/vss", "/wavecell"):
        for item in evening.field.customer.received(path):
            assert item["headers"]["Authorization"] == AUTHORIZATION
            assert item["headers"]["Content-Type"].startswith("application/json")


def test_no_telephone_sees_the_other_ones_number(evening: Evening) -> None:
    for name, row in ROWS.items():
        call = evening.outcome(name).call
        if row.callee is not None:
            assert f"<sip:{VIRTUAL}@" in call.called.got("INVITE").header("From"), name
            call.assert_nothing_crossed()
