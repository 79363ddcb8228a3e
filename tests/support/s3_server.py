"""S3-compatible storage by somebody else (moto's server), in a process of its own on loopback."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from urllib.error import URLError

from maskline.lab.ports import free_port

KEY_ID, SECRET = "test-key-id", "test-secret"


class S3Server:
    def __init__(self, bucket: str = "recordings") -> None:
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        self.bucket = bucket
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._make_bucket()

    def _make_bucket(self) -> None:
        request = urllib.request.Request(f"{self.endpoint}/{self.bucket}", method="PUT")
        deadline = time.monotonic() + 30
        while True:
            assert self._process.poll() is None, "the S3 server ended at start"
            try:
                with urllib.request.urlopen(request, timeout=30):
                    return
            except URLError:
                assert time.monotonic() < deadline, "the S3 server does not listen"
                time.sleep(0.05)

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(30)
