"""What the contract suite needs of a media driver beside the port: its process, to end it and to bring it back."""

from __future__ import annotations

import os
import signal
import time
from abc import ABC, abstractmethod
from pathlib import Path

from maskline.lab.ports import free_ports, give_back
from maskline.masking.facts import LegName
from maskline.media.embedded.driver import EmbeddedDriver
from maskline.media.port import MediaDriver, MediaEvent
from tests.support.rtp_party import Party
from tests.support.waiting import until

CALL = "7d4a5b02-0c7f-4f9b-8a0e-4f2f6d0c9a11"


class Harness(ABC):
    driver: MediaDriver
    needs_reports = False
    """Whether loss and jitter are known from the parties' RTCP only."""
    restores = False
    """Whether calls outlive the media process."""

    def __init__(self, ports: int) -> None:
        self.events: list[MediaEvent] = []
        self.ports = free_ports(ports)

    async def start(self) -> None:
        """Until it answers: the driver itself gives its process two seconds and then goes on without. That is right
        for a platform that begins; on a machine that compiles beside the tests it is too short for a worker."""
        await self.driver.start(self.events.append)
        await until(lambda: self.driver.available, within=30, what="the media process")

    async def stop(self) -> None:
        await self.driver.stop()
        give_back(self.ports[0])

    @abstractmethod
    def later_driver(self) -> MediaDriver:
        """Of a process that comes after this one, over the same worker or daemon; not started."""

    @property
    @abstractmethod
    def pid(self) -> int:
        """Of the media process."""

    def freeze(self) -> None:
        """The media process is there and does not answer."""
        os.kill(self.pid, signal.SIGSTOP)
        deadline = time.monotonic() + 30.0
        while not _all_stopped(self.pid):  # a thread on the other core may run on for a while
            assert time.monotonic() < deadline

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    @abstractmethod
    async def kill(self) -> None:
        """The media process is gone, calls and all."""

    @abstractmethod
    async def revive(self) -> None:
        """Somebody starts it again: a supervisor, or the driver itself."""


async def attach_both(media: Harness, alice: Party, bob: Party, call_id: str = CALL) -> None:
    """A call as the engine sets it up, short of the bridge: offer, dial, answer."""
    driver = media.driver
    alice.aim(await driver.open_leg(call_id, LegName.A, alice.far, codecs=alice.codecs))
    bob.aim(await driver.open_leg(call_id, LegName.B, None, codecs=bob.codecs))
    await driver.attach(call_id, LegName.B, bob.far)


async def connect(media: Harness, alice: Party, bob: Party, call_id: str = CALL) -> None:
    await attach_both(media, alice, bob, call_id)
    await media.driver.bridge(call_id)


def _all_stopped(pid: int) -> bool:
    states = (stat.read_bytes().rpartition(b")")[2].split()[0] for stat in Path(f"/proc/{pid}/task").glob("*/stat"))
    return all(state == b"T" for state in states)


class EmbeddedHarness(Harness):
    restores = True

    def __init__(self, folder: Path, timeout: float = 60.0, ports: int = 40) -> None:
        super().__init__(ports)
        self._options = {"hosts": ("127.0.0.1",), "ports": self.ports, "socket_dir": folder, "timeout": timeout}
        self.driver: EmbeddedDriver = EmbeddedDriver(**self._options)  # type: ignore[arg-type]

    def later_driver(self) -> EmbeddedDriver:
        return EmbeddedDriver(**self._options)  # type: ignore[arg-type]

    @property
    def pid(self) -> int:
        return self.driver.worker_pids()[0]

    async def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    async def revive(self) -> None:
        """The driver does it."""
