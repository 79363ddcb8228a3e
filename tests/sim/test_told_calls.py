"""Simulated calls as 8x8's and Wavecell's receivers hear of them: engine, recorder, outbox, body.

The published samples are calls here: an application answers after a second and a half, the callee after seven, and so
on. What comes out is compared with what the vendor printed, key by key; `tests/contract/test_webhook_samples.py`
compares the bytes of described calls.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from maskline.engine import inputs as i
from maskline.ids import SeededIds
from maskline.masking.call_flow import Capture, Hangup, Say
from maskline.masking.call_record import Quality
from maskline.masking.decision import Dial, Refuse, RunFlow, StartFlow, Step
from maskline.masking.facts import Cause, LegName
from maskline.storage.memory import MemoryStore
from maskline.storage.store import Account, Endpoint, OutboxRow
from maskline.workflows.record_call import CallRecording
from tests.support.call_machine import CALLEE, CALLER, CLIP, NUMBER, VIRTUAL
from tests.support.engine_world import World
from tests.support.sim_media import SimMedia
from tests.support.sim_scenario import ENGINE, LIMITS, SHOWN, TRUNKS, Scenario

A, B = LegName.A, LegName.B
SAMPLES = Path(__file__).parents[1] / "contract" / "webhook_samples"
START = 1_711_346_488.779
"""2024-03-25 06:01:28.779 UTC, the clock inside the sample's ids."""
KINDS = ("eight.session_summary", "eight.call_status", "wavecell.call_status")
DIAL = Dial(CALLEE, VIRTUAL, NUMBER.reference_id, TRUNKS[1])
MASKED: tuple[Step, ...] = (DIAL,)


class Desk(SimMedia):
    """Hears both sides alike."""

    def _result(self, call_id: str, effect: object, fails: bool) -> i.Input:
        done = super()._result(call_id, effect, fails)
        quality = Quality(4.5, 0.0, 19.0, 650, 0)
        return i.MediaClosed({A: quality, B: quality}) if isinstance(done, i.MediaClosed) else done


@dataclass
class ToldWorld(World):
    """A call without a session: an application steers it, or has asked for it."""

    steps: tuple[Step, ...] = MASKED
    refusal: Refuse | None = None
    epoch: float = START
    expired: bool = False
    options: dict[str, str] = field(default_factory=dict)
    """Of the endpoint for call statuses."""
    rows: list[OutboxRow] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.clock.epoch = self.epoch
        self.desk = Desk(self, ENGINE.host)

    @property
    def flow(self) -> RunFlow:
        return RunFlow(NUMBER, self.steps, LIMITS, asks_again=False)

    def decision(self, *, left: bool = False) -> i.Input:
        if left:
            return i.Refused(Refuse(Cause.CANCELED, NUMBER))
        return i.FlowGiven(self.flow) if self.refusal is None else i.Refused(self.refusal)

    def click(self, now: float) -> None:
        assert self.core.start_flow(StartFlow("call-of-the-api", self.flow, "order 7", self.expired), now) is None

    async def tell(self) -> ToldWorld:
        """Play it, and have the recorder write what its receivers are told."""
        self.run()
        assert [str(fault) for fault in self.core.faults()] == []
        self.check_nothing_left()
        store = MemoryStore()
        await store.add_account(Account("MA1", "Acme", None, ("token",), 0.0))
        await store.add_account(Account("SA1", "Acme NM", "MA1", ("token",), 0.0, external_id="8x8_test"))
        for kind in KINDS:
            options = self.options if kind == "eight.call_status" else {}
            await store.set_endpoint(Endpoint("SA1", kind, f"https://{kind}.example/", options=options))
        recorder = CallRecording(store, self.clock, SeededIds(7), lambda: None, window=0.0)
        task = asyncio.create_task(recorder.run())
        for commit in self.commits:
            recorder.record(commit)
        await recorder.flush()
        recorder.stop()
        await task
        self.rows = sorted(await store.outbox(None, limit=100), key=lambda row: row.sequence)
        return self

    def bodies(self, event: str) -> list[dict[str, Any]]:
        return [json.loads(row.body) for row in self.rows if row.event == event]

    @property
    def summary(self) -> dict[str, Any]:
        (body,) = self.bodies("SESSION_SUMMARY")
        return body

    @property
    def statuses(self) -> tuple[str | None, str | None, str]:
        payload = self.summary["payload"]
        legs = [payload["details"].get(name, {}).get("callStatus") for name in ("callA", "callB")]
        return legs[0], legs[1], payload["sessionStatus"]

    @property
    def wavecell(self) -> tuple[str | None, str | None, str]:
        (body,) = self.bodies("AGGREGATED_CALL_STATUS")
        legs = [body["details"].get(name, {}).get("status") for name in ("callA", "callB")]
        return legs[0], legs[1], body["status"]

    @property
    def timeline(self) -> list[tuple[str, str, int]]:
        """(callStatus, direction, sipCode) of each call status, in the order of sending."""
        payloads = [body["payload"] for body in self.bodies("CALL_STATUS")]
        return [(one["callStatus"], one["callDirection"], one["sipCode"]) for one in payloads]


async def told(scenario: Scenario = Scenario(), **changes: Any) -> ToldWorld:  # noqa: B008 - frozen
    return await ToldWorld(1, scenario, **changes).tell()


INBOUND, OUTBOUND = "INBOUND", "OUTBOUND"


# -- the published samples ----------------------------------------------------------------------------------------
OF_THIS_CALL = {
    "sessionId", "subAccountId", "callId", "source", "destination", "sourceCountryCode", "destinationCountryCode",
    "sourceRefId", "destinationRefId", "mos", "packetLossRate", "jitter", "clientRequestId",
}  # fmt: skip
"""Keys whose values are another call's: only their types are compared."""


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {path: value}
    return {
        at: leaf for key, inner in value.items() for at, leaf in leaves(inner, f"{path}.{key}".lstrip(".")).items()
    }  # fmt: skip


def compare(ours: dict[str, Any], sample: str, allowed: dict[str, tuple[str, Any]]) -> None:
    """Key by key with what the vendor printed; `allowed`: path → (reason, our value) where it contradicts itself."""
    mine, published = leaves(ours), leaves(json.loads((SAMPLES / f"{sample}.json").read_text("utf-8")))
    assert set(mine) == set(published) | set(allowed)
    for path, value in published.items():
        if path in allowed:
            assert mine[path] == allowed[path][1] != value, allowed[path][0]
        elif path.rpartition(".")[2] in OF_THIS_CALL:
            # A sample's fraction of 0 is written without a point.
            assert isinstance(mine[path], int | float if isinstance(value, float | int) else str), path
        else:
            assert mine[path] == value, path


@pytest.mark.row("8x8:6.3/published-samples", "8x8:6.3/success", "8x8:13/C3")
async def test_the_published_success_comes_out_of_a_simulated_call() -> None:
    world = await told(Scenario(route_delay=1.5, verdict_after=6.8, alice_bye=13.0))
    # C1 is in the kept copy already: its startTime is leg A's.
    compare(world.summary, "eight_success", {})
    details = world.summary["payload"]["details"]
    assert (details["callA"]["source"], details["callA"]["destination"]) == (CALLER.e164, VIRTUAL.e164)
    assert (details["callB"]["source"], details["callB"]["destination"]) == (VIRTUAL.e164, CALLEE.e164)
    assert details["callA"]["destinationRefId"] == details["callB"]["sourceRefId"] == NUMBER.reference_id
    assert details["callA"]["connectedTimestamp"] == details["callB"]["connectedTimestamp"]


@pytest.mark.row("8x8:6.3/published-samples", "8x8:6.3/error", "8x8:13/C13", "8x8:13/C24", "8x8:6.1/error-none")
async def test_the_published_failure_comes_out_of_a_simulated_call() -> None:
    nowhere = Dial(CALLEE, VIRTUAL, NUMBER.reference_id, refused=Cause.NO_ROUTE)
    world = await told(Scenario(click=True), steps=(nowhere,), epoch=1_689_242_078.1)
    compare(
        world.summary, "eight_failure",
        {
            "payload.lastAction": ("C24: `say` does not name whom to call any more, `makeCall` does", "MAKE_CALL"),
            "payload.clientRequestId": ("the call flow gave one", "order 7"),
        },
    )  # fmt: skip


@pytest.mark.row("8x8:6.3/published-samples", "8x8:7.1/numberReferenceId", "8x8:7.1/matrix")
async def test_wavecells_published_sample_comes_out_of_a_simulated_call() -> None:
    # Its caller is answered at once and hears something; 20 s later the callee is called, who answers as fast.
    shown = Dial(CALLEE, SHOWN, "Number_pool_4526", TRUNKS[1])
    steps = (Say(CLIP), *[Say(CLIP)] * 9, shown)
    scenario = Scenario(verdict_after=0.0, rings=(), alice_bye=60.0)
    world = await told(scenario, steps=steps, epoch=1_592_366_917.1)
    (body,) = world.bodies("AGGREGATED_CALL_STATUS")
    mine, published = leaves(body), leaves(json.loads((SAMPLES / "wavecell_completed.json").read_text("utf-8")))
    assert set(mine) == set(published)
    for path, value in published.items():
        key = path.rpartition(".")[2]
        if key in ("id", "source", "target", "numberReferenceId") or key in OF_THIS_CALL or "CountryCode" in key:
            assert isinstance(mine[path], type(value)), path
        else:
            assert mine[path] == value, path
    assert body["details"]["callB"]["source"] == SHOWN.e164
    assert [leg["numberReferenceId"] for leg in body["details"].values()] == [NUMBER.reference_id, "Number_pool_4526"]


# -- rows of the matrices -----------------------------------------------------------------------------------------
@pytest.mark.row(
    "8x8:6.1/completed-completed", "8x8:6.1/completed-busy", "8x8:6.1/completed-no-answer",
    "8x8:6.1/completed-failed", "8x8:6.1/canceled-canceled", "8x8:6.1/canceled-none", "8x8:6.1/rejected-603",
    "8x8:7.1/matrix", "8x8:7.1/caller-leaves", "8x8:13/C14",
)  # fmt: skip
@pytest.mark.parametrize(
    ("scenario", "eight", "wavecell"),
    [
        (Scenario(), ("COMPLETED", "COMPLETED", "COMPLETED"), ("Completed", "Completed", "Completed")),
        (Scenario(verdict=486), ("COMPLETED", "BUSY", "BUSY"), ("Completed", "Busy", "Busy")),
        (Scenario(verdict=603), ("COMPLETED", "BUSY", "BUSY"), ("Completed", "Busy", "Busy")),
        (Scenario(verdict=480), ("COMPLETED", "NO_ANSWER", "NO_ANSWER"), ("Completed", "No Answer", "No Answer")),
        (Scenario(verdict=None), ("COMPLETED", "NO_ANSWER", "NO_ANSWER"), ("Completed", "No Answer", "No Answer")),
        (Scenario(verdict=480, rings=()), ("COMPLETED", "FAILED", "FAILED"), ("Completed", "Failed", "Failed")),
        (Scenario(verdict=404), ("COMPLETED", "FAILED", "FAILED"), ("Completed", "Failed", "Failed")),
        (
            Scenario(cancel_after=2.0), ("CANCELED", "CANCELED", "CANCELED"), ("Completed", "Canceled", "Canceled"),
        ),
        (Scenario(cancel_after=0.5, route_delay=1.0), ("CANCELED", None, "CANCELED"), ("Canceled", None, "Canceled")),
    ],
)  # fmt: skip
async def test_how_a_masked_call_ends_is_told_by_the_matrix(
    scenario: Scenario, eight: tuple[str | None, ...], wavecell: tuple[str | None, ...]
) -> None:
    world = await told(scenario)
    assert (world.statuses, world.wavecell) == (eight, wavecell)
    payload = world.summary["payload"]
    assert payload["callCount"] == len(payload["details"]) == 1 + (eight[1] is not None)
    assert payload["endTime"] == max(leg["disconnectedTimestamp"] for leg in payload["details"].values())


@pytest.mark.row("8x8:6.3/prompt-only", "8x8:6.1/completed-none", "8x8:6/lastAction")
@pytest.mark.parametrize(
    ("steps", "last"), [((Say(CLIP), Hangup()), "HANGUP"), ((Say(CLIP),), "PLAY_TTS"), ((), "HANGUP")]
)
async def test_a_call_that_is_answered_by_a_prompt_alone_is_completed(steps: tuple[Step, ...], last: str) -> None:
    world = await told(steps=steps)
    assert world.statuses == ("COMPLETED", None, "COMPLETED")
    assert world.wavecell == ("Completed", None, "Completed")
    assert (world.summary["payload"]["lastAction"], world.summary["payload"]["callCount"]) == (last, 1)


@pytest.mark.row("8x8:6.1/completed-none")
async def test_a_caller_who_leaves_while_it_hears_a_prompt_was_answered_by_it() -> None:
    world = await told(Scenario(alice_bye=1.0), steps=(Say(CLIP), DIAL))
    assert world.statuses == ("COMPLETED", None, "COMPLETED")
    assert world.summary["payload"]["lastAction"] == "PLAY_TTS"


@pytest.mark.row("8x8:6.1/completed-canceled")
async def test_a_caller_who_was_answered_and_leaves_while_leg_b_rings_is_completed_and_canceled() -> None:
    world = await told(Scenario(alice_bye=4.0, verdict_after=9.0), steps=(Say(CLIP), DIAL))
    assert world.statuses == ("COMPLETED", "CANCELED", "CANCELED")
    assert world.wavecell == ("Completed", "Canceled", "Canceled")
    assert world.timeline[-1] == ("CALL_DISCONNECTED", OUTBOUND, 487)


@pytest.mark.row("8x8:6.1/completed-error", "8x8:6.1/error-wins", "8x8:6.2/-2002")
async def test_media_that_goes_away_when_leg_b_answers_is_an_error_of_leg_b() -> None:
    world = await told(Scenario(media_fails_at=1))
    assert world.statuses == ("COMPLETED", "ERROR", "ERROR")
    assert world.wavecell == ("Completed", "Failed", "Failed")
    assert world.summary["payload"]["errorDetails"]["errorCode"] == -2002


@pytest.mark.row("8x8:6.1/error-none", "8x8:6/errorDetails", "8x8:7.1/error-is-failed")
@pytest.mark.parametrize(
    ("cause", "code"),
    [
        (Cause.CALL_ACTION_FAILED, -2002), (Cause.CALL_FLOW_INVALID, -2003), (Cause.NO_ROUTE, -2004),
        (Cause.CALLER_ID_NOT_ALLOWED, -2008), (Cause.SCENARIO_UNKNOWN, -2009),
    ],
)  # fmt: skip
async def test_an_application_that_cannot_be_asked_is_an_error_of_leg_a(cause: Cause, code: int) -> None:
    world = await told(refusal=Refuse(cause, NUMBER))
    assert world.statuses == ("ERROR", None, "ERROR")
    assert world.wavecell == ("Failed", None, "Failed")
    assert world.summary["payload"]["errorDetails"]["errorCode"] == code
    leg = world.summary["payload"]["details"]["callA"]
    assert (leg["callDirection"], leg["destinationRefId"]) == ("INBOUND", NUMBER.reference_id)


@pytest.mark.row("8x8:6.1/first-leg-fails", "8x8:6.2/-2007")
@pytest.mark.parametrize(
    ("verdict", "expired", "status"), [(486, False, "BUSY"), (404, False, "FAILED"), (200, True, "ERROR")]
)
async def test_a_first_leg_that_the_api_asked_for_gives_its_status(verdict: int, expired: bool, status: str) -> None:
    first = Dial(CALLER, VIRTUAL, NUMBER.reference_id, TRUNKS[0])
    world = await told(Scenario(click=True, alice_verdict=verdict), steps=(first, DIAL), expired=expired)
    assert world.statuses == (status, None, status)
    payload = world.summary["payload"]
    assert payload["clientRequestId"] == "order 7"
    assert payload["details"]["callA"]["sourceRefId"] == NUMBER.reference_id
    assert ("errorDetails" in payload) is expired
    assert world.timeline[-1][:2] == ("CALL_DISCONNECTED", "OUTBOUND")


# -- call statuses ------------------------------------------------------------------------------------------------


@pytest.mark.row(
    "8x8:5/CALL_RECEIVED", "8x8:5/CALL_INITIATED", "8x8:5/CALL_CONNECTED", "8x8:5/CALL_DISCONNECTED", "8x8:5/sipCode"
)
@pytest.mark.parametrize(
    ("scenario", "end"),
    [
        (Scenario(), [("CALL_CONNECTED", OUTBOUND, 200), ("CALL_CONNECTED", INBOUND, 200),
                      ("CALL_DISCONNECTED", INBOUND, 200), ("CALL_DISCONNECTED", OUTBOUND, 200)]),
        (Scenario(verdict=486), [("CALL_DISCONNECTED", OUTBOUND, 486), ("CALL_DISCONNECTED", INBOUND, 486)]),
        (Scenario(verdict=None), [("CALL_DISCONNECTED", OUTBOUND, 487), ("CALL_DISCONNECTED", INBOUND, 480)]),
        (Scenario(cancel_after=2.0), [("CALL_DISCONNECTED", INBOUND, 487), ("CALL_DISCONNECTED", OUTBOUND, 487)]),
    ],
)  # fmt: skip
async def test_a_simulated_call_has_the_timeline(scenario: Scenario, end: list[tuple[str, str, int]]) -> None:
    world = await told(scenario)
    assert world.timeline == [("CALL_RECEIVED", INBOUND, 200), ("CALL_INITIATED", OUTBOUND, 200), *end]
    payloads = [body["payload"] for body in world.bodies("CALL_STATUS")]
    assert len({one["eventId"] for one in payloads}) == len(payloads)
    assert {one["sessionId"] for one in payloads} == {world.summary["payload"]["sessionId"]}
    legs = world.summary["payload"]["details"]
    for one in payloads:
        leg = legs["callA" if one["callDirection"] == INBOUND else "callB"]
        assert (one["callId"], one["source"], one["destination"]) == (leg["callId"], leg["source"], leg["destination"])
        if one["callStatus"] == "CALL_DISCONNECTED":
            assert one["callDuration"] == leg["callDuration"]


@pytest.mark.row("8x8:5/DTMF_RECEIVED", "8x8:13/C6")
async def test_digits_that_a_flow_asked_for_are_told_between_answer_and_end() -> None:
    asked = Capture(CLIP, min_digits=4, max_digits=4)
    world = ToldWorld(1, Scenario(alice_bye=30.0), steps=(asked,))
    for place, digit in enumerate("0911"):
        world.schedule(6.0 + place, lambda now, digit=digit: world.press(next(iter(world.core.calls)), digit, now))
    await world.tell()
    assert world.statuses == ("COMPLETED", None, "COMPLETED")
    assert world.summary["payload"]["lastAction"] == "SAY_AND_CAPTURE"
    assert [one[0] for one in world.timeline] == [
        "CALL_RECEIVED", "CALL_CONNECTED", "DTMF_RECEIVED", "CALL_DISCONNECTED",
    ]  # fmt: skip
    told_of = world.bodies("CALL_STATUS")[2]["payload"]
    assert (told_of["eventData"], told_of["callDirection"], told_of["sipCode"]) == ({"dtmf": "0911"}, INBOUND, 200)
    assert 8 <= told_of["callDuration"] <= 9


@pytest.mark.row("8x8:5/CALL_UPDATED")
async def test_a_hold_is_told_where_updates_are_wanted() -> None:
    plain = (await told(Scenario(alice_hold=2.0))).timeline
    world = await told(Scenario(alice_hold=2.0), options={"updates": "on"})
    assert [one for one in world.timeline if one not in plain] == [("CALL_UPDATED", INBOUND, 200)]
    assert [one for one in world.timeline if one[0] != "CALL_UPDATED"] == plain
