"""Debian's Kamailio as an operator's edge: a proxy with Record-Route between carriers and the platform.

What it is: its configuration and its process. What it is not: a sample for operators. Who uses it:
tests/wire/test_sipp_kamailio.py.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from pathlib import Path

from maskline.lab.ports import free_port

HOST = "127.0.0.60"
_OPTIONS = (
    b"OPTIONS sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP %s:%d;branch=z9hG4bKup%d\r\nMax-Forwards: 1\r\n"
    b"From: <sip:up@up>;tag=1\r\nTo: <sip:up@up>\r\nCall-ID: up\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
)

_CONFIGURATION = """
debug=1
log_stderror=yes
children=1
disable_tcp=yes
auto_aliases=no
listen=udp:{host}:{port}
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "textops.so"
loadmodule "siputils.so"
request_route {{
    if (!mf_process_maxfwd_header("10")) {{
        sl_send_reply("483", "Too Many Hops");
        exit;
    }}
    if (is_method("OPTIONS")) {{
        sl_send_reply("200", "OK");
        exit;
    }}
    if (has_totag()) {{
        if (loose_route()) {{
            t_relay();
            exit;
        }}
        if (is_method("ACK")) {{
            if (t_check_trans()) {{ t_relay(); }}
            exit;
        }}
        sl_send_reply("404", "No Route");
        exit;
    }}
    if (is_method("CANCEL")) {{
        if (t_check_trans()) {{ t_relay(); }}
        exit;
    }}
    t_check_trans();
    record_route();
    if ($si == "{inner_host}" && $sp == {inner_port}) {{
        $du = "sip:{outer}";
    }} else {{
        $du = "sip:{inner_host}:{inner_port}";
    }}
    t_relay();
}}
"""


class Kamailio:
    """Calls from `inner` go to `outer`, all others to `inner`; inside a dialog it goes by Route alone."""

    def __init__(self, folder: Path, inner: tuple[str, int], outer: tuple[str, int]) -> None:
        self.port = free_port()
        self._log = folder / "kamailio.log"
        config = folder / "kamailio.cfg"
        config.write_text(
            _CONFIGURATION.format(
                host=HOST, port=self.port, inner_host=inner[0], inner_port=inner[1], outer=f"{outer[0]}:{outer[1]}"
            )
        )
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["kamailio", "-f", str(config), "-DD", "-E", "-m", "32", "-M", "8", "-Y", str(folder)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def wait_until_it_answers(self, within: float = 30.0) -> None:
        deadline = time.monotonic() + within
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((HOST, 0))
            probe.settimeout(0.2)
            port = probe.getsockname()[1]
            while True:
                assert self._process.poll() is None and time.monotonic() < deadline, self.told()
                probe.sendto(_OPTIONS % (HOST.encode(), HOST.encode(), port, port), (HOST, self.port))
                try:
                    if probe.recv(4096).startswith(b"SIP/2.0 200"):
                        return
                except TimeoutError:
                    continue

    def told(self) -> str:
        return self._log.read_text(errors="replace")[-2000:]

    def close(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
