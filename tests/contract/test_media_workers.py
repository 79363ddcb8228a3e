"""Embedded relay workers as processes: who starts them, who finds them again, who ends them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from maskline.errors import ConfigurationError, MediaUnavailable
from maskline.lab.ports import free_ports
from maskline.masking.facts import LegName
from maskline.media.embedded import link as link_module
from maskline.media.embedded.driver import EmbeddedDriver
from maskline.media.port import MediaEvent, MediaLost
from tests.support.rtp_party import VOICE, Party
from tests.support.waiting import until

A, B = LegName.A, LegName.B


def alive(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # a dead child stays a process until its status is read
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def make(folder: Path, ports: tuple[int, int], **options: object) -> EmbeddedDriver:
    return EmbeddedDriver(hosts=("127.0.0.1",), ports=ports, socket_dir=folder / "m", **options)  # type: ignore[arg-type]


async def begin(driver: EmbeddedDriver, on_event: Callable[[MediaEvent], None] = lambda _: None) -> None:
    """Until all answer: the driver itself gives its workers two seconds and then goes on without."""
    await driver.start(on_event)
    await until(lambda: all(link.up for link in driver._links), what="the workers")


async def connect(driver: EmbeddedDriver, alice: Party, bob: Party, call_id: str = "call") -> None:
    alice.aim(await driver.open_leg(call_id, A, alice.far, codecs=VOICE))
    bob.aim(await driver.open_leg(call_id, B, bob.far, codecs=VOICE))
    await driver.bridge(call_id)


async def vanish(driver: EmbeddedDriver) -> None:
    """What a crash of the engine leaves: connections closed, workers told nothing."""
    for link in driver._links:
        for task in link._tasks:
            task.cancel()
        await asyncio.gather(*link._tasks, return_exceptions=True)
        link._disconnect()


async def test_calls_survive_the_engine_and_the_next_driver_finds_them(tmp_path: Path) -> None:
    ports = free_ports(40)
    first, second = make(tmp_path, ports), make(tmp_path, ports)
    with Party(1) as alice, Party(2) as bob:
        await begin(first)
        await connect(first, alice, bob)
        (pid,) = first.worker_pids()
        await vanish(first)
        alice.send(b"a" * 160)
        assert (await bob.receive()).payload == b"a" * 160
        await begin(second)
        assert second.worker_pids() == [pid]
        assert second.calls() == {"call"}
        assert (await second.stats("call"))[A].packets_relayed == 1
        assert (await second.close("call"))[A].packets_received == 1
        await second.stop()
        await until(lambda: not alive(pid))


async def test_a_clean_stop_ends_the_workers_and_frees_the_socket(tmp_path: Path) -> None:
    driver = make(tmp_path, free_ports(40), workers=2)
    await begin(driver)
    pids = driver.worker_pids()
    assert len(set(pids)) == 2
    await driver.stop()
    assert not any(alive(pid) for pid in pids)
    assert list((tmp_path / "m").iterdir()) == []


async def test_calls_are_spread_over_the_workers_and_one_death_takes_only_its_own(tmp_path: Path) -> None:
    events: list[MediaEvent] = []
    driver = make(tmp_path, free_ports(40), workers=2)
    await begin(driver, events.append)
    try:
        with Party(1) as alice, Party(2) as bob:
            for index in range(4):
                await connect(driver, alice, bob, f"call-{index}")
            assert [len(link.calls) for link in driver._links] == [2, 2]
            doomed = set(driver._links[0].calls)
            driver._links[0].wanted.clear()  # as if another engine had made them
            os.kill(driver.worker_pids()[0], signal.SIGKILL)
            await until(lambda: {event.call_id for event in events} == doomed)
            assert all(isinstance(event, MediaLost) for event in events)
            await connect(driver, alice, bob, "another")
            with pytest.raises(MediaUnavailable):
                await driver.bridge(next(iter(doomed)))
            assert await driver.close(next(iter(doomed))) == {}
            await until(lambda: all(link.up for link in driver._links))
    finally:
        await driver.stop()


async def test_a_worker_with_other_settings_is_replaced(tmp_path: Path) -> None:
    first, second = make(tmp_path, free_ports(40)), make(tmp_path, free_ports(40), timeout=7.0)
    await begin(first)
    (old,) = first.worker_pids()
    await vanish(first)
    await begin(second)
    try:
        assert second.available
        assert second.worker_pids() != [old]
        await until(lambda: not alive(old))
    finally:
        await second.stop()


async def test_a_hung_worker_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "ANSWER_WITHIN", 0.2)
    monkeypatch.setattr(link_module, "_PING_EVERY", 0.1)
    monkeypatch.setattr(link_module, "_KILL_AFTER", 0.3)
    driver = make(tmp_path, free_ports(40))
    await begin(driver)
    try:
        (hung,) = driver.worker_pids()
        os.kill(hung, signal.SIGSTOP)
        await until(lambda: driver.available and driver.worker_pids() != [hung])
        assert not alive(hung)
    finally:
        await driver.stop()


async def test_a_worker_that_does_not_start_leaves_the_driver_away_but_trying(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    driver = make(tmp_path, free_ports(40), command=(sys.executable, "-c", "raise SystemExit(3)"))
    async with asyncio.timeout(30):
        await driver.start(lambda _: None)  # two seconds: it does not wait for what never comes
    assert not driver.available
    with Party(1) as alice:
        with pytest.raises(MediaUnavailable):
            await driver.open_leg("call", A, alice.far, codecs=VOICE)
        with pytest.raises(MediaUnavailable):
            await driver.close("call")
        with pytest.raises(MediaUnavailable):
            await driver.attach("call", A, alice.far)
    await driver.stop()
    captured = capfd.readouterr()
    assert (captured.out + captured.err).count("media_away") == 1


async def test_a_refused_leg_holds_nothing(tmp_path: Path) -> None:
    driver = make(tmp_path, free_ports(40))
    await begin(driver)
    try:
        with Party(1) as alice:
            far = alice.far
            with pytest.raises(MediaUnavailable, match="address"):
                await driver.open_leg("call", A, type(far)("no.address", 1, 2, VOICE), codecs=VOICE)
            assert driver.calls() == set()
            await driver.open_leg("call", A, far, codecs=VOICE)
            with pytest.raises(MediaUnavailable, match="gone"):
                await driver.attach("other", A, far)
    finally:
        await driver.stop()


def test_a_worker_by_hand_ends_on_sigterm(tmp_path: Path) -> None:
    low, high = free_ports(40)
    socket = tmp_path / "w"
    source = Path(__file__).parents[2] / "src"
    process = subprocess.Popen(
        [sys.executable, "-m", "maskline.media.embedded", "--socket", str(socket), "--ports", f"{low}-{high}"],
        env={**os.environ, "PYTHONPATH": str(source)},
    )
    try:
        deadline = time.monotonic() + 30.0
        while not socket.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30.0) == 0
        assert not socket.exists()
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(("ports", "workers"), [((20_000, 20_001), 1), ((20_000, 20_005), 2), ((20_000, 20_100), 0)])
def test_too_few_ports_are_a_wrong_setting(tmp_path: Path, ports: tuple[int, int], workers: int) -> None:
    with pytest.raises(ConfigurationError):
        make(tmp_path, ports, workers=workers)


def test_a_path_too_long_for_a_socket_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        make(tmp_path / ("x" * 100), (20_000, 20_100))
