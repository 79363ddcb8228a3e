"""An rtpengine of the test's own: a direct child without kernel module, on ports nobody else uses."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import time
from pathlib import Path

from maskline.lab.ports import free_port, free_ports
from maskline.media.rtpengine import ng_codec
from maskline.media.rtpengine.driver import RtpengineDriver
from tests.support.media_harness import Harness

_CONFIG = """[rtpengine]
table = -1
interface = {interface}
listen-ng = 127.0.0.1:{ng}
listen-tcp-ng = 127.0.0.1:{ng}
dtmf-log-ng-tcp = true
port-min = {low}
port-max = {high}
foreground = true
log-stderr = true
log-level = 4
num-threads = 2
delete-delay = 0
timeout = 60
silent-timeout = 3600
final-timeout = 10800
offer-timeout = 120
mos = LQ
recording-dir = {recordings}
recording-method = pcap
recording-format = eth
{scheduling}{extra}"""
_READY = 60.0
"""Seconds: this machine may be busy with anything."""
_REAL_TIME = "scheduling = rr\npriority = 1\n"
"""As the embedded worker takes by itself, where root may: it is the relay that is measured, not other programs."""


class RtpengineProcess:
    def __init__(
        self, folder: Path, ports: tuple[int, int] | None = None, extra: str = "", interface: str = "127.0.0.1"
    ) -> None:
        """`ports`: first and last of its media. `extra`: further lines of its configuration."""
        self.recordings = folder / "rtpengine-recordings"
        self.recordings.mkdir(parents=True)
        low, high = ports or free_ports(40)
        self.ng_port = free_port()
        self._config = folder / "rtpengine.conf"
        self._config.write_text(
            _CONFIG.format(
                ng=self.ng_port,
                low=low,
                high=high,
                recordings=self.recordings,
                scheduling=_REAL_TIME if os.geteuid() == 0 else "",
                extra=extra,
                interface=interface,
            )
        )
        self._log = folder / "rtpengine.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers a ping."""
        command = ["rtpengine", f"--config-file={self._config}", "--config-section=rtpengine"]
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            self._await_pong()
        except BaseException:
            self.end()
            raise

    def _await_pong(self) -> None:
        assert self.process is not None
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
            asker.connect(("127.0.0.1", self.ng_port))
            asker.settimeout(0.2)
            deadline = time.monotonic() + _READY
            while time.monotonic() < deadline:
                try:
                    asker.send(ng_codec.pack("start", {"command": "ping"}))
                    asker.recv(1024)
                except TimeoutError:
                    continue
                except ConnectionRefusedError:  # not bound yet; look again in a moment
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        self.process.wait(0.05)
                        raise AssertionError(self._log.read_text()) from None
                else:
                    return
        raise AssertionError(self._log.read_text())

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


class RtpengineHarness(Harness):
    needs_reports = True

    def __init__(self, folder: Path, timeout: float = 60.0, ports: int = 40, extra: str = "") -> None:
        super().__init__(ports)
        self._daemon = RtpengineProcess(folder, self.ports, extra)
        self.driver: RtpengineDriver = RtpengineDriver(
            [("127.0.0.1", self._daemon.ng_port)], timeout=timeout, recordings=self._daemon.recordings
        )

    def later_driver(self) -> RtpengineDriver:
        return RtpengineDriver([("127.0.0.1", self._daemon.ng_port)], recordings=self._daemon.recordings)

    async def start(self) -> None:
        await asyncio.to_thread(self._daemon.start)
        await super().start()

    async def stop(self) -> None:
        await super().stop()
        await asyncio.to_thread(self._daemon.end)

    @property
    def pid(self) -> int:
        assert self._daemon.process is not None
        return self._daemon.process.pid

    async def kill(self) -> None:
        await asyncio.to_thread(self._daemon.end)

    async def revive(self) -> None:
        await asyncio.to_thread(self._daemon.start)
