"""RTP as a capture file for SIPp to play, and a tap that hears what reaches a port another program has open.

What it is: pcaps written by us (no foreign capture is kept in the repository), and a raw socket with a filter. What it
is not: a capture tool. Who uses it: `tests/support/heard_field.py`, whose SIPps cannot keep what they hear.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from maskline.lab.ear import Ear
from maskline.lab.likeness import Match, Search
from maskline.lab.mouth import Mouth
from maskline.lab.sound import RATE, Samples

_FILE_HEAD = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 1)
_RECORD = struct.Struct("<IIII")
_ETHERNET = bytes(12) + b"\x08\x00"


def write_pcap(path: Path, packets: Iterable[tuple[float, bytes]]) -> None:
    """UDP payloads with their seconds from the start, as Ethernet frames; SIPp sets addresses and ports itself."""
    with path.open("wb") as file:
        file.write(_FILE_HEAD)
        for at, payload in packets:
            udp = struct.pack("!HHHH", 10_000, 10_000, 8 + len(payload), 0) + payload
            ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, b"\x7f\0\0\1", b"\x7f\0\0\1")
            frame = _ETHERNET + ip + udp
            file.write(_RECORD.pack(int(at), round(at % 1 * 1e6), len(frame), len(frame)) + frame)


class Track:
    """One RTP stream to be played in one or more pieces, numbered on through all of them."""

    def __init__(self, *, event_type: int | None = 101, seed: int = 1) -> None:
        self.mouth = Mouth(0, seed=seed)
        self.mouth.event_type = event_type

    def write(self, path: Path, *, say: Samples | None = None, press: str = "", seconds: float = 0.0) -> float:
        """A piece with this in it, and silence until it lasts `seconds`; returns how long it lasts."""
        if say is not None:
            self.mouth.say(say)
        self.mouth.press(press)
        packets: list[tuple[float, bytes]] = []
        turn = 0
        while self.mouth.busy or turn * 0.02 < seconds:
            # Packets of one turn a tenth of a millisecond apart, so that their order holds.
            batch = self.mouth.next_packets()
            packets += [(turn * 0.02 + index * 1e-4, packet) for index, packet in enumerate(batch)]
            turn += 1
        write_pcap(path, packets)
        return turn * 0.02


class Tap:
    """Hears the UDP datagrams to one port of 127.0.0.1 beside the program they are for. Needs root."""

    def __init__(self, port: int, event_type: int = 101) -> None:
        self.ear = Ear(event_type)
        self._port = port
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
        # Classic BPF: the half-word at 22, the UDP destination behind a bare IP header, is the port, or drop.
        program = ((0x28, 0, 0, 22), (0x15, 0, 1, port), (0x06, 0, 0, 0xFFFFFFFF), (0x06, 0, 0, 0))
        code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
        self._socket.setsockopt(
            socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("HL", len(program), ctypes.addressof(code))
        )
        # The kernel's own time of arrival: this thread may be late on a busy machine, and would hear gaps.
        self._socket.setsockopt(socket.SOL_SOCKET, _TIMESTAMP_NS, 1)
        self._socket.bind(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._listen, name=f"tap {port}", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        self._socket.settimeout(0.2)
        wall = time.time() - time.monotonic()
        while self._socket.fileno() >= 0:
            try:
                datagram, ancillary, _, _ = self._socket.recvmsg(4096, 64)
            except TimeoutError:
                continue
            except OSError:
                return
            # Datagrams of the moment between the socket and its filter are of other ports.
            if int.from_bytes(datagram[22:24], "big") == self._port:
                seconds, nanoseconds = struct.unpack("qq", ancillary[0][2][:16])
                self.ear.hear(datagram[28:], seconds + nanoseconds / 1e9 - wall)

    def wait_to_hear(self, sound: Samples, within: float = 30.0, since: float = 0.0) -> Match:
        """As soon as `sound` came to its end; fails when it does not. `since`: monotonic seconds."""
        deadline = time.monotonic() + within
        search = Search(sound)
        while True:
            match = search.look(self.ear.samples(since))
            if match.heard:
                return match
            assert time.monotonic() < deadline, f"likeness {match.likeness:.2f} after {within} s"
            time.sleep(0.1)

    def wait_to_hear_next(self, sound: Samples, after: float, within: float = 30.0) -> float:
        """When `sound` came to its end, heard after the moment `after` (monotonic seconds)."""
        match = self.wait_to_hear(sound, within, after)
        begun = next(item.at for item in self.ear.voices if item.at >= after)
        return begun + match.seconds + len(sound) / RATE

    def close(self) -> None:
        self._socket.close()
        self._thread.join(2.0)


_ATTACH_FILTER, _TIMESTAMP_NS = 26, 35
"""SO_ATTACH_FILTER and SO_TIMESTAMPNS of Linux, which Python's socket module does not name."""
