"""What the contract suite needs of a media driver beside the port: its process, to end it and to bring it back."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
from abc import ABC, abstractmethod
from pathlib import Path

from maskline.media.embedded.driver import EmbeddedDriver
from maskline.media.port import MediaDriver, MediaEvent


class Harness(ABC):
    driver: MediaDriver
    needs_reports = False
    """Whether loss and jitter are known from the parties' RTCP only."""

    def __init__(self) -> None:
        self.events: list[MediaEvent] = []

    async def start(self) -> None:
        await self.driver.start(self.events.append)

    async def stop(self) -> None:
        await self.driver.stop()

    @property
    @abstractmethod
    def pid(self) -> int:
        """Of the media process."""

    @abstractmethod
    def freeze(self) -> None:
        """The media process is there and does not answer."""

    @abstractmethod
    def thaw(self) -> None: ...

    @abstractmethod
    async def kill(self) -> None:
        """The media process is gone, calls and all."""

    @abstractmethod
    async def revive(self) -> None:
        """Somebody starts it again: a supervisor, or the driver itself."""


def free_range(ports: int = 40) -> tuple[int, int]:
    """A range nobody uses now, below the ephemeral ports that other tests' sockets are given."""
    for _ in range(100):
        low = random.randrange(10_000, 32_000 - ports, 2)
        with contextlib.suppress(OSError), contextlib.ExitStack() as held:
            for port in range(low, low + ports):
                probe = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                probe.bind(("127.0.0.1", port))
            return low, low + ports - 1
    raise AssertionError("no free range of ports")


class EmbeddedHarness(Harness):
    def __init__(self, folder: Path, timeout: float = 60.0, ports: int = 40) -> None:
        super().__init__()
        self.driver: EmbeddedDriver = EmbeddedDriver(
            host="127.0.0.1", ports=free_range(ports), socket_dir=folder, timeout=timeout
        )

    @property
    def pid(self) -> int:
        return self.driver.worker_pids()[0]

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    async def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    async def revive(self) -> None:
        """The driver does it."""
