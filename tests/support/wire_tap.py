"""What of SIP there is to be judged while wire tests run: all that crosses a wire, and all that streams carry.

What it is: `WireTap`, a tcpdump on every interface, since phones behind a NAT are not on loopback, that keeps SIP alone
(UDP, and TCP segments that begin with a message, over IPv4 and IPv6); and `StreamTap`, the messages of one platform's
TCP and TLS connections, whole and before encryption, which a platform under test writes down itself
(`stream_tap/sitecustomize.py`). What it is not: a judge (`wire_judge.py`).
"""

from __future__ import annotations

import ipaddress
import shutil
import signal
import struct
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

METHODS = (
    b"SIP/2.0 ", b"INVITE ", b"ACK ", b"BYE ", b"CANCEL ", b"OPTIONS ", b"UPDATE ", b"PRACK ", b"INFO ", b"REFER ",
    b"NOTIFY ", b"MESSAGE ",
)  # fmt: skip
STREAM_TAP = Path(__file__).parent / "stream_tap"
End = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Message:
    source: End
    target: End
    data: bytes


def _filter() -> str:
    """For the kernel: the first four bytes of a payload are those of a SIP message. It looks into packets of IPv4 by
    the name of a protocol, and into those of IPv6, which has no other headers here, by counting."""
    words = [int.from_bytes(word[:4], "big") for word in METHODS]
    udp = " or ".join(f"udp[8:4]={word} or (ip6[6]=17 and ip6[48:4]={word})" for word in words)
    tcp = " or ".join(
        f"tcp[((tcp[12]&0xf0)>>2):4]={word} or (ip6[6]=6 and ip6[(40+((ip6[52]&0xf0)>>2)):4]={word})" for word in words
    )
    return f"{udp} or {tcp}"


class WireTap:
    """Needs root. `messages` gives what is new."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "sip.pcap"
        self._offset = 24
        self._process = subprocess.Popen(
            ["tcpdump", "-i", "any", "-y", "LINUX_SLL", "-n", "-U", "-s", "0", "-B", "16384", "--immediate-mode",
             "-Z", "root", "-w", str(self._path), _filter()],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 30.0
        while not self._path.exists() or self._path.stat().st_size < self._offset:
            assert self._process.poll() is None and time.monotonic() < deadline, "tcpdump does not listen"
            time.sleep(0.01)

    def messages(self) -> list[Message]:
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        found, at = [], 0
        while at + 16 <= len(data):
            size = struct.unpack_from("<I", data, at + 8)[0]
            if at + 16 + size > len(data):
                break
            message = read_frame(data[at + 16 : at + 16 + size])
            if message is not None:
                found.append(message)
            at += 16 + size
        self._offset += at
        return found

    def close(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(30)

    @staticmethod
    def missing() -> str:
        return "" if shutil.which("tcpdump") else "tcpdump is not installed (tools/apt-packages.txt)"


class StreamTap:
    """Of one platform, which `address` names whatever ports its connections have."""

    def __init__(self, path: Path, address: End) -> None:
        self.path = path
        self._address = address
        self._offset = 0

    def messages(self) -> list[Message]:
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        found, at = [], 0
        while (line_end := data.find(b"\n", at)) >= 0:
            came, host, port, size = data[at:line_end].split(b" ")
            begin, end = line_end + 1, line_end + 1 + int(size)
            if end > len(data):
                break
            far = host.decode(), int(port)
            ends = (far, self._address) if came == b"1" else (self._address, far)
            found.append(Message(*ends, data[begin:end]))
            at = end
        self._offset += at
        return found


def read_frame(frame: bytes) -> Message | None:
    """A frame as tcpdump has those of any interface (`LINUX_SLL`), with IPv4 or IPv6 inside; None for anything else,
    and what is no SIP."""
    kind, ip = frame[14:16], frame[16:]
    if kind == b"\x08\x00":
        head, protocol, places = (ip[0] & 15) * 4, ip[9], ((12, 16), (16, 20))
    elif kind == b"\x86\xdd":
        head, protocol, places = 40, ip[6], ((8, 24), (24, 40))
    else:
        return None
    hosts = [str(ipaddress.ip_address(ip[begin:end])) for begin, end in places]
    source, target = struct.unpack_from("!HH", ip, head)
    body = ip[head + 8 :] if protocol == 17 else ip[head + (ip[head + 12] >> 4) * 4 :]
    if not body.startswith(METHODS):
        return None
    return Message((hosts[0], source), (hosts[1], target), bytes(body))
