"""Two engines behind deploy/kamailio, with one rtpengine and PostgreSQL: an installation of many machines on one.

What it is: the processes, and what an operator does to them. What it is not: phones or a judge. Who uses it:
tests/support/fleet_field.py and tools/bench_fleet.py.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg

from maskline.lab.platform import Platform
from maskline.lab.ports import free_port, free_ports
from tests.support.platform_commands import typed
from tests.support.postgres_server import PostgresServer
from tests.support.rtpengine_process import RtpengineProcess

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
OUTSIDE, INSIDE = "127.0.0.61", "127.0.0.62"
ENGINES = ("127.0.0.63", "127.0.0.64")


class ProxyTls(NamedTuple):
    """For Kamailio: its certificate with the key, and whose it believes."""

    certificate: Path
    authority: Path

    def written(self) -> str:
        """deploy/kamailio/tls.cfg with these, and with the authority of peers that it has as a comment."""
        text = (DEPLOY / "kamailio" / "tls.cfg").read_text()
        for name in ("maskline.pem", "maskline.key"):
            text = text.replace(f"/etc/kamailio/tls/{name}", str(self.certificate))
        for name in ("# ca_list = /etc/kamailio/tls/clients-ca.pem", "ca_list = /etc/ssl/certs/ca-certificates.crt"):
            assert name in text
            text = text.replace(name, f"ca_list = {self.authority}")
        return text.replace("verify_certificate = no", "verify_certificate = yes")


class Kamailio:
    """The configuration of deploy/kamailio as it is, with the addresses of a test."""

    def __init__(
        self, folder: Path, engines: dict[str, tuple[str, int]], *, children: int = 2, outside: str = OUTSIDE,
        tls: ProxyTls | None = None,
    ) -> None:  # fmt: skip
        """`engines`: address by id."""
        folder.mkdir()
        self.tls_port = free_port() if tls else 0
        self.outside, self.inside = (outside, free_port()), (INSIDE, free_port())
        self._folder, self._log = folder, folder / "kamailio.log"
        self._engines = folder / "engines.list"
        self.list_engines(engines)
        shutil.copy(DEPLOY / "kamailio" / "kamailio.cfg", folder)
        values = {
            "MASKLINE_INSIDE": f"{INSIDE}:{self.inside[1]}", "MASKLINE_OUTSIDE_IP": outside,
            "MASKLINE_OUTSIDE_PORT": self.outside[1], "MASKLINE_PUBLIC_IP": outside,
            "MASKLINE_ENGINES": self._engines, "MASKLINE_RUN": folder,
        }  # fmt: skip
        lines = [f'#!substdef "!{name}!{value}!g"' for name, value in values.items()]
        if tls is not None:
            lines += ["#!define WITH_TLS", f'#!substdef "!MASKLINE_TLS_PORT!{self.tls_port}!g"']
            lines.append(f'#!substdef "!MASKLINE_TLS_FILE!{folder / "tls.cfg"}!g"')
            (folder / "tls.cfg").write_text(tls.written())
        (folder / "maskline-local.cfg").write_text("\n".join([f"#!define MASKLINE_CHILDREN {children}", *lines, ""]))
        self._process: subprocess.Popen[bytes] | None = None

    def list_engines(self, engines: dict[str, tuple[str, int]]) -> None:
        lines = [
            f"{number} sip:{host}:{port} {flags} 0 duid={name}\n"
            for name, (host, port) in engines.items()
            for number, flags in ((1, 8), (2, 0))
        ]
        self._engines.write_text("".join(lines))

    def start(self) -> None:
        command = ["kamailio", "-f", str(self._folder / "kamailio.cfg"), "-DD", "-E", "-M", "8"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "-Y", str(self._folder)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def takes_calls_by(self) -> list[str]:
        """Ids of the engines that get new calls."""
        assert self._process is not None and self._process.poll() is None, self.told()
        listed = self.ask("dispatcher.list")
        found, names = [], []
        for line in listed.splitlines():
            word, _, value = line.strip().partition(": ")
            if word == "ID":
                found.append(value)
            elif found and found[-1] == "1" and word == "FLAGS":
                names.append(value)
            elif found and found[-1] == "1" and word == "DUID":
                names[-1] += " " + value
        return [name.split()[-1] for name in names if name.startswith("A")]

    def ask(self, *command: str) -> str:
        done = subprocess.run(
            ["kamcmd", "-s", f"unix:{self._folder}/kamailio_ctl", *command], capture_output=True, text=True, timeout=30
        )
        return done.stdout

    def told(self) -> str:
        return self._log.read_text(errors="replace")[-3000:]

    def close(self) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


class Fleet:
    def __init__(
        self, folder: Path, *, engines: int = 2, media: bool = True, outside: str = OUTSIDE,
        tls: ProxyTls | None = None, **settings: str,
    ) -> None:  # fmt: skip
        self.server = PostgresServer()
        self.rtpengine = RtpengineProcess(folder, free_ports(100)) if media else None
        names = [f"e{number}" for number in range(1, engines + 1)]
        self.engines: dict[str, Platform] = {}
        common = {
            "MASKLINE_KEY_FILE": str(folder / "maskline.key"), "MASKLINE_DATA_DIR": str(folder / "data"),
            "MASKLINE_MEDIA": "none" if self.rtpengine is None else "rtpengine", **settings,
        }  # fmt: skip
        if self.rtpengine is not None:
            common["MASKLINE_RTPENGINE"] = f"127.0.0.1:{self.rtpengine.ng_port}"
            common["MASKLINE_RTPENGINE_RECORDINGS"] = str(self.rtpengine.recordings)
        for name, host in zip(names, ENGINES, strict=False):
            (folder / name).mkdir()
            self.engines[name] = Platform(folder / name, host, command="engine", **common, MASKLINE_ENGINE_ID=name)
        self.proxy = Kamailio(
            folder / "proxy", {name: one.sip_address for name, one in self.engines.items()}, outside=outside, tls=tls
        )
        for one in self.engines.values():
            one.environment |= {
                "MASKLINE_DATABASE_URL": self.server.url(),
                "MASKLINE_SIP_FRONT": f"{INSIDE}:{self.proxy.inside[1]}",
                "MASKLINE_SIP_ADVERTISED_HOST": outside,
                "MASKLINE_SIP_ADVERTISED_PORT": str(self.proxy.outside[1]),
                **({"MASKLINE_SIP_TLS_PORT": str(self.proxy.tls_port)} if tls else {}),
            }

    async def start(self) -> None:
        await asyncio.to_thread(self.server.start)
        if self.rtpengine is not None:
            await asyncio.to_thread(self.rtpengine.start)
        await asyncio.to_thread(self.cli, "migrate")
        await asyncio.gather(*(one.start() for one in self.engines.values()))
        self.proxy.start()

    def cli(self, *arguments: str) -> Any:
        return typed(next(iter(self.engines.values())), *arguments)

    def kill(self, name: str) -> None:
        """kill -9, and nothing starts it again."""
        os.kill(self.engines[name].pid, signal.SIGKILL)
        self.engines[name].stop()

    async def bury(self, name: str, seconds: float) -> None:
        """Have the lease of an engine that is gone, and what it holds of limits, end so soon, which takes 10 to 15 s
        else."""
        connection = await asyncpg.connect(self.server.url())
        try:
            for change in ("owners SET until = $2 WHERE id = $1", "usages SET kept_until = $2 WHERE engine_id = $1"):
                await connection.execute(f"UPDATE {change}", name, time.time() + seconds)
        finally:
            await connection.close()

    def close(self) -> None:
        self.proxy.close()
        for one in self.engines.values():
            one.stop(calls_may_end=False)
        if self.rtpengine is not None:
            self.rtpengine.end()
        self.server.remove()
