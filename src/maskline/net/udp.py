"""One UDP socket on asyncio: many datagrams a wake-up, a deep kernel buffer, and the kernel's losses readable.

What it is: the transport under the SIP runner. It reads until the socket is empty (or a batch is full), hands
each datagram over, and says once per wake-up that the batch is over, so that timers and sending are done once
for many datagrams. What it is not: SIP. Who uses it: `engine/runner.py`, the lab.

The buffer is asked for in `bind`: with the kernel's default of 208 kB several SIP servers lost datagrams at
half a core's load (peers.md, "What to read out of it", 4).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import select
import socket
import struct
import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from maskline.clock import SystemClock
from maskline.net import udp_filter

RECEIVE_BUFFER = 4 * 1024 * 1024
MAX_DATAGRAM = 65_535
MAX_QUOTED = 1_280
"""Bytes that an ICMP message has at most (RFC 4443 §2.4 c); of IPv4 576."""
BATCH = 64
"""Datagrams read per wake-up unless told otherwise, so that timers and other sockets get their turn under load."""
SEND_QUEUE = 10_000
"""Datagrams kept when the kernel will not take more; SIP repeats what is dropped beyond."""

_SO_RCVBUFFORCE = 33
SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@ll")
_IP_RECVERR, _IPV6_RECVERR = 11, 25
_ERRORS = frozenset(((socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR)))
_ERROR = struct.Struct("@IBBB")
"""The beginning of `struct sock_extended_err`: errno, who says it, type and code of the ICMP message."""
_BY_ICMP, _BY_ICMP6 = 2, 3
_MSG_ERRQUEUE = getattr(socket, "MSG_ERRQUEUE", 0x2000)
_LINUX = sys.platform == "linux"
_WALL = SystemClock().wall

Address = tuple[str, int]


class UdpSocket:
    """Bound UDP socket. `on_datagram(data, host, port)` for each, `on_batch()` after each wake-up,
    `on_unreachable(host, port, quoted)` when ICMP says that a datagram of ours found nobody, with its beginning."""

    def __init__(
        self,
        on_datagram: Callable[[bytes, str, int], None],
        on_batch: Callable[[], None],
        on_unreachable: Callable[[str, int, bytes], None],
        wall: Callable[[], float] = _WALL,
        batch: int = BATCH,
    ) -> None:
        """`wall` gives seconds since 1970, as the kernel stamps what arrives. `batch`: datagrams read per wake-up."""
        self._on_datagram = on_datagram
        self._on_batch = on_batch
        self._on_unreachable = on_unreachable
        self._socket: socket.socket | None = None
        self._waker: select.epoll | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._unsent: deque[tuple[bytes, Address]] = deque(maxlen=SEND_QUEUE)
        self._wall = wall
        self._batch = batch
        self.behind = 0.0
        """Seconds the first datagram of the last batch had waited in the kernel, if that batch was full; 0 when
        the socket was read empty. A stall alone makes no backlog, so this tells overload from a hiccup."""
        self.age = 0.0
        """Seconds the first datagram of this batch had waited in the kernel; those behind it waited less."""
        self.dropped_sends = 0
        """Datagrams the kernel refused for good."""
        self._shut: tuple[str, ...] = ()
        self._shut_drops, self._drops_before = 0, 0

    def bind(self, host: str, port: int) -> Address:
        """Open and bind, and start reading on the running loop; returns the address bound to. Raises `OSError`."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            _deepen(sock)
            _want_icmp(sock, family)
            if _LINUX:
                sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            if family == socket.AF_INET6:
                # `::` would take IPv4 too, whose peers would have other addresses than they have.
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((host, port))
        except OSError:
            sock.close()
            raise
        self._socket = sock
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._watch(sock), self.read)
        bound: Address = sock.getsockname()[:2]
        return bound

    def send(self, data: bytes, host: str, port: int) -> None:
        """Send, or queue when the kernel's buffer is full; never raises. After `close` nothing is sent."""
        sock = self._socket
        if sock is None:
            return
        if self._unsent:
            self._unsent.append((data, (host, port)))
            return
        if not self._try(sock, data, (host, port)):
            self._unsent.append((data, (host, port)))
            assert self._loop is not None, "bound sockets have a loop"
            self._loop.add_writer(sock.fileno(), self._write)

    def close(self) -> None:
        sock, self._socket = self._socket, None
        if sock is not None and self._loop is not None:
            self._loop.remove_reader((self._waker or sock).fileno())
            self._loop.remove_writer(sock.fileno())
            self._unsent.clear()
            if self._waker is not None:
                self._waker.close()
            sock.close()

    def _watch(self, sock: socket.socket) -> int:
        """The descriptor the loop waits for. libuv (uvloop) stops watching one for good when poll says POLLERR, as
        it does for each queued ICMP error: a single phone that is gone would leave the server deaf. An epoll around
        the socket becomes readable for data and errors alike and never reports an error itself."""
        if not _LINUX:
            return sock.fileno()
        self._waker = select.epoll()
        self._waker.register(sock.fileno(), select.EPOLLIN)
        return self._waker.fileno()

    @property
    def receive_buffer(self) -> int:
        """Bytes the kernel granted (it doubles what is asked for)."""
        return 0 if self._socket is None else self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

    def shut_out(self, hosts: Sequence[str]) -> bool:
        """Have the kernel drop what comes from these addresses from now on, and from no others; False: it cannot."""
        sock, wanted = self._socket, tuple(hosts)
        if sock is None or wanted == self._shut:
            return True
        drops = self._all_drops()
        try:
            udp_filter.shut_out(sock, wanted)
        except OSError:
            return False
        if self._shut:
            self._shut_drops += drops - self._drops_before
        self._drops_before, self._shut = drops, wanted
        return True

    def kernel_drops(self) -> int:
        """Datagrams the kernel dropped on this socket because its buffer was full; 0 where it cannot be read.
        Reads a file of /proc: for metrics, not for every datagram."""
        return (self._drops_before if self._shut else self._all_drops()) - self._shut_drops

    def shut_drops(self) -> int:
        """Datagrams dropped while somebody was shut out: the kernel has one counter for all it drops."""
        return self._shut_drops + (self._all_drops() - self._drops_before if self._shut else 0)

    def _all_drops(self) -> int:
        if self._socket is None or not _LINUX:
            return 0
        table = "udp6" if self._socket.family == socket.AF_INET6 else "udp"
        inode = str(_inode(self._socket))
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[9] == inode:
                    return int(fields[12])
        return 0

    def read(self) -> None:
        """Read what is there, a batch at most; the loop calls it when there is something."""
        sock = self._socket
        if sock is None:
            return
        waited = 0.0
        for position in range(self._batch):
            try:
                if position:
                    data, address = sock.recvfrom(MAX_DATAGRAM)
                else:
                    data, stamps, _, address = sock.recvmsg(MAX_DATAGRAM, 64)
                    waited = self.age = self._age(stamps)
            except BlockingIOError:
                self.behind = 0.0
                if not position:
                    # Woken without data: errors wait whose report a `sendto` has taken already.
                    self._read_errors(sock)
                break
            except OSError:
                # An ICMP error waits; the datagrams behind it are read in the next round.
                self._read_errors(sock)
                continue
            self._on_datagram(data, address[0], address[1])
            if self._socket is None:
                return
        else:
            self.behind = waited
        self._on_batch()

    def _age(self, stamps: list[tuple[int, int, bytes]]) -> float:
        return age_of(stamps, self._wall)

    def _read_errors(self, sock: socket.socket) -> None:
        """Take every queued ICMP error; each names the address our datagram was sent to, and quotes it."""
        while True:
            try:
                quoted, said, _, address = sock.recvmsg(MAX_QUOTED, 512, _MSG_ERRQUEUE)
            except OSError:
                return
            if is_unreachable(said):
                self._on_unreachable(address[0], address[1], quoted)

    def _write(self) -> None:
        sock = self._socket
        while sock is not None and self._unsent:
            data, address = self._unsent[0]
            if not self._try(sock, data, address):
                if self._loop is not None:  # again, since an ICMP error may have ended the watch (see `_watch`)
                    self._loop.remove_writer(sock.fileno())
                    self._loop.add_writer(sock.fileno(), self._write)
                return
            self._unsent.popleft()
        if sock is not None and self._loop is not None:
            self._loop.remove_writer(sock.fileno())

    def _try(self, sock: socket.socket, data: bytes, address: Address) -> bool:
        """False: the kernel takes no more now."""
        for _ in range(2):
            try:
                sock.sendto(data, address)
                return True
            except OSError as error:
                if error.errno in (errno.EAGAIN, errno.ENOBUFS):
                    return False
                if error.errno not in (errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH):
                    break
                # It may be the ICMP error of an earlier datagram, reported at this one; that is read from the
                # error queue. The second try tells whether this address is meant.
        self.dropped_sends += 1
        return True


def age_of(stamps: list[tuple[int, int, bytes]], wall: Callable[[], float]) -> float:
    """Seconds since the kernel took a datagram of a socket with `SO_TIMESTAMPNS`; 0 where it does not say."""
    for _, kind, value in stamps:
        if kind == SO_TIMESTAMPNS and len(value) == _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack(value)
            stamp: float = seconds + nanoseconds * 1e-9
            return max(0.0, wall() - stamp)
    return 0.0


def is_unreachable(said: list[tuple[int, int, bytes]]) -> bool:
    """Whether an error of the queue says that nobody is there. The kernel reports more: of a datagram that has to be
    cut (type 3, code 4 and its like of IPv6) the next copy gets through, and TTL is nobody's fault (RFC 3261 §18.4)."""
    for level, kind, value in said:
        if (level, kind) in _ERRORS and len(value) >= _ERROR.size:
            _, origin, kind_of_icmp, code = _ERROR.unpack_from(value)
            if origin == _BY_ICMP:
                return bool(kind_of_icmp == 3 and code != 4)
            return bool(origin == _BY_ICMP6 and kind_of_icmp == 1)
    return False


def _deepen(sock: socket.socket) -> None:
    if _LINUX:
        with contextlib.suppress(PermissionError):
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER)
            return
    # Without CAP_NET_ADMIN the kernel caps it at net.core.rmem_max; `maskline doctor` says so.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)


def _want_icmp(sock: socket.socket, family: int) -> None:
    if not _LINUX:
        return
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, struct.pack("i", 1))
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, struct.pack("i", 1))


def _inode(sock: socket.socket) -> int:
    return os.fstat(sock.fileno()).st_ino
