"""The runner on real loopback sockets, with a router, a driver and a recorder of the test's own."""

from __future__ import annotations

import asyncio
import gc
from dataclasses import replace
from typing import Any

import pytest
import structlog

from maskline.clock import SystemClock
from maskline.engine.ports import CallCommit
from maskline.engine.runner import EngineRunner, settle_memory
from maskline.ids import SystemIds
from maskline.masking.decision import AskPin, Decision, PinDecision, Refuse, StartCall, StartFlow, WrongPin
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause, Outcome
from maskline.masking.trunk import Trunk
from maskline.media.port import MediaLost, RecordingLost
from maskline.sip import events as sip
from maskline.sip.agent import OutgoingInvite
from maskline.sip.events import Event, Flow
from tests.support.call_machine import A_SDP, B_SDP, CALLER, DIAL, TRUNK_A, VIRTUAL, flow, forward
from tests.support.fake_driver import FakeDriver
from tests.support.udp_phone import UdpPhone
from tests.support.waiting import until


class Recorder:
    def __init__(self) -> None:
        self.commits: list[CallCommit] = []
        self._changed = asyncio.Event()

    def record(self, commit: CallCommit) -> None:
        self.commits.append(commit)
        self._changed.set()

    async def finished(self) -> CallCommit:
        async with asyncio.timeout(5):
            while not (self.commits and self.commits[-1].record):
                self._changed.clear()
                await self._changed.wait()
        return self.commits[-1]


class Router:
    def __init__(self, callee: Flow) -> None:
        self.callee = Trunk("callee", "callee", None, callee.host, callee.port)
        self.refusal: Refuse | None = None
        self.thinks: asyncio.Event | None = None
        """Answers when it is set."""

    def trunks(self) -> tuple[Trunk, ...]:
        return (self.callee,)

    async def route(self, caller: Number | None, called: Number, trunk: Trunk, wall: float, *_: Any) -> Decision:
        if self.thinks is not None:
            await self.thinks.wait()
        return self.refusal or forward(self.callee)

    async def check_pin(self, asked: AskPin, caller: Number | None, pin: str, wall: float) -> PinDecision:
        return WrongPin()


def answering(phone: UdpPhone, event: Event, now: float) -> None:
    if isinstance(event, sip.InviteReceived):
        phone.agent.progress(event.usage, 180, now)
        phone.agent.answer(event.usage, now, B_SDP)


class Office:
    """A runner, two phones, and what they share."""

    def __init__(self, media: bool = True) -> None:
        self.alice = UdpPhone(self.on_alice)
        self.bob = UdpPhone(answering)
        self.driver = FakeDriver()
        self.recorder = Recorder()
        self.router = Router(self.bob.flow)
        self.runner = EngineRunner(
            router=self.router, recorder=self.recorder, media=self.driver if media else None,
            clock=SystemClock(), ids=SystemIds(), host="127.0.0.1", port=0,
        )  # fmt: skip

    @staticmethod
    def on_alice(phone: UdpPhone, event: Event, now: float) -> None:
        if isinstance(event, sip.InviteAnswered):
            phone.agent.ack(event.usage, now)

    async def __aenter__(self) -> Office:
        host, port = await self.runner.start()
        self.flow = Flow("udp", host, port)
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.runner.stop()
        self.alice.close()
        self.bob.close()

    def dial(self) -> Any:
        host = f"{self.flow.host}:{self.flow.port}"
        invite = OutgoingInvite(
            self.flow, f"sip:{VIRTUAL.e164}@{host}", f"sip:{CALLER.e164}@phone", f"sip:{VIRTUAL.e164}@{host}", A_SDP
        )
        return self.alice.do(lambda now: self.alice.agent.invite(invite, now))

    async def call(self) -> Any:
        usage = self.dial()
        await self.alice.hears(sip.InviteAnswered)
        await self.bob.hears(sip.InviteAcked)
        return usage


@pytest.mark.parametrize("media", [True, False])
async def test_a_call_runs_over_real_sockets(media: bool) -> None:
    async with Office(media) as office:
        usage = await office.call()
        held = office.runner.metrics()
        assert (held["calls_in_progress"], held["sip_dialogs"]) == (1, 2)
        assert held["sip_transactions"] >= 1
        office.alice.do(lambda now: office.alice.agent.bye(usage, now))
        commit = await office.recorder.finished()
        await office.bob.hears(sip.ByeReceived)
        await office.alice.hears(sip.ByeFinished)
    assert commit.record is not None and commit.record.outcome is Outcome.COMPLETED
    steps = [what for what, *_ in office.driver.asked]
    assert steps == (["open", "open", "attach", "bridge", "close", "stop"] if media else [])
    metrics = office.runner.metrics()
    assert (metrics["calls"], metrics["finished"], metrics["faults"], metrics["calls_in_progress"]) == (1, 1, 0, 0)


async def test_stop_hangs_up_what_is_left_and_says_how_many() -> None:
    async with Office() as office:
        await office.call()
        assert await office.runner.stop(grace=0.01) == 1
        commit = await office.recorder.finished()
        assert commit.record is not None and commit.record.cause is Cause.SHUTDOWN
        await office.bob.hears(sip.ByeReceived)
        await office.alice.hears(sip.ByeReceived)


async def test_stop_refuses_a_caller_whose_application_still_thinks() -> None:
    async with Office() as office:
        office.router.thinks = asyncio.Event()
        office.dial()
        await until(lambda: bool(office.runner.core.calls))
        assert await office.runner.stop(grace=0.01) == 1
        refusal = await office.alice.hears(sip.InviteFailed)
        assert refusal.status == 503 and not office.runner.core.calls
        office.router.thinks.set()
        await asyncio.sleep(0)
        assert office.recorder.commits == [] and office.runner.core.counters.faults == 0


async def test_stop_waits_for_calls_that_end_by_themselves() -> None:
    async with Office() as office:
        usage = await office.call()
        stopping = asyncio.create_task(office.runner.stop(grace=5.0))
        await asyncio.sleep(0)
        office.alice.do(lambda now: office.alice.agent.bye(usage, now))
        assert await stopping == 0


async def test_media_lost_by_the_driver_ends_the_call() -> None:
    async with Office() as office:
        await office.call()
        (call_id,) = office.runner.core.calls
        assert office.driver.on_event is not None
        office.driver.on_event(MediaLost(call_id))
        await office.alice.hears(sip.ByeReceived)
        assert (await office.recorder.finished()).record.cause is Cause.MEDIA_UNAVAILABLE  # type: ignore[union-attr]


async def test_a_callee_that_is_gone_fails_the_call_without_waiting_for_timers() -> None:
    async with Office() as office:
        office.bob.close()
        host = f"{office.flow.host}:{office.flow.port}"
        invite = OutgoingInvite(
            office.flow, f"sip:{VIRTUAL.e164}@{host}", f"sip:{CALLER.e164}@phone", f"sip:{VIRTUAL.e164}@{host}", A_SDP
        )
        office.alice.do(lambda now: office.alice.agent.invite(invite, now))
        failed = await office.alice.hears(sip.InviteFailed)
        assert failed.status == 503
        assert (await office.recorder.finished()).record.cause is Cause.NETWORK_ERROR  # type: ignore[union-attr]


async def test_strangers_are_named_in_one_line() -> None:
    async with Office() as office:
        office.runner._router.callee = Trunk("t", "t", None, "192.0.2.1", 5060)  # type: ignore[attr-defined]
        with structlog.testing.capture_logs() as lines:
            for _ in range(3):
                office.runner._on_datagram(b"OPTIONS sip:x SIP/2.0\r\n\r\n", "127.0.0.1", 9)
        assert [line["event"] for line in lines] == ["stranger_dropped"]
        assert office.runner.metrics()["strangers"] == 3


async def test_unknown_numbers_are_told_masked_in_one_line() -> None:
    async with Office() as office:
        router = office.runner._router
        with structlog.testing.capture_logs() as lines:
            router.refusal = Refuse(Cause.UNKNOWN_NUMBER, None)  # type: ignore[attr-defined]
            for _ in range(3):
                office.dial()
                await office.alice.hears(sip.InviteFailed)
                office.alice.heard.clear()
        assert lines == [
            {"event": "unknown_number", "log_level": "warning", "number": VIRTUAL.masked, "trunk": "callee", "calls": 1}
        ]
        assert [len(commit.facts) for commit in office.recorder.commits] == [3, 3, 3]


async def test_a_bug_in_one_input_is_counted_and_the_engine_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Office() as office:
        runner = office.runner

        def broken(*_: Any) -> None:
            raise KeyError("bug")

        with structlog.testing.capture_logs() as lines, monkeypatch.context() as patch:
            for name in ("receive", "handle_timer", "deliver", "flow_failed", "media_event"):
                patch.setattr(runner.core, name, broken)
            runner._on_datagram(b"x", "127.0.0.1", 9)
            runner._on_timer()
            runner._deliver("call", None)  # type: ignore[arg-type]
            runner._on_unreachable("127.0.0.1", 9)
            runner._on_media_event(MediaLost("call"))
        assert [line["event"] for line in lines] == ["engine_fault"] * 5
        assert runner.metrics()["faults"] == 5
        await office.call()


async def test_a_bug_in_one_call_is_logged_once() -> None:
    async with Office() as office:
        office.runner.core._note_fault(KeyError("bug"))
        with structlog.testing.capture_logs() as lines:
            office.runner._flush()
            office.runner._flush()
        assert [line["event"] for line in lines] == ["engine_fault"]
        assert office.runner.metrics()["faults"] == 1


async def test_a_backlog_in_the_socket_is_overload_until_it_is_gone() -> None:
    async with Office() as office:
        for behind, overloaded in ((0.6, True), (0.4, False)):
            office.runner._socket.behind = behind
            office.runner._on_batch()
            assert office.runner.core.overloaded is overloaded


async def test_a_recording_that_is_cut_is_said_with_its_call() -> None:
    async with Office() as office:
        with structlog.testing.capture_logs() as lines:
            office.runner._on_media_event(RecordingLost("call-1"))
    (line,) = [line for line in lines if line["event"] == "recording_cut"]
    assert (line["call_id"], line["log_level"]) == ("call-1", "error")


async def test_nothing_is_read_before_the_start() -> None:
    office = Office()
    office.runner._on_datagram(b"x", "127.0.0.1", 9)
    office.runner._on_batch()
    office.runner._on_unreachable("127.0.0.1", 9)
    office.runner._on_media_event(MediaLost("x"))
    office.runner.session_ended("session-1")
    assert office.runner.sessions_on_request() == []
    with pytest.raises(AssertionError):
        _ = office.runner.core
    office.alice.close()
    office.bob.close()


def test_memory_settles_once_everything_is_built() -> None:
    before = gc.get_threshold()
    try:
        settle_memory()
        assert gc.get_freeze_count() > 0 and gc.get_threshold() == (1_000, 1_000_000, 1_000_000)
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


async def test_a_runner_that_drains_starts_no_requested_call() -> None:
    async with Office() as office:
        office.runner.drain()
        assert office.runner.start_call(StartCall(forward(), CALLER, TRUNK_A)) is Cause.SHUTDOWN
        office.runner.session_ended("session-1")
        assert office.runner.sessions_on_request() == []
        assert office.runner.metrics()["requested_calls"] == 0


async def test_a_call_flow_by_api_is_run_until_its_end() -> None:
    async with Office() as office:
        trunk = office.runner._router.trunks()[0]
        first = replace(DIAL, callee=CALLER, trunk=trunk)
        decision = StartFlow("call-7", flow(first, replace(DIAL, trunk=trunk)), "r-1")
        assert office.runner.start_flow(decision) is None
        await office.driver.until("bridge")
        facts = [fact.name for commit in office.recorder.commits for fact in commit.facts]
        assert facts[:2] == ["CallRequested", "FlowGiven"] and facts.count("LegDialed") == 2
        assert set(office.runner.core.calls) == {"call-7"}
        office.runner.drain()
        assert office.runner.start_flow(decision) is Cause.SHUTDOWN


async def test_a_requested_call_rings_both_parties_and_ends_with_its_session_unless_they_talk() -> None:
    async with Office() as office:
        trunk = office.runner._router.trunks()[0]
        decision = StartCall(forward(trunk), CALLER, trunk)
        assert office.runner.start_call(decision) is None
        assert office.runner.start_call(decision) is Cause.SESSION_BUSY
        await office.driver.until("bridge")
        office.runner.session_ended("session-1")
        assert office.runner.core.calls, "a conversation goes on"
        facts = [fact.name for commit in office.recorder.commits for fact in commit.facts]
        assert facts[0] == "CallRequested" and facts.count("LegDialed") == 2
        assert office.runner.metrics()["requested_calls"] == 1
