"""Debian's OpenSSH as an SFTP peer: a configuration, keys and port of its own, on loopback only."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from maskline.lab.ports import free_port

_CONFIG = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile {folder}/pid
PasswordAuthentication no
KbdInteractiveAuthentication no
PubkeyAuthentication yes
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
LogLevel QUIET
Subsystem sftp internal-sftp
"""


class SftpServer:
    """`folder` holds the keys: `client_key` may log in, `stranger_key` may not; `known_hosts` names the server."""

    def __init__(self, folder: Path) -> None:
        program = shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin")
        if program is None:
            pytest.skip("no sshd here (Debian: apt-get install openssh-server)")
        self.folder = folder
        self.files = folder / "files"
        self.files.mkdir()
        self.user = getpass.getuser()
        for name in ("host_key", "client_key", "stranger_key", "other_host_key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(command, check=True, capture_output=True)
        shutil.copy(folder / "client_key.pub", folder / "authorized_keys")
        self.port = free_port()
        for name, key in (("known_hosts", "host_key"), ("wrong_hosts", "other_host_key")):
            public = (folder / f"{key}.pub").read_text()
            (folder / name).write_text(f"[127.0.0.1]:{self.port} {public}")
        (folder / "sshd_config").write_text(_CONFIG.format(port=self.port, folder=folder))
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        self._process = subprocess.Popen([program, "-D", "-f", str(folder / "sshd_config")], stderr=subprocess.DEVNULL)
        try:
            self._wait()
        except BaseException:
            self.close()
            raise

    def _wait(self) -> None:
        deadline = time.monotonic() + 30.0
        while time.monotonic() < deadline:
            assert self._process.poll() is None, "sshd ended at start"
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                    assert connection.recv(4) == b"SSH-"
                    return
            except OSError:
                time.sleep(0.02)
        raise AssertionError("sshd does not listen")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(30)
