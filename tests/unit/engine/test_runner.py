"""The runner on real loopback sockets, with a router, a driver and a recorder of the test's own."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog

from maskline.clock import SystemClock
from maskline.engine import rounds
from maskline.engine.front import Front
from maskline.engine.guard import Guard
from maskline.engine.ports import CallCommit, CutOff
from maskline.engine.rounds import TAKEN_AT_ONCE
from maskline.engine.runner import BATCH, EngineRunner, settle_memory
from maskline.errors import ConfigurationError
from maskline.ids import SystemIds
from maskline.masking.decision import AskPin, Decision, PinDecision, Refuse, StartCall, StartFlow, WrongPin
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause, Outcome
from maskline.masking.trunk import Trunk
from maskline.media.port import MediaLost, RecordingLost
from maskline.net.streams import StreamLimits, StreamSettings
from maskline.net.tls import Tls, TlsFiles
from maskline.sip import events as sip
from maskline.sip.agent import OutgoingInvite
from maskline.sip.events import Event, Flow
from tests.support.call_machine import A_SDP, B_SDP, CALLER, DIAL, TRUNK_A, VIRTUAL, flow, forward
from tests.support.certificates import Authority
from tests.support.fake_driver import FakeDriver
from tests.support.sip_wire import request
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
        async with asyncio.timeout(30):
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


def options(n: int) -> bytes:
    return (
        f"OPTIONS sip:us@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK-{n}\r\nMax-Forwards: 70\r\n"
        f"From: <sip:x@127.0.0.1>;tag={n}\r\nTo: <sip:us@127.0.0.1>\r\nCall-ID: {n}\r\nCSeq: 1 OPTIONS\r\n"
        "Content-Length: 0\r\n\r\n"
    ).encode()


class Office:
    """A runner, two phones, and what they share."""

    def __init__(self, media: bool = True, **options: Any) -> None:
        self.alice = UdpPhone(self.on_alice)
        self.bob = UdpPhone(answering)
        self.driver = FakeDriver()
        self.recorder = Recorder()
        self.router = Router(self.bob.flow)
        self.runner = EngineRunner(
            router=self.router, recorder=self.recorder, media=self.driver if media else None,
            clock=SystemClock(), ids=SystemIds(), hosts=("127.0.0.1",), port=0, **options,
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


async def test_a_call_whose_end_was_asked_for_is_hung_up_on_both_sides() -> None:
    async with Office() as office:
        await office.call()
        office.runner.end_call("another")
        (call_id,) = office.runner.core.calls
        office.runner.end_call(call_id)
        commit = await office.recorder.finished()
        assert commit.record is not None and commit.record.cause is Cause.ENDED_BY_REQUEST
        await office.bob.hears(sip.ByeReceived)
        await office.alice.hears(sip.ByeReceived)


async def test_a_wish_for_an_end_before_the_start_changes_nothing() -> None:
    office = Office()
    office.runner.end_call("call-1")
    office.alice.close()
    office.bob.close()


async def test_a_call_that_is_kept_goes_on_in_the_runner_that_comes_next() -> None:
    async with Office() as office:
        usage = await office.call()
        commits = office.recorder.commits
        assert await office.runner.stop(keep=True) == 1
        assert office.driver.asked[-1] == ("leave",)
        kept, context = next((one.kept, one.context) for one in reversed(commits) if one.kept is not None)
        assert kept is not None and kept.talk is not None and context is not None
        past = CutOff(kept, context, tuple(fact for one in commits for fact in one.facts))
        office.runner = EngineRunner(
            router=office.router, recorder=office.recorder, media=office.driver, clock=SystemClock(), ids=SystemIds(),
            hosts=("127.0.0.1",), port=office.flow.port,
        )  # fmt: skip
        await office.runner.start([past])
        await office.driver.until("adopt")
        assert office.runner.metrics()["recovered"] == 1
        office.alice.do(lambda now: office.alice.agent.bye(usage, now))
        commit = await office.recorder.finished()
        await office.bob.hears(sip.ByeReceived)
        await office.alice.hears(sip.ByeFinished)
        assert commit.record is not None
        assert (commit.record.outcome, commit.record.cause) == (Outcome.COMPLETED, Cause.NORMAL)


async def test_a_call_that_another_engine_has_is_forgotten_without_a_word() -> None:
    async with Office() as office:
        usage = await office.call()
        (call_id,) = office.runner.core.calls
        written, asked = len(office.recorder.commits), len(office.driver.asked)
        office.runner.let_go([call_id, "unknown"])
        metrics = office.runner.metrics()
        assert (metrics["calls_in_progress"], metrics["sip_dialogs"], metrics["lost"]) == (0, 0, 1)
        office.alice.do(lambda now: office.alice.agent.bye(usage, now))
        await office.alice.hears(sip.ByeFinished)  # 481: this engine does not know of it
        assert len(office.recorder.commits) == written
        assert len(office.driver.asked) == asked
        assert not any(isinstance(event, sip.ByeReceived) for event in office.bob.heard)


async def test_stop_refuses_a_caller_whose_application_still_thinks() -> None:
    async with Office() as office:
        office.router.thinks = asyncio.Event()
        office.dial()
        await until(lambda: bool(office.runner.core.calls))
        assert await office.runner.stop(grace=0.01) == 1
        refusal = await office.alice.hears(sip.InviteFailed)
        assert (refusal.status, refusal.response.retry_after) == (503, 5) and not office.runner.core.calls
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
        assert failed.status == 500
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
            runner._on_batch()
            runner._on_timer()
            runner._deliver("call", None)  # type: ignore[arg-type]
            runner._on_unreachable("127.0.0.1", 9, b"")
            runner._on_media_event(MediaLost("call"))
        assert [line["event"] for line in lines] == ["engine_fault"] * 5
        assert runner.metrics()["faults"] == 5
        await office.call()


async def test_datagrams_of_one_wake_up_are_answered_together_and_more_than_a_moments_work_waits_for_the_next_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Office() as office:
        runner = office.runner
        sent: list[tuple[Any, ...]] = []
        monkeypatch.setattr(runner._socket, "send", lambda *what: sent.append(what))
        monkeypatch.setattr(rounds, "ROUND", 0.0)
        for n in range(TAKEN_AT_ONCE + 1):
            runner._on_datagram(options(n), office.bob.flow.host, office.bob.flow.port)
        assert not sent
        runner._on_batch()
        assert len(sent) == TAKEN_AT_ONCE
        runner._on_batch()  # others of the loop have their turn first
        assert len(sent) == TAKEN_AT_ONCE
        await until(lambda: len(sent) == TAKEN_AT_ONCE + 1)


async def test_beyond_a_full_queue_datagrams_are_dropped_and_messages_of_connections_read_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Office() as office:
        runner, flow = office.runner, office.bob.flow
        monkeypatch.setattr(rounds, "MAX_MESSAGES", 1)
        for n in range(3):
            runner._on_datagram(options(n), flow.host, flow.port)
        runner._take(options(3), Flow("tcp", flow.host, flow.port))
        assert (runner.core.counters.flooded, runner.core.agent.counters.received) == (2, 1)
        runner._feed_behind(runner.core.flow_failed, flow)
        assert (runner.core.agent.counters.received, runner.core.counters.unreachable) == (2, 1)


async def test_a_bug_in_one_call_is_logged_once() -> None:
    async with Office() as office:
        office.runner.core._note_fault(KeyError("bug"))
        with structlog.testing.capture_logs() as lines:
            office.runner._flush()
            office.runner._flush()
        assert [line["event"] for line in lines] == ["engine_fault"]
        assert office.runner.metrics()["faults"] == 1


async def test_new_calls_that_wait_too_long_are_refused_unread_and_the_others_are_taken_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rounds, "FIRST", 60.0)  # a slow machine's refusal alone may use up what a round has
    async with Office() as office:
        runner, office.router.refusal = office.runner, None
        admission, now = runner._intake.admission, runner._clock.now()
        admission.refusing, admission.above = True, now - 1.0
        runner._socket._sockets[0].behind, runner._heard = 0.1, BATCH  # more of calls in progress waits in the socket
        for number, since in enumerate((now - 1.0, now, now)):
            invite = request("INVITE", branch=f"b{number}", call_id=f"c{number}")
            admission.put(invite, Flow("udp", "127.0.0.1", office.alice.flow.port), since)
        runner._on_batch()
        assert (runner.core.counters.overloaded, len(admission.waiting)) == (1, 1)
        assert runner.core.overloaded
        assert (
            runner.core.start_call(StartCall(forward(office.router.callee), CALLER, TRUNK_A), now) is Cause.CONGESTION
        )
        await until(lambda: not admission.waiting)
        assert not runner.core.overloaded
        assert runner.core.counters.overloaded == 1
        assert runner.metrics()["waiting"] == 0


async def test_a_stranger_that_goes_on_is_told_once_in_the_fixed_line() -> None:
    async with Office() as office:
        with structlog.testing.capture_logs() as lines:
            for _ in range(100):
                office.runner._on_datagram(b"OPTIONS sip:x SIP/2.0\r\n\r\n", "192.0.2.66", 5060)
        assert [(line["event"], line["host"]) for line in lines] == [
            ("stranger_dropped", "192.0.2.66"), ("source_banned", "192.0.2.66"),
        ]  # fmt: skip
        assert office.runner.metrics()["bans"] == 1


async def test_a_loud_stranger_is_dropped_by_the_kernel_unless_it_has_become_a_trunk(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with Office() as office:
        runner = office.runner
        asked: list[list[str]] = []

        def shut_out(hosts: list[str]) -> bool:
            asked.append(hosts)
            return not hosts

        monkeypatch.setattr(runner._strangers, "_drop", shut_out)
        monkeypatch.setattr(Guard, "loud", lambda guard, now: ["127.0.0.1", "192.0.2.66"])
        with structlog.testing.capture_logs() as lines:
            runner.watch_trunks()
            runner.watch_trunks()
        assert asked == [["192.0.2.66"]] * 2
        assert [(line["event"], line["sources"]) for line in lines] == [("flood_not_filtered", 1)]


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
    office.runner._on_unreachable("127.0.0.1", 9, b"")
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


# ---- connections

OPTIONS = (
    b"OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKo\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:x>\r\n"
    b"Call-ID: c\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)


async def test_a_trunk_may_connect_and_is_answered_on_its_connection() -> None:
    async with Office() as office:
        reader, writer = await asyncio.open_connection(office.flow.host, office.flow.port)
        writer.write(OPTIONS)
        assert (await reader.readuntil(b"\r\n")) == b"SIP/2.0 200 OK\r\n"
        assert office.runner.metrics()["connections"].open_now == {"tcp": 1, "tls": 0}
        writer.close()
        await until(lambda: office.runner.metrics()["connections"].closed == {"peer": 1})


async def test_a_connection_of_a_stranger_is_closed_and_named() -> None:
    async with Office() as office:
        office.runner._router.callee = Trunk("t", "t", None, "192.0.2.1", 5060)  # type: ignore[attr-defined]
        with structlog.testing.capture_logs() as lines:
            with contextlib.suppress(ConnectionError):
                reader, _ = await asyncio.open_connection(office.flow.host, office.flow.port)
                assert await reader.read() == b""
            await until(lambda: lines)
        assert [line["event"] for line in lines] == ["stranger_dropped"]
        assert office.runner.metrics()["strangers"] == 1


async def test_a_trunk_that_refuses_connections_fails_the_call_at_once() -> None:
    async with Office() as office:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            port = unused.getsockname()[1]
        router = office.runner._router
        router.callee = replace(router.callee, transport="tcp", port=port)  # type: ignore[attr-defined]
        dead = Flow("tcp", "127.0.0.1", port)
        with structlog.testing.capture_logs() as lines:
            office.runner._feed(lambda now: office.runner.core.agent.options(dead, "sip:x", "sip:y", "sip:x", now))
            await until(lambda: office.runner.metrics()["unreachable"] == 1)
        assert [(line["event"], line["reason"]) for line in lines] == [("connection_failed", "Connection refused")]


async def test_a_port_that_tcp_has_not_free_is_taken_by_nobody() -> None:
    office = Office()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        office.runner._port = other.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            office.runner.bind()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind(other.getsockname())
    office.alice.close()
    office.bob.close()


async def test_tls_is_taken_on_its_own_port(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    tls = Tls(TlsFiles(authority.issue("own.pem", ["127.0.0.1"])))
    office = Office(streams=StreamSettings(tls=tls))
    async with office:
        context = ssl.create_default_context(cafile=authority.path)
        reader, writer = await asyncio.open_connection("127.0.0.1", office.runner._tls_port, ssl=context)
        writer.write(OPTIONS)
        assert (await reader.readuntil(b"\r\n")) == b"SIP/2.0 200 OK\r\n"
        second = Office(streams=StreamSettings(StreamLimits(), tls, office.runner._tls_port))
        with pytest.raises(ConfigurationError, match="MASKLINE_SIP_TLS_PORT"):
            second.runner.bind()
        second.runner.close()
        writer.close()


class Proxy:
    """A socket in the place of the proxy; `brought` says from where it had a request."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(5)
        self.front = Front("127.0.0.1", self.socket.getsockname()[1])

    async def ask(self, to: Flow, data: bytes) -> bytes:
        self.socket.sendto(data, (to.host, to.port))
        return await asyncio.to_thread(self.socket.recv, 65_535)


async def test_behind_a_proxy_everything_comes_and_goes_by_it() -> None:
    proxy = Proxy()
    peer = Flow("udp", "192.0.2.77", 5062)
    with contextlib.closing(proxy.socket), contextlib.closing(socket.socket(type=socket.SOCK_DGRAM)) as stranger:
        async with Office(front=proxy.front, advertised=("203.0.113.5",), advertised_port=5060) as office:
            office.router.callee = replace(office.router.callee, host=peer.host, port=peer.port)
            assert (await proxy.ask(office.flow, options(1))).startswith(b"SIP/2.0 200 ")
            invite = proxy.front.address(request("INVITE", branch="a", body=A_SDP), peer)
            heard = [await proxy.ask(office.flow, invite)]
            while not heard[-1].startswith(b"INVITE "):
                heard.append(await asyncio.to_thread(proxy.socket.recv, 65_535))
            assert heard[0].startswith(b"SIP/2.0 100 ")
            assert proxy.front.peer(heard[-1], "127.0.0.1", proxy.front.port) == peer
            assert b"\r\nContact: <sip:203.0.113.5:5060>\r\n" in heard[-1]
            assert b"\r\nVia: SIP/2.0/UDP 203.0.113.5:5060;" in heard[-1]
            stranger.sendto(options(2), (office.flow.host, office.flow.port))
            await until(lambda: office.runner.metrics()["strangers"] == 1)
            office.runner.watch_trunks()
            with contextlib.suppress(ConnectionResetError):  # connections are the proxy's affair
                reader, writer = await asyncio.open_connection(office.flow.host, office.flow.port)
                assert await asyncio.wait_for(reader.read(), 5) == b""
                writer.close()
            await until(lambda: office.runner.metrics()["strangers"] == 2)
