"""What the contract suite needs of a media driver beside the port: its process, to end it and to bring it back."""

from __future__ import annotations

import os
import signal
from abc import ABC, abstractmethod
from pathlib import Path

from maskline.media.embedded.driver import EmbeddedDriver
from maskline.media.port import MediaDriver, MediaEvent
from tests.support.rtp_party import open_pair


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
    """A range somewhere in the ephemeral ports; what is taken in it is skipped by the drivers."""
    rtp, rtcp = open_pair()
    low = min(int(rtp.getsockname()[1]), 65_000 - ports)
    rtp.close()
    rtcp.close()
    return low, low + ports - 1


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
